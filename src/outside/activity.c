/*-------------------------------------------------------------------------
 *
 * activity.c
 *	  activity: states, and every other state that waits for a task token.
 *
 * The ticket of the branch stays the same through all attempts of one visit to
 * the state: it is the task's id and its idempotency key.  The token
 * names the attempt as well.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "base/clock.h"
#include "engine/budget.h"
#include "engine/evaluate.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/phase.h"
#include "outside/activity.h"
#include "outside/activity_store.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

typedef struct Limits
{
	bool		has_start;
	bool		has_close;
	double		start;
	double		close;
} Limits;

/* The times of a Task, in seconds. false: one cannot be evaluated. */
static bool
read_limits(const DxTask *task, DxEnv *env, DxActivity *activity,
			Limits *limits, DxFault *fault)
{
	bool		given;

	if (!dx_eval_amount(&task->timeout, env, &given, &activity->start_to_close, fault))
		return false;
	if (!given)
		activity->start_to_close = -1;
	if (!dx_eval_amount(&task->heartbeat, env, &given, &activity->heartbeat, fault))
		return false;
	if (!given)
		activity->heartbeat = -1;
	return dx_eval_amount(&task->schedule_to_start, env, &limits->has_start,
						  &limits->start, fault) &&
		dx_eval_amount(&task->schedule_to_close, env, &limits->has_close,
					   &limits->close, fault);
}

/*
 * Hands out a task and parks the branch.  activity NULL: nobody claims it.
 * Anything but PARKED: it is not handed out.
 */
DxOutcome
dx_activity_hand_out(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env,
					 const char *activity, DxResourceKind kind, DxPhase phase,
					 Jsonb *input)
{
	const DxTask *task = &branch->state->u.task;
	DxActivity *what = palloc0(sizeof(DxActivity));
	Limits		limits;
	DxFault		fault;
	TimestampTz now = dx_now();

	Assert(branch->phase == DX_PHASE_READY);
	Assert(branch->ticketed);
	if (!read_limits(task, env, what, &limits, &fault))
		return dx_failed(&fault);
	what->close_at = limits.has_close ?
		dx_after_seconds(branch->entered_at, limits.close) : DT_NOEND;
	if (what->close_at <= now)
	{
		fault.error = pstrdup(DX_ERROR_TIMEOUT);
		fault.cause = psprintf("All attempts together took longer than ScheduleToCloseSeconds of %g.",
							   limits.close);
		return dx_gave_up(&fault);
	}
	what->start_by = limits.has_start ? dx_after_seconds(now, limits.start) : DT_NOEND;
	what->activity = activity ? pstrdup(activity) : NULL;
	what->token_only = task->wait_for_token;
	what->input = input;
	what->details = branch->details;
	branch->wait_for = pstrdup(task->target);
	dx_branch_park(run, branch, phase, DT_NOEND);
	(void) dx_handout(pass, run, branch, kind, phase, what);
	return dx_parked();
}

/* DxResource.enter: hands out the task and waits. */
static DxOutcome
activity_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	DxOutcome	outcome = dx_activity_hand_out(pass, run, branch, env,
											   branch->state->u.task.target,
											   DX_RESOURCE_ACTIVITY, DX_PHASE_ACTIVITY,
											   branch->effective);

	if (outcome.kind == DX_OUTCOME_PARKED)
		dx_event(pass, run, DX_EVENT_ACTIVITY_SCHEDULED, branch,
				 dx_payload("activity", dx_json_string(branch->wait_for),
							"task", dx_json_uuid(&branch->ticket), NULL));
	return outcome;
}

/* What the next attempt is told of this one. */
static void
keep_details(DxBranch *branch, const Jsonb *payload)
{
	Jsonb	   *details = dx_json_get_json(payload, "details");

	if (details != NULL)
		branch->details = details;
}

/*
 * A time of the task is over, or an operator has taken it away from its
 * worker.
 */
static DxOutcome
expired(DxPass *pass, DxRun *run, DxBranch *branch, const Jsonb *payload)
{
	char	   *timeout = dx_json_get_text(payload, "timeout");
	char	   *worker = dx_json_get_text(payload, "worker");
	char	   *released_by = dx_json_get_text(payload, "released_by");
	char	   *reason = dx_json_get_text(payload, "reason");
	JsonbValue	claimed;
	DxOutcome	outcome;
	DxFault		fault;

	keep_details(branch, payload);
	if (timeout == NULL)
		timeout = "timeout";
	fault.error = pstrdup(DX_ERROR_TIMEOUT);
	fault.cause = worker ?
		psprintf("The %s time of \"%s\" was over; worker \"%s\" had it.",
				 timeout, branch->wait_for, worker) :
		psprintf("The %s time of \"%s\" was over.", timeout, branch->wait_for);

	if (released_by != NULL)
		fault.cause = psprintf("Role \"%s\" took \"%s\" away from worker \"%s\"%s%s",
							   released_by, branch->wait_for, worker ? worker : "",
							   reason ? ": " : ".", reason ? reason : "");

	if (branch->state->u.task.at_most_once &&
		dx_json_get(payload, "claimed", &claimed) &&
		claimed.type == jbvBool && claimed.val.boolean)
	{
		fault.cause = psprintf("%s Whether it had its effect is not known, and the state's Delivery is at_most_once.",
							   fault.cause);
		outcome = dx_incident(&fault);
		outcome.unknown = true;
		return outcome;
	}
	if (strcmp(timeout, "schedule_to_close") == 0)
		return dx_gave_up(&fault);
	if (strcmp(timeout, "heartbeat") == 0)
		return dx_heartbeat_missed(fault.cause);
	return dx_failed(&fault);
}

/* A worker says that it has failed; retryable false: for good. */
static DxOutcome
failed(DxBranch *branch, const Jsonb *payload)
{
	DxFault		fault;
	JsonbValue	retryable;

	keep_details(branch, payload);
	fault.error = dx_json_get_text(payload, "error");
	if (fault.error == NULL)
		fault.error = pstrdup(DX_ERROR_TASK_FAILED);
	fault.cause = dx_json_get_text(payload, "cause");
	if (dx_json_get(payload, "retryable", &retryable) &&
		retryable.type == jbvBool && !retryable.val.boolean)
		return dx_gave_up(&fault);
	return dx_failed(&fault);
}

/* The run is redriven.  Waits on, or makes the next attempt. */
static DxOutcome
activity_resume(DxPass *pass, DxRun *run, DxBranch *branch)
{
	if (dx_activity_exists(&branch->ticket, branch->attempt))
		dx_branch_park(run, branch, branch->phase, DT_NOEND);
	else
		dx_branch_set_phase(branch, DX_PHASE_READY, dx_now());
	return dx_parked();
}

/*
 * DxResource.wake: takes the answer; without one, the timer is over or the
 * task has gone.
 */
static DxOutcome
activity_wake(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxMessage  *message = dx_branch_answer(pass, branch);

	Assert(branch->phase == DX_PHASE_ACTIVITY || branch->phase == DX_PHASE_TOKEN);
	if (message == NULL)
		return activity_resume(pass, run, branch);
	branch->answered = true;
	pass->result->steps++;
	if (message->kind == DX_MESSAGE_COMPLETED)
		return dx_done(message->payload ? message->payload : dx_json_null());
	if (message->kind == DX_MESSAGE_EXPIRED)
		return expired(pass, run, branch, message->payload);
	return failed(branch, message->payload);
}

/* A compensation; timeout in seconds, 0 = none. */
static bool
activity_undo(DxPass *pass, DxRun *run, DxBranch *branch, const char *target,
			  Jsonb *input, double timeout)
{
	DxActivity *what = palloc0(sizeof(DxActivity));

	Assert(branch->ticketed);
	what->activity = pstrdup(target);
	what->input = input;
	what->start_to_close = timeout > 0 ? timeout : -1;
	what->heartbeat = -1;
	what->start_by = DT_NOEND;
	what->close_at = DT_NOEND;
	(void) dx_handout(pass, run, branch, DX_RESOURCE_ACTIVITY, DX_PHASE_UNDO, what);
	return true;
}

/*
 * DxResource.await: the Task is done otherwise, and whoever has its token
 * answers.
 */
static DxOutcome
await_token(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	return dx_activity_hand_out(pass, run, branch, env, NULL,
								DX_RESOURCE_ACTIVITY, DX_PHASE_TOKEN, NULL);
}

const DxResource dx_activity_resource = {
	activity_enter, activity_wake, activity_resume, activity_undo,
	dx_activity_exists, await_token
};
