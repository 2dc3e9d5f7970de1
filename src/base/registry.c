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
#include "base/database_slot.h"
#include "base/registry.h"
#include "base/ring.h"
#include "base/shared.h"
#include "base/waiter.h"
#include "base/worker_life.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#define MAX_HOLDS		8

/* Databases that this backend holds RETIRING. */
static Oid	held[MAX_HOLDS];
static int	nheld = 0;

/*
 * dx_database_free_locked
 *		Gives a slot back, together with the rings of the database and with
 *		workers that were registered there and have not come up.
 */
void
dx_database_free_locked(DxDatabase *database)
{
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
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

	Assert(timeout_ms >= 0);
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

	Assert(index >= 0 && index < dx_shared->ndatabases);
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

	Assert(index >= 0 && index < dx_shared->ndatabases);
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
