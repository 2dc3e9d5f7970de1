/*-------------------------------------------------------------------------
 *
 * retry.c
 *	  Which retrier or catcher takes an error, and how long to wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "asl/asl.h"
#include "asl/fault.h"

/*
 * No delay is longer than the longest that the language can write down, so
 * that adding it to a timestamp cannot overflow however often a rate has been
 * multiplied.
 */
#define DX_MAX_DELAY	99999999.0

/* Is it this error? */
static bool
error_is(const char *error, const char *name)
{
	return strcmp(error, name) == 0;
}

/*
 * A heartbeat that did not come is a timeout too: Amazon States Language,
 * appendix A, States.Timeout.
 */
static bool
error_is_timeout(const char *error)
{
	return error_is(error, DX_ERROR_TIMEOUT) ||
		error_is(error, DX_ERROR_HEARTBEAT);
}

/*
 * Does an ErrorEquals list match this error name?
 *
 * error may be NULL: a task that failed without naming its error; only the
 * wildcards match it.  States.Runtime is matched by nothing, not even by its
 * own name: it always ends the execution.  States.TaskFailed matches all but
 * timeouts.  Names are case-sensitive.
 *
 * AWS's guide says that States.ALL does not match States.DataLimitExceeded.
 * Executions recorded there show that it does, and those are followed here.
 *
 * Amazon States Language, "Errors" and appendix A.
 */
static bool
error_matches(int nerrors, const char **errors, const char *error)
{
	if (error == NULL)
		error = "";
	if (error_is(error, DX_ERROR_RUNTIME))
		return false;

	for (int i = 0; i < nerrors; i++)
	{
		if (error_is(errors[i], error) ||
			error_is(errors[i], DX_ERROR_ALL))
			return true;
		if (error_is(errors[i], DX_ERROR_TASK_FAILED) &&
			!error_is_timeout(error))
			return true;
		if (error_is(errors[i], DX_ERROR_TIMEOUT) &&
			error_is_timeout(error))
			return true;
	}
	return false;
}

/*
 * Which retrier takes this error: its index, or -1 when none does.
 *
 * used[i] counts the retries that retrier i has ordered so far; random01,
 * from 0 to 1, is drawn by the caller.  *delay gets the seconds until the next
 * attempt.  The first retrier that matches decides: when it is used up, the
 * later ones are not asked.
 *
 * Amazon States Language, "Retrying after error".
 */
int
dx_retry_choose(int nretriers, const DxRetrier *retriers, const int32 *used,
				const char *error, double random01, double *delay)
{
	Assert(random01 >= 0 && random01 <= 1);
	for (int i = 0; i < nretriers; i++)
	{
		const DxRetrier *retrier = &retriers[i];
		double		seconds;

		if (!error_matches(retrier->nerrors, retrier->errors, error))
			continue;
		if (used[i] >= retrier->max_attempts)
			return -1;

		seconds = retrier->interval * pow(retrier->backoff_rate, used[i]);
		if (retrier->max_delay >= 0)
			seconds = Min(seconds, retrier->max_delay);
		/* Written so that what is not a number is caught as well. */
		if (!(seconds < DX_MAX_DELAY))
			seconds = DX_MAX_DELAY;
		if (retrier->full_jitter)
			seconds *= random01;
		*delay = seconds;
		return i;
	}
	return -1;
}

/*
 * The first catcher of a state that matches the error, or NULL.
 */
const DxCatcher *
dx_catch_choose(const DxState *state, const char *error)
{
	for (int i = 0; i < state->ncatchers; i++)
	{
		const DxCatcher *catcher = &state->catchers[i];

		if (error_matches(catcher->nerrors, catcher->errors, error))
			return catcher;
	}
	return NULL;
}
