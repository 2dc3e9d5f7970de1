/*-------------------------------------------------------------------------
 *
 * result.c
 *	  Results of child branches, between a child's end and the join; and how
 *	  many failures a Map tolerates.
 *
 * A join in the pass in which the children ended finds the results in memory.
 * Otherwise they wait in dealix.branch_result.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/children.h"
#include "engine/evaluate.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/result.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

static DxStatement collect_statement = {
	"SELECT item, output FROM dealix.branch_result"
	" WHERE run_id = $1 AND parent = $2",
	2, {UUIDOID, INT4OID}
};

/* Keeps the output of a child until the join. */
void
dx_result_keep(DxPass *pass, DxRun *run, int32 parent, int32 item, Jsonb *output)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	DxResult   *result = palloc(sizeof(DxResult));

	Assert(output != NULL);
	Assert(item >= 0);
	result->parent = parent;
	result->item = item;
	result->output = output;
	run->results = lappend(run->results, result);
	MemoryContextSwitchTo(oldcxt);
}

/* Takes what the run has in memory for this parent. */
static void
collect_memory(DxRun *run, DxBranch *parent, Jsonb **outputs)
{
	ListCell   *lc;

	foreach(lc, run->results)
	{
		DxResult   *result = lfirst(lc);

		if (result->parent != parent->branch)
			continue;
		outputs[result->item] = result->output;
		run->results = foreach_delete_current(run->results, lc);
	}
}

/*
 * The results that were stored by passes before, at their places. Returns how
 * many.
 */
static void
collect_table(DxPass *pass, DxRun *run, DxBranch *parent, Jsonb **outputs)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	Datum		values[2];
	uint64		i;
	bool		isnull;

	values[0] = UUIDPGetDatum(&run->id);
	values[1] = Int32GetDatum(parent->branch);
	dx_query(&collect_statement, values, NULL, false, 0);
	MemoryContextSwitchTo(pass->cxt);
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		int32		item = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &isnull));

		CHECK_FOR_INTERRUPTS();
		outputs[item] = DatumGetJsonbPCopy(SPI_getbinval(tuple, desc, 2, &isnull));
	}
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);
}

/*
 * The results of all children, in the order of their items; what failed and
 * was tolerated has none.
 */
Jsonb *
dx_results_collect(DxPass *pass, DxRun *run, DxBranch *parent)
{
	Jsonb	  **outputs = palloc0(sizeof(Jsonb *) * Max(parent->counts.total, 1));
	Jsonb	   *collected;

	Assert(parent->counts.done + parent->counts.failed == parent->counts.total);
	collect_memory(run, parent, outputs);
	if (parent->stored_results > 0)
		collect_table(pass, run, parent, outputs);
	dx_results_forget(run, parent);

	collected = dx_json_array(parent->counts.total, outputs);
	pfree(outputs);
	return collected;
}

/* Drops what there is for this parent, in memory and in the table. */
void
dx_results_forget(DxRun *run, DxBranch *parent)
{
	ListCell   *lc;

	foreach(lc, run->results)
	{
		DxResult   *result = lfirst(lc);

		if (result->parent == parent->branch)
			run->results = foreach_delete_current(run->results, lc);
	}
	if (parent->stored_results > 0)
		run->joined = lappend_int(run->joined, parent->branch);
	parent->stored_results = 0;
}

/* ---------- tolerated failures ---------- */

/*
 * Evaluates ToleratedFailureCount and ToleratedFailurePercentage, once, on
 * entry; the result is a count.
 */
bool
dx_tolerance_check(DxBranch *branch, DxEnv *env, DxFault *fault)
{
	const DxMap *map = &branch->state->u.map;
	bool		count_given;
	bool		percentage_given;
	double		count = 0;
	double		percentage = 0;

	if (!dx_eval_amount(&map->tolerated_count, env, &count_given, &count, fault) ||
		!dx_eval_amount(&map->tolerated_percentage, env, &percentage_given,
						&percentage, fault))
		return false;
	branch->counts.tolerated = map->distributed ? 0 : -1;
	if (count_given)
		branch->counts.tolerated = (int) Min(count, PG_INT32_MAX);
	if (percentage_given)
	{
		percentage = percentage * branch->counts.total / 100.0;
		if (!count_given || percentage < count)
			branch->counts.tolerated = (int) percentage;
	}
	return true;
}

/* Does this Map go on when an item fails? */
bool
dx_tolerates_failures(const DxBranch *branch)
{
	return dx_distributes(branch);
}

/* Are there not yet too many failures? */
bool
dx_tolerance_holds(const DxBranch *branch, DxFault *fault)
{
	if (branch->counts.failed <= branch->counts.tolerated)
		return true;
	fault->error = pstrdup(DX_ERROR_THRESHOLD);
	fault->cause = psprintf("The specified tolerated failure threshold was exceeded: %d of %d items failed.",
							branch->counts.failed, branch->counts.total);
	return false;
}
