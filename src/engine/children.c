/*-------------------------------------------------------------------------
 *
 * children.c
 *	  How far a Parallel or Map is: what its counts say about its children.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "engine/children.h"
#include "engine/model.h"

/* Children that have been opened and not ended. */
static int
live_children(const DxBranch *branch)
{
	return branch->counts.opened - branch->counts.done - branch->counts.failed;
}

/* Is there another child, and room for it under the limit of concurrency? */
bool
dx_children_may_open(const DxBranch *branch)
{
	Assert(branch->phase == DX_PHASE_JOIN);
	Assert(branch->counts.opened >= branch->counts.done + branch->counts.failed);
	Assert(branch->counts.opened <= branch->counts.total);
	return branch->counts.opened < branch->counts.total &&
		(branch->counts.limit <= 0 || live_children(branch) < branch->counts.limit);
}

/* Is there a child to open, or have all come to their end? */
bool
dx_children_can_go_on(const DxBranch *branch)
{
	Assert(branch->phase == DX_PHASE_JOIN);
	return dx_children_may_open(branch) ||
		(branch->counts.opened == branch->counts.total && live_children(branch) == 0);
}

/* Are the items of this branch's Map runs? */
bool
dx_distributes(const DxBranch *branch)
{
	return branch->state->type == DX_STATE_MAP && branch->state->u.map.distributed;
}
