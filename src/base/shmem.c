/*-------------------------------------------------------------------------
 *
 * shmem.c
 *	  Makes the shared memory that shared.h describes, when preloaded.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/extension.h"
#include "base/guc.h"
#include "base/poison.h"
#include "base/shared.h"
#include "base/waiter.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

/* A ring for every worker that there can be: so the line goes on. */
static int
number_of_rings(void)
{
	return Max(dx_max_rings, max_worker_processes);
}

/*
 * For how many owners there is room: those in line, and those who have a
 * ring.
 */
static long
number_of_owners(void)
{
	return (long) dx_max_owners + number_of_rings();
}

/* The hash table of owners, or the one that is there already. */
static HTAB *
make_owners(void)
{
	HASHCTL		info = {0};

	info.keysize = sizeof(DxOwnerKey);
	info.entrysize = sizeof(DxOwner);
	return ShmemInitHash(DX_EXTENSION " owners", number_of_owners(),
						 number_of_owners(), &info, HASH_ELEM | HASH_BLOBS);
}

/* One array behind the other in one segment; *offset is moved on. */
static Size
lay_out(Size *offset, int n, Size size)
{
	Size		start = *offset;

	*offset = add_size(start, MAXALIGN(mul_size(n, size)));
	return start;
}

/* Where the arrays lie; with base NULL it only counts. */
static Size
shared_layout(char *base)
{
	Size		offset = 0;
	Size		databases;
	Size		workers;
	Size		rings;
	Size		waiters;
	Size		hints;

	(void) lay_out(&offset, 1, sizeof(DxShared));
	databases = lay_out(&offset, dx_max_databases, sizeof(DxDatabase));
	workers = lay_out(&offset, max_worker_processes, sizeof(DxWorker));
	rings = lay_out(&offset, number_of_rings(), sizeof(DxRing));
	waiters = lay_out(&offset, MaxBackends, sizeof(DxWaiter));
	hints = lay_out(&offset, number_of_rings(),
					mul_size(dx_ring_size, sizeof(DxHint)));

	if (base != NULL)
	{
		dx_database_slots = (DxDatabase *) (base + databases);
		dx_worker_slots = (DxWorker *) (base + workers);
		dx_rings = (DxRing *) (base + rings);
		dx_waiters = (DxWaiter *) (base + waiters);
		dx_hints = (DxHint *) (base + hints);
	}
	return offset;
}

/* First values of shared memory, which is all zeros. */
static void
shared_fill(void)
{
	LWLockPadded *locks = GetNamedLWLockTranche(DX_EXTENSION);

	dx_shared->lock = &locks[0].lock;
	dx_shared->waiter_lock = &locks[1].lock;
	ConditionVariableInit(&dx_shared->gone);
	dx_shared->ndatabases = dx_max_databases;
	dx_shared->nworkers = max_worker_processes;
	dx_shared->nrings = number_of_rings();
	dx_shared->ring_size = dx_ring_size;
	dx_shared->nwaiters = MaxBackends;
	pg_atomic_init_u32(&dx_shared->waiting, 0);
	pg_atomic_init_u32(&dx_shared->waiter_turn, 0);
	for (int i = 0; i < dx_shared->nwaiters; i++)
		pg_atomic_init_u32(&dx_waiters[i].woken, 0);
	pg_atomic_init_u32(&dx_shared->server_commit, synchronous_commit);

	for (int i = 0; i < dx_shared->nrings; i++)
	{
		dx_rings[i].scanner = -1;
		dx_rings[i].idle_head = -1;
		dx_rings[i].next_free = i + 1 < dx_shared->nrings ? i + 1 : -1;
	}
	dx_shared->free_ring = 0;
	for (int i = 0; i < dx_shared->nworkers; i++)
		dx_worker_slots[i].next_idle = -1;
}

/* The hook: how much memory and how many locks we need. */
static void
shmem_request(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();

	RequestAddinShmemSpace(add_size(shared_layout(NULL),
									hash_estimate_size(number_of_owners(),
													   sizeof(DxOwner))));
	RequestNamedLWLockTranche(DX_EXTENSION, 2);
}

/*
 * The hook: lays out our shared memory, or finds the one of the postmaster.
 */
static void
shmem_startup(void)
{
	bool		found;
	Size		size = shared_layout(NULL);

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	dx_shared = ShmemInitStruct(DX_EXTENSION, size, &found);
	if (!found)
		memset(dx_shared, 0, size);
	(void) shared_layout((char *) dx_shared);
	dx_owners = make_owners();
	if (!found)
		shared_fill();
	LWLockRelease(AddinShmemInitLock);
	dx_poison_startup();
}

/*
 * dx_shared_init
 *		Asks for the shared memory.  From _PG_init while the server preloads.
 */
void
dx_shared_init(void)
{
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = shmem_request;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = shmem_startup;
}
