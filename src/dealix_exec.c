/*-------------------------------------------------------------------------
 *
 * dealix_exec.c
 *	  Entry point of the library.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/guc.h"
#include "base/kill.h"
#include "base/session.h"
#include "base/waiter.h"
#include "base/wake.h"
#include "fmgr.h"
#include "governance/governance.h"
#include "miscadmin.h"
#include "outside/outside.h"
#include "worker/hooks.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/* Called when the library is loaded, by the postmaster or by a session. */
void
_PG_init(void)
{
	/* pg_upgrade wants the catalogs moved, and nothing run. */
	if (IsBinaryUpgrade)
		return;

	dx_guc_init();
	dx_wake_init();
	dx_session_init();
	dx_kill_init();
	/* What is decided is written before what goes out. */
	dx_governance_init();
	dx_outside_init();
	if (!process_shared_preload_libraries_in_progress)
		return;
	dx_shared_init();
	dx_launcher_init();
	dx_hooks_init();
}
