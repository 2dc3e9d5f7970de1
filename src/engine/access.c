/*-------------------------------------------------------------------------
 *
 * access.c
 *	  Who may see and who may touch a run.
 *
 * The owner and the members of its role may.  Beyond that, rights are grants
 * of functions (dealix.grant_access): who may execute dealix_internal.all_runs() sees
 * every run, who may execute dealix.resume_engine() operates on every run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/extension.h"
#include "base/server.h"
#include "engine/access.h"
#include "miscadmin.h"
#include "utils/acl.h"

/*
 * Has the current user the right that this function of the extension stands
 * for?
 */
static bool
may_execute(const char *schema, const char *name)
{
	Oid			function = dx_extension_function(schema, name);

	return OidIsValid(function) && dx_may_execute(function, GetUserId());
}

/* May the current user see runs of this owner? */
bool
dx_may_see(Oid owner)
{
	return has_privs_of_role(GetUserId(), owner) || may_execute(DX_INTERNAL, "all_runs");
}

/* May the current user cancel, redrive, ... runs of this owner? */
bool
dx_may_operate(Oid owner)
{
	return has_privs_of_role(GetUserId(), owner) || may_execute(DX_SCHEMA, "resume_engine");
}
