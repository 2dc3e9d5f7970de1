/*-------------------------------------------------------------------------
 *
 * frame.c
 *	  The one transaction frame of background processes.
 *
 * Every transaction of the launcher's children goes through here, so that
 * none of them leaks a snapshot, hides its work from the statistics or runs
 * at the isolation level that a role has set for itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/frame.h"
#include "base/shared.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/*
 * A full disk, no memory: what is tried again will fail again for a while.  It
 * is said once, and tried at growing intervals (dx_frame_shortage).
 */
static struct
{
	int			times;			/* in a row; 0: there is none */
	int			said;			/* SQLSTATE that was reported last */
	DxMono		since;
}			shortage;

/* Is it something that fails again until somebody makes room? */
static bool
is_shortage(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR);
}

/* Reports the error in hand, unless it is the same shortage as before. */
static void
report_error(void)
{
	int			sqlstate = geterrcode();

	if (!is_shortage(sqlstate))
	{
		EmitErrorReport();
		return;
	}
	if (shortage.times++ == 0)
		shortage.since = dx_mono();
	if (shortage.times > 1 && shortage.said == sqlstate)
		return;
	shortage.said = sqlstate;
	EmitErrorReport();
	ereport(LOG,
			(errmsg("dealix_exec tries again at growing intervals, and reports the same error no more until it has gone on")));
}

/* Something was written: there is room again. */
static void
end_shortage(void)
{
	if (shortage.times == 0)
		return;
	ereport(LOG,
			(errmsg("dealix_exec goes on after %d failures for lack of resources in %d seconds",
					shortage.times,
					(int) ((dx_mono() - shortage.since) / USECS_PER_SEC))));
	shortage.times = 0;
}

/*
 * dx_frame_shortage
 *		How often in a row transactions have failed for lack of resources; 0
 *		again after the first that has written something.
 */
int
dx_frame_shortage(void)
{
	return shortage.times;
}

/*
 * dx_frame_read_write
 *		Makes the transaction that has just begun, and has no snapshot yet,
 *		READ COMMITTED and read-write, whatever the role's defaults are.
 */
void
dx_frame_read_write(void)
{
	XactIsoLevel = XACT_READ_COMMITTED;
	XactReadOnly = false;
	XactDeferrable = false;
}

/*
 * dx_frame_begin
 *		Begins a transaction with SPI connected and a snapshot active.
 *		activity: what pg_stat_activity shows.
 */
void
dx_frame_begin(const char *activity)
{
	Assert(!IsTransactionState());
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	dx_frame_read_write();
	if (SPI_connect() != SPI_OK_CONNECT)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not connect to the SPI manager")));
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, activity);
}

/*
 * dx_frame_commit
 *		Commits what dx_frame_begin began.
 */
void
dx_frame_commit(void)
{
	bool		wrote;

	Assert(IsTransactionState());
	PopActiveSnapshot();
	SPI_finish();
	wrote = TransactionIdIsValid(GetTopTransactionIdIfAny());
	CommitTransactionCommand();
	if (wrote)
		end_shortage();
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
}

static char last_error[DX_ERROR_LEN];
static int	last_sqlstate = 0;

/*
 * dx_error_note
 *		Keeps the text of an error for the registry and for incidents.
 */
void
dx_error_note(const ErrorData *edata)
{
	if (edata->elevel < ERROR || edata->message == NULL)
		return;
	strlcpy(last_error, edata->message, DX_ERROR_LEN);
	last_sqlstate = edata->sqlerrcode;
}

/*
 * dx_error_last
 *		The last error of this process, "" if none.  sqlstate may be NULL.
 */
const char *
dx_error_last(int *sqlstate)
{
	if (sqlstate != NULL)
		*sqlstate = last_sqlstate;
	return last_error;
}

/*
 * The error that is being handled.  Not from emit_log_hook: that is asked only
 * about what goes to the log, and log_min_messages may keep errors out of it.
 */
static void
note_handled_error(void)
{
	ErrorData  *edata;

	MemoryContextSwitchTo(TopMemoryContext);
	edata = CopyErrorData();
	dx_error_note(edata);
	FreeErrorData(edata);
}

/*
 * dx_frame_abort
 *		In a PG_CATCH of a background process: reports the error to the log,
 *		aborts the transaction if there is one, and leaves the process as it
 *		is between transactions.  Works also for errors outside of a frame.
 */
void
dx_frame_abort(void)
{
	HOLD_INTERRUPTS();

	/* A timeout or a cancel that was meant for the failed work is stale. */
	disable_all_timeouts(false);
	QueryCancelPending = false;

	error_context_stack = NULL;
	note_handled_error();
	report_error();
	LWLockReleaseAll();
	AbortCurrentTransaction();
	MemoryContextSwitchTo(TopMemoryContext);
	FlushErrorState();

	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	RESUME_INTERRUPTS();
}

/*
 * dx_subtransaction
 *		Calls body in a subtransaction: NULL, or the error that has rolled it
 *		back.  A cancel, and what concerns the whole transaction (it is read
 *		only, or cannot be serialized), is thrown on.
 */
ErrorData *
dx_subtransaction(void (*body) (void *arg), void *arg)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	ResourceOwner oldowner = CurrentResourceOwner;
	ErrorData  *edata = NULL;

	Assert(IsTransactionState());
	Assert(IsTransactionState());
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(oldcxt);
	PG_TRY();
	{
		body(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(oldcxt);
		edata = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(oldcxt);
	CurrentResourceOwner = oldowner;
	if (edata != NULL && (edata->sqlerrcode == ERRCODE_QUERY_CANCELED ||
						  edata->sqlerrcode == ERRCODE_READ_ONLY_SQL_TRANSACTION ||
						  edata->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE))
		ReThrowError(edata);
	return edata;
}
