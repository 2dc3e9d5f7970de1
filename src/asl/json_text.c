/*-------------------------------------------------------------------------
 *
 * json_text.c
 *	  From a JSON text (RFC 8259) to a value.
 *
 * The server's own parser reports a syntax error by ereport.  Here bad text
 * is an ordinary outcome, a fault of the language that Catch may see, and so
 * this parser returns false instead.  It also finds members that an object
 * has twice, of which jsonb keeps the last and says nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/build.h"
#include "asl/compile.h"
#include "asl/eval.h"
#include "asl/json.h"
#include "asl/problem.h"
#include "asl/unicode.h"
#include "asl/value.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#define MAX_DEPTH		1000
#define MAX_DIGITS		1000	/* of a number, and its largest exponent */

typedef struct Reader
{
	const char *text;
	int			len;
	int			pos;
	int			depth;
	JsonbParseState *state;
	DxProblems *problems;		/* gets members given twice; NULL: not looked
								 * for */
	const char *pointer;		/* of the value being read, with problems */
} Reader;

/* The name of a member, and where it stands. */
typedef struct FoundName
{
	const char *text;
	int			len;
	int			pos;
} FoundName;

static bool read_value(Reader *r, JsonbIteratorToken token);

/* The next character, or -1 at the end. */
static int
peek(const Reader *r)
{
	return r->pos < r->len ? (unsigned char) r->text[r->pos] : -1;
}

/* Goes on behind blanks. */
static void
skip_blanks(Reader *r)
{
	int			c;

	while ((c = peek(r)) == ' ' || c == '\t' || c == '\n' || c == '\r')
		r->pos++;
}

/* Takes this character, if it is the next behind blanks. */
static bool
accept(Reader *r, char c)
{
	skip_blanks(r);
	if (peek(r) != (unsigned char) c)
		return false;
	r->pos++;
	return true;
}

/* What stands behind a backslash. */
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

/* A string, if one begins here and is well formed. */
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

/* Goes on behind digits; how many there were. */
static int
skip_digits(Reader *r)
{
	int			start = r->pos;

	while (peek(r) >= '0' && peek(r) <= '9')
		r->pos++;
	return r->pos - start;
}

/* A number, as JSON writes it. */
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

/* Takes this word, if it stands here. */
static bool
read_word(Reader *r, const char *word)
{
	int			len = strlen(word);

	if (r->len - r->pos < len || memcmp(r->text + r->pos, word, len) != 0)
		return false;
	r->pos += len;
	return true;
}

/* A value that is no container. */
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

/* Line and column of a place in a text, both from 1. */
static void
locate(const char *text, int pos, int *line, int *column)
{
	const char *start = text;

	*line = 1;
	for (const char *p = text; p < text + pos; p++)
	{
		if (*p != '\n')
			continue;
		(*line)++;
		start = p + 1;
	}
	*column = pg_mbstrlen_with_len(start, text + pos - start) + 1;
}

/* For qsort: names of members, and equal ones by place. */
static int
compare_names(const void *left, const void *right)
{
	const FoundName *a = left;
	const FoundName *b = right;
	int			cmp = a->len != b->len ? (a->len < b->len ? -1 : 1) :
	memcmp(a->text, b->text, a->len);

	return cmp != 0 ? cmp : a->pos - b->pos;
}

/* Reports the members of an object that are there already. */
static void
report_twice(Reader *r, FoundName *names, int n)
{
	qsort(names, n, sizeof(FoundName), compare_names);
	for (int i = 1; i < n; i++)
	{
		const char *name;
		int			line;
		int			column;

		CHECK_FOR_INTERRUPTS();
		if (names[i].len != names[i - 1].len ||
			memcmp(names[i].text, names[i - 1].text, names[i].len) != 0)
			continue;
		name = pnstrdup(names[i].text, names[i].len);
		locate(r->text, names[i].pos, &line, &column);
		dx_problem(r->problems, dx_pointer_child(r->pointer, name), DX_P_DUPLICATE_MEMBER,
				   "Only the last would count. Give it once.",
				   "\"%s\" is given more than once: again at line %d, column %d",
				   dx_clip(name), line, column);
	}
}

/* A value within the one at pointer, at a place that place says. */
static bool
read_within(Reader *r, JsonbIteratorToken token, const char *name, int item)
{
	const char *pointer = r->pointer;
	bool		good;

	if (r->problems != NULL)
		r->pointer = name ? dx_pointer_child(pointer, name) : dx_pointer_item(pointer, item);
	good = read_value(r, token);
	r->pointer = pointer;
	return good;
}

/* A member; its name is noted if they are looked at. */
static bool
read_member(Reader *r, FoundName **names, int *n, int *allocated)
{
	JsonbValue	key;
	int			pos;

	skip_blanks(r);
	pos = r->pos;
	if (!read_string(r, &key) || !accept(r, ':'))
		return false;
	pushJsonbValue(&r->state, WJB_KEY, &key);
	if (r->problems == NULL)
		return read_value(r, WJB_VALUE);
	if (*n == *allocated)
	{
		*allocated = Max(*allocated * 2, 8);
		*names = *names == NULL ? palloc(sizeof(FoundName) * *allocated) :
			repalloc_huge(*names, sizeof(FoundName) * (Size) *allocated);
	}
	(*names)[*n].text = key.val.string.val;
	(*names)[*n].len = key.val.string.len;
	(*names)[(*n)++].pos = pos;
	return read_within(r, WJB_VALUE, pnstrdup(key.val.string.val, key.val.string.len), 0);
}

/* The members of an object, behind its brace. */
static bool
read_object(Reader *r)
{
	FoundName  *names = NULL;
	int			allocated = 0;
	int			n = 0;

	pushJsonbValue(&r->state, WJB_BEGIN_OBJECT, NULL);
	if (accept(r, '}'))
		return true;
	do
	{
		if (!read_member(r, &names, &n, &allocated))
			return false;
	} while (accept(r, ','));
	if (n > 1)
		report_twice(r, names, n);
	return accept(r, '}');
}

/* The elements of an array, behind its bracket. */
static bool
read_array(Reader *r)
{
	int			item = 0;

	pushJsonbValue(&r->state, WJB_BEGIN_ARRAY, NULL);
	if (accept(r, ']'))
		return true;
	do
	{
		if (!read_within(r, WJB_ELEM, NULL, item++))
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

/* One value, inside an array, so that a scalar needs no path of its own. */
static Jsonb *
read_text(Reader *r)
{
	pushJsonbValue(&r->state, WJB_BEGIN_ARRAY, NULL);
	if (!read_value(r, WJB_ELEM))
		return NULL;
	skip_blanks(r);
	if (r->pos != r->len)
		return NULL;
	return JsonbValueToJsonb(pushJsonbValue(&r->state, WJB_END_ARRAY, NULL));
}

/*
 * Parses a JSON text.  false when it is none, or when it is beyond what the
 * engine takes in (nesting, size of a number, the character U+0000).
 */
bool
dx_json_parse(const char *text, int len, JsonbValue *value)
{
	Reader		r = {.text = text,.len = len};
	Jsonb	   *root = read_text(&r);
	JsonbValue *elements;

	if (root == NULL)
		return false;
	dx_json_to_value(root, value);
	(void) dx_take_elements(value, &elements);
	*value = elements[0];
	return true;
}

/*
 * Reads the text of a definition.  Whatever jsonb would pass over is a
 * problem: members given twice.  NULL, with a problem that says where, when it
 * is no JSON, or beyond what the engine takes in.
 */
Jsonb *
dx_definition_read(const char *text, int len, DxProblems *problems)
{
	Reader		r = {.text = text,.len = len,.problems = problems,.pointer = ""};
	Jsonb	   *root = read_text(&r);
	int			line;
	int			column;

	if (root != NULL)
		return dx_json_from_value(getIthJsonbValueFromContainer(&root->root, 0));
	locate(text, Min(r.pos, len), &line, &column);
	dx_problem(problems, "", DX_P_NO_JSON, NULL,
			   r.depth > MAX_DEPTH ?
			   "the text is nested too deeply at line %d, column %d" :
			   r.pos >= len ? "the text is no JSON: it ends too early, at line %d, column %d" :
			   "the text is no JSON from line %d, column %d on", line, column);
	return NULL;
}
