/*-------------------------------------------------------------------------
 *
 * argument.c
 *	  From a member of a step's input to an argument of its function.
 *
 * The rules are jsonb_populate_record's: a scalar goes through the input
 * function of the type, as text; null is NULL; arrays, composites and domains
 * are left to the server itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/json.h"
#include "catalog/pg_type.h"
#include "engine/argument.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

/*
 * Types whose input function is not enough: the server's own conversion from
 * jsonb is asked.
 */
static bool
needs_query(Oid type)
{
	char		typtype = get_typtype(type);

	return OidIsValid(get_element_type(type)) || typtype == TYPTYPE_DOMAIN ||
		typtype == TYPTYPE_COMPOSITE || typtype == TYPTYPE_RANGE ||
		typtype == TYPTYPE_MULTIRANGE;
}

/* Prepares the conversion to a type; what it keeps lives in cxt. */
void
dx_argument_prepare(DxSqlArgument *argument, Oid type, MemoryContext cxt)
{
	Oid			function;

	argument->type = type;
	argument->plan = NULL;
	argument->by_query = needs_query(type);
	if (argument->by_query || type == JSONBOID)
		return;
	getTypeInputInfo(type, &function, &argument->ioparam);
	fmgr_info_cxt(function, &argument->input, cxt);
}

/* Gives back what a conversion holds outside of its context. */
void
dx_argument_release(DxSqlArgument *argument)
{
	if (argument->plan != NULL)
		SPI_freeplan(argument->plan);
	argument->plan = NULL;
}

/* The value by jsonb_populate_record, as an argument of that type. */
static Datum
value_by_query(DxSqlArgument *argument, JsonbValue *value, bool *isnull)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	Datum		values[1];
	Datum		result = (Datum) 0;
	int16		typlen;
	bool		typbyval;

	if (argument->plan == NULL)
	{
		Oid			argtypes[1] = {JSONBOID};
		char	   *query;

		query = psprintf("SELECT r.v FROM pg_catalog.jsonb_to_record("
						 "pg_catalog.jsonb_build_object('v', $1)) AS r(v %s)",
						 format_type_be_qualified(argument->type));
		argument->plan = SPI_prepare(query, 1, argtypes);
		if (argument->plan == NULL || SPI_keepplan(argument->plan) != 0)
			elog(ERROR, "could not prepare a conversion to %s: %s",
				 format_type_be(argument->type),
				 SPI_result_code_string(SPI_result));
	}
	values[0] = JsonbPGetDatum(dx_json_from_value(value));
	(void) SPI_execute_plan(argument->plan, values, NULL, true, 1);
	*isnull = true;
	if (SPI_processed > 0)
		result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
							   isnull);
	if (!*isnull)
	{
		get_typlenbyval(argument->type, &typlen, &typbyval);
		MemoryContextSwitchTo(oldcxt);
		result = datumCopy(result, typbyval, typlen);
	}
	SPI_freetuptable(SPI_tuptable);
	return result;
}

/* The text of a scalar as an input function wants it. */
static char *
scalar_text(JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
		default:
			return JsonbToCString(NULL, value->val.binary.data, value->val.binary.len);
	}
}

/*
 * The argument that a JSON value stands for.  Errors: those of the type's
 * input function.  Needs SPI_connect, and runs as the owner: input functions
 * and domain checks may be the owner's code.
 */
Datum
dx_argument_value(DxSqlArgument *argument, JsonbValue *value, bool *isnull)
{
	if (argument->by_query)
		return value_by_query(argument, value, isnull);
	*isnull = value->type == jbvNull;
	if (*isnull)
		return (Datum) 0;
	if (argument->type == JSONBOID)
		return JsonbPGetDatum(dx_json_from_value(value));
	if (argument->type == JSONOID)
	{
		Jsonb	   *json = dx_json_from_value(value);

		return CStringGetTextDatum(JsonbToCString(NULL, &json->root, VARSIZE(json)));
	}
	return InputFunctionCall(&argument->input, scalar_text(value),
							 argument->ioparam, -1);
}
