/*-------------------------------------------------------------------------
 *
 * waiter.c
 *	  Backends that wait for the end of a run (CALL dealix.wait).
 *
 * Owns dx_waiters; dx_shared->waiter_lock guards the slots.  dx_shared->waiting
 * counts the used ones, so that a commit without anybody waiting takes no lock.
 *
 * A waiter registers first and then looks whether the run has ended; who ends
 * the run commits first and then looks for waiters.  Both cross a memory
 * barrier in between, so at least one of them sees the other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/base.h"
#include "base/shared.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"

/* Our own slot, -1 = none.  A backend waits for one thing at a time. */
static int	my_slot = -1;

/* A backend that dies while it waits must not leave its slot used. */
static void
waiter_exit(int code, Datum arg)
{
	dx_waiter_end();
}

/*
 * dx_waiter_begin
 *		From now on our latch is set after the commit that ends the run.
 *		False: no shared memory, or no slot; then look now and then.
 */
bool
dx_waiter_begin(const pg_uuid_t *run_id)
{
	static bool registered = false;

	if (!dx_shared_available())
		return false;
	if (!registered)
	{
		before_shmem_exit(waiter_exit, (Datum) 0);
		registered = true;
	}
	dx_waiter_end();

	LWLockAcquire(dx_shared->waiter_lock, LW_EXCLUSIVE);
	for (int i = 0; i < dx_shared->nwaiters && my_slot == -1; i++)
	{
		if (dx_waiters[i].used)
			continue;
		dx_waiters[i].used = true;
		dx_waiters[i].run_id = *run_id;
		dx_waiters[i].latch = &MyProc->procLatch;
		my_slot = i;
		pg_atomic_fetch_add_u32(&dx_shared->waiting, 1);
	}
	LWLockRelease(dx_shared->waiter_lock);
	return my_slot != -1;
}

/*
 * dx_waiter_end
 *		Gives our slot back, if we have one.
 */
void
dx_waiter_end(void)
{
	if (my_slot == -1)
		return;
	LWLockAcquire(dx_shared->waiter_lock, LW_EXCLUSIVE);
	dx_waiters[my_slot].used = false;
	pg_atomic_fetch_sub_u32(&dx_shared->waiting, 1);
	my_slot = -1;
	LWLockRelease(dx_shared->waiter_lock);
}

static bool
is_one_of(const pg_uuid_t *run_id, const pg_uuid_t *run_ids, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (memcmp(run_id, &run_ids[i], sizeof(pg_uuid_t)) == 0)
			return true;
	}
	return false;
}

/*
 * dx_waiters_wake
 *		After commit: wakes those who wait for one of the runs, or everybody.
 */
void
dx_waiters_wake(const pg_uuid_t *run_ids, int n, bool all)
{
	DxLatches	latches = {0};
	uint32		left;

	pg_memory_barrier();
	left = pg_atomic_read_u32(&dx_shared->waiting);
	if (left == 0)
		return;

	LWLockAcquire(dx_shared->waiter_lock, LW_SHARED);
	left = pg_atomic_read_u32(&dx_shared->waiting);
	for (int i = 0; i < dx_shared->nwaiters && left > 0; i++)
	{
		DxWaiter   *waiter = &dx_waiters[i];

		if (!waiter->used)
			continue;
		left--;
		if (all || is_one_of(&waiter->run_id, run_ids, n))
			dx_latches_add(&latches, waiter->latch);
	}
	LWLockRelease(dx_shared->waiter_lock);
	dx_latches_set(&latches);
}
