/*-------------------------------------------------------------------------
 *
 * intent.h
 *	  An effect that wants to go out, from the question to what became of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_INTENT_H
#define DX_GOVERNANCE_INTENT_H

#include "engine/model.h"
#include "engine/pass.h"
#include "governance/approval.h"
#include "governance/policy.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* An intent that a pass has in hand. */
typedef struct DxIntent
{
	pg_uuid_t	id;
	DxRun	   *run;
	DxBranch   *branch;
	DxIntentStatus status;		/* 0: it has none yet */
	DxIntentStatus stored;		/* 0: it has no row yet */
	Jsonb	   *payload;		/* that it goes out with */
	bytea	   *hash;			/* of version and payload */
	int32		version;
	char		class;
	char	   *action;
	char	   *tenant;
	char	   *key;			/* NULL: none */
	Jsonb	   *outcome;		/* what others with its key get */
	char	   *reason;			/* of a refusal */

	/* only of a new one */
	DxVerdict	verdict;
	bool		gave_key_back;	/* to another intent of the pass */
	bool		changed;		/* of a row: more than its status */
	int16		escalated;		/* steps of the escalation that are done */
	const char *state;
	int32		attempt;
	TimestampTz created_at;
	TimestampTz expires_at;		/* DT_NOEND: never */
	TimestampTz due_at;			/* by the SLA, DT_NOEND: none */
	char	   *summary;
	Jsonb	   *evidence;
	const Jsonb *shape;
} DxIntent;

extern DxIntent *dx_intent_new(DxPass *pass, DxRun *run, DxBranch *branch);
extern void dx_intent_set_status(DxIntent *intent, DxIntentStatus status);
extern Jsonb *dx_intent_payload(const DxIntent *intent, const char *why);

/* ---------- intent_store.c ---------- */

extern DxIntent *dx_intent_take(DxPass *pass, DxRun *run, DxBranch *branch);
extern DxIntent *dx_intent_try_take(DxPass *pass, DxRun *run, DxBranch *branch);
extern DxIntent *dx_intent_look(DxPass *pass, DxRun *run, DxBranch *branch);
extern void dx_intent_write(DxPass *pass);

#endif							/* DX_GOVERNANCE_INTENT_H */
