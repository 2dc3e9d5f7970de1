/*-------------------------------------------------------------------------
 *
 * intent_key.h
 *	  Idempotency keys of effects: of a tenant and a key one goes out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_INTENT_KEY_H
#define DX_GOVERNANCE_INTENT_KEY_H

#include "governance/intent.h"

/* What somebody else with the same key has come to. */
typedef struct DxTwin
{
	pg_uuid_t	id;
	DxIntentStatus status;
	Jsonb	   *outcome;
} DxTwin;

extern bool dx_intent_claim_key(const DxPass *pass, const DxIntent *intent,
								DxTwin *twin);
extern void dx_intent_follow(const DxTwin *twin, const DxRun *run, const DxBranch *branch);
extern void dx_intent_keys_settle(List *ids);
extern void dx_intent_key_release(const pg_uuid_t *id);

#endif							/* DX_GOVERNANCE_INTENT_KEY_H */
