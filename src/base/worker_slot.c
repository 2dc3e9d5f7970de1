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
#include "base/latches.h"
#include "base/registry.h"
#include "base/ring.h"
#include "base/shared.h"
#include "base/worker_slot.h"
#include "miscadmin.h"
#include "storage/condition_variable.h"
#include "storage/proc.h"

/*
 * An owner's only worker is left alone for this long before another owner gets
 * its place: starting one costs some ms.
 */
#define MIN_TURN_MS		500

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
		[DX_WORKER_FREE] = "free",
		[DX_WORKER_STARTING] = "starting",
		[DX_WORKER_IDLE] = "idle",
		[DX_WORKER_BUSY] = "busy"
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

	dx_worker_set_state(worker, DX_WORKER_IDLE);
	worker->next_idle = ring->idle_head;
	ring->idle_head = worker - dx_worker_slots;
}

void
dx_worker_unidle_locked(DxWorker *worker)
{
	int		   *link = &dx_rings[worker->ring].idle_head;
	int			self = worker - dx_worker_slots;

	/* Whoever woke us has taken us out already. */
	while (*link != -1 && *link != self)
		link = &dx_worker_slots[*link].next_idle;
	if (*link == self)
		*link = worker->next_idle;
	worker->next_idle = -1;
}

/* A place has become free: dispatchers that want one look again. */
static void
wake_starving(DxLatches *latches)
{
	for (int i = 0; i < dx_shared->ndatabases; i++)
	{
		DxDatabase *database = &dx_database_slots[i];

		if (database->state != DX_DB_RUNNING ||
			(!database->starving && database->nline == 0))
			continue;
		database->starving = false;
		dx_latches_add(latches, database->latch);
	}
}

/*
 * dx_worker_free_locked
 *		Gives a slot back.  What it leaves undone is announced to others,
 *		unless latches is NULL.
 */
void
dx_worker_free_locked(DxWorker *worker, DxLatches *latches)
{
	DxRing	   *ring = &dx_rings[worker->ring];
	DxDatabase *database = dx_database_find_locked(worker->dboid);

	dx_worker_unidle_locked(worker);
	if (ring->scanner == worker - dx_worker_slots)
		ring->scanner = -1;
	ring->nworkers--;
	worker->generation++;
	worker->pid = 0;
	worker->latch = NULL;
	dx_worker_set_state(worker, DX_WORKER_FREE);
	dx_shared->nplaces--;

	if (latches == NULL)
		return;
	dx_ring_wake_locked(ring, latches);
	dx_ring_release_locked(ring);
	wake_starving(latches);
	if (database != NULL)
		dx_latches_add(latches, database->latch);
}

/*
 * dx_worker_attach
 *		Makes us the worker of a slot.  False: it is not wanted any more.
 */
bool
dx_worker_attach(int index, uint32 generation)
{
	DxWorker   *worker = &dx_worker_slots[index];
	DxLatches	latches = {0};
	bool		wanted;

	dx_lock();
	wanted = worker->generation == generation &&
		worker->state == DX_WORKER_STARTING && worker->pid == 0;
	if (wanted)
	{
		DxDatabase *database = dx_database_find_locked(worker->dboid);

		if (database == NULL || database->state == DX_DB_RETIRING ||
			database->state == DX_DB_ABSENT)
		{
			wanted = false;
			dx_worker_free_locked(worker, &latches);
		}
		else
		{
			worker->pid = MyProcPid;
			worker->latch = &MyProc->procLatch;
		}
	}
	dx_unlock();
	dx_latches_set(&latches);
	return wanted;
}

/*
 * dx_worker_detach
 *		At exit: gives the slot back if it still is ours.  lost_work: it held
 *		run ids that nobody else knows of.  error: it came to nothing because
 *		of this; NULL otherwise.
 */
void
dx_worker_detach(int index, bool lost_work, const char *error)
{
	DxWorker   *worker = &dx_worker_slots[index];
	DxRing	   *ring;
	DxLatches	latches = {0};

	dx_lock();
	if (worker->state == DX_WORKER_FREE || worker->pid != MyProcPid)
	{
		dx_unlock();
		return;
	}

	ring = &dx_rings[worker->ring];
	if (lost_work)
		dx_ring_want_scan_locked(ring, true);
	if (error != NULL)
	{
		ring->failures++;
		ring->not_before = dx_mono_after(dx_backoff(ring->failures));
		strlcpy(ring->last_error, error, DX_ERROR_LEN);
	}
	dx_worker_free_locked(worker, &latches);
	dx_unlock();

	dx_latches_set(&latches);
	ConditionVariableBroadcast(&dx_shared->gone);
}

/*
 * dx_worker_leave
 *		Gives the slot back if there is no work in the ring; true: exit now.
 *
 * Look and leave are one step under the lock: an id pushed later finds a ring
 * without this worker, and asks the dispatcher for one.
 */
bool
dx_worker_leave(int index)
{
	DxWorker   *worker = &dx_worker_slots[index];
	DxLatches	latches = {0};
	bool		leave;

	dx_lock();
	leave = !dx_ring_has_work_locked(&dx_rings[worker->ring]);
	if (leave)
		dx_worker_free_locked(worker, &latches);
	dx_unlock();
	dx_latches_set(&latches);
	return leave;
}

/*
 * dx_worker_report
 *		Adds a pass to the worker's counters.
 */
void
dx_worker_report(int index, int runs, int steps)
{
	DxWorker   *worker = &dx_worker_slots[index];

	dx_lock();
	worker->passes++;
	worker->runs += runs;
	worker->steps += steps;
	dx_unlock();
}

/*
 * dx_worker_error
 *		Notes the worker's last error, for dealix.workers.
 */
void
dx_worker_error(int index, const char *error)
{
	dx_lock();
	strlcpy(dx_worker_slots[index].last_error, error, DX_ERROR_LEN);
	dx_unlock();
}

/* How gladly we would see this worker go: 0 = not at all. */
static int
yield_rank(const DxWorker *worker, const DxRing *wanting, DxMono now)
{
	const DxRing *ring = &dx_rings[worker->ring];

	if (worker->pid == 0 || worker->yield || ring == wanting)
		return 0;
	if (worker->state == DX_WORKER_IDLE && !dx_ring_has_work_locked(ring))
		return 3;
	if (ring->nworkers > 1)
		return 2;
	return now - worker->started > MIN_TURN_MS * INT64CONST(1000) ? 1 : 0;
}

/*
 * dx_worker_ask_yield_locked
 *		No place is free for a ring that has no worker (NULL: for a dispatcher):
 *		asks the worker that can best be spared, in any database, to leave
 *		after its pass.
 */
void
dx_worker_ask_yield_locked(const DxRing *wanting, DxLatches *latches)
{
	DxMono		now = dx_mono();
	DxWorker   *victim = NULL;
	int			best = 0;

	for (int i = 0; i < dx_shared->nworkers; i++)
	{
		DxWorker   *worker = &dx_worker_slots[i];
		int			rank = yield_rank(worker, wanting, now);

		if (rank > best ||
			(rank == best && rank > 0 && worker->started < victim->started))
		{
			best = rank;
			victim = worker;
		}
	}
	if (victim != NULL)
	{
		victim->yield = true;
		dx_latches_add(latches, victim->latch);
	}
}
