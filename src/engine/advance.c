/*-------------------------------------------------------------------------
 *
 * advance.c
 *	  What a pass does with a run: what is asked of it, then its branches.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/fault.h"
#include "asl/json.h"
#include "base/guc.h"
#include "base/uuid.h"
#include "engine/advance.h"
#include "engine/budget.h"
#include "engine/concurrency.h"
#include "engine/due.h"
#include "engine/envelope.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/interpret.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/run.h"
#include "engine/turn.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"

/* Why, if the sender has said so. */
static char *
reason_of(const DxMessage *message)
{
	return message->payload ? dx_json_get_text(message->payload, "reason") : NULL;
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
	fault.cause = reason_of(message);
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
	fault.cause = reason_of(message);
	dx_event_by(pass, run, DX_EVENT_CANCEL_REQUESTED, &message->sender,
				message->payload);
	run->output = NULL;
	run->output_changed = true;
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
		dx_run_terminate(pass, run, reason_of(message), &message->sender);
}

/* Takes in what is asked of the run as a whole, in order of arrival. */
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

/* The run's first pass: its time begins. */
static void
begin(DxPass *pass, DxRun *run)
{
	run->started_at = pass->now;
	/* The TimeoutSeconds of a workflow is not that of an item of its Map. */
	if (run->program->timeout >= 0 && run->map_state == NULL)
		run->deadline = dx_after_seconds(run->created_at, run->program->timeout);
	run->changed = true;
}

/*
 * One walk over the branches. Returns whether one was advanced, and another
 * walk makes sense.
 */
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
