/*-------------------------------------------------------------------------
 *
 * intrinsic.c
 *	  Intrinsic functions: the parser, the table of functions, the call.
 *
 *		call	 := name "(" [ argument { "," argument } ] ")"
 *		argument := 'text' | number | true | false | null | path | call
 *
 * In a text \', \{, \} and \\ stand for the character itself; any other use of
 * a backslash is not valid, as AWS has it.  Only what AWS refuses when a
 * definition is created is refused here; the number of arguments and their
 * types are looked at when the function is called, and warned of before where
 * no data can make them right.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/eval.h"
#include "asl/fault.h"
#include "asl/intrinsic.h"
#include "asl/path_parse.h"
#include "asl/value.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/jsonb.h"

#define MAX_DEPTH	50

typedef struct CallParser
{
	const char *text;
	int			len;
	int			pos;
	int			depth;
	bool		uses_context;
	char	   *error;
} CallParser;

static const DxFunction functions[] =
{
	{"States.Array", 0, -1, dx_fn_array},
	{"States.ArrayContains", 2, 2, dx_fn_array_contains},
	{"States.ArrayGetItem", 2, 2, dx_fn_array_get_item},
	{"States.ArrayLength", 1, 1, dx_fn_array_length},
	{"States.ArrayPartition", 2, 2, dx_fn_array_partition},
	{"States.ArrayRange", 3, 3, dx_fn_array_range},
	{"States.ArrayUnique", 1, 1, dx_fn_array_unique},
	{"States.Base64Decode", 1, 1, dx_fn_base64_decode},
	{"States.Base64Encode", 1, 1, dx_fn_base64_encode},
	{"States.Format", 1, -1, dx_fn_format},
	{"States.Hash", 2, 2, dx_fn_hash},
	{"States.JsonMerge", 3, 3, dx_fn_json_merge},
	{"States.JsonToString", 1, 1, dx_fn_json_to_string},
	{"States.MathAdd", 2, 2, dx_fn_math_add},
	{"States.MathRandom", 2, 3, dx_fn_math_random},
	{"States.StringSplit", 2, 2, dx_fn_string_split},
	{"States.StringToJson", 1, 1, dx_fn_string_to_json},
	{"States.UUID", 0, 0, dx_fn_uuid}
};

/*
 * What each of these takes, an argument a letter: array, object, text, number,
 * * for anything.  The last goes for the rest.
 */
static const char *const takes[] =
{
	"*", "a*", "an", "a", "an", "n", "a", "t", "t", "t*", "*t", "oo*", "*", "n",
	"n", "t", "t", "*"
};

StaticAssertDecl(lengthof(takes) == lengthof(functions),
				 "each intrinsic function has its types");

static DxCall *parse_call(CallParser *p);

/* The next character, or -1 at the end. */
static int
peek(const CallParser *p)
{
	return p->pos < p->len ? (unsigned char) p->text[p->pos] : -1;
}

/* Goes on behind blanks. */
static void
skip_blanks(CallParser *p)
{
	int			c;

	while ((c = peek(p)) == ' ' || c == '\t' || c == '\n' || c == '\r')
		p->pos++;
}

/* Notes what is wrong; the first error is the one that is told. */
static bool
fail(CallParser *p, char *message)
{
	if (p->error == NULL)
		p->error = message;
	return false;
}

/*
 * A text between apostrophes.
 */
static bool
parse_string(CallParser *p, DxArgument *argument)
{
	StringInfoData out;
	int			start = ++p->pos;
	int			c;

	initStringInfo(&out);
	while ((c = peek(p)) != '\'')
	{
		if (c < 0)
			return fail(p, "a text is not closed by an apostrophe");
		p->pos++;
		if (c == '\\')
		{
			c = peek(p);
			if (c < 0 || strchr("'{}\\", c) == NULL)
				return fail(p, "a backslash can only stand before ', {, } and \\");
			p->pos++;
		}
		appendStringInfoChar(&out, (char) c);
	}
	argument->kind = DX_ARGUMENT_VALUE;
	argument->raw.text = p->text + start;
	argument->raw.len = p->pos - start;
	dx_value_string(pnstrdup(out.data, out.len), out.len, &argument->value);
	pfree(out.data);
	p->pos++;
	return true;
}

/*
 * A path goes on to the comma or parenthesis that is not part of it.
 */
static bool
parse_path(CallParser *p, DxArgument *argument)
{
	int			start = p->pos;
	int			nesting = 0;
	int			quote = 0;
	char	   *error = NULL;
	int			c;

	for (; (c = peek(p)) >= 0; p->pos++)
	{
		if (c == '\\' && p->pos + 1 < p->len)
			p->pos++;
		else if (quote)
			quote = c == quote ? 0 : quote;
		else if (nesting > 0 && (c == '\'' || c == '"'))
			quote = c;
		else if (c == '[' || c == '(')
			nesting++;
		else if (nesting > 0 && (c == ']' || c == ')'))
			nesting--;
		else if (nesting == 0 && (c == ',' || c == ')'))
			break;
	}

	argument->kind = DX_ARGUMENT_PATH;
	argument->path = dx_path_compile(pnstrdup(p->text + start, p->pos - start),
									 DX_PATH_ANY, &error);
	if (argument->path == NULL)
		return fail(p, psprintf("\"%s\" is not a valid path: %s",
								pnstrdup(p->text + start, p->pos - start),
								error));
	if (argument->path->root == DX_ROOT_CONTEXT)
		p->uses_context = true;
	return true;
}

/* An argument that is a number, true, false or null. */
static bool
parse_constant(CallParser *p, DxArgument *argument)
{
	int			start = p->pos;

	while (peek(p) >= 0 && (isalnum(peek(p)) || strchr("+-._", peek(p)) != NULL))
		p->pos++;
	argument->kind = DX_ARGUMENT_VALUE;
	if (p->pos > start &&
		dx_json_parse(p->text + start, p->pos - start, &argument->value))
		return true;
	return fail(p, "an argument has to be a text in apostrophes, a number, true, false, null, a path or a function call");
}

/* Any argument: a string, a path, a call, a constant. */
static bool
parse_argument(CallParser *p, DxArgument *argument)
{
	memset(argument, 0, sizeof(DxArgument));
	skip_blanks(p);
	if (peek(p) == '\'')
	{
		if (!parse_string(p, argument))
			return false;
	}
	else if (peek(p) == '$')
	{
		if (!parse_path(p, argument))
			return false;
	}
	else if (p->len - p->pos > 7 && memcmp(p->text + p->pos, "States.", 7) == 0)
	{
		argument->kind = DX_ARGUMENT_CALL;
		if ((argument->call = parse_call(p)) == NULL)
			return false;
	}
	else if (!parse_constant(p, argument))
		return false;
	skip_blanks(p);
	return true;
}

/* All arguments of a call, with the parenthesis that closes it. */
static bool
parse_arguments(CallParser *p, DxCall *call)
{
	int			max = 4;

	call->args = palloc(sizeof(DxArgument) * max);
	skip_blanks(p);
	if (peek(p) == ')')
	{
		p->pos++;
		return true;
	}
	for (;;)
	{
		if (call->nargs == max)
			call->args = repalloc(call->args, sizeof(DxArgument) * (max *= 2));
		if (!parse_argument(p, &call->args[call->nargs++]))
			return false;
		if (peek(p) != ',')
			break;
		p->pos++;
	}
	if (peek(p) != ')')
		return fail(p, "expected \",\" or \")\"");
	p->pos++;
	return true;
}

/* The function that is named here; an unknown one is an error. */
static const DxFunction *
parse_function(CallParser *p)
{
	int			start = p->pos;
	char	   *name;

	while (peek(p) >= 0 && (isalnum(peek(p)) || strchr("._", peek(p)) != NULL))
		p->pos++;
	name = pnstrdup(p->text + start, p->pos - start);
	if (peek(p) != '(')
	{
		fail(p, p->pos == start ?
			 "expected a path, or the name of an intrinsic function" :
			 psprintf("expected \"(\" right behind \"%s\"", name));
		return NULL;
	}
	p->pos++;
	for (int i = 0; i < (int) lengthof(functions); i++)
	{
		if (strcmp(functions[i].name, name) == 0)
			return &functions[i];
	}
	fail(p, psprintf("there is no intrinsic function \"%s\"", name));
	return NULL;
}

/* A call, which may hold others. */
static DxCall *
parse_call(CallParser *p)
{
	DxCall	   *call = palloc0(sizeof(DxCall));

	check_stack_depth();
	if (++p->depth > MAX_DEPTH)
	{
		fail(p, "intrinsic functions are nested too deeply");
		return NULL;
	}
	call->function = parse_function(p);
	if (call->function == NULL || !parse_arguments(p, call))
		return NULL;
	p->depth--;
	return call;
}

/*
 * Compiles the call of an intrinsic function; in CurrentMemoryContext.
 *
 * Returns NULL and sets *error when it is not valid.
 * Source: Amazon States Language, "Intrinsic Functions".
 */
DxCall *
dx_call_compile(const char *text, char **error)
{
	CallParser	p = {.text = pstrdup(text),.len = strlen(text)};
	DxCall	   *call = parse_call(&p);

	if (call != NULL)
	{
		skip_blanks(&p);
		if (p.pos < p.len)
		{
			fail(&p, "there is more text behind the function call");
			call = NULL;
		}
	}
	if (call == NULL)
	{
		*error = p.error;
		return NULL;
	}
	call->text = p.text;
	call->uses_context = p.uses_context;
	return call;
}

/* Is a literal of a type that its function never takes?  Which one it takes. */
static const char *
wrong_literal(const DxCall *call, int number)
{
	const char *types = takes[call->function - functions];
	char		type = types[Min(number, (int) strlen(types) - 1)];
	const DxArgument *argument = &call->args[number];

	if (argument->kind != DX_ARGUMENT_VALUE)
		return NULL;
	switch (type)
	{
		case 'a':
			return "an array";
		case 'o':
			return "an object";
		case 't':
			return argument->value.type == jbvString ? NULL : "a text";
		case 'n':
			return argument->value.type == jbvNumeric ? NULL : "a number";
		default:
			return NULL;
	}
}

/*
 * What makes a call fail whatever the data are: the number of its arguments, or
 * a literal of the wrong type.  NULL when nothing does.  AWS finds that only
 * when the function is called.
 */
char *
dx_call_doubt(const DxCall *call)
{
	const DxFunction *function = call->function;

	check_stack_depth();
	if (call->nargs < function->min_args ||
		(function->max_args >= 0 && call->nargs > function->max_args))
		return psprintf("%s always fails: it has %d arguments and takes %s%d", function->name,
						call->nargs, call->nargs < function->min_args &&
						function->max_args != function->min_args ? "at least " : "",
						call->nargs < function->min_args ? function->min_args : function->max_args);
	for (int i = 0; i < call->nargs; i++)
	{
		const char *right = wrong_literal(call, i);
		char	   *inner = call->args[i].kind == DX_ARGUMENT_CALL ?
		dx_call_doubt(call->args[i].call) : NULL;

		if (right != NULL)
			return psprintf("%s always fails: its argument %d has to be %s",
							function->name, i + 1, right);
		if (inner != NULL)
			return inner;
	}
	return NULL;
}

/* The value of a path that is an argument. False: a fault. */
static bool
eval_path(DxCallState *state, const DxPath *path, JsonbValue *value)
{
	DxMiss		miss;

	if (!dx_path_find(path, state->env, value, &miss, state->fault))
		return false;
	if (miss.kind == DX_MISS_NONE)
		return true;

	/* Not a failure of the function, and so it cannot be caught. */
	return dx_fault(state->fault, DX_ERROR_RUNTIME,
					"The function '%s' had the following error: The JsonPath argument for the field '%s' could not be found in the input '%s'",
					state->text, path->text, dx_json_clip(state->env->input));
}

/* The value of a call: arguments first. False: a fault. */
static bool
eval_call(DxCallState *state, const DxCall *call, JsonbValue *value)
{
	JsonbValue *args = palloc(sizeof(JsonbValue) * (call->nargs + 1));

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < call->nargs; i++)
	{
		const DxArgument *argument = &call->args[i];

		if (argument->kind == DX_ARGUMENT_VALUE)
			args[i] = argument->value;
		else if (argument->kind == DX_ARGUMENT_PATH)
		{
			if (!eval_path(state, argument->path, &args[i]))
				return false;
		}
		else if (!eval_call(state, argument->call, &args[i]))
			return false;
	}
	if (call->nargs < call->function->min_args ||
		(call->function->max_args >= 0 &&
		 call->nargs > call->function->max_args))
		return dx_call_invalid(state, call);
	return call->function->body(state, call, args, value);
}

/*
 * Calls an intrinsic function.
 *
 * Faults: States.IntrinsicFailure; States.Runtime when a path among the
 * arguments selects nothing, which is what AWS reports then.
 */
bool
dx_call_eval(const DxCall *call, DxEnv *env, JsonbValue *value,
			 DxFault *fault)
{
	DxCallState state = {call->text, env, fault};

	return eval_call(&state, call, value);
}
