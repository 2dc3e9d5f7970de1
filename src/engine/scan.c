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

#include "catalog/pg_type.h"
#include "engine/engine.h"
#include "miscadmin.h"
#include "utils/builtins.h"

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
 * A signal is work only while a branch waits for it; what came for a run that
 * has ended has to be put on record.  An incident takes in nothing but commands.
 */
#define INBOX_IS_WORK \
	"(i.kind IN (2, 9, 10)" \
	" OR NOT EXISTS (SELECT FROM dealix.branch b WHERE b.run_id = c.run_id)" \
	" OR ((i.kind <> 1 OR EXISTS (SELECT FROM dealix.branch b WHERE b.run_id = c.run_id" \
	" AND b.phase = 4 AND (b.wait_for = i.name OR i.name = ANY" \
	" (pg_catalog.regexp_split_to_array(b.wait_for, '[|&]')))))" \
	" AND NOT EXISTS (SELECT FROM dealix.run r WHERE r.run_id = c.run_id AND r.status = 3)))"

static DxStatement inbox_statement = {
	"SELECT c.run_id, i.inbox_id, (SELECT b.rank FROM dealix.branch b"
	" WHERE b.run_id = c.run_id ORDER BY b.branch LIMIT 1)"
	" FROM dealix.inbox i, " RECEIVER " c WHERE i.owner = $1 AND i.inbox_id > $2 AND " INBOX_IS_WORK
	" ORDER BY i.inbox_id LIMIT $3",
	3, {OIDOID, INT8OID, INT8OID}
};

/* Per owner: what one of them has left undone hides nothing of the others. */
static DxStatement owners_statement = {
	"WITH RECURSIVE o(owner, rank) AS ("
	" (SELECT b.owner, b.rank FROM dealix.branch b WHERE b.due_at IS NOT NULL"
	" ORDER BY b.owner, b.rank LIMIT 1)"
	" UNION ALL SELECT n.owner, n.rank FROM o, LATERAL ("
	" SELECT b.owner, b.rank FROM dealix.branch b WHERE b.due_at IS NOT NULL"
	" AND (b.owner, b.rank) > (o.owner, o.rank)"
	" ORDER BY b.owner, b.rank LIMIT 1) n),"
	" e(owner) AS ("
	" (SELECT t.owner FROM dealix.activity_task t WHERE t.expires_at IS NOT NULL"
	" ORDER BY t.owner LIMIT 1)"
	" UNION ALL SELECT n.owner FROM e, LATERAL ("
	" SELECT t.owner FROM dealix.activity_task t WHERE t.expires_at IS NOT NULL"
	" AND t.owner > e.owner ORDER BY t.owner LIMIT 1) n)"
	" SELECT o.owner::pg_catalog.oid,"
	" (SELECT pg_catalog.count(*) FROM (SELECT FROM dealix.branch b"
	" WHERE b.owner = o.owner AND b.rank = o.rank AND b.due_at <= $1 LIMIT 1000) d),"
	" (SELECT b.due_at FROM dealix.branch b WHERE b.owner = o.owner"
	" AND b.rank = o.rank AND b.due_at > $1 ORDER BY b.due_at LIMIT 1),"
	" o.rank < 0 FROM o"
	" UNION ALL SELECT e.owner::pg_catalog.oid,"
	" (SELECT pg_catalog.count(*) FROM (SELECT FROM dealix.activity_task t"
	" WHERE t.owner = e.owner AND t.expires_at <= $1 LIMIT 1000) d),"
	" (SELECT t.expires_at FROM dealix.activity_task t WHERE t.owner = e.owner"
	" AND t.expires_at > $1 ORDER BY t.expires_at LIMIT 1), false FROM e"
	" UNION ALL SELECT i.owner::pg_catalog.oid, pg_catalog.count(*), NULL, false"
	" FROM dealix.inbox i, " RECEIVER " c WHERE " INBOX_IS_WORK " GROUP BY i.owner",
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

int
dx_scan_due(Oid owner, DxDueCursor *cursor, int max, pg_uuid_t *ids,
			int16 *ranks)
{
	DxIdentity	saved;
	Found		found = {0, max, ids, ranks};

	dx_engine_enter(&saved);
	if (cursor->due_at == 0 && cursor->inbox_id == 0 && dx_database_at_home())
		dx_leases_expire(owner);
	if (!cursor->branches_done)
		scan_branches(owner, cursor, &found);
	if (found.n < max)
		scan_inbox(owner, cursor, &found);
	dx_engine_leave(&saved);
	return found.n;
}

/* Adds to the entry of an owner, which is made if there is none. */
static void
add_owner(DxDueOwner *owners, int *n, Oid owner, int64 due, bool urgent)
{
	int			i;

	for (i = 0; i < *n; i++)
	{
		if (owners[i].owner == owner)
		{
			owners[i].due += due;
			owners[i].urgent = owners[i].urgent || urgent;
			return;
		}
	}
	owners[*n].owner = owner;
	owners[*n].due = due;
	owners[*n].urgent = urgent;
	(*n)++;
}

int
dx_scan_owners(DxDueOwner **owners, TimestampTz *next_due, bool sweep)
{
	MemoryContext cxt = CurrentMemoryContext;
	DxIdentity	saved;
	Datum		values[1];
	uint64		i;
	int			n = 0;
	bool		isnull;

	dx_engine_enter(&saved);
	if (sweep)
		(void) dx_queue_sweep(InvalidOid);
	values[0] = TimestampTzGetDatum(dx_now());
	*next_due = DT_NOEND;
	(void) dx_execute(&owners_statement, values, NULL, false, 0);
	*owners = MemoryContextAlloc(cxt, sizeof(DxDueOwner) * Max(SPI_processed, 1));
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Oid			owner = DatumGetObjectId(SPI_getbinval(tuple, desc, 1, &isnull));
		int64		due = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull));
		Datum		next = SPI_getbinval(tuple, desc, 3, &isnull);

		if (!isnull)
			*next_due = Min(*next_due, DatumGetTimestampTz(next));
		if (due > 0)
			add_owner(*owners, &n, owner, due,
					  DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull)));
	}
	SPI_freetuptable(SPI_tuptable);
	dx_engine_leave(&saved);
	return n;
}
