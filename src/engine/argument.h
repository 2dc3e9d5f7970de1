/*-------------------------------------------------------------------------
 *
 * argument.h
 *	  From a member of a step's input to an argument of its function.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_ARGUMENT_H
#define DX_ENGINE_ARGUMENT_H

#include "executor/spi.h"
#include "utils/jsonb.h"

/* How JSON becomes an argument of one SQL type. */
typedef struct DxSqlArgument
{
	Oid			type;
	bool		by_query;		/* array, composite, domain */
	SPIPlanPtr	plan;			/* then */
	FmgrInfo	input;			/* else: the type's input function */
	Oid			ioparam;
} DxSqlArgument;

extern void dx_argument_prepare(DxSqlArgument *argument, Oid type, MemoryContext cxt);
extern void dx_argument_release(DxSqlArgument *argument);
extern Datum dx_argument_value(DxSqlArgument *argument, JsonbValue *value, bool *isnull);

#endif							/* DX_ENGINE_ARGUMENT_H */
