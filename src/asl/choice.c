/*-------------------------------------------------------------------------
 *
 * choice.c
 *	  Choice rules of the JSONPath language: the compiler and the evaluator.
 *
 * A comparison of values of other types than the operator's is false.  A
 * path that selects nothing fails the state, but for IsPresent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/build.h"
#include "asl/choice.h"
#include "asl/compile.h"
#include "asl/eval.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "asl/problem.h"
#include "asl/timestamp.h"
#include "asl/value.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

typedef enum RuleKind
{
	RULE_AND,
	RULE_OR,
	RULE_NOT,
	RULE_TEST
} RuleKind;

typedef enum TestFamily
{
	TEST_STRING,
	TEST_MATCHES,
	TEST_NUMERIC,
	TEST_BOOLEAN,
	TEST_TIMESTAMP,
	TEST_IS_NULL,
	TEST_IS_PRESENT,
	TEST_IS_NUMERIC,
	TEST_IS_STRING,
	TEST_IS_BOOLEAN,
	TEST_IS_TIMESTAMP
} TestFamily;

/* Which orders satisfy a comparison. */
#define ORDER_LESS		1
#define ORDER_EQUAL		2
#define ORDER_GREATER	4

typedef struct Operator
{
	const char *name;
	TestFamily	family;
	int			orders;
	bool		path;			/* the operand is a path */
} Operator;

struct DxRule
{
	RuleKind	kind;
	int			nrules;			/* of And, Or and Not */
	DxRule	  **rules;
	const Operator *op;
	DxPath	   *variable;
	DxPath	   *operand_path;
	JsonbValue	operand;
	TimestampTz timestamp;
};

#define COMPARISON(name, family, orders) \
	{name, family, orders, false}, {name "Path", family, orders, true}
#define COMPARISONS(prefix, family) \
	COMPARISON(prefix "Equals", family, ORDER_EQUAL), \
	COMPARISON(prefix "LessThan", family, ORDER_LESS), \
	COMPARISON(prefix "GreaterThan", family, ORDER_GREATER), \
	COMPARISON(prefix "LessThanEquals", family, ORDER_LESS | ORDER_EQUAL), \
	COMPARISON(prefix "GreaterThanEquals", family, ORDER_GREATER | ORDER_EQUAL)

static const Operator operators[] =
{
	COMPARISONS("String", TEST_STRING),
	COMPARISONS("Numeric", TEST_NUMERIC),
	COMPARISONS("Timestamp", TEST_TIMESTAMP),
	COMPARISON("BooleanEquals", TEST_BOOLEAN, ORDER_EQUAL),
	{"StringMatches", TEST_MATCHES, 0, false},
	{"IsNull", TEST_IS_NULL, 0, false},
	{"IsPresent", TEST_IS_PRESENT, 0, false},
	{"IsNumeric", TEST_IS_NUMERIC, 0, false},
	{"IsString", TEST_IS_STRING, 0, false},
	{"IsBoolean", TEST_IS_BOOLEAN, 0, false},
	{"IsTimestamp", TEST_IS_TIMESTAMP, 0, false}
};

/* A rule inside of another one has not the last two. */
static const char *const rule_fields[] =
{"And", "Or", "Not", "Variable", "Comment", "Next", "Assign"};

static DxRule *compile_rule(const JsonbValue *source, const char *pointer,
							bool nested, DxCompiler *c);

/* Has the member this name? */
static bool
is_named(const DxMember *member, const char *name)
{
	return member->name.len == (int) strlen(name) &&
		memcmp(member->name.text, name, member->name.len) == 0;
}

/* The operator of a test that the member's name says, or NULL. */
static const Operator *
find_operator(const DxMember *member)
{
	for (int i = 0; i < (int) lengthof(operators); i++)
	{
		if (is_named(member, operators[i].name))
			return &operators[i];
	}
	return NULL;
}

/* Does the member hold rules instead of an operand? */
static bool
is_boolean_operator(const DxMember *member)
{
	return is_named(member, "And") || is_named(member, "Or") ||
		is_named(member, "Not");
}

/* Where the member stands in the document, for problems. */
static const char *
member_pointer(const char *pointer, const DxMember *member)
{
	return dx_pointer_child(pointer, pnstrdup(member->name.text,
											  member->name.len));
}

/* A path that a rule names; NULL when there is a problem with it. */
static DxPath *
compile_path(const JsonbValue *value, const char *pointer, DxCompiler *c)
{
	char	   *error = NULL;
	DxPath	   *path;

	if (value->type != jbvString)
	{
		dx_problem(c->problems, pointer, DX_P_WRONG_TYPE, NULL,
				   "must be a string that holds a path");
		return NULL;
	}
	path = dx_path_compile(dx_value_text(value), DX_PATH_REFERENCE, &error);
	if (path == NULL)
		dx_problem(c->problems, pointer, DX_P_BAD_PATH, NULL,
				   "\"%s\" is not a valid reference path: %s",
				   dx_clip(dx_value_text(value)), error);
	return path;
}

/* The constant of a comparison has to be of the operator's type. */
static void
compile_operand(DxRule *rule, const JsonbValue *value, const char *pointer,
				DxCompiler *c)
{
	static const struct
	{
		enum jbvType type;
		const char *name;
	}			expected[] =
	{
		[TEST_STRING] = {jbvString, "a string"},
		[TEST_MATCHES] = {jbvString, "a string"},
		[TEST_NUMERIC] = {jbvNumeric, "a number"},
		[TEST_BOOLEAN] = {jbvBool, "true or false"},
		[TEST_TIMESTAMP] = {jbvString, "a timestamp"},
		[TEST_IS_NULL] = {jbvBool, "true or false"},
		[TEST_IS_PRESENT] = {jbvBool, "true or false"},
		[TEST_IS_NUMERIC] = {jbvBool, "true or false"},
		[TEST_IS_STRING] = {jbvBool, "true or false"},
		[TEST_IS_BOOLEAN] = {jbvBool, "true or false"},
		[TEST_IS_TIMESTAMP] = {jbvBool, "true or false"}
	};

	rule->operand = *value;
	if (value->type != expected[rule->op->family].type)
		dx_problem(c->problems, pointer, DX_P_WRONG_TYPE, NULL,
				   "%s must be %s", rule->op->name,
				   expected[rule->op->family].name);
	else if (rule->op->family == TEST_TIMESTAMP &&
			 !dx_timestamp_parse(value->val.string.val, value->val.string.len,
								 &rule->timestamp))
		dx_problem(c->problems, pointer, DX_P_WRONG_VALUE,
				   "Write it as in \"2016-03-14T01:59:00Z\".",
				   "\"%s\" is not an RFC 3339 timestamp", dx_value_text(value));
}

/* A rule that compares: Variable, and one operator with its operand. */
static void
compile_test(DxRule *rule, const DxMember *members, int nmembers,
			 const char *pointer, DxCompiler *c)
{
	const DxMember *variable = NULL;

	for (int i = 0; i < nmembers; i++)
	{
		const Operator *op = find_operator(&members[i]);
		const char *child = member_pointer(pointer, &members[i]);

		if (is_named(&members[i], "Variable"))
		{
			variable = &members[i];
			rule->variable = compile_path(&variable->value, child, c);
		}
		if (op == NULL)
			continue;
		rule->op = op;
		if (op->path)
			rule->operand_path = compile_path(&members[i].value, child, c);
		else
			compile_operand(rule, &members[i].value, child, c);
	}
	if (variable == NULL)
		dx_problem(c->problems, pointer, DX_P_MISSING_FIELD, NULL,
				   "field \"Variable\" is missing");
}

/* A rule of rules: And, Or, Not. */
static void
compile_boolean(DxRule *rule, const DxMember *member, const char *pointer,
				DxCompiler *c)
{
	const char *child = member_pointer(pointer, member);
	JsonbValue *elements;
	int			n;

	if (is_named(member, "Not"))
	{
		rule->kind = RULE_NOT;
		rule->rules = palloc(sizeof(DxRule *));
		rule->rules[rule->nrules++] = compile_rule(&member->value, child, true,
												   c);
		return;
	}
	rule->kind = is_named(member, "And") ? RULE_AND : RULE_OR;
	if (!dx_value_is_array(&member->value) ||
		JsonContainerSize(member->value.val.binary.data) == 0)
	{
		dx_problem(c->problems, child, DX_P_WRONG_TYPE, NULL,
				   "must be an array of at least one choice rule");
		return;
	}
	n = dx_take_elements(&member->value, &elements);
	rule->rules = palloc(sizeof(DxRule *) * n);
	for (int i = 0; i < n; i++)
		rule->rules[rule->nrules++] = compile_rule(&elements[i],
												   dx_pointer_item(child, i),
												   true, c);
}

/*
 * A member that no rule has, with the name that was perhaps meant. nested: a
 * rule inside of a rule has fewer.
 */
static void
unknown_member(DxCompiler *c, const DxMember *member, const char *pointer,
			   bool nested)
{
	const char *known[lengthof(operators) + lengthof(rule_fields)];
	char	   *name = pnstrdup(member->name.text, member->name.len);
	const char *closest;
	int			n = 0;

	for (int i = 0; i < (int) lengthof(operators); i++)
		known[n++] = operators[i].name;
	for (int i = 0; i < (int) lengthof(rule_fields) - (nested ? 2 : 0); i++)
		known[n++] = rule_fields[i];
	closest = dx_closest(c, name, known, n);
	dx_problem(c->problems, member_pointer(pointer, member),
			   DX_P_UNKNOWN_FIELD,
			   closest ? psprintf("Did you mean \"%s\"?", closest) : NULL,
			   "a choice rule has no field \"%s\"", dx_clip(name));
}

/* Finds what does not belong into a rule, and the one operator of it. */
static const DxMember *
check_members(const DxMember *members, int nmembers, const char *pointer,
			  bool nested, DxCompiler *c)
{
	const DxMember *found = NULL;
	bool		many = false;
	bool		compares = false;

	for (int i = 0; i < nmembers; i++)
	{
		const DxMember *member = &members[i];

		if (is_boolean_operator(member) || find_operator(member) != NULL)
		{
			many = many || found != NULL;
			found = member;
		}
		else if (nested && is_named(member, "Next"))
			dx_problem(c->problems, member_pointer(pointer, member),
					   DX_P_MISPLACED_FIELD,
					   "Put it into the rule that stands in Choices.",
					   "a rule inside of another rule cannot have \"Next\"");
		else if (is_named(member, "Variable"))
			compares = true;
		else if (!is_named(member, "Comment") &&
				 (nested ||
				  (!is_named(member, "Next") && !is_named(member, "Assign"))))
			unknown_member(c, member, pointer, nested);
	}
	if (found == NULL)
		dx_problem(c->problems, pointer, DX_P_MISSING_FIELD,
				   "Give it And, Or, Not, or Variable and an operator such as StringEquals.",
				   "a choice rule needs an operator");
	else if (many)
		dx_problem(c->problems, pointer, DX_P_CONFLICT, NULL,
				   "a choice rule has exactly one operator");
	else if (compares && is_boolean_operator(found))
		dx_problem(c->problems, pointer, DX_P_CONFLICT,
				   "Put the comparison into the array, as a rule of its own.",
				   "fields \"Variable\" and \"%.*s\" exclude each other",
				   found->name.len, found->name.text);
	return many ? NULL : found;
}

/* Any rule; nested: inside of And, Or, Not, where it has no Next. */
static DxRule *
compile_rule(const JsonbValue *source, const char *pointer, bool nested,
			 DxCompiler *c)
{
	DxRule	   *rule = palloc0(sizeof(DxRule));
	DxMember   *members;
	const DxMember *found;
	int			nmembers;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	rule->kind = RULE_AND;		/* until more is known */
	if (!dx_value_is_object(source))
	{
		dx_problem(c->problems, pointer, DX_P_WRONG_TYPE, NULL,
				   "a choice rule must be an object");
		return rule;
	}
	nmembers = dx_take_members(source, &members);
	found = check_members(members, nmembers, pointer, nested, c);
	if (found == NULL)
		return rule;
	if (is_boolean_operator(found))
		compile_boolean(rule, found, pointer, c);
	else
	{
		rule->kind = RULE_TEST;
		compile_test(rule, members, nmembers, pointer, c);
	}
	return rule;
}

/*
 * Compiles one choice rule; in CurrentMemoryContext.  Next and Assign of a
 * rule in Choices are the caller's.
 *
 * Never NULL; with problems reported what is returned is not to be evaluated.
 * Source: Amazon States Language, "JSONPath Choice Rules".
 */
DxRule *
dx_rule_compile(DxCompiler *c, const Jsonb *rule, const char *pointer)
{
	/* Constants of the rule stay where they are: in a copy of its own. */
	Jsonb	   *copy = palloc(VARSIZE(rule));
	JsonbValue	source;

	memcpy(copy, rule, VARSIZE(rule));
	dx_json_to_value(copy, &source);
	return compile_rule(&source, pointer, false, c);
}

/*
 * Does a text match a pattern in which "*" stands for any characters?
 *
 * A "*" takes as little as possible first; when the rest does not fit, only
 * the last "*" has to take more, so the time is at most the product of the
 * lengths.
 */
static bool
matches(const DxName *text, const DxName *pattern, DxFault *fault, bool *match)
{
	int			t = 0;
	int			p = 0;
	int			star = -1;		/* behind the last "*" */
	int			resume = 0;

	while (p < pattern->len || t < text->len)
	{
		bool		escape = p < pattern->len && pattern->text[p] == '\\';
		char		c;

		CHECK_FOR_INTERRUPTS();
		if (p < pattern->len && pattern->text[p] == '*')
		{
			star = ++p;
			resume = t;
			continue;
		}
		if (escape && (p + 1 >= pattern->len ||
					   strchr("*\\", pattern->text[p + 1]) == NULL))
			return dx_fault(fault, DX_ERROR_RUNTIME,
							"The pattern '%.*s' of StringMatches has a backslash that is not followed by * or a backslash.",
							pattern->len, pattern->text);
		c = p < pattern->len ? pattern->text[p + (escape ? 1 : 0)] : '\0';
		if (p < pattern->len && t < text->len && text->text[t] == c)
		{
			p += escape ? 2 : 1;
			t++;
			continue;
		}
		if (star < 0 || t >= text->len)
		{
			*match = false;
			return true;
		}
		p = star;
		t = ++resume;
	}
	*match = true;
	return true;
}

/* Is the value a string that is a timestamp? */
static bool
as_timestamp(const JsonbValue *value, TimestampTz *timestamp)
{
	return value->type == jbvString &&
		dx_timestamp_parse(value->val.string.val, value->val.string.len,
						   timestamp);
}

/*
 * Compares two values in the manner of a family.  false when they are not of
 * its type.
 */
static bool
compare(const DxRule *rule, const JsonbValue *a, const JsonbValue *b,
		int *order)
{
	TimestampTz left;
	TimestampTz right;

	switch (rule->op->family)
	{
		case TEST_STRING:
			if (a->type != jbvString || b->type != jbvString)
				return false;
			{
				DxName		x = {a->val.string.val, a->val.string.len};
				DxName		y = {b->val.string.val, b->val.string.len};

				*order = dx_text_compare(&x, &y);
			}
			return true;
		case TEST_NUMERIC:
			if (a->type != jbvNumeric || b->type != jbvNumeric)
				return false;
			*order = DatumGetInt32(DirectFunctionCall2(numeric_cmp,
													   NumericGetDatum(a->val.numeric),
													   NumericGetDatum(b->val.numeric)));
			return true;
		case TEST_BOOLEAN:
			if (a->type != jbvBool || b->type != jbvBool)
				return false;
			*order = (int) a->val.boolean - (int) b->val.boolean;
			return true;
		default:
			right = rule->timestamp;
			if (!as_timestamp(a, &left) ||
				(rule->op->path && !as_timestamp(b, &right)))
				return false;
			*order = left < right ? -1 : left > right ? 1 : 0;
			return true;
	}
}

/* The operators Is...: does the value have the type? */
static bool
is_of_type(TestFamily family, const JsonbValue *value)
{
	TimestampTz timestamp;

	switch (family)
	{
		case TEST_IS_NULL:
			return value->type == jbvNull;
		case TEST_IS_NUMERIC:
			return value->type == jbvNumeric;
		case TEST_IS_STRING:
			return value->type == jbvString;
		case TEST_IS_BOOLEAN:
			return value->type == jbvBool;
		default:
			return as_timestamp(value, &timestamp);
	}
}

/* Finds what a path of a rule selects. */
static bool
find_value(const DxPath *path, DxEnv *env, JsonbValue *value, DxFault *fault)
{
	DxMiss		miss;

	if (!dx_path_find(path, env, value, &miss, fault))
		return false;
	if (miss.kind == DX_MISS_NONE)
		return true;
	return dx_fault(fault, DX_ERROR_RUNTIME,
					"Invalid path '%s': The choice state's condition path references an invalid value.",
					path->text);
}

/* Does what the path selects pass the test? False: a fault. */
static bool
eval_test(const DxRule *rule, DxEnv *env, bool *match, DxFault *fault)
{
	JsonbValue	value;
	JsonbValue	operand = rule->operand;
	DxMiss		miss;
	int			order;

	if (rule->op->family == TEST_IS_PRESENT)
	{
		if (!dx_path_find(rule->variable, env, &value, &miss, fault))
			return false;
		*match = (miss.kind == DX_MISS_NONE) == operand.val.boolean;
		return true;
	}
	if (!find_value(rule->variable, env, &value, fault) ||
		(rule->op->path &&
		 !find_value(rule->operand_path, env, &operand, fault)))
		return false;

	if (rule->op->family == TEST_MATCHES)
	{
		DxName		text = {value.val.string.val, value.val.string.len};
		DxName		pattern = {operand.val.string.val, operand.val.string.len};

		*match = false;
		return value.type != jbvString || matches(&text, &pattern, fault, match);
	}
	if (rule->op->orders == 0)
		*match = is_of_type(rule->op->family, &value) == operand.val.boolean;
	else
		*match = compare(rule, &value, &operand, &order) &&
			(rule->op->orders & (order < 0 ? ORDER_LESS :
								 order > 0 ? ORDER_GREATER : ORDER_EQUAL)) != 0;
	return true;
}

/*
 * Does a rule match?  Of And and Or as many rules are evaluated as it takes.
 *
 * Fault: States.Runtime when a path selects nothing, or a pattern of
 * StringMatches has an open escape.
 */
bool
dx_rule_eval(const DxRule *rule, DxEnv *env, bool *match, DxFault *fault)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (rule->kind == RULE_TEST)
		return eval_test(rule, env, match, fault);
	if (rule->kind == RULE_NOT)
	{
		if (!dx_rule_eval(rule->rules[0], env, match, fault))
			return false;
		*match = !*match;
		return true;
	}
	for (int i = 0; i < rule->nrules; i++)
	{
		if (!dx_rule_eval(rule->rules[i], env, match, fault))
			return false;
		if (*match == (rule->kind == RULE_OR))
			return true;
	}
	*match = rule->kind == RULE_AND;
	return true;
}
