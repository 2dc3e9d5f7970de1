/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  A worker: connected as an owner of runs, it takes run ids out of the
 *	  owner's ring and calls the engine's pass for them, one transaction each.
 *
 * Ids in hand are in nobody else's memory: whenever the worker ends with some,
 * it asks for a scan.  Runs that another process had locked are tried again a
 * little later, because that process may have looked before the message came.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/base.h"
#include "base/shared.h"
#include "engine/engine.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "worker/worker.h"

#define MAX_IDS			1024
#define MAX_BUSY		1024
#define BUSY_FIRST_MS	10
#define BUSY_MAX_MS		1000

typedef struct BusyRun
{
	pg_uuid_t	run_id;
	int			delay;			/* ms */
	TimestampTz due;
	TimestampTz since;			/* when it was busy for the first time */
} BusyRun;

static DxAssignment self;
static int	passes = 0;

/* Runs in hand; delay 0: was not busy before. */
static pg_uuid_t ids[MAX_IDS];
static BusyRun waited[MAX_IDS];
static int	nids = 0;

/* What a scan reads. */
static pg_uuid_t found_ids[MAX_IDS];

/* Runs to be tried again. */
static BusyRun busy[MAX_BUSY];
static int	nbusy = 0;

/* How many runs the next pass takes; shrinks when steps are slow. */
static int	batch;

static void
worker_exit(int code, Datum arg)
{
	const char *error = dx_process_last_error();
	bool		in_vain = code != 0 && passes == 0 && error[0] != '\0' &&
	!dx_process_terminated();

	dx_worker_detach(self.slot, nids > 0 || nbusy > 0, in_vain ? error : NULL);
}

/*
 * A session of this role must be nobody else, or steps would run with the
 * wrong rights.
 */
static void
check_identity(void)
{
	if (GetSessionUserId() != self.owner || GetUserId() != self.owner)
		ereport(FATAL,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("dealix_exec worker did not get the identity of its owner"),
				 errhint("Look at the settings of the role in pg_db_role_setting.")));
}

/*
 * Tries the run again later.  Not for ever: it may have been a message about a
 * run that was never committed, and from a sweep_interval on the sweep brings
 * up what still is due.
 */
static void
add_busy(const pg_uuid_t *run_id, const BusyRun *before)
{
	TimestampTz now = dx_now();
	BusyRun    *entry;
	int			i;

	for (i = 0; i < nbusy; i++)
	{
		if (memcmp(&busy[i].run_id, run_id, sizeof(pg_uuid_t)) == 0)
			return;
	}
	if (nbusy == MAX_BUSY ||
		(before->delay > 0 &&
		 TimestampDifferenceExceeds(before->since, now, dx_sweep_interval * 1000)))
		return;

	entry = &busy[nbusy++];
	entry->run_id = *run_id;
	entry->delay = before->delay == 0 ? BUSY_FIRST_MS :
		Min(before->delay * 2, BUSY_MAX_MS);
	entry->since = before->delay == 0 ? now : before->since;
	entry->due = TimestampTzPlusMilliseconds(now, entry->delay);
}

/* Moves busy runs whose time has come into hand, up to a whole batch. */
static void
take_busy(void)
{
	TimestampTz now = dx_now();

	for (int i = 0; i < nbusy && nids < batch;)
	{
		if (busy[i].due > now)
		{
			i++;
			continue;
		}
		ids[nids] = busy[i].run_id;
		waited[nids] = busy[i];
		nids++;
		busy[i] = busy[--nbusy];
	}
}

static TimestampTz
next_busy(void)
{
	TimestampTz next = DT_NOEND;

	for (int i = 0; i < nbusy; i++)
		next = Min(next, busy[i].due);
	return next;
}

/* How the run in hand had been waited for; for what is not in hand, not. */
static const BusyRun *
waited_for(const pg_uuid_t *run_id)
{
	static const BusyRun never = {0};

	for (int i = 0; i < nids; i++)
	{
		if (memcmp(&ids[i], run_id, sizeof(pg_uuid_t)) == 0)
			return &waited[i];
	}
	return &never;
}

/* DROP EXTENSION has won: there is nothing to do here any more. */
static void
leave_if_gone(bool here)
{
	if (here)
		return;
	dx_frame_commit();
	proc_exit(0);
}

static void
recheck(void)
{
	dx_frame_begin("dealix_exec: looking for the extension");
	leave_if_gone(dx_extension_lock());
	dx_frame_commit();
}

/* One pass, one transaction. */
static void
pass(const pg_uuid_t *run_ids, int n, DxPassResult *result)
{
	DxPassLimits limits = {n, dx_pass_max_time};

	memset(result, 0, sizeof(DxPassResult));
	dx_frame_begin("dealix_exec: pass");
	leave_if_gone(dx_extension_lock());
	dx_pass(self.owner, &limits, run_ids, n, true, result);
	for (int i = 0; i < result->nbusy; i++)
		add_busy(&result->busy[i], waited_for(&result->busy[i]));
	dx_frame_commit();

	passes++;
	dx_worker_report(self.slot, result->advanced, result->steps);
}

/*
 * Is it the surroundings that failed, and not the run?  Then it is tried again
 * for as long as it takes; an incident would have to be closed by a person.
 */
static bool
is_transient(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR) ||
		sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
}

/* A pass whose error is reported and rolled back.  Returns its SQLSTATE or 0. */
static int
try_pass(const pg_uuid_t *run_ids, int n, DxPassResult *result)
{
	volatile int sqlstate = 0;

	PG_TRY();
	{
		pass(run_ids, n, result);
	}
	PG_CATCH();
	{
		sqlstate = geterrcode();
		dx_frame_abort();
		dx_worker_error(self.slot, dx_process_last_error());
	}
	PG_END_TRY();
	return sqlstate;
}

/* The run makes the engine fail: an incident, and the others go on. */
static void
quarantine(int i, const char *message)
{
	volatile bool failed = false;

	PG_TRY();
	{
		dx_frame_begin("dealix_exec: quarantine");
		leave_if_gone(dx_extension_lock());
		dx_pass_quarantine(&ids[i], message);
		dx_frame_commit();
	}
	PG_CATCH();
	{
		dx_frame_abort();
		failed = true;
	}
	PG_END_TRY();
	if (failed)
		add_busy(&ids[i], &waited[i]);
}

/* A run whose pass has failed with no other run in it. */
static void
run_failed(int i, int sqlstate)
{
	char	   *message;

	if (is_transient(sqlstate))
	{
		add_busy(&ids[i], &waited[i]);
		return;
	}
	message = pstrdup(dx_process_last_error());
	quarantine(i, message);
	pfree(message);
}

/* After a pass that failed as a whole: each of its runs by itself. */
static void
pass_one_by_one(int sqlstate)
{
	if (nids == 1)
	{
		run_failed(0, sqlstate);
		return;
	}
	for (int i = 0; i < nids; i++)
	{
		DxPassResult result;

		sqlstate = try_pass(&ids[i], 1, &result);
		if (sqlstate != 0)
			run_failed(i, sqlstate);
	}
}

/*
 * Advances the runs in hand.  Those that the pass has not come to, or that
 * want to go on, it has announced itself.
 */
static void
run_in_hand(void)
{
	DxPassResult result;
	int			sqlstate = try_pass(ids, nids, &result);

	if (sqlstate != 0)
	{
		pass_one_by_one(sqlstate);
		batch = Max(batch / 2, 1);
	}
	else if (result.more)
		batch = Max(Min(result.advanced, batch), 1);
	else
		batch = Min(batch * 2, Min(dx_pass_max_runs, MAX_IDS));
	nids = 0;
}

/* Reads the next due runs into the ring. */
static void
scan(DxDueCursor *cursor, int max)
{
	volatile int found = -1;

	PG_TRY();
	{
		dx_frame_begin("dealix_exec: looking for due runs");
		leave_if_gone(dx_extension_lock());
		found = dx_scan_due(self.owner, cursor, max, found_ids);
		dx_frame_commit();
	}
	PG_CATCH();
	{
		dx_frame_abort();
		dx_worker_error(self.slot, dx_process_last_error());
		found = -1;
	}
	PG_END_TRY();

	if (found < 0)
	{
		dx_ring_scan_failed(self.slot);
		dx_process_pause(BUSY_MAX_MS, DX_WAIT_WORKER);
		return;
	}
	dx_ring_scanned(self.slot, found_ids, found, cursor, sizeof(DxDueCursor),
					found < max);
}

/* Waits for work.  Leaves when there was none for worker_idle_timeout. */
static void
idle(TimestampTz idle_since)
{
	TimestampTz until = TimestampTzPlusMilliseconds(idle_since,
													dx_worker_idle_timeout);
	TimestampTz now = dx_now();

	if (now >= until && nbusy == 0 && dx_worker_leave(self.slot))
		proc_exit(0);
	if (nbusy > 0)
		until = next_busy();
	pgstat_report_stat(true);
	dx_process_wait(TimestampDifferenceMilliseconds(now, until), DX_WAIT_WORKER);
}

/* One turn.  *idle_since: 0 while there is work. */
static void
worker_cycle(TimestampTz *idle_since)
{
	DxDueCursor cursor;
	int			n;

	take_busy();
	switch (dx_ring_take(self.slot, batch - nids, ids + nids, &n,
						 &cursor, sizeof(cursor), nids == 0))
	{
		case DX_WORK_RUNS:
			memset(waited + nids, 0, n * sizeof(BusyRun));
			nids += n;
			break;
		case DX_WORK_SCAN:
			scan(&cursor, Min(n, MAX_IDS));
			break;
		case DX_WORK_RECHECK:
			recheck();
			break;
		case DX_WORK_LEAVE:
			proc_exit(0);
		case DX_WORK_NONE:
			if (nids > 0)
				break;
			if (*idle_since == 0)
				*idle_since = dx_now();
			idle(*idle_since);
			return;
	}
	*idle_since = 0;
	if (nids > 0)
		run_in_hand();
}

/*
 * dx_worker_main
 *		Entry point of a worker.
 */
void
dx_worker_main(Datum arg)
{
	MemoryContext loop;
	static TimestampTz idle_since = 0;

	StaticAssertStmt(sizeof(DxDueCursor) <= DX_CURSOR_LEN,
					 "the ring has no room for the engine's cursor");

	dx_process_begin(DX_PROCESS_WORKER, &self);
	if (!dx_worker_attach(self.slot, self.generation))
		proc_exit(0);
	on_shmem_exit(worker_exit, (Datum) 0);

	BackgroundWorkerInitializeConnectionByOid(self.dboid, self.owner, 0);
	dx_process_settings();
	check_identity();

	batch = Min(dx_pass_max_runs, MAX_IDS);
	loop = AllocSetContextCreate(TopMemoryContext, "dealix_exec worker",
								 ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		MemoryContextReset(loop);
		MemoryContextSwitchTo(loop);
		PG_TRY();
		{
			worker_cycle(&idle_since);
			QueryCancelPending = false;
			CHECK_FOR_INTERRUPTS();
		}
		PG_CATCH();
		{
			/* A cancel that came just between two passes, say. */
			dx_frame_abort();
			dx_ring_scan_failed(self.slot);
		}
		PG_END_TRY();
	}
}
