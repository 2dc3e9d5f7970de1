/*-------------------------------------------------------------------------
 *
 * event_functions.c
 *	  SQL functions for events that come and go: publish_event, the outbox.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/arguments.h"
#include "asl/json.h"
#include "engine/columns.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "outside/event.h"
#include "outside/outbox.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#define MAX_READ	10000

PG_FUNCTION_INFO_V1(dealix_publish_event);
PG_FUNCTION_INFO_V1(dealix_read_outbox);
PG_FUNCTION_INFO_V1(dealix_ack);
PG_FUNCTION_INFO_V1(dealix_drop_consumer);

/* publish_event(name, correlation_id, payload) */
Datum
dealix_publish_event(PG_FUNCTION_ARGS)
{
	char	   *correlation = dx_text_arg(fcinfo, 1);
	int64		reached;

	dx_require(fcinfo, 0, "name");
	dx_connect_spi();
	reached = dx_publish_event(dx_name_arg(fcinfo, 0, "name"),
							   correlation ? correlation : "",
							   PG_ARGISNULL(2) ? dx_json_null() : PG_GETARG_JSONB_P(2));
	SPI_finish();
	PG_RETURN_INT64(reached);
}

/* read_outbox(consumer, max) */
Datum
dealix_read_outbox(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			max;
	uint64		n;

	dx_require(fcinfo, 0, "consumer");
	dx_require(fcinfo, 1, "max");
	max = PG_GETARG_INT32(1);
	if (max < 1 || max > MAX_READ)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max must be from 1 to %d", MAX_READ)));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	dx_connect_spi();
	n = dx_outbox_read(dx_name_arg(fcinfo, 0, "consumer"), max);
	for (uint64 i = 0; i < n; i++)
	{
		DxRow		row = dx_row(i);
		Datum		values[3];
		bool		nulls[3];

		for (int j = 0; j < 3; j++)
		{
			values[j] = dx_get(&row);
			nulls[j] = row.isnull;
		}
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}

/* ack(consumer, ids[]) */
Datum
dealix_ack(PG_FUNCTION_ARGS)
{
	int64		acknowledged;

	dx_connect_spi();
	acknowledged = dx_outbox_ack(dx_name_arg(fcinfo, 0, "consumer"), PG_GETARG_DATUM(1));
	SPI_finish();
	PG_RETURN_INT64(acknowledged);
}

/* drop_consumer(consumer) */
Datum
dealix_drop_consumer(PG_FUNCTION_ARGS)
{
	bool		dropped;

	dx_connect_spi();
	dropped = dx_outbox_drop(dx_name_arg(fcinfo, 0, "consumer"));
	SPI_finish();
	PG_RETURN_BOOL(dropped);
}
