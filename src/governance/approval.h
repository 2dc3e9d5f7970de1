/*-------------------------------------------------------------------------
 *
 * approval.h
 *	  approval: states: an intent is opened and the branch waits for what
 *	  people decide.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_APPROVAL_H
#define DX_GOVERNANCE_APPROVAL_H

#include "engine/handout.h"
#include "engine/pass.h"
#include "governance/intent_status.h"
#include "utils/jsonb.h"

extern const DxResource dx_approval_resource;
extern void dx_approval_write(DxPass *pass);
extern bytea *dx_intent_hash(int32 version, Jsonb *payload);

#endif							/* DX_GOVERNANCE_APPROVAL_H */
