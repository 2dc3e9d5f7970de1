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
#include "engine/children.h"
#include "engine/context.h"
#include "engine/distribute.h"
#include "engine/evaluate.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/join.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/phase.h"
#include "engine/result.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* ---------- entering ---------- */

/* What the branches of a Parallel are made from. */
static bool
enter_parallel(DxRun *run, DxBranch *branch, DxEnv *env, DxFault *fault)
{
	if (!dx_eval_enter(branch->state, env, &branch->items, fault))
		return false;
	branch->counts.total = branch->state->u.parallel.nbranches;
	branch->counts.limit = 0;
	return true;
}

/* What the items of a Map are, and how many at a time. */
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
DxOutcome
dx_join_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	DxFault		fault;
	bool		entered;

	Assert(branch->state->type == DX_STATE_PARALLEL || branch->state->type == DX_STATE_MAP);
	Assert(branch->phase == DX_PHASE_READY);
	memset(&branch->counts, 0, sizeof(branch->counts));
	entered = branch->state->type == DX_STATE_PARALLEL ?
		enter_parallel(run, branch, env, &fault) :
		enter_map(run, branch, env, &fault);
	if (!entered)
		return dx_failed(&fault);
	branch->stored_results = 0;
	if (dx_distributes(branch))
		dx_branch_new_ticket(branch);
	dx_branch_park(run, branch, DX_PHASE_JOIN, DT_NOEND);
	dx_event(pass, run, DX_EVENT_BRANCHES_STARTED, branch,
			 dx_payload("count", dx_json_int(branch->counts.total), NULL));
	return dx_parked();
}

/* ---------- children ---------- */

/* The input of a child. false: *fault is the Parallel's or Map's. */
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

/* The machine of the definition that a child runs through. */
static int
child_machine(const DxBranch *parent, int index)
{
	return parent->state->type == DX_STATE_PARALLEL ?
		parent->state->u.parallel.machines[index] : parent->state->u.map.machine;
}

/* Opens the next child, whose turn it is then; an item that is a run is handed out. */
static DxOutcome
open_child(DxPass *pass, DxRun *run, DxBranch *parent)
{
	int			index = parent->counts.opened;
	const DxMachine *machine;
	DxBranch   *child;
	DxFault		fault;
	Jsonb	   *input;

	Assert(dx_children_may_open(parent));
	if (!child_input(pass, run, parent, index, &input, &fault))
		return dx_join_failed(pass, run, parent, &fault);
	if (dx_distributes(parent))
	{
		if (!dx_item_open(pass, run, parent, index, input, &fault))
			return dx_join_failed(pass, run, parent, &fault);
		return dx_parked();
	}
	machine = &run->program->machines[child_machine(parent, index)];
	child = dx_branch_new(pass, run, parent->branch);
	child->item = index;
	dx_branch_goto(child, dx_program_state(run->program, machine->start), input);
	child->variables = parent->variables;
	parent->counts.opened++;
	return dx_opened(child);
}

/* A child branch has come to its end. */
void
dx_join_child_done(DxPass *pass, DxRun *run, DxBranch *child, Jsonb *output)
{
	DxBranch   *parent = dx_branch_find(run, child->parent);

	Assert(child->parent >= 0);
	Assert(output != NULL);
	child->gone = true;
	if (parent == NULL)
		return;
	dx_result_keep(pass, run, parent->branch, child->item, output);
	parent->counts.done++;
	parent->changed = true;
}

/*
 * Drops everything below a branch.  Branches stand in order of their numbers,
 * and a child's is greater than its parent's.
 */
static void
drop_children(DxRun *run, DxBranch *parent)
{
	Bitmapset  *dropped = bms_make_singleton(parent->branch);
	ListCell   *lc;

	dx_results_forget(run, parent);
	foreach(lc, run->branches)
	{
		DxBranch   *branch = lfirst(lc);

		if (branch->gone || branch->parent < 0 || !bms_is_member(branch->parent, dropped))
			continue;
		Assert(branch->branch > branch->parent);
		branch->gone = true;
		if (branch->phase != DX_PHASE_JOIN)
			continue;
		dropped = bms_add_member(dropped, branch->branch);
		dx_results_forget(run, branch);
	}
	bms_free(dropped);
}

/* The Parallel or Map as a whole has failed: its other children stop. */
DxOutcome
dx_join_failed(DxPass *pass, DxRun *run, DxBranch *parent, const DxFault *fault)
{
	Assert(parent->phase == DX_PHASE_JOIN);
	drop_children(run, parent);
	parent->items = NULL;
	memset(&parent->counts, 0, sizeof(parent->counts));
	dx_branch_set_phase(parent, DX_PHASE_READY, pass->now);
	return dx_failed(fault);
}

/*
 * A child branch has failed.  Returns the parent if that is its failure, and
 * what has become of it in *outcome; NULL: it is tolerated, or nobody's.
 */
DxBranch *
dx_join_child_failed(DxPass *pass, DxRun *run, DxBranch *child,
					 DxOutcome *outcome)
{
	DxBranch   *parent = dx_branch_find(run, child->parent);
	bool		heartbeat = outcome->heartbeat;
	DxFault		exceeded;

	child->gone = true;
	if (parent == NULL)
		return NULL;
	parent->counts.failed++;
	parent->changed = true;
	if (!dx_tolerates_failures(parent))
	{
		*outcome = dx_join_failed(pass, run, parent, &outcome->fault);
		outcome->heartbeat = heartbeat;
		return parent;
	}
	if (dx_tolerance_holds(parent, &exceeded))
		return NULL;
	*outcome = dx_join_failed(pass, run, parent, &exceeded);
	return parent;
}

/* ---------- joining ---------- */

/*
 * Opens the next child, if the limit of concurrency allows one, and joins when
 * all have come to their end.
 */
DxOutcome
dx_join_advance(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxFault		fault;
	Jsonb	   *results;

	Assert(branch->phase == DX_PHASE_JOIN);
	if (dx_distributes(branch) && !dx_items_ended(pass, run, branch, &fault))
		return dx_join_failed(pass, run, branch, &fault);
	while (dx_children_may_open(branch))
	{
		DxOutcome	outcome;

		CHECK_FOR_INTERRUPTS();
		/* The rest has its turn in another pass. */
		if (dx_budget_spent(pass))
			return dx_parked();
		outcome = open_child(pass, run, branch);
		if (outcome.kind != DX_OUTCOME_PARKED)
			return outcome;
	}
	if (!dx_children_can_go_on(branch))
		return dx_parked();
	results = dx_results_collect(pass, run, branch);
	branch->items = NULL;
	branch->answered = true;
	dx_branch_set_phase(branch, DX_PHASE_READY, pass->now);
	return dx_done(results);
}
