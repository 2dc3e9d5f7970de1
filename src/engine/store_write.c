/*-------------------------------------------------------------------------
 *
 * store_write.c
 *	  What a pass writes back: runs, branches, results and events.
 *
 * One statement for all runs of a pass, whatever their number: parameters are
 * arrays.  Runs, which change in each pass, and events are written without one
 * (bulk.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "asl/change.h"
#include "audit/audit.h"
#include "base/bulk.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/branch.h"
#include "engine/columns.h"
#include "engine/concurrency.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/inbox.h"
#include "engine/merge.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/phase.h"
#include "engine/requester.h"
#include "engine/store_write.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define BRANCH_ARRAYS \
	UUIDARRAYOID, OIDARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, \
	INT2ARRAYOID, TEXTARRAYOID, INT4ARRAYOID, INT4ARRAYOID, \
	TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TEXTARRAYOID, \
	TEXTARRAYOID, BOOLARRAYOID, JSONBARRAYOID, JSONBARRAYOID, JSONBARRAYOID, \
	UUIDARRAYOID, INT2ARRAYOID, BOOLARRAYOID, INT4ARRAYOID, \
	UUIDARRAYOID
#define BRANCH_NARRAYS 23
#define BRANCH_UNNEST \
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11," \
	" $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23) AS u(run_id, owner, branch, parent," \
	" item, phase, state, attempt, conflicts, due_at, entered_at, wait_for," \
	" retries, counts, data_changed, data, kept, variables, ticket, rank, suspended, undone, intent)"

static DxStatement branch_insert_statement = {
	"INSERT INTO dealix.branch (run_id, owner, branch, parent, item, phase,"
	" state, attempt, conflicts, due_at, entered_at, wait_for, retries, counts,"
	" data, kept, variables, ticket, rank, suspended, undone, intent) SELECT run_id, owner, branch, parent, item, phase,"
	" state, attempt, conflicts, due_at, entered_at, wait_for, retries::int[],"
	" counts::int[], data, kept, variables, ticket, rank, suspended, undone, intent" BRANCH_UNNEST,
	BRANCH_NARRAYS, {BRANCH_ARRAYS}
};

/* What did not change is taken from the row: a TOASTed value stays as it is. */
static DxStatement branch_update_statement = {
	"UPDATE dealix.branch b SET parent = u.parent, item = u.item,"
	" phase = u.phase, state = u.state, attempt = u.attempt,"
	" conflicts = u.conflicts, due_at = u.due_at, entered_at = u.entered_at,"
	" wait_for = u.wait_for, retries = u.retries::int[],"
	" counts = u.counts::int[],"
	" data = CASE WHEN u.data_changed THEN u.data ELSE b.data END,"
	" kept = CASE WHEN u.data_changed THEN u.kept ELSE b.kept END,"
	" variables = u.variables, ticket = u.ticket, suspended = u.suspended, undone = u.undone, intent = u.intent" BRANCH_UNNEST
	" WHERE b.run_id = u.run_id AND b.branch = u.branch",
	BRANCH_NARRAYS, {BRANCH_ARRAYS}
};

static DxStatement result_insert_statement = {
	"INSERT INTO dealix.branch_result (run_id, parent, item, output)"
	" SELECT * FROM unnest($1, $2, $3, $4)",
	4, {UUIDARRAYOID, INT4ARRAYOID, INT4ARRAYOID, JSONBARRAYOID}
};

static DxStatement result_delete_statement = {
	"DELETE FROM dealix.branch_result b USING unnest($1, $2)"
	" AS u(run_id, parent) WHERE b.run_id = u.run_id AND b.parent = u.parent",
	2, {UUIDARRAYOID, INT4ARRAYOID}
};

static DxStatement result_clear_statement = {
	"DELETE FROM dealix.branch_result WHERE run_id = ANY ($1)",
	1, {UUIDARRAYOID}
};

static DxStatement branch_delete_statement = {
	"DELETE FROM dealix.branch b USING unnest($1, $2)"
	" AS u(run_id, branch) WHERE b.run_id = u.run_id AND b.branch = u.branch",
	2, {UUIDARRAYOID, INT4ARRAYOID}
};

/* Documents below this size are written as they are. */
#define MIN_SHARED	1024

/*
 * What has to be written of a document of the run: all of it (*seq is 0), or what
 * differs from one that is stored, NULL for nothing (*seq says which, 1 is the
 * input).
 */
static Jsonb *
to_write(const DxRun *run, Jsonb *doc, int32 *seq)
{
	Jsonb	   *change;

	*seq = 0;
	if (doc == NULL || VARSIZE(doc) < MIN_SHARED)
		return doc;
	if (run->document != NULL && dx_json_change(run->document, doc, &change))
		*seq = run->document_seq;
	else if (run->input != NULL && dx_json_change(run->input, doc, &change))
		*seq = 1;
	else
		return doc;
	return change;
}

/* The payload of an event, or what of it is not stored already. */
static void
set_payload(DxNewRow *row, DxEvent *event)
{
	DxRun	   *run = event->run;
	Jsonb	   *written = event->payload;
	int32		seq = 0;

	/* The payload of the start is the run's input, and stands there. */
	if (event->kind == DX_EVENT_RUN_STARTED)
		return;
	if (event->kind == DX_EVENT_STEP_SUCCEEDED)
	{
		written = to_write(run, event->payload, &seq);
		if (seq > 0)
			dx_set(row, Anum_history_event_payload_of, Int32GetDatum(seq));
		else if (written != NULL && VARSIZE(written) >= MIN_SHARED)
		{
			run->document = written;
			run->document_seq = event->seq;
		}
	}
	if (written != NULL)
		dx_set(row, Anum_history_event_payload, JsonbPGetDatum(written));
}

/* One row of dealix.history_event. */
static void
add_event(DxBulk *bulk, DxEvent *event)
{
	DxNewRow	row;

	dx_new_row(&row, Natts_history_event);
	dx_set(&row, Anum_history_event_run_id, UUIDPGetDatum(&event->run->id));
	dx_set(&row, Anum_history_event_at, TimestampTzGetDatum(event->at));
	dx_set(&row, Anum_history_event_seq, Int32GetDatum(event->seq));
	dx_set(&row, Anum_history_event_branch, Int32GetDatum(event->branch));
	dx_set(&row, Anum_history_event_attempt, Int32GetDatum(event->attempt));
	dx_set(&row, Anum_history_event_kind, Int16GetDatum(event->kind));
	dx_set(&row, Anum_history_event_actor,
		   CStringGetTextDatum(event->actor ? event->actor : ""));
	dx_set(&row, Anum_history_event_session_actor,
		   CStringGetTextDatum(event->session_actor ? event->session_actor : ""));
	if (event->state != NULL)
		dx_set(&row, Anum_history_event_state, CStringGetTextDatum(event->state));
	set_payload(&row, event);
	dx_set(&row, Anum_history_event_hash,
		   PointerGetDatum(dx_hash_bytes(&event->hash)));
	dx_bulk_add(bulk, &row);
}

/*
 * Writes the events gathered so far.  Done at the end of a pass, and earlier
 * only for who has to read the history in the same pass (compensation).
 */
void
dx_store_history(DxPass *pass)
{
	DxBulk	   *bulk;
	ListCell   *lc;

	Assert(dx_engine_entered());
	if (pass->events == NIL)
		return;
	dx_events_chain(pass->events);
	bulk = dx_bulk_open("history_event", Natts_history_event);
	foreach(lc, pass->events)
		add_event(bulk, lfirst(lc));
	dx_bulk_close(bulk);
	pass->events = NIL;
}

/* Integers that are null in the table when they are 0. */
static void
change_nonzero(DxChange *change, AttrNumber column, int32 value)
{
	dx_change(change, column, Int32GetDatum(value), value == 0);
}

/* none stands for null. */
static void
change_time(DxChange *change, AttrNumber column, TimestampTz at, TimestampTz none)
{
	dx_change(change, column, TimestampTzGetDatum(at), at == none);
}

/* NULL is null. */
static void
change_text(DxChange *change, AttrNumber column, const char *text)
{
	dx_change(change, column, text ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

/* The output of the run, or what of it is not stored already. */
static void
change_output(DxChange *change, const DxRun *run)
{
	int32		seq;
	Jsonb	   *written = to_write(run, run->output, &seq);

	dx_change(change, Anum_run_output, PointerGetDatum(written), written == NULL);
	dx_change(change, Anum_run_output_of, Int32GetDatum(seq), seq == 0);
}

/* The columns of dealix.run that a pass may change. */
static void
update_run(DxBulk *bulk, DxRun *run)
{
	DxChange	change = {0};

	change_time(&change, Anum_run_started_at, run->started_at, 0);
	change_time(&change, Anum_run_finished_at, run->finished_at, 0);
	change_time(&change, Anum_run_deadline, run->deadline, DT_NOEND);
	dx_change(&change, Anum_run_history_seq, Int32GetDatum(run->seq), false);
	change_nonzero(&change, Anum_run_last_branch, run->last_branch);
	change_nonzero(&change, Anum_run_undone_to, run->undone_to);
	dx_change(&change, Anum_run_status, Int16GetDatum(run->status), false);
	change_nonzero(&change, Anum_run_final_status, run->final_status);
	change_text(&change, Anum_run_error, run->error);
	change_text(&change, Anum_run_cause, run->cause);
	dx_change(&change, Anum_run_chain,
			  PointerGetDatum(dx_hash_bytes(&run->chain.head)), false);
	if (run->output_changed)
		change_output(&change, run);
	change_nonzero(&change, Anum_run_children, run->children);
	change_nonzero(&change, Anum_run_redrives, run->redrives);
	dx_change(&change, Anum_run_requesters,
			  PointerGetDatum(dx_requesters_array(run->requesters)), run->requesters == NIL);
	if (run->continued)
	{
		/*
		 * The key goes on with the line: the index lets nobody else have it
		 * now.
		 */
		dx_change(&change, Anum_run_key, (Datum) 0, true);
		dx_change(&change, Anum_run_continued_as, UUIDPGetDatum(&run->continued_as), false);
	}
	dx_bulk_update(bulk, run->relation, &run->tid, &change);
}

/* Updates the runs that have changed. */
static void
write_runs(List *runs)
{
	DxBulk	   *bulk = NULL;
	ListCell   *lc;

	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		if (!run->changed)
			continue;
		if (bulk == NULL)
			bulk = dx_bulk_open("run", Natts_run);
		update_run(bulk, run);
	}
	if (bulk != NULL)
		dx_bulk_close(bulk);
}

/* As the text of an array: unnest would take an array apart. */
static char *
ints_text(const int32 *values, int n)
{
	StringInfoData buf;
	int			i;

	if (values == NULL || n == 0)
		return NULL;
	initStringInfo(&buf);
	for (i = 0; i < n; i++)
		appendStringInfo(&buf, "%c%d", i == 0 ? '{' : ',', values[i]);
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

/*
 * A row for the statements that write branches.  Data and what is kept beside it
 * are large, and so not written in vain.
 */
static void
put_branch(DxColumns *columns, const DxRun *run, DxBranch *branch)
{
	const Jsonb *kept = *dx_branch_kept(branch);
	bool		data_changed = !dx_json_same(branch->data, branch->stored_data) ||
	!dx_json_same(kept, branch->stored_kept);

	dx_put(columns, UUIDPGetDatum(&run->id), false);
	dx_put(columns, ObjectIdGetDatum(run->owner), false);
	dx_put(columns, Int32GetDatum(branch->branch), false);
	dx_put(columns, Int32GetDatum(branch->parent), branch->parent == -1);
	dx_put(columns, Int32GetDatum(branch->item), branch->item == 0);
	dx_put(columns, Int16GetDatum(branch->phase), false);
	dx_put_text(columns, branch->state ? branch->state->name : NULL);
	dx_put(columns, Int32GetDatum(branch->attempt), branch->attempt == 0);
	dx_put(columns, Int32GetDatum(branch->conflicts), branch->conflicts == 0);
	/* Who is suspended is due at infinity; who has no timer, never. */
	dx_put(columns, TimestampTzGetDatum(branch->due_at),
		   branch->due_at == DT_NOEND && !branch->suspended);
	dx_put_time(columns, branch->entered_at, 0);
	dx_put_text(columns, branch->wait_for);
	dx_put_text(columns, ints_text(branch->retries, branch->nretries));
	dx_put_text(columns, branch->phase == DX_PHASE_JOIN ?
				ints_text((const int32 *) &branch->counts, DX_NCOUNTS) : NULL);
	dx_put(columns, BoolGetDatum(data_changed), false);
	dx_put_jsonb(columns, data_changed ? branch->data : NULL);
	dx_put_jsonb(columns, data_changed ? kept : NULL);
	dx_put_jsonb(columns, branch->variables);
	dx_put_uuid(columns, branch->ticketed ? &branch->ticket : NULL);
	dx_put(columns, Int16GetDatum(-run->priority), false);
	dx_put(columns, BoolGetDatum(true), !branch->suspended);
	dx_put(columns, Int32GetDatum(branch->undone), branch->undone == 0);
	dx_put_uuid(columns, branch->governed ? &branch->intent : NULL);
}

/*
 * Inserts, updates and deletes branches; refuses those that could not be
 * woken.
 */
static void
write_branches(DxPass *pass)
{
	List	   *runs = pass->runs;
	DxColumns  *inserted;
	DxColumns  *updated;
	DxColumns  *deleted;
	ListCell   *lc;
	ListCell   *lb;
	int			n = 0;

	foreach(lc, runs)
		n += list_length(((DxRun *) lfirst(lc))->branches);
	if (n == 0)
		return;
	inserted = dx_columns_make(&branch_insert_statement, n);
	updated = dx_columns_make(&branch_update_statement, n);
	deleted = dx_columns_make(&branch_delete_statement, n);

	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		foreach(lb, run->branches)
		{
			DxBranch   *branch = lfirst(lb);

			if (branch->gone)
			{
				if (!branch->stored)
					continue;
				dx_put(deleted, UUIDPGetDatum(&run->id), false);
				dx_put(deleted, Int32GetDatum(branch->branch), false);
			}
			else if (!branch->stored || branch->changed)
			{
				dx_branch_check(pass, run, branch);
				put_branch(branch->stored ? updated : inserted, run, branch);
			}
		}
	}
	dx_columns_execute(&branch_delete_statement, deleted);
	dx_columns_execute(&branch_update_statement, updated);
	dx_columns_execute(&branch_insert_statement, inserted);
}

/* What child branches leave, and what was joined. */
static void
write_results(List *runs)
{
	DxColumns  *inserted;
	DxColumns  *deleted;
	ListCell   *lc;
	ListCell   *lr;
	int			ninserted = 0;
	int			ndeleted = 0;

	foreach(lc, runs)
	{
		ninserted += list_length(((DxRun *) lfirst(lc))->results);
		ndeleted += list_length(((DxRun *) lfirst(lc))->joined);
	}
	if (ninserted + ndeleted == 0)
		return;
	inserted = dx_columns_make(&result_insert_statement, ninserted);
	deleted = dx_columns_make(&result_delete_statement, ndeleted);
	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		foreach(lr, run->joined)
		{
			dx_put(deleted, UUIDPGetDatum(&run->id), false);
			dx_put(deleted, Int32GetDatum(lfirst_int(lr)), false);
		}
		if (dx_status_ended(run->status))
			continue;
		foreach(lr, run->results)
		{
			DxResult   *result = lfirst(lr);

			dx_put(inserted, UUIDPGetDatum(&run->id), false);
			dx_put(inserted, Int32GetDatum(result->parent), false);
			dx_put(inserted, Int32GetDatum(result->item), false);
			dx_put_jsonb(inserted, result->output);
		}
	}
	dx_columns_execute(&result_delete_statement, deleted);
	dx_columns_execute(&result_insert_statement, inserted);
}

/* What a run with branches leaves behind when it ends. */
static void
forget_ended(List *runs)
{
	List	   *fanned = NIL;
	ListCell   *lc;
	Datum		values[1];

	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		if (run->changed && dx_status_ended(run->status) && run->last_branch > 0)
			fanned = lappend(fanned, run);
	}
	if (fanned != NIL)
	{
		values[0] = dx_run_ids(fanned, DX_BY_RUN);
		(void) dx_execute(&result_clear_statement, values, NULL, false, 0);
	}
}

/*
 * Writes back all that a pass has changed.
 */
void
dx_store_write(DxPass *pass)
{
	Assert(dx_engine_entered());
	Assert(pass->running == NULL);
	dx_store_history(pass);
	write_runs(pass->runs);
	write_branches(pass);
	dx_inbox_write(pass->runs);
	write_results(pass->runs);
	forget_ended(pass->runs);
	dx_slots_settle(pass);
	dx_handouts_write(pass);
}
