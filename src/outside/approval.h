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

#include "engine/handout.h"
#include "engine/pass.h"
#include "utils/jsonb.h"

/* Stored.  Only PENDING has successors. */
typedef enum DxIntentStatus
{
	DX_INTENT_PENDING = 1,
	DX_INTENT_APPROVED = 2,
	DX_INTENT_REJECTED = 3,
	DX_INTENT_EXPIRED = 4,
	DX_INTENT_WITHDRAWN = 5
} DxIntentStatus;

extern const DxResource dx_approval_resource;
extern void dx_approval_write(DxPass *pass);
extern bytea *dx_intent_hash(int32 version, Jsonb *payload);
extern const char *dx_intent_status_name(int status);

#endif							/* DX_OUTSIDE_APPROVAL_H */
