/*-------------------------------------------------------------------------
 *
 * staffing.c
 *	  Which owners of a dispatcher's database get workers: reserves a place,
 *	  registers the process, and sees whether it has come up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/frame.h"
#include "base/guc.h"
#include "base/latches.h"
#include "base/ring.h"
#include "base/shared.h"
#include "base/worker_life.h"
#include "base/worker_slot.h"
#include "engine/owner.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/memutils.h"
#include "worker/process.h"
#include "worker/staffing.h"

#define SCARCE_MS			4	/* first wait for a free background worker */
#define SCARCE_MAX_MS		250
#define SCARCE_TELL_MS		60000	/* what the log says once in that time */

typedef struct WorkerHandle
{
	BackgroundWorkerHandle *handle;
	uint32		generation;
} WorkerHandle;

static DxDatabase *database;
static WorkerHandle *handles;	/* by worker slot */

/* No background worker was free: when to try again. */
static struct
{
	int			delay;			/* ms, 0 = at once */
	DxMono		not_before;
	DxMono		ask_at;			/* when to ask one more worker to leave */
	DxMono		told_at;		/* when the log said so */
}			scarce;

/* Whose workers this process starts. */
void
dx_staff_init(DxDatabase *whose)
{
	Assert(database == NULL);
	database = whose;
	handles = MemoryContextAllocZero(TopMemoryContext,
									 dx_shared->nworkers * sizeof(WorkerHandle));
}

/*
 * Does this ring want one more worker now?  *next: when to ask again.  If all
 * its workers are at work we wait for the time of a pass: only if none of them
 * has come back for more by then are they in long steps.
 */
static bool
wants_worker(DxRing *ring, DxMono now, DxMono *next, DxLatches *latches)
{
	bool		stuck;

	if (!dx_ring_has_work_locked(ring) || ring->nworkers >= dx_workers)
	{
		ring->asked = DX_ASK_NOTHING;
		ring->check_at = 0;
		if (ring->nworkers == 0 && !dx_ring_has_work_locked(ring))
		{
			/* What could not be started is not wanted any more. */
			ring->failures = 0;
			dx_ring_release_locked(ring);
		}
		return false;
	}
	if (ring->failures > 0 && ring->not_before > now)
	{
		*next = Min(*next, ring->not_before);
		return false;
	}
	if (ring->idle_head != -1)
	{
		dx_ring_wake_locked(ring, latches);
		return false;
	}
	if (ring->nworkers == 0 || ring->count > ring->nworkers * dx_pass_max_runs)
		return true;

	stuck = ring->check_at != 0 && ring->check_at <= now &&
		ring->check_popped == ring->popped;
	if (ring->check_at <= now)
	{
		ring->check_at = now + dx_pass_max_time * INT64CONST(1000);
		ring->check_popped = ring->popped;
	}
	if (!stuck)
		*next = Min(*next, ring->check_at);
	return stuck;
}

/*
 * An owner without a worker goes before those who have some, and among equals
 * the one who has waited longest for one.
 */
static bool
goes_before(const DxRing *ring, const DxRing *other)
{
	if ((ring->nworkers == 0) != (other->nworkers == 0))
		return ring->nworkers == 0;
	return ring->last_start < other->last_start;
}

/*
 * Reserves a worker slot for the ring that has waited longest for a worker.
 * False: no ring wants one, or not yet.
 */
static bool
reserve_worker(DxAssignment *order, DxMono *next)
{
	DxMono		now = dx_mono();
	DxLatches	latches = {0};
	DxRing	   *best = NULL;
	DxWorker   *worker = NULL;

	dx_lock();
	while (dx_ring_line_locked(database))
		;
	for (int i = 0; i < dx_shared->nrings && !database->held; i++)
	{
		DxRing	   *ring = &dx_rings[i];

		if (ring->dboid == database->dboid &&
			wants_worker(ring, now, next, &latches) &&
			(best == NULL || goes_before(ring, best)))
			best = ring;
	}
	if (!database->starving)
		scarce.delay = 0;		/* a worker has left since */
	if (best != NULL && scarce.delay > 0 && scarce.not_before > now)
		*next = Min(*next, scarce.not_before);
	else if (best != NULL &&
			 (worker = dx_worker_reserve_locked(best)) == NULL &&
			 best->nworkers == 0)
	{
		/* Somebody makes room, and then we are woken. */
		database->starving = true;
		if (scarce.ask_at <= now)
		{
			dx_worker_ask_yield_locked(best, &latches);
			scarce.ask_at = now + SCARCE_MAX_MS * 1000;
		}
		*next = Min(*next, now + SCARCE_MAX_MS * 1000);
	}
	if (best == NULL || worker != NULL)
		database->starving = false;
	if (worker != NULL)
	{
		scarce.ask_at = 0;
		order->slot = worker - dx_worker_slots;
		order->generation = worker->generation;
		order->dboid = worker->dboid;
		order->owner = worker->owner;
	}
	dx_unlock();
	dx_latches_set(&latches);
	return worker != NULL;
}

/*
 * Takes a reservation back.  error: what is wrong with the owner; NULL: there
 * was no free background worker.  Returns whether the log should say so.
 */
static bool
cancel_worker(const DxAssignment *order, const char *error)
{
	DxWorker   *worker = &dx_worker_slots[order->slot];
	DxRing	   *ring = &dx_rings[worker->ring];
	DxLatches	latches = {0};
	bool		first = false;

	dx_lock();
	if (worker->generation == order->generation &&
		worker->state == DX_WORKER_STARTING)
	{
		dx_worker_free_locked(worker, NULL);
		if (error != NULL)
		{
			first = ring->failures++ == 0;
			ring->not_before = dx_mono_after(dx_backoff(ring->failures));
			strlcpy(ring->last_error, error, DX_ERROR_LEN);
		}
		else
		{
			/* It has had no turn, and is before those who have. */
			ring->last_start = worker->started_before;
			first = scarce.told_at == 0 ||
				dx_mono() - scarce.told_at > SCARCE_TELL_MS * 1000;
			if (first)
				scarce.told_at = dx_mono();
			database->starving = true;
			if (ring->nworkers == 0)
				dx_worker_ask_yield_locked(ring, &latches);
		}
	}
	dx_unlock();
	dx_latches_set(&latches);
	return first;
}

/*
 * The owner's name, or NULL and what is wrong with him: a process that could
 * not connect is not started in the first place.
 */
static char *
check_owner(Oid owner, char **error)
{
	DxOwnerProblem problem;
	char	   *name = NULL;
	MemoryContext caller = CurrentMemoryContext;

	dx_frame_begin("dealix_exec: looking for the owner");
	MemoryContextSwitchTo(caller);
	if (dx_owner_allowed(owner, &problem))
		name = GetUserNameFromId(owner, false);
	else
		*error = problem.message;
	dx_frame_commit();
	MemoryContextSwitchTo(caller);
	return name;
}

/*
 * Registers the process of a worker; false when no background worker is free.
 */
static bool
register_worker(const DxAssignment *order, const char *owner)
{
	WorkerHandle *handle = &handles[order->slot];
	BackgroundWorker process;
	MemoryContext old;
	bool		started;

	if (handle->handle != NULL)
		pfree(handle->handle);
	handle->handle = NULL;
	handle->generation = order->generation;
	dx_process_describe(&process, DX_PROCESS_WORKER, owner, order);
	old = MemoryContextSwitchTo(TopMemoryContext);
	started = RegisterDynamicBackgroundWorker(&process, &handle->handle);
	MemoryContextSwitchTo(old);
	return started;
}

/* Starts a reserved worker.  False: no background worker is free. */
static bool
start_worker(const DxAssignment *order)
{
	char	   *error = NULL;
	char	   *owner = check_owner(order->owner, &error);

	if (owner == NULL)
	{
		if (cancel_worker(order, error))
			ereport(WARNING,
					(errmsg("cannot run workflows: %s", error),
					 errdetail("The runs of this role wait."),
					 errhint("Workers connect as the role that started the run; it needs the LOGIN attribute.")));
		return true;
	}
	if (register_worker(order, owner))
	{
		scarce.delay = 0;
		return true;
	}

	if (cancel_worker(order, NULL))
		ereport(LOG,
				(errmsg("could not start a dealix_exec worker for role \"%s\": no background worker is free",
						owner),
				 errhint("Raise max_worker_processes, or lower dealix_exec.max_workers.")));
	scarce.delay = scarce.delay == 0 ? SCARCE_MS :
		Min(scarce.delay * 2, SCARCE_MAX_MS);
	scarce.not_before = dx_mono_after(scarce.delay);
	return false;
}

/* Workers that were registered and have ended without coming up. */
static void
check_started(void)
{
	for (int i = 0; i < dx_shared->nworkers; i++)
	{
		WorkerHandle *handle = &handles[i];
		DxAssignment order = {0};
		pid_t		pid;

		if (handle->handle == NULL ||
			GetBackgroundWorkerPid(handle->handle, &pid) != BGWH_STOPPED)
			continue;
		pfree(handle->handle);
		handle->handle = NULL;
		order.slot = i;
		order.generation = handle->generation;
		(void) cancel_worker(&order, "the worker did not come up");
	}
}

/* As many as are wanted and there are places for.  *next: when to ask again. */
void
dx_staff_start(DxMono *next)
{
	DxAssignment order;

	Assert(database != NULL);
	check_started();
	while (reserve_worker(&order, next))
	{
		if (!start_worker(&order))
			*next = Min(*next, scarce.not_before);
	}
}

/* Registered workers are ours to watch until they have come up. */
bool
dx_staff_expected(void)
{
	for (int i = 0; i < dx_shared->nworkers; i++)
	{
		if (dx_worker_slots[i].state == DX_WORKER_STARTING &&
			dx_worker_slots[i].dboid == database->dboid && dx_worker_slots[i].pid == 0)
			return true;
	}
	return false;
}
