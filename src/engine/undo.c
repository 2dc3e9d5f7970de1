/*-------------------------------------------------------------------------
 *
 * undo.c
 *	  Compensation: completed steps are undone in reverse order of completion.
 *
 * The history is the list of what has to be undone: the compensable steps that
 * succeeded after run->undone_to, latest first, whatever branch they were in.
 * The branch that undoes keeps its place as the sequence number of the step
 * undone last (undone), so that it goes on there after a crash.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "base/clock.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "engine/budget.h"
#include "engine/call.h"
#include "engine/context.h"
#include "engine/evaluate.h"
#include "engine/guard.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/phase.h"
#include "engine/pin.h"
#include "engine/step.h"
#include "engine/store_write.h"
#include "engine/undo.h"
#include "executor/spi.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* A completed step that is to be undone. */
typedef struct Completed
{
	int32		seq;
	const DxState *state;
	Jsonb	   *payload;		/* {"input","output"} */
} Completed;

static DxStatement completed_statement = {
	"SELECT seq, state, payload FROM dealix.history_event"
	" WHERE run_id = $1 AND seq < $2 AND seq > $3 AND kind = $4"
	" ORDER BY seq DESC LIMIT 1",
	4, {UUIDOID, INT4OID, INT4OID, INT2OID}
};

/* The latest step that is not undone yet. false: there is none. */
static bool
next_completed(DxPass *pass, DxRun *run, const DxBranch *branch,
			   Completed *completed)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	DxIdentity	saved;
	Datum		values[4];
	bool		isnull;
	bool		found;

	if (!run->program->has_compensation)
		return false;
	values[0] = UUIDPGetDatum(&run->id);
	values[1] = Int32GetDatum(branch->undone > 0 ? branch->undone : PG_INT32_MAX);
	values[2] = Int32GetDatum(run->undone_to);
	values[3] = Int16GetDatum(DX_EVENT_COMPENSABLE_SUCCEEDED);

	dx_engine_enter(&saved);
	dx_store_history(pass);
	(void) dx_execute(&completed_statement, values, NULL, false, 1);
	dx_engine_leave(&saved);

	found = SPI_processed > 0;
	if (found)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		MemoryContextSwitchTo(pass->cxt);
		completed->seq = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &isnull));
		completed->state = dx_program_find_state(run->program,
												 SPI_getvalue(tuple, desc, 2));
		completed->payload = DatumGetJsonbPCopy(SPI_getbinval(tuple, desc, 3, &isnull));
		MemoryContextSwitchTo(oldcxt);
	}
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/* The undo's input: the template over {"input","output","error"}, or that. */
static bool
undo_input(DxPass *pass, DxRun *run, DxBranch *branch, const Completed *completed,
		   Jsonb **input, DxFault *fault)
{
	const DxTask *task = &completed->state->u.task;
	DxEnv		env;
	Jsonb	   *error = NULL;

	if (run->error != NULL || run->cause != NULL)
		error = dx_payload("Error", dx_json_text(run->error),
						   "Cause", dx_json_text(run->cause), NULL);
	*input = dx_payload("input", dx_json_get_json(completed->payload, "input"),
						"output", dx_json_get_json(completed->payload, "output"),
						"error", error ? error : dx_json_null(), NULL);
	if (task->undo_parameters == NULL)
		return true;

	dx_env_init(&env, pass, run, branch);
	env.input = *input;
	env.state_input = *input;
	return dx_eval_template(task->undo_parameters, &env, input, fault);
}

/* The Retry of the compensation. false: it does not take the fault. */
static bool
try_retry(DxPass *pass, DxRun *run, DxBranch *branch, DxBranch *shown,
		  const DxFault *fault)
{
	const DxTask *task = &shown->state->u.task;
	double		delay;
	int			chosen;

	if (branch->nretries != task->nundo_retriers)
	{
		branch->retries = palloc0(sizeof(int32) * Max(task->nundo_retriers, 1));
		branch->nretries = task->nundo_retriers;
	}
	chosen = dx_retry_choose(task->nundo_retriers, task->undo_retriers,
							 branch->retries, fault->error,
							 pg_prng_double(&pg_global_prng_state), &delay);
	dx_event(pass, run, DX_EVENT_COMPENSATION_FAILED, shown,
			 dx_payload("error", dx_json_text(fault->error),
						"cause", dx_json_text(fault->cause), NULL));
	if (chosen < 0)
		return false;
	branch->retries[chosen]++;
	dx_branch_park(run, branch, DX_PHASE_UNDO, dx_after_seconds(dx_now(), delay));
	return true;
}

/* The compensation's Retry, or a person has to look. */
static DxOutcome
retry_or_stop(DxPass *pass, DxRun *run, DxBranch *branch, DxBranch *shown,
			  const DxFault *fault)
{
	if (try_retry(pass, run, branch, shown, fault))
		return dx_parked();
	return dx_incident(fault);
}

/* What an answer from outside says. */
static DxCallOutcome
read_answer(DxBranch *branch, const DxMessage *message, Jsonb **result, DxFault *fault)
{
	branch->answered = true;
	branch->wait_for = NULL;
	if (message->kind == DX_MESSAGE_CHILD)
	{
		char	   *status = dx_json_get_text(message->payload, "status");

		*result = dx_json_get_json(message->payload, "output");
		if (status != NULL && strcmp(status, "SUCCEEDED") == 0)
			return DX_CALL_DONE;
	}
	else if (message->kind == DX_MESSAGE_COMPLETED)
	{
		*result = message->payload ? message->payload : dx_json_null();
		return DX_CALL_DONE;
	}
	if (message->kind == DX_MESSAGE_EXPIRED)
	{
		fault->error = pstrdup(DX_ERROR_TIMEOUT);
		fault->cause = pstrdup("The compensation was not done in time.");
		return DX_CALL_FAULT;
	}
	fault->error = dx_json_get_text(message->payload, "error");
	fault->cause = dx_json_get_text(message->payload, "cause");
	if (fault->error == NULL)
		fault->error = pstrdup(DX_ERROR_TASK_FAILED);
	return DX_CALL_FAULT;
}

/*
 * Does an outside resource have the compensation, or has it answered?
 * *outcome is set when it has.
 */
static bool
outside_has_it(DxPass *pass, DxRun *run, DxBranch *branch, const Completed *completed,
			   DxCallOutcome *outcome, Jsonb **result, DxFault *fault)
{
	const DxResource *resource = dx_resource_of(completed->state->u.task.undo_kind);
	DxMessage  *message = dx_branch_answer(pass, branch);

	if (message != NULL)
	{
		*outcome = read_answer(branch, message, result, fault);
		return true;
	}
	if (resource == NULL || branch->wait_for == NULL ||
		!resource->awaited(&branch->ticket, branch->attempt))
		return false;
	dx_branch_park(run, branch, DX_PHASE_UNDO, DT_NOEND);
	*outcome = DX_CALL_WAITS;
	return true;
}

/* Begins an attempt at the compensation. */
static DxCallOutcome
call_undo(DxPass *pass, DxRun *run, DxBranch *branch,
		  const Completed *completed, Jsonb **result, DxFault *fault)
{
	const DxTask *task = &completed->state->u.task;
	DxEnv		env;
	Jsonb	   *input;
	bool		limited;
	double		timeout = 0;

	dx_env_init(&env, pass, run, branch);
	env.state = NULL;
	if (!undo_input(pass, run, branch, completed, &input, fault) ||
		!dx_eval_amount(&task->undo_timeout, &env, &limited, &timeout, fault))
		return DX_CALL_FAULT;
	pass->result->steps++;

	/* An index of its own: the undo is another function than the step. */
	if (task->undo_kind == DX_RESOURCE_SQL)
		return dx_call_sql(pass, run, -1 - completed->state->index,
						   task->undo_target, input, limited ? timeout : 0,
						   result, fault);
	if (task->undo_kind == DX_RESOURCE_WORKFLOW &&
		!dx_child_allowed(run, task->undo_target, fault))
		return DX_CALL_FAULT;
	dx_branch_ticket(branch);
	*result = dx_json_null();
	if (!dx_resource_of(task->undo_kind)->undo(pass, run, branch, task->undo_target,
											   input, limited ? timeout : 0))
		return DX_CALL_DONE;
	branch->wait_for = pstrdup(task->undo_target);
	dx_branch_park(run, branch, DX_PHASE_UNDO, DT_NOEND);
	return DX_CALL_WAITS;
}

/* One attempt at undoing a step, or its answer from outside. */
static DxOutcome
undo_one(DxPass *pass, DxRun *run, DxBranch *branch, const Completed *completed)
{
	DxBranch	shown = *branch;
	DxFault		fault = {NULL, NULL};
	Jsonb	   *result = NULL;
	DxCallOutcome outcome;

	shown.state = completed->state;
	if (!outside_has_it(pass, run, branch, completed, &outcome, &result, &fault))
	{
		branch->attempt++;
		outcome = call_undo(pass, run, branch, completed, &result, &fault);
	}
	shown.attempt = branch->attempt;
	switch (outcome)
	{
		case DX_CALL_WAITS:
			return dx_parked();
		case DX_CALL_DONE:
			dx_event(pass, run, DX_EVENT_STEP_COMPENSATED, &shown,
					 dx_payload("output", result, NULL));
			branch->undone = completed->seq;
			branch->attempt = 0;
			branch->conflicts = 0;
			branch->retries = NULL;
			branch->nretries = 0;
			branch->ticketed = false;
			branch->wait_for = NULL;
			dx_branch_set_phase(branch, DX_PHASE_UNDO, pass->now);
			return dx_parked();
		case DX_CALL_CONFLICT:
			pass->over = true;
			branch->attempt--;
			if (++branch->conflicts <= DX_MAX_CONFLICTS)
			{
				dx_branch_park(run, branch, DX_PHASE_UNDO,
							   dx_conflict_retry_at(branch->conflicts));
				return dx_parked();
			}
			branch->attempt++;
			/* FALLTHROUGH */
		case DX_CALL_FAULT:
		case DX_CALL_TIMEOUT:
			return retry_or_stop(pass, run, branch, &shown, &fault);
	}
	pg_unreachable();
}

/* Before the first attempt: the history says that compensation begins. */
static void
note_started(DxPass *pass, DxRun *run, const DxBranch *branch)
{
	if (branch->undone == 0 && branch->attempt == 0 && branch->conflicts == 0)
		dx_event(pass, run, DX_EVENT_COMPENSATION_STARTED, NULL,
				 dx_payload("error", dx_json_text(run->error),
							"cause", dx_json_text(run->cause), NULL));
}

/*
 * What the server has refused in the next compensation is its failure, as if it
 * had failed itself; for_good: its Retry does not help.
 */
DxOutcome
dx_undo_refused(DxPass *pass, DxRun *run, DxBranch *branch, const DxFault *fault,
				bool for_good)
{
	DxBranch	shown = *branch;
	Completed	completed;

	Assert(branch->phase == DX_PHASE_UNDO);
	if (dx_branch_answer(pass, branch) != NULL)
	{
		branch->answered = true;
		branch->wait_for = NULL;
	}
	if (for_good || !next_completed(pass, run, branch, &completed))
		return dx_incident(fault);
	note_started(pass, run, branch);
	branch->attempt++;
	shown.state = completed.state;
	shown.attempt = branch->attempt;
	return retry_or_stop(pass, run, branch, &shown, fault);
}

/*
 * Nothing is left to undo: the run ends, or the compensate: state has
 * succeeded.
 */
static DxOutcome
undo_finished(DxRun *run, DxBranch *branch)
{
	run->undone_to = run->seq;
	branch->undone = 0;
	if (run->status != DX_RUN_COMPENSATING)
		return dx_done(branch->effective ? branch->effective : branch->data);
	return dx_outcome(DX_OUTCOME_UNDONE);
}

/*
 * Undoes the latest step that is not undone yet; when there is none the run
 * ends, or the compensate: state that asked for it does.
 */
DxOutcome
dx_undo_advance(DxPass *pass, DxRun *run, DxBranch *branch)
{
	Completed	completed;

	Assert(branch->phase == DX_PHASE_UNDO);
	if (!next_completed(pass, run, branch, &completed))
		return undo_finished(run, branch);
	if (completed.state->u.task.undo_kind == DX_RESOURCE_SQL &&
		dx_step_waits(pass, run, branch, -1 - completed.state->index))
		return dx_parked();
	note_started(pass, run, branch);
	return undo_one(pass, run, branch, &completed);
}
