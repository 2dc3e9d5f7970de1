/*-------------------------------------------------------------------------
 *
 * amount.c
 *	  Numbers and texts that are given as a constant, a path or an expression:
 *	  timeouts and the like, Wait, Fail.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "asl/asl.h"
#include "asl/build.h"
#include "asl/eval.h"
#include "asl/expr.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "asl/timestamp.h"
#include "asl/value.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#define MAX_WAIT_SECONDS	99999999	/* as AWS: somewhat over three years */

/* What a fault calls the type of a value. */
static const char *
type_name(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return "null";
		case jbvBool:
			return "boolean";
		case jbvNumeric:
			return "number";
		case jbvString:
			return "string";
		default:
			return dx_value_is_array(value) ? "array" : "object";
	}
}

/*
 * An expression whose value is not what the field takes.  Returns false.
 */
static bool
wrong_result(const DxExpr *expr, const char *expected,
			 const JsonbValue *value, DxFault *fault)
{
	return dx_fault(fault, DX_ERROR_QUERY,
					"The expression '%s' returned an unexpected result type. Expected '%s', but was '%s' for value: %s",
					expr->text, expected, type_name(value),
					dx_value_compact(value));
}

/*
 * A number, or as recorded on AWS a text that is one.
 */
static bool
as_number(const JsonbValue *value, double *number)
{
	JsonbValue	parsed = *value;

	if (value->type == jbvString &&
		!dx_json_parse(value->val.string.val, value->val.string.len, &parsed))
		return false;
	if (parsed.type != jbvNumeric)
		return false;
	*number = dx_value_double(&parsed);
	return true;
}

/*
 * Is a number that was not known when the definition was compiled one that
 * the field takes?
 */
static bool
in_range(const DxAmount *amount, double value, DxFault *fault)
{
	const char *error = amount->expr ? DX_ERROR_QUERY : DX_ERROR_RUNTIME;

	if (amount->integer && value != floor(value))
		return dx_fault(fault, error, "The %s%s field refers to value \"%g\" which is not a valid integer",
						amount->field, amount->path ? "Path" : "", value);
	if (value < amount->min || value > amount->max)
		return dx_fault(fault, error, "%s must be between %g and %.0f.",
						amount->field, amount->min, amount->max);
	return true;
}

/* The number at a path, which is applied to the input after InputPath. */
static bool
eval_path_amount(const DxAmount *amount, DxEnv *env, double *value,
				 DxFault *fault)
{
	JsonbValue	selected;
	Jsonb	   *raw = env->input;
	bool		found;

	if (env->state != NULL && !dx_io_input(env->state, env, &env->input, fault))
		return false;
	found = dx_path_require(amount->path, env, &selected, fault);
	env->input = raw;
	if (!found)
		return false;
	return as_number(&selected, value) ||
		dx_fault(fault, DX_ERROR_RUNTIME,
				 "The %sPath field refers to value \"%s\" which is not a valid number: %s",
				 amount->field, dx_value_text(&selected), amount->path->text);
}

/*
 * TimeoutSeconds and the like.  *given = false when it is absent.  A path is
 * applied to env->input after the InputPath of env->state.
 *
 * Faults: States.Runtime when the path selects nothing, or no number;
 * States.QueryEvaluationError when an expression yields no number; one of
 * them when the number is not in the range of the field.
 */
bool
dx_amount_eval(const DxAmount *amount, DxEnv *env,
			   bool *given, double *value, DxFault *fault)
{
	JsonbValue	selected;

	*given = amount->given;
	*value = amount->value;
	if (!amount->given)
		return true;
	if (amount->path != NULL)
		return eval_path_amount(amount, env, value, fault) &&
			in_range(amount, *value, fault);
	if (amount->expr != NULL)
	{
		if (!dx_expr_eval(amount->expr, env, &selected, fault))
			return false;
		if (selected.type != jbvNumeric)
			return wrong_result(amount->expr, "number", &selected, fault);
		*value = dx_value_double(&selected);
		return in_range(amount, *value, fault);
	}
	return true;
}

/*
 * Is it a number of seconds that one can wait?
 */
static bool
is_wait(double seconds)
{
	return seconds == floor(seconds) && seconds >= 0 &&
		seconds <= MAX_WAIT_SECONDS;
}

/* For how long a Wait waits; a path has to give a number. */
static bool
wait_seconds(const DxAmount *amount, DxEnv *env, double *seconds,
			 DxFault *fault)
{
	JsonbValue	value;
	DxMiss		miss;

	*seconds = amount->value;
	if (amount->path != NULL)
	{
		const char *path = amount->path->text;

		if (!dx_path_find(amount->path, env, &value, &miss, fault))
			return false;
		if (miss.kind != DX_MISS_NONE)
			return dx_fault(fault, DX_ERROR_RUNTIME,
							"The SecondsPath parameter does not reference an input value: %s",
							path);
		if (!as_number(&value, seconds) || *seconds != floor(*seconds))
			return dx_fault(fault, DX_ERROR_RUNTIME,
							"The SecondsPath parameter cannot be parsed as a long value: %s == %s",
							path, dx_value_text(&value));
		return is_wait(*seconds) ||
			dx_fault(fault, DX_ERROR_RUNTIME,
					 "The SecondsPath parameter is not between 0 and %d: %s == %s",
					 MAX_WAIT_SECONDS, path, dx_value_text(&value));
	}
	if (amount->expr != NULL)
	{
		if (!dx_expr_eval(amount->expr, env, &value, fault))
			return false;
		if (value.type != jbvNumeric)
			return wrong_result(amount->expr, "number", &value, fault);
		*seconds = dx_value_double(&value);
		return is_wait(*seconds) ||
			dx_fault(fault, DX_ERROR_QUERY,
					 "The Seconds field must be an integer between 0 and %d but was: %s",
					 MAX_WAIT_SECONDS, dx_value_text(&value));
	}
	return true;
}

/*
 * Evaluates a text.  *given = false when it is absent, or its path selects
 * nothing.
 */
static bool
eval_text(const DxText *text, DxEnv *env, JsonbValue *value, bool *given,
		  DxFault *fault)
{
	Jsonb	   *json;
	DxMiss		miss;

	*given = true;
	if (text->path != NULL)
	{
		if (!dx_path_find(text->path, env, value, &miss, fault))
			return false;
		*given = miss.kind == DX_MISS_NONE;
		return true;
	}
	if (text->template != NULL)
	{
		if (!dx_template_eval(text->template, env, &json, fault))
			return false;
		dx_json_to_value(json, value);
		return true;
	}
	if (text->expr != NULL)
		return dx_expr_eval(text->expr, env, value, fault);
	*given = text->value != NULL;
	if (*given)
		dx_value_string(unconstify(char *, text->value), strlen(text->value),
						value);
	return true;
}

/* Until when a Wait waits; a path has to give a timestamp. */
static bool
wait_timestamp(const DxText *text, DxEnv *env, TimestampTz *until,
			   DxFault *fault)
{
	JsonbValue	value;
	bool		given;

	if (!eval_text(text, env, &value, &given, fault))
		return false;
	if (!given)
		return dx_fault(fault, DX_ERROR_RUNTIME,
						"The TimestampPath parameter does not reference an input value: %s",
						text->path ? text->path->text : "");
	if (value.type == jbvString &&
		dx_timestamp_parse(value.val.string.val, value.val.string.len, until))
		return true;
	if (text->path != NULL)
		return dx_fault(fault, DX_ERROR_RUNTIME,
						"The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: %s == %s",
						text->path->text, dx_value_text(&value));
	return dx_fault(fault, text->expr ? DX_ERROR_QUERY : DX_ERROR_RUNTIME,
					"The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: %s",
					dx_value_text(&value));
}

/*
 * Wait: until when.  now is the time of entry.  env->input: the raw input.
 *
 * Faults: States.Runtime when a path selects nothing, or not what it should;
 * States.QueryEvaluationError for an expression.
 * Source: Amazon States Language, "Wait State".
 */
bool
dx_io_wait(const DxState *state, DxEnv *env, TimestampTz now,
		   TimestampTz *until, DxFault *fault)
{
	const DxWait *wait = &state->u.wait;
	Jsonb	   *raw = env->input;
	Jsonb	   *effective;
	double		seconds;
	bool		ok;

	Assert(state->type == DX_STATE_WAIT);
	if (!dx_io_enter(state, env, &effective, fault))
		return false;
	env->input = effective;
	if (wait->seconds.given)
	{
		ok = wait_seconds(&wait->seconds, env, &seconds, fault);
		if (ok)
			*until = now + (int64) (seconds * USECS_PER_SEC);
	}
	else
		ok = wait_timestamp(&wait->timestamp, env, until, fault);
	env->input = raw;
	return ok;
}

/*
 * Error or Cause of a Fail state as a C string, NULL when it is absent.
 */
static bool
fail_text(const DxText *text, const char *field, DxEnv *env, char **result,
		  DxFault *fault)
{
	JsonbValue	value;
	bool		given;

	*result = NULL;
	if (!text->given)
		return true;
	if (!eval_text(text, env, &value, &given, fault))
		return false;
	if (!given && text->path != NULL)
		return dx_fault(fault, DX_ERROR_RUNTIME,
						"The JSONPath '%s' specified for the field '%sPath' could not be found in the input '%s'",
						text->path->text, field, dx_json_clip(env->input));
	if (!given)
		return true;
	if (value.type != jbvString)
		return dx_fault(fault, text->expr ? DX_ERROR_QUERY : DX_ERROR_RUNTIME,
						"The field '%s' must be a string but was: %s",
						field, dx_value_compact(&value));
	*result = dx_value_text(&value);
	return true;
}

/*
 * Fail: its error and cause; NULL stands for what the state does not give.
 *
 * Faults: States.Runtime when a path selects nothing or no text, those of the
 * intrinsic functions, States.QueryEvaluationError for an expression.
 * Source: Amazon States Language, "Fail State".
 */
bool
dx_io_fail(const DxState *state, DxEnv *env, DxFault *error,
		   DxFault *fault)
{
	Assert(state->type == DX_STATE_FAIL);
	return fail_text(&state->u.fail.error, "Error", env, &error->error, fault) &&
		fail_text(&state->u.fail.cause, "Cause", env, &error->cause, fault);
}
