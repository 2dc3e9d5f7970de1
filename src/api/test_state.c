/*-------------------------------------------------------------------------
 *
 * test_state.c
 *	  dealix.test_state: runs one state by itself, with a mock in place of what
 *	  it would call, and stores nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/arguments.h"
#include "api/author.h"
#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "asl/problem.h"
#include "base/clock.h"
#include "base/watch.h"
#include "catalog/pg_type.h"
#include "engine/careful.h"
#include "engine/evaluate.h"
#include "engine/expression.h"
#include "engine/guard.h"
#include "engine/publish.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(dealix_test_state);

/* One state, what it is given, and what has become of it. */
typedef struct Trial
{
	const DxProgram *program;
	const DxState *state;
	Jsonb	   *mock;			/* NULL: none */
	DxEnv		env;

	const char *status;
	Jsonb	   *effective;		/* input after InputPath and Parameters */
	Jsonb	   *items;			/* Map: the input of each item */
	Jsonb	   *output;
	Jsonb	   *variables;
	int			next;			/* state index, or -1 */
	const char *until;			/* Wait */
	double		delay;			/* RETRIABLE: seconds, else < 0 */
	DxFault		fault;
} Trial;

/* A member of the object that is put together. */
static void
add_member(JsonbParseState **object, const char *key, const Jsonb *json)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, key);
	value.val.string.len = strlen(key);
	pushJsonbValue(object, WJB_KEY, &value);
	dx_json_to_value(json, &value);
	pushJsonbValue(object, WJB_VALUE, &value);
}

/* The same for a text; NULL is null. */
static void
add_text(JsonbParseState **object, const char *key, const char *text)
{
	add_member(object, key, text ? dx_json_string(text) : dx_json_null());
}

/* A number as JSON. */
static Jsonb *
number_json(double number)
{
	JsonbValue	value;

	value.type = jbvNumeric;
	value.val.numeric = DatumGetNumeric(DirectFunctionCall1(float8_numeric,
															Float8GetDatum(number)));
	return dx_json_from_value(&value);
}

/*
 * The context object for those who give none: what does not depend on a run.
 */
static Jsonb *
default_context(const DxState *state, const Jsonb *input)
{
	JsonbParseState *execution = NULL;
	JsonbParseState *entered = NULL;
	Jsonb	   *context = dx_json_empty_object();

	pushJsonbValue(&execution, WJB_BEGIN_OBJECT, NULL);
	add_member(&execution, "Input", input);
	context = dx_json_set(context, "Execution",
						  JsonbValueToJsonb(pushJsonbValue(&execution,
														   WJB_END_OBJECT, NULL)));

	pushJsonbValue(&entered, WJB_BEGIN_OBJECT, NULL);
	add_text(&entered, "Name", state->name);
	add_member(&entered, "RetryCount", number_json(0));
	return dx_json_set(context, "State",
					   JsonbValueToJsonb(pushJsonbValue(&entered,
														WJB_END_OBJECT, NULL)));
}

/*
 * How often the state has been retried, by the context.
 */
static int32
retry_count(const Trial *trial)
{
	Jsonb	   *entered = dx_json_get_json(trial->env.context, "State");
	JsonbValue	value;
	bool		overflow;
	int32		count;

	if (entered == NULL || !dx_json_get(entered, "RetryCount", &value) ||
		value.type != jbvNumeric)
		return 0;
	count = numeric_int4_opt_error(value.val.numeric, &overflow);
	return overflow ? 0 : count;
}

/* Errors: 22023 for what a mock cannot say. */
static void
check_mock(const Jsonb *mock)
{
	JsonbIterator *it = JsonbIteratorInit(&unconstify(Jsonb *, mock)->root);
	JsonbIteratorToken token;
	JsonbValue	v;
	char	   *unknown = NULL;
	bool		result = false;
	bool		error = false;

	while (JB_ROOT_IS_OBJECT(mock) && (token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		char	   *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(v.val.string.val, v.val.string.len);
		(void) JsonbIteratorNext(&it, &v, true);
		result = result || strcmp(name, "result") == 0;
		error = error || strcmp(name, "error") == 0;
		if (strcmp(name, "result") != 0 && strcmp(name, "error") != 0 &&
			strcmp(name, "cause") != 0)
			unknown = name;
	}
	if (unknown != NULL && (result || error))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a mock has no member \"%s\"", unknown),
				 errhint("It is {\"result\": ...} or {\"error\": ..., \"cause\": ...}.")));
	if (result && error)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a mock has either a result or an error")));
}

/*
 * Takes the result, or the error, from the mock.
 */
static bool
take_mock(Trial *trial, Jsonb **result)
{
	JsonbValue	error;

	if (trial->mock == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("state \"%s\" cannot be tested without a mock",
						trial->state->name),
				 errhint("Give {\"result\": ...} or {\"error\": ..., \"cause\": ...}.")));
	check_mock(trial->mock);
	if (dx_json_get(trial->mock, "error", &error))
	{
		trial->fault.error = dx_json_get_text(trial->mock, "error");
		trial->fault.cause = dx_json_get_text(trial->mock, "cause");
		return false;
	}
	*result = dx_json_get_json(trial->mock, "result");
	if (*result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a mock has a member \"result\" or \"error\"")));
	return true;
}

/*
 * The input that each item of a Map would get.
 */
static bool
make_items(Trial *trial)
{
	JsonbParseState *inputs = NULL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	Jsonb	   *items;
	int			index = 0;

	if (!dx_eval_items(trial->state, &trial->env, &items, &trial->fault))
		return false;
	pushJsonbValue(&inputs, WJB_BEGIN_ARRAY, NULL);
	it = JsonbIteratorInit(&items->root);
	(void) JsonbIteratorNext(&it, &value, true);
	while ((token = JsonbIteratorNext(&it, &value, true)) == WJB_ELEM)
	{
		Jsonb	   *input;

		CHECK_FOR_INTERRUPTS();
		if (!dx_eval_item_input(trial->state, &trial->env, index++,
								dx_json_from_value(&value), &input,
								&trial->fault))
			return false;
		dx_json_to_value(input, &value);
		pushJsonbValue(&inputs, WJB_ELEM, &value);
	}
	trial->items = JsonbValueToJsonb(pushJsonbValue(&inputs, WJB_END_ARRAY, NULL));
	return true;
}

/*
 * The result of the state's own work, before it is put into the output.
 */
static bool
make_result(Trial *trial, Jsonb **result)
{
	const DxState *state = trial->state;
	TimestampTz until;
	char		text[MAXDATELEN + 1];
	int			utc = 0;

	switch (state->type)
	{
		case DX_STATE_TASK:
		case DX_STATE_PARALLEL:
			return take_mock(trial, result);
		case DX_STATE_MAP:
			return make_items(trial) && take_mock(trial, result);
		case DX_STATE_PASS:
			*result = state->result ? state->result : trial->effective;
			return true;
		case DX_STATE_WAIT:
			if (!dx_eval_wait(state, &trial->env, dx_now(), &until, &trial->fault))
				return false;
			JsonEncodeDateTime(text, TimestampTzGetDatum(until),
							   TIMESTAMPTZOID, &utc);
			trial->until = pstrdup(text);
			/* FALLTHROUGH */
		default:
			*result = trial->effective;
			return true;
	}
}

/*
 * Runs the state as if nothing but the mock could fail.  false: trial->fault.
 */
static bool
run_state(Trial *trial)
{
	const DxState *state = trial->state;
	Jsonb	   *result;

	if (state->type == DX_STATE_FAIL)
	{
		DxFault		error = {NULL, NULL};

		if (dx_eval_fail(state, &trial->env, &error, &trial->fault))
			trial->fault = error;
		return false;
	}
	if (state->type == DX_STATE_CHOICE)
		return dx_eval_choose(state, &trial->env, &trial->next, &trial->output,
							  &trial->variables, &trial->fault);

	if (!dx_eval_enter(state, &trial->env, &trial->effective, &trial->fault) ||
		!make_result(trial, &result) ||
		!dx_eval_exit(state, &trial->env, result, &trial->output,
					  &trial->variables, &trial->fault))
		return false;
	trial->next = state->next;
	return true;
}

/* A heartbeat that did not come has a name to match, and another on record. */
static void
record_heartbeat(Trial *trial)
{
	if (trial->state->type == DX_STATE_TASK && trial->fault.error != NULL &&
		strcmp(trial->fault.error, DX_ERROR_HEARTBEAT) == 0)
		trial->fault.error = pstrdup(DX_ERROR_TIMEOUT);
}

/*
 * What Retry and Catch make of the fault.
 */
static void
handle_fault(Trial *trial)
{
	const DxState *state = trial->state;
	const DxCatcher *catcher = dx_catch_choose(state, trial->fault.error);
	DxFault		second = {NULL, NULL};
	int32	   *used = palloc(sizeof(int32) * (state->nretriers + 1));

	for (int i = 0; i < state->nretriers; i++)
		used[i] = retry_count(trial);
	/* The longest delay that jitter could draw. */
	if (dx_retry_choose(state->nretriers, state->retriers, used,
						trial->fault.error, 1.0, &trial->delay) >= 0)
	{
		trial->status = "RETRIABLE";
		record_heartbeat(trial);
		return;
	}

	record_heartbeat(trial);
	trial->delay = -1;
	trial->status = "FAILED";
	if (catcher == NULL)
		return;
	if (!dx_eval_catch(state, catcher, &trial->env, &trial->fault,
					   &trial->output, &trial->variables, &second))
	{
		trial->fault = second;
		return;
	}
	trial->status = "CAUGHT_ERROR";
	trial->next = catcher->next;
}

/*
 * What became of the state, as JSON.
 */
static Jsonb *
report(const Trial *trial)
{
	JsonbParseState *object = NULL;
	bool		failed = strcmp(trial->status, "SUCCEEDED") != 0;
	bool		goes_on = !failed || strcmp(trial->status, "CAUGHT_ERROR") == 0;

	pushJsonbValue(&object, WJB_BEGIN_OBJECT, NULL);
	add_text(&object, "status", trial->status);
	if (trial->effective)
		add_member(&object, "effective_input", trial->effective);
	if (trial->items)
		add_member(&object, "items", trial->items);
	if (trial->until)
		add_text(&object, "until", trial->until);
	if (failed)
	{
		add_text(&object, "error", trial->fault.error);
		add_text(&object, "cause", trial->fault.cause);
	}
	if (trial->delay >= 0)
		add_member(&object, "delay", number_json(trial->delay));
	if (goes_on)
	{
		add_member(&object, "output", trial->output);
		add_text(&object, "next", trial->next < 0 ? NULL :
				 trial->program->names[trial->next]);
		add_member(&object, "variables",
				   trial->variables ? trial->variables : dx_json_empty_object());
	}
	return JsonbValueToJsonb(pushJsonbValue(&object, WJB_END_OBJECT, NULL));
}

/*
 * Compiles the definition and finds the state in it.
 */
static void
prepare(Trial *trial, const Jsonb *definition, const char *name)
{
	DxCompileOptions options;
	DxProblems	problems = {NIL, NIL};

	/* The mock stands for whatever a resource is. */
	dx_publish_options(&options, NULL, NULL);
	options.check_resource = NULL;
	trial->program = dx_program_compile(definition, &options,
										CurrentMemoryContext, &problems);
	if (trial->program == NULL)
		dx_author_refuse(&problems);
	trial->state = dx_program_find_state(trial->program, name);
	if (trial->state == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no state \"%s\" in the definition", name)));
	trial->next = -1;
	trial->delay = -1;
}

/*
 * Runs the state as a pass would: for no longer than evaluation_timeout, and
 * with no more data than max_evaluation.  Within a step those of its pass hold.
 */
static void
try_state(Trial *trial)
{
	bool		within_step = dx_in_user_code();
	pg_uuid_t	none = {{0}};

	if (!within_step)
	{
		dx_watch_begin();
		dx_watch_place(&none, 0, trial->state->name);
		dx_build_begin(dx_evaluation_limit());
	}
	PG_TRY();
	{
		if (run_state(trial))
			trial->status = "SUCCEEDED";
		else
			handle_fault(trial);
	}
	PG_FINALLY();
	{
		if (!within_step)
		{
			dx_build_begin(0);
			dx_watch_end();
		}
	}
	PG_END_TRY();
}

/*
 * dealix.test_state(definition jsonb, state text, input jsonb, mock jsonb,
 *					 context jsonb, variables jsonb) RETURNS jsonb
 *
 * mock stands for what a Task, Parallel or Map would do: {"result": ...} or
 * {"error": ..., "cause": ...}.  The answer has "status" (SUCCEEDED, FAILED,
 * RETRIABLE, CAUGHT_ERROR) and what there is of "effective_input", "items",
 * "until", "error", "cause", "delay", "output", "next" and "variables".
 *
 * ERRCODE_INVALID_PARAMETER_VALUE for a definition with problems, a state that
 * is not there, and a mock that is missing or malformed;
 * ERRCODE_PROGRAM_LIMIT_EXCEEDED when the state makes more data than
 * max_evaluation.
 */
Datum
dealix_test_state(PG_FUNCTION_ARGS)
{
	Trial		trial;
	Jsonb	   *answer;
	Jsonb	   *copy;

	for (int i = 0; i < 3; i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("definition, state and input must not be null")));
	}

	dx_connect_spi();
	memset(&trial, 0, sizeof(trial));
	prepare(&trial, PG_GETARG_JSONB_P(0), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	trial.env.input = PG_GETARG_JSONB_P(2);
	trial.env.state_input = trial.env.input;
	trial.mock = PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3);
	trial.env.context = PG_ARGISNULL(4) ?
		default_context(trial.state, trial.env.input) : PG_GETARG_JSONB_P(4);
	trial.env.variables = PG_ARGISNULL(5) ? NULL : PG_GETARG_JSONB_P(5);
	trial.variables = trial.env.variables;
	dx_expression_env(&trial.env, NULL, NULL);

	try_state(&trial);
	answer = report(&trial);
	copy = SPI_palloc(VARSIZE(answer));
	memcpy(copy, answer, VARSIZE(answer));
	SPI_finish();
	PG_RETURN_JSONB_P(copy);
}
