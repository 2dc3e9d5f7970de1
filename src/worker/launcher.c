/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  The launcher: one static process, connected to no database.  It keeps a
 *	  dispatcher running in every database that has the extension.
 *
 * It can read shared catalogs only, so whether a database has the extension
 * is found out by starting a dispatcher there.  One that finds none says so
 * and ends, and the database is left alone until CREATE EXTENSION commits in
 * it.  Template databases are left alone always: a session there would block
 * CREATE DATABASE.
 *
 * Owns the decisions over dx_database_slots (see registry.c), and the handles
 * of the dispatchers, in its own memory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/database_slot.h"
#include "base/guc.h"
#include "base/latches.h"
#include "base/registry.h"
#include "base/server.h"
#include "base/shared.h"
#include "base/worker_life.h"
#include "base/worker_slot.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"
#include "worker/process.h"
#include "worker/worker.h"

/* A dispatcher is left alone for so long before another database has its place. */
#define MIN_TURN_MS		200

#define SCARCE_MS		250		/* when no background worker was free */
#define SCARCE_TELL_MS	60000

/* datconnlimit of a database whose DROP was interrupted */
#define CONNLIMIT_INVALID	(-2)

/* At the last look databases waited for a place. */
static bool shared_before = false;

/* Of the dispatcher in each database slot; NULL: not started by us. */
static BackgroundWorkerHandle **handles;

typedef struct Candidate
{
	Oid			dboid;
	NameData	name;
} Candidate;

typedef struct StartOrder
{
	DxAssignment assignment;
	NameData	name;
} StartOrder;

/* At exit: nobody is to wake us any more. */
static void
launcher_exit(int code, Datum arg)
{
	dx_lock();
	dx_shared->launcher_pid = 0;
	dx_shared->launcher_latch = NULL;
	dx_unlock();
}

/*
 * Dispatchers that a launcher before us has registered: we have no handle to
 * see whether they come up, so they are not to.
 */
static void
disown_starting(void)
{
	for (int i = 0; i < dx_shared->ndatabases; i++)
	{
		DxDatabase *database = &dx_database_slots[i];

		if (database->state == DX_DB_STARTING && database->pid == 0)
		{
			database->generation++;
			dx_database_set_state(database, DX_DB_STOPPED);
		}
	}
}

/* Makes this process known as the launcher. */
static void
launcher_attach(void)
{
	handles = MemoryContextAllocZero(TopMemoryContext,
									 dx_shared->ndatabases * sizeof(*handles));
	on_shmem_exit(launcher_exit, (Datum) 0);
	dx_lock();
	dx_shared->launcher_pid = MyProcPid;
	dx_shared->launcher_latch = &MyProc->procLatch;
	dx_shared->launcher_started_at = dx_now();
	disown_starting();
	dx_unlock();
}

/* Does dealix_exec.databases name this database? */
static bool
is_chosen(const char *name)
{
	List	   *names;
	ListCell   *cell;

	if (!SplitIdentifierString(pstrdup(dx_databases), ',', &names))
		return false;
	foreach(cell, names)
	{
		const char *chosen = lfirst(cell);

		if (strcmp(chosen, "*") == 0 || strcmp(chosen, name) == 0)
			return true;
	}
	return false;
}

/* The databases that may have a dispatcher, in the caller's context. */
static List *
list_candidates(void)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *list = NIL;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext old;
		Candidate  *candidate;

		CHECK_FOR_INTERRUPTS();
		if (form->datistemplate || !form->datallowconn ||
			form->datconnlimit == CONNLIMIT_INVALID ||
			!is_chosen(NameStr(form->datname)))
			continue;
		old = MemoryContextSwitchTo(caller);
		candidate = palloc(sizeof(Candidate));
		candidate->dboid = form->oid;
		candidate->name = form->datname;
		list = lappend(list, candidate);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	pgstat_report_stat(false);
	MemoryContextSwitchTo(caller);
	return list;
}

/* The database among those that may have a dispatcher, or NULL. */
static const Candidate *
find_candidate(List *candidates, Oid dboid)
{
	ListCell   *cell;

	foreach(cell, candidates)
	{
		const Candidate *candidate = lfirst(cell);

		if (candidate->dboid == dboid)
			return candidate;
	}
	return NULL;
}

/* Which slots have no dispatcher that could still come up? */
static bool *
list_stopped(void)
{
	bool	   *stopped = palloc(dx_shared->ndatabases * sizeof(bool));
	pid_t		pid;

	for (int i = 0; i < dx_shared->ndatabases; i++)
		stopped[i] = handles[i] == NULL ||
			GetBackgroundWorkerPid(handles[i], &pid) == BGWH_STOPPED;
	return stopped;
}

/*
 * A dispatcher that was registered and has ended without coming up is tried
 * again later. With the lock held.
 */
static void
check_start(DxDatabase *database, bool stopped)
{
	if (!stopped || database->state != DX_DB_STARTING || database->pid != 0)
		return;
	database->generation++;
	dx_database_failed_locked(database, "the dispatcher did not come up");
}

/* A database that is not to have processes: end them, then free the slot. */
static void
dismiss_database(DxDatabase *database)
{
	if (database->state == DX_DB_STARTING || database->state == DX_DB_RUNNING)
		dx_database_set_state(database, DX_DB_RETIRING);
	if (!dx_database_empty_locked(database->dboid))
		dx_database_stop_locked(database);
	else if (database->holds == 0)
		dx_database_free_locked(database);
}

/* Brings the slots in line with pg_database; a freed slot is handed out again. */
static bool
update_slots(List *candidates, const bool *stopped)
{
	ListCell   *cell;
	bool		full = false;

	for (int i = 0; i < dx_shared->ndatabases; i++)
	{
		DxDatabase *database = &dx_database_slots[i];

		if (database->state == DX_DB_FREE)
			continue;
		check_start(database, stopped[i]);
		if (database->state == DX_DB_RETIRING ||
			find_candidate(candidates, database->dboid) == NULL)
			dismiss_database(database);
		else if (database->state == DX_DB_ABSENT && database->recheck &&
				 database->pid == 0)
		{
			database->recheck = false;
			database->failures = 0;
			database->not_before = 0;
			dx_database_set_state(database, DX_DB_STOPPED);
		}
	}

	foreach(cell, candidates)
	{
		const Candidate *candidate = lfirst(cell);

		if (dx_database_find_locked(candidate->dboid) == NULL &&
			dx_database_add_locked(candidate->dboid) == NULL)
			full = true;
	}
	return full;
}

/* How gladly we would see this dispatcher rest: 0 = not at all. */
static int
rest_rank(const DxDatabase *database, DxMono now)
{
	if (database->state != DX_DB_RUNNING || database->pid == 0 ||
		now - database->started < MIN_TURN_MS * INT64CONST(1000))
		return 0;
	return database->next_due > dx_now() && !database->starving && !database->sweep ? 2 : 1;
}

/*
 * Asks n dispatchers to make room for others: those that have nothing to do
 * first, and those that have been there for longest.  Those who were asked
 * before count.
 */
static void
ask_for_rest(int n, DxLatches *latches, DxMono *next)
{
	DxMono		now = dx_mono();

	for (int i = 0; i < dx_shared->ndatabases; i++)
		n -= dx_database_slots[i].yield;
	for (; n > 0; n--)
	{
		DxDatabase *victim = NULL;
		int			best = 0;

		for (int i = 0; i < dx_shared->ndatabases; i++)
		{
			DxDatabase *database = &dx_database_slots[i];
			int			rank = database->yield ? 0 : rest_rank(database, now);

			if (rank > best || (rank > 0 && rank == best &&
								database->started < victim->started))
			{
				best = rank;
				victim = database;
			}
		}
		if (victim == NULL)
			break;
		victim->yield = true;
		dx_latches_add(latches, victim->latch);
	}
	*next = Min(*next, now + MIN_TURN_MS * 1000);
}

/* The one that is to be started and has waited longest; NULL: none is due. */
static DxDatabase *
next_start(List *candidates, DxMono now)
{
	DxDatabase *best = NULL;

	for (int i = 0; i < dx_shared->ndatabases; i++)
	{
		DxDatabase *database = &dx_database_slots[i];

		if (database->state == DX_DB_STOPPED && database->pid == 0 &&
			database->not_before <= now &&
			(best == NULL || database->not_before < best->not_before) &&
			find_candidate(candidates, database->dboid) != NULL)
			best = database;
	}
	return best;
}

/*
 * Moves a database to STARTING, and notes for whom its dispatcher is to be.
 * With the lock held.
 */
static void
make_order(StartOrder *order, DxDatabase *database, List *candidates)
{
	database->generation++;
	database->started_at = dx_now();
	database->started = dx_mono();
	dx_database_set_state(database, DX_DB_STARTING);
	order->assignment.slot = database - dx_database_slots;
	order->assignment.generation = database->generation;
	order->assignment.dboid = database->dboid;
	order->assignment.owner = InvalidOid;
	order->name = find_candidate(candidates, database->dboid)->name;
}

/*
 * Moves what is to be started to STARTING, as far as there are places; *next:
 * when more will be due.  *share: there are more databases than places.
 */
static int
choose_starts(List *candidates, StartOrder *orders, DxMono *next,
			  DxLatches *latches, bool *share)
{
	DxMono		now = dx_mono();
	DxDatabase *database;
	int			running = 0;
	int			waiting = 0;
	int			n = 0;

	for (int i = 0; i < dx_shared->ndatabases; i++)
	{
		database = &dx_database_slots[i];
		running += database->state == DX_DB_STARTING ||
			database->state == DX_DB_RUNNING;
		if (database->state != DX_DB_STOPPED || database->pid != 0)
			continue;
		if (database->not_before <= now)
			waiting++;
		else
			*next = Min(*next, database->not_before);
	}
	for (; running < dx_dispatcher_places() &&
		 (database = next_start(candidates, now)) != NULL; running++, waiting--)
		make_order(&orders[n++], database, candidates);
	*share = waiting > 0;
	if (waiting > 0)
		ask_for_rest(waiting, latches, next);
	return n;
}

/*
 * Registers the dispatcher's process. When none is free it waits for its
 * turn, and the log says so now and then.
 */
static void
start_dispatcher(const StartOrder *order)
{
	DxDatabase *database = &dx_database_slots[order->assignment.slot];
	BackgroundWorkerHandle **handle = &handles[order->assignment.slot];
	BackgroundWorker process;
	MemoryContext old;
	DxLatches	latches = {0};
	static DxMono told_at = 0;
	bool		started;
	bool		first = false;

	if (*handle != NULL)
		pfree(*handle);
	*handle = NULL;
	dx_process_describe(&process, DX_PROCESS_DISPATCHER, NameStr(order->name),
						&order->assignment);
	old = MemoryContextSwitchTo(TopMemoryContext);
	started = RegisterDynamicBackgroundWorker(&process, handle);
	MemoryContextSwitchTo(old);
	if (started)
		return;

	dx_lock();
	if (database->generation == order->assignment.generation &&
		database->state == DX_DB_STARTING)
	{
		/* Nobody's fault: it waits for its turn, and a worker makes room. */
		dx_database_set_state(database, DX_DB_STOPPED);
		strlcpy(database->last_error, "no background worker is free", DX_ERROR_LEN);
		database->not_before = dx_mono_after(SCARCE_MS);
		database->resting = true;
		dx_worker_ask_yield_locked(NULL, &latches);
		first = told_at == 0 || dx_mono() - told_at > SCARCE_TELL_MS * INT64CONST(1000);
		if (first)
			told_at = dx_mono();
	}
	dx_unlock();
	dx_latches_set(&latches);
	if (first)
		ereport(LOG,
				(errmsg("could not start the dealix_exec dispatcher for database \"%s\": no background worker is free",
						NameStr(order->name)),
				 errhint("Raise max_worker_processes.")));
}

/*
 * Whether a database has got the extension in a way that nobody tells us of is
 * seen by looking again, each sweep_interval.
 */
static void
recheck_absent(DxMono *next)
{
	static DxMono last = 0;
	DxMono		now = dx_mono();

	if (last == 0)
		last = now;
	if (last + dx_sweep_interval * USECS_PER_SEC <= now)
	{
		for (int i = 0; i < dx_shared->ndatabases; i++)
		{
			if (dx_database_slots[i].state == DX_DB_ABSENT)
				dx_database_slots[i].recheck = true;
		}
		last = now;
	}
	*next = last + dx_sweep_interval * USECS_PER_SEC;
}

/* Once to the log: databases take turns. */
static void
tell_shared(void)
{
	ereport(LOG,
			(errmsg("more databases have work for dealix_exec than the %d that it looks after at a time: they take turns",
					dx_dispatcher_places()),
			 errdetail("Half of max_worker_processes (%d) is kept for workers.",
					   max_worker_processes),
			 errhint("Raise max_worker_processes, or name fewer databases in dealix_exec.databases.")));
}

/* One look at everything.  Returns how long to wait for the next, in ms. */
static long
launcher_cycle(void)
{
	List	   *candidates = list_candidates();
	bool	   *stopped = list_stopped();
	StartOrder *orders = palloc(dx_shared->ndatabases * sizeof(StartOrder));
	DxMono		next;
	int			norders;
	DxLatches	latches = {0};
	bool		full;
	bool		share;
	bool		warn;
	bool		tell;

	dx_server_commit_note();
	dx_lock();
	recheck_absent(&next);
	full = update_slots(candidates, stopped);
	norders = choose_starts(candidates, orders, &next, &latches, &share);
	warn = full && !dx_shared->warned_databases;
	dx_shared->warned_databases = dx_shared->warned_databases || warn;
	tell = share && shared_before && !dx_shared->warned_dispatchers;
	dx_shared->warned_dispatchers = dx_shared->warned_dispatchers || tell;
	shared_before = share;
	dx_unlock();
	dx_latches_set(&latches);

	if (tell)
		tell_shared();
	if (warn)
		ereport(LOG,
				(errmsg("dealix_exec cannot look after more than %d databases",
						dx_shared->ndatabases),
				 errhint("Raise dealix_exec.max_databases, or name the databases in dealix_exec.databases.")));
	for (int i = 0; i < norders; i++)
		start_dispatcher(&orders[i]);
	pgstat_report_activity(STATE_IDLE, NULL);
	return Max(dx_mono_left(next), 10);
}

/*
 * dx_launcher_main
 *		Entry point of the launcher.
 */
void
dx_launcher_main(Datum arg)
{
	dx_process_begin(DX_PROCESS_LAUNCHER, NULL);
	launcher_attach();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	dx_process_settings();

	dx_process_loop(launcher_cycle, NULL, DX_WAIT_LAUNCHER);
}

/*
 * dx_launcher_init
 *		Registers the launcher.  From _PG_init while the server preloads.
 */
void
dx_launcher_init(void)
{
	BackgroundWorker process;

	dx_process_describe(&process, DX_PROCESS_LAUNCHER, NULL, NULL);
	RegisterBackgroundWorker(&process);
}
