/*-------------------------------------------------------------------------
 *
 * gate.c
 *	  The gate before an effect that leaves only with a decision.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "engine/gate.h"
#include "engine/model.h"
#include "engine/pass.h"

static const DxGate *the_gate = NULL;

/* From _PG_init. */
void
dx_gate_register(const DxGate *gate)
{
	Assert(the_gate == NULL);
	the_gate = gate;
}

/* What decides. */
const DxGate *
dx_gate(void)
{
	Assert(the_gate != NULL);
	return the_gate;
}

/* The effect that the branch is at; NULL: what it does needs no decision. */
const DxEffect *
dx_effect_of(const DxBranch *branch)
{
	if (branch->state == NULL || branch->state->type != DX_STATE_TASK)
		return NULL;
	return branch->state->u.task.effect;
}

/* The effect of the branch, if it is at one, has come to an end. */
void
dx_settle(DxPass *pass, DxRun *run, DxBranch *branch, DxSettled settled,
		  Jsonb *result)
{
	if (branch->governed && dx_effect_of(branch) != NULL)
		the_gate->settle(pass, run, branch, settled, result);
}
