/*-------------------------------------------------------------------------
 *
 * branch.c
 *	  The branches of a run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "common/pg_prng.h"
#include "engine/branch.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/phase.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A new branch of a run; parent -1: the main one. */
DxBranch *
dx_branch_new(DxPass *pass, DxRun *run, int32 parent)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	DxBranch   *branch = palloc0(sizeof(DxBranch));

	Assert(parent >= -1 && parent <= run->last_branch);
	branch->branch = ++run->last_branch;
	branch->parent = parent;
	dx_branch_set_phase(branch, DX_PHASE_READY, pass->now);
	run->branches = lappend(run->branches, branch);
	run->changed = true;
	MemoryContextSwitchTo(oldcxt);
	return branch;
}

/* The live branch of this number, or NULL. */
DxBranch *
dx_branch_find(DxRun *run, int32 number)
{
	ListCell   *lc;

	Assert(number >= 0);
	foreach(lc, run->branches)
	{
		DxBranch   *branch = lfirst(lc);

		if (branch->branch == number && !branch->gone)
			return branch;
	}
	return NULL;
}

/*
 * What the branch's state keeps from one turn to the next, apart from its data:
 * the column kept of its row.
 */
Jsonb	  **
dx_branch_kept(DxBranch *branch)
{
	const DxState *state = branch->state;

	if (state == NULL || state->type != DX_STATE_TASK)
		return &branch->items;
	return state->u.task.kind == DX_RESOURCE_EVENT ? &branch->received : &branch->details;
}
