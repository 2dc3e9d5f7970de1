/*-------------------------------------------------------------------------
 *
 * sla.c
 *	  What happens while nobody decides: warnings, more people to ask, the end.
 *
 * The branch that waits has a timer for the next of these, so they survive
 * whatever the rest survives.  The escalation of the rule says when, in parts
 * of the time that the SLA allows; without one a breach is said at the end of it.
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
#include "governance/intent.h"
#include "governance/sla.h"
#include "outside/emit.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* Step number n of the escalation; NULL: there are not so many. */
static Jsonb *
step_of(const DxIntent *intent, int n)
{
	const Jsonb *steps = intent->verdict.escalation;

	if (steps == NULL || n >= JB_ROOT_COUNT(steps))
		return NULL;
	return dx_json_from_value(getIthJsonbValueFromContainer((JsonbContainer *) &steps->root, n));
}

/* When the step is to be taken; DT_NOEND: never. */
static TimestampTz
time_of(const DxIntent *intent, int n)
{
	Jsonb	   *step = step_of(intent, n);
	JsonbValue	at;
	double		part = 1;

	if (intent->due_at == DT_NOEND || (step == NULL && (n > 0 || intent->verdict.escalation != NULL)))
		return DT_NOEND;
	if (step != NULL && dx_json_get(step, "At", &at) && at.type == jbvNumeric)
		part = DatumGetFloat8(DirectFunctionCall1(numeric_float8,
												  NumericGetDatum(at.val.numeric)));
	return intent->created_at + (TimestampTz) ((intent->due_at - intent->created_at) * part);
}

/* When something is to be done about the intent next. */
static TimestampTz
next_time(const DxIntent *intent)
{
	return Min(intent->expires_at, time_of(intent, intent->escalated));
}

/* When to look at an intent that is to be decided. */
TimestampTz
dx_sla_first(const DxIntent *intent)
{
	return next_time(intent);
}

/* Tells whoever listens to the outbox. */
static void
tell(DxPass *pass, const DxIntent *intent, const char *topic, Jsonb *whom)
{
	dx_emit_about(pass, intent->run, topic,
				  dx_payload("id", dx_json_uuid(&intent->id),
							 "run_id", dx_json_uuid(&intent->run->id),
							 "action", dx_json_text(intent->action),
							 "tenant", dx_json_text(intent->tenant),
							 "summary", dx_json_text(intent->summary),
							 "due", intent->due_at == DT_NOEND ? NULL :
							 dx_json_timestamp(intent->due_at),
							 "expires", intent->expires_at == DT_NOEND ? NULL :
							 dx_json_timestamp(intent->expires_at),
							 "notify", whom, NULL));
}

/* An intent waits for people now. */
void
dx_sla_opened(DxPass *pass, const DxIntent *intent)
{
	tell(pass, intent, "approval.opened", NULL);
}

/* Roles that are asked, too, from now on. */
static void
add_approvers(DxPass *pass, DxIntent *intent, Jsonb *added)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);

	for (int i = 0; i < JB_ROOT_COUNT(added); i++)
	{
		JsonbValue *name = getIthJsonbValueFromContainer(&added->root, i);

		/* Who may be asked anyway is everybody. */
		if (intent->verdict.approvers != NIL)
			intent->verdict.approvers = lappend(intent->verdict.approvers,
												pnstrdup(name->val.string.val,
														 name->val.string.len));
	}
	MemoryContextSwitchTo(oldcxt);
}

/* Takes a step of the escalation. */
static void
take_step(DxPass *pass, DxIntent *intent, Jsonb *step)
{
	Jsonb	   *added = step ? dx_json_get_json(step, "Add") : NULL;
	Jsonb	   *notified = step ? dx_json_get_json(step, "Notify") : NULL;
	bool		late = time_of(intent, intent->escalated) >= intent->due_at;

	if (added != NULL)
		add_approvers(pass, intent, added);
	tell(pass, intent, added != NULL ? "approval.escalated" :
		 late ? "approval.breached" : "approval.warned", added ? added : notified);
	intent->escalated++;
	intent->changed = true;
}

/*
 * Takes all steps whose time has come.  Returns when to look again.
 */
TimestampTz
dx_sla_advance(DxPass *pass, DxIntent *intent)
{
	while (time_of(intent, intent->escalated) <= dx_now())
		take_step(pass, intent, step_of(intent, intent->escalated));
	return next_time(intent);
}
