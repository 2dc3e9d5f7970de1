/*-------------------------------------------------------------------------
 *
 * run.c
 *	  A run as a whole: its status, its end, what is asked of it from outside.
 *
 * One function changes the status; the legal edges stand in one table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "base/clock.h"
#include "base/guc.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "engine/access.h"
#include "engine/branch.h"
#include "engine/columns.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/phase.h"
#include "engine/run.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define EDGE(to)	(1 << (to))
#define ENDS		(EDGE(DX_RUN_SUCCEEDED) | EDGE(DX_RUN_FAILED) | \
					 EDGE(DX_RUN_TIMED_OUT) | EDGE(DX_RUN_CANCELLED) | \
					 EDGE(DX_RUN_TERMINATED))

static const struct
{
	const char *name;
	uint32		successors;
}			statuses[] =

{
	[DX_RUN_RUNNING] = {"RUNNING",
	EDGE(DX_RUN_COMPENSATING) | EDGE(DX_RUN_INCIDENT) | ENDS},
	[DX_RUN_COMPENSATING] = {"COMPENSATING",
		EDGE(DX_RUN_INCIDENT) | EDGE(DX_RUN_FAILED) | EDGE(DX_RUN_TIMED_OUT) |
	EDGE(DX_RUN_CANCELLED) | EDGE(DX_RUN_TERMINATED)},
	[DX_RUN_INCIDENT] = {"INCIDENT",
		EDGE(DX_RUN_RUNNING) | EDGE(DX_RUN_COMPENSATING) |
	EDGE(DX_RUN_CANCELLED) | EDGE(DX_RUN_TERMINATED)},
	/* compensate */
	[DX_RUN_SUCCEEDED] = {"SUCCEEDED", EDGE(DX_RUN_COMPENSATING)},
	/* redrive */
	[DX_RUN_FAILED] = {"FAILED", EDGE(DX_RUN_RUNNING)},
	[DX_RUN_TIMED_OUT] = {"TIMED_OUT", EDGE(DX_RUN_RUNNING)},
	[DX_RUN_CANCELLED] = {"CANCELLED", 0},
	[DX_RUN_TERMINATED] = {"TERMINATED", 0},
};

/* Of a run that another goes on for, that one's. */
static DxStatement status_statement = {
	"SELECT l.status, r.owner::pg_catalog.oid, COALESCE(r.first_run, r.run_id), l.xmin"
	" FROM dealix.run r, LATERAL (SELECT r.status, r.xmin WHERE r.continued_as IS NULL"
	" UNION ALL (SELECT n.status, n.xmin FROM dealix.run n"
	" WHERE r.continued_as IS NOT NULL"
	" AND n.first_run = COALESCE(r.first_run, r.run_id)"
	" ORDER BY n.run_id DESC LIMIT 1)) l WHERE r.run_id = $1",
	1, {UUIDOID}
};

/* The name of a status; "UNKNOWN" for a foreign number. */
const char *
dx_status_name(DxRunStatus status)
{
	if ((int) status < 0 || (int) status >= lengthof(statuses) ||
		statuses[status].name == NULL)
		return "UNKNOWN";
	return statuses[status].name;
}

/* The one place where a run's status changes. */
void
dx_run_set_status(DxRun *run, DxRunStatus status)
{
	Assert(statuses[run->status].successors & EDGE(status));
	run->status = status;
	run->changed = true;
}

/* All branches are gone. */
static void
drop_branches(DxRun *run)
{
	ListCell   *lc;

	foreach(lc, run->branches)
		((DxBranch *) lfirst(lc))->gone = true;
	run->changed = true;
}

/* A fault as the payload of an event. */
static Jsonb *
fault_payload(const DxFault *fault)
{
	return dx_payload("error", dx_json_text(fault->error),
					  "cause", dx_json_text(fault->cause), NULL);
}

/* The event that a run ends with. */
static DxEventKind
end_event(DxRunStatus status)
{
	switch (status)
	{
		case DX_RUN_SUCCEEDED:
			return DX_EVENT_RUN_SUCCEEDED;
		case DX_RUN_TIMED_OUT:
			return DX_EVENT_RUN_TIMED_OUT;
		case DX_RUN_CANCELLED:
			return DX_EVENT_RUN_CANCELLED;
		case DX_RUN_TERMINATED:
			return DX_EVENT_RUN_TERMINATED;
		default:
			return DX_EVENT_RUN_FAILED;
	}
}

/* Ends a run in this status; what it has open is dropped. */
void
dx_run_end(DxPass *pass, DxRun *run, DxRunStatus status)
{
	Jsonb	   *payload = NULL;

	Assert(dx_status_ended(status));
	if (run->error != NULL || run->cause != NULL)
	{
		DxFault		fault = {run->error, run->cause};

		payload = fault_payload(&fault);
	}
	drop_branches(run);
	dx_run_set_status(run, status);
	run->final_status = DX_RUN_NONE;
	run->finished_at = dx_now();
	run->ended_now = true;
	dx_event(pass, run, end_event(status), NULL, payload);
	pass->result->ended++;
	dx_wake_ended(&run->first_run);
}

/* The main branch has come to its end. */
void
dx_run_succeed(DxPass *pass, DxRun *run, Jsonb *output)
{
	Assert(output != NULL);
	run->output = output;
	run->output_changed = true;
	dx_run_end(pass, run, DX_RUN_SUCCEEDED);
}

/*
 * Stops what the run does and compensates, if there is anything that can be;
 * the run then ends in final_status.
 */
void
dx_run_fail(DxPass *pass, DxRun *run, DxRunStatus final_status,
			const DxFault *fault)
{
	DxBranch   *undo;

	Assert(dx_status_ended(final_status));
	Assert(run->status == DX_RUN_RUNNING || run->status == DX_RUN_SUCCEEDED || run->status == DX_RUN_INCIDENT);
	run->error = fault->error;
	run->cause = fault->cause;
	if (!run->program->has_compensation)
	{
		dx_run_end(pass, run, final_status);
		return;
	}

	drop_branches(run);
	dx_run_set_status(run, DX_RUN_COMPENSATING);
	run->final_status = final_status;
	undo = dx_branch_new(pass, run, -1);
	dx_branch_set_phase(undo, DX_PHASE_UNDO, pass->now);
}

/* The run's deadline has come. */
void
dx_run_time_out(DxPass *pass, DxRun *run)
{
	DxFault		fault = {DX_ERROR_TIMEOUT,
	"The run took longer than the TimeoutSeconds of its workflow."};

	Assert(run->status == DX_RUN_RUNNING);
	dx_run_fail(pass, run, DX_RUN_TIMED_OUT, &fault);
}

/*
 * Stops a run until a person has looked.  Its branches stay where they are,
 * suspended; a slot that it has goes to others.
 */
void
dx_run_incident(DxPass *pass, DxRun *run, const DxFault *fault)
{
	ListCell   *lc;

	Assert(!dx_status_ended(run->status));
	foreach(lc, run->branches)
		dx_branch_suspend(lfirst(lc), DT_NOEND);
	if (run->status == DX_RUN_RUNNING)
		run->final_status = DX_RUN_NONE;
	if (run->status != DX_RUN_COMPENSATING)
	{
		run->error = fault->error;
		run->cause = fault->cause;
	}
	dx_run_set_status(run, DX_RUN_INCIDENT);
	dx_event(pass, run, DX_EVENT_INCIDENT_OPENED, NULL, fault_payload(fault));
	dx_wake_ended(&run->first_run);
	ereport(LOG,
			(errmsg("dealix_exec: run %s of workflow \"%s\" is an incident: %s",
					dx_uuid_text(&run->id), run->workflow,
					fault->error ? fault->error : "no error name"),
			 errdetail("%s", fault->cause ? fault->cause : "No cause was given."),
			 errhint("See dealix.incidents; after the repair, SELECT dealix.redrive('%s').",
					 dx_uuid_text(&run->id))));
}

/* Stops a run now; no user code runs. */
void
dx_run_terminate(DxPass *pass, DxRun *run, const char *reason,
				 const DxActor *actor)
{
	Assert(!dx_status_ended(run->status));
	run->error = pstrdup("Terminated");
	run->cause = reason ? pstrdup(reason) : NULL;
	drop_branches(run);
	dx_run_set_status(run, DX_RUN_TERMINATED);
	run->final_status = DX_RUN_NONE;
	run->finished_at = dx_now();
	run->ended_now = true;
	dx_event_by(pass, run, DX_EVENT_RUN_TERMINATED, actor,
				reason ? dx_payload("reason", dx_json_string(reason), NULL) : NULL);
	pass->result->ended++;
	dx_wake_ended(&run->first_run);
}

/*
 * The status of a run, by name, in the caller's snapshot; of one that another
 * goes on for, that one's.  Fills the rest of *look.  Errors: P0002 when there
 * is no such run, or it is not the caller's to see.  Needs SPI_connect.
 */
char *
dx_run_status_text(const pg_uuid_t *run_id, DxStatusLook *look)
{
	DxIdentity	saved;
	Datum		values[1];
	bool		found;
	int16		status = 0;
	Oid			owner = InvalidOid;

	dx_engine_enter(&saved);
	values[0] = UUIDPGetDatum(run_id);
	/* Read-only is what takes the caller's snapshot. */
	(void) dx_execute(&status_statement, values, NULL, true, 1);
	dx_engine_leave(&saved);
	found = SPI_processed > 0;
	if (found)
	{
		DxRow		row = dx_row(0);

		status = dx_get_int2(&row);
		owner = DatumGetObjectId(dx_get(&row));
		(void) dx_get_uuid(&row, &look->line);
		look->uncommitted =
			TransactionIdIsCurrentTransactionId(DatumGetTransactionId(dx_get(&row)));
	}
	SPI_freetuptable(SPI_tuptable);
	if (!found || !dx_may_see(owner))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("there is no run %s", dx_uuid_text(run_id)),
				 errhint("See dealix.runs for the runs that you may see.")));
	look->ended = dx_status_ended(status);
	look->incident = status == DX_RUN_INCIDENT;
	return pstrdup(dx_status_name(status));
}

/*
 * A run that has written so much does not come to its end by itself: it fails,
 * and is compensated.  True if it was ended.
 */
bool
dx_too_many_events(DxPass *pass, DxRun *run)
{
	DxFault		fault = {DX_ERROR_EVENTS, NULL};

	if (run->seq < dx_max_events || run->status != DX_RUN_RUNNING)
		return false;
	fault.cause = psprintf("The run has %d events in its history, and dealix_exec.max_events allows no more. A run that goes on for long hands over to a new one by workflow:continue_as_new.",
						   run->seq);
	dx_run_fail(pass, run, DX_RUN_FAILED, &fault);
	return true;
}
