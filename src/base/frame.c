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
#include "base/base.h"
#include "base/shared.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

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
	PopActiveSnapshot();
	SPI_finish();
	CommitTransactionCommand();
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
	EmitErrorReport();
	LWLockReleaseAll();
	AbortCurrentTransaction();
	MemoryContextSwitchTo(TopMemoryContext);
	FlushErrorState();

	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	RESUME_INTERRUPTS();
}
