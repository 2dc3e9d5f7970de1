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

extern DxBulk *dx_bulk_open(const char *table, int ncolumns);
extern void dx_bulk_add(DxBulk *bulk, const Datum *values, const bool *nulls);
extern void dx_bulk_update(DxBulk *bulk, ItemPointer tid, int nchanged,
						   const AttrNumber *columns, const Datum *values,
						   const bool *nulls);
extern void dx_bulk_close(DxBulk *bulk);

#endif							/* DX_BASE_BULK_H */
