/*-------------------------------------------------------------------------
 *
 * bulk.c
 *	  Many rows into one of the engine's tables, as COPY inserts them.
 *
 * The pages are filled by the table's multi-insert, which writes one WAL
 * record a page, and the executor's own routine inserts into the indexes.  No
 * trigger and no constraint but the unique indexes is looked at: for tables
 * that have no other, filled by code that gives every column.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/base.h"
#include "catalog/namespace.h"
#include "executor/executor.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#define MAX_SLOTS	256

struct DxBulk
{
	Relation	relation;
	EState	   *estate;
	ResultRelInfo *target;
	TupleTableSlot *slots[MAX_SLOTS];
	int			nslots;			/* made */
	int			nused;
};

/*
 * Opens a table of schema dealix for many inserts.  ncolumns: how many columns
 * the caller thinks that it has.  Errors: 42P01 when it does not exist, XX001
 * when it has others.
 */
DxBulk *
dx_bulk_open(const char *table, int ncolumns)
{
	DxBulk	   *bulk = palloc0(sizeof(DxBulk));
	Oid			relid = get_relname_relid(table, get_namespace_oid(DX_SCHEMA, false));

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" does not exist", DX_SCHEMA, table)));
	bulk->relation = table_open(relid, RowExclusiveLock);
	if (RelationGetDescr(bulk->relation)->natts != ncolumns)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("relation \"%s.%s\" has %d columns, not %d", DX_SCHEMA,
						table, RelationGetDescr(bulk->relation)->natts, ncolumns),
				 errhint("The library and the extension's SQL are of different versions: ALTER EXTENSION %s UPDATE.",
						 DX_EXTENSION)));
	bulk->estate = CreateExecutorState();
	bulk->target = makeNode(ResultRelInfo);
	InitResultRelInfo(bulk->target, bulk->relation, 0, NULL, 0);
	ExecOpenIndices(bulk->target, false);
	return bulk;
}

static void
insert_into_indexes(DxBulk *bulk, TupleTableSlot *slot)
{
	if (bulk->target->ri_NumIndices == 0)
		return;
#if PG_VERSION_NUM >= 160000
	(void) ExecInsertIndexTuples(bulk->target, slot, bulk->estate, false, false,
								 NULL, NIL, false);
#else
	(void) ExecInsertIndexTuples(bulk->target, slot, bulk->estate, false, false,
								 NULL, NIL);
#endif
	ResetPerTupleExprContext(bulk->estate);
}

static void
flush(DxBulk *bulk)
{
	int			i;

	if (bulk->nused == 0)
		return;
	table_multi_insert(bulk->relation, bulk->slots, bulk->nused,
					   GetCurrentCommandId(true), 0, NULL);
	for (i = 0; i < bulk->nused; i++)
	{
		insert_into_indexes(bulk, bulk->slots[i]);
		ExecClearTuple(bulk->slots[i]);
	}
	bulk->nused = 0;
}

/*
 * Adds a row: a value for each column of the table, in order.  What the values
 * point to has to live until dx_bulk_close.  Errors: 23505 at the latest when
 * the bulk is closed.
 */
void
dx_bulk_add(DxBulk *bulk, const Datum *values, const bool *nulls)
{
	TupleTableSlot *slot;
	int			natts = RelationGetDescr(bulk->relation)->natts;

	if (bulk->nused == MAX_SLOTS)
		flush(bulk);
	if (bulk->nused == bulk->nslots)
		bulk->slots[bulk->nslots++] = table_slot_create(bulk->relation, NULL);
	slot = bulk->slots[bulk->nused++];
	ExecClearTuple(slot);
	memcpy(slot->tts_values, values, sizeof(Datum) * natts);
	memcpy(slot->tts_isnull, nulls, sizeof(bool) * natts);
	ExecStoreVirtualTuple(slot);
}

/* Writes what is left; the rows are visible to the statements that follow. */
void
dx_bulk_close(DxBulk *bulk)
{
	int			i;

	flush(bulk);
	for (i = 0; i < bulk->nslots; i++)
		ExecDropSingleTupleTableSlot(bulk->slots[i]);
	ExecCloseIndices(bulk->target);
	FreeExecutorState(bulk->estate);
	table_close(bulk->relation, NoLock);
	CommandCounterIncrement();
	pfree(bulk);
}
