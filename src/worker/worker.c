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
 * Runs whose pass did not come to its end because the process died are
 * suspects (poison.c): after the others, each has a pass of its own, and one
 * that has died too often becomes an incident instead.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/extension.h"
#include "base/frame.h"
#include "base/guc.h"
#include "base/poison.h"
#include "base/ring.h"
#include "base/session.h"
#include "base/shared.h"
#include "base/uuid.h"
#include "base/worker_life.h"
#include "engine/careful.h"
#include "engine/pass.h"
#include "engine/quarantine.h"
#include "engine/scan.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
#include "worker/busy.h"
#include "worker/process.h"
#include "worker/worker.h"

#define MAX_IDS			1024
#define SHORTAGE_MAX_MS	(16 * 1000) /* between two failures for lack of
									 * resources */

static DxAssignment self;
static int	passes = 0;

/* Runs in hand; delay 0: was not busy before. */
static pg_uuid_t ids[MAX_IDS];
static DxBusyRun waited[MAX_IDS];
static int	nids = 0;

/* What a scan reads. */
static pg_uuid_t found_ids[MAX_IDS];
static int16 found_ranks[MAX_IDS];

/* How many runs the next pass takes; shrinks when steps are slow. */
static int	batch;

/*
 * After a slow step, quick ones have as much time before the next slow one: a
 * few runs with slow steps do not make all the others as slow.  0: no quick
 * one was there.
 */
static DxMono quick_until = 0;

/* At exit: gives the slot back, with the error if it was in vain. */
static void
worker_exit(int code, Datum arg)
{
	const char *error = dx_process_last_error();
	bool		in_vain = code != 0 && passes == 0 && error[0] != '\0' &&
	!dx_process_terminated();

	dx_poison_detach();
	dx_worker_detach(self.slot, nids > 0 || dx_busy_any(), in_vain ? error : NULL);
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

/* Takes busy runs whose time has come into hand, up to a whole batch. */
static void
take_busy(void)
{
	while (nids < batch && dx_busy_take(&waited[nids]))
	{
		ids[nids] = waited[nids].run_id;
		nids++;
	}
}

/* How the run in hand had been waited for; for what is not in hand, not. */
static const DxBusyRun *
waited_for(const pg_uuid_t *run_id)
{
	static const DxBusyRun never = {0};

	for (int i = 0; i < nids; i++)
	{
		if (memcmp(&ids[i], run_id, sizeof(pg_uuid_t)) == 0)
			return &waited[i];
	}
	return &never;
}

/* DROP or ALTER EXTENSION has won: there is nothing to do here any more. */
static void
leave_if_gone(bool here)
{
	if (here)
		return;
	dx_frame_commit();
	proc_exit(0);
}

/* The extension may be gone or of another version: looks, and leaves then. */
static void
recheck(void)
{
	dx_frame_begin("dealix_exec: looking for the extension");
	leave_if_gone(dx_extension_serve());
	dx_frame_commit();
}

/* One pass, one transaction. */
static void
pass(const pg_uuid_t *run_ids, int n, DxPassResult *result)
{
	DxPassLimits limits = {n, dx_pass_max_time, true, dx_mono() >= quick_until};

	memset(result, 0, sizeof(DxPassResult));
	dx_frame_begin("dealix_exec: pass");
	leave_if_gone(dx_extension_serve());
	dx_poison_note(run_ids, n);
	dx_pass(self.owner, &limits, run_ids, n, true, result);
	for (int i = 0; i < result->nbusy; i++)
		dx_busy_add(&result->busy[i], waited_for(&result->busy[i]));
	dx_frame_commit();
	dx_poison_clear();

	passes++;
	dx_worker_report(self.slot, result->advanced, result->steps);
	if (dx_session_worn_out())
		proc_exit(0);
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
		dx_poison_clear();
		dx_worker_error(self.slot, dx_process_last_error());
	}
	PG_END_TRY();
	return sqlstate;
}

/*
 * The run makes the engine fail: an incident, and the others go on.  False: not
 * now, it is tried again.
 */
static bool
quarantine(int i, const char *message)
{
	volatile bool failed = false;

	PG_TRY();
	{
		dx_frame_begin("dealix_exec: quarantine");
		leave_if_gone(dx_extension_serve());
		dx_poison_note(&ids[i], 1);
		dx_pass_quarantine(&ids[i], message);
		dx_frame_commit();
		dx_poison_clear();
	}
	PG_CATCH();
	{
		dx_frame_abort();
		dx_poison_clear();
		failed = true;
	}
	PG_END_TRY();
	if (failed)
		dx_busy_add(&ids[i], &waited[i]);
	return !failed;
}

/* A run whose pass has failed with no other run in it. */
static void
run_failed(int i, int sqlstate)
{
	char	   *message;

	if (is_transient(sqlstate))
	{
		dx_busy_add(&ids[i], &waited[i]);
		return;
	}
	message = pstrdup(dx_process_last_error());
	(void) quarantine(i, message);
	pfree(message);
}

/* A pass over just this run in hand.  Returns the SQLSTATE of its failure or 0. */
static int
pass_alone(int i, DxPassResult *result)
{
	int			sqlstate = try_pass(&ids[i], 1, result);

	/* What its data has caused is the state's error in the next one. */
	while (sqlstate != 0 &&
		   dx_careful_failed(&ids[i], sqlstate, dx_process_last_error()))
		sqlstate = try_pass(&ids[i], 1, result);

	if (sqlstate != 0)
		run_failed(i, sqlstate);
	return sqlstate;
}

/*
 * Between passes over runs in hand: takes over settings.  With no worker
 * allowed any more we end; a scan finds what was in hand.
 */
static void
heed_settings(void)
{
	dx_process_between();
	if (dx_workers == 0)
		proc_exit(0);
}

/* After a pass that failed as a whole: each of its n runs by itself. */
static void
pass_one_by_one(int n, int sqlstate)
{
	if (n == 1 && !dx_careful_failed(&ids[0], sqlstate, dx_process_last_error()))
	{
		run_failed(0, sqlstate);
		return;
	}
	for (int i = 0; i < n; i++)
	{
		DxPassResult result;

		heed_settings();
		(void) pass_alone(i, &result);
	}
}

/* A hint that came twice is one run. */
static void
drop_repeated(void)
{
	int			n = 0;

	for (int i = 0; i < nids; i++)
	{
		bool		repeated = false;

		for (int j = 0; j < n && !repeated; j++)
			repeated = memcmp(&ids[j], &ids[i], sizeof(pg_uuid_t)) == 0;
		if (repeated)
			continue;
		ids[n] = ids[i];
		waited[n++] = waited[i];
	}
	nids = n;
}

/*
 * Moves suspects behind the other runs in hand, the most suspicious last, so
 * that the others have got through before it is their turn.  Returns how many
 * are no suspects.
 */
static int
part_suspects(void)
{
	int			rank[MAX_IDS];
	int			n = 0;

	if (!dx_poison_any())
		return nids;
	for (int i = 0; i < nids; i++)
	{
		pg_uuid_t	id = ids[i];
		DxBusyRun	wait = waited[i];
		DxSuspect	suspect;
		int			of_id = 0;
		int			to = i;

		if (dx_poison_find(&id, &suspect))
			of_id = suspect.deaths + suspect.outages;
		else
			n++;
		for (; to > 0 && rank[to - 1] > of_id; to--)
		{
			ids[to] = ids[to - 1];
			waited[to] = waited[to - 1];
			rank[to] = rank[to - 1];
		}
		ids[to] = id;
		waited[to] = wait;
		rank[to] = of_id;
	}
	return n;
}

/* How often a worker has died of this run, and where, for its incident. */
static char *
describe_suspect(const DxSuspect *suspect)
{
	StringInfoData text;

	initStringInfo(&text);
	if (suspect->deaths >= DX_MAX_DEATHS)
		appendStringInfo(&text, "The worker died %d times in a row in a pass over this run",
						 suspect->deaths);
	else
		appendStringInfo(&text, "The whole server went down %d times in a row in a pass over this run",
						 suspect->outages);
	if (suspect->state[0] != '\0')
		appendStringInfo(&text, ", last in \"%s\"", suspect->state);
	appendStringInfoString(&text, ". The server log says what happened to the process.");
	return text.data;
}

/* A suspect gets a pass of its own, or has had too many. */
static void
run_suspect(int i)
{
	DxPassResult result;
	DxSuspect	suspect;
	int			sqlstate;

	if (dx_poison_find(&ids[i], &suspect) && dx_poison_too_often(&suspect))
	{
		/* Not even that works?  It is shown among the incidents all the same. */
		if (dx_poison_left_alone(&ids[i]))
			ereport(LOG,
					(errmsg("dealix_exec: run %s is left alone: workers die also when they make it an incident",
							dx_uuid_text(&ids[i])),
					 errhint("See dealix.incidents; redrive, cancel and terminate work.")));
		else if (quarantine(i, describe_suspect(&suspect)))
			dx_poison_forget(&ids[i]);
		return;
	}

	sqlstate = pass_alone(i, &result);
	/* Locked by somebody else, it is still to be seen. */
	if (sqlstate != 0 || result.nbusy == 0)
		dx_poison_forget(&ids[i]);
}

/* A run in hand that takes a pass of its own, because its step is slow. */
static void
run_apart(const pg_uuid_t *run_id)
{
	for (int i = 0; i < nids; i++)
	{
		DxMono		begun = dx_mono();
		DxPassResult result;

		if (memcmp(&ids[i], run_id, sizeof(pg_uuid_t)) != 0)
			continue;
		(void) pass_alone(i, &result);
		quick_until = dx_mono() + (dx_mono() - begun);
		return;
	}
}

/* A pass over the first n runs in hand. */
static void
run_batch(int n)
{
	DxPassResult result;
	int			sqlstate = try_pass(ids, n, &result);

	if (sqlstate != 0 && dx_frame_shortage() > 0)
	{
		/* None of them is to blame, but perhaps fewer of them find room. */
		for (int i = 0; i < n; i++)
			dx_busy_add(&ids[i], &waited[i]);
		batch = Max(batch / 2, 1);
	}
	else if (sqlstate != 0)
	{
		pass_one_by_one(n, sqlstate);
		batch = Max(batch / 2, 1);
	}
	else if (result.more)
		batch = Max(Min(result.advanced, batch), 1);
	else
		batch = Min(batch * 2, Min(dx_pass_max_runs, MAX_IDS));
	if (sqlstate == 0 && result.has_apart)
		run_apart(&result.apart);
	else if (sqlstate == 0 && result.advanced == 0)
		quick_until = 0;
}

/*
 * Advances the runs in hand.  Those that a pass has not come to, or that
 * want to go on, it has announced itself.
 */
static void
run_in_hand(void)
{
	int			n;

	drop_repeated();
	n = part_suspects();
	if (n > 0)
		run_batch(n);
	for (int i = n; i < nids; i++)
	{
		heed_settings();
		run_suspect(i);
	}
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
		leave_if_gone(dx_extension_serve());
		found = dx_scan_due(self.owner, cursor, max, found_ids, found_ranks);
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
		dx_process_pause(DX_BUSY_MAX_MS, DX_WAIT_WORKER);
		return;
	}
	dx_ring_scanned(self.slot, found_ids, found_ranks, found, cursor,
					sizeof(DxDueCursor), found < max);
}

/* Waits for work.  Leaves when there was none for worker_idle_timeout. */
static void
idle(DxMono idle_since)
{
	DxMono		until = idle_since + dx_worker_idle_timeout * INT64CONST(1000);

	if (dx_mono() >= until && !dx_busy_any() && dx_worker_leave(self.slot))
		proc_exit(0);
	if (dx_busy_any())
		until = dx_busy_next();
	pgstat_report_stat(true);
	dx_process_wait(dx_mono_left(until), DX_WAIT_WORKER);
}

/* One turn.  *idle_since: 0 while there is work. */
static void
worker_cycle(DxMono *idle_since)
{
	DxDueCursor cursor;
	int			n;

	batch = Min(batch, Min(dx_pass_max_runs, MAX_IDS));
	take_busy();
	switch (dx_ring_take(self.slot, batch - nids, ids + nids, &n,
						 &cursor, sizeof(cursor), nids == 0,
						 nids == 0 && !dx_busy_any()))
	{
		case DX_WORK_RUNS:
			memset(waited + nids, 0, n * sizeof(DxBusyRun));
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
				*idle_since = dx_mono();
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
	static DxMono idle_since = 0;
	volatile int failures;

	StaticAssertStmt(sizeof(DxDueCursor) <= DX_CURSOR_LEN,
					 "the ring has no room for the engine's cursor");

	dx_process_begin(DX_PROCESS_WORKER, &self);
	if (!dx_worker_attach(self.slot, self.generation))
		proc_exit(0);
	on_shmem_exit(worker_exit, (Datum) 0);

	BackgroundWorkerInitializeConnectionByOid(self.dboid, self.owner, 0);
	dx_process_settings();
	check_identity();
	dx_poison_attach(self.slot, self.dboid);

	batch = Min(dx_pass_max_runs, MAX_IDS);
	loop = AllocSetContextCreate(TopMemoryContext, "dealix_exec worker",
								 ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		MemoryContextReset(loop);
		MemoryContextSwitchTo(loop);
		failures = dx_frame_shortage();
		PG_TRY();
		{
			worker_cycle(&idle_since);
			dx_process_between();
		}
		PG_CATCH();
		{
			/* A cancel that came just between two passes, say. */
			dx_frame_abort();
			dx_ring_scan_failed(self.slot);
		}
		PG_END_TRY();
		if (dx_frame_shortage() > failures)
			dx_process_pause(Min(dx_backoff(dx_frame_shortage()), SHORTAGE_MAX_MS),
							 DX_WAIT_WORKER);
	}
}
