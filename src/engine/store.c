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

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "engine/engine.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define RUN_COLUMNS \
	"run_id, workflow_id, version_id, owner::pg_catalog.oid, status," \
	" final_status, durability, history_seq, last_branch, undone_to," \
	" created_at, started_at, finished_at, deadline, key, correlation_id," \
	" traceparent, error, cause, chain, input, output"

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

static DxStatement branch_statement = {
	"SELECT run_id, branch, parent, item, phase, state, attempt, conflicts,"
	" due_at, entered_at, wait_for, retries, counts, data, items, variables"
	" FROM dealix.branch WHERE run_id = ANY ($1) ORDER BY run_id, branch",
	1, {UUIDARRAYOID}
};

static DxStatement inbox_statement = {
	"SELECT run_id, inbox_id, kind, name, payload, sender::pg_catalog.oid, sent_at"
	" FROM dealix.inbox WHERE run_id = ANY ($1) ORDER BY run_id, inbox_id",
	1, {UUIDARRAYOID}
};

static DxStatement run_statement = {
	"UPDATE dealix.run r SET status = u.status, final_status = u.final_status,"
	" history_seq = u.seq, last_branch = u.last_branch, undone_to = u.undone_to,"
	" started_at = u.started_at, finished_at = u.finished_at,"
	" deadline = u.deadline, error = u.error, cause = u.cause,"
	" chain = u.chain, output = u.output"
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
	" AS u(run_id, status, final_status, seq, last_branch, undone_to,"
	" started_at, finished_at, deadline, error, cause, chain, output)"
	" WHERE r.run_id = u.run_id",
	13, {UUIDARRAYOID, INT2ARRAYOID, INT2ARRAYOID, INT4ARRAYOID, INT4ARRAYOID,
	INT4ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID,
	TIMESTAMPTZARRAYOID, TEXTARRAYOID, TEXTARRAYOID, BYTEAARRAYOID, JSONBARRAYOID}
};

#define BRANCH_ARRAYS \
	UUIDARRAYOID, OIDARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, \
	INT2ARRAYOID, TEXTARRAYOID, INT4ARRAYOID, INT4ARRAYOID, \
	TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TEXTARRAYOID, \
	TEXTARRAYOID, BOOLARRAYOID, JSONBARRAYOID, JSONBARRAYOID, JSONBARRAYOID
#define BRANCH_NARRAYS 18
#define BRANCH_UNNEST \
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11," \
	" $12, $13, $14, $15, $16, $17, $18) AS u(run_id, owner, branch, parent," \
	" item, phase, state, attempt, conflicts, due_at, entered_at, wait_for," \
	" retries, counts, data_changed, data, items, variables)"

static DxStatement branch_insert_statement = {
	"INSERT INTO dealix.branch (run_id, owner, branch, parent, item, phase,"
	" state, attempt, conflicts, due_at, entered_at, wait_for, retries, counts,"
	" data, items, variables) SELECT run_id, owner, branch, parent, item, phase,"
	" state, attempt, conflicts, due_at, entered_at, wait_for, retries::int[],"
	" counts::int[], data, items, variables" BRANCH_UNNEST,
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
	" variables = u.variables" BRANCH_UNNEST
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

static DxStatement inbox_delete_statement = {
	"DELETE FROM dealix.inbox i USING unnest($1, $2)"
	" AS u(run_id, inbox_id) WHERE i.run_id = u.run_id AND i.inbox_id = u.inbox_id",
	2, {UUIDARRAYOID, INT8ARRAYOID}
};

static DxStatement key_delete_statement = {
	"DELETE FROM dealix.message_key WHERE run_id = ANY ($1)",
	1, {UUIDARRAYOID}
};

/* ---------- array parameters ---------- */

/* Arrays that are filled row by row and become a statement's parameters. */
typedef struct Columns
{
	int			ncolumns;
	int			nrows;
	Oid		   *types;			/* of the elements */
	Datum	  **values;
	bool	  **nulls;
	int			next;			/* column that put() fills next */
} Columns;

static Columns *
columns_make(const DxStatement *statement, int max_rows)
{
	Columns    *columns = palloc0(sizeof(Columns));
	int			i;

	columns->ncolumns = statement->nargs;
	columns->types = palloc(sizeof(Oid) * statement->nargs);
	columns->values = palloc(sizeof(Datum *) * statement->nargs);
	columns->nulls = palloc(sizeof(bool *) * statement->nargs);
	for (i = 0; i < statement->nargs; i++)
	{
		columns->types[i] = get_element_type(statement->argtypes[i]);
		columns->values[i] = palloc(sizeof(Datum) * max_rows);
		columns->nulls[i] = palloc(sizeof(bool) * max_rows);
	}
	return columns;
}

static void
put(Columns *columns, Datum value, bool isnull)
{
	Assert(columns->next < columns->ncolumns);
	columns->values[columns->next][columns->nrows] = value;
	columns->nulls[columns->next][columns->nrows] = isnull;
	if (++columns->next == columns->ncolumns)
	{
		columns->next = 0;
		columns->nrows++;
	}
}

static void
put_text(Columns *columns, const char *text)
{
	put(columns, text ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

static void
put_jsonb(Columns *columns, const Jsonb *json)
{
	put(columns, PointerGetDatum(json), json == NULL);
}

static void
put_time(Columns *columns, TimestampTz at, TimestampTz none)
{
	put(columns, TimestampTzGetDatum(at), at == none);
}

static void
columns_execute(DxStatement *statement, Columns *columns)
{
	Datum		values[lengthof(statement->argtypes)];
	int			lbound = 1;
	int			i;

	Assert(columns->next == 0);
	if (columns->nrows == 0)
		return;
	for (i = 0; i < columns->ncolumns; i++)
	{
		int16		typlen;
		bool		typbyval;
		char		typalign;

		get_typlenbyvalalign(columns->types[i], &typlen, &typbyval, &typalign);
		values[i] = PointerGetDatum(construct_md_array(columns->values[i],
													   columns->nulls[i], 1,
													   &columns->nrows, &lbound,
													   columns->types[i], typlen,
													   typbyval, typalign));
	}
	(void) dx_execute(statement, values, NULL, false, 0);
}

static Datum
uuid_array(const pg_uuid_t *ids, int nids)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(nids, 1));
	int			i;

	for (i = 0; i < nids; i++)
		values[i] = UUIDPGetDatum(&ids[i]);
	return PointerGetDatum(construct_array(values, nids, UUIDOID, UUID_LEN,
										   false, TYPALIGN_CHAR));
}

static Datum
run_ids(List *runs)
{
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * list_length(runs));
	ListCell   *lc;

	foreach(lc, runs)
		ids[foreach_current_index(lc)] = ((DxRun *) lfirst(lc))->id;
	return uuid_array(ids, list_length(runs));
}

/* ---------- reading ---------- */

/* A row of SPI_tuptable, read column by column. */
typedef struct Row
{
	HeapTuple	tuple;
	TupleDesc	desc;
	int			column;			/* the one read last */
	bool		isnull;
} Row;

static Datum
get(Row *row)
{
	return SPI_getbinval(row->tuple, row->desc, ++row->column, &row->isnull);
}

static int32
get_int4(Row *row)
{
	return DatumGetInt32(get(row));
}

static int16
get_int2(Row *row)
{
	return DatumGetInt16(get(row));
}

static TimestampTz
get_time(Row *row, TimestampTz none)
{
	Datum		value = get(row);

	return row->isnull ? none : DatumGetTimestampTz(value);
}

static char *
get_text(Row *row)
{
	Datum		value = get(row);

	return row->isnull ? NULL : TextDatumGetCString(value);
}

static Jsonb *
get_jsonb(Row *row)
{
	Datum		value = get(row);

	return row->isnull ? NULL : DatumGetJsonbPCopy(value);
}

/* An int4 array; NULL and *n = 0 for NULL. */
static int32 *
get_ints(Row *row, int *n)
{
	Datum		value = get(row);
	ArrayType  *array;

	*n = 0;
	if (row->isnull)
		return NULL;
	array = DatumGetArrayTypePCopy(value);
	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	return (int32 *) ARR_DATA_PTR(array);
}

static DxRun *
read_run(HeapTuple tuple, TupleDesc desc)
{
	DxRun	   *run = palloc0(sizeof(DxRun));
	Row			row = {tuple, desc, 0, false};
	Datum		chain;

	run->id = *DatumGetUUIDP(get(&row));
	run->workflow_id = get_int4(&row);
	run->version_id = get_int4(&row);
	run->owner = DatumGetObjectId(get(&row));
	run->status = get_int2(&row);
	run->final_status = get_int2(&row);
	run->durability = get_int2(&row);
	run->seq = get_int4(&row);
	run->last_branch = get_int4(&row);
	run->undone_to = get_int4(&row);
	run->created_at = get_time(&row, 0);
	run->started_at = get_time(&row, 0);
	run->finished_at = get_time(&row, 0);
	run->deadline = get_time(&row, DT_NOEND);
	run->key = get_text(&row);
	run->correlation_id = get_text(&row);
	run->traceparent = get_text(&row);
	run->error = get_text(&row);
	run->cause = get_text(&row);
	chain = get(&row);
	if (!row.isnull)
		memcpy(run->chain.head.bytes, VARDATA_ANY(DatumGetByteaPP(chain)),
			   DX_HASH_LENGTH);
	run->input = get_jsonb(&row);
	run->output = get_jsonb(&row);
	return run;
}

/*
 * Locks runs; those that somebody else has locked are left out, or waited for.
 * Returns DxRuns in order of run_id, without branches and messages.
 */
List *
dx_store_claim(DxPass *pass, const pg_uuid_t *ids, int nids, bool wait)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	List	   *runs = NIL;
	Datum		values[1];
	uint64		i;

	values[0] = uuid_array(ids, nids);
	(void) dx_execute(wait ? &claim_wait_statement : &claim_statement,
					  values, NULL, false, 0);
	MemoryContextSwitchTo(pass->cxt);
	for (i = 0; i < SPI_processed; i++)
		runs = lappend(runs, read_run(SPI_tuptable->vals[i],
									  SPI_tuptable->tupdesc));
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);
	return runs;
}

static void
read_branch(DxRun *run, Row *row)
{
	DxBranch   *branch = palloc0(sizeof(DxBranch));
	char	   *state;
	int			n;
	int32	   *counts;

	branch->branch = get_int4(row);
	branch->parent = get_int4(row);
	branch->item = get_int4(row);
	branch->phase = get_int2(row);
	state = get_text(row);
	branch->attempt = get_int4(row);
	branch->conflicts = get_int4(row);
	branch->due_at = get_time(row, DT_NOEND);
	branch->entered_at = get_time(row, 0);
	branch->wait_for = get_text(row);
	branch->retries = get_ints(row, &branch->nretries);
	counts = get_ints(row, &n);
	if (n == DX_NCOUNTS)
		memcpy(&branch->counts, counts, sizeof(DxCounts));
	branch->stored_results = branch->counts.done;
	branch->data = get_jsonb(row);
	branch->items = get_jsonb(row);
	branch->variables = get_jsonb(row);
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

static void
read_message(DxRun *run, Row *row)
{
	DxMessage  *message = palloc0(sizeof(DxMessage));

	message->inbox_id = DatumGetInt64(get(row));
	message->kind = get_int2(row);
	message->name = get_text(row);
	message->payload = get_jsonb(row);
	message->sender = DatumGetObjectId(get(row));
	message->sent_at = get_time(row, 0);
	run->messages = lappend(run->messages, message);
}

/* Hands each row of the result to the run that it belongs to. */
static void
merge_rows(List *runs, void (*read) (DxRun *run, Row *row))
{
	ListCell   *lc = list_head(runs);
	uint64		i;

	for (i = 0; i < SPI_processed && lc != NULL; i++)
	{
		Row			row = {SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 0, false};
		pg_uuid_t  *id = DatumGetUUIDP(get(&row));

		while (lc != NULL &&
			   memcmp(((DxRun *) lfirst(lc))->id.data, id->data, UUID_LEN) < 0)
			lc = lnext(runs, lc);
		if (lc != NULL &&
			memcmp(((DxRun *) lfirst(lc))->id.data, id->data, UUID_LEN) == 0)
			read((DxRun *) lfirst(lc), &row);
	}
}

/*
 * Loads branches and messages of locked runs, with a snapshot younger than the
 * locks: what the claim has seen of other tables may be stale.  runs: in order
 * of run_id, with programs.
 */
void
dx_store_load(DxPass *pass, List *runs)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	Datum		values[1];

	if (runs == NIL)
		return;
	values[0] = run_ids(runs);

	(void) dx_execute(&branch_statement, values, NULL, false, 0);
	MemoryContextSwitchTo(pass->cxt);
	merge_rows(runs, read_branch);
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);

	(void) dx_execute(&inbox_statement, values, NULL, false, 0);
	MemoryContextSwitchTo(pass->cxt);
	merge_rows(runs, read_message);
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);
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

#define HISTORY_COLUMNS	10

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
	values[4] = Int16GetDatum(event->kind);
	values[5] = Int16GetDatum(Min(event->attempt, PG_INT16_MAX));
	nulls[6] = event->actor == NULL;
	values[6] = nulls[6] ? (Datum) 0 : CStringGetTextDatum(event->actor);
	nulls[7] = event->state == NULL;
	values[7] = nulls[7] ? (Datum) 0 : CStringGetTextDatum(event->state);
	/* The payload of the start is the run's input, and stands there. */
	nulls[8] = event->payload == NULL || event->kind == DX_EVENT_RUN_STARTED;
	values[8] = PointerGetDatum(event->payload);
	values[9] = PointerGetDatum(make_bytes(event->hash.bytes, DX_HASH_LENGTH));
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

static void
write_runs(List *runs)
{
	Columns    *columns = columns_make(&run_statement, list_length(runs));
	ListCell   *lc;

	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		if (!run->changed)
			continue;
		put(columns, UUIDPGetDatum(&run->id), false);
		put(columns, Int16GetDatum(run->status), false);
		put(columns, Int16GetDatum(run->final_status), false);
		put(columns, Int32GetDatum(run->seq), false);
		put(columns, Int32GetDatum(run->last_branch), false);
		put(columns, Int32GetDatum(run->undone_to), false);
		put_time(columns, run->started_at, 0);
		put_time(columns, run->finished_at, 0);
		put_time(columns, run->deadline, DT_NOEND);
		put_text(columns, run->error);
		put_text(columns, run->cause);
		put(columns, PointerGetDatum(make_bytes(run->chain.head.bytes, DX_HASH_LENGTH)),
			false);
		put_jsonb(columns, run->output);
	}
	columns_execute(&run_statement, columns);
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
put_branch(Columns *columns, const DxRun *run, const DxBranch *branch)
{
	put(columns, UUIDPGetDatum(&run->id), false);
	put(columns, ObjectIdGetDatum(run->owner), false);
	put(columns, Int32GetDatum(branch->branch), false);
	put(columns, Int32GetDatum(branch->parent), false);
	put(columns, Int32GetDatum(branch->item), false);
	put(columns, Int16GetDatum(branch->phase), false);
	put_text(columns, branch->state ? branch->state->name : NULL);
	put(columns, Int32GetDatum(branch->attempt), false);
	put(columns, Int32GetDatum(branch->conflicts), false);
	put_time(columns, branch->due_at, DT_NOEND);
	put_time(columns, branch->entered_at, 0);
	put_text(columns, branch->wait_for);
	put_text(columns, ints_text(branch->retries, branch->nretries));
	put_text(columns, branch->phase == DX_PHASE_JOIN ?
			 ints_text((const int32 *) &branch->counts, DX_NCOUNTS) : NULL);
	put(columns, BoolGetDatum(branch->data_changed), false);
	put_jsonb(columns, branch->data);
	put_jsonb(columns, branch->items);
	put_jsonb(columns, branch->variables);
}

static void
write_branches(List *runs)
{
	Columns    *inserted;
	Columns    *updated;
	Columns    *deleted;
	ListCell   *lc;
	ListCell   *lb;
	int			n = 0;

	foreach(lc, runs)
		n += list_length(((DxRun *) lfirst(lc))->branches);
	if (n == 0)
		return;
	inserted = columns_make(&branch_insert_statement, n);
	updated = columns_make(&branch_update_statement, n);
	deleted = columns_make(&branch_delete_statement, n);

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
				put(deleted, UUIDPGetDatum(&run->id), false);
				put(deleted, Int32GetDatum(branch->branch), false);
			}
			else if (!branch->stored)
				put_branch(inserted, run, branch);
			else if (branch->changed)
				put_branch(updated, run, branch);
		}
	}
	columns_execute(&branch_delete_statement, deleted);
	columns_execute(&branch_update_statement, updated);
	columns_execute(&branch_insert_statement, inserted);
}

static void
write_inbox(List *runs)
{
	Columns    *columns;
	ListCell   *lc;
	ListCell   *lm;
	int			n = 0;

	foreach(lc, runs)
		n += list_length(((DxRun *) lfirst(lc))->messages);
	if (n == 0)
		return;
	columns = columns_make(&inbox_delete_statement, n);
	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		foreach(lm, run->messages)
		{
			DxMessage  *message = lfirst(lm);

			if (!message->consumed)
				continue;
			put(columns, UUIDPGetDatum(&run->id), false);
			put(columns, Int64GetDatum(message->inbox_id), false);
		}
	}
	columns_execute(&inbox_delete_statement, columns);
}

static void
write_results(List *runs)
{
	Columns    *inserted;
	Columns    *deleted;
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
	inserted = columns_make(&result_insert_statement, ninserted);
	deleted = columns_make(&result_delete_statement, ndeleted);
	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		foreach(lr, run->joined)
		{
			put(deleted, UUIDPGetDatum(&run->id), false);
			put(deleted, Int32GetDatum(lfirst_int(lr)), false);
		}
		if (dx_status_ended(run->status))
			continue;
		foreach(lr, run->results)
		{
			DxResult   *result = lfirst(lr);

			put(inserted, UUIDPGetDatum(&run->id), false);
			put(inserted, Int32GetDatum(result->parent), false);
			put(inserted, Int32GetDatum(result->item), false);
			put_jsonb(inserted, result->output);
		}
	}
	columns_execute(&result_delete_statement, deleted);
	columns_execute(&result_insert_statement, inserted);
}

/* What a run leaves behind in the small tables when it ends. */
static void
forget_ended(List *runs)
{
	List	   *ended = NIL;
	List	   *fanned = NIL;
	ListCell   *lc;
	Datum		values[1];

	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		if (!run->changed || !dx_status_ended(run->status))
			continue;
		ended = lappend(ended, run);
		if (run->last_branch > 0)
			fanned = lappend(fanned, run);
	}
	if (ended != NIL)
	{
		values[0] = run_ids(ended);
		(void) dx_execute(&key_delete_statement, values, NULL, false, 0);
	}
	if (fanned != NIL)
	{
		values[0] = run_ids(fanned);
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
	write_branches(pass->runs);
	write_inbox(pass->runs);
	write_results(pass->runs);
	forget_ended(pass->runs);
}
