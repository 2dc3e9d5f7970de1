/*-------------------------------------------------------------------------
 *
 * schedule.c
 *	  Schedules: what happens when pg_cron says that it is time.
 *
 * The clock and the parser are pg_cron's; here is what a fire means: whether a
 * run is started, skipped or kept for later.  The lock on the schedule's row
 * puts fires in order.  A run's key is made of the schedule's name and the
 * time that it was planned for: the minute, as pg_cron's schedules have no
 * seconds, or of one like '30 seconds' its period.  So one time never starts
 * two runs, whenever in it pg_cron, a backfill or a person calls.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/json.h"
#include "base/catalog.h"
#include "base/clock.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/server.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "engine/budget.h"
#include "engine/columns.h"
#include "engine/held.h"
#include "engine/model.h"
#include "engine/owner.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/requester.h"
#include "engine/role.h"
#include "engine/start.h"
#include "engine/trust.h"
#include "engine/version.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "outside/message.h"
#include "outside/schedule.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

static DxStatement put_statement = {
	"INSERT INTO dealix.schedule (owner, name, cron, workflow, input, overlap, catch_up, jitter, requesters, created_at)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, pg_catalog.now())"
	" ON CONFLICT (owner, name) DO UPDATE SET cron = excluded.cron,"
	" workflow = excluded.workflow, input = excluded.input, overlap = excluded.overlap,"
	" catch_up = excluded.catch_up, jitter = excluded.jitter,"
	" requesters = excluded.requesters",
	9, {OIDOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, INTERVALOID, INTERVALOID,
	REGROLEARRAYOID}
};

static DxStatement drop_statement = {
	"WITH d AS (DELETE FROM dealix.schedule WHERE owner = $1 AND name = $2 RETURNING schedule_id),"
	" f AS (DELETE FROM dealix.schedule_fire USING d WHERE schedule_fire.schedule_id = d.schedule_id)"
	" SELECT FROM d",
	2, {OIDOID, TEXTOID}
};

static DxStatement pause_statement = {
	"UPDATE dealix.schedule SET paused = $3 WHERE owner = $1 AND name = $2 AND paused <> $3",
	3, {OIDOID, TEXTOID, BOOLOID}
};

#define SCHEDULE_COLUMNS \
	"s.schedule_id, s.name, s.workflow, s.input, s.overlap, s.paused," \
	" EXTRACT(epoch FROM s.jitter)::float8, s.buffered_for, s.owner::pg_catalog.oid," \
	" COALESCE(pg_catalog.substring(s.cron, '^ *([0-9]{1,2}) +seconds? *$')::int, 0)," \
	" s.requesters::pg_catalog.regrole[], s.buffered_by::pg_catalog.regrole[]"

static DxStatement find_statement = {
	"SELECT " SCHEDULE_COLUMNS " FROM dealix.schedule s"
	" WHERE s.owner = $1 AND s.name = $2 FOR UPDATE",
	2, {OIDOID, TEXTOID}
};

static DxStatement open_statement = {
	"SELECT f.run_id FROM dealix.schedule_fire f JOIN dealix.run r"
	" ON r.run_id = f.run_id OR r.first_run = f.run_id"
	" WHERE f.schedule_id = $1 AND r.status < " DX_SQL(RUN_ENDED) " ORDER BY f.fired_for",
	1, {INT4OID}
};

static DxStatement fire_statement = {
	"INSERT INTO dealix.schedule_fire (schedule_id, fired_for, fired_at, outcome, run_id)"
	" VALUES ($1, $2, pg_catalog.clock_timestamp(), $3, $4)"
	" ON CONFLICT (schedule_id, fired_for) DO UPDATE SET outcome = excluded.outcome,"
	" run_id = excluded.run_id, fired_at = excluded.fired_at"
	" WHERE schedule_fire.run_id IS NULL",
	4, {INT4OID, TIMESTAMPTZOID, TEXTOID, UUIDOID}
};

static DxStatement outcome_statement = {
	"SELECT outcome FROM dealix.schedule_fire WHERE schedule_id = $1 AND fired_for = $2"
	" AND (run_id IS NOT NULL OR outcome = 'BUFFERED')",
	2, {INT4OID, TIMESTAMPTZOID}
};

static DxStatement buffer_statement = {
	"UPDATE dealix.schedule SET buffered_for = $2, buffered_by = $3 WHERE schedule_id = $1",
	3, {INT4OID, TIMESTAMPTZOID, REGROLEARRAYOID}
};

static DxStatement missed_statement = {
	"SELECT f.fired_for FROM dealix.schedule_fire f JOIN dealix.schedule s USING (schedule_id)"
	" WHERE s.owner = $1 AND s.name = $2 AND f.outcome = 'PAUSED'"
	" AND f.fired_for >= pg_catalog.now() - s.catch_up ORDER BY f.fired_for",
	2, {OIDOID, TEXTOID}
};

static DxStatement waiting_statement = {
	"SELECT " SCHEDULE_COLUMNS " FROM dealix.schedule s WHERE s.buffered_for IS NOT NULL"
	" AND s.schedule_id IN (SELECT f.schedule_id FROM dealix.schedule_fire f"
	" WHERE f.run_id = ANY ($1)) ORDER BY s.schedule_id FOR UPDATE",
	1, {UUIDARRAYOID}
};

static DxStatement forget_statement = {
	"DELETE FROM dealix.schedule_fire f WHERE f.schedule_id = $1 AND f.fired_for <"
	" (SELECT fired_for FROM dealix.schedule_fire WHERE schedule_id = $1"
	" ORDER BY fired_for DESC OFFSET 1000 LIMIT 1)",
	1, {INT4OID}
};

typedef struct Schedule
{
	int32		id;
	char	   *name;
	char	   *workflow;
	Jsonb	   *input;
	char	   *overlap;
	bool		paused;
	double		jitter;			/* seconds */
	TimestampTz buffered_for;	/* 0: none */
	Oid			owner;
	int			seconds;		/* its period; 0: it goes by minutes */
	List	   *requesters;		/* who has made it so, */
	List	   *buffered_by;	/* and who fired it for the one that is kept */
} Schedule;

/* A row of SPI_tuptable as a schedule. */
static void
read_schedule(Schedule *schedule, uint64 i)
{
	DxRow		row = dx_row(i);

	schedule->id = dx_get_int4(&row);
	schedule->name = dx_get_text(&row);
	schedule->workflow = dx_get_text(&row);
	schedule->input = dx_get_jsonb(&row);
	schedule->overlap = dx_get_text(&row);
	schedule->paused = DatumGetBool(dx_get(&row));
	schedule->jitter = DatumGetFloat8(dx_get(&row));
	schedule->buffered_for = dx_get_time(&row, 0);
	schedule->owner = DatumGetObjectId(dx_get(&row));
	schedule->seconds = dx_get_int4(&row);
	schedule->requesters = dx_get_requesters(&row);
	schedule->buffered_by = dx_get_requesters(&row);
}

/* The planned time that a call at this one is for. */
static TimestampTz
planned_time(const Schedule *schedule, TimestampTz at)
{
	int64		period = (schedule->seconds > 0 ? schedule->seconds : SECS_PER_MINUTE) * USECS_PER_SEC;
	int64		rest = at % period;

	return at - (rest < 0 ? rest + period : rest);
}

/*
 * Errors: 22008 for a time that no schedule can mean.
 */
static void
check_time(TimestampTz at)
{
	/* From 1970 to 9999. */
	if (TIMESTAMP_NOT_FINITE(at) || at < -INT64CONST(946684800000000) ||
		at >= INT64CONST(252455616000000000))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("a schedule has no run for the time %s", timestamptz_to_str(at)),
				 errhint("Give a time from 1970 to 9999.")));
}

/* A schedule, locked. Errors: 42704 there is none. */
static void
find_schedule(Oid owner, const char *name, Schedule *schedule)
{
	Datum		values[2];

	values[0] = ObjectIdGetDatum(owner);
	values[1] = CStringGetTextDatum(name);
	(void) dx_execute(&find_statement, values, NULL, false, 1);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" has no schedule \"%s\"",
						GetUserNameFromId(owner, false), name),
				 errhint("See dealix.schedules.")));
	read_schedule(schedule, 0);
}

/*
 * Makes or changes a schedule of the current user; see dealix.schedule().
 * values, nulls: eight of the nine parameters from the second on.  Errors:
 * 42704 no such workflow, 42501 the current user does not trust its author or
 * is a superuser.
 */
void
dx_schedule_put(Datum *values, const char *nulls)
{
	DxIdentity	saved;
	DxVersion	version;
	char	   *workflow = TextDatumGetCString(values[3]);

	values[0] = ObjectIdGetDatum(GetUserId());
	values[8] = PointerGetDatum(dx_requesters_array(dx_requesters_now()));
	dx_owner_check(DatumGetObjectId(values[0]));
	dx_engine_enter(&saved);

	/*
	 * Else it would be refused each time that it fires, where nobody reads
	 * it.
	 */
	dx_version_find(workflow, 0, &version);
	dx_trust_check(DatumGetObjectId(values[0]), version.author, workflow);
	dx_role_note(DatumGetObjectId(values[0]));
	(void) dx_execute(&put_statement, values, nulls, false, 0);
	dx_engine_leave(&saved);
	dx_force_durable();
}

/* false: there is none. */
bool
dx_schedule_drop(const char *name)
{
	DxIdentity	saved;
	Datum		values[2];
	bool		dropped;

	values[0] = ObjectIdGetDatum(GetUserId());
	values[1] = CStringGetTextDatum(name);
	dx_engine_enter(&saved);
	(void) dx_execute(&drop_statement, values, NULL, false, 0);
	dropped = SPI_processed > 0;
	dx_engine_leave(&saved);
	dx_force_durable();
	return dropped;
}

/* Writes down what has come of a time of the schedule. */
static void
note_fire(const Schedule *schedule, TimestampTz at, const char *outcome,
		  const pg_uuid_t *run_id)
{
	Datum		values[4];
	char		nulls[] = "    ";

	values[0] = Int32GetDatum(schedule->id);
	values[1] = TimestampTzGetDatum(at);
	values[2] = CStringGetTextDatum(outcome);
	values[3] = UUIDPGetDatum(run_id);
	nulls[3] = run_id ? ' ' : 'n';
	(void) dx_execute(&fire_statement, values, nulls, false, 0);
}

/* A time as text, as the language writes it. */
static char *
iso_time(TimestampTz at)
{
	Jsonb	   *json = dx_json_timestamp(at);
	JsonbValue	value;

	dx_json_to_value(json, &value);
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/* by: who fires it now, besides those who have made it so. */
static void
start_one(const Schedule *schedule, TimestampTz at, const char *outcome,
		  const List *by, pg_uuid_t *run_id)
{
	DxStart		start = {0};
	char	   *key = psprintf("schedule:%s:%s", schedule->name, iso_time(at));
	Jsonb	   *input = schedule->input;

	start.workflow = schedule->workflow;
	start.owner = schedule->owner;
	start.any_input = true;
	start.requesters = list_concat_unique_oid(list_copy(schedule->requesters), by);
	if (schedule->jitter > 0)
		start.due_at = dx_after_seconds(dx_now(), schedule->jitter *
										pg_prng_double(&pg_global_prng_state));
	dx_start(&start, 1, &input, &key, run_id);
	note_fire(schedule, at, outcome, run_id);
}

/* Runs of the schedule that go on. */
static int
open_runs(const Schedule *schedule, pg_uuid_t **run_ids)
{
	Datum		values[1];
	int			n;

	values[0] = Int32GetDatum(schedule->id);
	(void) dx_execute(&open_statement, values, NULL, false, 0);
	n = (int) SPI_processed;
	*run_ids = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		DxRow		row = dx_row(i);

		(void) dx_get_uuid(&row, &(*run_ids)[i]);
	}
	SPI_freetuptable(SPI_tuptable);
	return n;
}

/* One run waits for the one that goes on; at 0: none does any more. */
static void
set_buffer(const Schedule *schedule, TimestampTz at)
{
	Datum		values[3];

	values[0] = Int32GetDatum(schedule->id);
	values[1] = TimestampTzGetDatum(at);
	values[2] = at ? PointerGetDatum(dx_requesters_array(dx_requesters_now())) : (Datum) 0;
	(void) dx_execute(&buffer_statement, values, at ? NULL : " nn", false, 0);
}

/* What came of this time before, if that was a run, or will be; else NULL. */
static const char *
outcome_before(const Schedule *schedule, TimestampTz at)
{
	Datum		values[2];
	char	   *outcome = NULL;

	values[0] = Int32GetDatum(schedule->id);
	values[1] = TimestampTzGetDatum(at);
	(void) dx_execute(&outcome_statement, values, NULL, false, 1);
	if (SPI_processed > 0)
	{
		DxRow		row = dx_row(0);

		outcome = dx_get_text(&row);
	}
	SPI_freetuptable(SPI_tuptable);
	return outcome;
}

/*
 * Asks the runs to stop.  Leaves the engine's identity meanwhile: the history
 * says who did it, and that is who fires the schedule.
 */
static void
cancel_others(const pg_uuid_t *open, int nopen, DxIdentity *saved)
{
	dx_engine_leave(saved);
	for (int i = 0; i < nopen; i++)
		(void) dx_send_cancel(&open[i], "The next run of its schedule is due.");
	dx_engine_enter(saved);
}

/* What a fire comes to.  saved: of dx_engine_enter. */
static const char *
fire(const Schedule *schedule, TimestampTz at, DxIdentity *saved)
{
	pg_uuid_t  *open;
	pg_uuid_t	run_id;
	int			nopen = open_runs(schedule, &open);
	const char *before = outcome_before(schedule, at);

	if (before != NULL)
		return before;

	if (schedule->paused)
	{
		note_fire(schedule, at, "PAUSED", NULL);
		return "PAUSED";
	}
	if (nopen > 0 && strcmp(schedule->overlap, "skip") == 0)
	{
		note_fire(schedule, at, "SKIPPED", NULL);
		return "SKIPPED";
	}
	if (nopen > 0 && strcmp(schedule->overlap, "buffer_one") == 0)
	{
		bool		full = schedule->buffered_for != 0;

		note_fire(schedule, at, full ? "SKIPPED" : "BUFFERED", NULL);
		if (!full)
			set_buffer(schedule, at);
		return full ? "SKIPPED" : "BUFFERED";
	}
	if (strcmp(schedule->overlap, "cancel_other") == 0)
		cancel_others(open, nopen, saved);
	start_one(schedule, at, "STARTED", dx_requesters_now(), &run_id);
	return "STARTED";
}

/*
 * It is time: what pg_cron's job of the schedule calls.  Returns the outcome;
 * of a time that has had its run already, that.  Needs SPI_connect.  Errors:
 * 42704 no such schedule of the current user, 22008 no such time.
 */
const char *
dx_schedule_fire(const char *name, TimestampTz at)
{
	DxIdentity	saved;
	Schedule	schedule;
	Datum		values[1];
	Oid			owner = GetUserId();
	const char *outcome;

	check_time(at);
	if (dx_database_held())
		return "HELD";
	dx_force_durable();
	dx_engine_enter(&saved);
	find_schedule(owner, name, &schedule);
	outcome = fire(&schedule, planned_time(&schedule, at), &saved);
	values[0] = Int32GetDatum(schedule.id);
	(void) dx_execute(&forget_statement, values, NULL, false, 0);
	dx_engine_leave(&saved);
	return outcome;
}

/* A run for a time of the caller's choice; the same time gives the same run. */
void
dx_schedule_backfill(const char *name, TimestampTz at, pg_uuid_t *run_id)
{
	DxIdentity	saved;
	Schedule	schedule;
	Oid			owner = GetUserId();

	check_time(at);
	dx_force_durable();
	dx_engine_enter(&saved);
	find_schedule(owner, name, &schedule);
	schedule.jitter = 0;
	start_one(&schedule, planned_time(&schedule, at), "BACKFILLED",
			  dx_requesters_now(), run_id);
	dx_engine_leave(&saved);
}

/* Fires that were missed while it was paused, as far back as catch_up says. */
static void
catch_up(Oid owner, const char *name)
{
	Schedule	schedule;
	Datum		values[2];
	TimestampTz *missed;
	pg_uuid_t	run_id;
	int			n;

	values[0] = ObjectIdGetDatum(owner);
	values[1] = CStringGetTextDatum(name);
	(void) dx_execute(&missed_statement, values, NULL, false, 0);
	n = (int) SPI_processed;
	missed = palloc(sizeof(TimestampTz) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		DxRow		row = dx_row(i);

		missed[i] = dx_get_time(&row, 0);
	}
	SPI_freetuptable(SPI_tuptable);
	find_schedule(owner, name, &schedule);
	for (int i = 0; i < n; i++)
		start_one(&schedule, missed[i], "CAUGHT_UP", dx_requesters_now(), &run_id);
}

/* Returns false when it was so before.  Errors: 42704 no such schedule. */
bool
dx_schedule_pause(const char *name, bool paused)
{
	DxIdentity	saved;
	Schedule	schedule;
	Datum		values[3];
	Oid			owner = GetUserId();
	bool		changed;

	dx_engine_enter(&saved);
	find_schedule(owner, name, &schedule);
	values[0] = ObjectIdGetDatum(owner);
	values[1] = CStringGetTextDatum(name);
	values[2] = BoolGetDatum(paused);
	(void) dx_execute(&pause_statement, values, NULL, false, 0);
	changed = SPI_processed > 0;
	if (changed && !paused)
		catch_up(owner, name);
	dx_engine_leave(&saved);
	dx_force_durable();
	return changed;
}

/* Runs of schedules have ended: what was kept for later begins. */
void
dx_schedule_write(DxPass *pass)
{
	pg_uuid_t  *ids = NULL;
	ListCell   *lc;
	int			n = 0;
	Datum		values[1];
	Schedule   *schedules;
	int			nschedules;

	foreach(lc, pass->runs)
	{
		DxRun	   *run = lfirst(lc);

		if (!run->ended_now || run->continued || run->key == NULL || strncmp(run->key, "schedule:", 9) != 0)
			continue;
		if (ids == NULL)
			ids = palloc(sizeof(pg_uuid_t) * list_length(pass->runs));
		ids[n++] = run->first_run;
	}
	if (n == 0)
		return;
	values[0] = dx_uuid_array(ids, n);
	(void) dx_execute(&waiting_statement, values, NULL, false, 0);
	nschedules = (int) SPI_processed;
	schedules = palloc(sizeof(Schedule) * Max(nschedules, 1));
	for (int i = 0; i < nschedules; i++)
		read_schedule(&schedules[i], i);
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < nschedules; i++)
	{
		pg_uuid_t	run_id;
		DxStart		start = {0};
		DxOwnerProblem problem;

		/* An error here would be one of the pass. */
		start.workflow = schedules[i].workflow;
		start.owner = schedules[i].owner;
		if (!dx_start_allowed(&start, &problem))
		{
			ereport(LOG,
					(errmsg("schedule \"%s\" starts nothing: %s",
							schedules[i].name, problem.message)));
			note_fire(&schedules[i], schedules[i].buffered_for, "REFUSED", NULL);
			set_buffer(&schedules[i], 0);
			continue;
		}
		start_one(&schedules[i], schedules[i].buffered_for, "STARTED",
				  schedules[i].buffered_by, &run_id);
		set_buffer(&schedules[i], 0);
	}
}
