/*-------------------------------------------------------------------------
 *
 * budget.c
 *	  What a pass may spend, and times from now on.
 *
 * Whatever the budget is, a pass takes one branch one step further: a run
 * that is large, or slow to load, comes to its end all the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "base/clock.h"
#include "common/pg_prng.h"
#include "engine/budget.h"
#include "engine/pass.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* from + seconds, saturating at DT_NOEND. */
TimestampTz
dx_after_seconds(TimestampTz from, double seconds)
{
	Assert(from != DT_NOEND);
	if (seconds >= 1e11)
		return DT_NOEND;
	return from + (TimestampTz) rint(Max(seconds, 0) * USECS_PER_SEC);
}

/*
 * Has the pass used what it may?  Not before it has made a step: what it has
 * loaded would be loaded in vain by every other pass, too.
 */
bool
dx_budget_spent(DxPass *pass)
{
	if (!pass->over && pass->progressed &&
		(list_length(pass->events) >= DX_PASS_MAX_EVENTS ||
		 MemoryContextMemAllocated(pass->cxt, false) >= pass->loaded + DX_PASS_MAX_MEMORY ||
		 dx_mono() >= pass->deadline))
		pass->over = true;
	return pass->over;
}

/* When to try again after so many conflicts in a row: exponential, full jitter. */
TimestampTz
dx_conflict_retry_at(int conflicts)
{
	double		limit = Min(0.002 * pow(2, Min(conflicts, 10)), 1.0);

	Assert(conflicts > 0);
	return dx_after_seconds(dx_now(),
							limit * pg_prng_double(&pg_global_prng_state));
}
