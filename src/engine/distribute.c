/*-------------------------------------------------------------------------
 *
 * distribute.c
 *	  A Map of mode DISTRIBUTED: each item is a run of its own.
 *
 * Such a run executes the ItemProcessor of the Map's version, with the item's
 * input.  It advances by itself, beside the run of the Map and beside its
 * siblings; when it ends, it sends its outcome to the branch of the Map, which
 * counts and joins as for child branches.  The ticket of the branch stands for
 * one visit to the Map: an item of an earlier visit is late.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "base/guc.h"
#include "engine/budget.h"
#include "engine/children.h"
#include "engine/distribute.h"
#include "engine/handout.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/payload_limit.h"
#include "engine/result.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/*
 * Hands an item out; its run is started when the pass is written.  false: the
 * fault is the Map's.
 */
bool
dx_item_open(DxPass *pass, DxRun *run, DxBranch *branch, int item, Jsonb *input,
			 DxFault *fault)
{
	DxItemRun  *handed = palloc(sizeof(DxItemRun));

	Assert(dx_distributes(branch));
	Assert(branch->ticketed);
	Assert(item >= 0 && item < branch->counts.total);
	if (run->depth >= dx_max_child_depth)
	{
		fault->error = pstrdup(DX_ERROR_RUNTIME);
		fault->cause = psprintf("Runs start runs to a depth of %d, and dealix_exec.max_child_depth allows no more.",
								run->depth);
		return false;
	}
	if (!dx_within_limits(input, branch->state->name, fault))
		return false;
	handed->item = item;
	handed->input = input;
	(void) dx_handout(pass, run, branch, DX_RESOURCE_WORKFLOW, DX_PHASE_JOIN, handed);
	branch->counts.opened++;
	run->children++;
	run->changed = true;
	return true;
}

/* Which item of the Map the outcome is of; -1: it does not say. */
static int32
item_of(const DxMessage *message)
{
	JsonbValue	v;

	if (!dx_json_get(message->payload, "item", &v) || v.type != jbvNumeric)
		return -1;
	return DatumGetInt32(DirectFunctionCall1(numeric_int4,
											 NumericGetDatum(v.val.numeric)));
}

/* false: that was one failure too many. */
static bool
count_item(DxPass *pass, DxRun *run, DxBranch *branch, const DxMessage *message,
		   DxFault *fault)
{
	char	   *status = dx_json_get_text(message->payload, "status");
	int32		item = item_of(message);
	Jsonb	   *output;

	if (item < 0 || item >= branch->counts.total)
		return true;
	if (status != NULL && strcmp(status, "SUCCEEDED") == 0)
	{
		output = dx_json_get_json(message->payload, "output");
		dx_result_keep(pass, run, branch->branch, item,
					   output ? output : dx_json_null());
		branch->counts.done++;
		return true;
	}
	branch->counts.failed++;
	return dx_tolerance_holds(branch, fault);
}

/*
 * Takes the outcomes of items that have ended.  false: the Map has failed, by
 * *fault.
 */
bool
dx_items_ended(DxPass *pass, DxRun *run, DxBranch *branch, DxFault *fault)
{
	DxMessage  *message;

	Assert(branch->phase == DX_PHASE_JOIN);
	branch->changed = true;
	while ((message = dx_branch_answer(pass, branch)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (!count_item(pass, run, branch, message, fault))
			return false;
		/* The rest has its turn in another pass. */
		if (dx_budget_spent(pass))
			break;
	}
	return true;
}
