/*-------------------------------------------------------------------------
 *
 * path_parse.c
 *	  From the text of a path to a DxPath.
 *
 * The syntax is that of JSONPath as Jayway defines it, which is what the
 * specification of the language names: child, quoted child, several children,
 * wildcard, index, several indexes, slice, filter, recursive descent, and a
 * function at the end.  A name after a dot may hold escapes, as in the
 * examples of the specification: $.foo\@bar.baz\[\[.\?pretty
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/build.h"
#include "asl/path_parse.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#define MAX_INDEX_DIGITS	9
#define MAX_STEPS			1000

/* What has no place in a reference path, unless it is escaped. */
#define OPERATORS			"@,:?*"

typedef struct StepList
{
	DxStep	   *steps;
	int			nsteps;
	int			max_steps;
	bool		operators;		/* a name after a dot holds one of OPERATORS */
} StepList;

static const struct
{
	const char *name;
	DxPathFunction function;
}			path_functions[] =

{
	{"length", DX_FUNCTION_LENGTH},
	{"size", DX_FUNCTION_LENGTH},
	{"min", DX_FUNCTION_MIN},
	{"max", DX_FUNCTION_MAX},
	{"sum", DX_FUNCTION_SUM},
	{"avg", DX_FUNCTION_AVG},
	{"stddev", DX_FUNCTION_STDDEV},
	{"keys", DX_FUNCTION_KEYS},
	{"first", DX_FUNCTION_FIRST},
	{"last", DX_FUNCTION_LAST}
};

/* One more step of the path, zeroed. */
static DxStep *
add_step(StepList *list, DxStepKind kind)
{
	DxStep	   *step;

	if (list->nsteps == list->max_steps)
	{
		list->max_steps = list->max_steps == 0 ? 4 : list->max_steps * 2;
		list->steps = list->steps == NULL ?
			palloc(sizeof(DxStep) * list->max_steps) :
			repalloc(list->steps, sizeof(DxStep) * list->max_steps);
	}
	step = &list->steps[list->nsteps++];
	memset(step, 0, sizeof(DxStep));
	step->kind = kind;
	return step;
}

/*
 * Does a name after a dot end here?
 */
static bool
ends_name(const DxPathParser *p, int c)
{
	if (c < 0 || c == '.' || c == '[' || c == '(')
		return true;
	return p->depth > 0 && (dx_parse_is_blank(c) || strchr(")<>=~!&|,]", c) != NULL);
}

/* A function at the end of a path, behind its opening parenthesis. */
static bool
parse_function(DxPathParser *p, StepList *list, const char *name)
{
	for (int i = 0; i < (int) lengthof(path_functions); i++)
	{
		if (strcmp(name, path_functions[i].name) != 0)
			continue;
		p->pos++;
		if (!dx_parse_expect(p, ')'))
			return false;
		add_step(list, DX_STEP_FUNCTION)->function = path_functions[i].function;
		if (dx_parse_peek(p) == '.' || dx_parse_peek(p) == '[')
			return dx_parse_fail(p, "nothing can follow the function %s()", name);
		return true;
	}
	return dx_parse_fail(p, "there is no path function %s()", name);
}

/*
 * A name after a dot, or a function.
 */
static bool
parse_name(DxPathParser *p, StepList *list)
{
	StringInfoData out;
	DxStep	   *step;
	int			c;

	initStringInfo(&out);
	while (!ends_name(p, c = dx_parse_peek(p)))
	{
		if (dx_parse_is_blank(c))
			return dx_parse_fail(p, "a name with a blank has to stand in [' ']");
		p->pos++;
		if (c == '\\')
		{
			c = dx_parse_peek(p);
			if (c < 0)
				return dx_parse_fail(p, "a backslash ends the path");
			p->pos++;
			if (c == 'u')
			{
				if (!dx_parse_unicode(p, &out))
					return false;
				continue;
			}
		}
		else if (strchr(OPERATORS, c) != NULL)
			list->operators = true;
		appendStringInfoChar(&out, (char) c);
	}

	if (out.len == 0)
		return dx_parse_fail(p, "expected a name");
	if (c == '(')
		return parse_function(p, list, out.data);

	step = add_step(list, DX_STEP_MEMBER);
	step->nnames = 1;
	step->names = palloc(sizeof(DxName));
	step->names[0].text = pnstrdup(out.data, out.len);
	step->names[0].len = out.len;
	pfree(out.data);
	return true;
}

/*
 * An optional integer.  *given tells whether there was one.
 */
static bool
parse_integer(DxPathParser *p, int *number, bool *given)
{
	bool		negative;
	int			digits = 0;

	dx_parse_blanks(p);
	negative = dx_parse_accept(p, '-');
	*number = 0;
	while (dx_parse_peek(p) >= '0' && dx_parse_peek(p) <= '9')
	{
		if (++digits > MAX_INDEX_DIGITS)
			return dx_parse_fail(p, "an index has at most %d digits",
								 MAX_INDEX_DIGITS);
		*number = *number * 10 + (p->text[p->pos++] - '0');
	}
	*given = digits > 0;
	if (negative)
	{
		if (digits == 0)
			return dx_parse_fail(p, "expected a number");
		*number = -*number;
	}
	dx_parse_blanks(p);
	return true;
}

/* What stands between brackets with a colon; from was read already. */
static bool
parse_slice(DxPathParser *p, StepList *list, bool has_from, int from)
{
	DxStep	   *step = add_step(list, DX_STEP_SLICE);
	int			number;
	bool		given;

	step->has_from = has_from;
	step->from = from;
	step->step = 1;
	if (!parse_integer(p, &step->to, &step->has_to))
		return false;
	if (dx_parse_accept(p, ':'))
	{
		if (!parse_integer(p, &number, &given))
			return false;
		if (given && number == 0)
			return dx_parse_fail(p, "the step of a slice cannot be 0");
		if (given)
			step->step = number;
	}
	return dx_parse_expect(p, ']');
}

/*
 * [1], [1,2], [1:2], [:2], [1:]
 */
static bool
parse_indexes(DxPathParser *p, StepList *list)
{
	DxStep	   *step;
	int			number;
	bool		given;
	int			max = 4;

	if (!parse_integer(p, &number, &given))
		return false;
	if (dx_parse_accept(p, ':'))
		return parse_slice(p, list, given, number);
	if (!given)
		return dx_parse_fail(p, "expected a number, a quoted name, *, ? or (");

	step = add_step(list, DX_STEP_INDEX);
	step->indexes = palloc(sizeof(int) * max);
	step->indexes[step->nindexes++] = number;
	while (dx_parse_accept(p, ','))
	{
		if (!parse_integer(p, &number, &given))
			return false;
		if (!given)
			return dx_parse_fail(p, "expected a number");
		if (step->nindexes == max)
			step->indexes = repalloc(step->indexes, sizeof(int) * (max *= 2));
		step->indexes[step->nindexes++] = number;
		step->kind = DX_STEP_INDEXES;
	}
	return dx_parse_expect(p, ']');
}

/*
 * ['a'] or ['a','b']
 */
static bool
parse_names(DxPathParser *p, StepList *list)
{
	DxStep	   *step = add_step(list, DX_STEP_MEMBER);
	int			max = 4;

	step->names = palloc(sizeof(DxName) * max);
	do
	{
		dx_parse_blanks(p);
		if (dx_parse_peek(p) != '\'' && dx_parse_peek(p) != '"')
			return dx_parse_fail(p, "expected a quoted name");
		if (step->nnames == max)
			step->names = repalloc(step->names, sizeof(DxName) * (max *= 2));
		if (!dx_parse_quoted(p, &step->names[step->nnames]))
			return false;
		if (++step->nnames > 1)
			step->kind = DX_STEP_MEMBERS;
		dx_parse_blanks(p);
	} while (dx_parse_accept(p, ','));
	return dx_parse_expect(p, ']');
}

/*
 * [(@.length-1)]: an index from the end.
 */
static bool
parse_computed(DxPathParser *p, StepList *list)
{
	static const char *const head = "@.length";
	int			len = strlen(head);
	DxStep	   *step;
	int			number;
	bool		given;

	p->pos++;
	dx_parse_blanks(p);
	if (p->len - p->pos < len || memcmp(p->text + p->pos, head, len) != 0)
		return dx_parse_fail(p, "expected %s", head);
	p->pos += len;
	dx_parse_blanks(p);
	if (!dx_parse_expect(p, '-') || !parse_integer(p, &number, &given))
		return false;
	if (!given || number <= 0)
		return dx_parse_fail(p, "expected a positive number");
	if (!dx_parse_expect(p, ')') || !dx_parse_expect(p, ']'))
		return false;

	step = add_step(list, DX_STEP_INDEX);
	step->computed = true;
	step->nindexes = 1;
	step->indexes = palloc(sizeof(int));
	step->indexes[0] = -number;
	return true;
}

/* A step in brackets: names, numbers, a slice, all, or a filter. */
static bool
parse_bracket(DxPathParser *p, StepList *list)
{
	DxFilter   *filter;

	p->pos++;
	dx_parse_blanks(p);
	switch (dx_parse_peek(p))
	{
		case '\'':
		case '"':
			return parse_names(p, list);
		case '*':
			p->pos++;
			add_step(list, DX_STEP_WILDCARD);
			return dx_parse_expect(p, ']');
		case '?':
			p->pos++;
			if ((filter = dx_parse_filter(p)) == NULL)
				return false;
			add_step(list, DX_STEP_FILTER)->filter = filter;
			return dx_parse_expect(p, ']');
		case '(':
			return parse_computed(p, list);
		default:
			return parse_indexes(p, list);
	}
}

/* A step behind a dot or in brackets. */
static bool
parse_step(DxPathParser *p, StepList *list)
{
	if (dx_parse_accept(p, '.'))
	{
		if (dx_parse_accept(p, '.'))
			add_step(list, DX_STEP_SCAN);
		if (dx_parse_peek(p) == '*')
		{
			p->pos++;
			add_step(list, DX_STEP_WILDCARD);
			return true;
		}
		if (dx_parse_peek(p) != '[')
			return parse_name(p, list);
	}
	return parse_bracket(p, list);
}

/*
 * Is there one value at most that these steps can select?
 */
static bool
is_definite(const StepList *list)
{
	for (int i = 0; i < list->nsteps; i++)
	{
		bool		last = i == list->nsteps - 1;

		switch (list->steps[i].kind)
		{
			case DX_STEP_MEMBER:
			case DX_STEP_INDEX:
				break;
			case DX_STEP_MEMBERS:
				/* At the end they are merged into one object. */
				if (!last)
					return false;
				break;
			case DX_STEP_FUNCTION:
				return true;
			default:
				if (!(i + 1 < list->nsteps &&
					  list->steps[list->nsteps - 1].kind == DX_STEP_FUNCTION))
					return false;
				break;
		}
	}
	return true;
}

/* Letters of all languages and "_", then digits as well. */
static void
parse_variable(DxPathParser *p, DxPath *path)
{
	int			start = p->pos;

	while (dx_parse_peek(p) >= 0 &&
		   (isalnum(dx_parse_peek(p)) || dx_parse_peek(p) == '_' || IS_HIGHBIT_SET(dx_parse_peek(p))))
		p->pos++;
	path->root = DX_ROOT_VARIABLE;
	path->variable.len = p->pos - start;
	path->variable.text = pnstrdup(p->text + start, path->variable.len);
}

/* What the path begins with; @ only inside of a filter. */
static bool
parse_root(DxPathParser *p, DxPath *path)
{
	int			c;

	if (p->depth > 0 && dx_parse_accept(p, '@'))
	{
		path->root = DX_ROOT_ITEM;
		return true;
	}
	if (!dx_parse_accept(p, '$'))
		return dx_parse_fail(p, "a path has to begin with \"$\"");
	path->root = DX_ROOT_INPUT;
	if (p->depth > 0)
		return true;
	c = dx_parse_peek(p);
	if (dx_parse_accept(p, '$'))
		path->root = DX_ROOT_CONTEXT;
	else if (c >= 0 && (isalpha(c) || c == '_' || IS_HIGHBIT_SET(c)))
		parse_variable(p, path);
	return true;
}

/*
 * A path from the present place; NULL when it is none. It may stand in a
 * filter of another.
 */
static DxPath *
parse_path(DxPathParser *p, StepList *list)
{
	DxPath	   *path = palloc0(sizeof(DxPath));
	int			start = p->pos;

	check_stack_depth();
	if (!parse_root(p, path))
		return NULL;
	while (dx_parse_peek(p) == '.' || dx_parse_peek(p) == '[')
	{
		if (!parse_step(p, list))
			return NULL;
		if (list->nsteps > MAX_STEPS)
		{
			dx_parse_fail(p, "a path has at most %d steps", MAX_STEPS);
			return NULL;
		}
	}
	path->text = pnstrdup(p->text + start, p->pos - start);
	path->nsteps = list->nsteps;
	path->steps = list->steps;
	path->definite = is_definite(list);
	return path;
}

/* A path inside of a filter; the parser stops behind it. */
static DxPath *
parse_inner_path(DxPathParser *p)
{
	StepList	list = {0};

	return parse_path(p, &list);
}

/* A reference path selects one place: most kinds of steps are refused. */
static bool
check_reference(DxPathParser *p, const StepList *list)
{
	for (int i = 0; i < list->nsteps; i++)
	{
		const DxStep *step = &list->steps[i];

		if ((step->kind != DX_STEP_MEMBER && step->kind != DX_STEP_INDEX) ||
			step->computed)
		{
			p->error = "it has to select exactly one node: *, .., @, ?, \",\", \":\" and functions cannot be used";
			return false;
		}
	}
	if (list->operators)
		p->error = "@, \",\", \":\", ? and * have to be escaped with a backslash, or the name to stand in [' ']";
	return p->error == NULL;
}

/*
 * Compiles a Path or a ReferencePath; in CurrentMemoryContext.
 *
 * Returns NULL and sets *error when the text is not valid.  Blanks around the
 * path do not count.  The rest of it is not looked at: whether a variable
 * exists, or $$ may be used here, is the caller's to say.
 *
 * Source: Amazon States Language, "Paths" and "Reference Paths".
 */
DxPath *
dx_path_compile(const char *text, DxPathUse use, char **error)
{
	DxPathParser p = {0};
	StepList	list = {0};
	DxPath	   *path;

	while (dx_parse_is_blank((unsigned char) *text))
		text++;
	p.text = text;
	p.len = strlen(text);
	p.parse_path = parse_inner_path;
	while (p.len > 0 && dx_parse_is_blank((unsigned char) text[p.len - 1]))
		p.len--;

	path = parse_path(&p, &list);
	if (path != NULL && p.pos < p.len)
	{
		dx_parse_fail(&p, "expected \".\" or \"[\"");
		path = NULL;
	}
	if (path != NULL && use == DX_PATH_REFERENCE &&
		!check_reference(&p, &list))
		path = NULL;
	if (path == NULL)
		*error = p.error;
	return path;
}

/*
 * Is it "$"?
 */
bool
dx_path_is_whole(const DxPath *path)
{
	return path->root == DX_ROOT_INPUT && path->nsteps == 0;
}

/*
 * The path as written, without blanks around it.
 */
const char *
dx_path_text(const DxPath *path)
{
	return path->text;
}
