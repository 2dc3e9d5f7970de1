/*-------------------------------------------------------------------------
 *
 * operator.c
 *	  SQL functions for operators: terminate, redrive, resume_engine.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/arguments.h"
#include "base/frame.h"
#include "base/poison.h"
#include "base/server.h"
#include "base/uuid.h"
#include "base/waiter.h"
#include "base/wake.h"
#include "engine/access.h"
#include "engine/guard.h"
#include "engine/held.h"
#include "engine/event_kind.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/payload_limit.h"
#include "engine/quarantine.h"
#include "engine/redrive.h"
#include "engine/run.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "outside/message.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(dealix_terminate);
PG_FUNCTION_INFO_V1(dealix_kill);
PG_FUNCTION_INFO_V1(dealix_redrive);
PG_FUNCTION_INFO_V1(dealix_resume_engine);
PG_FUNCTION_INFO_V1(dealix_all_runs);
PG_FUNCTION_INFO_V1(dealix_held);
PG_FUNCTION_INFO_V1(dealix_left_alone);
PG_FUNCTION_INFO_V1(dealix_status_name);
PG_FUNCTION_INFO_V1(dealix_event_name);

/* The error for a run that does not exist, or is not the caller's to see. */
static void
no_such_run(const pg_uuid_t *run_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("there is no run %s", dx_uuid_text(run_id)),
			 errhint("See dealix.runs for the runs that you may see.")));
}

/*
 * A pass for an operator's call about one run. Connects to SPI; close_run
 * ends both.
 */
static DxPass *
open_pass(DxPassResult *result)
{
	dx_refuse_in_step("This function");
	dx_connect_spi();
	return dx_pass_open(InvalidOid, false, 1000, result);
}

/* Writes back what the call has done; its commit is durable. */
static void
close_run(DxPass *pass)
{
	dx_pass_close(pass);
	dx_force_durable();
	SPI_finish();
}

typedef struct TakeCall
{
	DxPass	   *pass;
	const pg_uuid_t *run_id;
	DxRun	   *run;
} TakeCall;

/* The body of a subtransaction: locks a run, if it can be read. */
static void
take_run(void *arg)
{
	TakeCall   *call = arg;

	call->run = dx_pass_take(call->pass, call->run_id, false);
}

/*
 * At once if nobody has the run.  A pass that has it finds the message when it
 * comes back to it: whoever waited for the lock would see the next pass take it
 * first.  send: what sends that message.
 */
static bool
stop_run(FunctionCallInfo fcinfo,
		 bool (*send) (const pg_uuid_t *run_id, const char *reason))
{
	char	   *reason = PG_ARGISNULL(1) ? NULL :
	text_to_cstring(PG_GETARG_TEXT_PP(1));
	DxPassResult result;
	DxPass	   *pass;
	TakeCall	call = {NULL, NULL, NULL};
	DxRun	   *run;
	bool		unread;
	bool		goes_on;

	dx_require(fcinfo, 0, "run_id");
	dx_check_comment(reason, "the reason");
	call.pass = pass = open_pass(&result);
	call.run_id = PG_GETARG_UUID_P(0);
	unread = dx_subtransaction(take_run, &call) != NULL;
	run = unread ? dx_pass_take_unread(pass, call.run_id) : call.run;
	/* Of one that has handed over to another, that one ends. */
	if (run == NULL || run->continued)
		goes_on = send(PG_GETARG_UUID_P(0), reason);
	else
	{
		if (!dx_may_operate(run->owner))
			no_such_run(PG_GETARG_UUID_P(0));
		goes_on = !dx_status_ended(run->status);
		if (goes_on)
		{
			MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
			DxActor		actor = dx_actor();

			if (unread)
				dx_terminate_unread(pass, run, reason, &actor);
			else
				dx_run_terminate(pass, run, reason, &actor);
			MemoryContextSwitchTo(oldcxt);
		}
	}
	close_run(pass);
	return goes_on;
}

/* terminate(run_id, reason) */
Datum
dealix_terminate(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(stop_run(fcinfo, dx_send_terminate));
}

/* kill(run_id, reason) */
Datum
dealix_kill(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(stop_run(fcinfo, dx_send_kill));
}

/* redrive(run_id) */
Datum
dealix_redrive(PG_FUNCTION_ARGS)
{
	DxPassResult result;
	DxPass	   *pass;
	DxRun	   *run;
	MemoryContext oldcxt;

	dx_require(fcinfo, 0, "run_id");
	pass = open_pass(&result);
	run = dx_pass_take(pass, PG_GETARG_UUID_P(0), true);
	if (run == NULL || !dx_may_operate(run->owner))
		no_such_run(PG_GETARG_UUID_P(0));
	oldcxt = MemoryContextSwitchTo(pass->cxt);
	dx_run_redrive(pass, run);
	MemoryContextSwitchTo(oldcxt);
	close_run(pass);
	PG_RETURN_VOID();
}

/* resume_engine() */
Datum
dealix_resume_engine(PG_FUNCTION_ARGS)
{
	bool		resumed;

	dx_connect_spi();
	resumed = dx_identity_adopt();
	SPI_finish();
	if (resumed)
	{
		dx_force_durable();
		dx_wake_many(InvalidOid);
		ereport(LOG,
				(errmsg("dealix_exec: the engine of this database was resumed by \"%s\"",
						GetUserNameFromId(GetSessionUserId(), false))));
	}
	PG_RETURN_BOOL(resumed);
}

/*
 * all_runs(): who may execute it sees every run, not only those of its own
 * roles; see access.c.
 */
Datum
dealix_all_runs(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(true);
}

/* held() */
Datum
dealix_held(PG_FUNCTION_ARGS)
{
	bool		held;

	dx_connect_spi();
	held = dx_database_held();
	SPI_finish();
	PG_RETURN_BOOL(held);
}

/* left_alone(run_id) */
Datum
dealix_left_alone(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(dx_shared_available() &&
				   dx_poison_left_alone(PG_GETARG_UUID_P(0)));
}

/* status_name(status) */
Datum
dealix_status_name(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(dx_status_name(PG_GETARG_INT16(0))));
}

/* event_name(kind) */
Datum
dealix_event_name(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(dx_event_name(PG_GETARG_INT16(0))));
}
