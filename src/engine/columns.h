/*-------------------------------------------------------------------------
 *
 * columns.h
 *	  Rows into and out of engine statements.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_COLUMNS_H
#define DX_COLUMNS_H

#include "base/plan.h"
#include "executor/spi.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* Arrays that are filled row by row and become a statement's parameters. */
typedef struct DxColumns
{
	int			ncolumns;
	int			nrows;
	int			max_rows;		/* that there is room for; it grows */
	Oid		   *types;			/* of the elements */
	Datum	  **values;
	bool	  **nulls;
	int			next;			/* column that dx_put() fills next */
} DxColumns;

/*
 * Room for rows of the statement's parameters that are arrays.  max_rows is
 * how many there will be as far as the caller knows; more of them find room.
 */
extern DxColumns *dx_columns_make(const DxStatement *statement, int max_rows);

/* The next column of the present row; the last one completes the row. */
extern void dx_put(DxColumns *columns, Datum value, bool isnull);
extern void dx_put_text(DxColumns *columns, const char *text);
extern void dx_put_jsonb(DxColumns *columns, const Jsonb *json);
extern void dx_put_time(DxColumns *columns, TimestampTz at, TimestampTz none);
extern void dx_put_uuid(DxColumns *columns, const pg_uuid_t *uuid);
extern void dx_put_int4(DxColumns *columns, int32 value);

/* The arrays as parameters, when the statement has others besides. */
extern void dx_columns_values(DxColumns *columns, Datum *values);

/* Executes the statement for all rows at once; nothing for no rows. */
extern void dx_columns_execute(DxStatement *statement, DxColumns *columns);

extern Datum dx_uuid_array(const pg_uuid_t *ids, int nids);

/* A row of SPI_tuptable, read column by column. */
typedef struct DxRow
{
	HeapTuple	tuple;
	TupleDesc	desc;
	int			column;			/* the one read last */
	bool		isnull;
} DxRow;

#define dx_row(i) {SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 0, false}

/* The next column; values are copied into CurrentMemoryContext. */
extern Datum dx_get(DxRow *row);
extern int32 dx_get_int4(DxRow *row);
extern int16 dx_get_int2(DxRow *row);
extern TimestampTz dx_get_time(DxRow *row, TimestampTz none);
extern char *dx_get_text(DxRow *row);
extern Jsonb *dx_get_jsonb(DxRow *row);
extern int32 *dx_get_ints(DxRow *row, int *n);
extern List *dx_get_requesters(DxRow *row);
extern List *dx_get_names(DxRow *row);
extern bool dx_get_uuid(DxRow *row, pg_uuid_t *uuid);

#endif							/* DX_COLUMNS_H */
