/*-------------------------------------------------------------------------
 *
 * columns.c
 *	  Rows into and out of engine statements: array parameters that are filled
 *	  row by row, and result rows that are read column by column.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/bounds.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* See columns.h. */
DxColumns *
dx_columns_make(const DxStatement *statement, int max_rows)
{
	DxColumns  *columns = palloc0(sizeof(DxColumns));
	int			i;

	max_rows = Max(max_rows, 1);
	columns->ncolumns = statement->nargs;
	columns->max_rows = max_rows;
	columns->types = palloc0(sizeof(Oid) * statement->nargs);
	columns->values = palloc0(sizeof(Datum *) * statement->nargs);
	columns->nulls = palloc0(sizeof(bool *) * statement->nargs);
	for (i = 0; i < statement->nargs; i++)
	{
		columns->types[i] = get_element_type(statement->argtypes[i]);
		if (!OidIsValid(columns->types[i]))
			continue;
		columns->values[i] = palloc(sizeof(Datum) * max_rows);
		columns->nulls[i] = palloc(sizeof(bool) * max_rows);
	}
	return columns;
}

/* Twice the rows; an error when that is more than an array can be. */
static void
grow(DxColumns *columns)
{
	int			max_rows = columns->max_rows * 2;
	int			i;

	if (columns->max_rows > PG_INT32_MAX / 2)
		dx_no_room(columns->max_rows, "rows of a statement");
	for (i = 0; i < columns->ncolumns; i++)
	{
		if (columns->values[i] == NULL)
			continue;
		columns->values[i] = repalloc(columns->values[i], sizeof(Datum) * max_rows);
		columns->nulls[i] = repalloc(columns->nulls[i], sizeof(bool) * max_rows);
	}
	columns->max_rows = max_rows;
}

/* The next column of the row; the last one begins a new row. */
void
dx_put(DxColumns *columns, Datum value, bool isnull)
{
	dx_check_room(columns->next, columns->ncolumns, "columns of a statement");
	if (unlikely(columns->values[columns->next] == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("parameter %d of a statement is no array", columns->next + 1)));
	if (unlikely(columns->nrows == columns->max_rows))
		grow(columns);
	columns->values[columns->next][columns->nrows] = value;
	columns->nulls[columns->next][columns->nrows] = isnull;
	if (++columns->next == columns->ncolumns)
	{
		columns->next = 0;
		columns->nrows++;
	}
}

/* NULL is null. */
void
dx_put_text(DxColumns *columns, const char *text)
{
	dx_put(columns, text ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

/* NULL is null. */
void
dx_put_jsonb(DxColumns *columns, const Jsonb *json)
{
	dx_put(columns, PointerGetDatum(json), json == NULL);
}

/* none stands for null. */
void
dx_put_time(DxColumns *columns, TimestampTz at, TimestampTz none)
{
	dx_put(columns, TimestampTzGetDatum(at), at == none);
}

/* NULL: NULL. */
void
dx_put_uuid(DxColumns *columns, const pg_uuid_t *uuid)
{
	dx_put(columns, UUIDPGetDatum(uuid), uuid == NULL);
}

/* Never null. */
void
dx_put_int4(DxColumns *columns, int32 value)
{
	dx_put(columns, Int32GetDatum(value), false);
}

/* The rows as one array for each parameter. */
void
dx_columns_values(DxColumns *columns, Datum *values)
{
	int			lbound = 1;
	int			i;

	Assert(columns->next == 0);
	for (i = 0; i < columns->ncolumns; i++)
	{
		int16		typlen;
		bool		typbyval;
		char		typalign;

		get_typlenbyvalalign(columns->types[i], &typlen, &typbyval, &typalign);
		values[i] = PointerGetDatum(construct_md_array(columns->values[i],
													   columns->nulls[i], 1,
													   &columns->nrows, &lbound,
													   columns->types[i], typlen,
													   typbyval, typalign));
	}
}

/* Executes the statement for all rows; for none it does nothing. */
void
dx_columns_execute(DxStatement *statement, DxColumns *columns)
{
	Datum		values[lengthof(statement->argtypes)];

	if (columns->nrows == 0)
		return;
	dx_columns_values(columns, values);
	(void) dx_execute(statement, values, NULL, false, 0);
}

/* Ids as an array, for a parameter. */
Datum
dx_uuid_array(const pg_uuid_t *ids, int nids)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(nids, 1));
	int			i;

	for (i = 0; i < nids; i++)
		values[i] = UUIDPGetDatum(&ids[i]);
	return PointerGetDatum(construct_array(values, nids, UUIDOID, UUID_LEN,
										   false, TYPALIGN_CHAR));
}

/* The next column of the row; row->isnull says whether it is null. */
Datum
dx_get(DxRow *row)
{
	return SPI_getbinval(row->tuple, row->desc, ++row->column, &row->isnull);
}

/* Null is 0. */
int32
dx_get_int4(DxRow *row)
{
	return DatumGetInt32(dx_get(row));
}

/* Null is 0. */
int16
dx_get_int2(DxRow *row)
{
	return DatumGetInt16(dx_get(row));
}

/* Null is none. */
TimestampTz
dx_get_time(DxRow *row, TimestampTz none)
{
	Datum		value = dx_get(row);

	return row->isnull ? none : DatumGetTimestampTz(value);
}

/* A copy; null is NULL. */
char *
dx_get_text(DxRow *row)
{
	Datum		value = dx_get(row);

	return row->isnull ? NULL : TextDatumGetCString(value);
}

/* A copy; null is NULL. */
Jsonb *
dx_get_jsonb(DxRow *row)
{
	Datum		value = dx_get(row);

	return row->isnull ? NULL : DatumGetJsonbPCopy(value);
}

/* An int4 array; NULL and *n = 0 for NULL. */
int32 *
dx_get_ints(DxRow *row, int *n)
{
	Datum		value = dx_get(row);
	ArrayType  *array;

	*n = 0;
	if (row->isnull)
		return NULL;
	array = DatumGetArrayTypePCopy(value);
	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	return (int32 *) ARR_DATA_PTR(array);
}

/* false: it is NULL, and *uuid all zero. */
bool
dx_get_uuid(DxRow *row, pg_uuid_t *uuid)
{
	Datum		value = dx_get(row);

	if (row->isnull)
		memset(uuid, 0, sizeof(pg_uuid_t));
	else
		*uuid = *DatumGetUUIDP(value);
	return !row->isnull;
}

/* The next column, a text[], as a list of C strings; NIL for NULL. */
List *
dx_get_names(DxRow *row)
{
	Datum		value = dx_get(row);
	Datum	   *names;
	List	   *list = NIL;
	int			n;

	if (row->isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypePCopy(value), TEXTOID, -1, false, TYPALIGN_INT,
					  &names, NULL, &n);
	for (int i = 0; i < n; i++)
		list = lappend(list, TextDatumGetCString(names[i]));
	return list;
}
