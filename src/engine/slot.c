/*-------------------------------------------------------------------------
 *
 * slot.c
 *	  max_concurrency of a workflow: how many of its runs are in progress.
 *
 * A limited workflow has as many rows in dealix.workflow_slot as runs may be
 * in progress.  A run takes a free one in its first pass, skipping those that
 * others are just taking, and gives it back when it ends: nobody waits for a
 * row.  A run that finds none is parked in phase SLOT.  Each pass that has held
 * a run of the workflow wakes as many waiting runs as it sees free slots at
 * its end.  A run that is woken in vain, because a slot was counted by two
 * passes, waits again; a timer makes it certain.
 *
 * When the limit is lowered, slots beyond it stay while they are taken.  Then
 * the number of rows is not the limit: a run locks every free slot that it can,
 * and begins only if the others, taken or locked, are fewer than the limit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/engine.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* A waiting run looks again after that time, whatever happens. */
#define LOOK_AGAIN_SECONDS	30

/* What another transaction has locked may be free after that. */
#define LOOK_SOON_SECONDS	0.2

static DxStatement limited_statement = {
	"SELECT workflow_id FROM dealix.workflow"
	" WHERE workflow_id = ANY ($1) AND max_concurrency IS NOT NULL",
	1, {INT4ARRAYOID}
};

static DxStatement take_statement = {
	"WITH w AS (SELECT max_concurrency, EXISTS (SELECT FROM dealix.workflow_slot s"
	" WHERE s.workflow_id = $1 AND s.slot > w.max_concurrency) AS crowded"
	" FROM dealix.workflow w WHERE workflow_id = $1),"
	" f AS (SELECT slot FROM dealix.workflow_slot"
	" WHERE workflow_id = $1 AND run_id IS NULL ORDER BY slot"
	" LIMIT (SELECT CASE WHEN NOT crowded THEN 1 END FROM w) FOR UPDATE SKIP LOCKED)"
	" UPDATE dealix.workflow_slot s SET run_id = $2"
	" FROM (SELECT slot FROM f WHERE (SELECT CASE WHEN crowded THEN max_concurrency"
	" > (SELECT pg_catalog.count(*) FROM dealix.workflow_slot WHERE workflow_id = $1)"
	" - (SELECT pg_catalog.count(*) FROM f) ELSE true END FROM w)"
	" ORDER BY slot LIMIT 1) a"
	" WHERE s.workflow_id = $1 AND s.slot = a.slot",
	2, {INT4OID, UUIDOID}
};

/* Free slots beyond a limit that has been lowered go. */
static DxStatement shrink_statement = {
	"DELETE FROM dealix.workflow_slot s USING (SELECT s.workflow_id, s.slot"
	" FROM dealix.workflow w JOIN dealix.workflow_slot s"
	" ON s.workflow_id = w.workflow_id AND s.slot > w.max_concurrency"
	" WHERE w.workflow_id = $1 AND s.run_id IS NULL FOR UPDATE OF s SKIP LOCKED) f"
	" WHERE s.workflow_id = f.workflow_id AND s.slot = f.slot",
	1, {INT4OID}
};

static DxStatement release_statement = {
	"UPDATE dealix.workflow_slot SET run_id = NULL WHERE run_id = ANY ($1)",
	1, {UUIDARRAYOID}
};

static DxStatement free_statement = {
	"SELECT COALESCE(w.max_concurrency, 0) - (SELECT pg_catalog.count(*)"
	" FROM dealix.workflow_slot WHERE workflow_id = $1 AND run_id IS NOT NULL)"
	" FROM dealix.workflow w WHERE workflow_id = $1",
	1, {INT4OID}
};

/*
 * Makes waiting runs due.  Not under their locks: due_at only says when to
 * look.  Those that somebody else has just made due are left out.
 */
static DxStatement waiting_statement = {
	"UPDATE dealix.branch b SET due_at = $3 FROM ("
	" SELECT run_id, branch FROM dealix.branch"
	" WHERE phase = 12 AND wait_for = $1 AND due_at > $3"
	" ORDER BY rank, run_id LIMIT $2 FOR UPDATE SKIP LOCKED) w"
	" WHERE b.run_id = w.run_id AND b.branch = w.branch"
	" RETURNING b.run_id, b.owner::pg_catalog.oid, b.rank",
	3, {TEXTOID, INT8OID, TIMESTAMPTZOID}
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

			/* Items of a Map are within the slot of its run. */
			if (run->workflow_id == workflow_id && run->map_state == NULL)
				run->limited = true;
		}
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Makes the first n runs that wait for a slot of this workflow due. */
static void
wake_waiting(int32 workflow_id, int64 n, TimestampTz due)
{
	Datum		values[3];
	uint64		i;
	bool		isnull;

	values[0] = CStringGetTextDatum(queue_name(workflow_id));
	values[1] = Int64GetDatum(n);
	values[2] = TimestampTzGetDatum(due);
	(void) dx_execute(&waiting_statement, values, NULL, false, 0);
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		if (due > dx_now())
			dx_wake_at(due);
		else
			dx_wake_run_by(DatumGetObjectId(SPI_getbinval(tuple, desc, 2, &isnull)),
						   DatumGetUUIDP(SPI_getbinval(tuple, desc, 1, &isnull)),
						   -DatumGetInt16(SPI_getbinval(tuple, desc, 3, &isnull)));
	}
	SPI_freetuptable(SPI_tuptable);
}

/* The branch of a run that has not begun. */
static void
park(DxPass *pass, DxRun *run, DxBranch *branch)
{
	branch->wait_for = queue_name(run->workflow_id);
	dx_branch_park(run, branch, DX_PHASE_SLOT,
				   dx_after_seconds(pass->now, LOOK_AGAIN_SECONDS));
	run->refused = true;
	run->changed = true;
}

static bool
take(DxRun *run)
{
	DxIdentity	saved;
	Datum		values[2];

	if (!run->limited)
		return true;
	dx_engine_enter(&saved);
	values[0] = Int32GetDatum(run->workflow_id);
	values[1] = UUIDPGetDatum(&run->id);
	(void) dx_execute(&take_statement, values, NULL, false, 0);
	dx_engine_leave(&saved);
	return SPI_processed > 0;
}

/*
 * Before a run begins: true if it may.  Otherwise its branch is parked until a
 * slot is free.
 */
bool
dx_slot_take(DxPass *pass, DxRun *run)
{
	DxBranch   *branch;

	if (run->branches == NIL)
		return true;
	branch = linitial(run->branches);
	if (!take(run))
	{
		park(pass, run, branch);
		return false;
	}
	if (branch->phase == DX_PHASE_SLOT)
	{
		branch->phase = DX_PHASE_READY;
		branch->wait_for = NULL;
		branch->changed = true;
	}
	return true;
}

static int64
count_free(int32 workflow_id)
{
	Datum		values[1];
	int64		nfree;
	bool		isnull;

	values[0] = Int32GetDatum(workflow_id);
	(void) dx_execute(&free_statement, values, NULL, false, 1);
	nfree = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
										SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return Max(nfree, 0);
}

static bool
gives_back(const DxRun *run)
{
	return run->limited && run->changed && dx_status_ended(run->status);
}

/*
 * Wakes who waits for the free slots of a workflow.  When this pass has just
 * looked in vain for one, then those that it has not given back itself are in
 * somebody's open transaction: they are worth a look a moment later.
 */
static void
wake_for_free(int32 workflow_id, List *runs)
{
	int64		nfree = count_free(workflow_id);
	int64		given_back = 0;
	bool		refused = false;
	ListCell   *lc;

	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		if (run->workflow_id != workflow_id)
			continue;
		refused = refused || run->refused;
		given_back += gives_back(run);
	}
	given_back = refused ? Min(given_back, nfree) : nfree;
	if (given_back > 0)
		wake_waiting(workflow_id, given_back, dx_now());
	if (nfree > given_back)
		wake_waiting(workflow_id, nfree - given_back,
					 dx_after_seconds(dx_now(), LOOK_SOON_SECONDS));
}

/*
 * At the end of a pass, when its branches are written: gives back the slots of
 * runs that have ended, and wakes who waits for those that are free.  Between
 * dx_engine_enter and dx_engine_leave.
 */
void
dx_slots_settle(List *runs)
{
	List	   *workflows = NIL;
	pg_uuid_t  *ended = palloc(sizeof(pg_uuid_t) * Max(list_length(runs), 1));
	int			nended = 0;
	ListCell   *lc;

	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		if (!run->limited)
			continue;
		workflows = list_append_unique_int(workflows, run->workflow_id);
		if (gives_back(run))
			ended[nended++] = run->id;
	}
	if (nended > 0)
	{
		Datum		values[1];

		values[0] = dx_uuid_array(ended, nended);
		(void) dx_execute(&release_statement, values, NULL, false, 0);
		foreach(lc, workflows)
		{
			values[0] = Int32GetDatum(lfirst_int(lc));
			(void) dx_execute(&shrink_statement, values, NULL, false, 0);
		}
	}
	foreach(lc, workflows)
		wake_for_free(lfirst_int(lc), runs);
}

/* A limit was raised or taken away: everybody who waits looks again. */
void
dx_slots_changed(int32 workflow_id)
{
	DxIdentity	saved;

	dx_engine_enter(&saved);
	wake_waiting(workflow_id, PG_INT32_MAX, dx_now());
	dx_engine_leave(&saved);
}
