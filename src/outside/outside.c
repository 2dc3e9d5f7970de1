/*-------------------------------------------------------------------------
 *
 * outside.c
 *	  Registers with the engine what this room does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "outside/outside.h"

/* Within dx_engine_enter, after the engine's own tables are written. */
static void
write_all(DxPass *pass)
{
	dx_activity_write(pass);
}

/* From _PG_init. */
void
dx_outside_init(void)
{
	dx_resource_register(DX_RESOURCE_ACTIVITY, &dx_activity_resource);
	dx_handout_register(write_all);
}
