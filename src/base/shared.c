/*-------------------------------------------------------------------------
 *
 * shared.c
 *	  Where the shared memory is that shared.h describes, and its lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/latches.h"
#include "base/server.h"
#include "base/shared.h"
#include "base/waiter.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "utils/hsearch.h"

DxShared   *dx_shared = NULL;
DxDatabase *dx_database_slots = NULL;
DxWorker   *dx_worker_slots = NULL;
DxRing	   *dx_rings = NULL;
DxHint	   *dx_hints = NULL;
HTAB	   *dx_owners = NULL;
DxWaiter   *dx_waiters = NULL;

/*
 * dx_server_commit
 *		synchronous_commit as configured for the whole server.
 */
int
dx_server_commit(void)
{
	return (int) pg_atomic_read_u32(&dx_shared->server_commit);
}

/*
 * dx_server_commit_note
 *		The launcher, who is in no database and has no role, says what it sees.
 */
void
dx_server_commit_note(void)
{
	pg_atomic_write_u32(&dx_shared->server_commit, synchronous_commit);
}

/*
 * dx_shared_available
 *		Is there shared memory, that is, was the library preloaded?
 */
bool
dx_shared_available(void)
{
	return dx_shared != NULL;
}

/*
 * dx_ring_hints
 *		The circular array of hints of a ring.
 */
DxHint *
dx_ring_hints(const DxRing *ring)
{
	return dx_hints + (Size) (ring - dx_rings) * dx_shared->ring_size;
}

/*
 * dx_lock, dx_unlock
 *		The lock of everything but the waiters.
 */
void
dx_lock(void)
{
	Assert(dx_shared != NULL);
	Assert(!LWLockHeldByMe(dx_shared->lock));
	Assert(!LWLockHeldByMe(dx_shared->waiter_lock));
	LWLockAcquire(dx_shared->lock, LW_EXCLUSIVE);
}

/* Releases the lock that dx_lock has taken. */
void
dx_unlock(void)
{
	LWLockRelease(dx_shared->lock);
}

/*
 * dx_latches_add, dx_latches_set
 *		Collects latches under the lock, and sets them after its release.
 */
void
dx_latches_add(DxLatches *latches, Latch *latch)
{
	if (latch == NULL)
		return;

	/* Setting one never waits; it only makes the lock be held for longer. */
	if (latches->n == lengthof(latches->latch))
		SetLatch(latch);
	else
		latches->latch[latches->n++] = latch;
}

/*
 * Wakes who was noted under the lock, after it is released. The list is empty
 * then.
 */
void
dx_latches_set(DxLatches *latches)
{
	for (int i = 0; i < latches->n; i++)
		SetLatch(latches->latch[i]);
	latches->n = 0;
}
