/*-------------------------------------------------------------------------
 *
 * pass.c
 *	  The pass: claim runs, advance them, write back, all in one transaction.
 *
 * The lock on a run's row is the run's mutex.  What the claim returns may have
 * been finished by somebody else while we waited for nothing: branches and
 * messages are read after the lock, with a fresh snapshot, and a run without
 * work is left as it is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/identity.h"
#include "base/poison.h"
#include "base/server.h"
#include "base/wake.h"
#include "base/watch.h"
#include "engine/advance.h"
#include "engine/budget.h"
#include "engine/careful.h"
#include "engine/due.h"
#include "engine/held.h"
#include "engine/line.h"
#include "engine/model.h"
#include "engine/owner.h"
#include "engine/pass.h"
#include "engine/program_cache.h"
#include "engine/queue.h"
#include "engine/scan.h"
#include "engine/sentence.h"
#include "engine/store_read.h"
#include "engine/store_write.h"
#include "engine/turn.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* With an open transaction older than that, subtransactions are limited. */
#define OLD_XIDS	10000

/*
 * Begins a pass.  owner: whose runs it takes; max_time in ms.  The caller has
 * SPI connected, and closes the pass or lets the transaction abort.
 */
DxPass *
dx_pass_open(Oid owner, bool cancel_is_error, int max_time,
			 DxPassResult *result)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext,
											  "dealix_exec pass",
											  ALLOCSET_DEFAULT_SIZES);
	DxPass	   *pass = MemoryContextAllocZero(cxt, sizeof(DxPass));

	Assert(IsTransactionState());
	Assert(max_time >= 0);
	dx_careful_leave();
	memset(result, 0, sizeof(DxPassResult));
	pass->cxt = cxt;
	pass->owner = owner;
	pass->now = dx_now();
	pass->begun = dx_mono();
	pass->deadline = pass->begun + (DxMono) max_time * 1000;
	pass->subxids = dx_pass_max_subtransactions > 0 && dx_old_writer(OLD_XIDS) ?
		dx_subxids_in_use() : PG_INT32_MAX;
	pass->cancel_is_error = cancel_is_error;
	pass->result = result;
	return pass;
}

/* Higher priority first, then older first. */
static int
compare_urgency(const ListCell *a, const ListCell *b)
{
	const DxRun *run1 = lfirst(a);
	const DxRun *run2 = lfirst(b);

	if (run1->priority != run2->priority)
		return run1->priority > run2->priority ? -1 : 1;
	return memcmp(run1->id.data, run2->id.data, UUID_LEN);
}

/* Locks runs, and loads what they are made of. */
static void
take(DxPass *pass, const pg_uuid_t *ids, int nids, bool wait)
{
	DxIdentity	saved;
	ListCell   *lc;
	List	   *claimed;
	List	   *runs = NIL;

	dx_engine_enter(&saved);
	claimed = dx_store_claim(pass, ids, nids, wait);
	foreach(lc, claimed)
	{
		DxRun	   *run = lfirst(lc);
		MemoryContext oldcxt;

		if (OidIsValid(pass->owner) && run->owner != pass->owner)
			continue;
		run->program = dx_program_of(run->version_id, &run->workflow,
									 &run->version);
		oldcxt = MemoryContextSwitchTo(pass->cxt);
		dx_sentence_load(run);
		runs = lappend(runs, run);
		MemoryContextSwitchTo(oldcxt);
	}
	runs = dx_store_load(pass, runs);
	dx_slots_mark(runs);
	dx_engine_leave(&saved);
	list_sort(runs, compare_urgency);
	pass->runs = runs;
	pass->loaded = MemoryContextMemAllocated(pass->cxt, false);
	pass->result->claimed = list_length(runs);
}

/*
 * Locks one run.  wait: for a pass that has it, too.  NULL: there is none, or
 * not to be had at once.
 */
DxRun *
dx_pass_take(DxPass *pass, const pg_uuid_t *run_id, bool wait)
{
	take(pass, run_id, 1, wait);
	return pass->runs == NIL ? NULL : linitial(pass->runs);
}

/* The same for several, which wait for whoever has them. */
void
dx_pass_take_all(DxPass *pass, const pg_uuid_t *run_ids, int n)
{
	Assert(n > 0);
	take(pass, run_ids, n, true);
}

/* Is there something to do for the run at this moment? */
static bool
has_work(DxPass *pass, DxRun *run)
{
	ListCell   *lc;

	/* Who frees a slot wakes it. */
	if (run->refused && run->status == DX_RUN_RUNNING)
		return false;
	foreach(lc, run->messages)
	{
		DxMessage  *message = lfirst(lc);

		if (message->consumed)
			continue;
		/* Whatever comes after the end is put on record. */
		if (dx_status_ended(run->status))
			return true;
		if (message->kind == DX_MESSAGE_SIGNAL)
			continue;
		/* What answers a branch waits until a person has looked. */
		if (run->status != DX_RUN_INCIDENT || message->branch < 0)
			return true;
	}
	if (run->status == DX_RUN_INCIDENT || dx_status_ended(run->status))
		return false;
	foreach(lc, run->branches)
	{
		if (dx_branch_due(pass, run, lfirst(lc)))
			return true;
	}
	return run->status == DX_RUN_RUNNING && run->deadline <= pass->now;
}

/*
 * Advances the runs of the pass, the most urgent first, until the budget is
 * spent.
 */
static void
advance(DxPass *pass)
{
	ListCell   *lc;

	foreach(lc, pass->runs)
	{
		DxRun	   *run = lfirst(lc);
		MemoryContext oldcxt;

		CHECK_FOR_INTERRUPTS();
		if (dx_budget_spent(pass))
			break;
		if (!has_work(pass, run))
			continue;
		oldcxt = MemoryContextSwitchTo(pass->cxt);
		pass->running = run;
		dx_run_advance(pass, run);
		pass->running = NULL;
		MemoryContextSwitchTo(oldcxt);
	}
}

/* Advances under watch: user code and evaluations that do not end are ended. */
static void
advance_watched(DxPass *pass)
{
	dx_watch_begin();
	PG_TRY();
	{
		advance(pass);
	}
	PG_FINALLY();
	{
		dx_watch_end();
	}
	PG_END_TRY();
}

/*
 * Has a branch of the run come to a step that takes a pass of its own?  The
 * caller may give one to the most urgent of such runs; the others queue up
 * again, perhaps for another worker.
 */
static void
announce_apart(DxPass *pass, const DxRun *run)
{
	ListCell   *lc;

	foreach(lc, run->branches)
	{
		const DxBranch *branch = lfirst(lc);

		if (branch->gone || !branch->apart)
			continue;
		if (!pass->takes_apart || pass->result->has_apart || list_length(pass->runs) == 1)
			dx_wake_run(run->owner, &run->id, run->priority);
		else
		{
			pass->result->has_apart = true;
			pass->result->apart = run->id;
		}
		return;
	}
}

/* Tells who has to know, once this has committed. */
static void
announce(DxPass *pass)
{
	ListCell   *lc;
	ListCell   *lb;

	foreach(lc, pass->runs)
	{
		DxRun	   *run = lfirst(lc);

		if (run->changed)
			pass->result->advanced++;
		if (run->due)
		{
			pass->result->more = true;
			dx_wake_run(run->owner, &run->id, run->priority);
		}
		if (run->continued && !run->ended_now)
			dx_line_wake(run);
		if (dx_status_ended(run->status))
			continue;
		announce_apart(pass, run);
		if (!run->changed)
			continue;
		foreach(lb, run->branches)
		{
			DxBranch   *branch = lfirst(lb);

			/* What is due now is hinted. */
			if (!branch->gone && branch->due_at > pass->now &&
				!TIMESTAMP_NOT_FINITE(branch->due_at))
				dx_wake_at(branch->due_at);
		}
	}
}

/*
 * A commit that does not wait for its flush is right only if every run of the
 * pass was started so.
 */
static void
choose_durability(DxPass *pass)
{
	bool		changed = false;
	ListCell   *lc;

	foreach(lc, pass->runs)
	{
		DxRun	   *run = lfirst(lc);

		if (!run->changed)
			continue;
		changed = true;
		if (run->durability == DX_DURABILITY_SYNC)
		{
			dx_force_durable();
			return;
		}
	}
	if (changed && dx_in_background())
		(void) set_config_option("synchronous_commit", "off", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

/* Writes back what the pass has changed; the commit is the caller's. */
void
dx_pass_close(DxPass *pass)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	DxIdentity	saved;
	ListCell   *lc;

	Assert(pass->running == NULL);
	Assert(IsTransactionState());
	foreach(lc, pass->runs)
	{
		DxRun	   *run = lfirst(lc);

		run->due = has_work(pass, run);
	}
	dx_engine_enter(&saved);
	dx_store_write(pass);
	dx_engine_leave(&saved);
	announce(pass);
	choose_durability(pass);
	MemoryContextSwitchTo(oldcxt);
	MemoryContextDelete(pass->cxt);
}

/* Is the run in the list? */
static bool
has_run(List *runs, const pg_uuid_t *id)
{
	ListCell   *lc;

	foreach(lc, runs)
	{
		if (memcmp(((DxRun *) lfirst(lc))->id.data, id->data, UUID_LEN) == 0)
			return true;
	}
	return false;
}

/*
 * Hinted runs that the claim did not return: locked by somebody else, if they
 * are not left for want of room.
 */
static void
note_busy(DxPass *pass, const pg_uuid_t *hints, int nhints, List *claimed)
{
	DxPassResult *result = pass->result;
	int			i;

	result->busy = palloc(sizeof(pg_uuid_t) * Max(nhints, 1));
	for (i = 0; i < nhints; i++)
	{
		if (!has_run(claimed, &hints[i]) && !has_run(pass->left, &hints[i]))
			result->busy[result->nbusy++] = hints[i];
	}
}

/*
 * Where no dispatcher sweeps, those who have nothing else to do look for slots
 * that nobody was woken for.  Returns the number of due runs in ids.
 */
static int
sweep_queues(DxPass *pass, int max_runs, pg_uuid_t *ids)
{
	DxIdentity	saved;
	DxDueCursor cursor;
	int64		woken;

	dx_engine_enter(&saved);
	woken = dx_queue_sweep(pass->owner);
	dx_engine_leave(&saved);
	if (woken == 0)
		return 0;
	memset(&cursor, 0, sizeof(cursor));
	return dx_scan_due(pass->owner, &cursor, max_runs, ids, NULL);
}

/*
 * If this process dies now, it is of these runs: those that it was told of and
 * that others have locked are not to blame.
 */
static void
answer_for(DxPass *pass)
{
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * Max(list_length(pass->runs), 1));
	ListCell   *lc;

	foreach(lc, pass->runs)
		ids[foreach_current_index(lc)] = ((DxRun *) lfirst(lc))->id;
	dx_poison_narrow(ids, list_length(pass->runs));
	pfree(ids);
}

/* Looks for due runs until some can be locked or there are no more. */
static void
take_due(DxPass *pass, int max_runs)
{
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * max_runs);
	DxDueCursor cursor;
	int			n;

	memset(&cursor, 0, sizeof(cursor));
	do
	{
		CHECK_FOR_INTERRUPTS();
		n = dx_scan_due(pass->owner, &cursor, max_runs, ids, NULL);
		if (n > 0)
			take(pass, ids, n, false);
	} while (n == max_runs && pass->runs == NIL);
	if (n == 0 && (n = sweep_queues(pass, max_runs, ids)) > 0)
		take(pass, ids, n, false);
	if (n == max_runs)
		pass->result->more = true;
	pfree(ids);
}

/* See pass.h. */
void
dx_pass(Oid owner, const DxPassLimits *limits, const pg_uuid_t *hints,
		int nhints, bool cancel_is_error, DxPassResult *result)
{
	DxPass	   *pass;
	DxOwnerProblem problem;

	Assert(OidIsValid(owner));
	Assert(limits->max_runs > 0);
	memset(result, 0, sizeof(DxPassResult));
	if (!dx_database_at_home() || !dx_owner_allowed(owner, &problem))
		return;
	pass = dx_pass_open(owner, cancel_is_error, limits->max_time, result);
	pass->sets_apart = limits->sets_apart;
	pass->takes_apart = limits->takes_apart;
	if (nhints > 0)
	{
		take(pass, hints, nhints, false);
		if (result->claimed < nhints)
			note_busy(pass, hints, nhints, pass->runs);
	}
	else
		take_due(pass, limits->max_runs);
	answer_for(pass);

	advance_watched(pass);
	dx_pass_close(pass);
}
