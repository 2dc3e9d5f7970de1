/*-------------------------------------------------------------------------
 *
 * intrinsic_text.c
 *	  The intrinsic functions on texts: Format, StringSplit, Base64.
 *
 * Source: Amazon States Language, "Appendix B".
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/build.h"
#include "asl/intrinsic.h"
#include "asl/json.h"
#include "asl/value.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/jsonb.h"

#define MAX_BASE64	10000		/* characters, as AWS */

static void append_value(StringInfo out, const JsonbValue *value);

/*
 * An object or an array as AWS formats it: {a=1, b=[x, y]}.
 */
static void
append_container(StringInfo out, const JsonbValue *value)
{
	JsonbIterator *it = JsonbIteratorInit(value->val.binary.data);
	JsonbIteratorToken token;
	JsonbValue	child;
	bool		object = dx_value_is_object(value);
	bool		first = true;

	check_stack_depth();
	appendStringInfoChar(out, object ? '{' : '[');
	while ((token = JsonbIteratorNext(&it, &child, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token != WJB_KEY && token != WJB_VALUE && token != WJB_ELEM)
			continue;
		if (token != WJB_VALUE)
		{
			if (!first)
				appendStringInfoString(out, ", ");
			first = false;
		}
		append_value(out, &child);
		if (token == WJB_KEY)
			appendStringInfoChar(out, '=');
	}
	appendStringInfoChar(out, object ? '}' : ']');
}

/* A value as States.Format writes it: strings bare, all else as JSON. */
static void
append_value(StringInfo out, const JsonbValue *value)
{
	if (value->type == jbvString)
	{
		dx_build_count(value->val.string.len);
		appendBinaryStringInfo(out, value->val.string.val,
							   value->val.string.len);
	}
	else if (value->type == jbvBinary)
		append_container(out, value);
	else
		appendStringInfoString(out, dx_value_text(value));
}

/*
 * States.Format(template, ...)
 *
 * A template in the definition is looked at as it is written there, so that
 * an escaped brace differs from a placeholder.  In a template that comes out
 * of the data a backslash stands for itself, unless it is before a brace.
 */
bool
dx_fn_format(DxCallState *state, const DxCall *call, JsonbValue *args,
			 JsonbValue *result)
{
	bool		literal = call->args[0].raw.text != NULL;
	DxName		template;
	StringInfoData out;
	int			next = 1;

	if (args[0].type != jbvString)
		return dx_call_invalid(state, call);
	template = call->args[0].raw;
	if (!literal)
	{
		template.text = args[0].val.string.val;
		template.len = args[0].val.string.len;
	}

	initStringInfo(&out);
	for (int i = 0; i < template.len; i++)
	{
		char		c = template.text[i];
		char		following = i + 1 < template.len ? template.text[i + 1] : '\0';

		CHECK_FOR_INTERRUPTS();
		if (c == '\\' && (literal || following == '{' || following == '}'))
		{
			appendStringInfoChar(&out, following);
			i++;
		}
		else if (c == '{' && following == '}')
		{
			if (next >= call->nargs)
				return dx_call_invalid(state, call);
			append_value(&out, &args[next++]);
			i++;
		}
		else if (c == '{' || c == '}')
			return dx_call_fail(state, "matching '%c' not found for '%c'",
								c == '{' ? '}' : '{', c);
		else
			appendStringInfoChar(&out, c);
	}
	if (next != call->nargs)
		return dx_call_invalid(state, call);
	dx_value_string(out.data, out.len, result);
	return true;
}

/*
 * Is the character at text among those of set?
 */
static bool
is_in_set(const char *text, int len, const JsonbValue *set)
{
	const char *p = set->val.string.val;
	const char *end = p + set->val.string.len;

	while (p < end)
	{
		int			width = pg_mblen(p);

		if (width == len && memcmp(p, text, len) == 0)
			return true;
		p += width;
	}
	return false;
}

/*
 * States.StringSplit(text, characters): each of the characters divides, and as
 * recorded on AWS an empty piece is left out.
 */
bool
dx_fn_string_split(DxCallState *state, const DxCall *call, JsonbValue *args,
				   JsonbValue *result)
{
	JsonbValue *pieces;
	int			npieces = 0;
	int			max = 16;
	char	   *text;
	char	   *end;
	char	   *start;

	if (args[0].type != jbvString || args[1].type != jbvString)
		return dx_call_invalid(state, call);

	pieces = palloc(sizeof(JsonbValue) * max);
	text = start = args[0].val.string.val;
	end = text + args[0].val.string.len;
	for (;;)
	{
		int			width = text < end ? pg_mblen(text) : 0;

		CHECK_FOR_INTERRUPTS();
		if (text < end && !is_in_set(text, width, &args[1]))
		{
			text += width;
			continue;
		}
		if (text > start)
		{
			if (npieces == max)
			{
				dx_build_count(sizeof(JsonbValue) * max);
				pieces = repalloc_huge(pieces, sizeof(JsonbValue) * (max *= 2));
			}
			dx_value_string(start, text - start, &pieces[npieces++]);
		}
		if (text >= end)
			break;
		text += width;
		start = text;
	}
	dx_build_value(dx_build_array(pieces, npieces), result);
	return true;
}

static const char base64_digits[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/*
 * Is it a text that Base64Encode and Base64Decode take?
 */
static bool
fits_base64(const JsonbValue *value)
{
	return value->type == jbvString &&
		pg_mbstrlen_with_len(value->val.string.val,
							 value->val.string.len) <= MAX_BASE64;
}

/*
 * States.Base64Encode(text)
 */
bool
dx_fn_base64_encode(DxCallState *state, const DxCall *call, JsonbValue *args,
					JsonbValue *result)
{
	StringInfoData out;
	char	   *bytes;
	char	   *utf8;
	int			len;

	if (!fits_base64(&args[0]))
		return dx_call_invalid(state, call);
	bytes = pnstrdup(args[0].val.string.val, args[0].val.string.len);
	utf8 = pg_server_to_any(bytes, args[0].val.string.len, PG_UTF8);
	len = strlen(utf8);

	initStringInfo(&out);
	for (int i = 0; i < len; i += 3)
	{
		int			n = Min(len - i, 3);
		uint32		bits = 0;

		for (int j = 0; j < 3; j++)
			bits = (bits << 8) | (j < n ? (unsigned char) utf8[i + j] : 0);
		for (int j = 0; j < 4; j++)
			appendStringInfoChar(&out, j <= n ?
								 base64_digits[(bits >> (18 - 6 * j)) & 0x3F] : '=');
	}
	dx_value_string(out.data, out.len, result);
	return true;
}

/*
 * The value of a digit; -1 for what is none.  Both alphabets of RFC 4648.
 */
static int
base64_value(char c)
{
	const char *found;

	if (c == '-')
		c = '+';
	else if (c == '_')
		c = '/';
	found = c == '\0' ? NULL : strchr(base64_digits, c);
	return found ? found - base64_digits : -1;
}

/*
 * Bytes that are to be UTF-8: what is not becomes U+FFFD.  false when there
 * is a zero byte, which no text of the server can hold.
 */
static bool
repair_utf8(const char *bytes, int len, StringInfo out)
{
	for (int i = 0; i < len;)
	{
		int			width = pg_utf_mblen((const unsigned char *) bytes + i);

		if (bytes[i] == '\0')
			return false;
		if (i + width <= len &&
			pg_utf8_islegal((const unsigned char *) bytes + i, width))
			appendBinaryStringInfo(out, bytes + i, width);
		else
		{
			appendStringInfoString(out, "\xEF\xBF\xBD");
			width = 1;
		}
		i += width;
	}
	return true;
}

/*
 * States.Base64Decode(text)
 *
 * As recorded on AWS what is no digit is passed over, and the text ends at the
 * first "=".
 */
bool
dx_fn_base64_decode(DxCallState *state, const DxCall *call, JsonbValue *args,
					JsonbValue *result)
{
	StringInfoData bytes;
	StringInfoData out;
	uint32		bits = 0;
	int			nbits = 0;
	char	   *text;

	if (!fits_base64(&args[0]))
		return dx_call_invalid(state, call);

	initStringInfo(&bytes);
	for (int i = 0; i < args[0].val.string.len; i++)
	{
		char		c = args[0].val.string.val[i];
		int			digit = base64_value(c);

		if (c == '=')
			break;
		if (digit < 0)
			continue;
		bits = (bits << 6) | digit;
		nbits += 6;
		if (nbits >= 8)
		{
			nbits -= 8;
			appendStringInfoCharMacro(&bytes, (char) ((bits >> nbits) & 0xFF));
		}
	}

	initStringInfo(&out);
	if (!repair_utf8(bytes.data, bytes.len, &out))
		return dx_call_fail(state, "the decoded text holds the character U+0000");
	text = pg_any_to_server(out.data, out.len, PG_UTF8);
	dx_value_string(text, strlen(text), result);
	return true;
}
