/*-------------------------------------------------------------------------
 *
 * join.c
 *	  Parallel and Map: opening child branches and joining them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "engine/engine.h"

void
dx_join_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	DxFault		fault = {DX_ERROR_RUNTIME, "Parallel and Map can't be executed by this version."};

	dx_branch_step_failed(pass, run, branch, &fault);
}

void
dx_join_advance(DxPass *pass, DxRun *run, DxBranch *branch)
{
}

bool
dx_join_due(const DxPass *pass, const DxRun *run, const DxBranch *branch)
{
	return false;
}

void
dx_join_child_done(DxPass *pass, DxRun *run, DxBranch *child, Jsonb *output)
{
}

void
dx_join_child_failed(DxPass *pass, DxRun *run, DxBranch *child,
					 const DxFault *fault)
{
}
