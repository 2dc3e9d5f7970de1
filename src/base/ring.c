/*-------------------------------------------------------------------------
 *
 * ring.c
 *	  The rings: run ids that have work, per (database, owner).
 *
 * Owns dx_rings and the arrays of hints behind them; dx_shared->lock guards
 * every field.  A ring is the only place where workers of an owner get work
 * from, so that two of them are not sent after the same run.
 *
 * Which ring an owner has stands in a hash table.  Owners for whom there is none
 * stand in line there: a ring is given back as soon as it has neither work nor
 * workers, and the dispatcher gives it to the first in line.
 *
 * Ids come in from commits (wake.c) and from scans of the tables.  A ring
 * holds hints: an id too many costs a look at a run that has nothing to do, an
 * id dropped is made good by a scan.  What must never happen is that work is
 * neither in the ring nor in front of a scan that is still owed.
 *
 * A ring is in order of rank, and within a rank in that of arrival: a run of
 * high priority goes before all those of lower priority that wait already, and
 * takes the place of one of them when the ring is full.
 *
 * Scans.  "Work may be in the tables that is not in the ring" is said by
 * scan_wanted++ (a push into a full ring, the sweep, a timer, too many ids for
 * one commit, a worker that died with ids in hand).  As long as scan_wanted
 * differs from scan_done, the ring has work.  A worker that finds the ring
 * empty then takes the scanner's role, which one worker at a time can have,
 * reads a batch of due ids in a transaction of its own, pushes them and gives
 * the role back.  A round of such scans begins with the cursor at the start
 * and ends with the batch that reaches the end of the tables; the cursor lies
 * in the ring, so any worker can go on with the round.
 *
 * Why no wake-up is lost between "the scan came back empty" and "nothing is
 * owed": there is no flag to be cleared.  A round notes in round_wanted, under
 * the lock and before it takes its first snapshot, what scan_wanted was when
 * it began, and when it ends sets scan_done to that and no higher.  Whoever
 * wants a scan has committed before it says so.  If it said so before the
 * round began, every snapshot of the round sees that commit, so the round
 * meets the work, or whoever has changed it in the meantime has committed and
 * announced the change itself.  If it said so later, scan_wanted is above
 * round_wanted, so a scan is still owed when the round ends, and another
 * round begins at the start.
 *
 * Why nobody sleeps beside work: a worker goes idle in the same critical
 * section in which it saw that the ring has no work for it, and everyone who
 * adds work, or gives the scanner's role back while a scan is owed, looks in
 * his critical section for an idle worker to take out of the list, and sets its
 * latch after the release.  When there is none, workers at work look again
 * when they are done, and the dispatcher is asked for one more (asked).  A
 * process that ends, however it ends, passes through dx_worker_free_locked,
 * which does the same; one killed by SIGKILL takes the server, and with it
 * this memory, down, and the dispatcher begins with a sweep.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/database_slot.h"
#include "base/guc.h"
#include "base/latches.h"
#include "base/ring.h"
#include "base/shared.h"
#include "base/worker_slot.h"
#include "lib/ilist.h"
#include "storage/lwlock.h"
#include "utils/hsearch.h"
#include "utils/uuid.h"

#define MAX_BATCH		512		/* ids that one scan reads */
#define POPS_PER_SCAN	8		/* pops that may come before a scan owed */
#define OVERFLOW_SWEEP_MS	1000

/* The entry of an owner of runs in the hash table. With the lock held. */
static DxOwner *
find_owner(Oid dboid, Oid owner, HASHACTION action, bool *found)
{
	DxOwnerKey	key = {dboid, owner};

	return hash_search(dx_owners, &key, action, found);
}

/*
 * dx_ring_find_locked
 *		The ring of an owner, or NULL.
 */
DxRing *
dx_ring_find_locked(Oid dboid, Oid owner)
{
	DxOwner    *entry = find_owner(dboid, owner, HASH_FIND, NULL);

	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	return entry == NULL || entry->ring < 0 ? NULL : &dx_rings[entry->ring];
}

/* Work that a worker could do now? */
bool
dx_ring_has_work_locked(const DxRing *ring)
{
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	return ring->count > 0 ||
		(ring->scan_wanted != ring->scan_done && ring->scanner == -1);
}

/*
 * dx_ring_free_locked
 *		Gives a ring back; it has no workers.
 */
void
dx_ring_free_locked(DxRing *ring)
{
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	Assert(ring->nworkers == 0);
	Assert(OidIsValid(ring->dboid));
	(void) find_owner(ring->dboid, ring->owner, HASH_REMOVE, NULL);
	memset(ring, 0, sizeof(DxRing));
	ring->scanner = -1;
	ring->idle_head = -1;
	ring->next_free = dx_shared->free_ring;
	dx_shared->free_ring = ring - dx_rings;
}

/*
 * dx_ring_release_locked
 *		Gives the ring back if nothing would be lost by it.
 */
void
dx_ring_release_locked(DxRing *ring)
{
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	if (ring->nworkers == 0 && ring->count == 0 &&
		ring->scan_wanted == ring->scan_done && ring->failures == 0)
		dx_ring_free_locked(ring);
}

/*
 * Gives an owner the next free ring: there has to be one. With the lock held.
 */
static DxRing *
assign_ring(DxOwner *entry)
{
	DxRing	   *ring = &dx_rings[dx_shared->free_ring];

	dx_shared->free_ring = ring->next_free;
	ring->next_free = -1;
	ring->dboid = entry->key.dboid;
	ring->owner = entry->key.owner;
	entry->ring = ring - dx_rings;
	return ring;
}

/*
 * An owner for whom there is no ring waits at the end of the line of its
 * database.
 */
static void
stand_in_line(DxDatabase *database, DxOwner *entry)
{
	entry->ring = -1;
	entry->urgent = false;
	dlist_push_tail(&database->line, &entry->link);
	database->nline++;
	dx_shared->nline++;
}

/* Takes an owner out of the line: it has a ring, or no work any more. */
static void
leave_line(DxDatabase *database, DxOwner *entry)
{
	dlist_delete(&entry->link);
	database->nline--;
	dx_shared->nline--;
}

/*
 * dx_ring_get_locked
 *		The ring of an owner who has work now; made if need be.  NULL: none is
 *		unused, and the owner waits in line for one, in which a scan will be
 *		owed; so the caller need not do anything about it.  urgent: the work
 *		has priority.
 */
DxRing *
dx_ring_get_locked(DxDatabase *database, Oid owner, bool urgent)
{
	DxRing	   *ring = dx_ring_find_locked(database->dboid, owner);
	DxOwner    *entry;
	bool		found;

	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	if (ring != NULL)
		return ring;
	entry = find_owner(database->dboid, owner, HASH_ENTER_NULL, &found);
	if (entry == NULL)
	{
		/* No room even in line: the next sweep but one may have some. */
		if (database->sweep_at == 0)
			database->sweep_at = dx_mono_after(OVERFLOW_SWEEP_MS);
		return NULL;
	}
	if (!found && dx_shared->free_ring != -1)
		return assign_ring(entry);
	if (!found)
		stand_in_line(database, entry);
	entry->urgent = entry->urgent || urgent;
	return NULL;
}

/*
 * dx_ring_line_locked
 *		Gives a ring to the owner that is first in line.  False: there is
 *		nobody, or no ring.
 */
bool
dx_ring_line_locked(DxDatabase *database)
{
	DxOwner    *entry;
	DxRing	   *ring;

	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	if (dlist_is_empty(&database->line) || dx_shared->free_ring == -1)
		return false;
	entry = dlist_head_element(DxOwner, link, &database->line);
	leave_line(database, entry);
	ring = assign_ring(entry);
	dx_ring_want_scan_locked(ring, false);
	if (entry->urgent)
		dx_ring_hurry_locked(ring);
	return true;
}

/*
 * dx_ring_clear_line_locked
 *		The database goes: nobody of it waits any more.
 */
void
dx_ring_clear_line_locked(DxDatabase *database)
{
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	while (!dlist_is_empty(&database->line))
	{
		DxOwner    *entry = dlist_head_element(DxOwner, link, &database->line);

		leave_line(database, entry);
		(void) find_owner(entry->key.dboid, entry->key.owner, HASH_REMOVE, NULL);
	}
}

/* The hint that is i-th from the head. */
static DxHint *
hint_at(const DxRing *ring, int i)
{
	return &dx_ring_hints(ring)[(ring->head + i) % dx_shared->ring_size];
}

/* How many of the hints go before a new one of this rank. */
static int
place_for(const DxRing *ring, int rank)
{
	int			low = 0;
	int			high = ring->count;

	/* Most often it is the last. */
	if (high == 0 || hint_at(ring, high - 1)->rank <= rank)
		return high;
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (hint_at(ring, middle)->rank <= rank)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * dx_ring_push_locked
 *		Adds a run id.  When the ring is full, it or the least urgent one is
 *		left to a scan.
 */
void
dx_ring_push_locked(DxRing *ring, const pg_uuid_t *run_id, int rank)
{
	int			size = dx_shared->ring_size;
	int			place = place_for(ring, rank);

	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	Assert(ring->count >= 0 && ring->count <= dx_shared->ring_size);
	if (ring->count == size)
	{
		dx_ring_want_scan_locked(ring, false);
		if (place == size)
			return;
		ring->count--;
	}
	if (place <= ring->count / 2)
	{
		ring->head = (ring->head + size - 1) % size;
		for (int i = 0; i < place; i++)
			*hint_at(ring, i) = *hint_at(ring, i + 1);
	}
	else
	{
		for (int i = ring->count; i > place; i--)
			*hint_at(ring, i) = *hint_at(ring, i - 1);
	}
	hint_at(ring, place)->run_id = *run_id;
	hint_at(ring, place)->rank = rank;
	ring->count++;
}

/*
 * dx_ring_hurry_locked
 *		The scan that is owed will find what goes before the ids in the ring: it
 *		comes next, and takes their places.
 */
void
dx_ring_hurry_locked(DxRing *ring)
{
	ring->hurry = true;
}

/*
 * dx_ring_want_scan_locked
 *		Work may be in the tables that is not in the ring.  restart: begin a
 *		new round now, instead of after the one that is going on.
 */
void
dx_ring_want_scan_locked(DxRing *ring, bool restart)
{
	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	ring->scan_wanted++;
	if (restart)
		ring->in_round = false;
}

/*
 * dx_ring_wake_locked
 *		Wakes as many idle workers as the work in the ring is worth, else asks
 *		the dispatcher to start one.
 */
void
dx_ring_wake_locked(DxRing *ring, DxLatches *latches)
{
	int			want;
	int			ask;
	DxDatabase *database;

	Assert(LWLockHeldByMeInMode(dx_shared->lock, LW_EXCLUSIVE));
	if (!dx_ring_has_work_locked(ring))
		return;

	want = Max(1, (ring->count + dx_pass_max_runs - 1) / dx_pass_max_runs);
	while (want > 0 && ring->idle_head != -1)
	{
		DxWorker   *worker = &dx_worker_slots[ring->idle_head];

		ring->idle_head = worker->next_idle;
		worker->next_idle = -1;
		dx_latches_add(latches, worker->latch);
		want--;
	}
	if (want == 0 || ring->nworkers >= dx_workers)
		return;

	ask = (ring->nworkers == 0 || want > ring->nworkers) ? DX_ASK_NOW : DX_ASK_LATER;
	if (ask <= ring->asked)
		return;
	ring->asked = ask;
	database = dx_database_find_locked(ring->dboid);
	if (database != NULL)
		dx_database_call_locked(database, 0, latches);
}

/* Does anybody wait for a place of a worker? */
static bool
places_are_scarce(void)
{
	if (dx_shared->nline > 0)
		return true;
	for (int i = 0; i < dx_shared->ndatabases; i++)
	{
		if (dx_database_slots[i].starving)
			return true;
	}
	return false;
}

/* The worker's fair share of what is in the ring. */
static int
pop_ids(DxRing *ring, int max, pg_uuid_t *ids)
{
	int			share = (ring->count + ring->nworkers - 1) / ring->nworkers;
	int			n = Min(max, share);

	for (int i = 0; i < n; i++)
	{
		ids[i] = hint_at(ring, 0)->run_id;
		ring->head = (ring->head + 1) % dx_shared->ring_size;
	}
	ring->count -= n;
	ring->popped += n;
	ring->pops++;
	return n;
}

/*
 * A scan comes when the ring is empty; but hints that come in without pause
 * must not keep what only a scan finds, a timer say, waiting for ever, and
 * nothing urgent waits for what is in the ring.
 */
static bool
scan_is_next(const DxRing *ring)
{
	if (ring->scan_wanted == ring->scan_done || ring->scanner != -1)
		return false;
	return ring->count == 0 || ring->hurry ||
		(ring->pops >= POPS_PER_SCAN && ring->count <= dx_shared->ring_size / 2);
}

/*
 * A worker goes on with the round of looks at the table where the one before
 * it has stopped.
 */
static void
begin_scan(DxRing *ring, int scanner, void *cursor, int cursor_len)
{
	if (!ring->in_round)
	{
		ring->in_round = true;
		ring->round_wanted = ring->scan_wanted;
		memset(ring->cursor, 0, DX_CURSOR_LEN);
	}
	ring->scanner = scanner;
	ring->pops = 0;
	ring->hurry = false;
	memcpy(cursor, ring->cursor, cursor_len);
}

/*
 * What a worker is to do next; with the lock held. To leave goes first, then
 * to look for the extension.
 */
static DxWork
choose_work(DxWorker *worker, int max, pg_uuid_t *ids, int *nids,
			void *cursor, int cursor_len, bool may_leave)
{
	DxRing	   *ring = &dx_rings[worker->ring];

	if (worker->yield || ring->nworkers > Max(dx_workers, 0) ||
		dx_worker_superfluous_locked(ring))
	{
		worker->yield = true;
		return DX_WORK_LEAVE;
	}
	if (worker->recheck)
	{
		worker->recheck = false;
		return DX_WORK_RECHECK;
	}
	if (scan_is_next(ring))
	{
		*nids = Min(MAX_BATCH, dx_shared->ring_size - (ring->hurry ? 0 : ring->count));
		begin_scan(ring, worker - dx_worker_slots, cursor, cursor_len);
		return DX_WORK_SCAN;
	}
	if (ring->count > 0)
	{
		*nids = pop_ids(ring, max, ids);
		return DX_WORK_RUNS;
	}
	return may_leave && places_are_scarce() ? DX_WORK_LEAVE : DX_WORK_NONE;
}

/*
 * dx_ring_take
 *		What the worker has to do next.  DX_WORK_RUNS: *nids ids, at most max,
 *		are in *ids.  DX_WORK_SCAN: *cursor is where to go on and *nids how many
 *		to read; to be answered by dx_ring_scanned or dx_ring_scan_failed.
 *		DX_WORK_NONE: if it may idle, the worker is in the idle list now.
 *		may_leave: it has nothing else in mind, and makes room for who waits.
 */
DxWork
dx_ring_take(int index, int max, pg_uuid_t *ids, int *nids,
			 void *cursor, int cursor_len, bool may_idle, bool may_leave)
{
	DxWorker   *worker = &dx_worker_slots[index];
	DxWork		work;

	Assert(max >= 0);
	Assert(index >= 0 && index < dx_shared->nworkers);
	Assert(cursor_len <= DX_CURSOR_LEN);

	*nids = 0;
	dx_lock();
	if (worker->state != DX_WORKER_BUSY)
	{
		if (worker->state == DX_WORKER_STARTING)
			dx_rings[worker->ring].failures = 0;
		dx_worker_unidle_locked(worker);
		dx_worker_set_state(worker, DX_WORKER_BUSY);
	}
	work = choose_work(worker, max, ids, nids, cursor, cursor_len, may_leave);
	if (work == DX_WORK_NONE && may_idle)
		dx_worker_idle_locked(worker);
	dx_unlock();
	return work;
}

/*
 * dx_ring_scanned
 *		The scanner's batch, and where it came to.  at_end: the round is over.
 *
 * If somebody has asked for a restart while we were scanning, in_round is
 * false: the ids are welcome, but neither cursor nor end count.
 */
void
dx_ring_scanned(int index, const pg_uuid_t *ids, const int16 *ranks, int nids,
				const void *cursor, int cursor_len, bool at_end)
{
	DxRing	   *ring = &dx_rings[dx_worker_slots[index].ring];
	DxLatches	latches = {0};

	dx_lock();
	Assert(ring->scanner == index);
	ring->scanner = -1;
	/* The tables may have more that goes before what is in the ring. */
	if (!at_end && ring->count > 0 &&
		ranks[nids - 1] < hint_at(ring, ring->count - 1)->rank)
		ring->hurry = true;
	for (int i = 0; i < nids; i++)
		dx_ring_push_locked(ring, &ids[i], ranks[i]);
	if (ring->in_round)
	{
		memcpy(ring->cursor, cursor, cursor_len);
		if (at_end)
		{
			ring->in_round = false;
			ring->scan_done = ring->round_wanted;
		}
	}
	dx_ring_wake_locked(ring, &latches);
	dx_unlock();
	dx_latches_set(&latches);
}

/*
 * dx_ring_scan_failed
 *		The scanner could not scan: the role is free, and a scan still owed.
 *		It wakes nobody, because it will try again itself after a while.
 */
void
dx_ring_scan_failed(int index)
{
	DxRing	   *ring = &dx_rings[dx_worker_slots[index].ring];

	dx_lock();
	if (ring->scanner == index)
		ring->scanner = -1;
	dx_unlock();
}
