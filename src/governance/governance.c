/*-------------------------------------------------------------------------
 *
 * governance.c
 *	  Registers with the engine what this room does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "engine/gate.h"
#include "engine/handout.h"
#include "governance/approval.h"
#include "governance/effect.h"
#include "governance/governance.h"
#include "governance/intent.h"

/* From _PG_init. */
void
dx_governance_init(void)
{
	dx_resource_register(DX_RESOURCE_APPROVAL, &dx_approval_resource);
	dx_gate_register(&dx_effect_gate);
	dx_handout_register(dx_intent_write);
	dx_handout_register(dx_approval_write);
}
