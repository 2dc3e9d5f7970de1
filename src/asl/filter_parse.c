/*-------------------------------------------------------------------------
 *
 * filter_parse.c
 *	  From the text of a filter, what stands between [? and ], to a DxFilter.
 *
 *		filter	:= "(" or ")"
 *		or		:= and { "||" and }
 *		and		:= unary { "&&" unary }
 *		unary	:= "!" unary | "(" or ")" | operand [ operator operand ]
 *		operand := path | string | number | true | false | null
 *				 | "[" operands "]" | "/" pattern "/" flags | text
 *
 * text stands without quotes, "[?(@.status == OPEN)]", as AWS takes it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/build.h"
#include "asl/eval.h"
#include "asl/filter.h"
#include "asl/path_parse.h"
#include "asl/value.h"
#include "catalog/pg_collation.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#define MAX_DEPTH	50
#define MAX_FILTERS	1000

/* Longer ones first: the first that fits is taken. */
static const struct
{
	const char *text;
	DxFilterOperator op;
}			operators[] =

{
	{"===", DX_FILTER_SAME},
	{"!==", DX_FILTER_NOT_SAME},
	{"==", DX_FILTER_EQ},
	{"!=", DX_FILTER_NE},
	{"<=", DX_FILTER_LE},
	{">=", DX_FILTER_GE},
	{"=~", DX_FILTER_REGEX},
	{"<", DX_FILTER_LT},
	{">", DX_FILTER_GT},
	{"subsetof", DX_FILTER_SUBSETOF},
	{"contains", DX_FILTER_CONTAINS},
	{"noneof", DX_FILTER_NONEOF},
	{"anyof", DX_FILTER_ANYOF},
	{"empty", DX_FILTER_EMPTY},
	{"size", DX_FILTER_SIZE},
	{"all", DX_FILTER_ALL},
	{"nin", DX_FILTER_NIN},
	{"in", DX_FILTER_IN}
};

static DxFilter *parse_or(DxPathParser *p);
static bool parse_literal(DxPathParser *p, JsonbValue *value);

/*
 * Takes a word if it stands here, after blanks.
 */
static bool
take(DxPathParser *p, const char *word)
{
	int			len = strlen(word);
	bool		letters = isalpha((unsigned char) word[0]);

	dx_parse_blanks(p);
	if (p->len - p->pos < len ||
		pg_strncasecmp(p->text + p->pos, word, len) != 0)
		return false;
	if (letters && p->len - p->pos > len &&
		(isalnum((unsigned char) p->text[p->pos + len]) ||
		 p->text[p->pos + len] == '_'))
		return false;
	p->pos += len;
	return true;
}

/*
 * A text without quotes: up to what ends an operand, blanks within it included.
 */
static bool
parse_bare_text(DxPathParser *p, JsonbValue *value)
{
	int			start = p->pos;
	int			end = start;

	while (dx_parse_peek(p) >= 0 && strchr("()[],&|!=<>~'\"@$", dx_parse_peek(p)) == NULL)
	{
		if (!isspace(dx_parse_peek(p)))
			end = p->pos + 1;
		p->pos++;
	}
	if (end == start)
		return dx_parse_fail(p, "expected a path, a text, a number, true, false or null");
	p->pos = end;
	dx_value_string(pnstrdup(p->text + start, end - start), end - start, value);
	return true;
}

/* A number at the present place, or text without quotes. */
static bool
parse_number_or_text(DxPathParser *p, JsonbValue *value)
{
	int			start = p->pos;

	while (dx_parse_peek(p) >= 0 && (isalnum(dx_parse_peek(p)) || strchr("+-.", dx_parse_peek(p)) != NULL))
		p->pos++;
	if (dx_json_parse(p->text + start, p->pos - start, value) &&
		value->type == jbvNumeric)
		return true;
	p->pos = start;
	return parse_bare_text(p, value);
}

/*
 * A list of constants.
 */
static bool
parse_list(DxPathParser *p, JsonbValue *value)
{
	JsonbValue *elements = palloc(sizeof(JsonbValue) * 4);
	int			nelements = 0;
	int			max = 4;

	if (!take(p, "]"))
	{
		do
		{
			if (nelements == max)
				elements = repalloc(elements, sizeof(JsonbValue) * (max *= 2));
			if (!parse_literal(p, &elements[nelements++]))
				return false;
		} while (take(p, ","));
		if (!take(p, "]"))
			return dx_parse_fail(p, "expected \"]\"");
	}
	dx_build_value(dx_build_array(elements, nelements), value);
	return true;
}

/* A constant, or a list of them. */
static bool
parse_literal(DxPathParser *p, JsonbValue *value)
{
	DxName		string;

	check_stack_depth();
	if (take(p, "["))
	{
		bool		ok;

		if (++p->depth > MAX_DEPTH)
			return dx_parse_fail(p, "nested too deeply");
		ok = parse_list(p, value);
		p->depth--;
		return ok;
	}
	if (dx_parse_peek(p) == '\'' || dx_parse_peek(p) == '"')
	{
		if (!dx_parse_quoted(p, &string))
			return false;
		dx_value_string(unconstify(char *, string.text), string.len, value);
		return true;
	}
	if (take(p, "null"))
	{
		value->type = jbvNull;
		return true;
	}
	value->type = jbvBool;
	if ((value->val.boolean = take(p, "true")) || take(p, "false"))
		return true;
	return parse_number_or_text(p, value);
}

/*
 * Finds out whether a pattern is a valid regular expression without an error
 * of the server if it is not.
 */
static bool
check_pattern(DxPathParser *p, const char *pattern, int len, int flags)
{
	pg_wchar   *wide = palloc(sizeof(pg_wchar) * (len + 1));
	int			wide_len = pg_mb2wchar_with_len(pattern, wide, len);
	regex_t		compiled;
	char		message[100];
	int			result;

	result = pg_regcomp(&compiled, wide, wide_len, flags, C_COLLATION_OID);
	if (result == REG_OKAY)
	{
		pg_regfree(&compiled);
		return true;
	}
	pg_regerror(result, &compiled, message, sizeof(message));
	return dx_parse_fail(p, "invalid regular expression: %s", message);
}

/*
 * /pattern/flags, which has to match a text from its beginning to its end.
 */
static bool
parse_pattern(DxPathParser *p, DxOperand *operand)
{
	StringInfoData pattern;
	int			c;

	p->pos++;
	initStringInfo(&pattern);
	appendStringInfoString(&pattern, "^(?:");
	while ((c = dx_parse_peek(p)) != '/')
	{
		if (c < 0)
			return dx_parse_fail(p, "a regular expression is not closed");
		if (c == '\\' && p->pos + 1 < p->len)
		{
			/* An escaped slash is a slash, every other escape stays. */
			p->pos++;
			if (dx_parse_peek(p) != '/')
				appendStringInfoChar(&pattern, '\\');
		}
		appendStringInfoChar(&pattern, p->text[p->pos++]);
	}
	p->pos++;
	appendStringInfoString(&pattern, ")$");

	operand->kind = DX_OPERAND_PATTERN;
	operand->flags = REG_ADVANCED;
	if (dx_parse_peek(p) == 'i')
	{
		operand->flags |= REG_ICASE;
		p->pos++;
	}
	operand->pattern = cstring_to_text_with_len(pattern.data, pattern.len);
	return check_pattern(p, pattern.data, pattern.len, operand->flags);
}

/* A path or a constant. */
static bool
parse_operand(DxPathParser *p, DxOperand *operand)
{
	dx_parse_blanks(p);
	switch (dx_parse_peek(p))
	{
		case '@':
		case '$':
			operand->kind = DX_OPERAND_PATH;
			operand->path = p->parse_path(p);
			return operand->path != NULL;
		case '/':
			return parse_pattern(p, operand);
		default:
			operand->kind = DX_OPERAND_VALUE;
			return parse_literal(p, &operand->value);
	}
}

/* A node of the filter's tree. */
static DxFilter *
make_filter(DxFilterKind kind, DxFilter *left, DxFilter *right)
{
	DxFilter   *filter = palloc0(sizeof(DxFilter));

	filter->kind = kind;
	filter->left = left;
	filter->right = right;
	return filter;
}

/*
 * Do the operands fit the operator?
 */
static bool
check_compare(DxPathParser *p, const DxFilter *filter)
{
	bool		pattern = filter->b.kind == DX_OPERAND_PATTERN;

	if (filter->a.kind == DX_OPERAND_PATTERN)
		return dx_parse_fail(p, "a regular expression stands on the right side of =~");
	if (pattern != (filter->op == DX_FILTER_REGEX))
		return dx_parse_fail(p, "=~ needs a regular expression on its right side");
	return true;
}

/* A comparison, or a path that has to be there. */
static DxFilter *
parse_test(DxPathParser *p)
{
	DxFilter   *filter = make_filter(DX_FILTER_EXISTS, NULL, NULL);

	if (!parse_operand(p, &filter->a))
		return NULL;
	for (int i = 0; i < (int) lengthof(operators); i++)
	{
		if (!take(p, operators[i].text))
			continue;
		filter->kind = DX_FILTER_COMPARE;
		filter->op = operators[i].op;
		if (!parse_operand(p, &filter->b) || !check_compare(p, filter))
			return NULL;
		return filter;
	}
	if (filter->a.kind == DX_OPERAND_PATH ||
		(filter->a.kind == DX_OPERAND_VALUE && filter->a.value.type == jbvBool))
		return filter;
	dx_parse_fail(p, "expected a comparison");
	return NULL;
}

/* What may stand between operators: a test, its negation, or parentheses. */
static DxFilter *
parse_unary(DxPathParser *p)
{
	DxFilter   *filter;

	check_stack_depth();
	if (++p->depth > MAX_DEPTH || ++p->nfilters > MAX_FILTERS)
	{
		dx_parse_fail(p, "the filter is too large");
		return NULL;
	}
	if (take(p, "!"))
	{
		filter = parse_unary(p);
		if (filter != NULL)
			filter = make_filter(DX_FILTER_NOT, filter, NULL);
	}
	else if (take(p, "("))
	{
		filter = parse_or(p);
		if (filter != NULL && !take(p, ")"))
		{
			dx_parse_fail(p, "expected \")\"");
			filter = NULL;
		}
	}
	else
		filter = parse_test(p);
	p->depth--;
	return filter;
}

/* Tests that are joined by &&, which binds more than ||. */
static DxFilter *
parse_and(DxPathParser *p)
{
	DxFilter   *left = parse_unary(p);

	while (left != NULL && take(p, "&&"))
	{
		DxFilter   *right = parse_unary(p);

		left = right ? make_filter(DX_FILTER_AND, left, right) : NULL;
	}
	return left;
}

/* A whole filter: what is joined by ||. */
static DxFilter *
parse_or(DxPathParser *p)
{
	DxFilter   *left = parse_and(p);

	while (left != NULL && take(p, "||"))
	{
		DxFilter   *right = parse_and(p);

		left = right ? make_filter(DX_FILTER_OR, left, right) : NULL;
	}
	return left;
}

/*
 * Parses a filter; the parser stands behind the "?".  NULL when it is not
 * valid.
 */
DxFilter *
dx_parse_filter(DxPathParser *p)
{
	DxFilter   *filter;

	dx_parse_blanks(p);
	if (dx_parse_peek(p) != '(')
	{
		dx_parse_fail(p, "expected \"(\"");
		return NULL;
	}
	p->depth++;
	filter = parse_unary(p);
	p->depth--;
	return filter;
}
