/*-------------------------------------------------------------------------
 *
 * scan.c
 *	  Finds due work in the two small tables.
 *
 * Hints make the engine fast; these scans make it certain.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/bounds.h"
#include "base/catalog.h"
#include "base/clock.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/held.h"
#include "engine/lease.h"
#include "engine/queue.h"
#include "engine/scan.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

static DxStatement due_statement = {
	"SELECT run_id, due_at FROM dealix.branch"
	" WHERE owner = $1 AND rank = $2 AND due_at <= $3"
	" AND (due_at, run_id) > ($4, $5) ORDER BY due_at, run_id LIMIT $6",
	6, {OIDOID, INT2OID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, INT8OID}
};

/* Ranks are few: each is found by one look into the index. */
static DxStatement rank_statement = {
	"SELECT rank FROM dealix.branch WHERE owner = $1 AND due_at IS NOT NULL"
	" AND rank > $2 AND rank < $3 ORDER BY rank LIMIT 1",
	3, {OIDOID, INT4OID, INT4OID}
};

#define BEFORE_ALL_RANKS	(PG_INT16_MIN - 1)
#define AFTER_ALL_RANKS		(PG_INT16_MAX + 1)

/* Who takes a message in: of a line, its last run. */
#define RECEIVER \
	"LATERAL (SELECT COALESCE((SELECT n.run_id FROM dealix.run n" \
	" WHERE i.branch IS NULL AND n.first_run = i.run_id" \
	" ORDER BY n.run_id DESC LIMIT 1), i.run_id) AS run_id)"

/*
 * What no pass has had in hand is work; what one has left is none until the run
 * has gone on, and then it is looked at anyway.
 */
#define INBOX_IS_WORK	"i.seen IS NULL"

static DxStatement inbox_statement = {
	"SELECT c.run_id, i.inbox_id, (SELECT b.rank FROM dealix.branch b"
	" WHERE b.run_id = c.run_id ORDER BY b.branch LIMIT 1)"
	" FROM dealix.inbox i, " RECEIVER " c WHERE i.owner = $1 AND i.inbox_id > $2 AND " INBOX_IS_WORK
	" ORDER BY i.inbox_id LIMIT $3",
	3, {OIDOID, INT8OID, INT8OID}
};

/*
 * Everybody with work, whether it was announced or not: for a sweep.  Owners and
 * ranks are found by leaps through the index.
 */
static DxStatement owners_statement = {
	"WITH RECURSIVE o(owner, rank) AS ("
	" (SELECT b.owner, b.rank FROM dealix.branch b WHERE b.due_at IS NOT NULL"
	" ORDER BY b.owner, b.rank LIMIT 1)"
	" UNION ALL SELECT n.owner, n.rank FROM o, LATERAL ("
	" SELECT b.owner, b.rank FROM dealix.branch b WHERE b.due_at IS NOT NULL"
	" AND (b.owner, b.rank) > (o.owner, o.rank)"
	" ORDER BY b.owner, b.rank LIMIT 1) n)"
	" SELECT w.owner::pg_catalog.oid, pg_catalog.bool_or(w.urgent) FROM ("
	" SELECT o.owner, o.rank < 0 AS urgent FROM o WHERE EXISTS (SELECT"
	" FROM dealix.branch b WHERE b.owner = o.owner AND b.rank = o.rank"
	" AND b.due_at <= $1)"
	" UNION ALL SELECT i.owner, false FROM dealix.inbox i WHERE " INBOX_IS_WORK
	") w GROUP BY w.owner",
	1, {TIMESTAMPTZOID}
};

/*
 * Owners with timers that have come between $1 and $2.  What came before $1 was
 * seen by a look before, or somebody has announced it.
 */
static DxStatement timers_statement = {
	"SELECT b.owner::pg_catalog.oid, pg_catalog.bool_or(b.rank < 0)"
	" FROM dealix.branch b WHERE b.due_at IS NOT NULL AND b.phase <> " DX_SQL(PHASE_READY)
	" AND b.due_at > $1 AND b.due_at <= $2 GROUP BY b.owner",
	2, {TIMESTAMPTZOID, TIMESTAMPTZOID}
};

/* The next time of everything that a row of a table waits for. */
static DxStatement next_statement = {
	"SELECT (SELECT b.due_at FROM dealix.branch b WHERE b.due_at IS NOT NULL"
	" AND b.phase <> " DX_SQL(PHASE_READY) " AND b.due_at > $1 ORDER BY b.due_at LIMIT 1),"
	" (SELECT t.expires_at FROM dealix.activity_task t WHERE t.expires_at > $1"
	" ORDER BY t.expires_at LIMIT 1),"
	" EXISTS (SELECT FROM dealix.activity_task t WHERE t.expires_at <= $1)",
	1, {TIMESTAMPTZOID}
};

/* The first rank between these two that the owner has timers in; false: none. */
static bool
next_rank(Oid owner, int after, int before, int *rank)
{
	Datum		values[3];
	bool		isnull;
	bool		found;

	values[0] = ObjectIdGetDatum(owner);
	values[1] = Int32GetDatum(after);
	values[2] = Int32GetDatum(before);
	(void) dx_execute(&rank_statement, values, NULL, false, 1);
	found = SPI_processed > 0;
	if (found)
		*rank = DatumGetInt16(SPI_getbinval(SPI_tuptable->vals[0],
											SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/* What a scan has found. */
typedef struct Found
{
	int			n;
	int			max;
	pg_uuid_t  *ids;
	int16	   *ranks;			/* or NULL */
} Found;

/* Adds a run to what was found. */
static void
add_found(Found *found, const pg_uuid_t *run_id, int rank)
{
	dx_check_room(found->n, found->max, "runs that are due");
	if (found->ranks != NULL)
		found->ranks[found->n] = rank;
	found->ids[found->n++] = *run_id;
}

/* Due runs of one rank after a position, which is moved. */
static void
scan_rank(Oid owner, int rank, TimestampTz *due_at, pg_uuid_t *run_id,
		  Found *found)
{
	Datum		values[6];
	uint64		i;
	bool		isnull;

	values[0] = ObjectIdGetDatum(owner);
	values[1] = Int16GetDatum(rank);
	values[2] = TimestampTzGetDatum(dx_now());
	values[3] = TimestampTzGetDatum(*due_at ? *due_at : DT_NOBEGIN);
	values[4] = UUIDPGetDatum(run_id);
	values[5] = Int64GetDatum(found->max - found->n);
	(void) dx_execute(&due_statement, values, NULL, false, 0);
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		*run_id = *DatumGetUUIDP(SPI_getbinval(tuple, desc, 1, &isnull));
		*due_at = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 2, &isnull));
		add_found(found, run_id, rank);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Due runs of the ranks before this one, each from its beginning. */
static void
scan_more_urgent(Oid owner, int than, Found *found)
{
	int			rank = BEFORE_ALL_RANKS;

	while (found->n < found->max && next_rank(owner, rank, than, &rank))
	{
		TimestampTz due_at = 0;
		pg_uuid_t	run_id = {{0}};

		CHECK_FOR_INTERRUPTS();
		scan_rank(owner, rank, &due_at, &run_id, found);
	}
}

/*
 * By rank, and by time within a rank.  Ranks before the cursor's are looked at
 * from their beginning each time: what is urgent does not wait for the end of
 * a long round, and an id too many costs a look.  The cursor's own rank is not
 * looked for: while a snapshot is held, the index is full of what the round
 * has passed by.
 */
static void
scan_branches(Oid owner, DxDueCursor *cursor, Found *found)
{
	int			rank = BEFORE_ALL_RANKS;

	if (cursor->placed)
	{
		rank = cursor->rank;
		scan_more_urgent(owner, rank, found);
		if (found->n < found->max)
			scan_rank(owner, rank, &cursor->due_at, &cursor->run_id, found);
	}
	while (found->n < found->max &&
		   next_rank(owner, rank, AFTER_ALL_RANKS, &rank))
	{
		CHECK_FOR_INTERRUPTS();
		cursor->placed = true;
		cursor->rank = rank;
		cursor->due_at = 0;
		memset(&cursor->run_id, 0, sizeof(pg_uuid_t));
		scan_rank(owner, rank, &cursor->due_at, &cursor->run_id, found);
	}
	if (found->n < found->max)
		cursor->branches_done = true;
}

/* Runs with messages that nobody has looked at, after the cursor. */
static void
scan_inbox(Oid owner, DxDueCursor *cursor, Found *found)
{
	Datum		values[3];
	uint64		i;
	bool		isnull;

	values[0] = ObjectIdGetDatum(owner);
	values[1] = Int64GetDatum(cursor->inbox_id);
	values[2] = Int64GetDatum(found->max - found->n);
	(void) dx_execute(&inbox_statement, values, NULL, false, 0);
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Datum		rank = SPI_getbinval(tuple, desc, 3, &isnull);

		add_found(found, DatumGetUUIDP(SPI_getbinval(tuple, desc, 1, &isnull)),
				  DatumGetInt16(rank));
		cursor->inbox_id = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
}

/* See scan.h. */
int
dx_scan_due(Oid owner, DxDueCursor *cursor, int max, pg_uuid_t *ids,
			int16 *ranks)
{
	DxIdentity	saved;
	Found		found = {0, max, ids, ranks};

	Assert(max > 0);
	dx_engine_enter(&saved);
	if (cursor->due_at == 0 && cursor->inbox_id == 0 && dx_database_at_home())
		(void) dx_leases_expire(owner, dx_now());
	if (!cursor->branches_done)
		scan_branches(owner, cursor, &found);
	if (found.n < max)
		scan_inbox(owner, cursor, &found);
	dx_engine_leave(&saved);
	return found.n;
}

/* The owners in SPI_tuptable, which is freed. */
static void
read_owners(DxLook *look, MemoryContext cxt)
{
	look->nowners = (int) SPI_processed;
	look->owners = MemoryContextAlloc(cxt, sizeof(DxDueOwner) * Max(SPI_processed, 1));
	for (int i = 0; i < look->nowners; i++)
	{
		DxRow		row = dx_row(i);

		look->owners[i].owner = DatumGetObjectId(dx_get(&row));
		look->owners[i].urgent = DatumGetBool(dx_get(&row));
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Ends leases, and finds out when the next thing is due.  Whose task was locked
 * has no message yet: that is seen a little later.
 */
static void
end_look(TimestampTz now, DxLook *look)
{
	Datum		values[1];
	bool		more = dx_database_at_home() && dx_leases_expire(InvalidOid, now);
	TimestampTz branch_due;
	TimestampTz lease_due;
	DxRow		row;

	values[0] = TimestampTzGetDatum(now);
	(void) dx_execute(&next_statement, values, NULL, false, 1);
	row = (DxRow) dx_row(0);
	branch_due = dx_get_time(&row, DT_NOEND);
	lease_due = dx_get_time(&row, DT_NOEND);
	look->next_due = Min(branch_due, lease_due);
	look->blocked = DatumGetBool(dx_get(&row)) && !more;
	if (more)
		look->next_due = now;
	SPI_freetuptable(SPI_tuptable);
}

/*
 * For the dispatcher: what has come due after a time and until now.  It costs
 * what that is, whatever else waits.
 */
void
dx_scan_timers(TimestampTz after, TimestampTz now, DxLook *look)
{
	MemoryContext cxt = CurrentMemoryContext;
	DxIdentity	saved;
	Datum		values[2];

	Assert(after <= now);
	dx_engine_enter(&saved);
	values[0] = TimestampTzGetDatum(after);
	values[1] = TimestampTzGetDatum(now);
	(void) dx_execute(&timers_statement, values, NULL, false, 0);
	read_owners(look, cxt);
	end_look(now, look);
	dx_engine_leave(&saved);
}

/*
 * For the dispatcher's sweep: everything that is due, also free slots that
 * nobody was woken for, and what nobody has announced.  Forgets what is old.
 */
void
dx_scan_all(TimestampTz now, DxLook *look)
{
	MemoryContext cxt = CurrentMemoryContext;
	DxIdentity	saved;
	Datum		values[1];

	dx_engine_enter(&saved);
	(void) dx_queue_sweep(InvalidOid);
	dx_outcomes_forget(now);
	values[0] = TimestampTzGetDatum(now);
	(void) dx_execute(&owners_statement, values, NULL, false, 0);
	read_owners(look, cxt);
	end_look(now, look);
	dx_engine_leave(&saved);
}
