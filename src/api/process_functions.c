/*-------------------------------------------------------------------------
 *
 * process_functions.c
 *	  SQL: what the background processes do, waiting for a run, and advancing
 *	  runs without background processes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "api/arguments.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/database_slot.h"
#include "base/extension.h"
#include "base/frame.h"
#include "base/guc.h"
#include "base/session.h"
#include "base/shared.h"
#include "base/sqlstate.h"
#include "base/uuid.h"
#include "base/waiter.h"
#include "base/wake.h"
#include "base/worker_slot.h"
#include "engine/access.h"
#include "engine/held.h"
#include "engine/lease.h"
#include "engine/pass.h"
#include "engine/pass_guarded.h"
#include "engine/run.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "outside/claim.h"
#include "outside/message.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define STATUS_COLUMNS	11

/* Without shared memory, dealix.wait() looks again after that long. */
#define POLL_FIRST_MS	10
#define POLL_MAX_MS		200

/* A run that COMMIT PREPARED brings to its end wakes nobody. */
#define WAIT_SLICE_MS	5000
#define WAIT_SLICE_MAX_MS	60000

PG_FUNCTION_INFO_V1(dx_note_install);
PG_FUNCTION_INFO_V1(dx_worker_status);
PG_FUNCTION_INFO_V1(dx_wait);
PG_FUNCTION_INFO_V1(dx_wait_for_work);
PG_FUNCTION_INFO_V1(dx_drain);

/*
 * dealix_internal.note_install() returns void
 *		The last statement of the install script: makes the launcher look at
 *		this database when CREATE EXTENSION commits.
 */
Datum
dx_note_install(PG_FUNCTION_ARGS)
{
	dx_wake_extension();
	PG_RETURN_VOID();
}

/* ---------- dealix_internal.worker_status() ---------- */

typedef struct StatusRow
{
	const char *kind;
	Oid			dboid;
	Oid			owner;
	pid_t		pid;
	const char *state;
	bool		held;
	TimestampTz started_at;
	int64		passes;
	int64		runs;
	int64		steps;
	char		last_error[DX_ERROR_LEN];
} StatusRow;

/* The row of the launcher. */
static void
launcher_row(StatusRow *row)
{
	row->kind = "launcher";
	row->pid = dx_shared->launcher_pid;
	row->state = row->pid != 0 ? "RUNNING" : "STOPPED";
	row->started_at = dx_shared->launcher_started_at;
}

/* The row of this database's dispatcher. */
static void
dispatcher_row(StatusRow *row, const DxDatabase *database)
{
	row->kind = "dispatcher";
	row->dboid = database->dboid;
	row->pid = database->pid;
	row->state = dx_database_state_name(database->state);
	if (database->held && database->state == DX_DB_RUNNING)
		row->state = "HELD";
	if (database->resting && database->state == DX_DB_STOPPED)
		row->state = "RESTING";
	row->held = database->held;
	row->started_at = database->pid != 0 ? database->started_at : 0;
	row->passes = database->passes;
	strlcpy(row->last_error, database->last_error, DX_ERROR_LEN);
}

/* The row of a worker. */
static void
worker_row(StatusRow *row, const DxWorker *worker)
{
	row->kind = "worker";
	row->dboid = worker->dboid;
	row->owner = worker->owner;
	row->pid = worker->pid;
	row->state = dx_worker_state_name(worker->state);
	row->started_at = worker->started_at;
	row->passes = worker->passes;
	row->runs = worker->runs;
	row->steps = worker->steps;
	strlcpy(row->last_error, worker->last_error, DX_ERROR_LEN);
}

/* An owner for whom no worker can be started at the moment. */
static void
backoff_row(StatusRow *row, const DxRing *ring)
{
	row->kind = "worker";
	row->dboid = ring->dboid;
	row->owner = ring->owner;
	row->state = "BACKOFF";
	strlcpy(row->last_error, ring->last_error, DX_ERROR_LEN);
}

/* The launcher, and what belongs to this database. */
static int
collect_rows(StatusRow *rows)
{
	const DxDatabase *database;
	int			n = 0;

	dx_lock();
	launcher_row(&rows[n++]);
	database = dx_database_find_locked(MyDatabaseId);
	if (database != NULL)
		dispatcher_row(&rows[n++], database);
	for (int i = 0; i < dx_shared->nworkers; i++)
	{
		if (dx_worker_slots[i].state != DX_WORKER_FREE &&
			dx_worker_slots[i].dboid == MyDatabaseId)
			worker_row(&rows[n++], &dx_worker_slots[i]);
	}
	for (int i = 0; i < dx_shared->nrings; i++)
	{
		if (dx_rings[i].dboid == MyDatabaseId && dx_rings[i].failures > 0)
			backoff_row(&rows[n++], &dx_rings[i]);
	}
	dx_unlock();
	return n;
}

/* Adds a row to the result; what a kind of process does not have is null. */
static void
put_row(ReturnSetInfo *rsinfo, const StatusRow *row)
{
	Datum		values[STATUS_COLUMNS] = {0};
	bool		nulls[STATUS_COLUMNS] = {0};
	bool		worker = strcmp(row->kind, "worker") == 0;

	values[0] = CStringGetTextDatum(row->kind);
	values[1] = ObjectIdGetDatum(row->dboid);
	nulls[1] = !OidIsValid(row->dboid);
	values[2] = ObjectIdGetDatum(row->owner);
	nulls[2] = !OidIsValid(row->owner);
	values[3] = Int32GetDatum(row->pid);
	nulls[3] = row->pid == 0;
	values[4] = CStringGetTextDatum(row->state);
	values[5] = BoolGetDatum(row->held);
	values[6] = TimestampTzGetDatum(row->started_at);
	nulls[6] = row->started_at == 0;
	values[7] = Int64GetDatum(row->passes);
	values[8] = Int64GetDatum(row->runs);
	nulls[8] = !worker;
	values[9] = Int64GetDatum(row->steps);
	nulls[9] = !worker;
	/* An error of another owner's step may tell what is none of the caller's. */
	values[10] = CStringGetTextDatum(row->last_error);
	nulls[10] = row->last_error[0] == '\0' || !dx_may_see(row->owner);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * dealix_internal.worker_status() returns setof record
 *		The launcher, the dispatcher of this database and its workers.  Empty
 *		without shared memory.
 */
Datum
dx_worker_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	StatusRow  *rows;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	if (!dx_shared_available())
		return (Datum) 0;

	rows = palloc0((2 + dx_shared->nworkers + dx_shared->nrings) *
				   sizeof(StatusRow));
	n = collect_rows(rows);
	for (int i = 0; i < n; i++)
		put_row(rsinfo, &rows[i]);
	return (Datum) 0;
}

/* ---------- procedures that commit ---------- */

/* May this CALL end the transaction that it is in? */
static bool
may_commit(FunctionCallInfo fcinfo)
{
	return fcinfo->context != NULL && IsA(fcinfo->context, CallContext) &&
		!((CallContext *) fcinfo->context)->atomic;
}

/* Connects to SPI; nonatomic: the procedure commits by itself. */
static void
connect_spi(bool nonatomic)
{
	if (SPI_connect_ext(nonatomic ? SPI_OPT_NONATOMIC : 0) != SPI_OK_CONNECT)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not connect to the SPI manager")));
}

/* Until when, by the clock that nobody sets.  NULL is no limit. */
static DxMono
time_limit(FunctionCallInfo fcinfo, int argno)
{
	TimestampTz now = dx_now();
	TimestampTz limit;
	Interval   *interval;

	if (PG_ARGISNULL(argno))
		return DX_MONO_NEVER;
	interval = PG_GETARG_INTERVAL_P(argno);
	limit = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
													TimestampTzGetDatum(now),
													PointerGetDatum(interval)));
	if (TIMESTAMP_IS_NOEND(limit))
		return DX_MONO_NEVER;
	return limit <= now ? 0 : dx_mono() + (limit - now);
}

/* ---------- CALL dealix.wait(), CALL dealix.wait_for_work() ---------- */

/* What a CALL waits for. */
typedef struct Awaited
{
	pg_uuid_t	channel;		/* the run's line, or that of the activity */
	pg_uuid_t	run_id;
	const char *activity;		/* NULL: a run */
	MemoryContext cxt;			/* of the caller */
	char	   *status;			/* of the run */
	DxStatusLook look;
	long		later;			/* ms after which time alone may bring it; 0:
								 * never */
} Awaited;

/*
 * Is it here now?  Also in a transaction that began before and keeps its
 * snapshot.
 */
static bool
look(Awaited *awaited)
{
	MemoryContext oldcxt;
	bool		here;

	PushActiveSnapshot(GetLatestSnapshot());
	if (awaited->activity != NULL)
		here = dx_task_waits(awaited->activity, &awaited->later);
	else
	{
		char	   *status = dx_run_status_text(&awaited->run_id, &awaited->look);

		here = awaited->look.ended || awaited->look.incident;
		awaited->channel = awaited->look.line;
		oldcxt = MemoryContextSwitchTo(awaited->cxt);
		awaited->status = pstrdup(status);
		MemoryContextSwitchTo(oldcxt);
	}
	PopActiveSnapshot();
	return here;
}

/*
 * Sleeps until the latch is set or it is worth looking again.  later: when time
 * alone may bring it; 0: never.
 */
static void
wait_slice(DxMono until, bool woken, long later, int *poll_ms)
{
	long		left = dx_mono_left(until);
	long		slice = Min(WAIT_SLICE_MS * Max(dx_waiter_crowd() / 10, 1), WAIT_SLICE_MAX_MS);

	if (woken && later > 0)
		slice = Min(later, slice);
	else if (!woken)
	{
		/* Among many, somebody looks as often as one alone would. */
		slice = *poll_ms * (long) Max(dx_waiter_crowd() / 4, 1);
		*poll_ms = Min(*poll_ms * 2, POLL_MAX_MS);
	}
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 Min(left, slice), dx_wait_event(DX_WAIT_RUN));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * Nobody sees what this transaction has not committed, so that to wait for it
 * would last until the time is over.  Errors: 25001.
 */
static void
refuse_own_work(const Awaited *awaited)
{
	if (awaited->look.uncommitted || dx_sent_here(&awaited->look.line))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("this transaction cannot wait for run %s: it has not committed what it did to it",
						dx_uuid_text(&awaited->run_id)),
				 errdetail("Nobody else sees a start, a signal or another change before the COMMIT, so the run cannot go on."),
				 errhint("COMMIT, then CALL dealix.wait(). Within the transaction dealix.tick() advances the run.")));
}

/*
 * Waits under SPI.  While it sleeps, a wait that may commit is in a
 * transaction that has neither a snapshot nor locks.
 */
static bool
wait_until(Awaited *awaited, DxMono until, bool commits)
{
	bool		woken;
	int			poll_ms = POLL_FIRST_MS;

	if (commits)
		SPI_commit();
	/* The first look tells which line the run is of. */
	if (look(awaited))
		return true;
	if (!commits && awaited->activity == NULL)
		refuse_own_work(awaited);
	/* On a standby nothing commits, and so nobody wakes us. */
	woken = dx_waiter_begin(&awaited->channel, awaited->activity != NULL) && !RecoveryInProgress();
	for (;;)
	{
		bool		here;

		dx_waiter_look();
		here = look(awaited);
		if (here || dx_mono() >= until)
			return here;
		if (commits)
			SPI_commit();
		wait_slice(until, woken, awaited->later, &poll_ms);
	}
}

/* However we leave, the waiter is gone. */
static bool
wait_guarded(Awaited *awaited, DxMono until, bool commits)
{
	volatile bool here = false;

	awaited->cxt = CurrentMemoryContext;
	PG_TRY();
	{
		connect_spi(commits);
		here = wait_until(awaited, until, commits);
		SPI_finish();
	}
	PG_CATCH();
	{
		dx_waiter_end(false);
		PG_RE_THROW();
	}
	PG_END_TRY();
	dx_waiter_end(here);
	return here;
}

/* The one INOUT argument of a procedure. */
static Datum
inout_result(FunctionCallInfo fcinfo, Datum value)
{
	TupleDesc	tupdesc;
	bool		isnull = false;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a procedure must be called by CALL")));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
											 &value, &isnull));
}

/*
 * dealix.wait(run_id uuid, timeout interval, INOUT status text)
 *		Waits until the run has ended or is an incident, timeout at most, and
 *		returns its status then.  Errors: P0002 when there is no such run for
 *		the caller; 22004 without a run id; 25001 when the transaction itself
 *		has started it or sent it something.
 */
Datum
dx_wait(PG_FUNCTION_ARGS)
{
	Awaited		awaited = {0};

	dx_require(fcinfo, 0, "run_id");
	awaited.run_id = *PG_GETARG_UUID_P(0);
	(void) wait_guarded(&awaited, time_limit(fcinfo, 1), may_commit(fcinfo));
	if (awaited.look.incident)
		ereport(NOTICE,
				(errmsg("run %s is an incident: it has stopped until a person has looked",
						dx_uuid_text(&awaited.run_id)),
				 errhint("See dealix.incidents; after the repair, SELECT dealix.redrive('%s').",
						 dx_uuid_text(&awaited.run_id))));
	return inout_result(fcinfo, CStringGetTextDatum(awaited.status));
}

/*
 * dealix.wait_for_work(activity text, timeout interval, INOUT found boolean)
 *		Waits until there is a task of the activity that the caller could
 *		claim, timeout at most.  Errors: 22004 without an activity.
 */
Datum
dx_wait_for_work(PG_FUNCTION_ARGS)
{
	Awaited		awaited = {0};
	bool		found;

	dx_require(fcinfo, 0, "activity");
	awaited.activity = dx_name_arg(fcinfo, 0, "activity");
	dx_activity_channel(awaited.activity, &awaited.channel);
	found = wait_guarded(&awaited, time_limit(fcinfo, 1), may_commit(fcinfo));
	return inout_result(fcinfo, BoolGetDatum(found));
}

/* ---------- CALL dealix.drain() ---------- */

/*
 * Begins a transaction for a pass like those of a worker, whatever the role
 * has set for itself.  The setting is undone when it ends.
 */
static void
begin_drain_pass(void)
{
	SPI_commit();
	dx_frame_read_write();
	dx_disarm_timeouts();
	(void) set_config_option("lock_timeout", "0", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/*
 * One pass; false when there is nothing left to do.  result: what came of the
 * pass before; if that has set a run apart, this pass is for it.
 */
static bool
drain_pass(DxMono until, DxPassResult *result)
{
	DxPassLimits limits = {dx_pass_max_runs, dx_pass_max_time, true, true};
	pg_uuid_t	apart = result->apart;
	bool		has_apart = result->has_apart;
	bool		here;

	limits.max_time = Min(limits.max_time, Max(dx_mono_left(until), 1));
	begin_drain_pass();
	PushActiveSnapshot(GetTransactionSnapshot());
	here = dx_extension_lock();
	if (here && dx_database_held())
		ereport(ERROR,
				(errcode(DX_SQLSTATE_HELD),
				 errmsg("this database is held: it is a copy, and no run in it is advanced"),
				 errhint("If this is the database to work in, call dealix.resume_engine().")));
	dx_session_lend();
	if (here)
		dx_pass_guarded(GetSessionUserId(), &limits, has_apart ? &apart : NULL, result);
	PopActiveSnapshot();
	return here && (has_apart || result->has_apart || result->advanced > 0 || result->more);
}

/*
 * dealix.drain(max_time interval)
 *		Passes with a commit after each until no run of session_user is due,
 *		or max_time is over.  Errors: 25001 inside of a transaction block,
 *		42501 when the current user is not the session user, DX008 when the
 *		database is held, 25006 on a standby.
 */
Datum
dx_drain(PG_FUNCTION_ARGS)
{
	DxMono		until = time_limit(fcinfo, 0);
	DxPassResult result = {0};

	if (!may_commit(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("dealix.drain() cannot run inside a transaction block or a function"),
				 errdetail("It commits after each pass."),
				 errhint("To advance runs in your own transaction, use dealix.tick().")));
	if (GetUserId() != GetSessionUserId())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("dealix.drain() must be called by the session user"),
				 errdetail("Steps run with the rights of the role that has logged in."),
				 errhint("Use RESET ROLE first.")));

	PreventCommandDuringRecovery("dealix.drain()");

	connect_spi(true);
	while (drain_pass(until, &result))
	{
		CHECK_FOR_INTERRUPTS();
		if (dx_mono() >= until)
			break;
	}
	SPI_commit();
	SPI_finish();
	PG_RETURN_VOID();
}
