/*-------------------------------------------------------------------------
 *
 * branch.c
 *	  The interpreter: takes one branch from state to state until it is parked.
 *
 * A branch is changed in memory only.  What a state does to the outside of the
 * run, it does through call.c (sql: steps) or by parking.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "common/pg_prng.h"
#include "engine/branch.h"
#include "engine/budget.h"
#include "engine/careful.h"
#include "engine/context.h"
#include "engine/evaluate.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/integration_io.h"
#include "engine/join.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/payload_limit.h"
#include "engine/phase.h"
#include "engine/run.h"
#include "engine/signal.h"
#include "engine/step.h"
#include "engine/token.h"
#include "engine/undo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A new branch of a run; parent -1: the main one. */
DxBranch *
dx_branch_new(DxPass *pass, DxRun *run, int32 parent)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	DxBranch   *branch = palloc0(sizeof(DxBranch));

	branch->branch = ++run->last_branch;
	branch->parent = parent;
	dx_branch_set_phase(branch, DX_PHASE_READY, pass->now);
	run->branches = lappend(run->branches, branch);
	run->changed = true;
	MemoryContextSwitchTo(oldcxt);
	return branch;
}

/* The live branch of this number, or NULL. */
DxBranch *
dx_branch_find(DxRun *run, int32 number)
{
	ListCell   *lc;

	foreach(lc, run->branches)
	{
		DxBranch   *branch = lfirst(lc);

		if (branch->branch == number && !branch->gone)
			return branch;
	}
	return NULL;
}

/* ---------- leaving a state ---------- */

static void
branch_finished(DxPass *pass, DxRun *run, DxBranch *branch, Jsonb *output)
{
	if (branch->parent < 0)
		dx_run_succeed(pass, run, output);
	else
		dx_join_child_done(pass, run, branch, output);
}

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
	else
		branch_finished(pass, run, branch, output);
}

/* A fault that no Retry and no Catch takes. */
static void
branch_failed(DxPass *pass, DxRun *run, DxBranch *branch, const DxFault *whole)
{
	DxFault		clipped = dx_fault_clipped(whole);
	const DxFault *fault = &clipped;

	dx_event(pass, run, DX_EVENT_STATE_FAILED, branch,
			 dx_payload("error", dx_json_text(fault->error),
						"cause", dx_json_text(fault->cause),
						"input", branch->data,
						"variables", branch->variables,
						"token", branch->ticketed ?
						dx_json_string(dx_token_text(&branch->ticket, branch->attempt)) : NULL,
						NULL));
	if (branch->parent < 0)
		dx_run_fail(pass, run, DX_RUN_FAILED, fault);
	else
		dx_join_child_failed(pass, run, branch, fault);
}

/*
 * The name that Retry and Catch look for.  A heartbeat that did not come is
 * recorded as States.Timeout, and both names match it.
 */
static const char *
name_to_match(const DxBranch *branch, const DxFault *fault)
{
	return branch->heartbeat_missed ? DX_ERROR_HEARTBEAT : fault->error;
}

static bool
try_retry(DxPass *pass, DxRun *run, DxBranch *branch, const DxFault *fault)
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
							 name_to_match(branch, fault),
							 pg_prng_double(&pg_global_prng_state), &delay);
	if (chosen < 0)
		return false;

	branch->retries[chosen]++;
	dx_branch_park(run, branch, DX_PHASE_RETRY, dx_after_seconds(dx_now(), delay));
	dx_event(pass, run, DX_EVENT_STEP_FAILED, branch,
			 dx_payload("error", dx_json_text(fault->error),
						"cause", dx_json_text(fault->cause),
						"retry_at", dx_json_timestamp(branch->due_at), NULL));
	return true;
}

static bool
try_catch(DxPass *pass, DxRun *run, DxBranch *branch, const DxFault *fault)
{
	const DxCatcher *catcher = dx_catch_choose(branch->state, name_to_match(branch, fault));
	const DxState *next;
	DxEnv		env;
	DxFault		failure;
	Jsonb	   *output;
	Jsonb	   *variables;

	if (catcher == NULL)
		return false;
	next = dx_program_state(run->program, catcher->next);
	dx_event(pass, run, DX_EVENT_STATE_CAUGHT, branch,
			 dx_payload("error", dx_json_text(fault->error),
						"cause", dx_json_text(fault->cause),
						"next", dx_json_string(next->name), NULL));
	dx_env_init(&env, pass, run, branch);
	if (!dx_eval_catch(branch->state, catcher, &env, fault, &output, &variables,
					   &failure) ||
		!within_limits(branch, output, variables, &failure))
	{
		branch_failed(pass, run, branch, &failure);
		return true;
	}
	leave(pass, run, branch, catcher->next, output, variables);
	return true;
}

/*
 * The attempt at the branch's state failed: Retry, then Catch, then the end of
 * the branch.
 */
void
dx_branch_step_failed(DxPass *pass, DxRun *run, DxBranch *branch,
					  const DxFault *fault)
{
	DxFault		clipped = dx_fault_clipped(fault);

	if (!try_retry(pass, run, branch, &clipped))
		dx_branch_gave_up(pass, run, branch, &clipped);
	branch->heartbeat_missed = false;
}

/* The same for an attempt whose heartbeat did not come in time. */
void
dx_branch_heartbeat_missed(DxPass *pass, DxRun *run, DxBranch *branch, char *cause)
{
	DxFault		fault = {pstrdup(DX_ERROR_TIMEOUT), cause};

	branch->heartbeat_missed = true;
	dx_branch_step_failed(pass, run, branch, &fault);
}

/* The same, but without Retry: another attempt can't help. */
void
dx_branch_gave_up(DxPass *pass, DxRun *run, DxBranch *branch,
				  const DxFault *whole)
{
	DxFault		clipped = dx_fault_clipped(whole);
	const DxFault *fault = &clipped;

	if (branch->state->type == DX_STATE_TASK)
		dx_event(pass, run, DX_EVENT_STEP_FAILED, branch,
				 dx_payload("error", dx_json_text(fault->error),
							"cause", dx_json_text(fault->cause),
							NULL));
	if (try_catch(pass, run, branch, fault))
		return;
	branch_failed(pass, run, branch, fault);
}

/* What the branch's Task was called with; evaluated anew after a wait. */
Jsonb *
dx_branch_called_with(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxFault		fault;

	if (branch->effective == NULL)
	{
		DxEnv		env;

		dx_env_init(&env, pass, run, branch);
		if (!dx_eval_enter(branch->state, &env, &branch->effective, &fault))
			branch->effective = branch->data;
		branch->effective = dx_integration_input(&branch->state->u.task, branch->effective);
	}
	return branch->effective;
}

/* The input of a compensable step goes on record too: its undo needs it. */
static void
note_step(DxPass *pass, DxRun *run, DxBranch *branch, Jsonb *result)
{
	if (branch->state->u.task.compensable)
		dx_event(pass, run, DX_EVENT_COMPENSABLE_SUCCEEDED, branch,
				 dx_payload("input", dx_branch_called_with(pass, run, branch),
							"output", result, NULL));
	else
		dx_event(pass, run, DX_EVENT_STEP_SUCCEEDED, branch, result);
}

/*
 * The branch's state has this result: on to what follows.  A Task whose output
 * can't be made has succeeded all the same: what it did is done, and can be
 * compensated.
 */
void
dx_branch_step_done(DxPass *pass, DxRun *run, DxBranch *branch, Jsonb *result)
{
	const DxState *state = branch->state;
	DxEnv		env;
	DxFault		fault;
	Jsonb	   *output;
	Jsonb	   *variables;

	if (state->type == DX_STATE_TASK)
	{
		if (state->u.task.integration != DX_INTEGRATION_NONE)
			result = dx_integration_result(pass, branch,
										   dx_branch_called_with(pass, run, branch),
										   result);
		note_step(pass, run, branch, result);
	}
	branch->conflicts = 0;

	dx_env_init(&env, pass, run, branch);
	env.result = result;
	if (dx_eval_exit(state, &env, result, &output, &variables, &fault) &&
		within_limits(branch, output, variables, &fault))
	{
		if (state->type != DX_STATE_TASK)
			dx_event(pass, run, DX_EVENT_STATE_SUCCEEDED, branch, NULL);
		leave(pass, run, branch, state->next, output, variables);
	}
	else
	{
		fault = dx_fault_clipped(&fault);
		if (!try_catch(pass, run, branch, &fault))
			branch_failed(pass, run, branch, &fault);
	}
}

/* ---------- entering a state, by type ---------- */

static void
do_pass(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	DxFault		fault;
	Jsonb	   *effective;

	if (!dx_eval_enter(branch->state, env, &effective, &fault))
		branch_failed(pass, run, branch, &fault);
	else
		dx_branch_step_done(pass, run, branch,
							branch->state->result ? branch->state->result : effective);
}

static void
do_choice(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	DxFault		fault;
	Jsonb	   *output;
	Jsonb	   *variables;
	int			next;

	if (!dx_eval_choose(branch->state, env, &next, &output, &variables, &fault) ||
		!within_limits(branch, output, variables, &fault))
	{
		branch_failed(pass, run, branch, &fault);
		return;
	}
	dx_event(pass, run, DX_EVENT_STATE_SUCCEEDED, branch,
			 dx_payload("next", dx_json_string(run->program->names[next]), NULL));
	leave(pass, run, branch, next, output, variables);
}

/* The output of Wait and Succeed, which have no result of their own. */
static void
pass_through(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxEnv		env;
	DxFault		fault;
	Jsonb	   *effective;

	dx_env_init(&env, pass, run, branch);
	if (!dx_eval_enter(branch->state, &env, &effective, &fault))
		branch_failed(pass, run, branch, &fault);
	else
		dx_branch_step_done(pass, run, branch, effective);
}

static void
do_wait(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	DxFault		fault;
	TimestampTz until;

	if (!dx_eval_wait(branch->state, env, dx_now(), &until, &fault))
	{
		branch_failed(pass, run, branch, &fault);
		return;
	}
	if (until <= dx_now())
	{
		pass_through(pass, run, branch);
		return;
	}
	dx_branch_park(run, branch, DX_PHASE_TIMER, until);
	dx_event(pass, run, DX_EVENT_WAIT_STARTED, branch,
			 dx_payload("until", dx_json_timestamp(until), NULL));
}

static void
do_fail(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	DxFault		error = {NULL, NULL};
	DxFault		fault;

	if (dx_eval_fail(branch->state, env, &error, &fault))
		branch_failed(pass, run, branch, &error);
	else
		branch_failed(pass, run, branch, &fault);
}

/* ---------- Task ---------- */

static void
do_task(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	const DxTask *task = &branch->state->u.task;
	const DxResource *resource = dx_resource_of(task->kind);
	DxFault		fault;

	branch->attempt++;
	if (resource != NULL || task->wait_for_token || task->shows_token)
		dx_branch_ticket(branch);
	if (!dx_eval_enter(branch->state, env, &branch->effective, &fault) ||
		!dx_within_limits(branch->effective, branch->state->name, &fault))
	{
		dx_branch_step_failed(pass, run, branch, &fault);
		return;
	}
	branch->effective = dx_integration_input(task, branch->effective);
	switch (task->kind)
	{
		case DX_RESOURCE_SQL:
			dx_step_run(pass, run, branch, env);
			break;
		case DX_RESOURCE_SIGNAL:
			dx_signal_enter(pass, run, branch, env);
			break;
		case DX_RESOURCE_COMPENSATE:
			dx_branch_set_phase(branch, DX_PHASE_UNDO, pass->now);
			branch->item = 0;
			branch->attempt = 0;
			break;
		default:
			if (resource != NULL)
			{
				resource->enter(pass, run, branch, env);
				break;
			}
			fault.error = pstrdup(DX_ERROR_RUNTIME);
			fault.cause = psprintf("Resource \"%s\" can't be executed by this version.",
								   task->uri);
			dx_branch_step_failed(pass, run, branch, &fault);
	}
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

static void
arrive(DxRun *run, DxBranch *branch)
{
	if (branch->state == NULL)
		dx_branch_goto(branch, first_state(run), run->input);
	if (branch->entered_at == 0)
		branch->entered_at = dx_now();
}

static void
enter(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxEnv		env;

	arrive(run, branch);
	dx_env_init(&env, pass, run, branch);

	switch (branch->state->type)
	{
		case DX_STATE_TASK:
			do_task(pass, run, branch, &env);
			break;
		case DX_STATE_PASS:
			do_pass(pass, run, branch, &env);
			break;
		case DX_STATE_CHOICE:
			do_choice(pass, run, branch, &env);
			break;
		case DX_STATE_WAIT:
			do_wait(pass, run, branch, &env);
			break;
		case DX_STATE_SUCCEED:
			pass_through(pass, run, branch);
			break;
		case DX_STATE_FAIL:
			do_fail(pass, run, branch, &env);
			break;
		case DX_STATE_PARALLEL:
		case DX_STATE_MAP:
			branch->attempt++;
			dx_join_enter(pass, run, branch, &env);
			break;
	}
}

/* Is there something to do for this branch at the moment? */
bool
dx_branch_due(const DxPass *pass, const DxRun *run, const DxBranch *branch)
{
	if (branch->apart || branch->suspended)
		return false;
	switch (branch->phase)
	{
		case DX_PHASE_READY:
			return true;
		case DX_PHASE_RETRY:
		case DX_PHASE_TIMER:
			return branch->due_at <= pass->now;
		case DX_PHASE_UNDO:
			return dx_branch_answered(branch) || branch->due_at <= pass->now;
		case DX_PHASE_SIGNAL:
			return branch->due_at <= pass->now ||
				dx_signal_here(run, branch);
		case DX_PHASE_JOIN:
			return dx_join_due(branch);
		case DX_PHASE_SLOT:
			/* Once a pass: whoever wakes it may know of a free slot. */
			return !branch->changed;
		case DX_PHASE_ACTIVITY:
		case DX_PHASE_EVENT:
		case DX_PHASE_CHILD:
		case DX_PHASE_APPROVAL:
		case DX_PHASE_TOKEN:
			return dx_branch_answered(branch) || branch->due_at <= pass->now;
	}
	return false;
}

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
static void
put_error(DxPass *pass, DxRun *run, DxBranch *branch, const DxFault *fault,
		  bool for_good)
{
	pass->over = true;
	if (branch->phase == DX_PHASE_UNDO)
	{
		dx_undo_refused(pass, run, branch, fault, for_good);
		return;
	}
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
		branch_failed(pass, run, branch, fault);
	else if (branch->phase == DX_PHASE_JOIN)
		dx_join_failed(pass, run, branch, fault);
	else
		dx_branch_step_failed(pass, run, branch, fault);
}

/* One turn of a branch that is due. */
static void
advance_phase(DxPass *pass, DxRun *run, DxBranch *branch)
{
	switch (branch->phase)
	{
		case DX_PHASE_READY:
		case DX_PHASE_RETRY:
			dx_branch_set_phase(branch, DX_PHASE_READY, pass->now);
			enter(pass, run, branch);
			break;
		case DX_PHASE_TIMER:
			pass_through(pass, run, branch);
			break;
		case DX_PHASE_SIGNAL:
			dx_signal_wake(pass, run, branch);
			break;
		case DX_PHASE_UNDO:
			dx_undo_advance(pass, run, branch);
			break;
		case DX_PHASE_SLOT:
			/* dx_slot_take has parked it again */
			return;
		case DX_PHASE_JOIN:
			dx_join_advance(pass, run, branch);
			break;
		case DX_PHASE_ACTIVITY:
		case DX_PHASE_EVENT:
		case DX_PHASE_CHILD:
		case DX_PHASE_APPROVAL:
		case DX_PHASE_TOKEN:
			dx_branch_wake(pass, run, branch);
			break;
	}
}

/*
 * Takes a branch as far as it goes: until it is parked or done, or the budget
 * of the pass is spent.
 */
void
dx_branch_advance(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxFault		fault;
	bool		for_good;

	do
	{
		CHECK_FOR_INTERRUPTS();
		if (step_waits(pass, run, branch))
			return;
		run->at = branch->branch;
		run->changed = true;
		branch->changed = true;
		if (dx_too_many_events(pass, run))
			return;
		if (dx_careful_enter(run, branch, &fault, &for_good))
			put_error(pass, run, branch, &fault, for_good);
		else
			advance_phase(pass, run, branch);
		dx_careful_leave();
		pass->progressed = true;
	} while (!branch->gone && !dx_status_ended(run->status) &&
			 run->status != DX_RUN_INCIDENT &&
			 !dx_budget_spent(pass) && dx_branch_due(pass, run, branch));
}
