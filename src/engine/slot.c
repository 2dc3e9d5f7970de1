/*-------------------------------------------------------------------------
 *
 * slot.c
 *	  max_concurrency of a workflow: how many of its runs are in progress.
 *
 * A limited workflow has as many rows in dealix.workflow_slot as runs may be
 * in progress.  A run takes a free one in its first pass, skipping those that
 * others are just taking, and gives it back when it ends: nobody waits for a
 * row.  A run that finds none is parked in phase SLOT.  Who frees a slot wakes
 * the run that waits first, and who takes one wakes the next as long as slots
 * are free; a timer makes it certain.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "engine/engine.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* A waiting run looks again after that time, whatever happens. */
#define LOOK_AGAIN_SECONDS	30

static DxStatement limited_statement = {
	"SELECT workflow_id FROM dealix.workflow"
	" WHERE workflow_id = ANY ($1) AND max_concurrency IS NOT NULL",
	1, {INT4ARRAYOID}
};

static DxStatement take_statement = {
	"UPDATE dealix.workflow_slot s SET run_id = $2"
	" FROM (SELECT workflow_id, slot FROM dealix.workflow_slot"
	" WHERE workflow_id = $1 AND run_id IS NULL"
	" ORDER BY slot LIMIT 1 FOR UPDATE SKIP LOCKED) f"
	" WHERE s.workflow_id = f.workflow_id AND s.slot = f.slot",
	2, {INT4OID, UUIDOID}
};

/* Slots beyond a limit that has been lowered go instead of becoming free. */
static DxStatement shrink_statement = {
	"DELETE FROM dealix.workflow_slot s USING dealix.workflow w"
	" WHERE s.run_id = ANY ($1) AND w.workflow_id = s.workflow_id"
	" AND s.slot > w.max_concurrency",
	1, {UUIDARRAYOID}
};

static DxStatement release_statement = {
	"UPDATE dealix.workflow_slot SET run_id = NULL WHERE run_id = ANY ($1)"
	" RETURNING workflow_id",
	1, {UUIDARRAYOID}
};

static DxStatement free_statement = {
	"SELECT 1 FROM dealix.workflow_slot"
	" WHERE workflow_id = $1 AND run_id IS NULL LIMIT 1",
	1, {INT4OID}
};

static DxStatement waiting_statement = {
	"SELECT run_id, owner::pg_catalog.oid FROM dealix.branch"
	" WHERE phase = 12 AND wait_for = $1 ORDER BY rank, run_id LIMIT $2",
	2, {TEXTOID, INT8OID}
};

static char *
queue_name(int32 workflow_id)
{
	return psprintf("%d", workflow_id);
}

/*
 * Notes which of these runs are of limited workflows.  Between dx_engine_enter
 * and dx_engine_leave.
 */
void
dx_slots_mark(List *runs)
{
	Datum	   *ids = palloc(sizeof(Datum) * Max(list_length(runs), 1));
	Datum		values[1];
	ListCell   *lc;
	uint64		i;
	bool		isnull;

	if (runs == NIL)
		return;
	foreach(lc, runs)
		ids[foreach_current_index(lc)] = Int32GetDatum(((DxRun *) lfirst(lc))->workflow_id);
	values[0] = PointerGetDatum(construct_array(ids, list_length(runs), INT4OID,
												sizeof(int32), true, TYPALIGN_INT));
	(void) dx_execute(&limited_statement, values, NULL, false, 0);
	for (i = 0; i < SPI_processed; i++)
	{
		int32		workflow_id = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i],
															  SPI_tuptable->tupdesc, 1, &isnull));

		foreach(lc, runs)
		{
			DxRun	   *run = lfirst(lc);

			if (run->workflow_id == workflow_id)
				run->limited = true;
		}
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Wakes the first n runs that wait for a slot of this workflow. */
static void
wake_waiting(int32 workflow_id, int n)
{
	Datum		values[2];
	uint64		i;
	bool		isnull;

	values[0] = CStringGetTextDatum(queue_name(workflow_id));
	values[1] = Int64GetDatum(n);
	(void) dx_execute(&waiting_statement, values, NULL, false, 0);
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		dx_wake_run(DatumGetObjectId(SPI_getbinval(tuple, desc, 2, &isnull)),
					DatumGetUUIDP(SPI_getbinval(tuple, desc, 1, &isnull)));
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
park(DxPass *pass, DxRun *run)
{
	DxBranch   *branch = linitial(run->branches);

	branch->wait_for = queue_name(run->workflow_id);
	dx_branch_park(run, branch, DX_PHASE_SLOT,
				   dx_after_seconds(pass->now, LOOK_AGAIN_SECONDS));
	run->changed = true;
}

/*
 * Before a run begins: true if it may.  Otherwise its branch is parked until a
 * slot is free.
 */
bool
dx_slot_take(DxPass *pass, DxRun *run)
{
	DxIdentity	saved;
	Datum		values[2];
	bool		taken;

	if (!run->limited || run->branches == NIL)
		return true;
	dx_engine_enter(&saved);
	values[0] = Int32GetDatum(run->workflow_id);
	values[1] = UUIDPGetDatum(&run->id);
	(void) dx_execute(&take_statement, values, NULL, false, 0);
	taken = SPI_processed > 0;
	if (taken)
	{
		DxBranch   *branch = linitial(run->branches);

		branch->phase = DX_PHASE_READY;
		branch->wait_for = NULL;
		branch->changed = true;
		(void) dx_execute(&free_statement, values, NULL, false, 1);
		if (SPI_processed > 0)
			wake_waiting(run->workflow_id, 1);
	}
	else
		park(pass, run);
	dx_engine_leave(&saved);
	return taken;
}

/*
 * Gives back the slots of runs that have ended, and wakes who waits for them.
 * Between dx_engine_enter and dx_engine_leave.
 */
void
dx_slots_release(Datum run_ids)
{
	Datum		values[1] = {run_ids};
	int32	   *freed;
	int			n;
	int			i;
	bool		isnull;

	(void) dx_execute(&shrink_statement, values, NULL, false, 0);
	(void) dx_execute(&release_statement, values, NULL, false, 0);
	n = SPI_processed;
	freed = palloc(sizeof(int32) * Max(n, 1));
	for (i = 0; i < n; i++)
		freed[i] = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i],
											   SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);

	/* As many as are freed of a workflow, in one look. */
	for (i = 0; i < n; i++)
	{
		int			count = 0;
		int			k;

		for (k = 0; k < n; k++)
			count += freed[k] == freed[i] ? (k < i ? -n - 1 : 1) : 0;
		if (count > 0)
			wake_waiting(freed[i], count);
	}
}

/* A limit was raised or taken away: everybody who waits looks again. */
void
dx_slots_changed(int32 workflow_id)
{
	DxIdentity	saved;

	dx_engine_enter(&saved);
	wake_waiting(workflow_id, PG_INT32_MAX);
	dx_engine_leave(&saved);
}
