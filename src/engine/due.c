/*-------------------------------------------------------------------------
 *
 * due.c
 *	  Is it a branch's turn?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "engine/children.h"
#include "engine/due.h"
#include "engine/handout.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/signal.h"

/* Is there something to do for this branch at the moment? */
bool
dx_branch_due(const DxPass *pass, const DxRun *run, const DxBranch *branch)
{
	Assert(!branch->gone || branch->phase != 0);
	if (branch->apart || branch->suspended)
		return false;
	switch (branch->phase)
	{
		case DX_PHASE_READY:
			return true;
		case DX_PHASE_RETRY:
		case DX_PHASE_TIMER:
			return branch->due_at <= pass->now;
		case DX_PHASE_UNDO:
			return dx_branch_answered(branch) || branch->due_at <= pass->now;
		case DX_PHASE_SIGNAL:
			return branch->due_at <= pass->now ||
				dx_signal_here(run, branch);
		case DX_PHASE_JOIN:
			/* Its items, if they are runs, send their outcomes. */
			return dx_branch_answered(branch) || dx_children_can_go_on(branch);
		case DX_PHASE_SLOT:
			/* Once a pass: whoever wakes it may know of a free slot. */
			return !branch->changed;
		case DX_PHASE_ACTIVITY:
		case DX_PHASE_EVENT:
		case DX_PHASE_CHILD:
		case DX_PHASE_APPROVAL:
		case DX_PHASE_TOKEN:
			return dx_branch_answered(branch) || branch->due_at <= pass->now;
	}
	return false;
}
