/*-------------------------------------------------------------------------
 *
 * worker_slot.c
 *	  The worker slots: who works for which owner, and what it has done.
 *
 * Owns dx_worker_slots; dx_shared->lock guards every field.  A dispatcher
 * reserves a slot and registers a background worker with the slot's number
 * and generation; the worker attaches itself and gives the slot back at exit.
 * There are as many slots as background workers, so one is always free.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/guc.h"
#include "base/shared.h"
#include "base/worker_slot.h"
#include "miscadmin.h"
#include "storage/condition_variable.h"
#include "storage/proc.h"

/* The launcher, and that of logical replication. */
#define OTHER_PROCESSES	2

#define EDGE(state) (1 << (state))

static const int edges[] PG_USED_FOR_ASSERTS_ONLY = {
	[DX_WORKER_FREE] = EDGE(DX_WORKER_STARTING),
	[DX_WORKER_STARTING] = EDGE(DX_WORKER_BUSY) | EDGE(DX_WORKER_FREE),
	[DX_WORKER_IDLE] = EDGE(DX_WORKER_BUSY) | EDGE(DX_WORKER_FREE),
	[DX_WORKER_BUSY] = EDGE(DX_WORKER_IDLE) | EDGE(DX_WORKER_FREE)
};

/*
 * dx_worker_set_state
 *		The one place where a worker changes its state.  Lock held.
 */
void
dx_worker_set_state(DxWorker *worker, DxWorkerState state)
{
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	Assert(edges[worker->state] & EDGE(state));
	worker->state = state;
}

/*
 * dx_worker_state_name
 *		The state as dealix.workers shows it.
 */
const char *
dx_worker_state_name(DxWorkerState state)
{
	static const char *const names[] = {
		[DX_WORKER_FREE] = "FREE",
		[DX_WORKER_STARTING] = "STARTING",
		[DX_WORKER_IDLE] = "IDLE",
		[DX_WORKER_BUSY] = "BUSY"
	};

	return names[state];
}

/*
 * dx_worker_places_locked
 *		How many workers there may be in all databases together: what is left of
 *		max_worker_processes, or less by dealix_exec.max_workers.
 */
int
dx_worker_places_locked(void)
{
	int			places = max_worker_processes - OTHER_PROCESSES;
	int			dispatchers = 0;

	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	for (int i = 0; i < dx_shared->ndatabases; i++)
	{
		DxDatabaseState state = dx_database_slots[i].state;

		dispatchers += state == DX_DB_STARTING || state == DX_DB_RUNNING ||
			(state == DX_DB_STOPPED && dx_database_slots[i].resting);
	}
	places -= Min(dispatchers, dx_dispatcher_places());
	if (dx_max_workers > 0)
		places = Min(places, dx_max_workers);
	return Max(places, 1);
}

/*
 * dx_worker_superfluous_locked
 *		Are there more workers than places, not counting those that are leaving?
 *		An owner that has several leaves the last place to others.
 */
bool
dx_worker_superfluous_locked(const DxRing *ring)
{
	int			n = dx_shared->nplaces + (ring->nworkers > 1 ? 1 : 0);

	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	for (int i = 0; i < dx_shared->nworkers; i++)
		n -= dx_worker_slots[i].state != DX_WORKER_FREE && dx_worker_slots[i].yield;
	return n > dx_worker_places_locked();
}

/*
 * dx_dispatcher_places
 *		How many dispatchers there may be at a time: with more databases they
 *		take turns.  The other half is for workers.
 */
int
dx_dispatcher_places(void)
{
	return Max((max_worker_processes - OTHER_PROCESSES) / 2, 1);
}

/*
 * dx_worker_reserve_locked
 *		A slot, STARTING, for one more worker of the ring; NULL: there is no
 *		place.  The last place is kept for an owner that has no worker.
 */
DxWorker *
dx_worker_reserve_locked(DxRing *ring)
{
	int			kept = ring->nworkers > 0 ? 1 : 0;

	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	if (dx_shared->nplaces + kept >= dx_worker_places_locked())
		return NULL;
	for (int i = 0; i < dx_shared->nworkers; i++)
	{
		DxWorker   *worker = &dx_worker_slots[i];
		uint32		generation = worker->generation;

		if (worker->state != DX_WORKER_FREE)
			continue;
		memset(worker, 0, sizeof(DxWorker));
		worker->generation = generation + 1;
		worker->dboid = ring->dboid;
		worker->owner = ring->owner;
		worker->ring = ring - dx_rings;
		worker->next_idle = -1;
		worker->started_at = dx_now();
		worker->started = dx_mono();
		worker->started_before = ring->last_start;
		dx_worker_set_state(worker, DX_WORKER_STARTING);
		dx_shared->nplaces++;
		ring->nworkers++;
		ring->last_start = worker->started;
		return worker;
	}
	return NULL;
}

/*
 * dx_worker_idle_locked, dx_worker_unidle_locked
 *		Puts a BUSY worker into its ring's idle list, and takes it out.
 */
void
dx_worker_idle_locked(DxWorker *worker)
{
	DxRing	   *ring = &dx_rings[worker->ring];

	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	dx_worker_set_state(worker, DX_WORKER_IDLE);
	worker->next_idle = ring->idle_head;
	ring->idle_head = worker - dx_worker_slots;
}

/*
 * Takes a worker out of its ring's list of those without work; harmless when
 * it is not there. With the lock held.
 */
void
dx_worker_unidle_locked(DxWorker *worker)
{
	int		   *link = &dx_rings[worker->ring].idle_head;
	int			self = worker - dx_worker_slots;

	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	/* Whoever woke us has taken us out already. */
	while (*link != -1 && *link != self)
		link = &dx_worker_slots[*link].next_idle;
	if (*link == self)
		*link = worker->next_idle;
	worker->next_idle = -1;
}
