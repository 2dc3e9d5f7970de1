/*-------------------------------------------------------------------------
 *
 * child.c
 *	  workflow: states: runs that a run starts, and continues as.
 *
 * A child is a run like any other, of the same owner.  When it ends it sends
 * its outcome to the branch that waits for it; when the parent ends, or no
 * longer waits, its ParentClosePolicy says what becomes of it.  Both are
 * messages, so no pass ever locks two runs of a family one after the other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "base/catalog.h"
#include "base/guc.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/uuid.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/distribute.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/inbox.h"
#include "engine/integration_io.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/phase.h"
#include "engine/pin.h"
#include "engine/requester.h"
#include "engine/run.h"
#include "engine/start.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "outside/activity.h"
#include "outside/child.h"
#include "outside/timer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

static DxStatement ended_statement = {
	DX_INBOX_SEND("r.run_id", DX_SENT_NOW, "r.owner", DX_SQL(MESSAGE_CHILD), "r.owner", "NULL",
				  "u.name", "u.branch", "u.ticket", "NULL", "u.payload",
				  "FROM unnest($1, $2, $3, $4, $5) AS u(parent, branch, ticket, name, payload)"
				  " JOIN dealix.run r ON r.run_id = u.parent WHERE r.status < " DX_SQL(RUN_ENDED))
	DX_INBOX_RECEIVERS,
	5, {UUIDARRAYOID, INT4ARRAYOID, UUIDARRAYOID, TEXTARRAYOID, JSONBARRAYOID}
};

static DxStatement alive_statement = {
	"SELECT FROM dealix.run WHERE (run_id = $1 OR first_run = $1) AND status < " DX_SQL(RUN_ENDED),
	1, {UUIDOID}
};

/*
 * Default: as the parent was stopped; 1 terminate, 2 cancel, 3 abandon.  The
 * message is for the child's line.
 */
#define CLOSE_ONES(which) \
	DX_INBOX_SEND("COALESCE(r.first_run, r.run_id)", DX_SENT_NOW, "r.owner", \
				  "CASE WHEN r.close_policy = " DX_SQL(CLOSE_TERMINATE) \
				  " OR (r.close_policy = " DX_SQL(CLOSE_DEFAULT) " AND $2)" \
				  " THEN " DX_SQL(MESSAGE_TERMINATE) " ELSE " DX_SQL(MESSAGE_CANCEL) " END", \
				  "r.owner", "NULL", "NULL", "NULL", "NULL", "NULL", \
				  "pg_catalog.jsonb_build_object('reason', $3)", \
				  "FROM dealix.run r WHERE " which " AND r.status < " DX_SQL(RUN_ENDED) \
				  " AND r.close_policy <> " DX_SQL(CLOSE_ABANDON)) \
	DX_INBOX_RECEIVERS

static DxStatement close_children_statement = {
	CLOSE_ONES("r.parent_run = ANY ($1)"), 3, {UUIDARRAYOID, BOOLOID, TEXTOID}
};

static DxStatement close_given_up_statement = {
	CLOSE_ONES("(r.run_id = ANY ($1) OR r.first_run = ANY ($1))"), 3, {UUIDARRAYOID, BOOLOID, TEXTOID}
};

static DxStatement close_items_statement = {
	CLOSE_ONES("r.parent_ticket = ANY ($4) AND r.parent_run = ANY ($1)"),
	4, {UUIDARRAYOID, BOOLOID, TEXTOID, UUIDARRAYOID}
};

/* What a child is started with. */
typedef struct Child
{
	char	   *workflow;
	Jsonb	   *input;
	DxClosePolicy policy;
	bool		continued;		/* takes the place of the run */
} Child;

/* May the run start a run of this workflow? false: *fault says why not. */
static bool
check_child(DxRun *run, const char *workflow, DxFault *fault)
{
	if (run->depth >= dx_max_child_depth)
	{
		fault->error = pstrdup(DX_ERROR_RUNTIME);
		fault->cause = psprintf("Runs start runs to a depth of %d, and dealix_exec.max_child_depth allows no more.",
								run->depth);
		return false;
	}
	return dx_child_allowed(run, workflow, fault);
}

/*
 * What is handed out for a child; one that nobody waits for outlives its
 * parent.
 */
static Child *
make_child(DxRun *run, DxBranch *branch, const char *workflow)
{
	Child	   *child = palloc0(sizeof(Child));
	const DxTask *task = &branch->state->u.task;

	child->workflow = pstrdup(workflow);
	child->input = branch->effective;
	child->policy = task->close_policy;
	if (child->policy == DX_CLOSE_DEFAULT && (task->no_wait || task->wait_for_token))
		child->policy = DX_CLOSE_ABANDON;
	return child;
}

/* This run has done its part; another of the workflow goes on. */
static DxOutcome
continue_as_new(DxPass *pass, DxRun *run, DxBranch *branch)
{
	Child	   *child = make_child(run, branch, run->workflow);

	child->continued = true;
	/* The last of a line is the one with the largest id. */
	dx_uuid_v7_after(&branch->ticket, &run->id);
	(void) dx_handout(pass, run, branch, DX_RESOURCE_WORKFLOW, 0, child);
	dx_event(pass, run, DX_EVENT_RUN_CONTINUED, branch,
			 dx_payload("run", dx_json_uuid(&branch->ticket), NULL));
	run->continued = true;
	run->continued_as = branch->ticket;
	return dx_continued(dx_payload("continued_as", dx_json_uuid(&branch->ticket), NULL));
}

/*
 * A run is started, and whoever has the token that it may have been given
 * answers.  The ticket is the token's, so the run has an id of its own.
 */
static DxOutcome
start_with_token(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	const DxTask *task = &branch->state->u.task;
	DxHandout  *handout;
	DxOutcome	outcome = dx_activity_hand_out(pass, run, branch, env, NULL,
											   DX_RESOURCE_ACTIVITY, DX_PHASE_TOKEN, NULL);

	if (outcome.kind != DX_OUTCOME_PARKED)
		return outcome;
	run->children++;
	run->changed = true;
	handout = dx_handout(pass, run, branch, DX_RESOURCE_WORKFLOW, 0,
						 make_child(run, branch, task->target));
	dx_uuid_v7(&handout->ticket);
	dx_event(pass, run, DX_EVENT_CHILD_STARTED, branch,
			 dx_payload("workflow", dx_json_string(task->target),
						"run", dx_json_uuid(&handout->ticket), NULL));
	return outcome;
}

/* DxResource.enter: hands out a run, and waits for it if the state does. */
static DxOutcome
child_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	const DxTask *task = &branch->state->u.task;
	bool		continues = strcmp(task->target, DX_CONTINUE_TARGET) == 0;
	TimestampTz until = DT_NOEND;
	DxFault		fault;

	Assert(branch->phase == DX_PHASE_READY);
	if (!task->wait_for_token && !dx_timer_start(branch, env, &until, &fault))
		return dx_failed(&fault);
	if (!check_child(run, continues ? run->workflow : task->target, &fault))
		return dx_failed(&fault);
	if (task->wait_for_token)
		return start_with_token(pass, run, branch, env);
	dx_branch_new_ticket(branch);
	if (continues)
		return continue_as_new(pass, run, branch);
	run->children++;
	run->changed = true;
	branch->wait_for = pstrdup(task->target);
	if (!task->no_wait)
		dx_branch_park(run, branch, DX_PHASE_CHILD, until);
	(void) dx_handout(pass, run, branch, DX_RESOURCE_WORKFLOW,
					  task->no_wait ? 0 : DX_PHASE_CHILD,
					  make_child(run, branch, task->target));
	dx_event(pass, run, DX_EVENT_CHILD_STARTED, branch,
			 dx_payload("workflow", dx_json_string(task->target),
						"run", dx_json_uuid(&branch->ticket), NULL));
	if (task->no_wait)
		return dx_done(dx_payload("run_id", dx_json_uuid(&branch->ticket), NULL));
	return dx_parked();
}

/* DxResource.wake: the child has ended, or has not in time. */
static DxOutcome
child_wake(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxMessage  *message = dx_branch_answer(pass, branch);
	DxFault		fault;
	char	   *status;

	Assert(branch->phase == DX_PHASE_CHILD);
	if (message == NULL)
	{
		fault.error = pstrdup(DX_ERROR_TIMEOUT);
		fault.cause = psprintf("Child run %s did not end in time.",
							   dx_uuid_text(&branch->ticket));
		return dx_failed(&fault);
	}
	branch->answered = true;
	status = dx_json_get_text(message->payload, "status");
	if (status != NULL && strcmp(status, "SUCCEEDED") == 0)
	{
		Jsonb	   *output = dx_json_get_json(message->payload, "output");

		return dx_done(output ? output : dx_json_null());
	}
	fault.error = dx_json_get_text(message->payload, "error");
	fault.cause = dx_json_get_text(message->payload, "cause");
	if (branch->state->u.task.integration != DX_INTEGRATION_NONE)
		dx_integration_fault(pass, branch, dx_called_with(pass, run, branch),
							 status ? status : "FAILED", &fault);
	if (fault.error == NULL)
		fault.error = pstrdup(DX_ERROR_TASK_FAILED);
	return dx_failed(&fault);
}

/* A compensation; it takes what time it takes. */
static bool
child_undo(DxPass *pass, DxRun *run, DxBranch *branch, const char *target,
		   Jsonb *input, double timeout)
{
	Child	   *child = palloc0(sizeof(Child));

	Assert(branch->phase == DX_PHASE_UNDO);
	dx_branch_new_ticket(branch);
	child->workflow = pstrdup(target);
	child->input = input;
	run->children++;
	run->changed = true;
	(void) dx_handout(pass, run, branch, DX_RESOURCE_WORKFLOW, DX_PHASE_UNDO, child);
	return true;
}

/* DxResource.awaited: does the child, or who goes on for it, still live? */
static bool
child_awaited(const pg_uuid_t *ticket, int32 attempt)
{
	Datum		values[1];

	values[0] = UUIDPGetDatum(ticket);
	dx_query(&alive_statement, values, NULL, false, 1);
	return SPI_processed > 0;
}

const DxResource dx_child_resource = {
	child_enter, child_wake, dx_timer_restart, child_undo, child_awaited, NULL
};

/* ---------- with the pass ---------- */

/* What all children of a run get from it. */
static void
inherit(DxStart *start, DxRun *run)
{
	start->correlation_id = run->correlation_id;
	start->traceparent = run->traceparent;
	start->priority = run->priority;
	start->durability = run->durability;
	start->owner = run->owner;
	start->requesters = dx_requesters_of(run);
	start->parent = &run->id;
	start->depth = run->depth + 1;
}

/*
 * Starts a run that was handed out, with what it inherits; a run that
 * continues takes the key along.
 */
static void
start_child(const DxHandout *handout)
{
	DxRun	   *run = handout->run;
	Child	   *child = handout->what;
	DxStart		start = {0};
	pg_uuid_t	run_id;
	char	   *key = NULL;		/* goes on with the line */

	inherit(&start, run);
	start.workflow = child->workflow;
	start.run_id = &handout->ticket;
	start.parent_branch = handout->phase != 0 ? handout->branch->branch : -1;
	start.close_policy = child->policy;
	if (child->continued)
	{
		start.parent = run->has_parent ? &run->parent_run : NULL;
		start.parent_branch = run->parent_branch;
		start.parent_ticket = run->has_parent ? &run->parent_ticket : NULL;
		start.close_policy = run->close_policy;
		start.depth = run->depth;
		start.first_run = &run->first_run;
		key = run->key;
	}
	dx_start(&start, 1, &child->input, &key, &run_id);
}

/*
 * Starts the items of a Map that stand in a row in the list of handouts, from
 * the one at *cell on, which is moved behind them.
 */
static void
start_items(DxPass *pass, ListCell **cell)
{
	const DxHandout *first = lfirst(*cell);
	int			max = list_length(pass->handouts);
	Jsonb	  **inputs = palloc(sizeof(Jsonb *) * max);
	int32	   *items = palloc(sizeof(int32) * max);
	pg_uuid_t  *run_ids = palloc(sizeof(pg_uuid_t) * max);
	DxStart		start = {0};
	int			n = 0;

	for (; *cell != NULL; *cell = lnext(pass->handouts, *cell))
	{
		const DxHandout *handout = lfirst(*cell);
		const DxItemRun *item = handout->what;

		CHECK_FOR_INTERRUPTS();
		if (handout->phase != DX_PHASE_JOIN || handout->branch != first->branch ||
			!dx_handout_valid(handout))
			break;
		inputs[n] = item->input;
		items[n++] = item->item;
	}
	inherit(&start, first->run);
	start.workflow = unconstify(char *, first->run->workflow);
	start.version = first->run->version;
	start.parent_branch = first->branch->branch;
	start.parent_ticket = &first->ticket;
	start.map_state = first->branch->state->name;
	start.items = items;
	dx_start(&start, n, inputs, NULL, run_ids);
}

/* Starts what was handed out and is still wanted; items of a Map together. */
static void
start_children(DxPass *pass)
{
	ListCell   *lc = list_head(pass->handouts);

	while (lc != NULL)
	{
		DxHandout  *handout = lfirst(lc);
		bool		valid = handout->kind == DX_RESOURCE_WORKFLOW && dx_handout_valid(handout);

		if (valid && handout->phase == DX_PHASE_JOIN)
		{
			start_items(pass, &lc);
			continue;
		}
		if (valid)
			start_child(handout);
		lc = lnext(pass->handouts, lc);
	}
}

/* What a run that has ended tells the branch that waits for it. */
static Jsonb *
outcome_of(const DxRun *run)
{
	return dx_payload("status", dx_json_string(dx_status_name(run->status)),
					  "output", run->status == DX_RUN_SUCCEEDED ? run->output : NULL,
					  "error", dx_json_text(run->error),
					  "cause", dx_json_text(run->cause),
					  "item", run->item >= 0 ? dx_json_int(run->item) : NULL,
					  NULL);
}

/* Children that have ended tell their parents. */
static void
tell_parents(DxPass *pass)
{
	DxColumns  *columns = NULL;
	ListCell   *lc;

	foreach(lc, pass->runs)
	{
		DxRun	   *run = lfirst(lc);

		if (!run->ended_now || !run->has_parent || run->parent_branch < 0 ||
			run->continued)
			continue;
		if (columns == NULL)
			columns = dx_columns_make(&ended_statement, list_length(pass->runs));
		dx_put_uuid(columns, &run->parent_run);
		dx_put_int4(columns, run->parent_branch);
		dx_put_uuid(columns, &run->parent_ticket);
		dx_put_text(columns, run->workflow);
		dx_put_jsonb(columns, outcome_of(run));
	}
	if (columns == NULL)
		return;
	dx_columns_execute(&ended_statement, columns);
	dx_wake_returned();
}

/*
 * Sends cancel or terminate to the runs that the statement finds among ids.
 */
static void
close_ones(DxStatement *statement, Datum ids, bool terminated, const char *reason)
{
	Datum		values[3];

	values[0] = ids;
	values[1] = BoolGetDatum(terminated);
	values[2] = CStringGetTextDatum(reason);
	(void) dx_execute(statement, values, NULL, false, 0);
	dx_wake_returned();
}

/* Parents that have ended close their children. */
static void
close_children(DxPass *pass, bool terminated)
{
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * Max(list_length(pass->runs), 1));
	ListCell   *lc;
	int			n = 0;

	foreach(lc, pass->runs)
	{
		DxRun	   *run = lfirst(lc);

		if (run->ended_now && run->children > 0 &&
			(run->status == DX_RUN_TERMINATED) == terminated)
			ids[n++] = run->id;
	}
	if (n > 0)
		close_ones(&close_children_statement, dx_uuid_array(ids, n), terminated,
				   "The parent run has ended.");
}

/* Children that the parent does not wait for any more. */
static void
close_given_up(DxPass *pass)
{
	DxColumns  *columns = dx_given_up(pass, DX_PHASE_CHILD, &close_given_up_statement);
	Datum		values[3];

	if (columns == NULL)
		return;
	dx_columns_values(columns, values);
	close_ones(&close_given_up_statement, values[0], false,
			   "The parent run no longer waits for it.");
}

/* Items of Maps that have failed, or are left otherwise. */
static void
close_items(DxPass *pass)
{
	int			max = Max(dx_count_branches(pass), 1);
	pg_uuid_t  *run_ids = palloc(sizeof(pg_uuid_t) * max);
	pg_uuid_t  *tickets = palloc(sizeof(pg_uuid_t) * max);
	Datum		values[4];
	ListCell   *lc;
	ListCell   *lb;
	int			n = 0;

	foreach(lc, pass->runs)
	{
		DxRun	   *run = lfirst(lc);

		foreach(lb, run->branches)
		{
			DxBranch   *branch = lfirst(lb);

			if (branch->stored_phase != DX_PHASE_JOIN || run->ended_now ||
				!dx_branch_gives_up(branch))
				continue;
			run_ids[n] = run->id;
			tickets[n++] = branch->stored_ticket;
		}
	}
	if (n == 0)
		return;
	values[0] = dx_uuid_array(run_ids, n);
	values[1] = BoolGetDatum(false);
	values[2] = CStringGetTextDatum("The Map no longer waits for it.");
	values[3] = dx_uuid_array(tickets, n);
	(void) dx_execute(&close_items_statement, values, NULL, false, 0);
	dx_wake_returned();
}

/*
 * With the pass: closes children that are given up, starts new ones, tells
 * parents. Between dx_engine_enter and dx_engine_leave.
 */
void
dx_child_write(DxPass *pass)
{
	Assert(dx_engine_entered());
	close_given_up(pass);
	close_items(pass);
	start_children(pass);
	tell_parents(pass);
	close_children(pass, false);
	close_children(pass, true);
}
