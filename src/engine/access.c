/*-------------------------------------------------------------------------
 *
 * access.c
 *	  Who may see and who may touch a run.
 *
 * The owner and the members of its role may.  Beyond that, rights are grants
 * of functions (dealix.grant_access): who may execute dealix.all_runs() sees
 * every run, who may execute dealix.resume_engine() operates on every run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "engine/engine.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/acl.h"

static bool
may_execute(const char *name)
{
	List	   *names = list_make2(makeString(pstrdup(DX_SCHEMA)),
								   makeString(pstrdup(name)));
	Oid			function = LookupFuncName(names, 0, NULL, true);

	return OidIsValid(function) && dx_may_execute(function, GetUserId());
}

/* May the current user see runs of this owner? */
bool
dx_may_see(Oid owner)
{
	return has_privs_of_role(GetUserId(), owner) || may_execute("all_runs");
}

/* May the current user cancel, redrive, ... runs of this owner? */
bool
dx_may_operate(Oid owner)
{
	return has_privs_of_role(GetUserId(), owner) || may_execute("resume_engine");
}
