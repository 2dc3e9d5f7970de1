/*-------------------------------------------------------------------------
 *
 * queue.c
 *	  Runs that wait for a slot of their workflow.
 *
 * Each set of slots (see slot_set.c) has a queue.  Runs are parked in phase
 * SLOT without a timer, in the index branch_slot by set, rank and run.  To wake
 * one is to give it one: due_at only says when to look, so it is set without the
 * lock on the run.  Who frees a slot wakes; the sweep finds slots that nobody
 * was woken for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/bounds.h"
#include "base/catalog.h"
#include "base/clock.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/queue.h"
#include "engine/turn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define WAITS	"phase = " DX_SQL(PHASE_SLOT) " AND due_at IS NULL"

/*
 * Those that somebody else is just waking are left out.  The ids are an array,
 * which is made once under every plan; a subquery that is joined would be
 * executed anew, with its LIMIT, for each row of the other side.  The cast keeps
 * the partial index, in which all of them are, out of the outer plan.
 */
static DxStatement wake_statement = {
	"UPDATE dealix.branch b SET due_at = $3 WHERE b.run_id = ANY (ARRAY("
	" SELECT run_id FROM dealix.branch WHERE " WAITS
	" AND wait_for = $1 AND (rank, run_id) > ($4, $5)"
	" AND ($6 IS NULL OR owner = $6)"
	" ORDER BY wait_for, rank, run_id LIMIT $2 FOR UPDATE SKIP LOCKED))"
	" AND b.phase::pg_catalog.int4 = " DX_SQL(PHASE_SLOT) " AND b.due_at IS NULL"
	" RETURNING b.run_id, b.owner::pg_catalog.oid, b.rank",
	6, {TEXTOID, INT8OID, TIMESTAMPTZOID, INT4OID, UUIDOID, OIDOID}
};

/* Workflows are few: each is found by one look into the index. */
static DxStatement workflows_statement = {
	"WITH RECURSIVE q(name) AS ("
	" (SELECT wait_for FROM dealix.branch WHERE " WAITS " AND wait_for IS NOT NULL"
	" ORDER BY wait_for LIMIT 1)"
	" UNION ALL SELECT (SELECT wait_for FROM dealix.branch WHERE " WAITS
	" AND wait_for > q.name ORDER BY wait_for LIMIT 1) FROM q WHERE q.name IS NOT NULL)"
	" SELECT pg_catalog.split_part(name, '/', 1)::pg_catalog.int4,"
	" COALESCE(NULLIF(pg_catalog.split_part(name, '/', 2), ''), '0')::pg_catalog.oid"
	" FROM q WHERE name IS NOT NULL",
	0, {0}
};

/*
 * How many more may begin: what is free is locked, and what the set lacks can be
 * made.  null: there is no limit, or it has other sets now.
 */
static DxStatement free_statement = {
	"WITH f AS MATERIALIZED (SELECT slot FROM dealix.workflow_slot"
	" WHERE workflow_id = $1 AND owner = $2 AND run_id IS NULL FOR UPDATE SKIP LOCKED)"
	" SELECT CASE WHEN per_owner = ($2 <> 0) THEN max_concurrency"
	" - (SELECT pg_catalog.count(*) FROM dealix.workflow_slot WHERE workflow_id = $1 AND owner = $2)"
	" + (SELECT pg_catalog.count(*) FROM f) END"
	" FROM dealix.workflow WHERE workflow_id = $1",
	2, {INT4OID, OIDOID}
};

/*
 * How far down the queue of a workflow this session has woken.  Under an old
 * snapshot those that were woken stay in the index, and a look from the
 * beginning wades through them: its share of the time is bounded.
 */
typedef struct Mark
{
	DxSlotSet	set;
	DxMono		again_at;		/* next look from the beginning */
	bool		placed;			/* rank and run_id count */
	int32		rank;
	pg_uuid_t	run_id;
} Mark;

#define NMARKS				16
#define BEFORE_ALL_RANKS	(PG_INT16_MIN - 1)

/* A look from the beginning takes one part in so many of the time. */
#define MARK_LASTS			20

static Mark marks[NMARKS];

/* Where this process has come to in the queue of a set. */
static Mark *
mark_of(DxSlotSet set)
{
	Mark	   *mark = &marks[dx_set_hash(set) % NMARKS];

	if (!dx_same_set(mark->set, set) || mark->again_at <= dx_mono())
		memset(mark, 0, sizeof(Mark));
	mark->set = set;
	return mark;
}

/* What a branch that waits for a slot of this set has in wait_for. */
char *
dx_queue_name(DxSlotSet set)
{
	if (!OidIsValid(set.owner))
		return psprintf("%d", set.workflow_id);
	return psprintf("%d/%u", set.workflow_id, set.owner);
}

/* The queue is empty up to there. */
static void
move_mark(Mark *mark, int rank, const pg_uuid_t *run_id)
{
	if (mark->placed &&
		(rank < mark->rank ||
		 (rank == mark->rank && memcmp(run_id, &mark->run_id, UUID_LEN) < 0)))
		return;
	mark->placed = true;
	mark->rank = rank;
	mark->run_id = *run_id;
}

/* Runs of this owner that have been woken. */
typedef struct Own
{
	Oid			owner;
	int			n;
	int			max;
	pg_uuid_t  *ids;
} Own;

/* Makes up to n runs after the mark due, and moves it.  own: or NULL. */
static int64
wake_after(Mark *mark, Oid owner, int64 n, TimestampTz due, Own *own)
{
	Datum		values[6];
	char		nulls[] = "      ";
	pg_uuid_t	none = {{0}};
	int64		woken;
	uint64		i;

	values[0] = CStringGetTextDatum(dx_queue_name(mark->set));
	values[1] = Int64GetDatum(n);
	values[2] = TimestampTzGetDatum(due);
	values[3] = Int32GetDatum(mark->placed ? mark->rank : BEFORE_ALL_RANKS);
	values[4] = UUIDPGetDatum(mark->placed ? &mark->run_id : &none);
	values[5] = ObjectIdGetDatum(owner);
	nulls[5] = OidIsValid(owner) ? ' ' : 'n';
	(void) dx_execute(&wake_statement, values, nulls, false, 0);
	woken = SPI_processed;
	if (woken > n)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("%lld runs were woken for %lld free slots",
						(long long) woken, (long long) n)));
	for (i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		pg_uuid_t  *run_id = DatumGetUUIDP(dx_get(&row));
		Oid			whose = DatumGetObjectId(dx_get(&row));
		int			rank = dx_get_int2(&row);

		CHECK_FOR_INTERRUPTS();
		move_mark(mark, rank, run_id);
		if (own != NULL && own->owner == whose)
		{
			dx_check_room(own->n, own->max, "runs that were woken");
			own->ids[own->n++] = *run_id;
		}
		if (due > dx_now())
			dx_wake_at(due);
		else
			dx_wake_run(whose, run_id, -rank);
	}
	SPI_freetuptable(SPI_tuptable);
	return woken;
}

/*
 * Wakes up to n of who waits in the queue of a set, the most urgent first.
 * Returns how many.
 */
static int64
wake(DxSlotSet set, Oid owner, int64 n, TimestampTz due, Own *own)
{
	Mark	   *mark = mark_of(set);
	int64		woken = 0;

	if (mark->placed)
		woken = wake_after(mark, owner, n, due, own);
	if (woken < n)
	{
		DxMono		begun = dx_mono();
		DxMono		now;

		mark->placed = false;
		woken += wake_after(mark, owner, n - woken, due, own);
		now = dx_mono();
		mark->again_at = now + MARK_LASTS * (now - begun);
	}
	return woken;
}

/*
 * Makes the first n runs that wait for a slot of this set due; only those
 * of owner, unless it is InvalidOid.  Returns how many there were.  Between
 * dx_engine_enter and dx_engine_leave.
 */
int64
dx_queue_wake(DxSlotSet set, Oid owner, int64 n, TimestampTz due)
{
	Assert(dx_engine_entered());
	Assert(n >= 0);
	return wake(set, owner, n, due, NULL);
}

/*
 * Makes the first n runs that wait due, whoever has them; ids gets those of
 * owner.  Returns how many these are.
 */
int
dx_queue_wake_own(DxSlotSet set, int n, Oid owner, pg_uuid_t *ids)
{
	Own			own = {owner, 0, n, ids};

	Assert(dx_engine_entered());
	(void) wake(set, InvalidOid, n, dx_now(), &own);
	return own.n;
}

/* Returns how many more runs may begin with this set; its free slots are locked. */
static int64
lock_free(DxSlotSet set)
{
	Datum		values[2];
	int64		nfree = 0;
	bool		isnull;

	values[0] = Int32GetDatum(set.workflow_id);
	values[1] = ObjectIdGetDatum(set.owner);
	(void) dx_execute(&free_statement, values, NULL, false, 1);
	if (SPI_processed > 0)
	{
		nfree = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
											SPI_tuptable->tupdesc, 1, &isnull));
		if (isnull)
			nfree = PG_INT32_MAX;
	}
	SPI_freetuptable(SPI_tuptable);
	return nfree;
}

/* The sets that somebody waits for. */
static List *
find_queues(void)
{
	List	   *sets = NIL;

	(void) dx_execute(&workflows_statement, NULL, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		DxSlotSet  *set = palloc(sizeof(DxSlotSet));

		set->workflow_id = dx_get_int4(&row);
		set->owner = DatumGetObjectId(dx_get(&row));
		sets = lappend(sets, set);
	}
	SPI_freetuptable(SPI_tuptable);
	return sets;
}

/*
 * The limit of a workflow has changed: everybody who waits looks again.  Between
 * dx_engine_enter and dx_engine_leave.
 */
void
dx_queue_wake_all(int32 workflow_id)
{
	ListCell   *lc;

	Assert(dx_engine_entered());
	foreach(lc, find_queues())
	{
		const DxSlotSet *set = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (set->workflow_id == workflow_id)
			(void) dx_queue_wake(*set, InvalidOid, PG_INT32_MAX, dx_now());
	}
}

/*
 * Wakes as many waiting runs as there are slots that nobody has or is about to
 * take; only runs of owner, unless it is InvalidOid.  The slots are locked, so
 * that who is woken by a pass that goes on with it is not woken in vain.
 * Returns how many.  Between dx_engine_enter and dx_engine_leave.
 */
int64
dx_queue_sweep(Oid owner)
{
	int64		woken = 0;
	ListCell   *lc;

	Assert(dx_engine_entered());
	foreach(lc, find_queues())
	{
		const DxSlotSet *set = lfirst(lc);
		int64		nfree;

		CHECK_FOR_INTERRUPTS();
		if (OidIsValid(owner) && OidIsValid(set->owner) && set->owner != owner)
			continue;
		nfree = lock_free(*set);
		if (nfree > 0)
			woken += dx_queue_wake(*set, owner, nfree, dx_now());
	}
	return woken;
}
