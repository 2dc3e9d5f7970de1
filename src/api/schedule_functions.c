/*-------------------------------------------------------------------------
 *
 * schedule_functions.c
 *	  SQL functions under dealix.schedule() and its like.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/arguments.h"
#include "base/clock.h"
#include "catalog/pg_type.h"
#include "engine/payload_limit.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "outside/schedule.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(dealix_schedule_put);
PG_FUNCTION_INFO_V1(dealix_schedule_drop);
PG_FUNCTION_INFO_V1(dealix_schedule_pause);
PG_FUNCTION_INFO_V1(dealix_fire_schedule);
PG_FUNCTION_INFO_V1(dealix_backfill);

/* How far back a schedule makes up for a pause, and how late it may start, in days. */
#define MAX_CATCH_UP	36525
#define MAX_JITTER		30

/* How many runs one backfill starts. */
#define MAX_BACKFILL	10000

/* Errors: 22023 when an interval is negative or longer than so many days. */
static void
check_interval(FunctionCallInfo fcinfo, int arg, const char *name, int max_days)
{
	double		seconds = dx_interval_seconds(PG_GETARG_INTERVAL_P(arg));

	if (!(seconds >= 0 && seconds <= max_days * 86400.0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is out of range", name),
				 errhint("It is from 0 to %d days.", max_days)));
}

/* schedule_put(name, cron, workflow, input, overlap, catch_up, jitter) */
Datum
dealix_schedule_put(PG_FUNCTION_ARGS)
{
	Datum		values[9];

	(void) dx_name_arg(fcinfo, 0, "name");
	(void) dx_name_arg(fcinfo, 1, "cron");
	(void) dx_name_arg(fcinfo, 2, "workflow");
	dx_check_payload(PG_GETARG_JSONB_P(3), "the input");
	check_interval(fcinfo, 5, "catch_up", MAX_CATCH_UP);
	check_interval(fcinfo, 6, "jitter", MAX_JITTER);
	for (int i = 0; i < 7; i++)
		values[i + 1] = PG_GETARG_DATUM(i);
	dx_connect_spi();
	dx_schedule_put(values, NULL);
	SPI_finish();
	PG_RETURN_VOID();
}

/* schedule_drop(name) */
Datum
dealix_schedule_drop(PG_FUNCTION_ARGS)
{
	bool		dropped;

	dx_connect_spi();
	dropped = dx_schedule_drop(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SPI_finish();
	PG_RETURN_BOOL(dropped);
}

/* schedule_pause(name, paused) */
Datum
dealix_schedule_pause(PG_FUNCTION_ARGS)
{
	bool		changed;

	dx_connect_spi();
	changed = dx_schedule_pause(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_BOOL(1));
	SPI_finish();
	PG_RETURN_BOOL(changed);
}

/* fire_schedule(name, at) */
Datum
dealix_fire_schedule(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	const char *outcome;

	dx_require(fcinfo, 0, "name");
	dx_connect_spi();
	/* What it has read of the tables is SPI's memory. */
	outcome = MemoryContextStrdup(caller,
								  dx_schedule_fire(text_to_cstring(PG_GETARG_TEXT_PP(0)),
												   PG_ARGISNULL(1) ? dx_now() : PG_GETARG_TIMESTAMPTZ(1)));
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(outcome));
}

/* backfill(name, times[]) */
Datum
dealix_backfill(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum	   *times;
	bool	   *nulls;
	int			n;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TIMESTAMPTZOID, sizeof(TimestampTz),
					  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &times, &nulls, &n);
	if (n > MAX_BACKFILL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%d times are too many for one backfill", n),
				 errhint("Call it for up to %d times after each other: a time that has had its run starts no other.",
						 MAX_BACKFILL)));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	dx_connect_spi();
	for (int i = 0; i < n; i++)
	{
		pg_uuid_t	run_id;
		Datum		value = UUIDPGetDatum(&run_id);
		bool		isnull = false;

		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("times must not contain null")));
		dx_schedule_backfill(name, DatumGetTimestampTz(times[i]), &run_id);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
	}
	SPI_finish();
	return (Datum) 0;
}
