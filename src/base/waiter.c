/*-------------------------------------------------------------------------
 *
 * waiter.c
 *	  Backends that wait for the end of a run (CALL dealix.wait) or for work
 *	  (CALL dealix.wait_for_work).
 *
 * Owns dx_waiters; dx_shared->waiter_lock guards the slots.  dx_shared->waiting
 * counts the used ones, so that a commit without anybody waiting takes no lock.
 *
 * A waiter registers first and then looks whether what it waits for is here;
 * who makes it commits first and then looks for waiters.  Both cross a memory
 * barrier in between, so at least one of them sees the other.
 *
 * The end of a run wakes all who wait for it.  A piece of work wakes one: a
 * waiter that was woken and has not looked since is passed over, and one that
 * leaves without having looked hands on what it was woken for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/latches.h"
#include "base/shared.h"
#include "base/waiter.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/uuid.h"

/* Our own slot, -1 = none.  A backend waits for one thing at a time. */
static int	my_slot = -1;

/* A backend that dies while it waits must not leave its slot used. */
static void
waiter_exit(int code, Datum arg)
{
	dx_waiter_end(false);
}

/*
 * This session waits in the slot for what is said on the channel. With the
 * lock held.
 */
static void
take_slot(DxWaiter *waiter, const pg_uuid_t *channel, bool takes_one)
{
	waiter->used = true;
	waiter->takes_one = takes_one;
	waiter->channel = *channel;
	waiter->latch = &MyProc->procLatch;
	pg_atomic_write_u32(&waiter->woken, 0);
	my_slot = waiter - dx_waiters;
	pg_atomic_fetch_add_u32(&dx_shared->waiting, 1);
}

/*
 * dx_waiter_begin
 *		From now on our latch is set after the commit that ends the run, or
 *		(takes_one) that makes a piece of work for us.  False: no shared
 *		memory, or no slot; then look now and then.
 */
bool
dx_waiter_begin(const pg_uuid_t *channel, bool takes_one)
{
	static bool registered = false;

	if (!dx_shared_available())
		return false;
	if (!registered)
	{
		before_shmem_exit(waiter_exit, (Datum) 0);
		registered = true;
	}
	dx_waiter_end(false);

	LWLockAcquire(dx_shared->waiter_lock, LW_EXCLUSIVE);
	for (int i = 0; i < dx_shared->nwaiters && my_slot == -1; i++)
	{
		if (!dx_waiters[i].used)
			take_slot(&dx_waiters[i], channel, takes_one);
	}
	LWLockRelease(dx_shared->waiter_lock);
	return my_slot != -1;
}

/*
 * dx_waiter_look
 *		We are about to look: what is committed from now on wakes us again.
 */
void
dx_waiter_look(void)
{
	if (my_slot == -1)
		return;
	pg_atomic_write_u32(&dx_waiters[my_slot].woken, 0);
	pg_memory_barrier();
}

/*
 * dx_waiter_end
 *		Gives our slot back, if we have one.  found: what we waited for is
 *		here; otherwise the next one gets what we were woken for.
 */
void
dx_waiter_end(bool found)
{
	DxWaiter   *waiter;
	pg_uuid_t	channel;
	bool		hand_on;

	if (my_slot == -1)
		return;
	waiter = &dx_waiters[my_slot];
	LWLockAcquire(dx_shared->waiter_lock, LW_EXCLUSIVE);
	channel = waiter->channel;
	hand_on = !found && waiter->takes_one &&
		pg_atomic_read_u32(&waiter->woken) != 0;
	waiter->used = false;
	pg_atomic_fetch_sub_u32(&dx_shared->waiting, 1);
	my_slot = -1;
	LWLockRelease(dx_shared->waiter_lock);
	if (hand_on)
		dx_waiters_wake(&channel, 1, false);
}

/*
 * dx_waiter_crowd
 *		How many wait for anything, at least 1: who only looks now and then
 *		does it less often among many.
 */
int
dx_waiter_crowd(void)
{
	if (!dx_shared_available())
		return 1;
	return Max((int) pg_atomic_read_u32(&dx_shared->waiting), 1);
}

/* The number of a channel that is still to be given to somebody, or -1. */
static int
find_channel(const pg_uuid_t *channel, const pg_uuid_t *channels, int n,
			 const bool *given)
{
	for (int i = 0; i < n; i++)
	{
		if (!given[i] && memcmp(channel, &channels[i], sizeof(pg_uuid_t)) == 0)
			return i;
	}
	return -1;
}

/* Is it this waiter's turn?  Of work each piece has one turn. */
static bool
has_turn(DxWaiter *waiter, const pg_uuid_t *channels, int n, bool *given)
{
	uint32		asleep = 0;
	int			which = find_channel(&waiter->channel, channels, n, given);

	if (which < 0)
		return false;
	if (!waiter->takes_one)
		return true;
	if (!pg_atomic_compare_exchange_u32(&waiter->woken, &asleep, 1))
		return false;
	given[which] = true;
	return true;
}

/*
 * dx_waiters_wake
 *		After commit: wakes all who wait for one of these runs, and for each
 *		mention of an activity one who waits for its work; or everybody.
 *		n: DX_MAX_NOTES at most.
 */
void
dx_waiters_wake(const pg_uuid_t *channels, int n, bool all)
{
	DxLatches	latches = {0};
	bool		given[DX_MAX_NOTES] = {false};
	uint32		left;
	uint32		first;

	Assert(!LWLockHeldByMe(dx_shared->lock));
	Assert(n <= DX_MAX_NOTES);
	pg_memory_barrier();
	left = pg_atomic_read_u32(&dx_shared->waiting);
	if (left == 0)
		return;

	LWLockAcquire(dx_shared->waiter_lock, LW_SHARED);
	left = pg_atomic_read_u32(&dx_shared->waiting);
	first = pg_atomic_read_u32(&dx_shared->waiter_turn);
	for (int i = 0; i < dx_shared->nwaiters && left > 0; i++)
	{
		int			slot = (first + i) % dx_shared->nwaiters;
		DxWaiter   *waiter = &dx_waiters[slot];

		if (!waiter->used)
			continue;
		left--;
		if (!all && !has_turn(waiter, channels, Min(n, DX_MAX_NOTES), given))
			continue;
		dx_latches_add(&latches, waiter->latch);
		if (waiter->takes_one)
			pg_atomic_write_u32(&dx_shared->waiter_turn, slot + 1);
	}
	LWLockRelease(dx_shared->waiter_lock);
	dx_latches_set(&latches);
}
