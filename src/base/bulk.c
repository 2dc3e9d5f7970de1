/*-------------------------------------------------------------------------
 *
 * bulk.c
 *	  Many rows of one of the engine's tables, without a plan for each: inserted
 *	  as COPY does, or updated where the caller knows them to be.
 *
 * New pages are filled by the table's multi-insert, which writes one WAL
 * record a page, and the executor's own routine inserts into the indexes.  No
 * trigger and no constraint but the unique indexes is looked at: for tables
 * that have no other, filled by code that gives every column.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/attnum.h"
#include "access/htup.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/bulk.h"
#include "base/extension.h"
#include "base/identity.h"
#include "catalog/namespace.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/itemptr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define MAX_SLOTS	256

struct DxBulk
{
	Relation	relation;
	EState	   *estate;
	ResultRelInfo *target;
	TupleTableSlot *slots[MAX_SLOTS];
	int			nslots;			/* made */
	int			nused;
	TupleTableSlot *found;		/* of an update, or NULL */
};

/*
 * Opens a table of schema dealix for many inserts.  ncolumns: how many columns
 * the caller thinks that it has.  Errors: 42P01 when it does not exist, XX001
 * when it has others, 25006 in a read-only transaction, as INSERT.
 */
DxBulk *
dx_bulk_open(const char *table, int ncolumns)
{
	DxBulk	   *bulk = palloc0(sizeof(DxBulk));
	Oid			relid = get_relname_relid(table, get_namespace_oid(DX_SCHEMA, false));

	Assert(dx_engine_entered());
	Assert(ncolumns > 0);
	/* What the executor would ask, which nobody else does here. */
	PreventCommandIfReadOnly("INSERT");
	PreventCommandIfParallelMode("INSERT");
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

/*
 * update: of a row whose keys have not changed, so that the index may look for
 * older entries of it to remove.  summarizing: only such indexes.
 */
static void
insert_into_indexes(DxBulk *bulk, TupleTableSlot *slot, bool update,
					bool summarizing)
{
	if (bulk->target->ri_NumIndices == 0)
		return;
#if PG_VERSION_NUM >= 160000
	(void) ExecInsertIndexTuples(bulk->target, slot, bulk->estate, update, false,
								 NULL, NIL, summarizing);
#else
	(void) ExecInsertIndexTuples(bulk->target, slot, bulk->estate, update, false,
								 NULL, NIL);
#endif
	ResetPerTupleExprContext(bulk->estate);
}

/* Writes the rows that are collected, with their index entries. */
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
		insert_into_indexes(bulk, bulk->slots[i], false, false);
		ExecClearTuple(bulk->slots[i]);
	}
	bulk->nused = 0;
}

/* An empty slot for the next row; made when it is needed first. */
static TupleTableSlot *
next_slot(DxBulk *bulk)
{
	if (bulk->nused == bulk->nslots)
		bulk->slots[bulk->nslots++] = table_slot_create(bulk->relation, NULL);
	return ExecClearTuple(bulk->slots[bulk->nused]);
}

/*
 * Adds a row.  What its values point to has to live until dx_bulk_close.  Errors: 23505 at the latest when
 * the bulk is closed.
 */
void
dx_bulk_add(DxBulk *bulk, const DxNewRow *row)
{
	TupleTableSlot *slot;
	TupleDesc	desc = RelationGetDescr(bulk->relation);
	int			natts = desc->natts;

#ifdef USE_ASSERT_CHECKING
	/* No executor looks at constraints here. */
	for (int i = 0; i < natts; i++)
		Assert(!row->nulls[i] || !TupleDescAttr(desc, i)->attnotnull);
#endif
	if (bulk->nused == MAX_SLOTS)
		flush(bulk);
	slot = next_slot(bulk);
	bulk->nused++;
	memcpy(slot->tts_values, row->values, sizeof(Datum) * natts);
	memcpy(slot->tts_isnull, row->nulls, sizeof(bool) * natts);
	ExecStoreVirtualTuple(slot);
}

/* The row as it is, with other values in some columns. */
static TupleTableSlot *
changed_row(DxBulk *bulk, ItemPointer tid, const DxChange *change)
{
	TupleTableSlot *slot = next_slot(bulk);
	int			natts = RelationGetDescr(bulk->relation)->natts;

	if (bulk->found == NULL)
		bulk->found = table_slot_create(bulk->relation, NULL);
	if (!table_tuple_fetch_row_version(bulk->relation, tid, SnapshotAny, bulk->found))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a row of \"%s\" is not where it was",
						RelationGetRelationName(bulk->relation))));
	slot_getallattrs(bulk->found);
	memcpy(slot->tts_values, bulk->found->tts_values, sizeof(Datum) * natts);
	memcpy(slot->tts_isnull, bulk->found->tts_isnull, sizeof(bool) * natts);
	for (int i = 0; i < change->n; i++)
	{
		slot->tts_values[change->columns[i] - 1] = change->values[i];
		slot->tts_isnull[change->columns[i] - 1] = change->nulls[i];
	}
	return ExecStoreVirtualTuple(slot);
}

/*
 * Changes columns of a row that this transaction has locked, none of them in
 * the key of an index.  Errors: XX001 when there is no such row, 40001 when
 * the row is not the one that was locked.
 */
void
dx_bulk_update(DxBulk *bulk, ItemPointer tid, const DxChange *change)
{
	TupleTableSlot *slot = changed_row(bulk, tid, change);
	TM_FailureData failure;
	LockTupleMode mode;
	TM_Result	result;
#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes indexes;
#else
	bool		indexes;
#endif

	Assert(ItemPointerIsValid(tid));
	Assert(change->n > 0);
	result = table_tuple_update(bulk->relation, tid, slot,
								GetCurrentCommandId(true), InvalidSnapshot,
								InvalidSnapshot, true, &failure, &mode, &indexes);
	if (result != TM_Ok)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("a row of \"%s\" has changed although it was locked",
						RelationGetRelationName(bulk->relation))));
#if PG_VERSION_NUM >= 160000
	if (indexes != TU_None)
		insert_into_indexes(bulk, slot, true, indexes == TU_Summarizing);
#else
	if (indexes)
		insert_into_indexes(bulk, slot, true, false);
#endif
	ExecClearTuple(slot);
	ExecClearTuple(bulk->found);
}

/* Writes what is left; the rows are visible to the statements that follow. */
void
dx_bulk_close(DxBulk *bulk)
{
	int			i;

	flush(bulk);
	for (i = 0; i < bulk->nslots; i++)
		ExecDropSingleTupleTableSlot(bulk->slots[i]);
	if (bulk->found != NULL)
		ExecDropSingleTupleTableSlot(bulk->found);
	ExecCloseIndices(bulk->target);
	FreeExecutorState(bulk->estate);
	table_close(bulk->relation, NoLock);
	CommandCounterIncrement();
	pfree(bulk);
}
