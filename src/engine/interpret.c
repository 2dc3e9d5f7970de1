/*-------------------------------------------------------------------------
 *
 * interpret.c
 *	  The interpreter: takes a branch from state to state until it is parked.
 *
 * Whoever does a state returns a DxOutcome, and apply() alone makes something
 * of it: the next attempt, the Catcher's state, the next state, the end of the
 * branch, which may be the failure of the Parallel or Map that it is a child
 * of, and so on upwards.  A branch is changed in memory only.  What a state
 * does to the outside of the run, it does through call.c (sql: steps) or by
 * parking.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "engine/budget.h"
#include "engine/careful.h"
#include "engine/context.h"
#include "engine/due.h"
#include "engine/evaluate.h"
#include "engine/gate.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/integration_io.h"
#include "engine/interpret.h"
#include "engine/join.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/payload_limit.h"
#include "engine/phase.h"
#include "engine/retry_later.h"
#include "engine/run.h"
#include "engine/signal.h"
#include "engine/step.h"
#include "engine/token.h"
#include "engine/undo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* ---------- leaving a state ---------- */

/* Can the run carry on what the branch's state gives to the next? */
static bool
within_limits(const DxBranch *branch, const Jsonb *output,
			  const Jsonb *variables, DxFault *fault)
{
	return dx_within_limits(output, branch->state->name, fault) &&
		dx_variables_within_limits(branch->variables, variables,
								   branch->state->name, fault);
}

/* To the next state, or to the end of the branch. */
static void
leave(DxPass *pass, DxRun *run, DxBranch *branch, int next, Jsonb *output,
	  Jsonb *variables)
{
	branch->variables = variables;
	if (next >= 0)
		dx_branch_goto(branch, dx_program_state(run->program, next), output);
	else if (branch->parent < 0)
		dx_run_succeed(pass, run, output);
	else
		dx_join_child_done(pass, run, branch, output);
}

/*
 * ---------- what follows from an outcome ----------
 *
 * Each of these takes one outcome of a branch, and returns the branch that
 * *outcome is of now, or NULL when all has been said.
 */

/* Catch takes it, or the branch has failed. */
static DxBranch *
try_catch(DxPass *pass, DxRun *run, DxBranch *branch, DxOutcome *outcome)
{
	const DxFault *fault = &outcome->fault;
	const DxCatcher *catcher = dx_catch_choose(branch->state, dx_error_to_match(outcome));
	DxEnv		env;
	DxFault		failure;
	Jsonb	   *output;
	Jsonb	   *variables;

	if (catcher == NULL)
	{
		outcome->kind = DX_OUTCOME_BROKEN;
		return branch;
	}
	dx_event(pass, run, DX_EVENT_STATE_CAUGHT, branch,
			 dx_payload("error", dx_json_text(fault->error),
						"cause", dx_json_text(fault->cause),
						"next", dx_json_string(run->program->names[catcher->next]), NULL));
	dx_env_init(&env, pass, run, branch);
	if (!dx_eval_catch(branch->state, catcher, &env, fault, &output, &variables,
					   &failure) ||
		!within_limits(branch, output, variables, &failure))
	{
		*outcome = dx_broken(&failure);
		return branch;
	}
	leave(pass, run, branch, catcher->next, output, variables);
	return NULL;
}

/* No Retry: it has been asked already, or would not help. */
static DxBranch *
gave_up(DxPass *pass, DxRun *run, DxBranch *branch, DxOutcome *outcome)
{
	dx_settle(pass, run, branch, DX_SETTLED_FAILED, NULL);
	if (branch->state->type == DX_STATE_TASK)
		dx_event(pass, run, DX_EVENT_STEP_FAILED, branch,
				 dx_payload("error", dx_json_text(outcome->fault.error),
							"cause", dx_json_text(outcome->fault.cause),
							NULL));
	return try_catch(pass, run, branch, outcome);
}

/*
 * A fault that no Retry and no Catch takes is the run's, or that of the Parallel
 * or Map whose child the branch is.
 */
static DxBranch *
broken(DxPass *pass, DxRun *run, DxBranch *branch, DxOutcome *outcome)
{
	const DxFault *fault = &outcome->fault;
	DxBranch   *parent;

	dx_settle(pass, run, branch, DX_SETTLED_FAILED, NULL);
	dx_event(pass, run, DX_EVENT_STATE_FAILED, branch,
			 dx_payload("error", dx_json_text(fault->error),
						"cause", dx_json_text(fault->cause),
						"input", branch->data,
						"variables", branch->variables,
						"token", branch->ticketed ?
						dx_json_string(dx_token_text(&branch->ticket, branch->attempt)) : NULL,
						NULL));
	if (branch->parent < 0)
	{
		dx_run_fail(pass, run, DX_RUN_FAILED, fault);
		return NULL;
	}
	parent = dx_join_child_failed(pass, run, branch, outcome);
	Assert(parent == NULL || outcome->kind == DX_OUTCOME_FAILED);
	return parent;
}

/* The input of a compensable step goes on record too: its undo needs it. */
static void
note_step(DxPass *pass, DxRun *run, DxBranch *branch, Jsonb *result)
{
	if (branch->state->u.task.compensable)
		dx_event(pass, run, DX_EVENT_COMPENSABLE_SUCCEEDED, branch,
				 dx_payload("input", dx_called_with(pass, run, branch),
							"output", result, NULL));
	else
		dx_event(pass, run, DX_EVENT_STEP_SUCCEEDED, branch, result);
}

/*
 * The state has a result: on to what follows.  A Task whose output cannot be
 * made has succeeded all the same: what it did is done, and can be compensated.
 */
static DxBranch *
done(DxPass *pass, DxRun *run, DxBranch *branch, DxOutcome *outcome)
{
	const DxState *state = branch->state;
	Jsonb	   *result = outcome->result;
	DxEnv		env;
	DxFault		fault;
	Jsonb	   *output;
	Jsonb	   *variables;

	if (state->type == DX_STATE_TASK)
	{
		if (state->u.task.integration != DX_INTEGRATION_NONE)
			result = dx_integration_result(pass, branch,
										   dx_called_with(pass, run, branch), result);
		note_step(pass, run, branch, result);
		dx_settle(pass, run, branch, DX_SETTLED_DONE, result);
	}
	branch->conflicts = 0;

	dx_env_init(&env, pass, run, branch);
	env.result = result;
	if (!dx_eval_exit(state, &env, result, &output, &variables, &fault) ||
		!within_limits(branch, output, variables, &fault))
	{
		fault = dx_fault_clipped(&fault);
		*outcome = dx_failed(&fault);
		return try_catch(pass, run, branch, outcome);
	}
	if (state->type != DX_STATE_TASK)
		dx_event(pass, run, DX_EVENT_STATE_SUCCEEDED, branch, NULL);
	leave(pass, run, branch, state->next, output, variables);
	return NULL;
}

/*
 * What becomes of a branch after its state has been done.  The one place where
 * an outcome is made something of.
 */
static void
apply(DxPass *pass, DxRun *run, DxBranch *branch, DxOutcome outcome)
{
	while (branch != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		Assert(!branch->gone || outcome.kind == DX_OUTCOME_PARKED);
		outcome.fault = dx_fault_clipped(&outcome.fault);
		switch (outcome.kind)
		{
			case DX_OUTCOME_DONE:
				branch = done(pass, run, branch, &outcome);
				break;
			case DX_OUTCOME_FAILED:
				branch = dx_retry_later(pass, run, branch, &outcome) ? NULL :
					gave_up(pass, run, branch, &outcome);
				break;
			case DX_OUTCOME_GAVE_UP:
				branch = gave_up(pass, run, branch, &outcome);
				break;
			case DX_OUTCOME_BROKEN:
				branch = broken(pass, run, branch, &outcome);
				break;
			case DX_OUTCOME_INCIDENT:
				if (outcome.unknown)
					dx_settle(pass, run, branch, DX_SETTLED_UNKNOWN, NULL);
				dx_run_incident(pass, run, &outcome.fault);
				return;
			case DX_OUTCOME_TIMED_OUT:
				dx_settle(pass, run, branch, DX_SETTLED_FAILED, NULL);
				dx_run_time_out(pass, run);
				return;
			case DX_OUTCOME_UNDONE:
				dx_run_end(pass, run, run->final_status);
				return;
			case DX_OUTCOME_CONTINUED:
				dx_run_succeed(pass, run, outcome.result);
				return;
			case DX_OUTCOME_ALLOWED:
				Assert(false);	/* do_task has made something of it */
				return;
			case DX_OUTCOME_PARKED:
			case DX_OUTCOME_OPENED:
				return;
		}
	}
}

/* ---------- entering a state, by type ---------- */

/* Of Pass, and of Wait and Succeed, which have no result of their own. */
static DxOutcome
pass_through(DxBranch *branch, DxEnv *env)
{
	DxFault		fault;
	Jsonb	   *effective;

	if (!dx_eval_enter(branch->state, env, &effective, &fault))
		return dx_broken(&fault);
	return dx_done(branch->state->result ? branch->state->result : effective);
}

/* Choice: goes to the state that matches. */
static DxOutcome
enter_choice(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	DxFault		fault;
	Jsonb	   *output;
	Jsonb	   *variables;
	int			next;

	if (!dx_eval_choose(branch->state, env, &next, &output, &variables, &fault) ||
		!within_limits(branch, output, variables, &fault))
		return dx_broken(&fault);
	dx_event(pass, run, DX_EVENT_STATE_SUCCEEDED, branch,
			 dx_payload("next", dx_json_string(run->program->names[next]), NULL));
	leave(pass, run, branch, next, output, variables);
	return dx_parked();
}

/* Wait: until a time, or on at once if that is over. */
static DxOutcome
enter_wait(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	DxFault		fault;
	TimestampTz until;

	if (!dx_eval_wait(branch->state, env, dx_now(), &until, &fault))
		return dx_broken(&fault);
	if (until <= dx_now())
		return pass_through(branch, env);
	dx_branch_park(run, branch, DX_PHASE_TIMER, until);
	dx_event(pass, run, DX_EVENT_WAIT_STARTED, branch,
			 dx_payload("until", dx_json_timestamp(until), NULL));
	return dx_parked();
}

/* Fail: the error is the state's. */
static DxOutcome
enter_fail(DxBranch *branch, DxEnv *env)
{
	DxFault		error = {NULL, NULL};
	DxFault		fault;

	if (!dx_eval_fail(branch->state, env, &error, &fault))
		return dx_broken(&fault);
	return dx_broken(&error);
}

/* What the Task asks for is done, or handed out. */
static DxOutcome
do_task(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	const DxTask *task = &branch->state->u.task;
	const DxResource *resource = dx_resource_of(task->kind);
	DxFault		fault;

	if (task->kind == DX_RESOURCE_SQL)
		return dx_step_run(pass, run, branch, env);
	if (task->kind == DX_RESOURCE_SIGNAL)
		return dx_signal_enter(pass, run, branch, env);
	if (task->kind == DX_RESOURCE_COMPENSATE)
	{
		dx_branch_set_phase(branch, DX_PHASE_UNDO, pass->now);
		branch->undone = 0;
		branch->attempt = 0;
		return dx_parked();
	}
	if (resource != NULL)
		return resource->enter(pass, run, branch, env);
	fault.error = pstrdup(DX_ERROR_RUNTIME);
	fault.cause = psprintf("Resource \"%s\" cannot be executed by this version.",
						   task->uri);
	return dx_failed(&fault);
}

/*
 * Task: begins an attempt.  What an effect goes out with was agreed with when
 * it was asked about first, and is not evaluated again.
 */
static DxOutcome
enter_task(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	const DxTask *task = &branch->state->u.task;
	DxFault		fault;

	branch->attempt++;
	if (dx_resource_of(task->kind) != NULL || task->wait_for_token || task->shows_token)
		dx_branch_ticket(branch);
	if (!branch->governed)
	{
		if (!dx_eval_enter(branch->state, env, &branch->effective, &fault) ||
			!dx_within_limits(branch->effective, branch->state->name, &fault))
			return dx_failed(&fault);
		branch->effective = dx_integration_input(task, branch->effective);
	}
	if (task->effect != NULL)
	{
		DxOutcome	outcome = dx_gate()->enter(pass, run, branch, env);

		if (outcome.kind != DX_OUTCOME_ALLOWED)
			return outcome;
	}
	return do_task(pass, run, branch, env);
}

/* Where a run begins: of an item of a Map, in what the Map does for it. */
static const DxState *
first_state(const DxRun *run)
{
	const DxProgram *program = run->program;
	int			machine = 0;

	if (run->map_state != NULL)
	{
		const DxState *map = dx_program_find_state(program, run->map_state);

		if (map == NULL || map->type != DX_STATE_MAP)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("run %s is an item of state \"%s\", which is no Map of its definition",
							dx_uuid_text(&run->id), run->map_state)));
		machine = map->u.map.machine;
	}
	return dx_program_state(program, program->machines[machine].start);
}

/* The branch is in a state now, in the first one if it has not begun. */
static void
arrive(DxRun *run, DxBranch *branch)
{
	if (branch->state == NULL)
		dx_branch_goto(branch, first_state(run), run->input);
	if (branch->entered_at == 0)
		branch->entered_at = dx_now();
}

/* A branch that is READY, or whose Retry has come, does its state. */
static DxOutcome
enter(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxEnv		env;

	dx_branch_set_phase(branch, DX_PHASE_READY, pass->now);
	arrive(run, branch);
	dx_env_init(&env, pass, run, branch);

	switch (branch->state->type)
	{
		case DX_STATE_TASK:
			return enter_task(pass, run, branch, &env);
		case DX_STATE_PASS:
		case DX_STATE_SUCCEED:
			return pass_through(branch, &env);
		case DX_STATE_CHOICE:
			return enter_choice(pass, run, branch, &env);
		case DX_STATE_WAIT:
			return enter_wait(pass, run, branch, &env);
		case DX_STATE_FAIL:
			return enter_fail(branch, &env);
		case DX_STATE_PARALLEL:
		case DX_STATE_MAP:
			branch->attempt++;
			return dx_join_enter(pass, run, branch, &env);
	}
	pg_unreachable();
}

/* ---------- one turn of a branch ---------- */

/* Does the sql: step that the branch has come to wait for the next pass? */
static bool
step_waits(DxPass *pass, DxRun *run, DxBranch *branch)
{
	const DxState *state = branch->state ? branch->state : first_state(run);

	return (branch->phase == DX_PHASE_READY || branch->phase == DX_PHASE_RETRY) &&
		state->type == DX_STATE_TASK && state->u.task.kind == DX_RESOURCE_SQL &&
		dx_step_waits(pass, run, branch, state->index);
}

/*
 * What the server has refused at this place is the state's error.  The pass
 * ends after it, so that what comes next can be refused, too.
 */
static DxOutcome
refused(DxPass *pass, DxRun *run, DxBranch *branch, const DxFault *fault,
		bool for_good)
{
	pass->over = true;
	if (branch->phase == DX_PHASE_UNDO)
		return dx_undo_refused(pass, run, branch, fault, for_good);
	if (branch->phase == DX_PHASE_READY || branch->phase == DX_PHASE_RETRY)
	{
		dx_branch_set_phase(branch, DX_PHASE_READY, pass->now);
		arrive(run, branch);
		if (branch->state->type == DX_STATE_TASK ||
			branch->state->type == DX_STATE_PARALLEL || branch->state->type == DX_STATE_MAP)
			branch->attempt++;
	}
	else if (DX_PHASE_IS_OUTSIDE(branch->phase) && dx_branch_answer(pass, branch) != NULL)
		branch->answered = true;

	if (for_good)
		return dx_broken(fault);
	if (branch->phase == DX_PHASE_JOIN)
		return dx_join_failed(pass, run, branch, fault);
	return dx_failed(fault);
}

/* A branch in a Wait state: its timer, or that of the run, is over. */
static DxOutcome
wait_over(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxEnv		env;

	dx_env_init(&env, pass, run, branch);
	return pass_through(branch, &env);
}

/* What is next for a branch that is due. */
static DxOutcome
advance_phase(DxPass *pass, DxRun *run, DxBranch *branch)
{
	switch (branch->phase)
	{
		case DX_PHASE_READY:
		case DX_PHASE_RETRY:
			return enter(pass, run, branch);
		case DX_PHASE_TIMER:
			return wait_over(pass, run, branch);
		case DX_PHASE_SIGNAL:
			return dx_signal_wake(pass, run, branch);
		case DX_PHASE_UNDO:
			return dx_undo_advance(pass, run, branch);
		case DX_PHASE_SLOT:
			/* dx_slot_take has parked it again */
			return dx_parked();
		case DX_PHASE_JOIN:
			return dx_join_advance(pass, run, branch);
		case DX_PHASE_ACTIVITY:
		case DX_PHASE_EVENT:
		case DX_PHASE_CHILD:
		case DX_PHASE_APPROVAL:
		case DX_PHASE_TOKEN:
			return dx_branch_wake(pass, run, branch);
	}
	pg_unreachable();
}

/* One turn.  Returns the child that it has opened, which has the next; or NULL. */
static DxBranch *
turn(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxOutcome	outcome;
	DxFault		fault;
	bool		for_good;

	if (step_waits(pass, run, branch))
		return NULL;
	run->at = branch->branch;
	run->changed = true;
	branch->changed = true;
	if (dx_too_many_events(pass, run))
		return NULL;
	outcome = dx_careful_enter(run, branch, &fault, &for_good) ?
		refused(pass, run, branch, &fault, for_good) :
		advance_phase(pass, run, branch);
	apply(pass, run, branch, outcome);
	dx_careful_leave();
	pass->progressed = true;
	return outcome.kind == DX_OUTCOME_OPENED ? outcome.child : NULL;
}

/* Has the branch another turn in this pass? */
static bool
goes_on(DxPass *pass, const DxRun *run, const DxBranch *branch)
{
	return !branch->gone && !dx_status_ended(run->status) &&
		run->status != DX_RUN_INCIDENT &&
		!dx_budget_spent(pass) && dx_branch_due(pass, run, branch);
}

/*
 * Takes a branch as far as it goes: until it is parked or done, or the budget
 * of the pass is spent.  The children that it opens go first, each as far as it
 * goes, so that a Map of many items never has more branches than wait at the
 * same time.
 */
void
dx_branch_advance(DxPass *pass, DxRun *run, DxBranch *branch)
{
	List	   *nest = list_make1(branch);

	Assert(!branch->gone && pass->running == run);
	while (nest != NIL)
	{
		DxBranch   *child;

		CHECK_FOR_INTERRUPTS();
		child = turn(pass, run, llast(nest));
		if (child != NULL)
		{
			nest = lappend(nest, child);
			continue;
		}
		while (nest != NIL && !goes_on(pass, run, llast(nest)))
		{
			DxBranch   *last = llast(nest);

			/*
			 * Nobody has to hear of a child that was born and ended in this
			 * pass.
			 */
			if (last->gone && !last->stored && list_length(nest) > 1 &&
				llast(run->branches) == last)
				run->branches = list_delete_last(run->branches);
			nest = list_delete_last(nest);
		}
	}
}
