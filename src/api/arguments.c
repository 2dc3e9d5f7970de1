/*-------------------------------------------------------------------------
 *
 * arguments.c
 *	  What SQL functions do with their arguments.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/arguments.h"
#include "engine/payload_limit.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Each of so many is a row. */
#define MAX_LIMIT	100000

/* Connects to SPI, until SPI_finish. */
void
dx_connect_spi(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not connect to the SPI manager")));
}

/* Refuses a null argument by its name. Errors: 22004. */
void
dx_require(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

/* A text argument as a C string; NULL for null. */
char *
dx_text_arg(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

/* The same for a name: 1 to DX_MAX_LABEL bytes. Errors: 22023. */
char *
dx_name_arg(FunctionCallInfo fcinfo, int arg, const char *name)
{
	char	   *value = dx_text_arg(fcinfo, arg);

	dx_check_label(value, name);
	return value;
}

/* How many there may be at a time; 0 for null, no limit. Errors: 22023. */
int
dx_limit_arg(FunctionCallInfo fcinfo, int arg, const char *name)
{
	int			max = PG_ARGISNULL(arg) ? 0 : PG_GETARG_INT32(arg);

	if (!PG_ARGISNULL(arg) && (max < 1 || max > MAX_LIMIT))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be from 1 to %d", name, MAX_LIMIT),
				 errdetail("It is %d.", max),
				 errhint("Null takes the limit away.")));
	return max;
}

/* The length of an interval in seconds; a month has 30 days. */
double
dx_interval_seconds(const Interval *interval)
{
	return interval->time / 1000000.0 +
		(interval->day + interval->month * 30.0) * 86400.0;
}
