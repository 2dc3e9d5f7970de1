/*-------------------------------------------------------------------------
 *
 * release.c
 *	  An operator takes a task away from the worker that has it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/server.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/inbox.h"
#include "engine/lease.h"
#include "engine/model.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "outside/release.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* As the end of a lease, and its run hears who ended it.  See lease.c. */
static DxStatement release_statement = {
	"WITH l AS MATERIALIZED (SELECT task_id, attempt FROM dealix.activity_task"
	" WHERE task_id = $1 AND claimed_at IS NOT NULL AND activity IS NOT NULL"
	" FOR UPDATE SKIP LOCKED),"
	" dead AS (DELETE FROM dealix.activity_task t USING l"
	" WHERE t.task_id = l.task_id AND t.attempt = l.attempt RETURNING t.*),"
	" freed AS (" DX_GIVE_BACK_SLOTS("dead") "),"
	" sent AS (" DX_INBOX_SEND("run_id", "$2", "owner", "$3", "$4", "$5", "activity",
							   "branch", "task_id", "attempt",
							   "pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
							   "'timeout', 'heartbeat', 'worker', worker, 'claimed', true,"
							   " 'released_by', $6::text, 'reason', $7::text, 'details', details))",
							   "FROM dead WHERE NOT cancelled") ")"
	" SELECT run_id, owner::pg_catalog.oid, rank, cancelled,"
	" CASE WHEN slot_id IS NOT NULL THEN activity END FROM dead",
	7, {UUIDOID, TIMESTAMPTZOID, INT2OID, OIDOID, OIDOID, TEXTOID, TEXTOID}
};

/*
 * Ends the lease of a task now.  false: no worker has it, or one is completing
 * it in an open transaction.  The caller has checked that the user may.
 */
bool
dx_task_release(const pg_uuid_t *task, const char *reason)
{
	DxIdentity	saved;
	Datum		values[7];
	bool		released;

	values[0] = UUIDPGetDatum(task);
	values[1] = TimestampTzGetDatum(dx_now());
	values[2] = Int16GetDatum(DX_MESSAGE_EXPIRED);
	values[3] = ObjectIdGetDatum(GetUserId());
	values[4] = ObjectIdGetDatum(GetSessionUserId());
	values[5] = CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	values[6] = reason ? CStringGetTextDatum(reason) : (Datum) 0;
	dx_engine_enter(&saved);
	(void) dx_execute(&release_statement, values, reason ? NULL : "      n", false, 0);
	released = SPI_processed > 0;
	if (released)
	{
		DxRow		row = dx_row(0);

		dx_task_gone(&row);
	}
	SPI_freetuptable(SPI_tuptable);
	dx_engine_leave(&saved);
	if (released)
		dx_force_durable();
	return released;
}
