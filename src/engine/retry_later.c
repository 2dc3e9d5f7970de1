/*-------------------------------------------------------------------------
 *
 * retry_later.c
 *	  Another attempt at a state, after a while.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "base/clock.h"
#include "common/pg_prng.h"
#include "engine/budget.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/phase.h"
#include "engine/retry_later.h"

/*
 * The name that Retry and Catch look for.  A heartbeat that did not come is
 * recorded as States.Timeout, and both names match it.
 */
const char *
dx_error_to_match(const DxOutcome *outcome)
{
	return outcome->heartbeat ? DX_ERROR_HEARTBEAT : outcome->fault.error;
}

/*
 * Retry of the state takes the failure, and the branch waits for its next attempt.
 * false: it does not.
 */
bool
dx_retry_later(DxPass *pass, DxRun *run, DxBranch *branch, const DxOutcome *outcome)
{
	const DxState *state = branch->state;
	double		delay;
	int			chosen;

	if (state->nretriers == 0)
		return false;
	if (branch->nretries < state->nretriers)
	{
		int32	   *retries = palloc0(sizeof(int32) * state->nretriers);

		if (branch->nretries > 0)
			memcpy(retries, branch->retries, sizeof(int32) * branch->nretries);
		branch->retries = retries;
		branch->nretries = state->nretriers;
	}
	chosen = dx_retry_choose(state->nretriers, state->retriers, branch->retries,
							 dx_error_to_match(outcome),
							 pg_prng_double(&pg_global_prng_state), &delay);
	if (chosen < 0)
		return false;

	branch->retries[chosen]++;
	dx_branch_park(run, branch, DX_PHASE_RETRY, dx_after_seconds(dx_now(), delay));
	dx_event(pass, run, DX_EVENT_STEP_FAILED, branch,
			 dx_payload("error", dx_json_text(outcome->fault.error),
						"cause", dx_json_text(outcome->fault.cause),
						"retry_at", dx_json_timestamp(branch->due_at), NULL));
	return true;
}
