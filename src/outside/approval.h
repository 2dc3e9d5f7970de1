/*-------------------------------------------------------------------------
 *
 * approval.h
 *	  approval: states: an intent is opened and the branch waits for what
 *	  people decide.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_APPROVAL_H
#define DX_OUTSIDE_APPROVAL_H

#include "base/catalog.h"
#include "engine/handout.h"
#include "engine/pass.h"
#include "utils/jsonb.h"

/* Stored.  Only PENDING has successors. */
typedef enum DxIntentStatus
{
	DX_INTENT_PENDING = N_INTENT_PENDING,
	DX_INTENT_APPROVED = N_INTENT_APPROVED,
	DX_INTENT_REJECTED = N_INTENT_REJECTED,
	DX_INTENT_EXPIRED = N_INTENT_EXPIRED,
	DX_INTENT_WITHDRAWN = N_INTENT_WITHDRAWN
} DxIntentStatus;

extern const DxResource dx_approval_resource;
extern void dx_approval_write(DxPass *pass);
extern bytea *dx_intent_hash(int32 version, Jsonb *payload);
extern const char *dx_intent_status_name(int status);

#endif							/* DX_OUTSIDE_APPROVAL_H */
