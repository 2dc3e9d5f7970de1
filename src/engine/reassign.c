/*-------------------------------------------------------------------------
 *
 * reassign.c
 *	  Hands what a role has over to another: live runs with all that belongs
 *	  to them, workflows, schedules, bindings, consumers and trust.
 *
 * Runs that have ended stay as they were.  The tables are locked against
 * everybody who starts or advances a run, so that nothing is left behind.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/catalog.h"
#include "base/extension.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/owner.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/reassign.h"
#include "engine/role.h"
#include "engine/slot_set.h"
#include "engine/trust.h"
#include "engine/version.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

/* Runs whose events are written at a time. */
#define BATCH	1000

static DxStatement lock_statement = {
	"LOCK TABLE dealix.run, dealix.workflow, dealix.schedule, dealix.trust,"
	" dealix.known_role, dealix.workflow_slot, dealix.activity_slot IN EXCLUSIVE MODE",
	0, {0}
};

static DxStatement live_statement = {
	"SELECT run_id FROM dealix.run WHERE owner = $1 AND status < " DX_SQL(RUN_ENDED)
	" AND run_id > $2 ORDER BY run_id LIMIT $3",
	3, {OIDOID, UUIDOID, INT4OID}
};

/* What both have under one name. */
static DxStatement twice_statement = {
	"SELECT pg_catalog.concat('a schedule \"', f.name, '\"') FROM dealix.schedule f"
	" JOIN dealix.schedule t ON t.owner = $2 AND t.name = f.name WHERE f.owner = $1"
	" UNION ALL SELECT pg_catalog.concat('a consumer \"', f.name, '\"') FROM dealix.outbox_consumer f"
	" JOIN dealix.outbox_consumer t ON t.role = $2 AND t.name = f.name WHERE f.role = $1"
	" UNION ALL SELECT pg_catalog.concat('a run with key \"', f.key, '\"') FROM dealix.run_key f"
	" JOIN dealix.run r ON r.run_id = f.run_id AND r.status < " DX_SQL(RUN_ENDED)
	" JOIN dealix.run_key t ON t.workflow_id = f.workflow_id AND t.owner = $2 AND t.key = f.key"
	" WHERE f.owner = $1 LIMIT 1",
	2, {OIDOID, OIDOID}
};

#define MOVE(table, column) \
	{"UPDATE dealix." table " SET " column " = $2 WHERE " column " = $1", \
	2, {OIDOID, OIDOID}}

static DxStatement runs_statement = {
	"UPDATE dealix.run SET owner = $2, reassigned = true"
	" WHERE owner = $1 AND status < " DX_SQL(RUN_ENDED),
	2, {OIDOID, OIDOID}
};

/* In the order of the tables; what has no row more than its runs is all of it. */
static DxStatement move_statements[] = {
	{"UPDATE dealix.run_key k SET owner = $2 FROM dealix.run r WHERE k.owner = $1"
		" AND r.run_id = k.run_id AND r.status < " DX_SQL(RUN_ENDED),
	2, {OIDOID, OIDOID}},
	MOVE("branch", "owner"),
	MOVE("inbox", "owner"),
	MOVE("activity_task", "owner"),
	MOVE("event_wait", "owner"),
	{"UPDATE dealix.intent SET owner = $2 WHERE owner = $1 AND status = " DX_SQL(INTENT_PENDING),
	2, {OIDOID, OIDOID}},
	MOVE("outbox", "owner"),
	MOVE("outbox_consumer", "role"),
	MOVE("schedule", "owner"),
	MOVE("workflow", "author"),
	MOVE("pin", "owner"),
	{"DELETE FROM dealix.binding b WHERE author = $1 AND EXISTS"
		" (SELECT FROM dealix.binding o WHERE o.uri = b.uri AND o.author = $2)",
	2, {OIDOID, OIDOID}},
	MOVE("binding", "author"),
	{"INSERT INTO dealix.trust (truster, author, since)"
		" SELECT CASE WHEN truster = $1 THEN $2 ELSE truster::pg_catalog.oid END,"
		" CASE WHEN author = $1 THEN $2 ELSE author::pg_catalog.oid END, since"
		" FROM dealix.trust WHERE truster = $1 OR author = $1 ON CONFLICT DO NOTHING",
	2, {OIDOID, OIDOID}},
	{"DELETE FROM dealix.trust WHERE truster = $1 OR author = $1 OR (truster = $2 AND author = $2)",
	2, {OIDOID, OIDOID}}
};

static DxStatement has_cron_statement = {
	"SELECT pg_catalog.to_regclass('cron.job') IS NOT NULL", 0, {0}
};

/* pg_cron calls a schedule as the role that its job names. */
static DxStatement cron_statement = {
	"UPDATE cron.job SET username = $2 WHERE username = $1"
	" AND jobname LIKE 'dealix:%' AND database = pg_catalog.current_database()",
	2, {TEXTOID, TEXTOID}
};

/* Refuses who may not hand over what the role has. Errors: 42501, 42704. */
static void
check_roles(Oid from, Oid to)
{
	Oid			caller = GetUserId();
	bool		exists = SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(from));

	(void) GetUserNameFromId(to, false);
	if (from == to)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("what role %s has is to be given to another role", dx_role_text(from))));
	if (InSecurityRestrictedOperation() ||
		!has_privs_of_role(caller, to) ||
		!(exists ? has_privs_of_role(caller, from) : superuser() || caller == dx_extension_owner()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to hand over what role %s has to role %s",
						dx_role_text(from), dx_role_text(to)),
				 errhint(exists ? "It takes a member of both, or a superuser." :
						 "What belonged to a role that does not exist a superuser hands over.")));
	dx_owner_check(to);
}

/* Refuses when both roles have something of the same name. Errors: 42710. */
static void
check_names(Oid from, Oid to)
{
	MemoryContext cxt = CurrentMemoryContext;
	Datum		values[2];
	char	   *twice = NULL;

	values[0] = ObjectIdGetDatum(from);
	values[1] = ObjectIdGetDatum(to);
	(void) dx_execute(&twice_statement, values, NULL, false, 1);
	if (SPI_processed > 0)
		twice = MemoryContextStrdup(cxt, SPI_getvalue(SPI_tuptable->vals[0],
													  SPI_tuptable->tupdesc, 1));
	SPI_freetuptable(SPI_tuptable);
	if (twice != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("roles %s and %s both have %s", dx_role_text(from),
						dx_role_text(to), twice),
				 errhint("Drop one of them, or hand over to another role.")));
}

/* Puts it on record in each live run.  Returns how many there are. */
static int64
record(Oid from, Oid to)
{
	pg_uuid_t	last = {{0}};
	int64		total = 0;
	uint64		n;

	do
	{
		DxPassResult result;
		DxActor		actor = dx_actor();
		DxPass	   *pass;
		MemoryContext oldcxt;
		pg_uuid_t  *ids;
		Datum		values[3];
		DxIdentity	saved;
		ListCell   *lc;
		uint64		i;

		dx_engine_enter(&saved);
		values[0] = ObjectIdGetDatum(from);
		values[1] = UUIDPGetDatum(&last);
		values[2] = Int32GetDatum(BATCH);
		(void) dx_execute(&live_statement, values, NULL, false, 0);
		n = SPI_processed;
		ids = palloc(sizeof(pg_uuid_t) * Max(n, 1));
		for (i = 0; i < n; i++)
		{
			DxRow		row = dx_row(i);

			(void) dx_get_uuid(&row, &ids[i]);
		}
		SPI_freetuptable(SPI_tuptable);
		dx_engine_leave(&saved);
		if (n == 0)
			break;
		last = ids[n - 1];
		pass = dx_pass_open(InvalidOid, false, 1000, &result);
		dx_pass_take_all(pass, ids, (int) n);
		oldcxt = MemoryContextSwitchTo(pass->cxt);
		foreach(lc, pass->runs)
			dx_event_by(pass, lfirst(lc), DX_EVENT_RUN_REASSIGNED, &actor,
						dx_payload("from", dx_json_text(dx_role_name(from)),
								   "to", dx_json_text(dx_role_name(to)), NULL));
		MemoryContextSwitchTo(oldcxt);
		dx_pass_close(pass);
		pfree(ids);
		total += n;
	} while (n == BATCH);
	return total;
}

/* Hands everything over. Returns the number of runs. */
static void
move(Oid from, Oid to)
{
	Datum		values[2];
	DxIdentity	saved;
	bool		isnull;
	int			i;

	dx_engine_enter(&saved);
	values[0] = ObjectIdGetDatum(from);
	values[1] = ObjectIdGetDatum(to);
	dx_role_note(to);
	(void) dx_execute(&runs_statement, values, NULL, false, 0);
	for (i = 0; i < lengthof(move_statements); i++)
		(void) dx_execute(&move_statements[i], values, NULL, false, 0);
	dx_slots_reassign(from, to);
	(void) dx_execute(&has_cron_statement, NULL, NULL, false, 1);
	if (DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)) &&
		GetUserNameFromId(from, true) != NULL)
	{
		values[0] = CStringGetTextDatum(GetUserNameFromId(from, false));
		values[1] = CStringGetTextDatum(GetUserNameFromId(to, false));
		(void) dx_execute(&cron_statement, values, NULL, false, 0);
	}
	dx_role_forget(from);
	dx_version_stored();
	dx_trust_changed();
	dx_engine_leave(&saved);
}

/*
 * Hands over what from has.  Returns the number of live runs.  Needs
 * SPI_connect.  Errors: 42501 the caller is no member of both, 22023 both are
 * the same, 23505 the other has a schedule, a consumer or a run with a key of
 * the same name.
 */
int64
dx_reassign(Oid from, Oid to)
{
	DxIdentity	saved;
	int64		runs;

	check_roles(from, to);
	dx_engine_enter(&saved);
	(void) dx_execute(&lock_statement, NULL, NULL, false, 0);
	check_names(from, to);
	dx_engine_leave(&saved);
	CommandCounterIncrement();
	runs = record(from, to);
	move(from, to);
	dx_wake_many(to);
	return runs;
}
