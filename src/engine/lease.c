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
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "engine/engine.h"

#define LIVES_UNTIL \
	"LEAST(COALESCE(t.heartbeat_at, t.claimed_at) + t.lease, t.until_at)"

static DxStatement expire_statement = {
	"WITH due AS MATERIALIZED (SELECT task_id, epoch FROM dealix.activity_task"
	" WHERE owner = $1 AND expires_at <= $2"
	" ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED),"
	" moved AS (UPDATE dealix.activity_task t SET expires_at = " LIVES_UNTIL
	" FROM due d WHERE t.task_id = d.task_id AND t.epoch = d.epoch"
	" AND " LIVES_UNTIL " > $2),"
	" dead AS (DELETE FROM dealix.activity_task t USING due d"
	" WHERE t.task_id = d.task_id AND t.epoch = d.epoch"
	" AND (" LIVES_UNTIL " > $2) IS NOT TRUE"
	" RETURNING t.*),"
	" freed AS (" DX_GIVE_BACK_SLOTS("dead") ")"
	" INSERT INTO dealix.inbox (run_id, sent_at, owner, kind, sender, name,"
	" branch, ticket, epoch, payload)"
	" SELECT run_id, $2, owner, $3, owner, activity, branch, task_id, epoch,"
	" pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
	" 'timeout', CASE WHEN close_at <= $2 THEN 'schedule_to_close'"
	" WHEN claimed_at IS NULL THEN 'schedule_to_start'"
	" WHEN until_at <= $2 THEN 'start_to_close' ELSE 'heartbeat' END,"
	" 'worker', worker, 'claimed', claimed_at IS NOT NULL AND activity IS NOT NULL,"
	" 'details', details))"
	" FROM dead WHERE NOT cancelled",
	3, {OIDOID, TIMESTAMPTZOID, INT2OID}
};

/*
 * Ends the leases of owner's tasks that are over.  Within dx_engine_enter.
 */
void
dx_leases_expire(Oid owner)
{
	Datum		values[3];

	values[0] = ObjectIdGetDatum(owner);
	values[1] = TimestampTzGetDatum(dx_now());
	values[2] = Int16GetDatum(DX_MESSAGE_EXPIRED);
	(void) dx_execute(&expire_statement, values, NULL, false, 0);
}
