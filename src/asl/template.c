/*-------------------------------------------------------------------------
 *
 * template.c
 *	  Payload templates: compiled once, evaluated into a Jsonb.
 *
 * A part of a template in which nothing is evaluated is kept as it is, and so
 * is a whole template of that kind: its evaluation returns a Jsonb that was
 * made at compile time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/build.h"
#include "asl/eval.h"
#include "asl/expr.h"
#include "asl/fault.h"
#include "asl/intrinsic.h"
#include "asl/json.h"
#include "asl/path_parse.h"
#include "asl/problem.h"
#include "asl/value.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#define SUFFIX		".$"

typedef enum TemplateKind
{
	TEMPLATE_CONSTANT,
	TEMPLATE_PATH,
	TEMPLATE_CALL,
	TEMPLATE_EXPR,
	TEMPLATE_OBJECT,
	TEMPLATE_ARRAY
} TemplateKind;

typedef struct TemplateChild
{
	DxName		name;			/* of a member; terminated */
	DxTemplate *value;
} TemplateChild;

struct DxTemplate
{
	TemplateKind kind;
	bool		uses_context;	/* $$ somewhere in it */
	Jsonb	   *constant;
	JsonbValue	value;			/* the same, to be built in */
	const char *field;			/* what a cause calls it, e.g. "id.$" */
	DxPath	   *path;
	DxCall	   *call;
	DxExpr	   *expr;
	int			nchildren;
	TemplateChild *children;	/* of an object in key order */
};

/* What does not change while one template is compiled. */
typedef struct Compiler
{
	DxQueryLanguage language;
	int		   *next_ordinal;
	const DxCompileOptions *options;
	DxProblems *problems;
} Compiler;

static DxTemplate *compile_value(Compiler *c, const JsonbValue *value,
								 const char *pointer);

/* A node of the template's tree. */
static DxTemplate *
make_template(TemplateKind kind)
{
	DxTemplate *tmpl = palloc0(sizeof(DxTemplate));

	tmpl->kind = kind;
	return tmpl;
}

/* A part that is the same in each evaluation, kept as it is stored. */
static DxTemplate *
make_constant(const JsonbValue *value)
{
	DxTemplate *tmpl = make_template(TEMPLATE_CONSTANT);
	JsonbValue	copy = *value;

	tmpl->constant = dx_json_from_value(&copy);
	dx_json_to_value(tmpl->constant, &tmpl->value);
	return tmpl;
}

/*
 * A path or the call of an intrinsic function; NULL when it is neither.
 */
static DxTemplate *
compile_reference(const char *text, const char *field, const char *pointer,
				  DxProblems *problems)
{
	bool		is_path = text[0] == '$';
	DxTemplate *tmpl = make_template(is_path ? TEMPLATE_PATH : TEMPLATE_CALL);
	char	   *error = NULL;

	tmpl->field = pstrdup(field);
	if (is_path)
	{
		tmpl->path = dx_path_compile(text, DX_PATH_ANY, &error);
		if (tmpl->path != NULL)
			tmpl->uses_context = tmpl->path->root == DX_ROOT_CONTEXT;
	}
	else
	{
		tmpl->call = dx_call_compile(text, &error);
		if (tmpl->call != NULL)
		{
			char	   *doubt = dx_call_doubt(tmpl->call);

			tmpl->uses_context = tmpl->call->uses_context;
			if (doubt != NULL)
				dx_warning(problems, pointer, DX_P_BAD_INTRINSIC,
						   "AWS accepts it too, and fails when it comes there with States.IntrinsicFailure.",
						   "%s", doubt);
		}
	}
	if (error == NULL)
		return tmpl;

	dx_problem(problems, pointer, is_path ? DX_P_BAD_PATH : DX_P_BAD_INTRINSIC,
			   is_path ? NULL :
			   "Write a path that begins with \"$\", or a call such as States.Format('{}', $.name).",
			   "the value of \"%s\" must be a valid path or a valid call of an intrinsic function: %s",
			   field, error);
	return NULL;
}

/*
 * A member whose name ends with ".$".
 */
static DxTemplate *
compile_dynamic(Compiler *c, const DxMember *member, const char *pointer)
{
	char	   *field = pnstrdup(member->name.text, member->name.len);

	if (member->value.type != jbvString)
	{
		dx_problem(c->problems, pointer, DX_P_WRONG_TYPE,
				   "Leave \".$\" out of the name if the value is to be taken as it is.",
				   "the value of \"%s\" must be a string that holds a path or the call of an intrinsic function",
				   field);
		return NULL;
	}
	return compile_reference(dx_value_text(&member->value), field, pointer,
							 c->problems);
}

/* Is it the name of a member whose value is computed? */
static bool
has_suffix(const DxName *name)
{
	return name->len >= (int) strlen(SUFFIX) &&
		memcmp(name->text + name->len - strlen(SUFFIX), SUFFIX,
			   strlen(SUFFIX)) == 0;
}

/* For qsort: members by name, as jsonb orders them. */
static int
compare_children(const void *a, const void *b)
{
	return dx_name_compare(&((const TemplateChild *) a)->name,
						   &((const TemplateChild *) b)->name);
}

/*
 * Puts the members in key order, and finds two of one name.
 */
static void
sort_members(Compiler *c, DxTemplate *tmpl, const char *pointer)
{
	qsort(tmpl->children, tmpl->nchildren, sizeof(TemplateChild),
		  compare_children);
	for (int i = 1; i < tmpl->nchildren; i++)
	{
		const char *name = tmpl->children[i].name.text;

		if (dx_name_compare(&tmpl->children[i - 1].name,
							&tmpl->children[i].name) == 0)
			dx_problem(c->problems, pointer, DX_P_CONFLICT,
					   "Leave one of them out.",
					   "the fields \"%s\" and \"%s.$\" give a value to one and the same name",
					   name, name);
	}
}

/*
 * Is there nothing to be evaluated below, and no name to be changed?
 */
static bool
is_constant(const DxTemplate *tmpl)
{
	for (int i = 0; i < tmpl->nchildren; i++)
	{
		if (tmpl->children[i].value->kind != TEMPLATE_CONSTANT)
			return false;
	}
	return true;
}

/*
 * Adds a member (name) or an element (NULL); the caller has made room. No
 * child: it had a problem.
 */
static void
add_child(DxTemplate *tmpl, const DxName *name, DxTemplate *child)
{
	if (child == NULL)
		return;					/* a problem was reported */
	if (name != NULL)
	{
		tmpl->children[tmpl->nchildren].name.text = pnstrdup(name->text, name->len);
		tmpl->children[tmpl->nchildren].name.len = name->len;
	}
	tmpl->children[tmpl->nchildren++].value = child;
	tmpl->uses_context |= child->uses_context;
}

/* A template that is an object. */
static DxTemplate *
compile_object(Compiler *c, const JsonbValue *value, const char *pointer)
{
	DxTemplate *tmpl = make_template(TEMPLATE_OBJECT);
	DxMember   *members;
	int			nmembers = dx_take_members(value, &members);

	tmpl->children = palloc(sizeof(TemplateChild) * (nmembers + 1));
	for (int i = 0; i < nmembers; i++)
	{
		DxName		name = members[i].name;
		const char *child = dx_pointer_child(pointer,
											 pnstrdup(name.text, name.len));

		CHECK_FOR_INTERRUPTS();
		if (c->language == DX_QL_JSONPATH && has_suffix(&name))
		{
			name.len -= strlen(SUFFIX);
			add_child(tmpl, &name, compile_dynamic(c, &members[i], child));
		}
		else
			add_child(tmpl, &name, compile_value(c, &members[i].value, child));
	}
	sort_members(c, tmpl, pointer);
	return is_constant(tmpl) ? make_constant(value) : tmpl;
}

/* A template that is an array. */
static DxTemplate *
compile_array(Compiler *c, const JsonbValue *value, const char *pointer)
{
	DxTemplate *tmpl = make_template(TEMPLATE_ARRAY);
	JsonbValue *elements;
	int			nelements = dx_take_elements(value, &elements);

	tmpl->children = palloc(sizeof(TemplateChild) * (nelements + 1));
	for (int i = 0; i < nelements; i++)
	{
		CHECK_FOR_INTERRUPTS();
		add_child(tmpl, NULL, compile_value(c, &elements[i],
											dx_pointer_item(pointer, i)));
	}
	return is_constant(tmpl) ? make_constant(value) : tmpl;
}

/*
 * A string of the expression mode: an expression, or itself.
 */
static DxTemplate *
compile_string(Compiler *c, const JsonbValue *value, const char *pointer)
{
	DxTemplate *tmpl;
	DxExpr	   *expr;

	if (!dx_expr_compile(value, c->language, pointer, c->next_ordinal,
						 c->options, c->problems, &expr))
		return NULL;
	if (expr == NULL)
		return make_constant(value);
	tmpl = make_template(TEMPLATE_EXPR);
	tmpl->expr = expr;
	return tmpl;
}

/* Any template; NULL when there is a problem with it. */
static DxTemplate *
compile_value(Compiler *c, const JsonbValue *value, const char *pointer)
{
	check_stack_depth();
	if (dx_value_is_object(value))
		return compile_object(c, value, pointer);
	if (dx_value_is_array(value))
		return compile_array(c, value, pointer);
	if (value->type == jbvString && c->language == DX_QL_SQL)
		return compile_string(c, value, pointer);
	return make_constant(value);
}

/*
 * Compiles a payload template; in CurrentMemoryContext.
 *
 * In JSONPath a member whose name ends with ".$" holds a path or the call of an
 * intrinsic function.  In the expression mode a string in {% %} is an
 * expression, wherever it stands; its ordinal is taken from *next_ordinal.
 *
 * Never NULL; with problems reported what is returned is not to be evaluated.
 * Source: Amazon States Language, "Payload Template".
 */
DxTemplate *
dx_template_compile(const Jsonb *source, DxQueryLanguage language,
					const char *pointer, int *next_ordinal,
					const DxCompileOptions *options, DxProblems *problems)
{
	Compiler	c = {language, next_ordinal, options, problems};
	JsonbValue	value;
	DxTemplate *tmpl;

	dx_json_to_value(source, &value);
	tmpl = compile_value(&c, &value, pointer);
	return tmpl ? tmpl : make_constant(&value);
}

/*
 * Compiles one path or one call of an intrinsic function, as the value of a
 * field such as CausePath.  NULL when it is not valid, which is reported.
 */
DxTemplate *
dx_template_compile_reference(const char *text, const char *pointer,
							  DxProblems *problems)
{
	const char *field = strrchr(pointer, '/');

	return compile_reference(text, field ? field + 1 : pointer, pointer,
							 problems);
}

/*
 * The names of the members of what a template makes, as C strings.  false
 * when they are not known before it is evaluated.
 */
bool
dx_template_keys(const DxTemplate *tmpl, List **keys)
{
	DxMember   *members;
	int			n;

	*keys = NIL;
	if (tmpl->kind == TEMPLATE_OBJECT)
	{
		for (int i = 0; i < tmpl->nchildren; i++)
			*keys = lappend(*keys, unconstify(char *, tmpl->children[i].name.text));
		return true;
	}
	if (tmpl->kind != TEMPLATE_CONSTANT || !dx_value_is_object(&tmpl->value))
		return false;
	n = dx_take_members(&tmpl->value, &members);
	for (int i = 0; i < n; i++)
		*keys = lappend(*keys, pnstrdup(members[i].name.text,
										members[i].name.len));
	return true;
}

/*
 * Does it look at the context object?
 */
bool
dx_template_uses_context(const DxTemplate *tmpl)
{
	return tmpl->uses_context;
}

/*
 * A path that selects nothing is States.Runtime on AWS, whatever the text of
 * the specification says.  But an index beyond the end of an array is null.
 */
static bool
eval_path(const DxTemplate *tmpl, DxEnv *env, JsonbValue *value,
		  DxFault *fault)
{
	DxMiss		miss;

	if (!dx_path_find(tmpl->path, env, value, &miss, fault))
		return false;
	if (miss.kind == DX_MISS_NONE)
		return true;
	if (miss.kind == DX_MISS_INDEX)
	{
		value->type = jbvNull;
		return true;
	}
	return dx_fault(fault, DX_ERROR_RUNTIME,
					"The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'",
					tmpl->path->text, tmpl->field, dx_json_clip(env->input));
}

static bool eval_value(const DxTemplate *tmpl, DxEnv *env, JsonbValue *value,
					   DxFault *fault);

/* The object that comes of the template. False: a fault. */
static bool
eval_object(const DxTemplate *tmpl, DxEnv *env, JsonbValue *value,
			DxFault *fault)
{
	DxMember   *members = palloc(sizeof(DxMember) * (tmpl->nchildren + 1));

	for (int i = 0; i < tmpl->nchildren; i++)
	{
		members[i].name = tmpl->children[i].name;
		if (!eval_value(tmpl->children[i].value, env, &members[i].value, fault))
			return false;
	}
	dx_build_value(dx_build_object(members, tmpl->nchildren), value);
	return true;
}

/* The array that comes of the template. False: a fault. */
static bool
eval_array(const DxTemplate *tmpl, DxEnv *env, JsonbValue *value,
		   DxFault *fault)
{
	JsonbValue *elements = palloc(sizeof(JsonbValue) * (tmpl->nchildren + 1));

	for (int i = 0; i < tmpl->nchildren; i++)
	{
		if (!eval_value(tmpl->children[i].value, env, &elements[i], fault))
			return false;
	}
	dx_build_value(dx_build_array(elements, tmpl->nchildren), value);
	return true;
}

/* What comes of any template. False: a fault. */
static bool
eval_value(const DxTemplate *tmpl, DxEnv *env, JsonbValue *value,
		   DxFault *fault)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	switch (tmpl->kind)
	{
		case TEMPLATE_CONSTANT:
			*value = tmpl->value;
			return true;
		case TEMPLATE_PATH:
			return eval_path(tmpl, env, value, fault);
		case TEMPLATE_CALL:
			return dx_call_eval(tmpl->call, env, value, fault);
		case TEMPLATE_EXPR:
			return dx_expr_eval(tmpl->expr, env, value, fault);
		case TEMPLATE_OBJECT:
			return eval_object(tmpl, env, value, fault);
		case TEMPLATE_ARRAY:
			return eval_array(tmpl, env, value, fault);
	}
	elog(ERROR, "unexpected kind of template %d", (int) tmpl->kind);
	return false;
}

/*
 * Evaluates a template.  What it makes may belong to the template or to the
 * input: it must not be changed.
 *
 * Faults: States.Runtime when a path selects nothing, those of the intrinsic
 * functions, those of the expressions.
 */
bool
dx_template_eval(const DxTemplate *tmpl, DxEnv *env, Jsonb **value,
				 DxFault *fault)
{
	JsonbValue	made;

	if (tmpl->kind == TEMPLATE_CONSTANT)
	{
		*value = tmpl->constant;
		return true;
	}
	if (tmpl->kind == TEMPLATE_PATH && dx_path_is_whole(tmpl->path) &&
		env->input != NULL)
	{
		*value = env->input;
		return true;
	}
	if (!eval_value(tmpl, env, &made, fault))
		return false;
	if (tmpl->kind == TEMPLATE_OBJECT || tmpl->kind == TEMPLATE_ARRAY)
		*value = (Jsonb *) ((char *) made.val.binary.data - VARHDRSZ);
	else
		*value = dx_json_from_value(&made);
	return true;
}
