/*-------------------------------------------------------------------------
 *
 * store_read.c
 *	  What a pass reads: claims runs, and loads what they are made of.
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
#include "base/identity.h"
#include "base/plan.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "engine/branch.h"
#include "engine/columns.h"
#include "engine/inbox.h"
#include "engine/merge.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/store_read.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define RUN_COLUMNS_WITH(input) \
	"run_id, workflow_id, version_id, owner::pg_catalog.oid, status," \
	" final_status, durability, history_seq, last_branch, undone_to," \
	" created_at, started_at, finished_at, deadline, key, correlation_id," \
	" traceparent, error, cause, chain, " input ", priority," \
	" requester::pg_catalog.oid, parent_run, parent_branch, depth, children," \
	" parent_ticket, close_policy, redrives, COALESCE(item, -1), map_state, requesters::pg_catalog.regrole[]," \
	" tableoid, ctid, first_run, continued_as, reassigned IS NOT NULL"

#define RUN_COLUMNS RUN_COLUMNS_WITH("input")

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
	"SELECT " RUN_COLUMNS_WITH("CASE WHEN history_seq = 0 THEN input END")
	" FROM dealix.run WHERE run_id = $1 FOR UPDATE",
	1, {UUIDOID}
};

static DxStatement branch_statement = {
	"SELECT run_id, branch, parent, item, phase, state, attempt, conflicts,"
	" due_at, entered_at, wait_for, retries, counts, data, kept, variables, ticket,"
	" suspended, undone, intent FROM dealix.branch WHERE run_id = ANY ($1) ORDER BY run_id, branch",
	1, {UUIDARRAYOID}
};

/* A row of RUN_COLUMNS as a run. */
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
	run->relation = DatumGetObjectId(dx_get(&row));
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

	Assert(dx_engine_entered());
	Assert(nids > 0);
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

	Assert(dx_engine_entered());
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

/*
 * A row of branch_statement as a branch of its run. Errors: XX001 when its
 * state is not in the definition.
 */
static void
read_branch(DxRun *run, DxRow *row)
{
	DxBranch   *branch = palloc0(sizeof(DxBranch));
	char	   *state;
	Jsonb	   *kept;
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
	kept = dx_get_jsonb(row);
	branch->variables = dx_get_jsonb(row);
	branch->ticketed = dx_get_uuid(row, &branch->ticket);
	branch->suspended = DatumGetBool(dx_get(row));
	branch->undone = dx_get_int4(row);
	branch->governed = branch->stored_governed = dx_get_uuid(row, &branch->intent);
	branch->stored_intent = branch->intent;
	branch->stored_data = branch->data;
	branch->stored_kept = kept;
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
	*dx_branch_kept(branch) = kept;
	run->branches = lappend(run->branches, branch);
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

	Assert(dx_engine_entered());
	if (runs == NIL)
		return NIL;
	values[0] = dx_run_ids(runs, DX_BY_RUN);

	(void) dx_execute(&branch_statement, values, NULL, false, 0);
	MemoryContextSwitchTo(pass->cxt);
	runs = runs_that_fit(pass, runs);
	dx_merge_rows(runs, DX_BY_RUN, read_branch);
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);

	dx_inbox_load(pass, runs);
	return runs;
}
