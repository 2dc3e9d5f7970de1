/*-------------------------------------------------------------------------
 *
 * lease.c
 *	  Leases of activity tasks that are over.
 *
 * A task's row is what a worker's token refers to; whoever deletes it (a
 * completion, a failure, or we) has the say, and puts one message into the
 * inbox of the run in the same statement.  A row that somebody has locked is
 * left alone: a completion in an open transaction still counts.
 *
 * expires_at is a lower bound that the index knows; heartbeats move only
 * heartbeat_at, so that they stay HOT.  Here the bound is moved to where the
 * lease really ends.
 *
 * The dispatcher comes by when the first bound of anybody has come, and wakes
 * the runs; a scan looks after its owner's, for where there is no dispatcher.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/guc.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "engine/columns.h"
#include "engine/inbox.h"
#include "engine/lease.h"
#include "engine/model.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define LIVES_UNTIL \
	"LEAST(COALESCE(t.heartbeat_at, t.claimed_at) + t.lease, t.until_at)"

#define EXPIRE_BATCH	1000

static DxStatement expire_statement = {
	"WITH due AS MATERIALIZED (SELECT task_id, attempt FROM dealix.activity_task"
	" WHERE ($1 IS NULL OR owner = $1) AND expires_at <= $2"
	" ORDER BY expires_at LIMIT $4 FOR UPDATE SKIP LOCKED),"
	" moved AS (UPDATE dealix.activity_task t SET expires_at = " LIVES_UNTIL
	" FROM due d WHERE t.task_id = d.task_id AND t.attempt = d.attempt"
	" AND " LIVES_UNTIL " > $2),"
	" dead AS (DELETE FROM dealix.activity_task t USING due d"
	" WHERE t.task_id = d.task_id AND t.attempt = d.attempt"
	" AND (" LIVES_UNTIL " > $2) IS NOT TRUE"
	" RETURNING t.*),"
	" freed AS (" DX_GIVE_BACK_SLOTS("dead") "),"
	" sent AS (" DX_INBOX_SEND("run_id", "$2", "owner", "$3", "owner", "NULL", "activity",
							   "branch", "task_id", "attempt",
							   "pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
							   "'timeout', CASE WHEN close_at <= $2 THEN 'schedule_to_close'"
							   " WHEN claimed_at IS NULL THEN 'schedule_to_start'"
							   " WHEN until_at <= $2 THEN 'start_to_close' ELSE 'heartbeat' END,"
							   " 'worker', worker, 'claimed', claimed_at IS NOT NULL AND activity IS NOT NULL,"
							   " 'details', details))",
							   "FROM dead WHERE NOT cancelled") ")"
	" SELECT (SELECT pg_catalog.count(*) FROM due), d.run_id, d.owner::pg_catalog.oid,"
	" d.rank, d.cancelled, CASE WHEN d.slot_id IS NOT NULL THEN d.activity END"
	" FROM (SELECT 1) one LEFT JOIN dead d ON true",
	4, {OIDOID, TIMESTAMPTZOID, INT2OID, INT8OID}
};

#define FORGET_BATCH	100
#define FORGET_ROUNDS	100

/* Of the oldest tasks, the outcomes that are old enough. */
static DxStatement forget_statement = {
	"WITH f AS MATERIALIZED (SELECT task_id, attempt, at FROM dealix.activity_outcome"
	" ORDER BY task_id, attempt LIMIT $1 FOR UPDATE SKIP LOCKED)"
	" DELETE FROM dealix.activity_outcome o USING f"
	" WHERE o.task_id = f.task_id AND o.attempt = f.attempt AND f.at < $2",
	2, {INT8OID, TIMESTAMPTZOID}
};

/*
 * The channel on which CALL dealix.wait_for_work hears of an activity: made
 * like a run id, so that waiters need not know the difference.
 */
void
dx_activity_channel(const char *activity, pg_uuid_t *channel)
{
	uint64		halves[2];

	halves[0] = hash_bytes_extended((const unsigned char *) activity,
									strlen(activity), MyDatabaseId);
	halves[1] = hash_bytes_extended((const unsigned char *) activity,
									strlen(activity), ~(uint64) MyDatabaseId);
	memcpy(channel->data, halves, UUID_LEN);
}

/*
 * A task is gone: its run has a message, and its slot is free.  The row goes on
 * with run_id, owner, rank, cancelled and the activity, null without a slot.
 */
void
dx_task_gone(DxRow *row)
{
	pg_uuid_t	run_id;
	pg_uuid_t	channel;
	Oid			owner;
	int16		rank;
	bool		cancelled;
	char	   *activity;

	if (!dx_get_uuid(row, &run_id))
		return;
	owner = DatumGetObjectId(dx_get(row));
	rank = dx_get_int2(row);
	cancelled = DatumGetBool(dx_get(row));
	activity = dx_get_text(row);
	if (!cancelled)
		dx_wake_run(owner, &run_id, -rank);
	if (activity == NULL)
		return;
	dx_activity_channel(activity, &channel);
	dx_wake_ended(&channel);
}

/*
 * Ends the leases of owner's tasks, or InvalidOid of everybody's, that are over
 * at now.  Returns true if there may be more of them.  Within dx_engine_enter.
 */
bool
dx_leases_expire(Oid owner, TimestampTz now)
{
	Datum		values[4];
	int64		ndue = 0;

	Assert(dx_engine_entered());
	values[0] = ObjectIdGetDatum(owner);
	values[1] = TimestampTzGetDatum(now);
	values[2] = Int16GetDatum(DX_MESSAGE_EXPIRED);
	values[3] = Int64GetDatum(EXPIRE_BATCH);
	(void) dx_execute(&expire_statement, values,
					  OidIsValid(owner) ? NULL : "n   ", false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);

		ndue = DatumGetInt64(dx_get(&row));
		dx_task_gone(&row);
	}
	SPI_freetuptable(SPI_tuptable);
	return ndue == EXPIRE_BATCH;
}

/*
 * Of the n oldest tasks, forgets the outcomes that are older than
 * outcome_retention at now.  Returns how many.  Within dx_engine_enter.
 */
uint64
dx_outcomes_forget_oldest(int n, TimestampTz now)
{
	Datum		values[2];

	Assert(dx_engine_entered());
	values[0] = Int64GetDatum(n);
	values[1] = TimestampTzGetDatum(now - dx_outcome_retention * USECS_PER_SEC);
	(void) dx_execute(&forget_statement, values, NULL, false, 0);
	return SPI_processed;
}

/*
 * Forgets what is old enough, where no answers come in that would do it by the
 * way.  Within dx_engine_enter.
 */
void
dx_outcomes_forget(TimestampTz now)
{
	for (int i = 0; i < FORGET_ROUNDS; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (dx_outcomes_forget_oldest(FORGET_BATCH, now) < FORGET_BATCH)
			return;
	}
}
