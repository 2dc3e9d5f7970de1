/*-------------------------------------------------------------------------
 *
 * guard.c
 *	  The frame in which all code of the user's runs: steps and expressions.
 *
 * A subtransaction, the owner's identity, a GUC nest level and a timer.  The
 * order at the end matters: deferred constraints fire as the owner, the
 * settings are unwound, and only then the engine goes on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "asl/fault.h"
#include "base/compat.h"
#include "base/deferred.h"
#include "base/guc.h"
#include "base/session.h"
#include "base/session_watch.h"
#include "base/sqlstate.h"
#include "base/uuid.h"
#include "base/watch.h"
#include "commands/trigger.h"
#include "engine/careful.h"
#include "engine/guard.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* Is a step running in this backend, and of which pass? */
static bool in_step = false;
static const DxPass *step_pass = NULL;

/* How deep is this backend in code of a definition, in steps or without? */
static int	guards = 0;

/*
 * Fires what the step has deferred, so that a violation is the step's error
 * and no code of the owner runs at commit.  That leaves all constraints
 * immediate for the rest of the transaction: then the pass ends here, and the
 * next step finds the defaults again.
 */
static void
fire_deferred(void)
{
	ConstraintsSetStmt *statement;

	if (!dx_deferred_pending())
		return;
	statement = makeNode(ConstraintsSetStmt);
	statement->constraints = NIL;
	statement->deferred = false;
	AfterTriggerSetState(statement);
	dx_session_left(DX_LEFT_CONSTRAINTS);
}

/* What an error of the user's code is in the language. */
static DxCallOutcome
classify(DxPass *pass, ErrorData *edata, bool timed_out, DxFault *fault)
{
	if (edata->sqlerrcode == DX_SQLSTATE_RAISED ||
		edata->sqlerrcode == DX_SQLSTATE_RAISED_UNNAMED)
	{
		fault->error = edata->sqlerrcode == DX_SQLSTATE_RAISED ? edata->message : NULL;
		fault->cause = edata->detail;
		return DX_CALL_FAULT;
	}
	if (edata->sqlerrcode == ERRCODE_QUERY_CANCELED && timed_out)
	{
		/* AWS records no cause, and a catcher can see the difference. */
		fault->error = pstrdup(DX_ERROR_TIMEOUT);
		fault->cause = NULL;
		return DX_CALL_TIMEOUT;
	}
	if (edata->sqlerrcode == ERRCODE_QUERY_CANCELED &&
		(pass == NULL || !pass->cancel_is_error))
		ReThrowError(edata);

	fault->error = psprintf("SQL.%s", dx_sqlstate_name(edata->sqlerrcode));
	fault->cause = dx_cause_clipped(edata->message);
	if (edata->detail != NULL)
		fault->cause = psprintf("%s\nDETAIL: %s", fault->cause, dx_cause_clipped(edata->detail));
	if (edata->hint != NULL)
		fault->cause = psprintf("%s\nHINT: %s", fault->cause, dx_cause_clipped(edata->hint));

	if (edata->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		edata->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE)
		return DX_CALL_CONFLICT;
	return DX_CALL_FAULT;
}

/*
 * Refuses what would begin a pass within a pass.  what: the function that the
 * step has called.  Errors: DX007.
 */
void
dx_refuse_in_step(const char *what)
{
	if (in_step)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_WRONG_STATE),
				 errmsg("%s cannot be called from a step", what),
				 errdetail("The pass that runs the step holds the locks that it would need."),
				 errhint("A step may start runs, signal and cancel.")));
}

/* Does code of a definition run now, a step, an expression, a trial? */
bool
dx_in_user_code(void)
{
	return guards > 0;
}

/* The run whose step or expression is being evaluated; NULL: none. */
const DxRun *
dx_run_in_step(void)
{
	return in_step && step_pass != NULL ? step_pass->running : NULL;
}

/*
 * Nothing of a definition is evaluated outside of a session of the run's owner:
 * who repairs or stops a run must not run its code.  In every build.  Errors:
 * 42501.
 */
void
dx_require_owner(const DxRun *run)
{
	Assert(OidIsValid(run->owner));
	if (GetSessionUserId() == run->owner && GetUserId() == run->owner)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("run %s cannot be advanced here", dx_uuid_text(&run->id)),
			 errdetail("Its definition is evaluated in a session of \"%s\" only, and this is one of \"%s\".",
					   GetUserNameFromId(run->owner, false),
					   GetUserNameFromId(GetSessionUserId(), false))));
}

/* The code itself and what has to happen while it still is the owner's turn. */
static void
run_guarded(bool is_step, Oid owner, int sec_context, double timeout,
			const DxWatch *outer, DxUserCode code, void *arg)
{
	int			guc_level = NewGUCNestLevel();

	/* Neither SET ROLE nor SET SESSION AUTHORIZATION work in here. */
	SetUserIdAndSecContext(owner, sec_context | SECURITY_LOCAL_USERID_CHANGE);
	if (is_step)
	{
		in_step = true;
		dx_session_enter();
	}
	guards++;
	code(arg);
	fire_deferred();
	if (dx_watch_leave(outer, timeout))
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("the step ran longer than its time")));
	dx_session_close(GetCurrentSubTransactionId(), is_step);
	AtEOXact_GUC(false, guc_level);
}

/*
 * Has the pass nearly as many subtransactions with an xid as the snapshots of
 * others have room for?  That matters while an old transaction is open, and not
 * when a client's transaction has already had more than that.
 */
static bool
overflows(const DxPass *pass)
{
	return dx_pass_max_subtransactions > 0 && pass->subxids < PG_INT32_MAX &&
		dx_subxids_in_use() - pass->subxids >= dx_pass_max_subtransactions;
}

/*
 * After the code and its subtransaction: what it has left behind goes, and the
 * pass ends if that takes a commit.  It ends too before its subtransactions are
 * so many that other sessions' snapshots cannot hold them.
 */
static void
leave_step(DxPass *pass)
{
	in_step = false;
	step_pass = NULL;
	if (dx_session_leave() != 0 || overflows(pass))
		pass->over = true;
}

/*
 * Runs code of the user's as owner, in a subtransaction of its own.
 *
 * pass: NULL outside of one.  timeout in seconds, 0 = none.  The code runs in
 * a context of its own, because that of a subtransaction stays until the whole
 * transaction ends: what it returns it has to allocate elsewhere.  *fault lives
 * in CurrentMemoryContext.  A deadlock or serialization failure is DX_CALL_CONFLICT, the end of its time is
 * DX_CALL_TIMEOUT, both with the fault filled too.  An error is only raised for
 * a cancel that is not the step's.
 */
DxCallOutcome
dx_guard(DxPass *pass, Oid owner, double timeout, DxUserCode code, void *arg,
		 DxFault *fault)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	MemoryContext cxt = AllocSetContextCreate(oldcxt, "dealix_exec step",
											  ALLOCSET_SMALL_SIZES);
	ResourceOwner oldowner = CurrentResourceOwner;
	DxCallOutcome outcome = DX_CALL_DONE;
	bool		is_step = pass != NULL && !in_step;
	int			were_guards = guards;
	DxWatch		outer;
	Oid			userid;
	int			sec_context;

	Assert(OidIsValid(owner));
	Assert(!dx_in_user_code());
	Assert(timeout >= 0);
	GetUserIdAndSecContext(&userid, &sec_context);
	dx_watch_enter(&outer, timeout);
	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		MemoryContextSwitchTo(cxt);
		if (is_step)
			step_pass = pass;
		run_guarded(is_step, owner, sec_context, timeout, &outer, code, arg);
		guards = were_guards;
		SetUserIdAndSecContext(userid, sec_context);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(oldcxt);
		CurrentResourceOwner = oldowner;
		if (is_step)
			leave_step(pass);
	}
	PG_CATCH();
	{
		bool		timed_out = dx_watch_leave(&outer, timeout);
		ErrorData  *edata;

		guards = were_guards;
		MemoryContextSwitchTo(oldcxt);
		edata = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(oldcxt);
		CurrentResourceOwner = oldowner;
		if (is_step)
			leave_step(pass);
		outcome = classify(pass, edata, timed_out, fault);
	}
	PG_END_TRY();
	MemoryContextDelete(cxt);
	return outcome;
}
