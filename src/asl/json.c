/*-------------------------------------------------------------------------
 *
 * json.c
 *	  Small builders and readers over Jsonb.
 *
 * A Jsonb that is handed out is always a copy in CurrentMemoryContext; a
 * JsonbValue that is handed out points into the Jsonb that it was read from.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/json.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/*
 * The JSON value null.
 */
Jsonb *
dx_json_null(void)
{
	JsonbValue	value;

	value.type = jbvNull;
	return JsonbValueToJsonb(&value);
}

/*
 * The JSON object {}.
 */
Jsonb *
dx_json_empty_object(void)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * A JSON string.
 *
 * text is in the database encoding.  A text beyond what jsonb can hold is an
 * error (ERRCODE_PROGRAM_LIMIT_EXCEEDED) from the jsonb code.
 */
Jsonb *
dx_json_string(const char *text)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, text);
	value.val.string.len = strlen(text);
	return JsonbValueToJsonb(&value);
}

/*
 * A Jsonb of any JsonbValue, also one that points into another Jsonb.
 */
Jsonb *
dx_json_from_value(JsonbValue *value)
{
	return JsonbValueToJsonb(value);
}

/*
 * Looks at a Jsonb as a JsonbValue: a scalar, or jbvBinary for an object or an
 * array.  Nothing is copied.
 */
void
dx_json_to_value(const Jsonb *json, JsonbValue *value)
{
	Jsonb	   *readable = unconstify(Jsonb *, json);

	if (JB_ROOT_IS_SCALAR(readable))
	{
		JsonbExtractScalar(&readable->root, value);
		return;
	}
	value->type = jbvBinary;
	value->val.binary.data = &readable->root;
	value->val.binary.len = VARSIZE(readable) - VARHDRSZ;
}

/*
 * The member of an object.  false when json is no object or has no such
 * member.  Nothing is copied.
 */
bool
dx_json_get(const Jsonb *object, const char *key, JsonbValue *value)
{
	Jsonb	   *readable = unconstify(Jsonb *, object);

	if (!JB_ROOT_IS_OBJECT(readable))
		return false;
	return getKeyJsonValueFromContainer(&readable->root, key, strlen(key),
										value) != NULL;
}

/*
 * The member of an object as a Jsonb of its own; NULL when it is absent.
 */
Jsonb *
dx_json_get_json(const Jsonb *object, const char *key)
{
	JsonbValue	value;

	if (!dx_json_get(object, key, &value))
		return NULL;
	return JsonbValueToJsonb(&value);
}

/*
 * The member of an object as a C string; NULL when it is absent or is not a
 * string.
 */
char *
dx_json_get_text(const Jsonb *object, const char *key)
{
	JsonbValue	value;

	if (!dx_json_get(object, key, &value) || value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/*
 * A copy of object with the member key set to value.  What is not an object
 * is taken for an empty one.
 */
Jsonb *
dx_json_set(const Jsonb *object, const char *key, const Jsonb *value)
{
	Jsonb	   *readable = unconstify(Jsonb *, object);
	JsonbParseState *state = NULL;
	JsonbValue	member;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (JB_ROOT_IS_OBJECT(readable))
	{
		JsonbIterator *it = JsonbIteratorInit(&readable->root);
		JsonbIteratorToken token;

		/* The first token opens the object that is already open. */
		(void) JsonbIteratorNext(&it, &member, true);
		while ((token = JsonbIteratorNext(&it, &member, true)) != WJB_END_OBJECT)
		{
			CHECK_FOR_INTERRUPTS();
			pushJsonbValue(&state, token, &member);
		}
	}

	/* Of two members with one key jsonb keeps the later. */
	member.type = jbvString;
	member.val.string.val = unconstify(char *, key);
	member.val.string.len = strlen(key);
	pushJsonbValue(&state, WJB_KEY, &member);
	dx_json_to_value(value, &member);
	pushJsonbValue(&state, WJB_VALUE, &member);

	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* A value that is no container, as JSON text. */
static void
append_scalar(StringInfo out, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			appendStringInfoString(out, "null");
			break;
		case jbvBool:
			appendStringInfoString(out, value->val.boolean ? "true" : "false");
			break;
		case jbvNumeric:
			appendStringInfoString(out,
								   DatumGetCString(DirectFunctionCall1(numeric_out,
																	   NumericGetDatum(value->val.numeric))));
			break;
		case jbvString:
			escape_json(out, pnstrdup(value->val.string.val,
									  value->val.string.len));
			break;
		default:
			elog(ERROR, "unexpected jsonb scalar type %d", (int) value->type);
	}
}

/*
 * The text of a JSON value as AWS writes it: no blanks after "," and ":".
 */
char *
dx_json_compact(const Jsonb *json)
{
	JsonbIterator *it = JsonbIteratorInit(&unconstify(Jsonb *, json)->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	StringInfoData out;
	bool		comma = false;
	bool		scalar = false;

	dx_build_count(VARSIZE(json));
	initStringInfo(&out);
	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();

		if (comma && (token == WJB_KEY || token == WJB_ELEM ||
					  token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT))
			appendStringInfoChar(&out, ',');
		comma = false;

		switch (token)
		{
			case WJB_BEGIN_ARRAY:
				/* A scalar is stored as an array that is none. */
				scalar = value.val.array.rawScalar;
				if (!scalar)
					appendStringInfoChar(&out, '[');
				break;
			case WJB_END_ARRAY:
				if (!scalar)
					appendStringInfoChar(&out, ']');
				comma = true;
				break;
			case WJB_BEGIN_OBJECT:
				appendStringInfoChar(&out, '{');
				break;
			case WJB_END_OBJECT:
				appendStringInfoChar(&out, '}');
				comma = true;
				break;
			case WJB_KEY:
				append_scalar(&out, &value);
				appendStringInfoChar(&out, ':');
				break;
			case WJB_VALUE:
			case WJB_ELEM:
				append_scalar(&out, &value);
				comma = true;
				break;
			default:
				elog(ERROR, "unexpected jsonb token %d", (int) token);
		}
	}

	return out.data;
}
