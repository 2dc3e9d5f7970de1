/*-------------------------------------------------------------------------
 *
 * outside.c
 *	  Registers with the engine what this room does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "engine/handout.h"
#include "engine/pass.h"
#include "outside/activity.h"
#include "outside/activity_store.h"
#include "outside/child.h"
#include "outside/emit.h"
#include "outside/event.h"
#include "outside/outside.h"
#include "outside/schedule.h"

/* Within dx_engine_enter, after the engine's own tables are written. */
static void
write_all(DxPass *pass)
{
	dx_activity_write(pass);
	dx_event_write(pass);
	dx_child_write(pass);
	dx_emit_write(pass);
	dx_schedule_write(pass);
}

/* From _PG_init. */
void
dx_outside_init(void)
{
	dx_resource_register(DX_RESOURCE_ACTIVITY, &dx_activity_resource);
	dx_resource_register(DX_RESOURCE_EVENT, &dx_event_resource);
	dx_resource_register(DX_RESOURCE_WORKFLOW, &dx_child_resource);
	dx_resource_register(DX_RESOURCE_EMIT, &dx_emit_resource);
	dx_handout_register(write_all);
}
