/*-------------------------------------------------------------------------
 *
 * worker_life.c
 *	  A worker comes, works and goes: what that means for its ring.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/database_slot.h"
#include "base/latches.h"
#include "base/ring.h"
#include "base/shared.h"
#include "base/worker_life.h"
#include "base/worker_slot.h"
#include "miscadmin.h"
#include "storage/condition_variable.h"
#include "storage/proc.h"

/*
 * An owner's only worker is left alone for this long before another owner gets
 * its place: starting one costs some ms.
 */
#define MIN_TURN_MS		500

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

	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	Assert(worker->state != DX_WORKER_FREE);
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

	Assert(index >= 0 && index < dx_shared->nworkers);
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

	Assert(index >= 0 && index < dx_shared->nworkers);
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

	Assert(runs >= 0 && steps >= 0);
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

	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
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
