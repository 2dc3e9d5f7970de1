/*-------------------------------------------------------------------------
 *
 * person.c
 *	  Who decides: a person who has logged in, and whose own statement it is.
 *
 * A session has many doors through which somebody else's code comes to run in
 * it: SECURITY DEFINER functions, expressions of indexes that REINDEX, ANALYZE
 * or VACUUM evaluate, triggers, cursors that outlive their transaction, steps
 * of runs, jobs of a scheduler.  None of them decides.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "engine/guard.h"
#include "miscadmin.h"
#include "governance/person.h"
#include "tcop/pquery.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/portal.h"

/* What pg_cron calls itself when it logs in. */
#define CRON_NAME	"pg_cron"

/*
 * Is this session a scheduler's?  What RESET goes back to is the name that it
 * gave when it logged in, whatever a job has set.
 */
static bool
of_scheduler(void)
{
	const char *name = GetConfigOptionResetString("application_name");

	return name != NULL && strcmp(name, CRON_NAME) == 0;
}

/* Is the statement one that somebody has left to be executed at commit? */
static bool
of_held_cursor(void)
{
	return ActivePortal != NULL &&
		(ActivePortal->cursorOptions & CURSOR_OPT_HOLD) != 0;
}

/* Are we called from a trigger, at whatever depth? */
static bool
in_trigger(void)
{
	return DatumGetInt32(OidFunctionCall0(F_PG_TRIGGER_DEPTH)) > 0;
}

/* Why what runs at the moment is not a person's own doing; NULL: it is. */
static const char *
why_not(void)
{
	if (MyBackendType != B_BACKEND)
		return "This is a background process.";
	if (of_scheduler())
		return "This is a job of pg_cron.";
	if (dx_in_user_code())
		return "This is a step or an expression of a workflow.";
	if (GetUserId() != GetSessionUserId())
		return psprintf("Role \"%s\" has logged in, and the present role is \"%s\".",
						GetUserNameFromId(GetSessionUserId(), false),
						GetUserNameFromId(GetUserId(), false));
	if (InSecurityRestrictedOperation())
		return "This is a security-restricted operation, such as REINDEX or ANALYZE evaluating an expression of an index.";
	if (in_trigger())
		return "This is a trigger.";
	if (of_held_cursor())
		return "This is a cursor WITH HOLD.";
	return NULL;
}

/*
 * does: what only persons do, "decides about approvals".  Errors: 42501 when it is
 * not a person who calls this for himself.
 */
void
dx_require_person(const char *does)
{
	const char *why = why_not();

	if (why != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only a person who has logged in %s", does),
				 errdetail("%s", why),
				 errhint("Log in as the role that is to decide, and call the function in a statement of your own, without SET ROLE, SECURITY DEFINER functions and triggers.")));
}
