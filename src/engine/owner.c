/*-------------------------------------------------------------------------
 *
 * owner.c
 *	  Which roles may own runs: those that exist, may log in and are no
 *	  superusers.
 *
 * Whoever publishes a workflow, or may replace a function that it calls, acts
 * as the owner of its runs.  A superuser should do neither by accident, so it
 * takes a setting.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/guc.h"
#include "base/sqlstate.h"
#include "catalog/pg_authid.h"
#include "engine/owner.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

/* Says why a role may not own runs. Returns false. */
static bool
refuse(DxOwnerProblem *problem, int sqlstate, char *message, char *detail, char *hint)
{
	problem->sqlstate = sqlstate;
	problem->message = message;
	problem->detail = detail;
	problem->hint = hint;
	return false;
}

/*
 * May this role own runs, and may they be executed?  false: problem says why
 * not.  Needs a transaction.
 */
bool
dx_owner_allowed(Oid owner, DxOwnerProblem *problem)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(owner));
	bool		can_login;
	bool		is_superuser;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		return refuse(problem, ERRCODE_UNDEFINED_OBJECT,
					  psprintf("role with OID %u does not exist", owner),
					  pstrdup("What it owns is held."),
					  pstrdup("See dealix.owners for what there is, and hand it over with dealix.reassign()."));
	name = pstrdup(NameStr(((Form_pg_authid) GETSTRUCT(tuple))->rolname));
	can_login = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	is_superuser = ((Form_pg_authid) GETSTRUCT(tuple))->rolsuper;
	ReleaseSysCache(tuple);
	if (!can_login)
		return refuse(problem, DX_SQLSTATE_WRONG_STATE,
					  psprintf("role \"%s\" cannot own a run: it is not permitted to log in", name),
					  pstrdup("Steps run in a session of the run's owner."),
					  psprintf("ALTER ROLE %s LOGIN (it needs no password), or start the run as another role.",
							   quote_identifier(name)));
	if (is_superuser && !dx_superuser_runs)
		return refuse(problem, ERRCODE_INSUFFICIENT_PRIVILEGE,
					  psprintf("superuser \"%s\" cannot own a run", name),
					  pstrdup("Whoever publishes a workflow, or owns a function that it calls, would act as a superuser."),
					  pstrdup("Start it as an ordinary role, for example after SET ROLE; or set dealix_exec.superuser_runs = on in postgresql.conf."));
	return true;
}

/* Errors: 42704 no such role, DX007 it cannot log in, 42501 a superuser. */
void
dx_owner_check(Oid owner)
{
	DxOwnerProblem problem;

	if (!dx_owner_allowed(owner, &problem))
		ereport(ERROR,
				(errcode(problem.sqlstate),
				 errmsg_internal("%s", problem.message),
				 errdetail_internal("%s", problem.detail),
				 errhint("%s", problem.hint)));
}
