/*-------------------------------------------------------------------------
 *
 * intent.c
 *	  The life of an effect that wants to go out.
 *
 * One function changes the status; the legal edges stand in one table, and a
 * second time in the trigger intent_edge of dealix.intent, for whoever writes
 * there by hand.
 *
 *	PROPOSED	class A, or as below; has no row yet
 *	PENDING		people are asked
 *	APPROVED	it may go out, and has not yet
 *	HALTED		the same, if nothing were stopped
 *	RUNNING		it is out: handed out, called, or about to be tried again
 *	DONE, FAILED, UNKNOWN	what became of it; a person may know better than
 *				UNKNOWN
 *	REJECTED, EXPIRED, WITHDRAWN, FORBIDDEN	it never goes out
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/json.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "governance/approval.h"
#include "governance/intent.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#define EDGE(to)	(1 << (to))
#define REFUSED		(EDGE(DX_INTENT_REJECTED) | EDGE(DX_INTENT_EXPIRED) | \
					 EDGE(DX_INTENT_WITHDRAWN))
#define SETTLED		(EDGE(DX_INTENT_DONE) | EDGE(DX_INTENT_FAILED) | \
					 EDGE(DX_INTENT_UNKNOWN))

static const uint32 successors[] = {
	[0] = EDGE(DX_INTENT_PENDING) | EDGE(DX_INTENT_APPROVED) | EDGE(DX_INTENT_FORBIDDEN),
	[DX_INTENT_PENDING] = REFUSED | EDGE(DX_INTENT_APPROVED),
	[DX_INTENT_APPROVED] = EDGE(DX_INTENT_RUNNING) | EDGE(DX_INTENT_EXPIRED) |
	EDGE(DX_INTENT_WITHDRAWN) | EDGE(DX_INTENT_HALTED),
	[DX_INTENT_REJECTED] = 0,
	[DX_INTENT_EXPIRED] = 0,
	[DX_INTENT_WITHDRAWN] = 0,
	[DX_INTENT_FORBIDDEN] = 0,
	[DX_INTENT_RUNNING] = SETTLED | EDGE(DX_INTENT_RUNNING) | EDGE(DX_INTENT_HALTED),
	[DX_INTENT_DONE] = 0,
	[DX_INTENT_FAILED] = 0,
	[DX_INTENT_UNKNOWN] = EDGE(DX_INTENT_DONE) | EDGE(DX_INTENT_FAILED),
	[DX_INTENT_HALTED] = EDGE(DX_INTENT_APPROVED) | EDGE(DX_INTENT_EXPIRED) |
	EDGE(DX_INTENT_WITHDRAWN) | EDGE(DX_INTENT_HALTED)
};

/* The one place where a pass changes the status of an intent. */
void
dx_intent_set_status(DxIntent *intent, DxIntentStatus status)
{
	Assert(successors[intent->status] & EDGE(status));
	if (!(successors[intent->status] & EDGE(status)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("intent %s is %s, and cannot become %s",
						dx_uuid_text(&intent->id), dx_intent_status_name(intent->status),
						dx_intent_status_name(status))));
	intent->status = status;
}

/* The intent of a branch that has come to an effect. */
DxIntent *
dx_intent_new(DxPass *pass, DxRun *run, DxBranch *branch)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	DxIntent   *intent = palloc0(sizeof(DxIntent));

	intent->run = run;
	intent->branch = branch;
	intent->version = 1;
	intent->state = branch->state->name;
	intent->attempt = branch->attempt;
	intent->created_at = dx_now();
	intent->expires_at = intent->due_at = DT_NOEND;
	pass->intents = lappend(pass->intents, intent);
	branch->asks = intent;
	branch->changed = true;
	MemoryContextSwitchTo(oldcxt);
	return intent;
}

/* What the history says of an intent: who it was, and not what it was about. */
Jsonb *
dx_intent_payload(const DxIntent *intent, const char *why)
{
	char		class[2] = {intent->class, '\0'};
	char	   *digits = palloc(2 * VARSIZE_ANY_EXHDR(intent->hash) + 1);

	digits[hex_encode(VARDATA_ANY(intent->hash), VARSIZE_ANY_EXHDR(intent->hash), digits)] = '\0';
	return dx_payload("id", dx_json_uuid(&intent->id),
					  "action", dx_json_text(intent->action),
					  "class", dx_json_string(class),
					  "status", why ? dx_json_string(dx_intent_status_name(intent->status)) : NULL,
					  "policy", intent->verdict.policy_version > 0 ?
					  dx_json_int(intent->verdict.policy_version) : NULL,
					  "rule", intent->verdict.rule >= 0 ? dx_json_int(intent->verdict.rule) : NULL,
					  "why", dx_json_text(why),
					  "hash", dx_json_string(digits), NULL);
}
