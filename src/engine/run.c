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
#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "base/clock.h"
#include "base/guc.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/poison.h"
#include "base/sqlstate.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "engine/access.h"
#include "engine/branch.h"
#include "engine/budget.h"
#include "engine/columns.h"
#include "engine/concurrency.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/inbox.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/phase.h"
#include "engine/requester.h"
#include "engine/run.h"
#include "engine/token.h"
#include "engine/turn.h"
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

static DxStatement failure_statement = {
	"SELECT state, payload FROM dealix.history_event"
	" WHERE run_id = $1 AND kind = $2 ORDER BY seq DESC LIMIT 1",
	2, {UUIDOID, INT2OID}
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

static void
drop_branches(DxRun *run)
{
	ListCell   *lc;

	foreach(lc, run->branches)
		((DxBranch *) lfirst(lc))->gone = true;
	run->changed = true;
}

static Jsonb *
fault_payload(const DxFault *fault)
{
	return dx_payload("error", dx_json_text(fault->error),
					  "cause", dx_json_text(fault->cause), NULL);
}

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
	run->output = output;
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

/* Brings an incident's branches back to life: attempts count from zero. */
static void
resume_incident(DxPass *pass, DxRun *run)
{
	ListCell   *lc;

	dx_run_set_status(run, run->final_status == DX_RUN_NONE ?
					  DX_RUN_RUNNING : DX_RUN_COMPENSATING);
	if (run->status == DX_RUN_RUNNING)
		run->error = run->cause = NULL;
	foreach(lc, run->branches)
	{
		DxBranch   *branch = lfirst(lc);

		dx_branch_resume(pass, branch);
		branch->retries = NULL;
		branch->nretries = 0;
		if (branch->phase == DX_PHASE_UNDO && !branch->ticketed)
			branch->attempt = 0;
		branch->changed = true;
	}
}

/* Makes the branch of a failed run again from what its failure recorded. */
static void
resume_failed(DxPass *pass, DxRun *run)
{
	DxIdentity	saved;
	Datum		values[2];
	DxBranch   *branch;
	MemoryContext oldcxt = CurrentMemoryContext;
	char	   *state;
	Jsonb	   *payload;
	bool		isnull;
	char	   *token;

	dx_engine_enter(&saved);
	values[0] = UUIDPGetDatum(&run->id);
	values[1] = Int16GetDatum(DX_EVENT_STATE_FAILED);
	(void) dx_execute(&failure_statement, values, NULL, false, 1);
	dx_engine_leave(&saved);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_WRONG_STATE),
				 errmsg("run %s did not fail in a state", dx_uuid_text(&run->id)),
				 errhint("Start a new run.")));

	MemoryContextSwitchTo(pass->cxt);
	state = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	payload = DatumGetJsonbPCopy(SPI_getbinval(SPI_tuptable->vals[0],
											   SPI_tuptable->tupdesc, 2, &isnull));
	dx_run_set_status(run, DX_RUN_RUNNING);
	run->error = run->cause = NULL;
	run->finished_at = 0;
	run->deadline = DT_NOEND;
	branch = dx_branch_new(pass, run, -1);
	dx_branch_goto(branch, dx_program_find_state(run->program, state),
				   dx_json_get_json(payload, "input"));
	branch->variables = dx_json_get_json(payload, "variables");
	/* What was handed out keeps its idempotency key. */
	token = dx_json_get_text(payload, "token");
	if (token != NULL)
		branch->ticketed = dx_token_parse(token, &branch->ticket, &branch->attempt);

	/*
	 * Its end has given the slot back that it had, if its workflow is
	 * limited.
	 */
	dx_branch_set_phase(branch, DX_PHASE_SLOT, pass->now);
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Goes on from where a run stopped: an incident from its branches, a failed
 * run from its failed state.  Errors: DX007 when there is nothing to go on
 * from.
 */
void
dx_run_redrive(DxPass *pass, DxRun *run)
{
	DxRunStatus before = run->status;
	DxActor		actor = dx_actor();

	if (before == DX_RUN_INCIDENT)
		resume_incident(pass, run);
	else if (!dx_status_ended(before) && dx_poison_left_alone(&run->id))
		 /* nothing in the tables has stopped it */ ;
	else if (dx_status_ended(before) && run->map_state != NULL)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_WRONG_STATE),
				 errmsg("run %s is an item of a Map, which has counted its outcome",
						dx_uuid_text(&run->id)),
				 errhint("Redrive run %s, whose Map begins anew.",
						 dx_uuid_text(&run->parent_run))));
	else if ((before == DX_RUN_FAILED || before == DX_RUN_TIMED_OUT) &&
			 run->undone_to == 0)
		resume_failed(pass, run);
	else if (before == DX_RUN_FAILED || before == DX_RUN_TIMED_OUT)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_WRONG_STATE),
				 errmsg("run %s is already compensated", dx_uuid_text(&run->id)),
				 errdetail("What its failed step was to build upon is undone."),
				 errhint("Start a new run.")));
	else
		ereport(ERROR,
				(errcode(DX_SQLSTATE_WRONG_STATE),
				 errmsg("run %s can't be redriven: it is %s",
						dx_uuid_text(&run->id), dx_status_name(before)),
				 errhint("Only runs that are FAILED, TIMED_OUT or INCIDENT can.")));

	run->redrives = Min(run->redrives + 1, PG_INT16_MAX);
	/* Who redrives it has repaired what it died of, or thinks so. */
	dx_poison_forget(&run->id);
	/* What it asks people now, it asks for him as well. */
	dx_requester_add(pass, run);
	dx_event_by(pass, run, DX_EVENT_RUN_REDRIVEN, &actor,
				dx_payload("from", dx_json_string(dx_status_name(before)), NULL));
	dx_wake_run(run->owner, &run->id, run->priority);
}

/* A cancel: everything stops, what can be compensated is. */
static void
take_cancel(DxPass *pass, DxRun *run, DxMessage *message)
{
	DxFault		fault = {"Cancelled", NULL};

	dx_message_take(pass, message);
	if (run->final_status != DX_RUN_NONE || dx_status_ended(run->status))
	{
		dx_message_late(pass, run, message);
		return;
	}
	fault.cause = message->payload ?
		dx_json_get_text(message->payload, "reason") : NULL;
	dx_event_by(pass, run, DX_EVENT_CANCEL_REQUESTED, &message->sender,
				message->payload);
	dx_run_fail(pass, run, DX_RUN_CANCELLED, &fault);
}

/* A run that has succeeded is undone; one that goes on is cancelled. */
static void
take_compensate(DxPass *pass, DxRun *run, DxMessage *message)
{
	DxFault		fault = {"Compensated", NULL};

	if (run->status != DX_RUN_SUCCEEDED)
	{
		take_cancel(pass, run, message);
		return;
	}
	if (!run->program->has_compensation)
	{
		dx_message_late(pass, run, message);
		return;
	}
	dx_message_take(pass, message);
	fault.cause = message->payload ?
		dx_json_get_text(message->payload, "reason") : NULL;
	dx_event_by(pass, run, DX_EVENT_CANCEL_REQUESTED, &message->sender,
				message->payload);
	run->output = NULL;
	run->finished_at = 0;
	dx_run_fail(pass, run, DX_RUN_CANCELLED, &fault);
}

/* The parent run has ended, and its children end with it. */
static void
take_terminate(DxPass *pass, DxRun *run, DxMessage *message)
{
	dx_message_take(pass, message);
	if (dx_status_ended(run->status))
		dx_message_late(pass, run, message);
	else
		dx_run_terminate(pass, run, message->payload ?
						 dx_json_get_text(message->payload, "reason") : NULL,
						 &message->sender);
}

static void
take_commands(DxPass *pass, DxRun *run)
{
	ListCell   *lc;

	foreach(lc, run->messages)
	{
		DxMessage  *message = lfirst(lc);

		if (message->consumed)
			continue;
		if (message->kind == DX_MESSAGE_CANCEL)
			take_cancel(pass, run, message);
		else if (message->kind == DX_MESSAGE_COMPENSATE)
			take_compensate(pass, run, message);
		else if (message->kind == DX_MESSAGE_TERMINATE)
			take_terminate(pass, run, message);
	}
}

/* What arrives after the end is on record, and gone. */
static void
note_late_messages(DxPass *pass, DxRun *run)
{
	ListCell   *lc;

	foreach(lc, run->messages)
	{
		DxMessage  *message = lfirst(lc);

		/* The rest has its turn in another pass. */
		if (dx_budget_spent(pass))
			return;
		/* What was sent to the line waits for its next run. */
		if (!message->consumed && !(run->continued && message->branch < 0))
			dx_message_late(pass, run, message);
	}
}

static void
begin(DxPass *pass, DxRun *run)
{
	run->started_at = pass->now;
	/* The TimeoutSeconds of a workflow is not that of an item of its Map. */
	if (run->program->timeout >= 0 && run->map_state == NULL)
		run->deadline = dx_after_seconds(run->created_at, run->program->timeout);
	run->changed = true;
}

static bool
advance_branches(DxPass *pass, DxRun *run)
{
	bool		progress = false;
	int			i;

	/* The list may grow while we walk over it. */
	for (i = 0; i < list_length(run->branches); i++)
	{
		DxBranch   *branch = list_nth(run->branches, i);

		CHECK_FOR_INTERRUPTS();
		if (dx_status_ended(run->status) || run->status == DX_RUN_INCIDENT ||
			dx_budget_spent(pass))
			return false;
		if (branch->gone || !dx_branch_due(pass, run, branch))
			continue;
		dx_branch_advance(pass, run, branch);
		progress = true;
	}
	return progress;
}

/*
 * Advances a run until every branch is parked, or the run ends, or the budget
 * of the pass is spent.
 */
void
dx_run_advance(DxPass *pass, DxRun *run)
{
	int32		events = run->seq;

	take_commands(pass, run);

	/*
	 * Who waits for a slot in the midst of its work has a deadline all the
	 * same.
	 */
	if (run->status == DX_RUN_RUNNING && run->deadline <= pass->now)
		dx_run_time_out(pass, run);
	if (dx_turn_needed(run))
	{
		if (!dx_slot_take(pass, run))
			return;
		if (run->started_at == 0)
			begin(pass, run);
	}
	if (run->status == DX_RUN_RUNNING && run->deadline <= pass->now)
		dx_run_time_out(pass, run);

	while (!dx_status_ended(run->status) && run->status != DX_RUN_INCIDENT &&
		   advance_branches(pass, run))
		CHECK_FOR_INTERRUPTS();

	if (dx_status_ended(run->status))
		note_late_messages(pass, run);
	else if (run->status != DX_RUN_INCIDENT)
		dx_answers_late(pass, run);
	dx_turn_over(pass, run);
	if (events < dx_warn_events && run->seq >= dx_warn_events)
		ereport(LOG,
				(errmsg("dealix_exec: run %s of workflow \"%s\" has %d events in its history",
						dx_uuid_text(&run->id), run->workflow, run->seq),
				 errdetail("At %d it fails (dealix_exec.max_events).", dx_max_events),
				 errhint("A run that goes on for long hands over to a new one by workflow:continue_as_new.")));
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
