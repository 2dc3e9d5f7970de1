/*-------------------------------------------------------------------------
 *
 * slot_set.c
 *	  Whose slots there are: the sets that a limit of a workflow is made of.
 *
 * A limit over all owners is one set of slots, with owner 0.  A limit per owner
 * is a set for each owner, made by the first run that needs it (see concurrency.c).
 * When the kind of the limit changes, or runs change hands, the slots that runs
 * have go into the sets where they belong now, with new numbers: there may be
 * more of them in a set than the limit, as after a limit was lowered.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/queue.h"
#include "engine/slot_set.h"
#include "engine/turn.h"
#include "executor/spi.h"

static DxStatement free_statement = {
	"SELECT COALESCE(w.max_concurrency, 0) - (SELECT pg_catalog.count(*)"
	" FROM dealix.workflow_slot WHERE workflow_id = $1 AND owner = $2 AND run_id IS NOT NULL)"
	" FROM dealix.workflow w WHERE workflow_id = $1",
	2, {INT4OID, OIDOID}
};

static DxStatement kind_statement = {
	"SELECT per_owner FROM dealix.workflow WHERE workflow_id = $1 FOR UPDATE",
	1, {INT4OID}
};

static DxStatement limit_statement = {
	"UPDATE dealix.workflow SET max_concurrency = $2, per_owner = $3 WHERE workflow_id = $1",
	3, {INT4OID, INT4OID, BOOLOID}
};

static DxStatement trim_statement = {
	"DELETE FROM dealix.workflow_slot WHERE workflow_id = $1"
	" AND ($2 IS NULL OR (slot > $2 AND run_id IS NULL))",
	2, {INT4OID, INT4OID}
};

/* Of the sets that there are: those of owners are made when they are needed. */
static DxStatement make_statement = {
	"INSERT INTO dealix.workflow_slot (workflow_id, owner, slot)"
	" SELECT $1, o.owner, n FROM (SELECT 0::oid AS owner WHERE NOT $3 UNION"
	" SELECT owner FROM dealix.workflow_slot WHERE workflow_id = $1) o,"
	" pg_catalog.generate_series(1, $2) n ON CONFLICT DO NOTHING",
	3, {INT4OID, INT4OID, BOOLOID}
};

/* Who has a slot locked in a pass is waited for; who has none yet waits. */
static DxStatement lock_statement = {
	"LOCK TABLE dealix.workflow_slot IN EXCLUSIVE MODE", 0, {0}
};

/* $1: of one workflow, or null: of all that have a limit per owner. */
#define MOVED \
	"(w.workflow_id = $1 OR ($1 IS NULL AND w.per_owner))"

static DxStatement drop_free_statement = {
	"DELETE FROM dealix.workflow_slot s USING dealix.workflow w"
	" WHERE w.workflow_id = s.workflow_id AND s.run_id IS NULL AND " MOVED,
	1, {INT4OID}
};

/* First out of the way of all numbers, ... */
static DxStatement lift_statement = {
	"UPDATE dealix.workflow_slot s SET slot = u.slot"
	" FROM (SELECT x.run_id, x.workflow_id, (pg_catalog.max(x.slot) OVER (PARTITION BY x.workflow_id)"
	" + pg_catalog.row_number() OVER (PARTITION BY x.workflow_id ORDER BY x.run_id))::pg_catalog.int4 AS slot"
	" FROM dealix.workflow_slot x JOIN dealix.workflow w ON w.workflow_id = x.workflow_id AND " MOVED ") u"
	" WHERE s.run_id = u.run_id AND s.workflow_id = u.workflow_id",
	1, {INT4OID}
};

/* ... then into their sets, from 1. */
static DxStatement place_statement = {
	"UPDATE dealix.workflow_slot s SET owner = u.owner, slot = u.slot"
	" FROM (SELECT x.run_id, x.workflow_id, o.owner, pg_catalog.row_number()"
	" OVER (PARTITION BY x.workflow_id, o.owner ORDER BY x.run_id)::pg_catalog.int4 AS slot"
	" FROM dealix.workflow_slot x JOIN dealix.workflow w ON w.workflow_id = x.workflow_id AND " MOVED
	" LEFT JOIN dealix.run r ON r.run_id = x.run_id,"
	" LATERAL (SELECT CASE WHEN w.per_owner THEN COALESCE(r.owner::pg_catalog.oid, 0) ELSE 0 END) o(owner)) u"
	" WHERE s.run_id = u.run_id AND s.workflow_id = u.workflow_id",
	1, {INT4OID}
};

static DxStatement restore_runs_statement = {
	"INSERT INTO dealix.workflow_slot (workflow_id, owner, slot, run_id)"
	" SELECT r.workflow_id, r.owner, (SELECT pg_catalog.count(*) FROM dealix.workflow_slot s"
	" WHERE s.workflow_id = r.workflow_id AND s.owner = r.owner::pg_catalog.oid)"
	" + pg_catalog.row_number() OVER (PARTITION BY r.workflow_id, r.owner ORDER BY r.run_id), r.run_id"
	" FROM dealix.run r JOIN dealix.workflow w ON w.workflow_id = r.workflow_id"
	" WHERE w.per_owner AND w.max_concurrency IS NOT NULL AND r.status = " DX_SQL(RUN_RUNNING)
	" AND r.started_at IS NOT NULL AND r.map_state IS NULL"
	" AND NOT EXISTS (SELECT FROM dealix.workflow_slot s WHERE s.run_id = r.run_id)"
	" AND NOT EXISTS (SELECT FROM dealix.branch b WHERE b.run_id = r.run_id AND b.phase IN (" DX_SQL(PHASE_CHILD) ", " DX_SQL(PHASE_SLOT) "))",
	0, {0}
};

static DxStatement restore_tasks_statement = {
	"INSERT INTO dealix.activity_slot (slot_id, activity, owner, slot, taken) OVERRIDING SYSTEM VALUE"
	" SELECT t.slot_id, t.activity, t.owner, (SELECT pg_catalog.count(*) FROM dealix.activity_slot s"
	" WHERE s.activity = t.activity AND s.owner = t.owner::pg_catalog.oid)"
	" + pg_catalog.row_number() OVER (PARTITION BY t.activity, t.owner ORDER BY t.slot_id), true"
	" FROM dealix.activity_task t JOIN dealix.activity_limit l ON l.activity = t.activity"
	" WHERE l.per_owner AND t.slot_id IS NOT NULL"
	" AND NOT EXISTS (SELECT FROM dealix.activity_slot s WHERE s.slot_id = t.slot_id)",
	0, {0}
};

/* Who waits under a name that has changed is woken, and waits under the new one. */
static DxStatement renamed_statement = {
	"UPDATE dealix.branch b SET due_at = pg_catalog.clock_timestamp() WHERE b.owner = $1"
	" AND b.phase = " DX_SQL(PHASE_SLOT) " AND b.due_at IS NULL AND b.wait_for LIKE '%/%'",
	1, {OIDOID}
};

/*
 * When to count the slots of a workflow again.  Under an old snapshot a count
 * wades through all that is dead: its share of the time is bounded.  Between
 * two counts a pass knows of the slots that it has in hand.
 */
typedef struct Count
{
	DxSlotSet	set;
	DxMono		again_at;
} Count;

#define NCOUNTS			16

/* A count that takes longer than that takes one part in so many of the time. */
#define COUNT_IS_LONG_MS	1
#define COUNT_LASTS		20

static Count counts[NCOUNTS];

/*
 * How many slots of a set nobody has.  -1: it is too early to count, and need
 * not be.  Between dx_engine_enter and dx_engine_leave.
 */
int64
dx_slots_free(DxSlotSet set, bool need)
{
	Count	   *count = &counts[dx_set_hash(set) % NCOUNTS];
	DxMono		begun = dx_mono();
	DxMono		now;
	Datum		values[2];
	int64		nfree;
	bool		isnull;

	Assert(dx_engine_entered());
	if (!need && dx_same_set(count->set, set) && begun < count->again_at)
		return -1;
	values[0] = Int32GetDatum(set.workflow_id);
	values[1] = ObjectIdGetDatum(set.owner);
	(void) dx_execute(&free_statement, values, NULL, false, 1);
	nfree = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
										SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	now = dx_mono();
	count->set = set;
	count->again_at = now - begun < COUNT_IS_LONG_MS * INT64CONST(1000) ? 0 :
		now + COUNT_LASTS * (now - begun);
	return Max(nfree, 0);
}

/* Puts the slots of a workflow, or of all with a limit per owner, into their sets. */
static void
place(int32 workflow_id)
{
	Datum		values[1];
	char		nulls[1] = {workflow_id != 0 ? ' ' : 'n'};

	values[0] = Int32GetDatum(workflow_id);
	(void) dx_execute(&lock_statement, NULL, NULL, false, 0);
	(void) dx_execute(&drop_free_statement, values, nulls, false, 0);
	(void) dx_execute(&lift_statement, values, nulls, false, 0);
	(void) dx_execute(&place_statement, values, nulls, false, 0);
}

/*
 * Sets the limit of a workflow, 0 = none, over all owners or for each of them,
 * and wakes everybody who waits: there may be more slots.  Needs SPI_connect.
 */
void
dx_slots_limit(int32 workflow_id, int max_concurrency, bool per_owner)
{
	DxIdentity	saved;
	Datum		values[3];
	char		nulls[3] = {' ', max_concurrency > 0 ? ' ' : 'n', ' '};
	bool		was_per_owner;
	DxRow		row;

	dx_engine_enter(&saved);
	values[0] = Int32GetDatum(workflow_id);
	values[1] = Int32GetDatum(max_concurrency);
	values[2] = BoolGetDatum(per_owner);
	(void) dx_execute(&kind_statement, values, NULL, false, 1);
	row = (DxRow) dx_row(0);
	was_per_owner = DatumGetBool(dx_get(&row));
	SPI_freetuptable(SPI_tuptable);
	(void) dx_execute(&limit_statement, values, nulls, false, 0);
	(void) dx_execute(&trim_statement, values, nulls, false, 0);
	if (max_concurrency > 0 && per_owner != was_per_owner)
		place(workflow_id);
	if (max_concurrency > 0)
		(void) dx_execute(&make_statement, values, nulls, false, 0);
	dx_queue_wake_all(workflow_id);
	dx_engine_leave(&saved);
}

/*
 * Runs of from belong to another role now, and so do the slots that they have.
 * Between dx_engine_enter and dx_engine_leave, when the runs are written.
 */
void
dx_slots_reassign(Oid from, Oid to)
{
	Datum		values[1];

	Assert(dx_engine_entered());
	place(0);
	values[0] = ObjectIdGetDatum(to);
	(void) dx_execute(&renamed_statement, values, NULL, false, 0);
}

/*
 * A dump has left the sets of owners behind: who is in progress has a slot, and
 * so has what a worker has claimed.  In a copy that was made otherwise they are
 * there.  Between dx_engine_enter and dx_engine_leave.
 */
void
dx_slots_restored(void)
{
	place(0);
	(void) dx_execute(&restore_runs_statement, NULL, NULL, false, 0);
	(void) dx_execute(&restore_tasks_statement, NULL, NULL, false, 0);
}
