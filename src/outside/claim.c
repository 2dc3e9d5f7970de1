/*-------------------------------------------------------------------------
 *
 * claim.c
 *	  Claiming activity tasks, within the limits of the activity.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "outside/outside.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"

/* How long a claim lasts when neither the definition nor the worker says. */
#define DEFAULT_LEASE	"5 minutes"

static DxStatement limit_statement = {
	"SELECT l.max_in_flight, LEAST(GREATEST(l.rate, 1), l.tokens"
	" + l.rate * EXTRACT(epoch FROM $2 - l.filled_at)), l.rate IS NOT NULL,"
	" CASE WHEN l.max_in_flight IS NOT NULL THEN (SELECT pg_catalog.count(*) FROM dealix.activity_task t"
	" WHERE t.activity = $1 AND t.limited) END"
	" FROM dealix.activity_limit l WHERE l.activity = $1 FOR UPDATE",
	2, {TEXTOID, TIMESTAMPTZOID}
};

static DxStatement fill_statement = {
	"UPDATE dealix.activity_limit SET tokens = $2, filled_at = $3"
	" WHERE activity = $1",
	3, {TEXTOID, FLOAT8OID, TIMESTAMPTZOID}
};

static DxStatement owners_statement = {
	"WITH RECURSIVE o(owner) AS ("
	" (SELECT t.owner FROM dealix.activity_task t WHERE t.activity = $1"
	" AND t.claimed_at IS NULL ORDER BY t.owner LIMIT 1)"
	" UNION ALL SELECT (SELECT t.owner FROM dealix.activity_task t"
	" WHERE t.activity = $1 AND t.claimed_at IS NULL AND t.owner > o.owner"
	" ORDER BY t.owner LIMIT 1) FROM o WHERE o.owner IS NOT NULL)"
	" SELECT t.owner::pg_catalog.oid FROM o t WHERE t.owner IS NOT NULL AND "
	DX_MAY_SERVE("$2", "$3"),
	3, {TEXTOID, OIDOID, BOOLOID}
};

static DxStatement claim_statement = {
	"WITH picked AS (SELECT task_id, epoch FROM dealix.activity_task"
	" WHERE activity = $1 AND owner = $2 AND claimed_at IS NULL"
	" AND (rank, task_id) > ($8, $9)"
	" ORDER BY activity, owner, rank, task_id LIMIT $3 FOR UPDATE SKIP LOCKED),"
	" c AS (UPDATE dealix.activity_task t SET claimed_at = $4, worker = $5,"
	" limited = $7,"
	" lease = CASE WHEN t.token_only THEN t.heartbeat"
	" WHEN t.start_to_close IS NULL AND t.heartbeat IS NULL AND $6 IS NULL"
	" THEN '" DEFAULT_LEASE "'::interval ELSE LEAST(t.heartbeat, $6) END,"
	" until_at = LEAST($4 + t.start_to_close, t.close_at),"
	" expires_at = LEAST($4 + CASE WHEN t.token_only THEN t.heartbeat"
	" WHEN t.start_to_close IS NULL AND t.heartbeat IS NULL AND $6 IS NULL"
	" THEN '" DEFAULT_LEASE "'::interval ELSE LEAST(t.heartbeat, $6) END,"
	" $4 + t.start_to_close, t.close_at)"
	" FROM picked p WHERE t.task_id = p.task_id AND t.epoch = p.epoch"
	" RETURNING t.*)"
	" SELECT task_id, epoch, input, run_id, state, expires_at, correlation_id,"
	" traceparent, details, rank FROM c ORDER BY rank, task_id",
	9, {TEXTOID, OIDOID, INT8OID, TIMESTAMPTZOID, TEXTOID, INTERVALOID, BOOLOID,
	INT2OID, UUIDOID}
};

/* May the current user do the tasks of every owner? */
bool
dx_may_serve(void)
{
	List	   *names = list_make2(makeString(pstrdup(DX_SCHEMA)),
								   makeString(pstrdup("all_activities")));
	Oid			function = LookupFuncName(names, 0, NULL, true);

	return OidIsValid(function) && dx_may_execute(function, GetUserId());
}

/*
 * How many tasks the activity's limits allow now, at most max.  Locks them, so
 * that claims of a limited activity go one after another.  *limited: it has
 * limits.
 */
static int
allowed_by_limits(const char *activity, int max, TimestampTz now, bool *limited,
				  double *tokens)
{
	Datum		values[2];
	int64		allowed = max;

	values[0] = CStringGetTextDatum(activity);
	values[1] = TimestampTzGetDatum(now);
	(void) dx_execute(&limit_statement, values, NULL, false, 1);
	*limited = SPI_processed > 0;
	*tokens = -1;
	if (*limited)
	{
		DxRow		row = dx_row(0);
		int32		in_flight_max = dx_get_int4(&row);
		bool		unlimited = row.isnull;
		double		filled = DatumGetFloat8(dx_get(&row));
		bool		has_rate = DatumGetBool(dx_get(&row));
		int64		in_flight = DatumGetInt64(dx_get(&row));

		if (has_rate)
		{
			*tokens = filled;
			allowed = Min(allowed, (int64) (filled + 1e-6));
		}
		if (!unlimited)
			allowed = Min(allowed, Max(in_flight_max - in_flight, 0));
	}
	SPI_freetuptable(SPI_tuptable);
	return (int) allowed;
}

static void
take_tokens(const char *activity, double left, TimestampTz now)
{
	Datum		values[3];

	values[0] = CStringGetTextDatum(activity);
	values[1] = Float8GetDatum(Max(left, 0));
	values[2] = TimestampTzGetDatum(now);
	(void) dx_execute(&fill_statement, values, NULL, false, 0);
}

/* Owners who have tasks of this activity that the caller may do. */
static int
find_owners(const char *activity, Oid user, bool all, Oid **owners)
{
	MemoryContext cxt = CurrentMemoryContext;
	Datum		values[3];
	int			n;

	values[0] = CStringGetTextDatum(activity);
	values[1] = ObjectIdGetDatum(user);
	values[2] = BoolGetDatum(all);
	(void) dx_execute(&owners_statement, values, NULL, false, 0);
	n = (int) SPI_processed;
	*owners = MemoryContextAlloc(cxt, sizeof(Oid) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		DxRow		row = dx_row(i);

		(*owners)[i] = DatumGetObjectId(dx_get(&row));
	}
	SPI_freetuptable(SPI_tuptable);
	return n;
}

static void
refuse_held(void)
{
	if (!dx_database_held())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("this database is held, because it is a copy"),
			 errdetail("A copy must not repeat the external effects of its original."),
			 errhint("If this is the database to work in, call dealix.resume_engine().")));
}

/*
 * How far down its queue this session has claimed.  Under an old snapshot the
 * claimed rows stay in the index: without a mark every claim would wade through
 * them.  What comes in before the mark (another attempt, a higher priority) is
 * found by the next claim from the beginning.
 */
typedef struct Mark
{
	uint64		queue;			/* hash of activity and owner */
	TimestampTz begun_at;		/* last claim from the beginning; 0: none */
	int16		rank;
	pg_uuid_t	task_id;
} Mark;

#define NMARKS				16
#define MARK_LASTS_MS		1000

static Mark marks[NMARKS];

static Mark *
mark_of(const char *activity, Oid owner)
{
	uint64		queue = hash_bytes_extended((const unsigned char *) activity,
											strlen(activity), owner);
	Mark	   *mark = &marks[queue % NMARKS];

	if (mark->queue != queue)
		mark->begun_at = 0;
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

/* Claims tasks of one owner; values 0 to 6 are set. */
static uint64
claim_from(const char *activity, Oid owner, TimestampTz now, Datum *values,
		   const char *nulls)
{
	Mark	   *mark = mark_of(activity, owner);
	pg_uuid_t	zero = {{0}};
	bool		marked = mark->begun_at != 0 &&
		now < TimestampTzPlusMilliseconds(mark->begun_at, MARK_LASTS_MS);

	values[7] = Int16GetDatum(marked ? mark->rank : PG_INT16_MIN);
	values[8] = UUIDPGetDatum(marked ? &mark->task_id : &zero);
	(void) dx_execute(&claim_statement, values, nulls, false, 0);
	if (SPI_processed == 0)
	{
		SPI_freetuptable(SPI_tuptable);
		mark->begun_at = 0;
		return marked ? claim_from(activity, owner, now, values, nulls) : 0;
	}
	if (!marked)
		mark->begun_at = now;
	set_mark(mark);
	return SPI_processed;
}

/* The owner from whom this session claimed last: most often there is one. */
static struct
{
	uint64		asked;			/* hash of activity and user */
	Oid			owner;
	TimestampTz until;
}			latest;

static uint64
claim_of_owners(const char *activity, Oid user, bool all, TimestampTz now,
				Datum *values, const char *nulls)
{
	uint64		asked = hash_bytes_extended((const unsigned char *) activity,
											strlen(activity), user);
	Oid		   *owners;
	int			nowners;
	uint64		claimed = 0;

	if (latest.asked == asked && now < latest.until)
	{
		values[1] = ObjectIdGetDatum(latest.owner);
		claimed = claim_from(activity, latest.owner, now, values, nulls);
		if (claimed > 0)
			return claimed;
	}
	nowners = find_owners(activity, user, all, &owners);
	for (int i = 0; i < nowners && claimed == 0; i++)
	{
		CHECK_FOR_INTERRUPTS();
		values[1] = ObjectIdGetDatum(owners[i]);
		claimed = claim_from(activity, owners[i], now, values, nulls);
		latest.asked = asked;
		latest.owner = owners[i];
		latest.until = TimestampTzPlusMilliseconds(now, MARK_LASTS_MS);
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
	Oid			user = GetUserId();
	bool		all = dx_may_serve();
	TimestampTz now = dx_now();
	uint64		claimed = 0;
	bool		limited;
	double		tokens;
	Datum		values[9];
	char		nulls[] = "         ";

	refuse_held();
	dx_engine_enter(&saved);
	max = allowed_by_limits(activity, max, now, &limited, &tokens);
	values[0] = CStringGetTextDatum(activity);
	values[2] = Int64GetDatum(max);
	values[3] = TimestampTzGetDatum(now);
	values[4] = CStringGetTextDatum(worker);
	values[5] = PointerGetDatum(lease);
	nulls[5] = lease ? ' ' : 'n';
	values[6] = BoolGetDatum(limited);
	if (max > 0)
		claimed = claim_of_owners(activity, user, all, now, values, nulls);
	if (claimed > 0 && tokens >= 0)
	{
		SPITupleTable *rows = SPI_tuptable;

		take_tokens(activity, tokens - claimed, now);
		SPI_tuptable = rows;
		SPI_processed = claimed;
	}
	dx_engine_leave(&saved);
	return claimed;
}

/*
 * Is there a task of this activity that the caller could claim now?  *limits:
 * if not, then perhaps a moment later, without anything happening.
 */
bool
dx_task_waits(const char *activity, bool *limits)
{
	DxIdentity	saved;
	Oid			user = GetUserId();
	bool		all = dx_may_serve();
	double		tokens;
	Oid		   *owners;
	bool		waits;

	refuse_held();
	dx_engine_enter(&saved);
	waits = allowed_by_limits(activity, 1, dx_now(), limits, &tokens) > 0 &&
		find_owners(activity, user, all, &owners) > 0;
	dx_engine_leave(&saved);
	return waits;
}
