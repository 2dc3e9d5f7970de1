/*-------------------------------------------------------------------------
 *
 * compat.c
 *	  What differs between PostgreSQL 15, 16, 17 and 18.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "base/compat.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/wait_event.h"

/*
 * dx_wait_event
 *		The wait_event_info of a wait of ours.  Named from PostgreSQL 17 on,
 *		"Extension" before.
 */
uint32
dx_wait_event(DxWaitEvent event)
{
#if PG_VERSION_NUM >= 170000
	static const char *const names[] = {
		[DX_WAIT_LAUNCHER] = "DealixLauncherMain",
		[DX_WAIT_DISPATCHER] = "DealixDispatcherMain",
		[DX_WAIT_WORKER] = "DealixWorkerMain",
		[DX_WAIT_RUN] = "DealixWaitRun",
		[DX_WAIT_RETIRE] = "DealixRetire"
	};
	static uint32 infos[lengthof(names)];

	if (infos[event] == 0)
		infos[event] = WaitEventExtensionNew(names[event]);
	return infos[event];
#else
	return PG_WAIT_EXTENSION;
#endif
}

/*
 * dx_owns_database
 *		Does the current user own the database (or may act as its owner)?
 */
bool
dx_owns_database(Oid dboid)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(DatabaseRelationId, dboid, GetUserId());
#else
	return pg_database_ownercheck(dboid, GetUserId());
#endif
}

/*
 * dx_owns_extension
 *		The same for an extension.
 */
bool
dx_owns_extension(Oid extension)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(ExtensionRelationId, extension, GetUserId());
#else
	return pg_extension_ownercheck(extension, GetUserId());
#endif
}

/*
 * dx_disarm_timeouts
 *		Takes back the timeouts that the server has armed for the statement or
 *		the transaction that we are in: for calls that run for long by design.
 */
void
dx_disarm_timeouts(void)
{
	disable_timeout(STATEMENT_TIMEOUT, false);
#if PG_VERSION_NUM >= 170000
	disable_timeout(TRANSACTION_TIMEOUT, false);
#endif
}

/* Puts the lock into locks if it is an advisory one. */
static int
add_advisory(const PROCLOCK *proclock, DxHeldLock *locks, int n, int max)
{
	const LOCK *lock = proclock->tag.myLock;

	if (lock->tag.locktag_lockmethodid != USER_LOCKMETHOD || n == max)
		return n;
	locks[n].tag = lock->tag;
	locks[n].modes = proclock->holdMask;
	return n + 1;
}

/*
 * dx_advisory_locks
 *		The advisory locks that this process holds, of the session and of the
 *		transaction, at most max.  Only we ourselves add such locks, so an empty
 *		list needs no lock to be seen.
 */
int
dx_advisory_locks(DxHeldLock *locks, int max)
{
	int			n = 0;

	for (int i = 0; i < NUM_LOCK_PARTITIONS; i++)
	{
#if PG_VERSION_NUM >= 160000
		dlist_head *held = &MyProc->myProcLocks[i];
		dlist_iter	iter;

		if (dlist_is_empty(held))
			continue;
		LWLockAcquire(LockHashPartitionLockByIndex(i), LW_SHARED);
		dlist_foreach(iter, held)
			n = add_advisory(dlist_container(PROCLOCK, procLink, iter.cur), locks, n, max);
		LWLockRelease(LockHashPartitionLockByIndex(i));
#else
		SHM_QUEUE  *held = &MyProc->myProcLocks[i];
		PROCLOCK   *proclock;

		if (SHMQueueEmpty(held))
			continue;
		LWLockAcquire(LockHashPartitionLockByIndex(i), LW_SHARED);
		for (proclock = (PROCLOCK *) SHMQueueNext(held, held, offsetof(PROCLOCK, procLink));
			 proclock != NULL;
			 proclock = (PROCLOCK *) SHMQueueNext(held, &proclock->procLink,
												  offsetof(PROCLOCK, procLink)))
			n = add_advisory(proclock, locks, n, max);
		LWLockRelease(LockHashPartitionLockByIndex(i));
#endif
	}
	return n;
}

/*
 * dx_old_writer
 *		Is a transaction open that had an xid before the last so many xids?  Then
 *		whoever reads a row written since has to know its top transaction, and
 *		looks it up where a snapshot could not hold all subtransactions.
 */
bool
dx_old_writer(int xids)
{
	return ActiveSnapshotSet() &&
		(int32) (ReadNextTransactionId() - GetActiveSnapshot()->xmin) > xids;
}

/*
 * dx_subxids_in_use
 *		How many subtransactions of this transaction have an xid, as all others
 *		see it; PG_INT32_MAX when they are too many to be told.
 */
int
dx_subxids_in_use(void)
{
	if (MyProc->subxidStatus.overflowed)
		return PG_INT32_MAX;
	return MyProc->subxidStatus.count;
}
