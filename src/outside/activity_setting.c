/*-------------------------------------------------------------------------
 *
 * activity_setting.c
 *	  Sets the limits of an activity: how many tasks may be claimed at a time,
 *	  and how many a second.
 *
 * The slots are set as those of workflows are (slot_set.c); what a rate is made
 * of is described in activity_limit.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/slot_set.h"
#include "executor/spi.h"
#include "outside/activity_limit.h"
#include "outside/activity_setting.h"
#include "utils/builtins.h"

static DxStatement note_statement = {
	"INSERT INTO dealix.activity_limit (activity) VALUES ($1) ON CONFLICT (activity) DO NOTHING",
	1, {TEXTOID}
};

/* The same rate goes on with what is left of it. */
static DxStatement rate_statement = {
	"UPDATE dealix.activity_limit SET rate = $2, shards = $3"
	" WHERE activity = $1 AND (rate IS DISTINCT FROM $2 OR $4)",
	4, {TEXTOID, FLOAT8OID, INT4OID, BOOLOID}
};

static DxStatement drop_shards_statement = {
	"WITH f AS MATERIALIZED (SELECT owner, shard FROM dealix.activity_rate"
	" WHERE activity = $1 FOR UPDATE SKIP LOCKED)"
	" DELETE FROM dealix.activity_rate r USING f"
	" WHERE r.activity = $1 AND r.owner = f.owner AND r.shard = f.shard",
	1, {TEXTOID}
};

/*
 * Those of owners are made by their first claim.  A shard that a claim has locked
 * is there, and not waited for.
 */
static DxStatement make_shards_statement = {
	"INSERT INTO dealix.activity_rate (activity, shard, tokens, filled_at)"
	" SELECT $1, n, GREATEST($2 / $3, 1), pg_catalog.clock_timestamp()"
	" FROM pg_catalog.generate_series(0, $3 - 1) n"
	" WHERE NOT EXISTS (SELECT FROM dealix.activity_rate r"
	" WHERE r.activity = $1 AND r.owner = 0 AND r.shard = n) ON CONFLICT DO NOTHING",
	3, {TEXTOID, FLOAT8OID, INT4OID}
};

static DxStatement forget_statement = {
	"DELETE FROM dealix.activity_limit"
	" WHERE activity = $1 AND max_in_flight IS NULL AND rate IS NULL",
	1, {TEXTOID}
};

/* The rate, as far as it is another; moved: there are other sets of owners. */
static void
set_rate(Datum activity, double rate, bool per_owner, bool moved)
{
	Datum		values[4];
	char		nulls[4] = {' ', rate > 0 ? ' ' : 'n', rate > 0 ? ' ' : 'n', ' '};
	int			shards = (int) Min(Max(floor(rate), 1), DX_MAX_SHARDS);

	values[0] = activity;
	values[1] = Float8GetDatum(rate);
	values[2] = Int32GetDatum(shards);
	values[3] = BoolGetDatum(moved);
	(void) dx_execute(&rate_statement, values, nulls, false, 0);
	if (SPI_processed == 0)
		return;
	(void) dx_execute(&drop_shards_statement, values, NULL, false, 0);
	if (rate > 0 && !per_owner)
		(void) dx_execute(&make_shards_statement, values, NULL, false, 0);
}

/*
 * Sets the limits of an activity; 0 is none.  rate: claims a second; per_owner:
 * of the tasks of each owner.  Needs SPI_connect.
 */
void
dx_activity_limit(const char *activity, int max_in_flight, double rate, bool per_owner)
{
	DxIdentity	saved;
	Datum		values[1];
	bool		moved;

	Assert(max_in_flight >= 0 && rate >= 0);
	dx_engine_enter(&saved);
	values[0] = CStringGetTextDatum(activity);
	(void) dx_execute(&note_statement, values, NULL, false, 0);
	moved = dx_slots_set(&dx_activity_slots, values[0], max_in_flight, per_owner);
	set_rate(values[0], rate, per_owner, moved);
	(void) dx_execute(&forget_statement, values, NULL, false, 0);
	dx_engine_leave(&saved);
}
