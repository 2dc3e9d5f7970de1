/*-------------------------------------------------------------------------
 *
 * claim.c
 *	  Claiming activity tasks, within the limits of the activity.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/extension.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/server.h"
#include "base/sqlstate.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "engine/columns.h"
#include "engine/held.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "outside/activity_limit.h"
#include "outside/claim.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* Owners with the first of their unclaimed tasks, the most urgent owner first. */
static DxStatement owners_statement = {
	"WITH RECURSIVE o(owner) AS ("
	" (SELECT t.owner FROM dealix.activity_task t WHERE t.activity = $1"
	" AND t.claimed_at IS NULL AND t.halted IS NULL ORDER BY t.owner LIMIT 1)"
	" UNION ALL SELECT (SELECT t.owner FROM dealix.activity_task t"
	" WHERE t.activity = $1 AND t.claimed_at IS NULL AND t.halted IS NULL AND t.owner > o.owner"
	" ORDER BY t.owner LIMIT 1) FROM o WHERE o.owner IS NOT NULL)"
	" SELECT t.owner::pg_catalog.oid, h.rank, h.task_id FROM o t,"
	" LATERAL (SELECT a.rank, a.task_id FROM dealix.activity_task a"
	" WHERE a.activity = $1 AND a.owner = t.owner AND a.claimed_at IS NULL AND a.halted IS NULL"
	" ORDER BY a.activity, a.owner, a.rank, a.task_id LIMIT 1) h"
	" WHERE t.owner IS NOT NULL AND " DX_MAY_SERVE("$2", "$3")
	" ORDER BY h.rank, h.task_id",
	3, {TEXTOID, OIDOID, BOOLOID}
};

/* Is there anything but tasks of this owner that are as urgent as this rank? */
static DxStatement others_statement = {
	"SELECT WHERE EXISTS (SELECT FROM dealix.activity_task WHERE activity = $1"
	" AND owner < $2 AND claimed_at IS NULL AND halted IS NULL)"
	" OR EXISTS (SELECT FROM dealix.activity_task WHERE activity = $1"
	" AND owner > $2 AND claimed_at IS NULL AND halted IS NULL)"
	" OR EXISTS (SELECT FROM dealix.activity_task WHERE activity = $1"
	" AND owner = $2 AND rank < $3 AND claimed_at IS NULL AND halted IS NULL)",
	3, {TEXTOID, OIDOID, INT2OID}
};

/*
 * Unclaimed tasks of an activity and an owner, after a rank and a task id and
 * up to others.
 */
#define WAITING_TASKS(columns) \
	"SELECT " columns " FROM dealix.activity_task" \
	" WHERE activity = $1 AND owner = $2 AND claimed_at IS NULL AND halted IS NULL" \
	" AND (rank, task_id) > ($4, $5) AND (rank, task_id) <= ($6, $7)" \
	" ORDER BY activity, owner, rank, task_id LIMIT $3 FOR UPDATE SKIP LOCKED"

/* How long a claim lasts without a heartbeat. */
#define LEASE \
	"CASE WHEN t.token_only THEN t.heartbeat" \
	" WHEN t.start_to_close IS NULL AND t.heartbeat IS NULL AND $10 IS NULL" \
	" THEN '" DX_DEFAULT_LEASE "'::interval ELSE LEAST(t.heartbeat, $10) END"

#define CLAIM(set, picked, with) \
	"WITH picked AS MATERIALIZED (" WAITING_TASKS("task_id, attempt, rank") ")," \
	" c AS (UPDATE dealix.activity_task t SET claimed_at = $8, worker = $9," set \
	" lease = " LEASE ", until_at = LEAST($8 + t.start_to_close, t.close_at)," \
	" expires_at = LEAST($8 + " LEASE ", $8 + t.start_to_close, t.close_at)" \
	" FROM " picked " p WHERE t.task_id = p.task_id AND t.attempt = p.attempt" \
	" RETURNING t.*)" with \
	" SELECT task_id, attempt, input, run_id, state, expires_at, correlation_id," \
	" traceparent, details, rank FROM c ORDER BY rank, task_id"

static DxStatement claim_statement = {
	CLAIM("", "picked", ""),
	10, {TEXTOID, OIDOID, INT8OID, INT2OID, UUIDOID, INT2OID, UUIDOID,
	TIMESTAMPTZOID, TEXTOID, INTERVALOID}
};

/* The same under limits: $11 has a locked slot for each task, or is null. */
static DxStatement claim_limited_statement = {
	CLAIM(" slot_id = ($11)[p.n],",
		  "(SELECT task_id, attempt, pg_catalog.row_number()"
		  " OVER (ORDER BY rank, task_id)::int AS n FROM picked)",
		  ", s AS (UPDATE dealix.activity_slot s SET taken = true FROM c"
		  " WHERE s.slot_id = c.slot_id)"),
	11, {TEXTOID, OIDOID, INT8OID, INT2OID, UUIDOID, INT2OID, UUIDOID,
	TIMESTAMPTZOID, TEXTOID, INTERVALOID, INT8ARRAYOID}
};

/* Under limits: what there is, before something is taken for it. */
static DxStatement lock_tasks_statement = {
	"WITH picked AS MATERIALIZED (" WAITING_TASKS("task_id") ")"
	" SELECT pg_catalog.count(*) FROM picked",
	7, {TEXTOID, OIDOID, INT8OID, INT2OID, UUIDOID, INT2OID, UUIDOID}
};

/* May the current user do the tasks of every owner? */
bool
dx_may_serve(void)
{
	Oid			function = dx_extension_function(DX_INTERNAL, "all_activities");

	return OidIsValid(function) && dx_may_execute(function, GetUserId());
}

/* The first task of an owner. */
typedef struct Head
{
	Oid			owner;
	int16		rank;
	pg_uuid_t	task_id;
	bool		full;			/* a limit of its own leaves no room */
} Head;

/* Owners who have tasks of this activity that the caller may do. */
static int
find_owners(const char *activity, Oid user, bool all, Head **heads)
{
	MemoryContext cxt = CurrentMemoryContext;
	Datum		values[3];
	int			n;

	values[0] = CStringGetTextDatum(activity);
	values[1] = ObjectIdGetDatum(user);
	values[2] = BoolGetDatum(all);
	(void) dx_execute(&owners_statement, values, NULL, false, 0);
	n = (int) SPI_processed;
	*heads = MemoryContextAlloc(cxt, sizeof(Head) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		DxRow		row = dx_row(i);

		(*heads)[i].owner = DatumGetObjectId(dx_get(&row));
		(*heads)[i].rank = dx_get_int2(&row);
		(void) dx_get_uuid(&row, &(*heads)[i].task_id);
		(*heads)[i].full = false;
	}
	SPI_freetuptable(SPI_tuptable);
	return n;
}

/* In a copy of a database nothing is claimed. Errors: DX008. */
static void
refuse_held(void)
{
	if (!dx_database_held())
		return;
	ereport(ERROR,
			(errcode(DX_SQLSTATE_HELD),
			 errmsg("this database is held, because it is a copy"),
			 errdetail("A copy must not repeat the external effects of its original."),
			 errhint("If this is the database to work in, call dealix.resume_engine().")));
}

/*
 * How far down its queue this session has claimed.  Under an old snapshot the
 * claimed rows stay in the index: without a mark every claim would wade through
 * them.  What comes in before the mark with the same priority (another attempt)
 * is found by the next claim from the beginning.
 */
typedef struct Mark
{
	uint64		queue;			/* hash of activity and owner */
	DxMono		begun;			/* last claim from the beginning; 0: none */
	int16		rank;
	pg_uuid_t	task_id;
} Mark;

#define NMARKS				16
#define MARK_LASTS_MS		1000

static Mark marks[NMARKS];

/* Where this process remembers how far it has come in a queue. */
static Mark *
mark_of(const char *activity, Oid owner)
{
	uint64		queue = hash_bytes_extended((const unsigned char *) activity,
											strlen(activity), owner);
	Mark	   *mark = &marks[queue % NMARKS];

	if (mark->queue != queue)
		mark->begun = 0;
	mark->queue = queue;
	return mark;
}

/* Moves the mark to the last row in SPI_tuptable. */
static void
set_mark(Mark *mark)
{
	HeapTuple	last = SPI_tuptable->vals[SPI_processed - 1];
	bool		isnull;

	mark->task_id = *DatumGetUUIDP(SPI_getbinval(last, SPI_tuptable->tupdesc, 1, &isnull));
	mark->rank = DatumGetInt16(SPI_getbinval(last, SPI_tuptable->tupdesc, 10, &isnull));
}

/* A claim, and the parameters of its statements. */
typedef struct Claim
{
	const char *activity;
	Oid			user;
	bool		all;			/* the user may do the tasks of every owner */
	TimestampTz now;
	int			max;
	bool		limited;
	DxRoom		room;			/* if it is limited */
	Datum		values[11];
	char		nulls[11];
} Claim;

/*
 * Locks the next tasks and takes from the limits what they need.  false: there
 * are none, or there is no room for any.
 */
static bool
reserve(Claim *claim, Oid owner)
{
	ArrayType  *slots;
	int64		waiting;
	int			granted;
	bool		isnull;

	(void) dx_execute(&lock_tasks_statement, claim->values, NULL, false, 1);
	waiting = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
										  SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	if (waiting == 0)
		return false;
	granted = dx_room_take(claim->activity, owner, &claim->room, (int) waiting, &slots);
	if (!claim->room.per_owner)
		claim->max = granted;
	claim->values[2] = Int64GetDatum(granted);
	claim->values[10] = PointerGetDatum(slots);
	claim->nulls[10] = slots ? ' ' : 'n';
	return granted > 0;
}

/* When the leases in SPI_tuptable end, somebody has to look. */
static void
announce_leases(void)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		until = SPI_getbinval(SPI_tuptable->vals[i],
										  SPI_tuptable->tupdesc, 6, &isnull);

		if (!isnull)
			dx_wake_at(DatumGetTimestampTz(until));
	}
}

/* How many tasks of the owner may be claimed, under a limit per owner. */
static int
look_for_owner(Claim *claim, Oid owner)
{
	dx_room_look_of(claim->activity, owner, claim->max, &claim->room);
	if (claim->room.ahead)
		dx_room_set_back(claim->activity, owner);
	return claim->room.allowed;
}

/*
 * Claims tasks of one owner: after the mark, or from the beginning up to the
 * task of another owner, next; NULL: to the end.
 */
static uint64
claim_from(Claim *claim, Oid owner, bool marked, Head *next)
{
	Mark	   *mark = mark_of(claim->activity, owner);
	pg_uuid_t	zero = {{0}};
	pg_uuid_t	last;
	uint64		claimed = 0;
	int			max = claim->max;

	memset(&last, 0xff, sizeof(last));
	if (claim->room.per_owner)
		max = look_for_owner(claim, owner);
	if (max == 0)
		return 0;
	claim->values[1] = ObjectIdGetDatum(owner);
	claim->values[2] = Int64GetDatum(max);
	claim->values[3] = Int16GetDatum(marked ? mark->rank : PG_INT16_MIN);
	claim->values[4] = UUIDPGetDatum(marked ? &mark->task_id : &zero);
	claim->values[5] = Int16GetDatum(next ? next->rank : PG_INT16_MAX);
	claim->values[6] = UUIDPGetDatum(next ? &next->task_id : &last);
	if (!claim->limited || reserve(claim, claim->room.per_owner ? owner : InvalidOid))
	{
		(void) dx_execute(claim->limited ? &claim_limited_statement : &claim_statement,
						  claim->values, claim->nulls, false, 0);
		claimed = SPI_processed;
	}
	if (claimed == 0)
	{
		mark->begun = 0;
		return 0;
	}
	if (!marked)
		mark->begun = dx_mono();
	set_mark(mark);
	announce_leases();
	return claimed;
}

/* The owner from whom this session claimed last: most often there is one. */
static struct
{
	uint64		asked;			/* hash of activity and user */
	Oid			owner;
}			latest;

/* Is what comes after the mark of the latest owner the next to be claimed? */
static bool
goes_on(Claim *claim, uint64 asked)
{
	Mark	   *mark;
	Datum		values[3];

	if (latest.asked != asked)
		return false;
	mark = mark_of(claim->activity, latest.owner);
	if (mark->begun == 0 || dx_mono() >= mark->begun + MARK_LASTS_MS * 1000)
		return false;
	values[0] = CStringGetTextDatum(claim->activity);
	values[1] = ObjectIdGetDatum(latest.owner);
	values[2] = Int16GetDatum(mark->rank);
	(void) dx_execute(&others_statement, values, NULL, false, 1);
	SPI_freetuptable(SPI_tuptable);
	return SPI_processed == 0;
}

/*
 * By priority and age over all owners: from the one with the most urgent task,
 * up to where another one's turn is.  Where others have locked all of those,
 * from whoever has something.
 */
static uint64
claim_of_owners(Claim *claim)
{
	uint64		asked = hash_bytes_extended((const unsigned char *) claim->activity,
											strlen(claim->activity), claim->user);
	Head	   *heads;
	int			n;
	uint64		claimed = 0;

	if (goes_on(claim, asked))
		claimed = claim_from(claim, latest.owner, true, NULL);
	if (claimed > 0 || claim->max <= 0)
		return claimed;
	n = find_owners(claim->activity, claim->user, claim->all, &heads);
	for (int i = 0; i < (n > 1 ? 2 * n : n) && claimed == 0 && claim->max > 0; i++)
	{
		Head	   *head = &heads[i % n];

		CHECK_FOR_INTERRUPTS();
		if (head->full)
			continue;
		claimed = claim_from(claim, head->owner, false,
							 i + 1 < n ? &heads[i + 1] : NULL);
		head->full = claim->room.per_owner && claim->room.allowed <= 0;
		latest.asked = asked;
		latest.owner = head->owner;
	}
	return claimed;
}

/*
 * Claims up to max tasks.  The rows, of one owner, are left in SPI_tuptable and
 * SPI_processed; see dealix_claim, which calls this until it returns 0.  lease:
 * NULL or how long the worker wants to have without a heartbeat.
 */
uint64
dx_task_claim(const char *activity, const char *worker, int max, Interval *lease)
{
	DxIdentity	saved;
	Claim		claim = {activity, GetUserId(), dx_may_serve(), dx_now(), max};
	uint64		claimed = 0;

	Assert(max > 0);
	refuse_held();
	dx_engine_enter(&saved);
	claim.limited = dx_room_look(activity, max, &claim.room);
	if (claim.limited)
		claim.max = claim.room.allowed;
	if (claim.room.ahead)
		dx_room_set_back(activity, InvalidOid);
	memset(claim.nulls, ' ', sizeof(claim.nulls));
	claim.values[0] = CStringGetTextDatum(activity);
	claim.values[7] = TimestampTzGetDatum(claim.now);
	claim.values[8] = CStringGetTextDatum(worker);
	claim.values[9] = PointerGetDatum(lease);
	claim.nulls[9] = lease ? ' ' : 'n';
	if (claim.max > 0)
		claimed = claim_of_owners(&claim);
	dx_engine_leave(&saved);
	return claimed;
}

/*
 * Is there a task of this activity that the caller could claim now?  Locks
 * nothing.  *later: if not, then perhaps after so many ms, without anything
 * that wakes; 0: not.
 */
bool
dx_task_waits(const char *activity, long *later)
{
	DxIdentity	saved;
	DxRoom		room;
	Oid			user = GetUserId();
	bool		all = dx_may_serve();
	Head	   *heads;
	bool		limited;
	bool		waits;
	int			n;

	refuse_held();
	dx_engine_enter(&saved);
	limited = dx_room_look(activity, 1, &room);
	*later = room.later;
	n = !limited || room.allowed > 0 || room.ahead ?
		find_owners(activity, user, all, &heads) : 0;
	waits = n > 0 && !room.per_owner;
	for (int i = 0; i < n && !waits; i++)
	{
		CHECK_FOR_INTERRUPTS();
		waits = dx_room_waits_of(activity, heads[i].owner, &room);
		*later = *later == 0 ? room.later : Min(*later, room.later);
	}
	dx_engine_leave(&saved);
	return waits;
}
