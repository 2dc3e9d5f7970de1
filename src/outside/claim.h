/*-------------------------------------------------------------------------
 *
 * claim.h
 *	  Claiming activity tasks, within the limits of the activity.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_CLAIM_H
#define DX_OUTSIDE_CLAIM_H

#include "utils/timestamp.h"

/* How long a claim lasts when neither the definition nor the worker says. */
#define DX_DEFAULT_LEASE	"5 minutes"

/* Rows of owners whose privileges the user has; all: of everybody. */
#define DX_MAY_SERVE(user, all) \
	"(" all " OR pg_catalog.pg_has_role(" user ", t.owner::pg_catalog.oid, 'USAGE'))"

extern bool dx_may_serve(void);
extern uint64 dx_task_claim(const char *activity, const char *worker, int max,
							Interval *lease);
extern bool dx_task_waits(const char *activity, long *later);

#endif							/* DX_OUTSIDE_CLAIM_H */
