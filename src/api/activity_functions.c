/*-------------------------------------------------------------------------
 *
 * activity_functions.c
 *	  SQL functions for workers outside: claim, heartbeat, complete, fail.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/arguments.h"
#include "asl/json.h"
#include "base/guc.h"
#include "base/server.h"
#include "base/uuid.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/model.h"
#include "engine/payload.h"
#include "engine/payload_limit.h"
#include "engine/token.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "outside/activity_setting.h"
#include "outside/claim.h"
#include "outside/release.h"
#include "outside/task_answer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define CLAIM_COLUMNS	11
#define MAX_CLAIM		10000
#define MAX_REASON	4000
#define MAX_FINISH		100000

/* Claims a second; beyond these the arithmetic of a bucket would overflow. */
#define MIN_RATE		1e-9
#define MAX_RATE		1e9

PG_FUNCTION_INFO_V1(dealix_claim);
PG_FUNCTION_INFO_V1(dealix_heartbeat);
PG_FUNCTION_INFO_V1(dealix_release_task);
PG_FUNCTION_INFO_V1(dealix_complete);
PG_FUNCTION_INFO_V1(dealix_complete_many);
PG_FUNCTION_INFO_V1(dealix_fail);
PG_FUNCTION_INFO_V1(dealix_all_activities);
PG_FUNCTION_INFO_V1(dealix_limit_activity);

/* all_activities(): a right, as a function; see dx_may_serve. */
Datum
dealix_all_activities(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(true);
}

/* The claimed tasks in SPI_tuptable, as rows of the result. */
static void
put_claimed(ReturnSetInfo *rsinfo)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		Datum		values[CLAIM_COLUMNS];
		bool		nulls[CLAIM_COLUMNS] = {false};
		pg_uuid_t	ticket;
		int32		attempt;

		(void) dx_get_uuid(&row, &ticket);
		attempt = dx_get_int4(&row);
		values[0] = CStringGetTextDatum(dx_token_text(&ticket, attempt));
		for (int j = 1; j <= 7; j++)
		{
			values[j] = dx_get(&row);
			nulls[j] = row.isnull;
		}
		values[8] = CStringGetTextDatum(dx_uuid_text(&ticket));
		values[9] = Int32GetDatum(attempt);
		values[10] = UUIDPGetDatum(&ticket);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

/* claim(activity, worker, max, lease) */
Datum
dealix_claim(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *activity;
	char	   *worker;
	Interval   *lease = PG_ARGISNULL(3) ? NULL : PG_GETARG_INTERVAL_P(3);
	int			max;
	uint64		claimed;

	dx_require(fcinfo, 0, "activity");
	dx_require(fcinfo, 1, "worker");
	dx_require(fcinfo, 2, "max");
	activity = dx_name_arg(fcinfo, 0, "activity");
	worker = dx_name_arg(fcinfo, 1, "worker");
	max = PG_GETARG_INT32(2);
	if (max < 1 || max > MAX_CLAIM)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max must be from 1 to %d", MAX_CLAIM)));
	if (lease != NULL && dx_interval_seconds(lease) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lease must be positive")));
	if (lease != NULL && dx_interval_seconds(lease) > dx_max_lease)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lease must not be longer than %d s", dx_max_lease),
				 errdetail("That is the setting dealix_exec.max_lease."),
				 errhint("Ask for a shorter lease, and make it last by dealix.heartbeat().")));

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	dx_connect_spi();
	while (max > 0 && (claimed = dx_task_claim(activity, worker, max, lease)) > 0)
	{
		put_claimed(rsinfo);
		SPI_freetuptable(SPI_tuptable);
		max -= (int) claimed;
	}
	dx_force_durable();
	SPI_finish();
	return (Datum) 0;
}

/* release_task(task, reason) */
Datum
dealix_release_task(PG_FUNCTION_ARGS)
{
	char	   *reason = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	bool		released;

	dx_require(fcinfo, 0, "task");
	if (reason != NULL && strlen(reason) > MAX_REASON)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("reason must not be longer than %d bytes", MAX_REASON)));
	dx_connect_spi();
	released = dx_task_release(PG_GETARG_UUID_P(0), reason);
	SPI_finish();
	PG_RETURN_BOOL(released);
}

/* heartbeat(token, details) */
Datum
dealix_heartbeat(PG_FUNCTION_ARGS)
{
	Jsonb	   *details = PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1);
	bool		wanted;

	dx_require(fcinfo, 0, "token");
	if (details != NULL)
		dx_check_payload(details, "details");
	dx_connect_spi();
	wanted = dx_task_heartbeat(text_to_cstring(PG_GETARG_TEXT_PP(0)), details);
	SPI_finish();
	PG_RETURN_BOOL(wanted);
}

/* One task; the outcome, or the error of a token that is refused. */
static Datum
finish_one(FunctionCallInfo fcinfo, Jsonb *payload, DxMessageKind kind)
{
	MemoryContext cxt = CurrentMemoryContext;
	Datum		token = PointerGetDatum(PG_GETARG_TEXT_PP(0));
	Datum		payloads = PointerGetDatum(payload);
	bool		isnull = false;
	const char *outcome;
	text	   *result;

	dx_check_payload(payload, kind == DX_MESSAGE_COMPLETED ? "output" : "cause");
	dx_connect_spi();
	if (dx_task_finish(1, &token, &payloads, &isnull, kind, &outcome) > 0)
		dx_task_refuse(TextDatumGetCString(token));
	outcome = MemoryContextStrdup(cxt, outcome);
	SPI_finish();
	result = cstring_to_text(outcome);
	PG_RETURN_TEXT_P(result);
}

/* complete(token, output) */
Datum
dealix_complete(PG_FUNCTION_ARGS)
{
	dx_require(fcinfo, 0, "token");
	return finish_one(fcinfo, PG_ARGISNULL(1) ? dx_json_null() : PG_GETARG_JSONB_P(1),
					  DX_MESSAGE_COMPLETED);
}

/* fail(token, error, cause, retryable) */
Datum
dealix_fail(PG_FUNCTION_ARGS)
{
	char	   *error;
	char	   *cause = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	bool		retryable = PG_ARGISNULL(3) || PG_GETARG_BOOL(3);
	JsonbValue	no;

	dx_require(fcinfo, 0, "token");
	dx_require(fcinfo, 1, "error");
	error = dx_name_arg(fcinfo, 1, "error");
	no.type = jbvBool;
	no.val.boolean = false;
	return finish_one(fcinfo,
					  dx_payload("error", dx_json_string(error),
								 "cause", cause ? dx_json_string(cause) : NULL,
								 "retryable", retryable ? NULL : dx_json_from_value(&no),
								 NULL),
					  DX_MESSAGE_FAILED);
}

/* The outcomes as rows of the result; what has none is REFUSED. */
static void
put_outcomes(ReturnSetInfo *rsinfo, int n, const char **outcomes)
{
	for (int i = 0; i < n; i++)
	{
		Datum		value = CStringGetTextDatum(outcomes[i] ? outcomes[i] : "REFUSED");
		bool		isnull = false;

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
	}
}

/* complete_many(tokens[], outputs[]) */
Datum
dealix_complete_many(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum	   *tokens;
	Datum	   *outputs;
	bool	   *token_nulls;
	bool	   *output_nulls;
	int			ntokens;
	int			noutputs;
	const char **outcomes;

	dx_require(fcinfo, 0, "tokens");
	dx_require(fcinfo, 1, "outputs");
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false,
					  TYPALIGN_INT, &tokens, &token_nulls, &ntokens);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), JSONBOID, -1, false,
					  TYPALIGN_INT, &outputs, &output_nulls, &noutputs);
	if (ntokens != noutputs || ntokens > MAX_FINISH)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there are %d outputs for %d tokens", noutputs, ntokens),
				 errhint("Give one output for each token, at most %d.", MAX_FINISH)));
	for (int i = 0; i < ntokens; i++)
	{
		if (token_nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("token must not be null")));
		if (!output_nulls[i])
			dx_check_payload(DatumGetJsonbP(outputs[i]), "output");
	}
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	outcomes = palloc(sizeof(char *) * Max(ntokens, 1));
	dx_connect_spi();
	if (ntokens > 0)
		(void) dx_task_finish(ntokens, tokens, outputs, output_nulls,
							  DX_MESSAGE_COMPLETED, outcomes);
	put_outcomes(rsinfo, ntokens, outcomes);
	SPI_finish();
	return (Datum) 0;
}

/* The claims a second; 0 for null, no limit. Errors: 22023. */
static double
rate_arg(FunctionCallInfo fcinfo, int arg)
{
	double		rate = PG_ARGISNULL(arg) ? 0 : PG_GETARG_FLOAT8(arg);

	if (!PG_ARGISNULL(arg) && !(rate >= MIN_RATE && rate <= MAX_RATE))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rate must be from 0.000000001 to 1000000000 claims a second"),
				 errdetail("It is %g.", rate),
				 errhint("Null takes the limit away; 0.1 is one claim in ten seconds.")));
	return rate;
}

/* limit_activity(activity, max_in_flight, rate, per_owner) */
Datum
dealix_limit_activity(PG_FUNCTION_ARGS)
{
	char	   *activity;
	int			max_in_flight;
	double		rate;

	dx_require(fcinfo, 0, "activity");
	activity = dx_name_arg(fcinfo, 0, "activity");
	max_in_flight = dx_limit_arg(fcinfo, 1, "max_in_flight");
	rate = rate_arg(fcinfo, 2);
	dx_connect_spi();
	dx_activity_limit(activity, max_in_flight, rate,
					  !PG_ARGISNULL(3) && PG_GETARG_BOOL(3));
	SPI_finish();
	dx_force_durable();
	PG_RETURN_VOID();
}
