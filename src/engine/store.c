/*-------------------------------------------------------------------------
 *
 * store.c
 *	  What a pass reads and writes: claim, load, write back.
 *
 * One statement for all runs of a pass, whatever their number: parameters are
 * arrays.  All statements order by run_id, so that results are merged into
 * the runs, which stand in that order too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "asl/asl.h"
#include "audit/audit.h"
#include "base/bulk.h"
#include "base/plan.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/concurrency.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/inbox.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/phase.h"
#include "engine/requester.h"
#include "engine/start.h"
#include "engine/store.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define RUN_COLUMNS_WITH(input, output) \
	"run_id, workflow_id, version_id, owner::pg_catalog.oid, status," \
	" final_status, durability, history_seq, last_branch, undone_to," \
	" created_at, started_at, finished_at, deadline, key, correlation_id," \
	" traceparent, error, cause, chain, " input ", " output ", priority," \
	" requester::pg_catalog.oid, parent_run, parent_branch, depth, children," \
	" parent_ticket, close_policy, redrives, COALESCE(item, -1), map_state, requesters::pg_catalog.regrole[]," \
	" ctid, first_run, continued_as, reassigned IS NOT NULL"

#define RUN_COLUMNS RUN_COLUMNS_WITH("input", "output")

static DxStatement claim_statement = {
	"SELECT " RUN_COLUMNS " FROM dealix.run WHERE run_id = ANY ($1)"
	" ORDER BY run_id FOR UPDATE SKIP LOCKED",
	1, {UUIDARRAYOID}
};

static DxStatement claim_wait_statement = {
	"SELECT " RUN_COLUMNS " FROM dealix.run WHERE run_id = ANY ($1)"
	" ORDER BY run_id FOR UPDATE",
	1, {UUIDARRAYOID}
};

/* Without what may be large; the event of its start covers the input. */
static DxStatement header_statement = {
	"SELECT " RUN_COLUMNS_WITH("CASE WHEN history_seq = 0 THEN input END", "NULL::jsonb")
	" FROM dealix.run WHERE run_id = $1 FOR UPDATE",
	1, {UUIDOID}
};

static DxStatement branch_statement = {
	"SELECT run_id, branch, parent, item, phase, state, attempt, conflicts,"
	" due_at, entered_at, wait_for, retries, counts, data, items, variables, ticket,"
	" suspended FROM dealix.branch WHERE run_id = ANY ($1) ORDER BY run_id, branch",
	1, {UUIDARRAYOID}
};

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

/* The ids of these runs as the parameter of a statement. */
Datum
dx_run_ids(List *runs)
{
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * list_length(runs));
	ListCell   *lc;

	foreach(lc, runs)
		ids[foreach_current_index(lc)] = ((DxRun *) lfirst(lc))->id;
	return dx_uuid_array(ids, list_length(runs));
}

/* ---------- reading ---------- */

static DxRun *
read_run(HeapTuple tuple, TupleDesc desc)
{
	DxRun	   *run = palloc0(sizeof(DxRun));
	DxRow		row = {tuple, desc, 0, false};
	Datum		chain;

	run->id = *DatumGetUUIDP(dx_get(&row));
	run->workflow_id = dx_get_int4(&row);
	run->version_id = dx_get_int4(&row);
	run->owner = DatumGetObjectId(dx_get(&row));
	run->status = dx_get_int2(&row);
	run->final_status = dx_get_int2(&row);
	run->durability = dx_get_int2(&row);
	run->seq = dx_get_int4(&row);
	run->last_branch = dx_get_int4(&row);
	run->undone_to = dx_get_int4(&row);
	run->created_at = dx_get_time(&row, 0);
	run->started_at = dx_get_time(&row, 0);
	run->finished_at = dx_get_time(&row, 0);
	run->deadline = dx_get_time(&row, DT_NOEND);
	run->key = dx_get_text(&row);
	run->correlation_id = dx_get_text(&row);
	run->traceparent = dx_get_text(&row);
	run->error = dx_get_text(&row);
	run->cause = dx_get_text(&row);
	chain = dx_get(&row);
	if (!row.isnull)
		memcpy(run->chain.head.bytes, VARDATA_ANY(DatumGetByteaPP(chain)),
			   DX_HASH_LENGTH);
	run->input = dx_get_jsonb(&row);
	run->output = dx_get_jsonb(&row);
	run->priority = dx_get_int2(&row);
	run->requester = DatumGetObjectId(dx_get(&row));
	if (row.isnull)
		run->requester = InvalidOid;
	run->has_parent = dx_get_uuid(&row, &run->parent_run);
	run->parent_branch = dx_get_int4(&row);
	run->depth = dx_get_int2(&row);
	run->children = dx_get_int4(&row);
	(void) dx_get_uuid(&row, &run->parent_ticket);
	run->close_policy = dx_get_int2(&row);
	run->redrives = dx_get_int2(&row);
	run->item = dx_get_int4(&row);
	run->map_state = dx_get_text(&row);
	run->requesters = dx_get_requesters(&row);
	run->tid = *(ItemPointer) DatumGetPointer(dx_get(&row));
	run->continues = dx_get_uuid(&row, &run->first_run);
	if (!run->continues)
		run->first_run = run->id;
	run->continued = dx_get_uuid(&row, &run->continued_as);
	run->reassigned = DatumGetBool(dx_get(&row));
	return run;
}

/*
 * What a row in SPI_tuptable takes when it is read.  What is large stands outside
 * of the row; most rows have nothing there.
 */
static Size
row_size(uint64 i)
{
	HeapTuple	tuple = SPI_tuptable->vals[i];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	Size		size = tuple->t_len;

	if (!HeapTupleHasExternal(tuple))
		return size;
	for (int column = 1; column <= desc->natts; column++)
	{
		bool		isnull;
		Datum		value;

		if (TupleDescAttr(desc, column - 1)->attlen != -1)
			continue;
		value = SPI_getbinval(tuple, desc, column, &isnull);
		if (!isnull && VARATT_IS_EXTERNAL(DatumGetPointer(value)))
			size += toast_raw_datum_size(value);
	}
	return size;
}

/* What is needed to say that a run in SPI_tuptable has work. */
static DxRun *
read_head(uint64 i)
{
	HeapTuple	tuple = SPI_tuptable->vals[i];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	DxRun	   *run = palloc0(sizeof(DxRun));
	bool		isnull;

	run->id = *DatumGetUUIDP(SPI_getbinval(tuple, desc, 1, &isnull));
	run->owner = DatumGetObjectId(SPI_getbinval(tuple, desc,
												SPI_fnumber(desc, "owner"), &isnull));
	run->priority = DatumGetInt16(SPI_getbinval(tuple, desc,
												SPI_fnumber(desc, "priority"), &isnull));
	return run;
}

/* The pass has no room for this locked run: the next one has it. */
static void
leave_run(DxPass *pass, const DxRun *run)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);

	pass->left = lappend(pass->left, (void *) run);
	pass->result->more = true;
	dx_wake_run(run->owner, &run->id, run->priority);
	MemoryContextSwitchTo(oldcxt);
}

/*
 * Locks runs; those that somebody else has locked are left out, or waited for.
 * Returns DxRuns in order of run_id, without branches and messages: at least
 * one, and others as long as they are not too large together.
 */
List *
dx_store_claim(DxPass *pass, const pg_uuid_t *ids, int nids, bool wait)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	List	   *runs = NIL;
	Datum		values[1];
	Size		size = 0;
	uint64		i;

	values[0] = dx_uuid_array(ids, nids);
	(void) dx_execute(wait ? &claim_wait_statement : &claim_statement,
					  values, NULL, false, 0);
	MemoryContextSwitchTo(pass->cxt);
	for (i = 0; i < SPI_processed; i++)
	{
		CHECK_FOR_INTERRUPTS();
		size += row_size(i);
		if (i > 0 && size > DX_PASS_MAX_MEMORY)
			break;
		runs = lappend(runs, read_run(SPI_tuptable->vals[i],
									  SPI_tuptable->tupdesc));
	}
	for (; i < SPI_processed; i++)
		leave_run(pass, read_head(i));
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);
	return runs;
}

/*
 * Locks a run, and loads nothing of it but its header: no input, output,
 * branch or message, no definition.  NULL: there is no such run.
 */
DxRun *
dx_store_claim_header(DxPass *pass, const pg_uuid_t *run_id)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	DxRun	   *run = NULL;
	Datum		values[1];

	values[0] = UUIDPGetDatum(run_id);
	(void) dx_execute(&header_statement, values, NULL, false, 1);
	MemoryContextSwitchTo(pass->cxt);
	if (SPI_processed > 0)
	{
		run = read_run(SPI_tuptable->vals[0], SPI_tuptable->tupdesc);
		pass->runs = list_make1(run);
	}
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);
	return run;
}

static void
read_branch(DxRun *run, DxRow *row)
{
	DxBranch   *branch = palloc0(sizeof(DxBranch));
	char	   *state;
	int			n;
	int32	   *counts;

	branch->branch = dx_get_int4(row);
	branch->parent = dx_get_int4(row);
	if (row->isnull)
		branch->parent = -1;
	branch->item = dx_get_int4(row);
	branch->phase = dx_get_int2(row);
	state = dx_get_text(row);
	branch->attempt = dx_get_int4(row);
	branch->conflicts = dx_get_int4(row);
	branch->due_at = dx_get_time(row, DT_NOEND);
	branch->entered_at = dx_get_time(row, 0);
	branch->wait_for = dx_get_text(row);
	branch->retries = dx_get_ints(row, &branch->nretries);
	counts = dx_get_ints(row, &n);
	if (n == DX_NCOUNTS)
		memcpy(&branch->counts, counts, sizeof(DxCounts));
	branch->stored_results = branch->counts.done;
	branch->data = dx_get_jsonb(row);
	branch->items = dx_get_jsonb(row);
	branch->variables = dx_get_jsonb(row);
	branch->ticketed = dx_get_uuid(row, &branch->ticket);
	branch->suspended = DatumGetBool(dx_get(row));
	branch->stored_phase = branch->phase;
	branch->stored_attempt = branch->attempt;
	branch->stored_ticketed = branch->ticketed;
	branch->stored_ticket = branch->ticket;
	branch->stored = true;

	if (state != NULL)
	{
		branch->state = dx_program_find_state(run->program, state);
		if (branch->state == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("run %s is in state \"%s\", which its definition does not have",
							dx_uuid_text(&run->id), state)));
	}
	run->branches = lappend(run->branches, branch);
}

/*
 * Hands each row of SPI_tuptable to the run that it belongs to; both are in
 * order of run_id, which is the first column.
 */
void
dx_merge_rows(List *runs, void (*read) (DxRun *run, DxRow *row))
{
	ListCell   *lc = list_head(runs);
	uint64		i;

	for (i = 0; i < SPI_processed && lc != NULL; i++)
	{
		DxRow		row = {SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 0, false};
		pg_uuid_t  *id = DatumGetUUIDP(dx_get(&row));

		while (lc != NULL &&
			   memcmp(((DxRun *) lfirst(lc))->id.data, id->data, UUID_LEN) < 0)
			lc = lnext(runs, lc);
		if (lc != NULL &&
			memcmp(((DxRun *) lfirst(lc))->id.data, id->data, UUID_LEN) == 0)
			read((DxRun *) lfirst(lc), &row);
	}
}

/*
 * The runs whose branches in SPI_tuptable, which stand in their order, are not
 * too large together; the first of them in any case.
 */
static List *
runs_that_fit(DxPass *pass, List *runs)
{
	Size		size = 0;
	int			n = 0;

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		pg_uuid_t  *id = DatumGetUUIDP(SPI_getbinval(SPI_tuptable->vals[i],
													 SPI_tuptable->tupdesc, 1, &isnull));

		CHECK_FOR_INTERRUPTS();
		while (n < list_length(runs) &&
			   memcmp(((DxRun *) list_nth(runs, n))->id.data, id->data, UUID_LEN) < 0)
			n++;
		size += row_size(i);
		if (n == 0 || size <= DX_PASS_MAX_MEMORY)
			continue;
		for (int left = n; left < list_length(runs); left++)
			leave_run(pass, list_nth(runs, left));
		return list_truncate(runs, n);
	}
	return runs;
}

/*
 * Loads branches and messages of locked runs, with a snapshot younger than the
 * locks: what the claim has seen of other tables may be stale.  runs: in order
 * of run_id, with programs.  Returns those that the pass has room for.
 */
List *
dx_store_load(DxPass *pass, List *runs)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	Datum		values[1];

	if (runs == NIL)
		return NIL;
	values[0] = dx_run_ids(runs);

	(void) dx_execute(&branch_statement, values, NULL, false, 0);
	MemoryContextSwitchTo(pass->cxt);
	runs = runs_that_fit(pass, runs);
	dx_merge_rows(runs, read_branch);
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);

	dx_inbox_load(pass, runs);
	return runs;
}

/* ---------- writing ---------- */

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
	dx_store_history(pass);
	write_runs(pass->runs);
	write_branches(pass);
	dx_inbox_write(pass->runs);
	write_results(pass->runs);
	forget_ended(pass->runs);
	dx_slots_settle(pass);
	dx_handouts_write(pass);
}
