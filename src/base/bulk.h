/*-------------------------------------------------------------------------
 *
 * bulk.h
 *	  Many rows of one of the engine's tables, without a plan for each:
 *	  inserted as COPY does, or updated where the caller knows them to be.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_BULK_H
#define DX_BASE_BULK_H

#include "access/attnum.h"
#include "storage/itemptr.h"

typedef struct DxBulk DxBulk;

/* Columns of a row at most. */
#define DX_MAX_COLUMNS	60

/* A row that is added: Anum_... of catalog.h; what is not set is null. */
typedef struct DxNewRow
{
	Datum		values[DX_MAX_COLUMNS];
	bool		nulls[DX_MAX_COLUMNS];
} DxNewRow;

/* What changes in a row. */
typedef struct DxChange
{
	int			n;
	AttrNumber	columns[DX_MAX_COLUMNS];
	Datum		values[DX_MAX_COLUMNS];
	bool		nulls[DX_MAX_COLUMNS];
} DxChange;

/* A row of which every column is NULL. */
static inline void
dx_new_row(DxNewRow *row, int ncolumns)
{
	Assert(ncolumns <= DX_MAX_COLUMNS);
	memset(row->nulls, true, ncolumns);
}

/* Gives a column of a new row its value. */
static inline void
dx_set(DxNewRow *row, AttrNumber column, Datum value)
{
	row->values[column - 1] = value;
	row->nulls[column - 1] = false;
}

/* One more column that an update changes. */
static inline void
dx_change(DxChange *change, AttrNumber column, Datum value, bool isnull)
{
	Assert(change->n < DX_MAX_COLUMNS);
	change->columns[change->n] = column;
	change->values[change->n] = value;
	change->nulls[change->n++] = isnull;
}

extern DxBulk *dx_bulk_open(const char *table, int ncolumns);
extern void dx_bulk_add(DxBulk *bulk, const DxNewRow *row);
extern void dx_bulk_update(DxBulk *bulk, Oid relid, ItemPointer tid,
						   const DxChange *change);
extern void dx_bulk_close(DxBulk *bulk);

#endif							/* DX_BASE_BULK_H */
