/*-------------------------------------------------------------------------
 *
 * turn.c
 *	  Whose turn it is: a run of a limited workflow goes on only with a slot.
 *
 * A run takes a slot when it begins and gives it back when it ends, when it
 * becomes an incident, and while it waits for runs that it has started: those
 * may need a slot of the same workflow, or wait for somebody who does.  To go
 * on it takes one again.  So nobody who waits for a run keeps a slot, and
 * every slot comes back when who has it ends.  A run that compensates has its
 * turn without asking: undoing must not wait for who is to be undone.
 *
 * A run that has not begun waits for its slot in its main branch.  One in the
 * midst of its work cannot: its branches keep what they wait for, and one more
 * with the number DX_TURN_BRANCH stands in the queue for all of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/children.h"
#include "engine/columns.h"
#include "engine/due.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/phase.h"
#include "engine/queue.h"
#include "engine/turn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

static DxStatement limited_statement = {
	"SELECT workflow_id, per_owner FROM dealix.workflow"
	" WHERE workflow_id = ANY ($1) AND max_concurrency IS NOT NULL",
	1, {INT4ARRAYOID}
};

static DxStatement holds_statement = {
	"SELECT run_id FROM dealix.workflow_slot WHERE run_id = ANY ($1)",
	1, {UUIDARRAYOID}
};

/* What stands in the queue for the run, if it does; NULL: it does not. */
static DxBranch *
queued(const DxRun *run)
{
	DxBranch   *first = run->branches == NIL ? NULL : linitial(run->branches);

	return first != NULL && first->phase == DX_PHASE_SLOT && !first->gone ? first : NULL;
}

/* The set of slots that the run takes one of, if its workflow is limited. */
DxSlotSet
dx_slot_set(const DxRun *run)
{
	DxSlotSet	set = {run->workflow_id, run->slot_owner};

	return set;
}

/* The run of this id among those of a pass, or NULL. */
DxRun *
dx_run_find(List *runs, const pg_uuid_t *run_id)
{
	ListCell   *lc;

	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		if (memcmp(&run->id, run_id, UUID_LEN) == 0)
			return run;
	}
	return NULL;
}

/* Notes which of these runs have a slot already. */
static void
mark_holders(List *runs)
{
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * list_length(runs));
	Datum		values[1];
	ListCell   *lc;
	int			n = 0;

	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		/* Who comes for the first time has none. */
		if (run->limited && (run->started_at != 0 || queued(run) != NULL))
			ids[n++] = run->id;
	}
	if (n == 0)
		return;
	values[0] = dx_uuid_array(ids, n);
	(void) dx_execute(&holds_statement, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		pg_uuid_t	run_id;

		(void) dx_get_uuid(&row, &run_id);
		dx_run_find(runs, &run_id)->holds = true;
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Notes which of these runs are of limited workflows, and have a slot.  Between
 * dx_engine_enter and dx_engine_leave.
 */
void
dx_slots_mark(List *runs)
{
	Datum	   *ids = palloc(sizeof(Datum) * Max(list_length(runs), 1));
	Datum		values[1];
	ListCell   *lc;
	uint64		i;

	Assert(dx_engine_entered());
	if (runs == NIL)
		return;
	foreach(lc, runs)
		ids[foreach_current_index(lc)] = Int32GetDatum(((DxRun *) lfirst(lc))->workflow_id);
	values[0] = PointerGetDatum(construct_array(ids, list_length(runs), INT4OID,
												sizeof(int32), true, TYPALIGN_INT));
	(void) dx_execute(&limited_statement, values, NULL, false, 0);
	for (i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		int32		workflow_id = dx_get_int4(&row);
		bool		per_owner = DatumGetBool(dx_get(&row));

		foreach(lc, runs)
		{
			DxRun	   *run = lfirst(lc);

			/* Items of a Map are within the slot of its run. */
			if (run->workflow_id != workflow_id || run->map_state != NULL)
				continue;
			run->limited = true;
			run->slot_owner = per_owner ? run->owner : InvalidOid;
		}
	}
	SPI_freetuptable(SPI_tuptable);
	mark_holders(runs);
}

/* Does the run need a slot before it goes on, if its workflow is limited? */
bool
dx_turn_needed(const DxRun *run)
{
	return run->status == DX_RUN_RUNNING && run->branches != NIL &&
		(run->started_at == 0 || queued(run) != NULL ||
		 (run->limited && !run->holds && !run->slotted));
}

/* The branch that waits for the run as a whole. */
static DxBranch *
make_turn(DxPass *pass, DxRun *run)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	DxBranch   *turn = palloc0(sizeof(DxBranch));

	turn->branch = DX_TURN_BRANCH;
	turn->parent = -1;
	run->branches = lcons(turn, run->branches);
	MemoryContextSwitchTo(oldcxt);
	return turn;
}

/* What is due stays so, but does not wake the run before its turn. */
static void
suspend_due(DxPass *pass, DxRun *run)
{
	ListCell   *lc;

	foreach(lc, run->branches)
	{
		DxBranch   *branch = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (branch->gone || branch->suspended || branch->phase == DX_PHASE_SLOT ||
			branch->due_at > pass->now)
			continue;
		dx_branch_suspend(branch, run->deadline);
		run->changed = true;
	}
}

/* There is no slot for the run: it waits for one, without a timer. */
void
dx_turn_wait(DxPass *pass, DxRun *run)
{
	DxBranch   *turn = queued(run);

	Assert(run->status == DX_RUN_RUNNING);
	Assert(!run->slotted);
	run->refused = true;
	if (turn == NULL)
		turn = run->started_at == 0 ? linitial(run->branches) : make_turn(pass, run);
	if (turn->branch == DX_TURN_BRANCH)
		suspend_due(pass, run);
	if (turn->phase == DX_PHASE_SLOT && turn->wait_for != NULL &&
		turn->due_at == DT_NOEND && !turn->suspended)
		return;
	turn->wait_for = dx_queue_name(dx_slot_set(run));
	dx_branch_set_phase(turn, DX_PHASE_SLOT, DT_NOEND);
	run->changed = true;
}

/* The run has a slot, or needs none any more: all of it goes on. */
void
dx_turn_taken(DxPass *pass, DxRun *run)
{
	DxBranch   *turn = queued(run);
	ListCell   *lc;

	if (turn == NULL)
		return;
	run->changed = true;
	if (turn->branch != DX_TURN_BRANCH)
	{
		turn->wait_for = NULL;
		dx_branch_set_phase(turn, DX_PHASE_READY, pass->now);
		return;
	}
	turn->gone = true;
	foreach(lc, run->branches)
	{
		DxBranch   *branch = lfirst(lc);

		if (branch->suspended && !branch->gone)
			dx_branch_hurry(branch, pass->now);
	}
}

/* ---------- giving back ---------- */

/* Does the definition say that a state of this machine waits for runs? */
static bool
machine_waits_for_runs(const DxProgram *program, int machine)
{
	check_stack_depth();
	for (int i = 0; i < program->machines[machine].nstates; i++)
	{
		const DxState *state = dx_program_state(program,
												program->machines[machine].first_state + i);

		CHECK_FOR_INTERRUPTS();
		if (state->type == DX_STATE_TASK &&
			((state->u.task.kind == DX_RESOURCE_WORKFLOW && !state->u.task.no_wait) ||
			 (state->u.task.compensable && state->u.task.undo_kind == DX_RESOURCE_WORKFLOW)))
			return true;
		if (state->type == DX_STATE_MAP &&
			machine_waits_for_runs(program, state->u.map.machine))
			return true;
		for (int j = 0; state->type == DX_STATE_PARALLEL && j < state->u.parallel.nbranches; j++)
		{
			if (machine_waits_for_runs(program, state->u.parallel.machines[j]))
				return true;
		}
	}
	return false;
}

/*
 * Items of a distributed Map are within the slot of their Map's run, unless
 * they wait for runs themselves.
 */
static bool
waits_for_runs(const DxRun *run, const DxBranch *branch)
{
	if (branch->phase == DX_PHASE_CHILD)
		return true;
	if (branch->phase == DX_PHASE_JOIN && dx_distributes(branch))
		return machine_waits_for_runs(run->program, branch->state->u.map.machine);
	/* A run that may have the token, and needs a slot to answer. */
	if (branch->phase == DX_PHASE_TOKEN &&
		branch->state->u.task.kind == DX_RESOURCE_WORKFLOW)
		return true;
	/* A compensation that somebody outside has. */
	return branch->phase == DX_PHASE_UNDO && branch->wait_for != NULL;
}

/*
 * After a run was advanced, or stopped: does it need its slot any more?  Not
 * while it waits for runs and for nothing that is here already.
 */
void
dx_turn_over(DxPass *pass, DxRun *run)
{
	bool		waits = false;
	ListCell   *lc;

	run->gives_back = false;
	if (!run->limited || dx_status_ended(run->status))
		return;
	if (run->status == DX_RUN_INCIDENT)
	{
		run->gives_back = true;
		return;
	}
	foreach(lc, run->branches)
	{
		const DxBranch *branch = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (branch->gone)
			continue;
		if (branch->apart || dx_branch_due(pass, run, branch))
			return;
		waits = waits || waits_for_runs(run, branch);
	}
	run->gives_back = waits;
}
