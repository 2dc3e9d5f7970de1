/*-------------------------------------------------------------------------
 *
 * step.c
 *	  An attempt at a sql: Task: how long it may take, and what follows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "base/clock.h"
#include "engine/budget.h"
#include "engine/call.h"
#include "engine/evaluate.h"
#include "engine/guard.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/phase.h"
#include "engine/step.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* A deadlock or a serialization failure: again, without using up an attempt. */
static DxOutcome
conflicted(DxPass *pass, DxRun *run, DxBranch *branch, const DxFault *fault)
{
	/* What the pass holds may be what the other waits for: let go. */
	pass->over = true;
	if (++branch->conflicts > DX_MAX_CONFLICTS)
		return dx_failed(fault);
	branch->attempt--;
	dx_branch_park(run, branch, DX_PHASE_RETRY,
				   dx_conflict_retry_at(branch->conflicts));
	run->changed = true;
	return dx_parked();
}

/* The time that an attempt at a sql: step may take, and what ends it. */
typedef struct StepTime
{
	double		seconds;		/* 0: no limit */
	const char *error;			/* NULL: the end of the run's time */
} StepTime;

/* The shortest of several limits counts. */
static void
limit_time(StepTime *time, double seconds, const char *error)
{
	if (time->seconds > 0 && time->seconds <= seconds)
		return;
	time->seconds = seconds;
	time->error = error;
}

/*
 * A function cannot send heartbeats: it has to be ready before the first one is
 * due.  The run's deadline ends a step as well.
 */
static bool
step_time(DxRun *run, const DxTask *task, DxEnv *env, StepTime *time,
		  DxFault *fault)
{
	bool		given;
	double		seconds;

	memset(time, 0, sizeof(StepTime));
	if (!dx_eval_amount(&task->timeout, env, &given, &seconds, fault))
		return false;
	if (given)
		limit_time(time, seconds, DX_ERROR_TIMEOUT);
	if (!dx_eval_amount(&task->heartbeat, env, &given, &seconds, fault))
		return false;
	if (given)
		limit_time(time, seconds, DX_ERROR_HEARTBEAT);
	if (run->deadline != DT_NOEND)
		limit_time(time, Max((run->deadline - dx_now()) / (double) USECS_PER_SEC, 0.001),
				   NULL);
	return true;
}

/* The attempt took longer than it may. */
static DxOutcome
step_timed_out(DxPass *pass, DxRun *run, DxBranch *branch, const StepTime *time,
			   DxFault *fault)
{
	if (time->error != NULL && strcmp(time->error, DX_ERROR_HEARTBEAT) == 0)
		return dx_heartbeat_missed(psprintf("No heartbeat came in time: %s",
											fault->cause ? fault->cause : "a function can send none."));
	if (time->error != NULL)
	{
		fault->error = pstrdup(time->error);
		return dx_failed(fault);
	}
	dx_event(pass, run, DX_EVENT_STEP_FAILED, branch,
			 dx_payload("error", dx_json_text(fault->error), NULL));
	return dx_outcome(DX_OUTCOME_TIMED_OUT);
}

/*
 * Does the step that the branch has come to have to wait for the next pass?  A
 * pass lets go of its locks after pass_max_time: what is known to take longer
 * than what is left waits, and what takes longer than a whole pass has one for
 * itself.  state_index: see dx_call_sql.
 */
bool
dx_step_waits(DxPass *pass, const DxRun *run, DxBranch *branch, int state_index)
{
	bool		alone = list_length(pass->runs) == 1 && pass->result->steps == 0;
	double		expected;

	if (!pass->sets_apart || alone)
		return false;
	expected = dx_call_expected(run, state_index) * 1000;
	if (expected <= 0 || dx_mono() + (DxMono) expected <= pass->deadline)
		return false;
	if (expected >= pass->deadline - pass->begun)
		branch->apart = true;
	else if (pass->result->steps > 0)
		pass->over = true;
	else
		return false;
	return true;
}

/* A branch has come to a sql: Task; its effective input is evaluated. */
DxOutcome
dx_step_run(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	const DxTask *task = &branch->state->u.task;
	DxFault		fault = {NULL, NULL};
	Jsonb	   *result = NULL;
	StepTime	time;

	Assert(branch->state->u.task.kind == DX_RESOURCE_SQL);
	Assert(branch->effective != NULL);
	Assert(branch->attempt > 0);
	if (!step_time(run, task, env, &time, &fault))
		return dx_failed(&fault);
	pass->result->steps++;
	switch (dx_call_sql(pass, run, branch->state->index, task->target,
						branch->effective, time.seconds, &result, &fault))
	{
		case DX_CALL_DONE:
			if (task->wait_for_token)
				return dx_resource_of(DX_RESOURCE_ACTIVITY)->await(pass, run, branch, env);
			return dx_done(result);
		case DX_CALL_FAULT:
			return dx_failed(&fault);
		case DX_CALL_TIMEOUT:
			return step_timed_out(pass, run, branch, &time, &fault);
		case DX_CALL_WAITS:
			return dx_parked();
		case DX_CALL_CONFLICT:
			return conflicted(pass, run, branch, &fault);
	}
	pg_unreachable();
}
