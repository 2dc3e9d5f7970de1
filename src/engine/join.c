/*-------------------------------------------------------------------------
 *
 * join.c
 *	  Parallel and Map: child branches are opened, run and joined.
 *
 * The parent stands in phase JOIN.  What its children are made from is kept
 * with it (items: the array of a Map, the effective input of a Parallel), so
 * that an expression is evaluated once; how far it is, in four counts.  A
 * child that ends leaves a result and nothing else: a Map of many items never
 * has more branches than wait at the same time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "engine/branch.h"
#include "engine/budget.h"
#include "engine/context.h"
#include "engine/distribute.h"
#include "engine/evaluate.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/join.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/phase.h"
#include "engine/result.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

static int
live_children(const DxBranch *branch)
{
	return branch->counts.opened - branch->counts.done - branch->counts.failed;
}

static bool
may_open(const DxBranch *branch)
{
	return branch->counts.opened < branch->counts.total &&
		(branch->counts.limit <= 0 || live_children(branch) < branch->counts.limit);
}

/* Is there a child to open, or have all come to their end? */
bool
dx_join_can_go_on(const DxBranch *branch)
{
	return may_open(branch) ||
		(branch->counts.opened == branch->counts.total && live_children(branch) == 0);
}

/* The same, or have items that are runs sent their outcomes? */
bool
dx_join_due(const DxBranch *branch)
{
	return dx_branch_answered(branch) || dx_join_can_go_on(branch);
}

/* ---------- entering ---------- */

static bool
enter_parallel(DxRun *run, DxBranch *branch, DxEnv *env, DxFault *fault)
{
	if (!dx_eval_enter(branch->state, env, &branch->items, fault))
		return false;
	branch->counts.total = branch->state->u.parallel.nbranches;
	branch->counts.limit = 0;
	return true;
}

static bool
enter_map(DxRun *run, DxBranch *branch, DxEnv *env, DxFault *fault)
{
	const DxMap *map = &branch->state->u.map;
	bool		given;
	double		limit = 0;

	if (!dx_eval_items(branch->state, env, &branch->items, fault) ||
		!dx_eval_amount(&map->max_concurrency, env, &given, &limit, fault))
		return false;
	if (map->batched && dx_distributes(branch) &&
		!dx_eval_batches(branch->state, env, branch->items, &branch->items, fault))
		return false;
	branch->counts.total = JsonContainerSize(&branch->items->root);
	branch->counts.limit = given ? (int) Min(limit, PG_INT32_MAX) : 0;
	return dx_tolerance_check(branch, env, fault);
}

/* A branch has come to a Parallel or Map state. */
void
dx_join_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	DxFault		fault;
	bool		entered;

	memset(&branch->counts, 0, sizeof(branch->counts));
	entered = branch->state->type == DX_STATE_PARALLEL ?
		enter_parallel(run, branch, env, &fault) :
		enter_map(run, branch, env, &fault);
	if (!entered)
	{
		dx_branch_step_failed(pass, run, branch, &fault);
		return;
	}
	branch->stored_results = 0;
	branch->data_changed = true;
	if (dx_distributes(branch))
		dx_branch_new_ticket(branch);
	dx_branch_park(run, branch, DX_PHASE_JOIN, DT_NOEND);
	dx_event(pass, run, DX_EVENT_BRANCHES_STARTED, branch,
			 dx_payload("count", dx_json_int(branch->counts.total), NULL));
}

/* ---------- children ---------- */

static bool
child_input(DxPass *pass, DxRun *run, DxBranch *parent, int index, Jsonb **input, DxFault *fault)
{
	DxEnv		env;
	JsonbValue *item;

	if (parent->state->type == DX_STATE_PARALLEL)
	{
		*input = parent->items;
		return true;
	}
	item = getIthJsonbValueFromContainer(&parent->items->root, index);
	if (parent->state->u.map.batched && dx_distributes(parent))
	{
		*input = dx_json_from_value(item);
		return true;
	}
	dx_env_init(&env, pass, run, parent);
	return dx_eval_item_input(parent->state, &env, index, dx_json_from_value(item),
							  input, fault);
}

static int
child_machine(const DxBranch *parent, int index)
{
	return parent->state->type == DX_STATE_PARALLEL ?
		parent->state->u.parallel.machines[index] : parent->state->u.map.machine;
}

static void
open_child(DxPass *pass, DxRun *run, DxBranch *parent)
{
	int			index = parent->counts.opened;
	const DxMachine *machine;
	DxBranch   *child;
	DxFault		fault;
	Jsonb	   *input;

	if (!child_input(pass, run, parent, index, &input, &fault))
	{
		dx_join_failed(pass, run, parent, &fault);
		return;
	}
	if (dx_distributes(parent))
	{
		dx_item_open(pass, run, parent, index, input);
		return;
	}
	machine = &run->program->machines[child_machine(parent, index)];
	child = dx_branch_new(pass, run, parent->branch);
	child->item = index;
	dx_branch_goto(child, dx_program_state(run->program, machine->start), input);
	child->variables = parent->variables;
	parent->counts.opened++;
	dx_branch_advance(pass, run, child);

	/* Nobody has to hear of a child that was born and ended in this pass. */
	if (child->gone && !child->stored && llast(run->branches) == child)
		run->branches = list_delete_last(run->branches);
}

/* A child branch has come to its end. */
void
dx_join_child_done(DxPass *pass, DxRun *run, DxBranch *child, Jsonb *output)
{
	DxBranch   *parent = dx_branch_find(run, child->parent);

	child->gone = true;
	if (parent == NULL)
		return;
	dx_result_keep(pass, run, parent->branch, child->item, output);
	parent->counts.done++;
	parent->changed = true;
}

/* Drops everything below a branch. */
static void
drop_children(DxRun *run, DxBranch *parent)
{
	ListCell   *lc;

	check_stack_depth();
	foreach(lc, run->branches)
	{
		DxBranch   *branch = lfirst(lc);

		if (branch->parent != parent->branch || branch->gone)
			continue;
		branch->gone = true;
		if (branch->phase == DX_PHASE_JOIN)
			drop_children(run, branch);
	}
	dx_results_forget(run, parent);
}

/* The Parallel or Map as a whole has failed: its other children stop. */
void
dx_join_failed(DxPass *pass, DxRun *run, DxBranch *parent, const DxFault *fault)
{
	drop_children(run, parent);
	parent->items = NULL;
	parent->data_changed = true;
	memset(&parent->counts, 0, sizeof(parent->counts));
	dx_branch_set_phase(parent, DX_PHASE_READY, pass->now);
	dx_branch_step_failed(pass, run, parent, fault);
}

/* A child branch has failed: that is the parent's failure, if not tolerated. */
void
dx_join_child_failed(DxPass *pass, DxRun *run, DxBranch *child,
					 const DxFault *fault)
{
	DxBranch   *parent = dx_branch_find(run, child->parent);
	DxFault		exceeded;

	child->gone = true;
	if (parent == NULL)
		return;
	parent->counts.failed++;
	parent->changed = true;
	parent->heartbeat_missed = child->heartbeat_missed && !dx_tolerates_failures(parent);
	if (!dx_tolerates_failures(parent))
		dx_join_failed(pass, run, parent, fault);
	else if (!dx_tolerance_holds(parent, &exceeded))
		dx_join_failed(pass, run, parent, &exceeded);
}

/* ---------- joining ---------- */

/*
 * Opens children until the limit of concurrency, and joins when all have come
 * to their end.
 */
void
dx_join_advance(DxPass *pass, DxRun *run, DxBranch *branch)
{
	const DxState *state = branch->state;

	check_stack_depth();
	if (dx_distributes(branch) && !dx_items_ended(pass, run, branch))
		return;
	while (!branch->gone && branch->phase == DX_PHASE_JOIN &&
		   branch->state == state && may_open(branch))
	{
		CHECK_FOR_INTERRUPTS();
		/* The rest has its turn in another pass. */
		if (dx_budget_spent(pass))
			return;
		open_child(pass, run, branch);
		if (dx_status_ended(run->status) || run->status != DX_RUN_RUNNING)
			return;
	}
	if (branch->gone || branch->phase != DX_PHASE_JOIN || branch->state != state)
		return;
	if (dx_join_can_go_on(branch))
	{
		Jsonb	   *results = dx_results_collect(pass, run, branch);

		branch->items = NULL;
		branch->data_changed = true;
		branch->answered = true;
		dx_branch_set_phase(branch, DX_PHASE_READY, pass->now);
		dx_branch_step_done(pass, run, branch, results);
	}
}
