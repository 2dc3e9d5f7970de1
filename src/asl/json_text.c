/*-------------------------------------------------------------------------
 *
 * json_text.c
 *	  From a JSON text (RFC 8259) to a value.
 *
 * The server's own parser reports a syntax error by ereport.  Here bad text
 * is an ordinary outcome, a fault of the language that Catch may see, and so
 * this parser returns false instead.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "asl/eval.h"

#define MAX_DEPTH		1000
#define MAX_DIGITS		1000	/* of a number, and its largest exponent */

typedef struct Reader
{
	const char *text;
	int			len;
	int			pos;
	int			depth;
	JsonbParseState *state;
} Reader;

static bool read_value(Reader *r, JsonbIteratorToken token);

static int
peek(const Reader *r)
{
	return r->pos < r->len ? (unsigned char) r->text[r->pos] : -1;
}

static void
skip_blanks(Reader *r)
{
	int			c;

	while ((c = peek(r)) == ' ' || c == '\t' || c == '\n' || c == '\r')
		r->pos++;
}

static bool
accept(Reader *r, char c)
{
	skip_blanks(r);
	if (peek(r) != (unsigned char) c)
		return false;
	r->pos++;
	return true;
}

static bool
read_escape(Reader *r, StringInfo out)
{
	static const char *const plain = "\"\\/bfnrt";
	static const char *const meaning = "\"\\/\b\f\n\r\t";
	int			c = peek(r);
	const char *found;

	if (c <= 0)
		return false;
	r->pos++;
	if (c == 'u')
		return dx_take_unicode(r->text, r->len, &r->pos, out) == NULL;
	found = strchr(plain, c);
	if (found == NULL)
		return false;
	appendStringInfoChar(out, meaning[found - plain]);
	return true;
}

static bool
read_string(Reader *r, JsonbValue *value)
{
	StringInfoData out;

	if (!accept(r, '"'))
		return false;
	initStringInfo(&out);
	for (;;)
	{
		int			start = r->pos;
		int			c;

		CHECK_FOR_INTERRUPTS();
		while ((c = peek(r)) >= ' ' && c != '"' && c != '\\')
			r->pos++;
		appendBinaryStringInfo(&out, r->text + start, r->pos - start);
		if (c == '"')
			break;
		if (c != '\\')
			return false;
		r->pos++;
		if (!read_escape(r, &out))
			return false;
	}
	r->pos++;
	dx_value_string(out.data, out.len, value);
	return true;
}

static int
skip_digits(Reader *r)
{
	int			start = r->pos;

	while (peek(r) >= '0' && peek(r) <= '9')
		r->pos++;
	return r->pos - start;
}

static bool
read_number(Reader *r, JsonbValue *value)
{
	int			start = r->pos;
	int			digits;
	char	   *text;

	if (peek(r) == '-')
		r->pos++;
	if (peek(r) == '0')
	{
		r->pos++;
		digits = 1;
	}
	else if ((digits = skip_digits(r)) == 0)
		return false;
	if (peek(r) == '.')
	{
		int			fraction;

		r->pos++;
		if ((fraction = skip_digits(r)) == 0)
			return false;
		digits += fraction;
	}
	if (peek(r) == 'e' || peek(r) == 'E')
	{
		int			mark;

		r->pos++;
		if (peek(r) == '+' || peek(r) == '-')
			r->pos++;
		mark = r->pos;
		if (skip_digits(r) == 0 || r->pos - mark > 6 ||
			atoi(pnstrdup(r->text + mark, r->pos - mark)) > MAX_DIGITS)
			return false;
	}
	if (digits > MAX_DIGITS)
		return false;

	text = pnstrdup(r->text + start, r->pos - start);
	value->type = jbvNumeric;
	value->val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in,
															 CStringGetDatum(text),
															 ObjectIdGetDatum(InvalidOid),
															 Int32GetDatum(-1)));
	return true;
}

static bool
read_word(Reader *r, const char *word)
{
	int			len = strlen(word);

	if (r->len - r->pos < len || memcmp(r->text + r->pos, word, len) != 0)
		return false;
	r->pos += len;
	return true;
}

static bool
read_scalar(Reader *r, JsonbValue *value)
{
	skip_blanks(r);
	switch (peek(r))
	{
		case '"':
			return read_string(r, value);
		case 't':
		case 'f':
			value->type = jbvBool;
			value->val.boolean = peek(r) == 't';
			return read_word(r, value->val.boolean ? "true" : "false");
		case 'n':
			value->type = jbvNull;
			return read_word(r, "null");
		default:
			return read_number(r, value);
	}
}

static bool
read_object(Reader *r)
{
	JsonbValue	key;

	pushJsonbValue(&r->state, WJB_BEGIN_OBJECT, NULL);
	if (accept(r, '}'))
		return true;
	do
	{
		if (!read_string(r, &key) || !accept(r, ':'))
			return false;
		pushJsonbValue(&r->state, WJB_KEY, &key);
		if (!read_value(r, WJB_VALUE))
			return false;
	} while (accept(r, ','));
	return accept(r, '}');
}

static bool
read_array(Reader *r)
{
	pushJsonbValue(&r->state, WJB_BEGIN_ARRAY, NULL);
	if (accept(r, ']'))
		return true;
	do
	{
		if (!read_value(r, WJB_ELEM))
			return false;
	} while (accept(r, ','));
	return accept(r, ']');
}

/*
 * Reads a value into the container that is open.
 */
static bool
read_value(Reader *r, JsonbIteratorToken token)
{
	JsonbValue	value;
	bool		object;

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();

	object = accept(r, '{');
	if (object || accept(r, '['))
	{
		if (++r->depth > MAX_DEPTH ||
			!(object ? read_object(r) : read_array(r)))
			return false;
		r->depth--;
		pushJsonbValue(&r->state, object ? WJB_END_OBJECT : WJB_END_ARRAY, NULL);
		return true;
	}
	if (!read_scalar(r, &value))
		return false;
	pushJsonbValue(&r->state, token, &value);
	return true;
}

/*
 * Parses a JSON text.  false when it is none, or when it is beyond what the
 * engine takes in (nesting, size of a number, the character U+0000).
 */
bool
dx_json_parse(const char *text, int len, JsonbValue *value)
{
	Reader		r = {.text = text,.len = len};
	JsonbValue *root;
	JsonbValue *elements;

	/* Inside an array, so that a scalar needs no path of its own. */
	pushJsonbValue(&r.state, WJB_BEGIN_ARRAY, NULL);
	if (!read_value(&r, WJB_ELEM))
		return false;
	skip_blanks(&r);
	if (r.pos != r.len)
		return false;
	root = pushJsonbValue(&r.state, WJB_END_ARRAY, NULL);

	dx_json_to_value(JsonbValueToJsonb(root), value);
	(void) dx_take_elements(value, &elements);
	*value = elements[0];
	return true;
}
