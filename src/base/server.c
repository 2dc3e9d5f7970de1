/*-------------------------------------------------------------------------
 *
 * server.c
 *	  What differs between PostgreSQL 15, 16, 17 and 18, and what is forced.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/server.h"
#include "base/waiter.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"

/* May this role execute this function? */
bool
dx_may_execute(Oid function, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ProcedureRelationId, function, role,
						   ACL_EXECUTE) == ACLCHECK_OK;
#else
	return pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

/* Is there such a schema, and may this role look into it? */
bool
dx_may_use_schema(const char *schema, Oid role)
{
	Oid			namespace = get_namespace_oid(schema, true);

	if (!OidIsValid(namespace))
		return false;
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, namespace, role,
						   ACL_USAGE) == ACLCHECK_OK;
#else
	return pg_namespace_aclcheck(namespace, role, ACL_USAGE) == ACLCHECK_OK;
#endif
}

/* Is this one of the engine's processes, or pg_cron's, and no client's backend? */
bool
dx_in_background(void)
{
#if PG_VERSION_NUM >= 170000
	return AmBackgroundWorkerProcess();
#else
	return IsBackgroundWorker;
#endif
}

/*
 * A commit that has been acknowledged must survive a crash, and a failover
 * where there are synchronous standbys, whatever the role has set
 * synchronous_commit to: at least "on" (flushed there too), and what the server
 * has set for everybody if that is more.  Lasts until the end of the
 * transaction.
 */
void
dx_force_durable(void)
{
	int			level = SYNCHRONOUS_COMMIT_ON;

	if (dx_shared_available())
		level = Max(level, dx_server_commit());
	if (synchronous_commit < level)
		(void) set_config_option("synchronous_commit",
								 level == SYNCHRONOUS_COMMIT_REMOTE_APPLY ? "remote_apply" : "on",
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
								 true, 0, false);
}
