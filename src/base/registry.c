/*-------------------------------------------------------------------------
 *
 * registry.c
 *	  The databases that the launcher looks after, and their dispatchers.
 *
 * Owns dx_database_slots; dx_shared->lock guards every field.  The launcher
 * adds, starts and frees; a dispatcher attaches and detaches itself; a backend
 * about to drop, rename, move or copy a database holds it RETIRING until its
 * transaction ends, so that nothing is started there in the meantime.
 *
 * A slot is reused, so a dispatcher names its slot together with the slot's
 * generation, and one that comes too late finds another generation and leaves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/latches.h"
#include "base/registry.h"
#include "base/ring.h"
#include "base/shared.h"
#include "base/waiter.h"
#include "base/worker_slot.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#define MAX_HOLDS		8
#define STEADY_MS		(60 * 1000) /* alive for this long: not a failure */

/* Databases that this backend holds RETIRING. */
static Oid	held[MAX_HOLDS];
static int	nheld = 0;

#define EDGE(state) (1 << (state))

static const int edges[] PG_USED_FOR_ASSERTS_ONLY = {
	[DX_DB_FREE] = EDGE(DX_DB_STOPPED),
	[DX_DB_STOPPED] = EDGE(DX_DB_STARTING) | EDGE(DX_DB_RETIRING) | EDGE(DX_DB_FREE),
	[DX_DB_STARTING] = EDGE(DX_DB_RUNNING) | EDGE(DX_DB_ABSENT) |
	EDGE(DX_DB_STOPPED) | EDGE(DX_DB_RETIRING),
	[DX_DB_RUNNING] = EDGE(DX_DB_ABSENT) | EDGE(DX_DB_STOPPED) | EDGE(DX_DB_RETIRING),
	[DX_DB_ABSENT] = EDGE(DX_DB_STOPPED) | EDGE(DX_DB_RETIRING) | EDGE(DX_DB_FREE),
	[DX_DB_RETIRING] = EDGE(DX_DB_FREE)
};

/*
 * dx_database_set_state
 *		The one place where a database changes its state.  Lock held.
 */
void
dx_database_set_state(DxDatabase *database, DxDatabaseState state)
{
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	Assert(edges[database->state] & EDGE(state));
	database->state = state;
}

/*
 * dx_database_state_name
 *		The state as dealix.workers shows it.
 */
const char *
dx_database_state_name(DxDatabaseState state)
{
	static const char *const names[] = {
		[DX_DB_FREE] = "free",
		[DX_DB_STOPPED] = "stopped",
		[DX_DB_STARTING] = "starting",
		[DX_DB_RUNNING] = "running",
		[DX_DB_ABSENT] = "absent",
		[DX_DB_RETIRING] = "retiring"
	};

	return names[state];
}

/*
 * dx_backoff
 *		Milliseconds to wait after so many failures in a row.
 */
int
dx_backoff(int failures)
{
	return Min(1000 << Min(Max(failures, 1) - 1, 10), 60 * 1000);
}

/*
 * dx_database_find_locked
 *		The slot of a database, or NULL.
 */
DxDatabase *
dx_database_find_locked(Oid dboid)
{
	for (int i = 0; i < dx_shared->ndatabases; i++)
	{
		DxDatabase *database = &dx_database_slots[i];

		if (database->state != DX_DB_FREE && database->dboid == dboid)
			return database;
	}
	return NULL;
}

/*
 * dx_database_add_locked
 *		A slot, STOPPED, for a database that has none; NULL when all are used.
 */
DxDatabase *
dx_database_add_locked(Oid dboid)
{
	for (int i = 0; i < dx_shared->ndatabases; i++)
	{
		DxDatabase *database = &dx_database_slots[i];
		uint32		generation = database->generation;

		if (database->state != DX_DB_FREE)
			continue;
		memset(database, 0, sizeof(DxDatabase));
		dlist_init(&database->line);
		database->dboid = dboid;
		database->generation = generation + 1;
		database->next_due = DT_NOEND;
		dx_database_set_state(database, DX_DB_STOPPED);
		return database;
	}
	return NULL;
}

/*
 * dx_database_free_locked
 *		Gives a slot back, together with the rings of the database and with
 *		workers that were registered there and have not come up.
 */
void
dx_database_free_locked(DxDatabase *database)
{
	Assert(database->pid == 0);

	for (int i = 0; i < dx_shared->nworkers; i++)
	{
		DxWorker   *worker = &dx_worker_slots[i];

		if (worker->state != DX_WORKER_FREE && worker->dboid == database->dboid)
			dx_worker_free_locked(worker, NULL);
	}
	dx_ring_clear_line_locked(database);
	for (int i = 0; i < dx_shared->nrings; i++)
	{
		if (dx_rings[i].dboid == database->dboid)
			dx_ring_free_locked(&dx_rings[i]);
	}
	database->generation++;
	dx_database_set_state(database, DX_DB_FREE);
}

/*
 * dx_database_failed_locked
 *		The dispatcher could not be started, or has ended unasked: to be
 *		started again after a while.
 */
void
dx_database_failed_locked(DxDatabase *database, const char *error)
{
	if (database->started != 0 &&
		dx_mono() - database->started > STEADY_MS * INT64CONST(1000))
		database->failures = 0;
	database->failures++;
	database->not_before = dx_mono_after(dx_backoff(database->failures));
	strlcpy(database->last_error, error, DX_ERROR_LEN);
	dx_database_set_state(database, DX_DB_STOPPED);
}

/*
 * dx_database_recheck_locked
 *		The extension has come or gone: everybody has to look.
 */
void
dx_database_recheck_locked(DxDatabase *database, DxLatches *latches)
{
	database->recheck = true;
	dx_latches_add(latches, database->latch);
	for (int i = 0; i < dx_shared->nworkers; i++)
	{
		DxWorker   *worker = &dx_worker_slots[i];

		if (worker->state == DX_WORKER_FREE || worker->dboid != database->dboid)
			continue;
		worker->recheck = true;
		dx_latches_add(latches, worker->latch);
	}
}

/*
 * dx_database_stop_locked
 *		SIGTERM to all processes of a database.
 *
 * A process gives its slot back under the lock before it ends, so no pid seen
 * here can belong to somebody else.
 */
void
dx_database_stop_locked(DxDatabase *database)
{
	if (database->pid != 0)
		kill(database->pid, SIGTERM);
	for (int i = 0; i < dx_shared->nworkers; i++)
	{
		DxWorker   *worker = &dx_worker_slots[i];

		if (worker->state != DX_WORKER_FREE && worker->pid != 0 &&
			worker->dboid == database->dboid)
			kill(worker->pid, SIGTERM);
	}
}

/*
 * dx_database_call_locked
 *		The dispatcher has something to do at that time; one that rests is
 *		started then.
 */
void
dx_database_call_locked(DxDatabase *database, DxMono when, DxLatches *latches)
{
	if (database->latch != NULL)
		dx_latches_add(latches, database->latch);
	else if (database->state == DX_DB_STOPPED && database->resting &&
			 when < database->not_before)
	{
		database->not_before = when;
		dx_latches_add(latches, dx_shared->launcher_latch);
	}
}

/*
 * dx_database_empty_locked
 *		Has the database no process of ours (any more)?
 */
bool
dx_database_empty_locked(Oid dboid)
{
	DxDatabase *database = dx_database_find_locked(dboid);

	if (database != NULL && database->pid != 0)
		return false;
	for (int i = 0; i < dx_shared->nworkers; i++)
	{
		DxWorker   *worker = &dx_worker_slots[i];

		if (worker->state != DX_WORKER_FREE && worker->pid != 0 &&
			worker->dboid == dboid)
			return false;
	}
	return true;
}

/* Makes the database RETIRING until the end of our transaction. */
static void
hold(Oid dboid)
{
	DxDatabase *database;

	for (int i = 0; i < nheld; i++)
	{
		if (held[i] == dboid)
			return;
	}
	if (nheld == MAX_HOLDS)
		return;

	dx_lock();
	database = dx_database_find_locked(dboid);
	if (database == NULL)
		database = dx_database_add_locked(dboid);
	if (database != NULL)
	{
		database->holds++;
		if (database->state != DX_DB_RETIRING)
			dx_database_set_state(database, DX_DB_RETIRING);
		held[nheld++] = dboid;
	}
	dx_unlock();
}

/*
 * dx_database_retire
 *		Ends the processes of a database and keeps it without until the end of
 *		our transaction; then the launcher starts them again if the database
 *		is still there.  Waits, timeout_ms at most, until they are gone, and
 *		tells whether they are.  Interruptible.
 */
bool
dx_database_retire(Oid dboid, int timeout_ms)
{
	DxMono		until;
	bool		empty;

	if (!dx_shared_available())
		return true;

	until = dx_mono_after(timeout_ms);
	hold(dboid);
	ConditionVariablePrepareToSleep(&dx_shared->gone);
	for (;;)
	{
		DxDatabase *database;
		long		left;

		dx_lock();
		database = dx_database_find_locked(dboid);
		if (database != NULL)
			dx_database_stop_locked(database);
		empty = dx_database_empty_locked(dboid);
		dx_unlock();

		left = dx_mono_left(until);
		if (empty || left <= 0)
			break;
		ConditionVariableTimedSleep(&dx_shared->gone, Min(left, 1000),
									dx_wait_event(DX_WAIT_RETIRE));
	}
	ConditionVariableCancelSleep();
	return empty;
}

/*
 * dx_database_release_holds
 *		At the end of the transaction: lets the launcher decide about the
 *		databases that we have held.
 */
void
dx_database_release_holds(void)
{
	if (nheld == 0)
		return;

	dx_lock();
	for (int i = 0; i < nheld; i++)
	{
		DxDatabase *database = dx_database_find_locked(held[i]);

		if (database != NULL && database->holds > 0)
			database->holds--;
	}
	dx_unlock();
	nheld = 0;
	dx_wake_launcher_latch();
}

/*
 * dx_wake_launcher_latch
 *		Makes the launcher look at pg_database and at the registry now.
 */
void
dx_wake_launcher_latch(void)
{
	Latch	   *latch;

	dx_lock();
	latch = dx_shared->launcher_latch;
	dx_unlock();
	if (latch != NULL)
		SetLatch(latch);
}

/*
 * dx_dispatcher_attach
 *		Makes us the dispatcher of a slot.  False: it is not wanted any more.
 */
bool
dx_dispatcher_attach(int index, uint32 generation)
{
	DxDatabase *database = &dx_database_slots[index];
	bool		wanted;

	dx_lock();
	wanted = database->generation == generation &&
		database->state == DX_DB_STARTING && database->pid == 0;
	if (wanted)
	{
		database->pid = MyProcPid;
		database->latch = &MyProc->procLatch;
		database->started_at = dx_now();
		database->started = dx_mono();
		database->recheck = false;
		database->sweep_at = 0;
		database->next_due = DT_NOEND;
		database->starving = false;
		database->resting = false;
		database->yield = false;
		database->passes = 0;
	}
	dx_unlock();
	return wanted;
}

/*
 * dx_dispatcher_detach
 *		At exit: gives the slot back.  error: what happened, if anything did.
 */
void
dx_dispatcher_detach(int index, const char *error)
{
	DxDatabase *database = &dx_database_slots[index];

	dx_lock();
	database->pid = 0;
	database->latch = NULL;
	database->starving = false;
	database->yield = false;
	if (database->state == DX_DB_STARTING || database->state == DX_DB_RUNNING)
		dx_database_failed_locked(database, error);
	dx_unlock();

	ConditionVariableBroadcast(&dx_shared->gone);
	dx_wake_launcher_latch();
}
