/*-------------------------------------------------------------------------
 *
 * wake.c
 *	  What a transaction has done that others wait for, told to them when it
 *	  has committed.
 *
 * While a transaction goes on, dx_wake_*() only take notes, in memory of this
 * backend that lives as long as the backend.  One transaction callback acts:
 * at COMMIT, when the transaction is already visible to others, it pushes the
 * run ids into the rings and sets latches; at ABORT and at PREPARE it forgets.
 * Run ids noted by a subtransaction are forgotten when it is rolled back;
 * other notes stay, because a look too many is harmless.  The callback raises
 * no error and allocates nothing.
 *
 * What passes by the callback, the work of a COMMIT PREPARED say, is found by
 * the dispatcher's sweep at the latest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/database_slot.h"
#include "base/guc.h"
#include "base/latches.h"
#include "base/registry.h"
#include "base/ring.h"
#include "base/shared.h"
#include "base/waiter.h"
#include "base/wake.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define MAX_OWNERS	16			/* owners to be scanned; then a sweep */
#define PREPARED_DELAY_MS	250

typedef struct RunNote
{
	Oid			owner;
	pg_uuid_t	run_id;
	int			priority;
	SubTransactionId subid;		/* that took the note */
} RunNote;

static struct
{
	bool		any;			/* anything of the below */
	RunNote    *runs;
	int			nruns;
	int			maxruns;
	Oid			scans[MAX_OWNERS];
	int			nscans;
	bool		hurry;			/* what was not named has priority */
	bool		sweep;
	TimestampTz due;			/* DT_NOEND: none */
	pg_uuid_t  *ended;
	int			nended;
	int			maxended;
	bool		all_ended;		/* too many to name */
	bool		extension;		/* has come or gone */
	bool		prepared;		/* what another transaction noted is unknown */
	bool		launcher;
}			notes;

/* Nothing is to be announced any more: the transaction has ended. */
static void
forget_notes(void)
{
	notes.any = false;
	notes.nruns = 0;
	notes.nscans = 0;
	notes.hurry = false;
	notes.sweep = false;
	notes.due = DT_NOEND;
	notes.nended = 0;
	notes.all_ended = false;
	notes.extension = false;
	notes.prepared = false;
	notes.launcher = false;
}

/*
 * May something be noted? Only where there is shared memory to announce it
 * in.
 */
static bool
take_notes(void)
{
	if (!dx_shared_available())
		return false;
	notes.any = true;
	return true;
}

/* Room for one more element; the array outlives every transaction. */
static void *
grow(void *array, int used, int *size, Size element)
{
	if (used < *size)
		return array;
	*size = Max(64, *size * 2);
	if (array == NULL)
		return MemoryContextAlloc(TopMemoryContext, *size * element);
	return repalloc(array, *size * element);
}

/*
 * dx_wake_run
 *		A run of owner, of this priority, has work, once this transaction
 *		commits.
 */
void
dx_wake_run(Oid owner, const pg_uuid_t *run_id, int priority)
{
	RunNote    *last = notes.nruns > 0 ? &notes.runs[notes.nruns - 1] : NULL;

	if (!take_notes())
		return;
	if (last != NULL && last->owner == owner &&
		memcmp(&last->run_id, run_id, sizeof(pg_uuid_t)) == 0)
		return;
	if (notes.nruns == DX_MAX_NOTES)
	{
		notes.hurry = notes.hurry || priority > 0;
		dx_wake_many(owner);
		return;
	}
	notes.runs = grow(notes.runs, notes.nruns, &notes.maxruns, sizeof(RunNote));
	notes.runs[notes.nruns].owner = owner;
	notes.runs[notes.nruns].run_id = *run_id;
	notes.runs[notes.nruns].priority = priority;
	notes.runs[notes.nruns].subid = GetCurrentSubTransactionId();
	notes.nruns++;
}

/*
 * dx_wake_many
 *		More runs of owner have work than can be named.  InvalidOid: runs of
 *		anybody; the dispatcher then looks at all of them.
 */
void
dx_wake_many(Oid owner)
{
	if (!take_notes())
		return;
	if (!OidIsValid(owner))
	{
		notes.sweep = true;
		return;
	}
	for (int i = 0; i < notes.nscans; i++)
	{
		if (notes.scans[i] == owner)
			return;
	}
	if (notes.nscans == MAX_OWNERS)
		notes.sweep = true;
	else
		notes.scans[notes.nscans++] = owner;
}

/*
 * dx_wake_at
 *		A branch is due at that time.
 */
void
dx_wake_at(TimestampTz due)
{
	if (take_notes())
		notes.due = Min(notes.due, due);
}

/*
 * dx_wake_ended
 *		A run has ended: whoever waits for it goes on.  Or there is one more
 *		piece of work on the channel of an activity.
 */
void
dx_wake_ended(const pg_uuid_t *run_id)
{
	if (!take_notes())
		return;
	if (notes.nended == DX_MAX_NOTES)
	{
		notes.all_ended = true;
		return;
	}
	notes.ended = grow(notes.ended, notes.nended, &notes.maxended,
					   sizeof(pg_uuid_t));
	notes.ended[notes.nended++] = *run_id;
}

/*
 * dx_wake_launcher
 *		A database has come or gone, or may be used differently.
 */
void
dx_wake_launcher(void)
{
	if (take_notes())
		notes.launcher = true;
}

/*
 * dx_wake_extension
 *		The extension has come or gone in this database: its processes have to
 *		see for themselves, and the launcher starts a dispatcher if need be.
 */
void
dx_wake_extension(void)
{
	if (take_notes())
	{
		notes.launcher = true;
		notes.extension = true;
	}
}

/*
 * dx_wake_prepared
 *		A prepared transaction has committed; what it had noted is not known.
 *		It may also have created the extension.
 */
void
dx_wake_prepared(void)
{
	if (take_notes())
		notes.prepared = true;
}

/*
 * A sweep, a little later, so that many such commits make one.  Where no
 * extension is known, the launcher looks for one.
 */
static void
tell_of_prepared(DxDatabase *database, DxLatches *latches)
{
	if (database->state == DX_DB_ABSENT || database->state == DX_DB_STARTING)
	{
		database->recheck = true;
		dx_latches_add(latches, dx_shared->launcher_latch);
	}
	else if (database->sweep_at == 0)
	{
		database->sweep_at = dx_mono_after(PREPARED_DELAY_MS);
		dx_database_call_locked(database, database->sweep_at, latches);
	}
}

/*
 * Runs that have become due go into the rings of their owners. With the lock
 * held.
 */
static void
push_runs(DxDatabase *database, DxLatches *latches)
{
	DxRing	   *ring = NULL;
	Oid			owner = InvalidOid;

	for (int i = 0; i < notes.nruns; i++)
	{
		RunNote    *note = &notes.runs[i];

		if (note->owner != owner)
		{
			if (ring != NULL)
				dx_ring_wake_locked(ring, latches);
			owner = note->owner;
			ring = dx_ring_get_locked(database, owner, note->priority > 0);
		}
		if (ring != NULL)
			dx_ring_push_locked(ring, &note->run_id, -note->priority);
	}
	if (ring != NULL)
		dx_ring_wake_locked(ring, latches);
}

/*
 * Owners for whom a look at the tables was noted get one. With the lock held.
 */
static void
push_scans(DxDatabase *database, DxLatches *latches)
{
	for (int i = 0; i < notes.nscans; i++)
	{
		DxRing	   *ring = dx_ring_get_locked(database, notes.scans[i], notes.hurry);

		if (ring == NULL)
			continue;
		dx_ring_want_scan_locked(ring, false);
		if (notes.hurry)
			dx_ring_hurry_locked(ring);
		dx_ring_wake_locked(ring, latches);
	}
}

/*
 * Tells the database's processes.  When there is no dispatcher at the moment,
 * workers may still be there; and the next dispatcher begins with a sweep.
 */
static void
tell_database(DxLatches *latches)
{
	DxDatabase *database = dx_database_find_locked(MyDatabaseId);
	int			nline;

	if (database == NULL)
		return;
	if (notes.extension)
		dx_database_recheck_locked(database, latches);
	if (notes.prepared)
		tell_of_prepared(database, latches);
	if (database->state == DX_DB_ABSENT || database->state == DX_DB_RETIRING)
		return;

	nline = database->nline;
	push_runs(database, latches);
	push_scans(database, latches);
	if (notes.sweep)
		database->sweep = true;
	if (notes.due < database->next_due)
	{
		database->next_due = notes.due;
		dx_database_call_locked(database, dx_mono_at(notes.due), latches);
	}
	if (database->sweep || database->nline > nline)
		dx_database_call_locked(database, 0, latches);
}

/* After the commit: what was noted is announced, under one lock. */
static void
act_on_notes(void)
{
	DxLatches	latches = {0};
	bool		warn;

	dx_lock();
	tell_database(&latches);
	warn = dx_shared->nline >= dx_max_owners && !dx_shared->warned_owners;
	if (warn)
		dx_shared->warned_owners = true;
	if (notes.launcher)
		dx_latches_add(&latches, dx_shared->launcher_latch);
	dx_unlock();
	dx_latches_set(&latches);

	if (notes.nended > 0)
		dx_waiters_wake(notes.ended, notes.nended, notes.all_ended);
	if (warn)
		ereport(LOG,
				(errmsg("more than %d owners of runs wait for a worker, and dealix_exec looks for the work of others by sweeping",
						dx_max_owners),
				 errhint("Raise dealix_exec.max_owners.")));
}

/*
 * What was noted is announced if the transaction commits, and forgotten in
 * any case.
 */
static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;

	if (notes.any)
	{
		if (event == XACT_EVENT_COMMIT)
			act_on_notes();
		forget_notes();
	}
	dx_database_release_holds();
}

/*
 * Subtransaction ids grow with time, and nobody but a subtransaction or its
 * children takes notes while it lasts: so its notes are the last ones.
 */
static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mySubid,
					  SubTransactionId parentSubid, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (notes.nruns > 0 && notes.runs[notes.nruns - 1].subid >= mySubid)
		notes.nruns--;
}

/*
 * dx_wake_init
 *		Registers the callbacks.  From _PG_init, once a backend.
 */
void
dx_wake_init(void)
{
	forget_notes();
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
