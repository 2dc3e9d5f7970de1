/*-------------------------------------------------------------------------
 *
 * author.c
 *	  SQL functions for authors of definitions: dealix.validate and dealix.validate_text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/arguments.h"
#include "api/author.h"
#include "asl/asl.h"
#include "asl/json.h"
#include "asl/problem.h"
#include "engine/publish.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(dealix_validate);
PG_FUNCTION_INFO_V1(dealix_validate_text);

/*
 * Raises the first problem of a definition that has some.
 *
 * ERRCODE_INVALID_PARAMETER_VALUE.
 */
void
dx_author_refuse(const DxProblems *problems)
{
	const DxProblem *first = linitial(problems->list);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg_plural("the definition has %d problem",
						   "the definition has %d problems",
						   list_length(problems->list),
						   list_length(problems->list)),
			 errdetail("At \"%s\": %s.", first->pointer, first->message),
			 errhint("dealix.validate() shows all problems.")));
}

/* Problems as rows of the result, in the order of the document. */
static void
put_problems(ReturnSetInfo *rsinfo, const List *problems, const char *severity)
{
	ListCell   *lc;

	foreach(lc, problems)
	{
		DxProblem  *problem = lfirst(lc);
		Datum		values[5];
		bool		nulls[5] = {false, false, false, false, false};

		values[0] = CStringGetTextDatum(problem->pointer);
		values[1] = CStringGetTextDatum(problem->code);
		values[2] = CStringGetTextDatum(problem->message);
		nulls[3] = problem->hint == NULL;
		values[3] = nulls[3] ? (Datum) 0 : CStringGetTextDatum(problem->hint);
		values[4] = CStringGetTextDatum(severity);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

/* One row for each problem, then for each warning; see dealix.validate. */
void
dx_author_show(ReturnSetInfo *rsinfo, const DxProblems *problems)
{
	put_problems(rsinfo, problems->list, "error");
	put_problems(rsinfo, problems->warnings, "warning");
}

/*
 * Checks a definition and returns one row for each problem and then for each
 * warning; problems may have some already, and without a definition these are
 * all.  ERRCODE_INVALID_PARAMETER_VALUE for a machine type that is neither
 * STANDARD nor EXPRESS.
 */
static void
validate(FunctionCallInfo fcinfo, Jsonb *definition, DxProblems *problems)
{
	char	   *machine_type = text_to_cstring(PG_GETARG_TEXT_PP(2));
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DxCompileOptions options;
	DxPublishing publishing;
	DxProgram  *program = NULL;
	bool		express = strcmp(machine_type, "EXPRESS") == 0;

	if (!express && strcmp(machine_type, "STANDARD") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid machine type: \"%s\"", machine_type),
				 errhint("Valid machine types are STANDARD and EXPRESS.")));

	InitMaterializedSRF(fcinfo, 0);
	dx_connect_spi();
	if (definition != NULL)
	{
		dx_publish_options(&options, &publishing, definition);
		options.strict = PG_GETARG_BOOL(1);
		options.express = express;
		program = dx_program_compile(definition, &options, CurrentMemoryContext,
									 problems);
	}
	if (program)
		dx_program_free(program);

	dx_author_show(rsinfo, problems);
	SPI_finish();
}

/*
 * dealix.validate(definition jsonb, strict boolean, machine_type text)
 * RETURNS TABLE(pointer text, code text, message text, hint text, severity text)
 *
 * One row for each problem and then for each warning, in document order; none
 * when all is well.  Never
 * an error because of the definition.  ERRCODE_INVALID_PARAMETER_VALUE for a
 * machine type that is neither STANDARD nor EXPRESS.
 */
Datum
dealix_validate(PG_FUNCTION_ARGS)
{
	DxProblems	problems = {NIL, NIL};

	validate(fcinfo, PG_GETARG_JSONB_P(0), &problems);
	return (Datum) 0;
}

/*
 * dealix.validate_text(definition text, strict boolean, machine_type text): the
 * same for a text.  What is no JSON is a problem, and so is a member given twice.
 */
Datum
dealix_validate_text(PG_FUNCTION_ARGS)
{
	DxProblems	problems = {NIL, NIL};
	text	   *definition = PG_GETARG_TEXT_PP(0);
	Jsonb	   *parsed = dx_definition_read(VARDATA_ANY(definition),
											VARSIZE_ANY_EXHDR(definition), &problems);

	validate(fcinfo, parsed, &problems);
	return (Datum) 0;
}
