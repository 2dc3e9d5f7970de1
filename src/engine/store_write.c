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
#include "audit/audit.h"
#include "base/bulk.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
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
#include "engine/start.h"
#include "engine/store_write.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define BRANCH_ARRAYS \
	UUIDARRAYOID, OIDARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, \
	INT2ARRAYOID, TEXTARRAYOID, INT4ARRAYOID, INT4ARRAYOID, \
	TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TEXTARRAYOID, \
	TEXTARRAYOID, BOOLARRAYOID, JSONBARRAYOID, JSONBARRAYOID, JSONBARRAYOID, \
	UUIDARRAYOID, INT2ARRAYOID, BOOLARRAYOID
#define BRANCH_NARRAYS 21
#define BRANCH_UNNEST \
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11," \
	" $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) AS u(run_id, owner, branch, parent," \
	" item, phase, state, attempt, conflicts, due_at, entered_at, wait_for," \
	" retries, counts, data_changed, data, items, variables, ticket, rank, suspended)"

static DxStatement branch_insert_statement = {
	"INSERT INTO dealix.branch (run_id, owner, branch, parent, item, phase,"
	" state, attempt, conflicts, due_at, entered_at, wait_for, retries, counts,"
	" data, items, variables, ticket, rank, suspended) SELECT run_id, owner, branch, parent, item, phase,"
	" state, attempt, conflicts, due_at, entered_at, wait_for, retries::int[],"
	" counts::int[], data, items, variables, ticket, rank, suspended" BRANCH_UNNEST,
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
	" items = CASE WHEN u.data_changed THEN u.items ELSE b.items END,"
	" variables = u.variables, ticket = u.ticket, suspended = u.suspended" BRANCH_UNNEST
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

static bytea *
make_bytes(const void *data, int len)
{
	bytea	   *bytes = palloc(VARHDRSZ + len);

	SET_VARSIZE(bytes, VARHDRSZ + len);
	memcpy(VARDATA(bytes), data, len);
	return bytes;
}

#define HISTORY_COLUMNS	11

/* One row of dealix.history_event, in the order of its columns. */
static void
add_event(DxBulk *bulk, DxEvent *event)
{
	Datum		values[HISTORY_COLUMNS];
	bool		nulls[HISTORY_COLUMNS] = {false};

	values[0] = UUIDPGetDatum(&event->run->id);
	values[1] = TimestampTzGetDatum(event->at);
	values[2] = Int32GetDatum(event->seq);
	values[3] = Int32GetDatum(event->branch);
	values[4] = Int32GetDatum(event->attempt);
	values[5] = Int16GetDatum(event->kind);
	values[6] = CStringGetTextDatum(event->actor ? event->actor : "");
	values[7] = CStringGetTextDatum(event->session_actor ? event->session_actor : "");
	nulls[8] = event->state == NULL;
	values[8] = nulls[8] ? (Datum) 0 : CStringGetTextDatum(event->state);
	/* The payload of the start is the run's input, and stands there. */
	nulls[9] = event->payload == NULL || event->kind == DX_EVENT_RUN_STARTED;
	values[9] = PointerGetDatum(event->payload);
	values[10] = PointerGetDatum(make_bytes(event->hash.bytes, DX_HASH_LENGTH));
	dx_bulk_add(bulk, values, nulls);
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
	bulk = dx_bulk_open("history_event", HISTORY_COLUMNS);
	foreach(lc, pass->events)
		add_event(bulk, lfirst(lc));
	dx_bulk_close(bulk);
	pass->events = NIL;
}

/* Columns of dealix.run that a pass may change, in the order of update_run. */
static const AttrNumber run_changed[] = {
	3,							/* started_at */
	4,							/* finished_at */
	5,							/* deadline */
	9,							/* history_seq */
	10,							/* last_branch */
	11,							/* undone_to */
	12,							/* status */
	13,							/* final_status */
	19,							/* error */
	20,							/* cause */
	21,							/* chain */
	23,							/* output */
	30,							/* children */
	31,							/* redrives */
	36,							/* requesters */
	16,							/* key: only of a run that has continued, */
	35							/* and continued_as */
};

#define CHANGED_BY_CONTINUING	2

/* Integers that are null in the table when they are 0. */
static void
put_nonzero(Datum *values, bool *nulls, int column, int32 value)
{
	nulls[column] = value == 0;
	values[column] = Int32GetDatum(value);
}

static void
update_run(DxBulk *bulk, DxRun *run)
{
	Datum		values[lengthof(run_changed)] = {0};
	bool		nulls[lengthof(run_changed)] = {false};

	values[0] = TimestampTzGetDatum(run->started_at);
	nulls[0] = run->started_at == 0;
	values[1] = TimestampTzGetDatum(run->finished_at);
	nulls[1] = run->finished_at == 0;
	values[2] = TimestampTzGetDatum(run->deadline);
	nulls[2] = run->deadline == DT_NOEND;
	values[3] = Int32GetDatum(run->seq);
	put_nonzero(values, nulls, 4, run->last_branch);
	put_nonzero(values, nulls, 5, run->undone_to);
	values[6] = Int16GetDatum(run->status);
	put_nonzero(values, nulls, 7, run->final_status);
	nulls[8] = run->error == NULL;
	values[8] = nulls[8] ? (Datum) 0 : CStringGetTextDatum(run->error);
	nulls[9] = run->cause == NULL;
	values[9] = nulls[9] ? (Datum) 0 : CStringGetTextDatum(run->cause);
	values[10] = PointerGetDatum(make_bytes(run->chain.head.bytes, DX_HASH_LENGTH));
	nulls[11] = run->output == NULL;
	values[11] = PointerGetDatum(run->output);
	put_nonzero(values, nulls, 12, run->children);
	put_nonzero(values, nulls, 13, run->redrives);
	nulls[14] = run->requesters == NIL;
	values[14] = PointerGetDatum(dx_requesters_array(run->requesters));
	/* The key goes on with the line: the index lets nobody else have it now. */
	nulls[15] = true;
	nulls[16] = false;
	values[16] = UUIDPGetDatum(&run->continued_as);
	dx_bulk_update(bulk, &run->tid, lengthof(run_changed) -
				   (run->continued ? 0 : CHANGED_BY_CONTINUING), run_changed, values, nulls);
}

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
			bulk = dx_bulk_open("run", DX_RUN_COLUMNS);
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

static void
put_branch(DxColumns *columns, const DxRun *run, const DxBranch *branch)
{
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
	dx_put(columns, BoolGetDatum(branch->data_changed), false);
	dx_put_jsonb(columns, branch->data);
	dx_put_jsonb(columns, branch->items);
	dx_put_jsonb(columns, branch->variables);
	dx_put_uuid(columns, branch->ticketed ? &branch->ticket : NULL);
	dx_put(columns, Int16GetDatum(-run->priority), false);
	dx_put(columns, BoolGetDatum(true), !branch->suspended);
}

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
		values[0] = dx_run_ids(fanned);
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
