/*-------------------------------------------------------------------------
 *
 * dispatcher.c
 *	  A dispatcher: one per database with the extension.  It looks at the
 *	  tables when a timer is due, every sweep_interval and when asked to, and
 *	  starts workers for owners with work.  It runs no user code.
 *
 * Timers.  next_due of the database is set to "none" before a look at the
 * tables takes its snapshot, and lowered afterwards to what the look has seen.
 * A commit lowers it after it has become visible (wake.c).  So a timer that
 * the snapshot does not see is announced after the reset, and kept.
 *
 * A look reads the timers between the last look's time and now, and those that
 * were announced with a time before: its cost is that of what has come due, not
 * of what waits.  A sweep reads everything.
 *
 * When the clock is set back, what was due may not be so any more when a worker
 * looks: the looks go back by as much.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/database_slot.h"
#include "base/extension.h"
#include "base/frame.h"
#include "base/guc.h"
#include "base/latches.h"
#include "base/registry.h"
#include "base/ring.h"
#include "base/shared.h"
#include "base/worker_life.h"
#include "commands/dbcommands.h"
#include "engine/held.h"
#include "engine/scan.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "worker/process.h"
#include "worker/staffing.h"
#include "worker/worker.h"

#define TIMER_SPACING_MS	10	/* looks because of timers are that far apart */
#define LONGEST_WAIT_MS		1000	/* the time of day may have been set */
#define BLOCKED_MS			20	/* first wait for the lock on an ended lease */
#define BLOCKED_MAX_MS		1000
#define STEP_BACK_US		1000	/* a clock does not slow down by that */

static DxAssignment self;
static DxDatabase *database;

static TimestampTz seen_until = 0;	/* timers up to there were looked at */
static int	blocked_ms = 0;		/* last wait for a lock; 0: none */
static DxMono last_look = 0;
static DxMono last_sweep = 0;
static bool told_held = false;

/* At exit: gives the slot back, with what has happened. */
static void
dispatcher_exit(int code, Datum arg)
{
	dx_dispatcher_detach(self.slot, dx_process_last_error());
}

/* Workers that a dispatcher before us has registered and that are not up. */
static void
disown_starting(void)
{
	for (int i = 0; i < dx_shared->nworkers; i++)
	{
		DxWorker   *worker = &dx_worker_slots[i];

		if (worker->state == DX_WORKER_STARTING && worker->pid == 0 &&
			worker->dboid == self.dboid)
			dx_worker_free_locked(worker, NULL);
	}
}

/* The extension is not (or no longer) here: nothing to do for us. */
static void
leave_absent(void)
{
	DxLatches	latches = {0};

	dx_lock();
	if (database->state != DX_DB_RETIRING)
		dx_database_set_state(database, DX_DB_ABSENT);
	for (int i = 0; i < dx_shared->nworkers; i++)
	{
		DxWorker   *worker = &dx_worker_slots[i];

		if (worker->state == DX_WORKER_FREE || worker->dboid != self.dboid)
			continue;
		worker->recheck = true;
		dx_latches_add(&latches, worker->latch);
	}
	dx_unlock();
	dx_latches_set(&latches);
	proc_exit(0);
}

/*
 * The extension is here, but of another version than the library: once to the
 * log, and to who looks at the processes.  In a transaction, for the name.
 */
static void
tell_version(void)
{
	const char *other = dx_extension_other_version();
	char		text[DX_ERROR_LEN];
	bool		told;

	snprintf(text, DX_ERROR_LEN, "extension \"%s\" has version %s, and the library has version %s",
			 DX_EXTENSION, other, DX_VERSION);
	dx_lock();
	told = strcmp(database->last_error, text) == 0;
	strlcpy(database->last_error, text, DX_ERROR_LEN);
	dx_unlock();
	if (!told)
		ereport(WARNING,
				(errmsg("no run in database \"%s\" is advanced: %s",
						get_database_name(self.dboid), text),
				 errhint(DX_VERSION_HINT, DX_EXTENSION)));
}

/*
 * Is the extension here, in the version of the library?  If not, we leave.
 * Within a frame.
 */
static void
require_extension(void)
{
	if (dx_extension_serve())
		return;
	if (OidIsValid(dx_extension_oid()))
		tell_version();
	dx_frame_commit();
	leave_absent();
}

/* Only where the extension is here is the database RUNNING. */
static void
find_extension(void)
{
	bool		wanted;

	dx_frame_begin("dealix_exec: looking for the extension");
	require_extension();
	dx_frame_commit();

	dx_lock();
	wanted = database->state == DX_DB_STARTING;
	if (wanted)
	{
		disown_starting();
		database->sweep = true;
		dx_database_set_state(database, DX_DB_RUNNING);
	}
	dx_unlock();
	if (!wanted)
		proc_exit(0);
}

/* In a transaction, for the name. */
static void
tell_held(bool held)
{
	if (held && !told_held)
		ereport(WARNING,
				(errmsg("database \"%s\" is held: it is a copy, and no run in it is advanced",
						get_database_name(self.dboid)),
				 errdetail("A copy must not repeat the external effects of its original."),
				 errhint("If this is the database to work in, call dealix.resume_engine().")));
	else if (!held && told_held)
		ereport(LOG,
				(errmsg("database \"%s\" is no longer held",
						get_database_name(self.dboid))));
	told_held = held;
}

/*
 * Has the time of day been set back since we were here?  Then looks begin
 * earlier by that, and one is made now.
 */
static bool
clock_set_back(void)
{
	static DxMono last_offset = PG_INT64_MIN;
	DxMono		offset = dx_now() - dx_mono();
	DxMono		step = last_offset - offset;

	if (last_offset == PG_INT64_MIN)
		step = 0;
	last_offset = offset;
	if (step < STEP_BACK_US)
		return false;
	seen_until -= step;
	return true;
}

/* What a look at the tables has found goes into the rings. */
static void
apply_look(const DxLook *look, bool held, bool sweep)
{
	DxLatches	latches = {0};

	dx_lock();
	database->held = held;
	database->passes++;
	database->next_due = Min(database->next_due, look->next_due);
	for (int i = 0; i < look->nowners; i++)
	{
		DxRing	   *ring = dx_ring_get_locked(database, look->owners[i].owner,
											  look->owners[i].urgent);

		if (ring == NULL)
			continue;			/* in line */
		dx_ring_want_scan_locked(ring, sweep);
		if (look->owners[i].urgent)
			dx_ring_hurry_locked(ring);
		dx_ring_wake_locked(ring, &latches);
	}
	dx_unlock();
	dx_latches_set(&latches);
}

/* What is locked at its time is tried again, less and less often. */
static TimestampTz
after_blocked(TimestampTz now, const DxLook *look)
{
	blocked_ms = !look->blocked ? 0 :
		blocked_ms == 0 ? BLOCKED_MS : Min(2 * blocked_ms, BLOCKED_MAX_MS);
	if (blocked_ms == 0)
		return look->next_due;
	return Min(look->next_due, TimestampTzPlusMilliseconds(now, blocked_ms));
}

/* after: timers before then were seen. */
static void
look_at_tables(bool sweep, TimestampTz after)
{
	DxLook		look = {NULL, 0, DT_NOEND, false};
	TimestampTz now = dx_now();
	bool		held;

	dx_frame_begin("dealix_exec: looking for due work");
	require_extension();
	held = dx_database_held();
	if (!held && sweep)
		dx_scan_all(now, &look);
	else if (!held)
		dx_scan_timers(Min(after, now), now, &look);
	look.next_due = after_blocked(now, &look);
	apply_look(&look, held, sweep);
	tell_held(held);
	dx_frame_commit();
	seen_until = now;
}

/* When all tables are to be looked at again, whatever was announced. */
static DxMono
next_sweep(void)
{
	DxMono		next = last_sweep == 0 ? 0 :
	last_sweep + dx_sweep_interval * USECS_PER_SEC;

	return database->sweep_at == 0 ? next : Min(next, database->sweep_at);
}

/* Timers that are due close to each other are served together. */
static DxMono
next_timer(void)
{
	TimestampTz now = dx_now();
	DxMono		soonest = last_look + TIMER_SPACING_MS * 1000;

	if (database->next_due == DT_NOEND)
		return DX_MONO_NEVER;
	if (database->next_due <= now)
		return soonest;
	return Max(dx_mono() + (database->next_due - now), soonest);
}

/*
 * Is it time to look at the tables?  Takes over what was asked for.  *after: to
 * what time all timers were looked at.
 */
static bool
take_orders(DxMono now, bool *sweep, TimestampTz *after)
{
	bool		look = clock_set_back();

	dx_lock();
	*sweep = database->sweep || database->recheck || next_sweep() <= now;
	look = look || *sweep || next_timer() <= now;
	*after = seen_until;
	if (look)
	{
		/* A commit may have come later than its timer. */
		if (database->next_due != DT_NOEND)
			*after = Min(*after, database->next_due - 1);
		if (*sweep)
			database->sweep_at = 0;
		database->sweep = false;
		database->recheck = false;
		database->next_due = DT_NOEND;
	}
	dx_unlock();
	return look;
}

/* Is there work for which nobody is here, and so for us? */
static bool
has_orders(void)
{
	if (database->sweep || database->recheck || database->nline > 0)
		return true;
	for (int i = 0; i < dx_shared->nrings; i++)
	{
		if (dx_rings[i].dboid == self.dboid && dx_rings[i].nworkers == 0 &&
			dx_ring_has_work_locked(&dx_rings[i]))
			return true;
	}
	return false;
}

/*
 * Another database wants our place.  We come back when something is due, or in
 * turn if something already is; workers that are here go on without us.
 */
static void
give_way(void)
{
	bool		rest;

	dx_lock();
	rest = database->yield && database->state == DX_DB_RUNNING && !dx_staff_expected();
	if (rest)
	{
		database->not_before = has_orders() ? dx_mono() :
			Min(next_sweep(), next_timer());
		database->failures = 0;
		database->resting = true;
		dx_database_set_state(database, DX_DB_STOPPED);
		/* Who asks from now on is heard. */
		for (int i = 0; i < dx_shared->nrings; i++)
		{
			if (dx_rings[i].dboid == self.dboid)
				dx_rings[i].asked = DX_ASK_NOTHING;
		}
	}
	dx_unlock();
	if (rest)
		proc_exit(0);
}

/* One turn.  Returns how long to wait for the next, in ms. */
static long
dispatcher_cycle(void)
{
	DxMono		next;
	TimestampTz after;
	bool		sweep;

	if (take_orders(dx_mono(), &sweep, &after))
	{
		look_at_tables(sweep, after);
		if (sweep)
			last_sweep = dx_mono();
		last_look = dx_mono();
	}

	next = DX_MONO_NEVER;
	dx_staff_start(&next);
	give_way();
	pgstat_report_activity(STATE_IDLE, NULL);

	dx_lock();
	next = Min(next, next_sweep());
	next = Min(next, next_timer());
	if (database->next_due != DT_NOEND)
		next = Min(next, dx_mono_after(LONGEST_WAIT_MS));
	if (database->sweep || database->recheck)
		next = 0;
	dx_unlock();
	return dx_mono_left(next);
}

/* What was taken over and came to nothing is asked for again. */
static void
dispatcher_failed(void)
{
	dx_lock();
	database->sweep = true;
	strlcpy(database->last_error, dx_process_last_error(), DX_ERROR_LEN);
	dx_unlock();
}

/*
 * dx_dispatcher_main
 *		Entry point of a dispatcher.
 */
void
dx_dispatcher_main(Datum arg)
{
	dx_process_begin(DX_PROCESS_DISPATCHER, &self);
	if (!dx_dispatcher_attach(self.slot, self.generation))
		proc_exit(0);
	on_shmem_exit(dispatcher_exit, (Datum) 0);
	database = &dx_database_slots[self.slot];
	dx_staff_init(database);

	BackgroundWorkerInitializeConnectionByOid(self.dboid, InvalidOid, 0);
	dx_process_settings();
	find_extension();

	dx_process_loop(dispatcher_cycle, dispatcher_failed, DX_WAIT_DISPATCHER);
}
