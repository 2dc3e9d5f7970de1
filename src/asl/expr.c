/*-------------------------------------------------------------------------
 *
 * expr.c
 *	  Expressions of the expression mode, {% ... %}: how they are recognized.
 *	  What is inside of them is known to an evaluator only (DxEvaluator), so
 *	  that another language needs no change here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/expr.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "asl/problem.h"
#include "asl/value.h"
#include "utils/jsonb.h"

#define OPEN	"{%"
#define CLOSE	"%}"

/* Does the string begin as an expression? */
static bool
opens(const char *text)
{
	return strncmp(text, OPEN, strlen(OPEN)) == 0;
}

/* Does the string end as an expression? */
static bool
closes(const char *text)
{
	size_t		len = strlen(text);

	return len >= strlen(CLOSE) &&
		strcmp(text + len - strlen(CLOSE), CLOSE) == 0;
}

/*
 * Compiles a string of the expression mode; in CurrentMemoryContext.
 *
 * *expr is NULL when the string is no expression and stands for itself.  The
 * ordinal is taken from *next_ordinal.  false when it has only one of the marks
 * or nothing between them, which is reported; so is what check_expr of the
 * options finds.
 *
 * Amazon States Language, "JSONata expressions": a string that begins with the
 * one mark and ends with the other, without blanks around.
 */
bool
dx_expr_compile(const JsonbValue *string, DxQueryLanguage language,
				const char *pointer, int *next_ordinal,
				const DxCompileOptions *options, DxProblems *problems,
				DxExpr **expr)
{
	char	   *text = pnstrdup(string->val.string.val, string->val.string.len);
	size_t		len = strlen(text);

	*expr = NULL;
	if (!opens(text) && !closes(text))
		return true;
	if (!opens(text) || !closes(text) || len < strlen(OPEN CLOSE))
	{
		dx_problem(problems, pointer, DX_P_BAD_EXPRESSION,
				   "Write \"{% expression %}\", with nothing before or after.",
				   "an expression has to begin with \"{%%\" and end with \"%%}\"");
		return false;
	}

	text[len - strlen(CLOSE)] = '\0';
	text += strlen(OPEN);
	if (text[strspn(text, " \t\r\n")] == '\0')
	{
		dx_problem(problems, pointer, DX_P_BAD_EXPRESSION, NULL,
				   "the expression is empty");
		return false;
	}

	*expr = palloc(sizeof(DxExpr));
	(*expr)->language = language;
	(*expr)->text = text;
	(*expr)->ordinal = (*next_ordinal)++;
	(*expr)->pointer = pstrdup(pointer);
	if (options != NULL && options->check_expr != NULL)
		options->check_expr(options->arg, *expr, problems);
	return true;
}

/*
 * Evaluates an expression of the expression mode.
 *
 * Faults: those of the evaluator; States.QueryEvaluationError when it yields
 * nothing.
 */
bool
dx_expr_eval(const DxExpr *expr, DxEnv *env, JsonbValue *value,
			 DxFault *fault)
{
	Jsonb	   *json = NULL;

	Assert(expr->text != NULL);
	if (env->evaluate == NULL)
		return dx_fault(fault, DX_ERROR_QUERY,
						"There is nothing to evaluate the expression '%s' with",
						expr->text);
	if (!env->evaluate(env->evaluate_arg, expr, env, &json, fault))
		return false;
	if (json == NULL)
		return dx_fault(fault, DX_ERROR_QUERY,
						"The expression '%s' returned nothing (undefined).",
						expr->text);
	dx_json_to_value(json, value);
	return true;
}
