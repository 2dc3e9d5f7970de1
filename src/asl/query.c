/*-------------------------------------------------------------------------
 *
 * query.c
 *	  Reads the fields whose value is computed when the state runs: paths,
 *	  templates, expressions, and numbers and texts that may be any of these.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "asl/asl.h"
#include "asl/compile.h"
#include "asl/field.h"
#include "asl/node.h"
#include "asl/problem.h"
#include "asl/query.h"
#include "mb/pg_wchar.h"

/* A path of a field; NULL when there is a problem with it. */
static DxPath *
compile_path(DxCompiler *c, const DxNode *node, DxPathUse use)
{
	char	   *error = NULL;
	DxPath	   *path;

	if (node->value.type != jbvString)
	{
		dx_wrong_type(c, node, "a path");
		return NULL;
	}
	path = dx_path_compile(dx_node_text(node), use, &error);
	if (path == NULL)
		dx_problem(c->problems, node->pointer, DX_P_BAD_PATH, NULL,
				   "\"%s\" is not a valid %s: %s",
				   dx_clip(dx_node_text(node)),
				   use == DX_PATH_REFERENCE ? "reference path" : "path",
				   error ? error : "syntax error");
	return path;
}

/*
 * An optional path; NULL when it is absent or wrong.
 */
DxPath *
dx_read_path(DxCompiler *c, const DxNode *object, const char *name,
			 DxPathUse use)
{
	DxNode		member;

	if (!dx_member(object, name, &member))
		return NULL;
	return compile_path(c, &member, use);
}

/*
 * InputPath and OutputPath: a path, or null for the empty object.
 */
DxPath *
dx_read_input_path(DxCompiler *c, const DxNode *object, const char *name,
				   bool *is_null)
{
	DxNode		member;

	*is_null = false;
	if (!dx_member(object, name, &member))
		return NULL;
	if (member.value.type == jbvNull)
	{
		*is_null = true;
		return NULL;
	}
	return compile_path(c, &member, DX_PATH_ANY);
}

/*
 * ResultPath: a reference path into the raw input, or null to discard the
 * result.  NULL also stands for "$": there is nothing to do then.
 */
DxPath *
dx_read_result_path(DxCompiler *c, const DxNode *object, bool *discard)
{
	DxNode		member;
	DxPath	   *path;
	const char *text;

	*discard = false;
	if (!dx_member(object, "ResultPath", &member))
		return NULL;
	if (member.value.type == jbvNull)
	{
		*discard = true;
		return NULL;
	}

	path = compile_path(c, &member, DX_PATH_REFERENCE);
	if (path == NULL || dx_path_is_whole(path))
		return NULL;
	text = dx_path_text(path);
	if (text[1] != '.' && text[1] != '[')
	{
		dx_problem(c->problems, member.pointer, DX_P_BAD_PATH,
				   "Begin the path with \"$.\"; use Assign to set a variable.",
				   "a result can only be put into the state's input, not at \"%s\"",
				   dx_clip(text));
		return NULL;
	}
	return path;
}

/*
 * An optional payload template in the state's query language.
 */
DxTemplate *
dx_read_template(DxCompiler *c, const DxStateSource *state,
				 const DxNode *object, const char *name)
{
	DxNode		member;

	if (state->foreign || !dx_member(object, name, &member))
		return NULL;
	if (member.value.type == jbvNull && state->language == DX_QL_JSONPATH)
	{
		dx_wrong_type(c, &member, "a payload template");
		return NULL;
	}
	return dx_template_compile(dx_node_json(&member), state->language,
							   member.pointer, &c->next_ordinal,
							   c->options, c->problems);
}

/* Letters of all languages and "_", then digits as well. */
static bool
is_identifier(const char *name)
{
	if (!(isalpha((unsigned char) *name) || *name == '_' ||
		  IS_HIGHBIT_SET(*name)))
		return false;
	for (const char *p = name; *p; p++)
	{
		if (!(isalnum((unsigned char) *p) || *p == '_' || IS_HIGHBIT_SET(*p)))
			return false;
	}
	return true;
}

/* Is a variable's name taken by something that every expression can see? */
static bool
is_reserved_variable(DxCompiler *c, const char *name)
{
	static const char *const sql_names[] = {
		"input", "result", "error", "context"
	};

	if (strcmp(name, "states") == 0)
		return true;
	for (int i = 0; c->uses_sql && i < lengthof(sql_names); i++)
	{
		if (strcmp(name, sql_names[i]) == 0)
			return true;
	}
	return false;
}

/*
 * The name of a variable in Assign has to be one, and none that is reserved.
 */
static void
check_variable(DxCompiler *c, const DxStateSource *state, const DxWalk *member)
{
	char	   *name = pstrdup(member->name);
	size_t		len = strlen(name);

	if (state->language == DX_QL_JSONPATH && len > 2 &&
		strcmp(name + len - 2, ".$") == 0)
		name[len - 2] = '\0';

	if (!is_identifier(name))
		dx_problem(c->problems, member->node.pointer, DX_P_BAD_NAME,
				   "Begin with a letter and go on with letters, digits and underscores.",
				   "\"%s\" cannot be the name of a variable", dx_clip(name));
	else if (pg_mbstrlen(name) > DX_MAX_NAME)
		dx_problem(c->problems, member->node.pointer, DX_P_BAD_NAME, NULL,
				   "the name of a variable has at most %d characters",
				   DX_MAX_NAME);
	else if (is_reserved_variable(c, name))
		dx_problem(c->problems, member->node.pointer, DX_P_BAD_NAME, NULL,
				   "the name \"%s\" is reserved", name);
}

/*
 * An optional Assign: a template whose members are variables.
 */
DxTemplate *
dx_read_assign(DxCompiler *c, const DxStateSource *state, const DxNode *object)
{
	DxNode		member;
	DxWalk		walk;

	if (state->foreign ||
		!dx_read_object(c, object, "Assign", false, &member))
		return NULL;
	dx_walk_start(&walk, &member);
	while (dx_walk_next(&walk))
		check_variable(c, state, &walk);
	return dx_read_template(c, state, object, "Assign");
}

/*
 * Is this an expression?  *expr is NULL when it is a wrong one, which has been
 * reported.
 */
static bool
read_expr(DxCompiler *c, const DxNode *node, DxExpr **expr)
{
	*expr = NULL;
	if (node->value.type != jbvString)
		return false;
	return !dx_expr_compile(&node->value, DX_QL_SQL, node->pointer,
							&c->next_ordinal, c->options, c->problems, expr) ||
		*expr != NULL;
}

/*
 * The Condition of a choice rule: an expression, or a constant, which is as
 * good an expression.
 */
DxExpr *
dx_read_condition(DxCompiler *c, const DxNode *node)
{
	DxExpr	   *expr;

	if (read_expr(c, node, &expr))
		return expr;
	if (node->value.type != jbvBool)
	{
		dx_problem(c->problems, node->pointer, DX_P_WRONG_TYPE, NULL,
				   "must be \"{%% expression %%}\", true or false");
		return NULL;
	}
	expr = palloc(sizeof(DxExpr));
	expr->language = DX_QL_SQL;
	expr->text = node->value.val.boolean ? "true" : "false";
	expr->ordinal = c->next_ordinal++;
	expr->pointer = node->pointer;
	return expr;
}

/*
 * A number that is a constant, or in JSONPath the field name + "Path", or in
 * the expression mode an expression.
 */
void
dx_read_amount(DxCompiler *c, const DxStateSource *state,
			   const DxNode *object, const char *name,
			   bool integer, double min, double max, DxAmount *amount)
{
	const char *path_name = psprintf("%sPath", name);
	DxNode		member;

	memset(amount, 0, sizeof(DxAmount));
	amount->field = name;
	amount->integer = integer;
	amount->min = min;
	amount->max = max;
	if (state->foreign)
		return;

	dx_check_conflict(c, object, name, path_name);
	if (state->language == DX_QL_JSONPATH && dx_has(object, path_name))
	{
		amount->path = dx_read_path(c, object, path_name, DX_PATH_REFERENCE);
		amount->given = amount->path != NULL;
	}
	if (!dx_member(object, name, &member))
		return;
	if (state->language == DX_QL_SQL && read_expr(c, &member, &amount->expr))
		amount->given = true;
	else
		amount->given |= dx_read_number(c, object, name, integer, min, max,
										&amount->value);
}

/* Is it a call of an intrinsic function, and no path? */
static bool
is_intrinsic(const DxNode *node)
{
	return node->value.type == jbvString &&
		strncmp(dx_node_text(node), "States.", strlen("States.")) == 0;
}

/*
 * A text that is a constant, or in JSONPath the field name + "Path" (with
 * intrinsic functions where the language allows them), or in the expression
 * mode an expression.
 */
void
dx_read_dynamic_text(DxCompiler *c, const DxStateSource *state,
					 const DxNode *object, const char *name,
					 bool intrinsics, DxText *text)
{
	const char *path_name = psprintf("%sPath", name);
	DxNode		member;

	memset(text, 0, sizeof(DxText));
	if (state->foreign)
		return;

	dx_check_conflict(c, object, name, path_name);
	if (state->language == DX_QL_JSONPATH &&
		dx_member(object, path_name, &member))
	{
		if (intrinsics && is_intrinsic(&member))
			text->template = dx_template_compile_reference(dx_node_text(&member),
														   member.pointer,
														   c->problems);
		else
			text->path = compile_path(c, &member, DX_PATH_REFERENCE);
		text->given = true;
	}
	if (!dx_member(object, name, &member))
		return;
	if (member.value.type != jbvString)
		dx_wrong_type(c, &member, "a string");
	else if (state->language == DX_QL_JSONPATH ||
			 !read_expr(c, &member, &text->expr))
		text->value = dx_node_text(&member);
	text->given = true;
}
