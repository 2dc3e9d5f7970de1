/*-------------------------------------------------------------------------
 *
 * value.c
 *	  What the evaluators ask of a JSON value: is it equal, what is its text,
 *	  what is its number; and how a fault is made.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "asl/build.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "asl/value.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/* Bytes of a JSON text that a cause repeats. */
#define CLIP_BYTES	4096

#define MAX_INTEGER	9007199254740991.0	/* 2^53 - 1 */

/*
 * Formats a text; like psprintf, for a caller that has the arguments as a
 * va_list.
 */
char *
dx_format(const char *fmt, va_list args)
{
	va_list		again;
	char	   *text;
	int			len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len < 0)
		elog(ERROR, "vsnprintf failed: %m");
	text = palloc(len + 1);
	vsnprintf(text, len + 1, fmt, args);
	return text;
}

/*
 * Sets a fault.  Returns false, so that a caller can return it.
 */
bool
dx_fault(DxFault *fault, const char *error, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	fault->cause = dx_format(fmt, args);
	va_end(args);
	fault->error = pstrdup(error);
	return false;
}

/*
 * Compares two texts as Java does, by UTF-16 code units.  That is the order
 * of the bytes, but for the characters beyond U+FFFF, which in UTF-16 stand
 * before U+E000.
 */
int
dx_text_compare(const DxName *a, const DxName *b)
{
	int			len = Min(a->len, b->len);

	for (int i = 0; i < len; i++)
	{
		unsigned char left = a->text[i];
		unsigned char right = b->text[i];

		if (left == right)
			continue;
		if (GetDatabaseEncoding() == PG_UTF8 &&
			(left >= 0xF0) != (right >= 0xF0) && left >= 0xEE && right >= 0xEE)
			return left > right ? -1 : 1;
		return left < right ? -1 : 1;
	}
	return a->len == b->len ? 0 : (a->len < b->len ? -1 : 1);
}

/* Are two JSON values the same as the server stores them?  1 and 1.0 are two. */
bool
dx_value_same(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case jbvNull:
			return true;
		case jbvBool:
			return a->val.boolean == b->val.boolean;
		case jbvString:
			return a->val.string.len == b->val.string.len &&
				memcmp(a->val.string.val, b->val.string.val,
					   a->val.string.len) == 0;
		case jbvNumeric:
			return VARSIZE_ANY(a->val.numeric) == VARSIZE_ANY(b->val.numeric) &&
				memcmp(a->val.numeric, b->val.numeric, VARSIZE_ANY(a->val.numeric)) == 0;
		case jbvBinary:
			return a->val.binary.len == b->val.binary.len &&
				memcmp(a->val.binary.data, b->val.binary.data, a->val.binary.len) == 0;
		default:
			elog(ERROR, "unexpected jsonb value type %d", (int) a->type);
	}
	return false;
}

/*
 * Are two JSON values equal?  Numbers by value, the order of members does not
 * count.
 */
bool
dx_value_equal(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type == jbvNumeric && b->type == jbvNumeric)
		return DatumGetBool(DirectFunctionCall2(numeric_eq,
												NumericGetDatum(a->val.numeric),
												NumericGetDatum(b->val.numeric)));
	if (a->type == jbvBinary && b->type == jbvBinary)
		return compareJsonbContainers(a->val.binary.data,
									  b->val.binary.data) == 0;
	return dx_value_same(a, b);
}

/*
 * A number as a double; what no double can hold becomes infinite.
 */
double
dx_value_double(const JsonbValue *value)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
											  NumericGetDatum(value->val.numeric)));
}

/*
 * A number as an integer, its fraction cut off as Java does.  false when the
 * value is no number, or beyond what a double holds exactly.
 */
bool
dx_value_int64(const JsonbValue *value, int64 *number)
{
	double		cut;

	if (value->type != jbvNumeric)
		return false;
	cut = trunc(dx_value_double(value));
	if (!(fabs(cut) <= MAX_INTEGER))
		return false;
	*number = (int64) cut;
	return true;
}

/*
 * The JSON text of a value, without blanks.
 */
char *
dx_value_compact(const JsonbValue *value)
{
	JsonbValue	copy = *value;

	return dx_json_compact(dx_json_from_value(&copy));
}

/*
 * The text of a value: of a string the string itself, else the JSON text.
 */
char *
dx_value_text(const JsonbValue *value)
{
	if (value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	return dx_value_compact(value);
}

/*
 * The JSON text of a document for a cause: not more than a person would read.
 */
const char *
dx_json_clip(const Jsonb *json)
{
	char	   *text;
	int			len;

	if (json == NULL)
		return "";
	text = dx_json_compact(json);
	len = strlen(text);
	if (len <= CLIP_BYTES)
		return text;
	text[pg_mbcliplen(text, len, CLIP_BYTES)] = '\0';
	return psprintf("%s...", text);
}

/*
 * Makes a string value.  text is not copied.
 */
void
dx_value_string(char *text, int len, JsonbValue *value)
{
	Assert(len >= 0);
	value->type = jbvString;
	value->val.string.val = text;
	value->val.string.len = len;
}

/*
 * Makes an integer value.
 */
void
dx_value_integer(int64 number, JsonbValue *value)
{
	value->type = jbvNumeric;
	value->val.numeric = int64_to_numeric(number);
}
