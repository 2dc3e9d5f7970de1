/*-------------------------------------------------------------------------
 *
 * application.c
 *	  SQL functions for applications: start, signal, cancel, tick, raise.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/arguments.h"
#include "asl/json.h"
#include "base/extension.h"
#include "base/guc.h"
#include "base/session.h"
#include "base/sqlstate.h"
#include "catalog/pg_type.h"
#include "engine/guard.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/pass_guarded.h"
#include "engine/payload_limit.h"
#include "engine/start.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "outside/message.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(dealix_start);
PG_FUNCTION_INFO_V1(dealix_start_many);
PG_FUNCTION_INFO_V1(dealix_signal);
PG_FUNCTION_INFO_V1(dealix_signal_with_start);
PG_FUNCTION_INFO_V1(dealix_cancel);
PG_FUNCTION_INFO_V1(dealix_compensate);
PG_FUNCTION_INFO_V1(dealix_tick);
PG_FUNCTION_INFO_V1(dealix_raise);

/* Are the first n characters hexadecimal digits in lower case? */
static bool
is_hex(const char *text, int n)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if (strchr("0123456789abcdef", text[i]) == NULL || text[i] == '\0')
			return false;
	}
	return true;
}

/* W3C Trace Context, section 3.2: version-traceid-parentid-flags. */
static void
check_traceparent(const char *value)
{
	if (value == NULL)
		return;
	if (strlen(value) != 55 || !is_hex(value, 2) || value[2] != '-' ||
		!is_hex(value + 3, 32) || value[35] != '-' ||
		!is_hex(value + 36, 16) || value[52] != '-' || !is_hex(value + 53, 2) ||
		strncmp(value, "ff", 2) == 0 ||
		strspn(value + 3, "0") >= 32 || strspn(value + 36, "0") >= 16)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a W3C traceparent", value),
				 errhint("It looks like 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.")));
}

/* The stored number of a durability. Errors: 22023 when it is not known. */
static int16
parse_durability(const char *value)
{
	if (strcmp(value, "sync") == 0)
		return DX_DURABILITY_SYNC;
	if (strcmp(value, "async") == 0)
		return DX_DURABILITY_ASYNC;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("durability \"%s\" is not known", value),
			 errhint("It is \"sync\" or \"async\".")));
}

/* The arguments from correlation_id on, which start and start_many share. */
static void
read_start(FunctionCallInfo fcinfo, int first, DxStart *start)
{
	int32		priority = PG_ARGISNULL(first + 2) ? 0 : PG_GETARG_INT32(first + 2);

	dx_require(fcinfo, 0, "workflow");
	start->workflow = text_to_cstring(PG_GETARG_TEXT_PP(0));
	start->correlation_id = dx_text_arg(fcinfo, first);
	dx_check_label(start->correlation_id, "correlation_id");
	start->traceparent = dx_text_arg(fcinfo, first + 1);
	check_traceparent(start->traceparent);
	if (priority < -1000 || priority > 1000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("priority %d is out of range", priority),
				 errhint("It is from -1000 to 1000; higher goes first.")));
	start->priority = priority;
	start->durability = PG_ARGISNULL(first + 3) ? DX_DURABILITY_SYNC :
		parse_durability(text_to_cstring(PG_GETARG_TEXT_PP(first + 3)));
	start->version = 0;
	if (!PG_ARGISNULL(first + 4))
	{
		start->version = PG_GETARG_INT32(first + 4);
		if (start->version < 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("version %d is out of range", start->version),
					 errhint("Versions count from 1; null means the latest.")));
	}
}

/* start(workflow, input, key, correlation_id, traceparent, priority, durability, version) */
Datum
dealix_start(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *run_id = palloc(sizeof(pg_uuid_t));
	DxStart		start = {0};
	char	   *key = dx_text_arg(fcinfo, 2);
	Jsonb	   *input;

	read_start(fcinfo, 3, &start);
	dx_check_label(key, "key");
	input = PG_ARGISNULL(1) ? dx_json_null() : PG_GETARG_JSONB_P(1);

	dx_connect_spi();
	dx_start(&start, 1, &input, &key, run_id);
	SPI_finish();
	PG_RETURN_UUID_P(run_id);
}

/* start_many(workflow, inputs[], keys[], correlation_id, ...): one row a run */
Datum
dealix_start_many(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DxStart		start = {0};
	Datum	   *inputs;
	bool	   *input_nulls;
	Datum	   *keys = NULL;
	bool	   *key_nulls = NULL;
	char	  **key_texts = NULL;
	Jsonb	  **jsons;
	pg_uuid_t  *run_ids;
	int			ninputs;
	int			nkeys = 0;
	int			i;

	read_start(fcinfo, 3, &start);
	dx_require(fcinfo, 1, "inputs");
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), JSONBOID, -1, false,
					  TYPALIGN_INT, &inputs, &input_nulls, &ninputs);
	if (!PG_ARGISNULL(2))
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false,
						  TYPALIGN_INT, &keys, &key_nulls, &nkeys);
	if (keys != NULL && nkeys != ninputs)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there are %d keys for %d inputs", nkeys, ninputs)));

	jsons = palloc(sizeof(Jsonb *) * Max(ninputs, 1));
	run_ids = palloc(sizeof(pg_uuid_t) * Max(ninputs, 1));
	if (keys != NULL)
		key_texts = palloc0(sizeof(char *) * Max(ninputs, 1));
	for (i = 0; i < ninputs; i++)
	{
		jsons[i] = input_nulls[i] ? dx_json_null() : DatumGetJsonbP(inputs[i]);
		if (keys == NULL || key_nulls[i])
			continue;
		key_texts[i] = TextDatumGetCString(keys[i]);
		dx_check_label(key_texts[i], "key");
	}

	dx_connect_spi();
	dx_start(&start, ninputs, jsons, key_texts, run_ids);
	SPI_finish();

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	for (i = 0; i < ninputs; i++)
	{
		Datum		values[1];
		bool		nulls[1] = {false};

		values[0] = UUIDPGetDatum(&run_ids[i]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* signal(run_id, name, payload, key) */
Datum
dealix_signal(PG_FUNCTION_ARGS)
{
	char	   *name;
	char	   *key = dx_text_arg(fcinfo, 3);
	bool		sent;

	dx_require(fcinfo, 0, "run_id");
	dx_require(fcinfo, 1, "name");
	name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	dx_check_label(name, "name");
	dx_check_label(key, "key");

	dx_connect_spi();
	sent = dx_send_signal(PG_GETARG_UUID_P(0), name,
						  PG_ARGISNULL(2) ? dx_json_null() : PG_GETARG_JSONB_P(2),
						  key);
	SPI_finish();
	PG_RETURN_BOOL(sent);
}

/* signal_with_start(workflow, key, name, payload, input, signal_key, ...) */
Datum
dealix_signal_with_start(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *run_id = palloc(sizeof(pg_uuid_t));
	DxStart		start = {0};
	char	   *key = dx_text_arg(fcinfo, 1);
	char	   *name = dx_text_arg(fcinfo, 2);
	char	   *signal_key = dx_text_arg(fcinfo, 5);
	Jsonb	   *input;

	read_start(fcinfo, 6, &start);
	dx_require(fcinfo, 1, "key");
	dx_require(fcinfo, 2, "name");
	dx_check_label(key, "key");
	dx_check_label(name, "name");
	dx_check_label(signal_key, "signal_key");
	input = PG_ARGISNULL(4) ? dx_json_null() : PG_GETARG_JSONB_P(4);
	start.any_input = true;

	dx_connect_spi();
	dx_start(&start, 1, &input, &key, run_id);
	(void) dx_send_signal(run_id, name,
						  PG_ARGISNULL(3) ? dx_json_null() : PG_GETARG_JSONB_P(3),
						  signal_key);
	SPI_finish();
	PG_RETURN_UUID_P(run_id);
}

/* cancel(run_id, reason) */
Datum
dealix_cancel(PG_FUNCTION_ARGS)
{
	bool		sent;

	dx_require(fcinfo, 0, "run_id");
	dx_connect_spi();
	sent = dx_send_cancel(PG_GETARG_UUID_P(0), dx_text_arg(fcinfo, 1));
	SPI_finish();
	PG_RETURN_BOOL(sent);
}

/* compensate(run_id, reason) */
Datum
dealix_compensate(PG_FUNCTION_ARGS)
{
	bool		sent;

	dx_require(fcinfo, 0, "run_id");
	dx_connect_spi();
	sent = dx_send_compensate(PG_GETARG_UUID_P(0), dx_text_arg(fcinfo, 1));
	SPI_finish();
	PG_RETURN_BOOL(sent);
}

/*
 * An argument of type interval in milliseconds; otherwise if it is null.
 * Errors: 22023 when it is not positive.
 */
static int
interval_ms(FunctionCallInfo fcinfo, int arg, int otherwise)
{
	Interval   *interval;
	double		ms;

	if (PG_ARGISNULL(arg))
		return otherwise;
	interval = PG_GETARG_INTERVAL_P(arg);
	ms = interval->time / 1000.0 + (interval->day + interval->month * 30.0) * 86400000.0;
	if (ms <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_time must be positive")));
	return (int) Min(ms, PG_INT32_MAX);
}

/* tick(max_runs, max_time) */
Datum
dealix_tick(PG_FUNCTION_ARGS)
{
	DxPassLimits limits;
	DxPassResult result;

	limits.max_runs = PG_ARGISNULL(0) ? dx_pass_max_runs : PG_GETARG_INT32(0);
	limits.max_time = interval_ms(fcinfo, 1, dx_pass_max_time);
	if (limits.max_runs < 1 || limits.max_runs > 10000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_runs must be from 1 to 10000")));
	if (GetUserId() != GetSessionUserId())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("dealix.tick() must be called in a session of the runs' owner"),
				 errdetail("The session user is \"%s\", the current user \"%s\".",
						   GetUserNameFromId(GetSessionUserId(), false),
						   GetUserNameFromId(GetUserId(), false)),
				 errhint("Connect as the owner: steps must not run in a session that others can take back.")));

	dx_refuse_in_step("dealix.tick()");
	dx_session_lend();
	dx_connect_spi();
	if (!dx_extension_lock())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"%s\" is being dropped", DX_EXTENSION)));
	limits.sets_apart = limits.takes_apart = false;
	dx_pass_guarded(GetUserId(), &limits, NULL, &result);
	SPI_finish();
	PG_RETURN_INT32(result.advanced);
}

/* raise(error, cause) */
Datum
dealix_raise(PG_FUNCTION_ARGS)
{
	char	   *error = dx_text_arg(fcinfo, 0);
	char	   *cause = dx_text_arg(fcinfo, 1);

	dx_check_label(error, "error");
	ereport(ERROR,
			(errcode(error ? DX_SQLSTATE_RAISED : DX_SQLSTATE_RAISED_UNNAMED),
			 errmsg_internal("%s", error ? error : "failed without an error name"),
			 cause ? errdetail_internal("%s", cause) : 0));
	PG_RETURN_VOID();
}
