/*-------------------------------------------------------------------------
 *
 * watch.c
 *	  What ends code that does not end by itself.
 *
 * A step that takes longer than it may is cancelled.  It can trap that (EXCEPTION
 * WHEN query_canceled), and so it comes again; at the third time the process
 * ends, which nothing traps.  The same goes for a cancel from outside.  What the
 * step was sentenced to is noted on the way out (poison.c), and is its outcome
 * when its run is taken up again.
 *
 * All of it is driven by a beat twice a second while a pass goes on, and a
 * timer for the time of the step.  The beat ends evaluations too, which the
 * engine does itself (paths, intrinsic functions): for them one cancel is enough.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "base/guc.h"
#include "base/poison.h"
#include "base/uuid.h"
#include "base/watch.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define BEAT_MS			500

/* Beats after the first cancel. */
#define CANCEL_AGAIN	2
#define END_PROCESS		4

static TimeoutId beat_timeout = MAX_TIMEOUTS;
static TimeoutId step_timeout = MAX_TIMEOUTS;

/* Numbers of stretches of user code: the one that runs now, 0 = none. */
static volatile sig_atomic_t code = 0;
static int	last_code = 0;

/* The one that was cancelled last, how, and how many beats ago. */
static volatile sig_atomic_t cancelled_code = 0;
static volatile sig_atomic_t timed_out = false;
static volatile sig_atomic_t beats = 0;
static volatile sig_atomic_t cancelled_again = false;
static volatile sig_atomic_t process_ends = false;

static volatile sig_atomic_t evaluating = false;
static volatile sig_atomic_t evaluation_beats = 0;
static volatile sig_atomic_t overdue = false;

/* Where the code stands in its run. */
static pg_uuid_t place_run;
static DxSentence place;

/* Cancels what this process is doing, as pg_cancel_backend does. */
static void
cancel(void)
{
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

/* The first cancel of this stretch of user code starts the count of beats. */
static void
note_cancel(void)
{
	if (cancelled_code == code)
		return;
	cancelled_code = code;
	beats = 0;
}

/* The time of the step is over. */
static void
step_timeout_handler(void)
{
	timed_out = true;
	note_cancel();
	cancel();
}

/* SIGINT: somebody, or the server's own timeout, cancels what goes on. */
static void
interrupted(SIGNAL_ARGS)
{
	int			save_errno = errno;

	if (code != 0)
		note_cancel();
	errno = save_errno;
	StatementCancelHandler(postgres_signal_arg);
}

/*
 * User code that was cancelled and goes on is cancelled again, and then its
 * process is ended.
 */
static void
beat(void)
{
	if (code != 0 && cancelled_code == code)
	{
		beats++;
		if (beats == CANCEL_AGAIN)
		{
			cancelled_again = true;
			cancel();
		}
		else if (beats >= END_PROCESS)
		{
			process_ends = true;
			InterruptPending = true;
			ProcDiePending = true;
			SetLatch(MyLatch);
		}
	}
	else if (code == 0 && evaluating && dx_evaluation_timeout > 0 &&
			 ++evaluation_beats > dx_evaluation_timeout / BEAT_MS)
	{
		overdue = true;
		cancel();
	}
}

/* At exit: the process ends because of a step that did not. */
static void
note_sentence(int exit_code, Datum arg)
{
	if (!process_ends || code == 0)
		return;
	place.verdict = timed_out ? DX_VERDICT_TIMEOUT : DX_VERDICT_CANCEL;
	ereport(LOG,
			(errmsg("dealix_exec: \"%s\" of run %s went on when it was cancelled, and so this process ends",
					place.place, dx_uuid_text(&place_run)),
			 errdetail("The next pass over the run takes it as %s.",
					   timed_out ? "timed out" : "cancelled")));
	dx_poison_condemn(&place_run, &place);
}

/*
 * dx_watch_begin
 *		A pass begins.
 */
void
dx_watch_begin(void)
{
	if (beat_timeout == MAX_TIMEOUTS)
	{
		beat_timeout = RegisterTimeout(USER_TIMEOUT, beat);
		step_timeout = RegisterTimeout(USER_TIMEOUT, step_timeout_handler);
		before_shmem_exit(note_sentence, (Datum) 0);
	}
	code = 0;
	evaluating = false;
	pqsignal(SIGINT, interrupted);
	enable_timeout_every(beat_timeout,
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), BEAT_MS),
						 BEAT_MS);
}

/*
 * dx_watch_end
 *		The pass is over, well or not.
 */
void
dx_watch_end(void)
{
	disable_timeout(beat_timeout, false);
	pqsignal(SIGINT, StatementCancelHandler);
	evaluating = false;
}

/*
 * dx_watch_place
 *		Where the code stands that runs next: a state, or where in the
 *		definition an expression is.
 */
void
dx_watch_place(const pg_uuid_t *run_id, int32 branch, const char *name)
{
	place_run = *run_id;
	place.branch = branch;
	dx_poison_clip(place.place, name);
	dx_poison_state(name);
}

/*
 * dx_watch_enter
 *		Code of the user's begins; it may take so many seconds, 0 = no limit.
 *		Without a pass nothing is watched.  outer: for dx_watch_leave.
 */
void
dx_watch_enter(DxWatch *outer, double seconds)
{
	outer->code = code;
	outer->evaluating = evaluating;
	if (++last_code <= 0)
		last_code = 1;
	evaluating = false;
	cancelled_again = false;
	code = last_code;
	if (seconds <= 0)
		return;
	timed_out = false;
	enable_timeout_after(step_timeout, (int) Min(Max(seconds * 1000.0, 1), PG_INT32_MAX));
}

/*
 * dx_watch_leave
 *		The code has ended, well or not.  true: its time was over, perhaps too
 *		late to interrupt anything.
 */
bool
dx_watch_leave(const DxWatch *outer, double seconds)
{
	if (seconds > 0)
		disable_timeout(step_timeout, false);
	code = outer->code;
	if (cancelled_again || (seconds > 0 && timed_out))
		QueryCancelPending = false;
	cancelled_again = false;
	evaluating = outer->evaluating;
	return seconds > 0 && timed_out;
}

/*
 * dx_watch_evaluation
 *		The engine begins to evaluate, or has done it.
 */
void
dx_watch_evaluation(bool begins)
{
	evaluation_beats = 0;
	evaluating = begins;
	if (!begins && overdue)
	{
		overdue = false;
		QueryCancelPending = false;
	}
}

/*
 * dx_watch_overdue
 *		Has the evaluation that goes on taken longer than it may?
 */
bool
dx_watch_overdue(void)
{
	return overdue;
}
