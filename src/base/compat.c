/*-------------------------------------------------------------------------
 *
 * compat.c
 *	  What differs between PostgreSQL 15, 16, 17 and 18.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/compat.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/timeout.h"
#include "utils/wait_event.h"

/*
 * dx_wait_event
 *		The wait_event_info of a wait of ours.  Named from PostgreSQL 17 on,
 *		"Extension" before.
 */
uint32
dx_wait_event(DxWaitEvent event)
{
#if PG_VERSION_NUM >= 170000
	static const char *const names[] = {
		[DX_WAIT_LAUNCHER] = "DealixLauncherMain",
		[DX_WAIT_DISPATCHER] = "DealixDispatcherMain",
		[DX_WAIT_WORKER] = "DealixWorkerMain",
		[DX_WAIT_RUN] = "DealixWaitRun",
		[DX_WAIT_RETIRE] = "DealixRetire"
	};
	static uint32 infos[lengthof(names)];

	if (infos[event] == 0)
		infos[event] = WaitEventExtensionNew(names[event]);
	return infos[event];
#else
	return PG_WAIT_EXTENSION;
#endif
}

/*
 * dx_owns_database
 *		Does the current user own the database (or may act as its owner)?
 */
bool
dx_owns_database(Oid dboid)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(DatabaseRelationId, dboid, GetUserId());
#else
	return pg_database_ownercheck(dboid, GetUserId());
#endif
}

/*
 * dx_owns_extension
 *		The same for an extension.
 */
bool
dx_owns_extension(Oid extension)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(ExtensionRelationId, extension, GetUserId());
#else
	return pg_extension_ownercheck(extension, GetUserId());
#endif
}

/*
 * dx_disarm_timeouts
 *		Takes back the timeouts that the server has armed for the statement or
 *		the transaction that we are in: for calls that run for long by design.
 */
void
dx_disarm_timeouts(void)
{
	disable_timeout(STATEMENT_TIMEOUT, false);
#if PG_VERSION_NUM >= 170000
	disable_timeout(TRANSACTION_TIMEOUT, false);
#endif
}
