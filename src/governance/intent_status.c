/*-------------------------------------------------------------------------
 *
 * intent_status.c
 *	  The status of an intent, by number and by name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "governance/intent_status.h"

static const char *const status_names[] = {
	[DX_INTENT_PENDING] = "PENDING",
	[DX_INTENT_APPROVED] = "APPROVED",
	[DX_INTENT_REJECTED] = "REJECTED",
	[DX_INTENT_EXPIRED] = "EXPIRED",
	[DX_INTENT_WITHDRAWN] = "WITHDRAWN",
	[DX_INTENT_FORBIDDEN] = "FORBIDDEN",
	[DX_INTENT_RUNNING] = "RUNNING",
	[DX_INTENT_DONE] = "DONE",
	[DX_INTENT_FAILED] = "FAILED",
	[DX_INTENT_UNKNOWN] = "UNKNOWN",
	[DX_INTENT_HALTED] = "HALTED"
};

/* The name of an intent's status; "UNKNOWN" for a foreign number. */
const char *
dx_intent_status_name(int status)
{
	if (status < DX_INTENT_PENDING || status > DX_INTENT_HALTED)
		return "UNKNOWN";
	return status_names[status];
}
