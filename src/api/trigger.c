/*-------------------------------------------------------------------------
 *
 * trigger.c
 *	  Trigger functions for business tables: start_run, compensate_run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/arguments.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "engine/start.h"
#include "executor/spi.h"
#include "nodes/makefuncs.h"
#include "outside/message.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(dealix_start_run);
PG_FUNCTION_INFO_V1(dealix_compensate_run);

/* Errors: 0A000 not an AFTER ... FOR EACH ROW trigger, 22023 wrong arguments. */
static TriggerData *
trigger_data(FunctionCallInfo fcinfo, const char *name, int min_args, int max_args)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
		!TRIGGER_FIRED_AFTER(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("dealix.%s() must be called by an AFTER trigger FOR EACH ROW", name)));
	if (data->tg_trigger->tgnargs < min_args || data->tg_trigger->tgnargs > max_args)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dealix.%s() takes %d to %d arguments: a workflow, and names of columns",
						name, min_args, max_args)));
	return data;
}

/* The row that the trigger is about. */
static HeapTuple
trigger_row(const TriggerData *data)
{
	return TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : data->tg_trigtuple;
}

/* The value of the column that argument n names; NULL: no such argument, or null. */
static char *
column_value(const TriggerData *data, HeapTuple row, int n)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	const char *name;
	int			number;

	if (n >= data->tg_trigger->tgnargs || data->tg_trigger->tgargs[n][0] == '\0')
		return NULL;
	name = data->tg_trigger->tgargs[n];
	number = SPI_fnumber(desc, name);
	if (number == SPI_ERROR_NOATTRIBUTE)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\"",
						RelationGetRelationName(data->tg_relation), name),
				 errdetail("Trigger \"%s\" names it.", data->tg_trigger->tgname)));
	return SPI_getvalue(row, desc, number);
}

/* to_jsonb() of the row, which wants to know its type from an expression. */
static Jsonb *
row_json(const TriggerData *data, HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	Datum		value = heap_copy_tuple_as_datum(row, desc);
	FmgrInfo	function;

	fmgr_info(F_TO_JSONB, &function);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID,
											 list_make1(makeNullConst(desc->tdtypeid, -1, InvalidOid)),
											 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL),
					   &function);
	return DatumGetJsonbP(FunctionCall1(&function, value));
}

/* start_run(workflow [, key column [, correlation_id column]]) */
Datum
dealix_start_run(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, "start_run", 1, 3);
	HeapTuple	row = trigger_row(data);
	DxStart		start = {0};
	pg_uuid_t	run_id;
	Jsonb	   *input = row_json(data, row);
	char	   *key;

	start.workflow = data->tg_trigger->tgargs[0];
	dx_connect_spi();
	key = column_value(data, row, 1);
	start.correlation_id = column_value(data, row, 2);
	start.any_input = true;
	dx_start(&start, 1, &input, &key, &run_id);
	SPI_finish();
	return PointerGetDatum(NULL);
}

/* compensate_run(workflow, key column [, reason]) */
Datum
dealix_compensate_run(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, "compensate_run", 2, 3);
	HeapTuple	row = data->tg_trigtuple;
	const Trigger *trigger = data->tg_trigger;
	char	   *key;
	pg_uuid_t	run_id;

	dx_connect_spi();
	key = column_value(data, row, 1);
	if (key != NULL && dx_run_by_key(trigger->tgargs[0], key, &run_id))
		(void) dx_send_compensate(&run_id, trigger->tgnargs > 2 ? trigger->tgargs[2] :
								  psprintf("Trigger \"%s\" of table \"%s\".", trigger->tgname,
										   RelationGetRelationName(data->tg_relation)));
	SPI_finish();
	return PointerGetDatum(NULL);
}
