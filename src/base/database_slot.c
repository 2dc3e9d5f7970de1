/*-------------------------------------------------------------------------
 *
 * database_slot.c
 *	  The slots of the databases: states, and what is noted of them.
 *
 * dx_shared->lock guards every field of dx_database_slots.  What becomes of a
 * database's processes and rings with it is in registry.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/database_slot.h"
#include "base/latches.h"
#include "base/shared.h"
#include "lib/ilist.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

#define STEADY_MS		(60 * 1000) /* alive for this long: not a failure */

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
		[DX_DB_FREE] = "FREE",
		[DX_DB_STOPPED] = "STOPPED",
		[DX_DB_STARTING] = "STARTING",
		[DX_DB_RUNNING] = "RUNNING",
		[DX_DB_ABSENT] = "ABSENT",
		[DX_DB_RETIRING] = "RETIRING"
	};

	return names[state];
}

/*
 * dx_database_find_locked
 *		The slot of a database, or NULL.
 */
DxDatabase *
dx_database_find_locked(Oid dboid)
{
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
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
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
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
 * dx_database_failed_locked
 *		The dispatcher could not be started, or has ended unasked: to be
 *		started again after a while.
 */
void
dx_database_failed_locked(DxDatabase *database, const char *error)
{
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
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
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
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
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
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
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
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

	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
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
