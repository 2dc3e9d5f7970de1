/*-------------------------------------------------------------------------
 *
 * slot_set.c
 *	  Whose slots there are: the sets that the limit of a workflow or of an
 *	  activity is made of.
 *
 * A limit over all owners is one set of slots, with owner 0.  A limit per owner
 * is a set for each owner, made by the first run (see concurrency.c) or claim (see
 * activity_limit.c) that needs it.  When the kind of the limit changes, or runs
 * change hands, the slots that are taken go into the sets where they belong now,
 * with new numbers: there may be more of them in a set than the limit, as after
 * a limit was lowered.
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

/*
 * The sets of workflows and those of activities are kept by the same
 * statements.  slots: the table; limits: that of what is limited, whose column
 * max has the limit; subject: the column of both that says which; holder: what
 * a slot is given by; free: is a slot s free?; owner_of: joins h, which has the
 * owner of what x has been given to.
 *
 * $1: of which subject; null: of all that have a limit per owner.
 */
#define SLOTS_OF_ALL(slots, limits, subject) \
	"dealix." slots " x JOIN dealix." limits " w ON w." subject " = x." subject \
	" AND (w." subject " = $1 OR ($1 IS NULL AND w.per_owner))"

/*
 * The lock is the right to make slots and to remove them.  Who makes some for an
 * owner holds the key of the row, and is not waited for.
 */
#define BEFORE(slots, limits, subject) \
	"SELECT w.per_owner <> $2 OR EXISTS (SELECT FROM dealix." slots " s" \
	" WHERE s." subject " = $1 AND (s.owner <> 0) <> $2)" \
	" FROM dealix." limits " w WHERE w." subject " = $1 FOR NO KEY UPDATE OF w"

#define SET_LIMIT(limits, subject, max) \
	"UPDATE dealix." limits " SET " max " = $2, per_owner = $3 WHERE " subject " = $1"

/*
 * Slots beyond the limit go, unless they are taken.  skipped: how those are
 * looked at that somebody has locked.
 */
#define TRIM(slots, which, skipped) \
	"WITH f AS MATERIALIZED (SELECT s.ctid FROM dealix." slots " s" \
	" WHERE " which " FOR UPDATE" skipped ")" \
	" DELETE FROM dealix." slots " s WHERE s.ctid = ANY (ARRAY(SELECT f.ctid FROM f))"

/*
 * Of the sets that there are: those of owners are made when they are needed.  A
 * slot that somebody has locked is there, and not waited for.
 */
#define MAKE(slots, subject) \
	"INSERT INTO dealix." slots " (" subject ", owner, slot)" \
	" SELECT $1, o.owner, n FROM (SELECT 0::oid AS owner WHERE NOT $3 UNION" \
	" SELECT owner FROM dealix." slots " WHERE " subject " = $1) o," \
	" pg_catalog.generate_series(1, $2) n WHERE NOT EXISTS (SELECT FROM dealix." slots " s" \
	" WHERE s." subject " = $1 AND s.owner = o.owner AND s.slot = n) ON CONFLICT DO NOTHING"

/* Who has a slot locked is waited for; who has none yet waits. */
#define LOCK(slots) \
	"LOCK TABLE dealix." slots " IN EXCLUSIVE MODE"

#define DROP_FREE(slots, limits, subject, free) \
	"DELETE FROM dealix." slots " s USING dealix." limits " w" \
	" WHERE w." subject " = s." subject " AND (" free ")" \
	" AND (w." subject " = $1 OR ($1 IS NULL AND w.per_owner))"

/* First out of the way of all numbers, ... */
#define LIFT(slots, limits, subject, holder) \
	"UPDATE dealix." slots " s SET slot = u.slot" \
	" FROM (SELECT x." holder ", (pg_catalog.max(x.slot) OVER (PARTITION BY x." subject ")" \
	" + pg_catalog.row_number() OVER (PARTITION BY x." subject " ORDER BY x." holder "))::pg_catalog.int4 AS slot" \
	" FROM " SLOTS_OF_ALL(slots, limits, subject) ") u WHERE s." holder " = u." holder

/* ... then into their sets, from 1. */
#define PLACE(slots, limits, subject, holder, owner_of) \
	"UPDATE dealix." slots " s SET owner = u.owner, slot = u.slot" \
	" FROM (SELECT x." holder ", o.owner, pg_catalog.row_number()" \
	" OVER (PARTITION BY x." subject ", o.owner ORDER BY x." holder ")::pg_catalog.int4 AS slot" \
	" FROM " SLOTS_OF_ALL(slots, limits, subject) " LEFT JOIN " owner_of "," \
	" LATERAL (SELECT CASE WHEN w.per_owner THEN COALESCE(h.owner::pg_catalog.oid, 0) ELSE 0 END) o(owner)) u" \
	" WHERE s." holder " = u." holder

struct DxSlots
{
	DxStatement before;
	DxStatement set_limit;
	DxStatement trim;
	DxStatement make;
	DxStatement lock;
	DxStatement drop_free;
	DxStatement lift;
	DxStatement place;
};

#define SLOTS(slots, limits, subject, type, max, holder, free, trimmed, skipped, owner_of) \
{ \
	{BEFORE(slots, limits, subject), 2, {type, BOOLOID}}, \
	{SET_LIMIT(limits, subject, max), 3, {type, INT4OID, BOOLOID}}, \
	{TRIM(slots, "s." subject " = $1 AND (" trimmed ")", skipped), 2, {type, INT4OID}}, \
	{MAKE(slots, subject), 3, {type, INT4OID, BOOLOID}}, \
	{LOCK(slots), 0, {0}}, \
	{DROP_FREE(slots, limits, subject, free), 1, {type}}, \
	{LIFT(slots, limits, subject, holder), 1, {type}}, \
	{PLACE(slots, limits, subject, holder, owner_of), 1, {type}} \
}

/* Without a limit runs have no slots; passes that have them in hand are short. */
static DxSlots workflow_slots =
SLOTS("workflow_slot", "workflow", "workflow_id", INT4OID, "max_concurrency", "run_id",
	  "s.run_id IS NULL", "$2 IS NULL OR (s.slot > $2 AND s.run_id IS NULL)", "",
	  "dealix.run h ON h.run_id = x.run_id");

/*
 * A task that was claimed under a limit counts until it is done.  What a claim
 * has locked stays: nobody waits for it, and claims look at the limit and not
 * only at the rows.
 */
DxSlots		dx_activity_slots =
SLOTS("activity_slot", "activity_limit", "activity", TEXTOID, "max_in_flight", "slot_id",
	  "NOT s.taken", "NOT s.taken AND s.slot > COALESCE($2, 0)", " SKIP LOCKED",
	  "dealix.activity_task h ON h.activity = x.activity AND h.slot_id = x.slot_id");

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

/* Puts slots into their sets: of a subject, or of all with a limit per owner. */
static void
place(DxSlots *slots, Datum subject, bool all)
{
	Datum		values[1];
	char		nulls[1] = {all ? 'n' : ' '};

	values[0] = subject;
	(void) dx_execute(&slots->lock, NULL, NULL, false, 0);
	(void) dx_execute(&slots->drop_free, values, nulls, false, 0);
	(void) dx_execute(&slots->lift, values, nulls, false, 0);
	(void) dx_execute(&slots->place, values, nulls, false, 0);
}

/*
 * Sets how many slots a subject has, 0 = no limit, over all owners or for each
 * of them.  Returns whether the sets are others than before.  Between
 * dx_engine_enter and dx_engine_leave.
 */
bool
dx_slots_set(DxSlots *slots, Datum subject, int max, bool per_owner)
{
	Datum		values[3];
	char		nulls[3] = {' ', max > 0 ? ' ' : 'n', ' '};
	bool		moved;
	DxRow		row;

	Assert(dx_engine_entered());
	Assert(max >= 0);
	values[0] = subject;
	values[1] = BoolGetDatum(per_owner);
	(void) dx_execute(&slots->before, values, NULL, false, 1);
	row = (DxRow) dx_row(0);
	moved = DatumGetBool(dx_get(&row));
	SPI_freetuptable(SPI_tuptable);
	values[1] = Int32GetDatum(max);
	values[2] = BoolGetDatum(per_owner);
	(void) dx_execute(&slots->set_limit, values, nulls, false, 0);
	(void) dx_execute(&slots->trim, values, nulls, false, 0);
	if (moved)
		place(slots, subject, false);
	if (max > 0)
		(void) dx_execute(&slots->make, values, nulls, false, 0);
	return moved;
}

/*
 * Sets the limit of a workflow, 0 = none, over all owners or for each of them,
 * and wakes everybody who waits: there may be more slots.  Needs SPI_connect.
 */
void
dx_slots_limit(int32 workflow_id, int max_concurrency, bool per_owner)
{
	DxIdentity	saved;

	dx_engine_enter(&saved);
	(void) dx_slots_set(&workflow_slots, Int32GetDatum(workflow_id), max_concurrency,
						per_owner);
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
	place(&workflow_slots, (Datum) 0, true);
	place(&dx_activity_slots, (Datum) 0, true);
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
	place(&workflow_slots, (Datum) 0, true);
	(void) dx_execute(&restore_runs_statement, NULL, NULL, false, 0);
	(void) dx_execute(&restore_tasks_statement, NULL, NULL, false, 0);
}
