/*-------------------------------------------------------------------------
 *
 * intent_status.h
 *	  The status of an intent, by number and by name.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_INTENT_STATUS_H
#define DX_GOVERNANCE_INTENT_STATUS_H

#include "base/catalog.h"

/* Stored.  What may follow what stands in intent.c. */
typedef enum DxIntentStatus
{
	DX_INTENT_PENDING = N_INTENT_PENDING,
	DX_INTENT_APPROVED = N_INTENT_APPROVED,
	DX_INTENT_REJECTED = N_INTENT_REJECTED,
	DX_INTENT_EXPIRED = N_INTENT_EXPIRED,
	DX_INTENT_WITHDRAWN = N_INTENT_WITHDRAWN,
	DX_INTENT_FORBIDDEN = N_INTENT_FORBIDDEN,
	DX_INTENT_RUNNING = N_INTENT_RUNNING,
	DX_INTENT_DONE = N_INTENT_DONE,
	DX_INTENT_FAILED = N_INTENT_FAILED,
	DX_INTENT_UNKNOWN = N_INTENT_UNKNOWN,
	DX_INTENT_HALTED = N_INTENT_HALTED
} DxIntentStatus;

/* Has it come to an end? */
static inline bool
dx_intent_is_over(DxIntentStatus status)
{
	return status != DX_INTENT_PENDING && status != DX_INTENT_APPROVED &&
		status != DX_INTENT_RUNNING && status != DX_INTENT_HALTED;
}

extern const char *dx_intent_status_name(int status);

#endif							/* DX_GOVERNANCE_INTENT_STATUS_H */
