/*-------------------------------------------------------------------------
 *
 * publish_functions.c
 *	  SQL functions for authors: publish, bind and unbind.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/arguments.h"
#include "asl/json.h"
#include "asl/problem.h"
#include "base/server.h"
#include "engine/binding.h"
#include "engine/publish.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(dealix_publish);
PG_FUNCTION_INFO_V1(dealix_publish_text);
PG_FUNCTION_INFO_V1(dealix_limit_workflow);
PG_FUNCTION_INFO_V1(dealix_bind);
PG_FUNCTION_INFO_V1(dealix_unbind);

#define MAX_NAME_LENGTH 80

/*
 * The name of a workflow: its length, and no control characters. Errors:
 * 42602.
 */
static void
check_name(const char *name)
{
	const char *p;

	if (name[0] == '\0' || pg_mbstrlen(name) > MAX_NAME_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("the name of a workflow must have 1 to %d characters",
						MAX_NAME_LENGTH),
				 errdetail("It has %d.", pg_mbstrlen(name))));
	for (p = name; *p; p++)
	{
		if ((unsigned char) *p < 0x20 || *p == 0x7f)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_NAME),
					 errmsg("a workflow name must not have control characters")));
	}
}

/* All problems, one to a line. */
static char *
describe(const DxProblems *problems)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, problems->list)
	{
		DxProblem  *problem = lfirst(lc);

		appendStringInfo(&buf, "%s%s: %s",
						 foreach_current_index(lc) > 0 ? "\n" : "",
						 problem->pointer[0] ? problem->pointer : "/",
						 problem->message);
		if (problem->hint != NULL)
			appendStringInfo(&buf, " (%s)", problem->hint);
	}
	return buf.data;
}

/* What the author should look at, although the definition can run. */
static void
warn(const DxProblems *problems)
{
	ListCell   *lc;

	foreach(lc, problems->warnings)
	{
		const DxProblem *warning = lfirst(lc);

		ereport(WARNING,
				(errmsg("at \"%s\": %s", warning->pointer, warning->message),
				 warning->hint ? errhint("%s", warning->hint) : 0));
	}
}

/* The name, and that both arguments are there. */
static char *
name_argument(FunctionCallInfo fcinfo)
{
	char	   *name;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(0) ? "name" : "definition")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	check_name(name);
	return name;
}

/*
 * Publishes a definition, unless it has problems already (then it may be NULL).
 *
 * ERRCODE_INVALID_PARAMETER_VALUE for a definition with problems.
 */
static int
publish(const char *name, Jsonb *definition, DxProblems *problems,
		const char *validate)
{
	int			version = 0;

	dx_connect_spi();
	if (definition != NULL)
		version = dx_publish(name, definition, problems);
	if (version == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg_plural("the definition of workflow \"%s\" has %d problem",
							   "the definition of workflow \"%s\" has %d problems",
							   list_length(problems->list),
							   name, list_length(problems->list)),
				 errdetail("%s", describe(problems)),
				 errhint("SELECT * FROM dealix.%s(definition) gives them as rows.", validate)));
	warn(problems);
	SPI_finish();
	dx_force_durable();
	return version;
}

/* publish(name, definition) */
Datum
dealix_publish(PG_FUNCTION_ARGS)
{
	DxProblems	problems = {NIL, NIL};
	char	   *name = name_argument(fcinfo);

	PG_RETURN_INT32(publish(name, PG_GETARG_JSONB_P(1), &problems, "validate"));
}

/* publish_text(name, definition) */
Datum
dealix_publish_text(PG_FUNCTION_ARGS)
{
	DxProblems	problems = {NIL, NIL};
	char	   *name = name_argument(fcinfo);
	text	   *definition = PG_GETARG_TEXT_PP(1);
	Jsonb	   *parsed = dx_definition_read(VARDATA_ANY(definition),
											VARSIZE_ANY_EXHDR(definition), &problems);

	PG_RETURN_INT32(publish(name, parsed, &problems, "validate_text"));
}

/* bind(uri, target) */
Datum
dealix_bind(PG_FUNCTION_ARGS)
{
	char	   *uri = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *target = text_to_cstring(PG_GETARG_TEXT_PP(1));

	dx_connect_spi();
	dx_binding_set(uri, target);
	SPI_finish();
	dx_force_durable();
	PG_RETURN_VOID();
}

/* unbind(uri) */
Datum
dealix_unbind(PG_FUNCTION_ARGS)
{
	char	   *uri = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		removed;

	dx_connect_spi();
	removed = dx_binding_remove(uri);
	SPI_finish();
	dx_force_durable();
	PG_RETURN_BOOL(removed);
}

/* limit_workflow(workflow, max_concurrency, per_owner) */
Datum
dealix_limit_workflow(PG_FUNCTION_ARGS)
{
	int			max_concurrency;

	dx_require(fcinfo, 0, "workflow");
	max_concurrency = dx_limit_arg(fcinfo, 1, "max_concurrency");
	dx_connect_spi();
	dx_limit_workflow(text_to_cstring(PG_GETARG_TEXT_PP(0)), max_concurrency,
					  !PG_ARGISNULL(2) && PG_GETARG_BOOL(2));
	SPI_finish();
	dx_force_durable();
	PG_RETURN_VOID();
}
