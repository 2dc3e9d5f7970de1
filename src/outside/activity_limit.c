/*-------------------------------------------------------------------------
 *
 * activity_limit.c
 *	  Flow control of activities: how many tasks may be claimed at a time, and
 *	  how many a second.
 *
 * Nobody waits for a row here.  What others have locked is passed over, and
 * counts as used.
 *
 * An activity with a max_in_flight has as many rows in dealix.activity_slot.
 * A claim locks free ones and marks them taken; who deletes the task's row
 * gives its slot back in the same statement.  So a claim that is rolled back
 * has taken nothing.
 *
 * A limit per owner has a set of slots and a bucket for the tasks of each owner,
 * made by the first claim of one; owner 0 is what all owners share.
 *
 * When a limit is lowered, slots beyond it stay for as long as they are taken,
 * and the activity is crowded.  Then the number of rows no longer is the limit:
 * a claim locks every free slot that it can, and leaves as many of them as
 * there are slots beyond the limit.
 *
 * A rate is a token bucket in shards (dealix.activity_rate), so that claims
 * need not meet in one row.  A shard fills by itself with its share of the
 * rate.  A claim looks at the shards without a lock, locks no more of them than
 * it needs, whole tokens before fractions, and counts again under the lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "engine/columns.h"
#include "executor/spi.h"
#include "outside/activity_limit.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/timestamp.h"

static DxStatement limit_statement = {
	"SELECT max_in_flight IS NOT NULL, rate IS NOT NULL, per_owner"
	" FROM dealix.activity_limit WHERE activity = $1",
	1, {TEXTOID}
};

#define CROWDED \
	"EXISTS (SELECT FROM dealix.activity_slot s WHERE s.activity = l.activity" \
	" AND s.owner = $3 AND s.slot > l.max_in_flight)"

static DxStatement free_statement = {
	"WITH l AS (SELECT max_in_flight, " CROWDED " AS crowded"
	" FROM dealix.activity_limit l WHERE activity = $1)"
	" SELECT crowded, CASE WHEN NOT crowded THEN"
	" (SELECT pg_catalog.count(*) FROM (SELECT FROM dealix.activity_slot"
	" WHERE activity = $1 AND owner = $3 AND NOT taken LIMIT $2) f)"
	" ELSE max_in_flight - (SELECT pg_catalog.count(*)"
	" FROM dealix.activity_slot WHERE activity = $1 AND owner = $3 AND taken) END FROM l",
	3, {TEXTOID, INT4OID, OIDOID}
};

/* The sets of an owner, or what of them is missing. */
static DxStatement make_slots_statement = {
	"INSERT INTO dealix.activity_slot (activity, owner, slot)"
	" SELECT $1, $2, n FROM dealix.activity_limit l, pg_catalog.generate_series(1, l.max_in_flight) n"
	" WHERE l.activity = $1 AND l.per_owner"
	" AND (SELECT pg_catalog.count(*) FROM dealix.activity_slot WHERE activity = $1 AND owner = $2)"
	" < l.max_in_flight ON CONFLICT DO NOTHING",
	2, {TEXTOID, OIDOID}
};

/* Is anything of it missing? */
static DxStatement missing_statement = {
	"SELECT WHERE ($3 AND NOT EXISTS (SELECT FROM dealix.activity_slot WHERE activity = $1 AND owner = $2))"
	" OR ($4 AND NOT EXISTS (SELECT FROM dealix.activity_rate WHERE activity = $1 AND owner = $2))",
	4, {TEXTOID, OIDOID, BOOLOID, BOOLOID}
};

static DxStatement make_shards_statement = {
	"INSERT INTO dealix.activity_rate (activity, owner, shard, tokens, filled_at)"
	" SELECT $1, $2, n, GREATEST(l.rate / l.shards, 1), pg_catalog.clock_timestamp()"
	" FROM dealix.activity_limit l, pg_catalog.generate_series(0, l.shards - 1) n"
	" WHERE l.activity = $1 AND l.per_owner"
	" AND (SELECT pg_catalog.count(*) FROM dealix.activity_rate WHERE activity = $1 AND owner = $2)"
	" < l.shards ON CONFLICT DO NOTHING",
	2, {TEXTOID, OIDOID}
};

/* Free slots beyond the limit go.  Not while somebody changes the limit. */
static DxStatement trim_statement = {
	"WITH l AS MATERIALIZED (SELECT max_in_flight FROM dealix.activity_limit"
	" WHERE activity = $1 FOR UPDATE SKIP LOCKED),"
	" f AS MATERIALIZED (SELECT s.slot_id FROM l, dealix.activity_slot s WHERE s.activity = $1"
	" AND s.owner = $2 AND s.slot > l.max_in_flight AND NOT s.taken FOR UPDATE OF s SKIP LOCKED)"
	" DELETE FROM dealix.activity_slot s WHERE s.slot_id = ANY (ARRAY(SELECT slot_id FROM f))",
	2, {TEXTOID, OIDOID}
};

static DxStatement slots_statement = {
	"WITH l AS (SELECT max_in_flight, " CROWDED " AS crowded"
	" FROM dealix.activity_limit l WHERE activity = $1),"
	" f AS MATERIALIZED (SELECT slot_id, slot FROM dealix.activity_slot"
	" WHERE activity = $1 AND owner = $3 AND NOT taken"
	" ORDER BY slot LIMIT (SELECT CASE WHEN NOT crowded THEN $2 END FROM l)"
	" FOR UPDATE SKIP LOCKED)"
	" SELECT slot_id FROM f ORDER BY slot LIMIT (SELECT CASE WHEN NOT crowded THEN $2"
	" ELSE GREATEST(0, (SELECT pg_catalog.count(*) FROM f) + max_in_flight"
	" - (SELECT pg_catalog.count(*) FROM dealix.activity_slot WHERE activity = $1 AND owner = $3))"
	" END FROM l)",
	3, {TEXTOID, INT4OID, OIDOID}
};

/* By so much the clocks of two claims do not differ. */
#define AHEAD	"'1 s'::interval"

/* The shards of $4 with what each has got at $2. */
#define SEEN \
	"SELECT r.shard, r.filled_at > $2 + " AHEAD " AS ahead, l.rate / l.shards AS rate, (r.shard + $3) % l.shards AS turn," \
	" LEAST(GREATEST(l.rate / l.shards, 1), r.tokens + l.rate / l.shards" \
	" * GREATEST(0, pg_catalog.date_part('epoch', $2 - r.filled_at))) AS tokens" \
	" FROM dealix.activity_limit l JOIN dealix.activity_rate r" \
	" ON r.activity = l.activity AND r.owner = $4 AND r.shard < l.shards WHERE l.activity = $1"

static DxStatement tokens_statement = {
	"SELECT pg_catalog.sum(tokens), pg_catalog.sum(rate), pg_catalog.bool_or(ahead)"
	" FROM (" SEEN ") s",
	4, {TEXTOID, TIMESTAMPTZOID, INT4OID, OIDOID}
};

/*
 * Shards that were filled in the future, because the clock was set back since:
 * to them that is now, or nothing would come in until then.
 */
static DxStatement set_back_statement = {
	"WITH f AS MATERIALIZED (SELECT shard FROM dealix.activity_rate"
	" WHERE activity = $1 AND owner = $3 AND filled_at > $2 + " AHEAD " FOR UPDATE SKIP LOCKED)"
	" UPDATE dealix.activity_rate r SET filled_at = $2 FROM f"
	" WHERE r.activity = $1 AND r.owner = $3 AND r.shard = f.shard",
	3, {TEXTOID, TIMESTAMPTZOID, OIDOID}
};

static DxStatement shards_statement = {
	"SELECT r.shard, r.tokens, r.filled_at, c.rate FROM"
	" (SELECT shard, rate, turn, tokens, pg_catalog.sum(tokens)"
	" OVER (ORDER BY tokens < 1, turn) - tokens AS before FROM (" SEEN ") s) c"
	" JOIN dealix.activity_rate r ON r.activity = $1 AND r.owner = $4 AND r.shard = c.shard"
	" WHERE c.before < $5 AND c.tokens > 0"
	" ORDER BY c.tokens < 1, c.turn FOR UPDATE OF r SKIP LOCKED",
	5, {TEXTOID, TIMESTAMPTZOID, INT4OID, OIDOID, FLOAT8OID}
};

static DxStatement drain_statement = {
	"UPDATE dealix.activity_rate r SET tokens = u.tokens, filled_at = $4"
	" FROM unnest($1, $2) AS u(shard, tokens)"
	" WHERE r.activity = $3 AND r.owner = $5 AND r.shard = u.shard",
	5, {INT4ARRAYOID, FLOAT8ARRAYOID, TEXTOID, TIMESTAMPTZOID, OIDOID}
};

/* A limit may be changed, or a claim rolled back, without a word. */
#define LOOK_AGAIN_MS		100
#define LOOK_AGAIN_MAX_MS	1000

typedef struct Shard
{
	int32		shard;
	double		tokens;
} Shard;

/* How many slots seem to be free; more than enough are not counted. */
static int
look_for_slots(const char *activity, Oid owner, int max, bool *crowded)
{
	Datum		values[3];
	int64		nfree = 0;

	values[0] = CStringGetTextDatum(activity);
	values[1] = Int32GetDatum(max);
	values[2] = ObjectIdGetDatum(owner);
	(void) dx_execute(&free_statement, values, NULL, false, 1);
	*crowded = false;
	if (SPI_processed > 0)
	{
		DxRow		row = dx_row(0);

		*crowded = DatumGetBool(dx_get(&row));
		nfree = DatumGetInt64(dx_get(&row));
	}
	SPI_freetuptable(SPI_tuptable);
	return (int) Min(Max(nfree, 0), max);
}

/* How many whole tokens there seem to be, and if none, when there is one. */
static int
look_for_tokens(const char *activity, Oid owner, int max, DxRoom *room)
{
	Datum		values[4];
	DxRow		row;
	double		tokens;
	double		rate;

	values[0] = CStringGetTextDatum(activity);
	values[1] = TimestampTzGetDatum(dx_now());
	values[2] = Int32GetDatum(0);
	values[3] = ObjectIdGetDatum(owner);
	(void) dx_execute(&tokens_statement, values, NULL, false, 1);
	row = (DxRow) dx_row(0);
	tokens = DatumGetFloat8(dx_get(&row));
	if (row.isnull)
		tokens = 0;
	rate = DatumGetFloat8(dx_get(&row));
	if (row.isnull)
		rate = 0;
	room->ahead = DatumGetBool(dx_get(&row));
	SPI_freetuptable(SPI_tuptable);
	if (tokens < 1)
		room->later = rate <= 0 ? LOOK_AGAIN_MS :
			(long) Min(ceil((1 - tokens) / rate * 1000), LOOK_AGAIN_MAX_MS);
	return (int) Min(tokens, max);
}

/* What the limits seem to leave of max; no locks are taken. */
static void
look_for_room(const char *activity, Oid owner, int max, DxRoom *room)
{
	room->allowed = max;
	room->later = 0;
	if (room->has_slots)
		room->allowed = look_for_slots(activity, owner, room->allowed, &room->crowded);
	/* Who takes a claim back does not say so. */
	if (room->allowed <= 0)
		room->later = LOOK_AGAIN_MS;
	else if (room->has_rate)
		room->allowed = look_for_tokens(activity, owner, room->allowed, room);
}

/* What an owner's limit is made of, if it is not there yet.  false: it all is. */
static bool
make_room(const char *activity, Oid owner, const DxRoom *room)
{
	Datum		values[2];
	bool		made = false;

	values[0] = CStringGetTextDatum(activity);
	values[1] = ObjectIdGetDatum(owner);
	if (room->has_slots)
	{
		(void) dx_execute(&make_slots_statement, values, NULL, false, 0);
		made = SPI_processed > 0;
	}
	if (room->has_rate)
	{
		(void) dx_execute(&make_shards_statement, values, NULL, false, 0);
		made = made || SPI_processed > 0;
	}
	return made;
}

/*
 * Of a limit per owner: how many tasks of this one, at most max, may be claimed.
 * After dx_room_look, where a claim is to follow.
 */
void
dx_room_look_of(const char *activity, Oid owner, int max, DxRoom *room)
{
	look_for_room(activity, owner, max, room);
	if (room->allowed <= 0 && make_room(activity, owner, room))
		look_for_room(activity, owner, max, room);
}

/*
 * The same without making anything: may one of them be claimed?  Where something
 * is missing a claim will say.
 */
bool
dx_room_waits_of(const char *activity, Oid owner, DxRoom *room)
{
	Datum		values[4];
	bool		missing;

	look_for_room(activity, owner, 1, room);
	if (room->allowed > 0 || room->ahead)
		return true;
	values[0] = CStringGetTextDatum(activity);
	values[1] = ObjectIdGetDatum(owner);
	values[2] = BoolGetDatum(room->has_slots);
	values[3] = BoolGetDatum(room->has_rate);
	(void) dx_execute(&missing_statement, values, NULL, false, 1);
	missing = SPI_processed > 0;
	SPI_freetuptable(SPI_tuptable);
	return missing;
}

/*
 * Looks, without locking anything, whether the activity has limits, and how
 * many claims, at most max, they seem to allow.  With a limit per owner the
 * latter is for dx_room_look_of to say.  false: it has none.  Between
 * dx_engine_enter and dx_engine_leave.
 */
bool
dx_room_look(const char *activity, int max, DxRoom *room)
{
	Datum		values[1];
	bool		limited;

	memset(room, 0, sizeof(DxRoom));
	values[0] = CStringGetTextDatum(activity);
	(void) dx_execute(&limit_statement, values, NULL, false, 1);
	limited = SPI_processed > 0;
	if (limited)
	{
		DxRow		row = dx_row(0);

		room->has_slots = DatumGetBool(dx_get(&row));
		room->has_rate = DatumGetBool(dx_get(&row));
		room->per_owner = DatumGetBool(dx_get(&row));
	}
	SPI_freetuptable(SPI_tuptable);
	room->allowed = max;
	if (!room->per_owner)
		look_for_room(activity, InvalidOid, max, room);
	return limited;
}

/*
 * The clock was set back since tokens came in (room->ahead): from now on they
 * come in again.  Between dx_engine_enter and dx_engine_leave.
 */
void
dx_room_set_back(const char *activity, Oid owner)
{
	Datum		values[3];

	values[0] = CStringGetTextDatum(activity);
	values[1] = TimestampTzGetDatum(dx_now());
	values[2] = ObjectIdGetDatum(owner);
	(void) dx_execute(&set_back_statement, values, NULL, false, 0);
}

/* Locks free slots: how many of those that are wanted. */
static int
lock_slots(const char *activity, Oid owner, bool crowded, int wanted, Datum *slots)
{
	Datum		values[3];
	int			locked;

	values[0] = CStringGetTextDatum(activity);
	values[1] = ObjectIdGetDatum(owner);
	if (crowded)
		(void) dx_execute(&trim_statement, values, NULL, false, 0);
	values[1] = Int32GetDatum(wanted);
	values[2] = ObjectIdGetDatum(owner);
	(void) dx_execute(&slots_statement, values, NULL, false, 0);
	locked = (int) Min(SPI_processed, (uint64) wanted);
	for (int i = 0; i < locked; i++)
	{
		DxRow		row = dx_row(i);

		slots[i] = dx_get(&row);	/* by value */
	}
	SPI_freetuptable(SPI_tuptable);
	return locked;
}

/*
 * Locks shards that seem to have so many tokens together.  *now: the time up to
 * which they are filled then, taken after the locks: never before the time up
 * to which somebody else has filled them.
 */
static int
lock_shards(const char *activity, Oid owner, double enough, Shard *shards,
			TimestampTz *now)
{
	Datum		values[5];
	int			nshards;

	values[0] = CStringGetTextDatum(activity);
	values[1] = TimestampTzGetDatum(dx_now());
	values[2] = Int32GetDatum(pg_prng_uint32(&pg_global_prng_state) % DX_MAX_SHARDS);
	values[3] = ObjectIdGetDatum(owner);
	values[4] = Float8GetDatum(enough);
	(void) dx_execute(&shards_statement, values, NULL, false, DX_MAX_SHARDS);
	nshards = (int) SPI_processed;
	*now = dx_now();
	for (int i = 0; i < nshards; i++)
	{
		DxRow		row = dx_row(i);
		double		tokens;
		double		rate;
		TimestampTz filled_at;

		dx_check_room(i, DX_MAX_SHARDS, "shards of a rate");
		shards[i].shard = dx_get_int4(&row);
		tokens = DatumGetFloat8(dx_get(&row));
		filled_at = dx_get_time(&row, *now);
		rate = DatumGetFloat8(dx_get(&row));
		tokens += rate * Max(*now - filled_at, 0) / USECS_PER_SEC;
		shards[i].tokens = Min(tokens, Max(rate, 1));
	}
	SPI_freetuptable(SPI_tuptable);
	return nshards;
}

/* Takes whole tokens from shards that seem to have enough of them together. */
static int
take_from_shards(const char *activity, Oid owner, int wanted, double enough)
{
	Shard		shards[DX_MAX_SHARDS];
	TimestampTz now;
	int			nshards = lock_shards(activity, owner, enough, shards, &now);
	DxColumns  *columns = dx_columns_make(&drain_statement, DX_MAX_SHARDS);
	Datum		values[5];
	double		sum = 0;
	double		left;

	for (int i = 0; i < nshards; i++)
		sum += shards[i].tokens;
	wanted = (int) Min(wanted, sum);
	if (wanted == 0)
		return 0;
	left = wanted;
	columns->ncolumns = 2;
	for (int i = 0; i < nshards; i++)
	{
		double		part = Min(shards[i].tokens, left);

		left -= part;
		dx_put_int4(columns, shards[i].shard);
		dx_put(columns, Float8GetDatum(shards[i].tokens - part), false);
	}
	dx_columns_values(columns, values);
	values[2] = CStringGetTextDatum(activity);
	values[3] = TimestampTzGetDatum(now);
	values[4] = ObjectIdGetDatum(owner);
	(void) dx_execute(&drain_statement, values, NULL, false, 0);
	return wanted;
}

/*
 * Locks what so many claims need, or as many of them as there is room for:
 * returns how many.  owner: of the tasks under a limit per owner, or InvalidOid.
 *   What it takes it takes for this transaction.  *slots: an
 * array of a slot for each, for the claim to mark as taken; NULL: there is no
 * max_in_flight.  After dx_room_look.
 */
int
dx_room_take(const char *activity, Oid owner, const DxRoom *room,
			 int wanted, ArrayType **slots)
{
	Datum	   *locked = palloc(sizeof(Datum) * wanted);
	int			granted = wanted;

	Assert(wanted > 0);
	*slots = NULL;
	if (room->has_slots)
		granted = lock_slots(activity, owner, room->crowded, wanted, locked);
	if (room->has_rate && granted > 0)
	{
		wanted = granted;
		granted = take_from_shards(activity, owner, wanted, wanted);
		/* Others had some of those: whatever the rest has. */
		if (granted < wanted)
			granted += take_from_shards(activity, owner, wanted - granted,
										get_float8_infinity());
	}
	if (room->has_slots)
		*slots = construct_array(locked, granted, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
								 TYPALIGN_DOUBLE);
	return granted;
}
