/*-------------------------------------------------------------------------
 *
 * decision.h
 *	  What people decide about intents.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_DECISION_H
#define DX_GOVERNANCE_DECISION_H

#include "governance/approval.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

/*
 * An edit whose payload is an action {"name", "args"}: of a payload that is
 * not of that kind the args are meant.
 */
#define DX_DECIDE_ACTION	"edit_action"

extern DxIntentStatus dx_decide(const pg_uuid_t *id, const char *decision,
								Jsonb *amended, const char *comment,
								const char *hash, const char *on_behalf_of);

#endif							/* DX_GOVERNANCE_DECISION_H */
