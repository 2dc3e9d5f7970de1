/*-------------------------------------------------------------------------
 *
 * payload_limit.c
 *	  How large and how deeply nested JSON may be: what is taken in from
 *	  outside, and what states produce.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/fault.h"
#include "asl/json.h"
#include "base/guc.h"
#include "base/sqlstate.h"
#include "engine/payload_limit.h"
#include "miscadmin.h"
#include "utils/jsonb.h"

/* No jsonb becomes a text this much longer, but for numbers with exponents. */
#define TEXT_GROWTH		8

/* What a level of nesting takes in a jsonb at least: its header and its entry. */
#define LEVEL_SIZE		8

/* How many times max_payload all variables of a branch may take. */
#define VARIABLES_FACTOR	40

/* Is JSON nested more than max_depth levels? What is small cannot be. */
static bool
too_deep(const Jsonb *json)
{
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;
	int			depth = 0;

	if (VARSIZE(json) / LEVEL_SIZE < dx_max_depth)
		return false;
	it = JsonbIteratorInit(&unconstify(Jsonb *, json)->root);
	while ((token = JsonbIteratorNext(&it, &v, false)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_BEGIN_ARRAY && v.val.array.rawScalar)
			return false;
		if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT)
			depth++;
		else if (token == WJB_END_ARRAY || token == WJB_END_OBJECT)
			depth--;
		if (depth > dx_max_depth)
			return true;
	}
	return false;
}

/* Bytes of the JSON text without blanks, if that is more than limit; else 0. */
static Size
excess(const Jsonb *json, Size limit)
{
	char	   *text;
	Size		size;

	if (VARSIZE(json) <= limit / TEXT_GROWTH)
		return 0;
	text = dx_json_compact(json);
	size = strlen(text);
	pfree(text);
	return size > limit ? size : 0;
}

/*
 * Refuses JSON that is larger or deeper than the engine takes in.  what names
 * it in the message.  Errors: DX009.
 */
void
dx_check_payload(const Jsonb *json, const char *what)
{
	Size		size = excess(json, (Size) dx_max_payload * 1024);

	if (size > 0)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_TOO_LARGE),
				 errmsg("%s is too large: %zu bytes", what, size),
				 errdetail("The limit is %d kB.", dx_max_payload),
				 errhint("Store the data in a table and pass its key, or raise dealix_exec.max_payload.")));
	if (too_deep(json))
		ereport(ERROR,
				(errcode(DX_SQLSTATE_TOO_LARGE),
				 errmsg("%s is nested too deeply", what),
				 errdetail("The limit is %d levels.", dx_max_depth),
				 errhint("Flatten the data, or raise dealix_exec.max_depth.")));
}

/*
 * Refuses a key, a correlation id or a name that an index could not take.
 * NULL is none.  Errors: 22023.
 */
void
dx_check_label(const char *value, const char *name)
{
	if (value != NULL && (value[0] == '\0' || strlen(value) > DX_MAX_LABEL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must have 1 to %d bytes", name, DX_MAX_LABEL),
				 errdetail("It has %zu.", strlen(value))));
}

/* The same for what people write to each other.  Errors: DX009. */
void
dx_check_comment(const char *value, const char *name)
{
	if (value != NULL && strlen(value) > DX_MAX_COMMENT)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_TOO_LARGE),
				 errmsg("%s is too large: %zu bytes", name, strlen(value)),
				 errdetail("The limit is %d bytes.", DX_MAX_COMMENT)));
}

/* A definition that is to be published.  Errors: DX009. */
void
dx_check_definition(const Jsonb *definition)
{
	Size		size = excess(definition, (Size) dx_max_definition * 1024);

	if (size > 0)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_TOO_LARGE),
				 errmsg("the definition is too large: %zu bytes", size),
				 errdetail("The limit is %d kB.", dx_max_definition),
				 errhint("Let parts of it be workflows of their own (workflow:name), or raise dealix_exec.max_definition.")));
}

/* The same for its states. */
void
dx_check_states(int nstates)
{
	Assert(nstates >= 0);
	if (nstates > dx_max_states)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_TOO_LARGE),
				 errmsg("the definition has %d states", nstates),
				 errdetail("The limit is %d.", dx_max_states),
				 errhint("Let parts of it be workflows of their own (workflow:name), or raise dealix_exec.max_states.")));
}

/*
 * Is what a state has produced within the limits?  false: the fault is
 * States.DataLimitExceeded.
 */
bool
dx_within_limits(const Jsonb *json, const char *state, DxFault *fault)
{
	Size		size = excess(json, (Size) dx_max_payload * 1024);

	if (size > 0)
		fault->cause = psprintf("The state/task '%s' returned a result with a size exceeding the maximum number of bytes service limit: %zu bytes are more than the %d kB of dealix_exec.max_payload.",
								state, size, dx_max_payload);
	else if (too_deep(json))
		fault->cause = psprintf("The state/task '%s' returned a result that is nested more than the %d levels of dealix_exec.max_depth.",
								state, dx_max_depth);
	else
		return true;
	fault->error = pstrdup(DX_ERROR_DATA_LIMIT);
	return false;
}

/* The same for all variables together after a state has assigned some. */
bool
dx_variables_within_limits(const Jsonb *before, const Jsonb *after,
						   const char *state, DxFault *fault)
{
	Size		size;

	if (after == NULL || after == before)
		return true;
	size = excess(after, (Size) dx_max_payload * 1024 * VARIABLES_FACTOR);
	if (size == 0 && !too_deep(after))
		return true;
	fault->error = pstrdup(DX_ERROR_DATA_LIMIT);
	fault->cause = psprintf("The variables after state '%s' are larger than %d times dealix_exec.max_payload, or nested more than the %d levels of dealix_exec.max_depth.",
							state, VARIABLES_FACTOR, dx_max_depth);
	return false;
}
