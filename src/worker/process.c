/*-------------------------------------------------------------------------
 *
 * process.c
 *	  What launcher, dispatchers and workers have in common: how they are
 *	  registered, their signals, their settings, how they wait.
 *
 * SIGTERM is "die": it ends a step in its middle, and the pass rolls back; by
 * whom it and SIGQUIT were sent is noted (poison.c).  SIGINT stays as the server sets it, a query cancel; between passes there is
 * nothing to be cancelled, so it is forgotten there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/extension.h"
#include "base/frame.h"
#include "base/poison.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "worker/process.h"

DxProcessKind dx_process_kind = DX_PROCESS_NONE;

static emit_log_hook_type prev_emit_log_hook = NULL;

static const char *const kind_names[] = {
	[DX_PROCESS_LAUNCHER] = "launcher",
	[DX_PROCESS_DISPATCHER] = "dispatcher",
	[DX_PROCESS_WORKER] = "worker"
};

static const char *const main_functions[] = {
	[DX_PROCESS_LAUNCHER] = "dx_launcher_main",
	[DX_PROCESS_DISPATCHER] = "dx_dispatcher_main",
	[DX_PROCESS_WORKER] = "dx_worker_main"
};

/*
 * dx_process_describe
 *		Fills the description that a background worker is registered with.
 *		subject: the database or owner that it is for, or NULL.
 */
void
dx_process_describe(BackgroundWorker *process, DxProcessKind kind,
					const char *subject, const DxAssignment *assignment)
{
	memset(process, 0, sizeof(BackgroundWorker));
	process->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	process->bgw_start_time = BgWorkerStart_RecoveryFinished;
	process->bgw_restart_time = kind == DX_PROCESS_LAUNCHER ? 1 : BGW_NEVER_RESTART;
	process->bgw_notify_pid = kind == DX_PROCESS_LAUNCHER ? 0 : MyProcPid;
	strlcpy(process->bgw_library_name, DX_EXTENSION, BGW_MAXLEN);
	strlcpy(process->bgw_function_name, main_functions[kind], BGW_MAXLEN);
	snprintf(process->bgw_type, BGW_MAXLEN, "%s %s", DX_EXTENSION, kind_names[kind]);
	if (subject == NULL)
		strlcpy(process->bgw_name, process->bgw_type, BGW_MAXLEN);
	else
		snprintf(process->bgw_name, BGW_MAXLEN, "%s for %s",
				 process->bgw_type, subject);
	if (assignment != NULL)
		memcpy(process->bgw_extra, assignment, sizeof(DxAssignment));
}

/* A FATAL leaves nothing else; other errors are noted by dx_frame_abort. */
static void
remember_error(ErrorData *edata)
{
	dx_error_note(edata);
	if (prev_emit_log_hook)
		prev_emit_log_hook(edata);
}

/*
 * dx_process_begin
 *		The first thing that a process of ours does.
 */
void
dx_process_begin(DxProcessKind kind, DxAssignment *assignment)
{
	dx_process_kind = kind;
	if (assignment != NULL)
		memcpy(assignment, MyBgworkerEntry->bgw_extra, sizeof(DxAssignment));

	prev_emit_log_hook = emit_log_hook;
	emit_log_hook = remember_error;

	dx_poison_signals();
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
}

/*
 * dx_process_settings
 *		After connecting: fixes the settings that the engine depends on,
 *		whatever the role or the database has set for itself.
 *
 * PGC_S_OVERRIDE also is what RESET goes back to.  "role" comes first: a role
 * that ALTER ROLE ... SET role gave to the session would be checked for the
 * others.
 */
void
dx_process_settings(void)
{
	static const char *const settings[][2] = {
		{"role", "none"},
		{"exit_on_error", "off"},
		{"statement_timeout", "0"},
		{"lock_timeout", "0"},
		{"idle_in_transaction_session_timeout", "0"},
		{"transaction_timeout", "0"},
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		{"synchronous_commit", "on"}
	};

	for (int i = 0; i < lengthof(settings); i++)
	{
		/* The launcher commits nothing, and tells what the server has set. */
		if (dx_process_kind == DX_PROCESS_LAUNCHER &&
			strcmp(settings[i][0], "synchronous_commit") == 0)
			continue;
		/* transaction_timeout is not there before PostgreSQL 17 */
		if (i == 0 || GetConfigOption(settings[i][0], true, false) != NULL)
			SetConfigOption(settings[i][0], settings[i][1],
							PGC_SUSET, PGC_S_OVERRIDE);
	}
	pgstat_report_activity(STATE_IDLE, NULL);
}

/*
 * dx_process_between
 *		Between two transactions: forgets a cancel that came too late, does what
 *		signals ask for, and takes over settings.  Who never waits, because
 *		there always is work, must come by here too.
 */
void
dx_process_between(void)
{
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/*
 * dx_process_wait
 *		Waits for our latch, timeout_ms at most (-1: for ever), and does what
 *		signals ask for.  Outside of a transaction.
 */
void
dx_process_wait(long timeout_ms, DxWaitEvent event)
{
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;

	if (timeout_ms >= 0)
		events |= WL_TIMEOUT;
	(void) WaitLatch(MyLatch, events, timeout_ms, dx_wait_event(event));
	ResetLatch(MyLatch);
	dx_process_between();
}

/*
 * dx_process_pause
 *		The same, but for all of the time: after an error, whoever wakes us
 *		must not make us repeat it at once.
 */
void
dx_process_pause(long ms, DxWaitEvent event)
{
	DxMono		until = dx_mono_after(ms);
	long		left;

	while ((left = dx_mono_left(until)) > 0)
		dx_process_wait(left, event);
}

/*
 * dx_process_loop
 *		What a launcher or dispatcher does until it is ended: cycle, which says
 *		how long to wait for the latch (ms, -1: for ever).  After an error it
 *		calls failed, if given, and waits longer from time to time.
 */
void
dx_process_loop(long (*cycle) (void), void (*failed) (void), DxWaitEvent event)
{
	MemoryContext loop = AllocSetContextCreate(TopMemoryContext,
											   "dealix_exec cycle",
											   ALLOCSET_DEFAULT_SIZES);
	volatile int failures = 0;

	for (;;)
	{
		volatile long timeout = 0;

		MemoryContextReset(loop);
		MemoryContextSwitchTo(loop);
		PG_TRY();
		{
			timeout = cycle();
			failures = 0;
		}
		PG_CATCH();
		{
			dx_frame_abort();
			if (failed != NULL)
				failed();
			failures++;
		}
		PG_END_TRY();
		if (failures > 0)
			dx_process_pause(dx_backoff(failures), event);
		else
			dx_process_wait(timeout, event);
	}
}

/*
 * dx_process_last_error
 *		The last error of this process, "" if none.
 */
const char *
dx_process_last_error(void)
{
	return dx_error_last(NULL);
}

/*
 * dx_process_terminated
 *		Was that error a SIGTERM, and so not of our making?
 */
bool
dx_process_terminated(void)
{
	int			sqlstate;

	(void) dx_error_last(&sqlstate);
	return sqlstate == ERRCODE_ADMIN_SHUTDOWN;
}
