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
 * The table may be partitioned: a row goes to its partition, and each partition
 * has its own rows that are collected.  A row that is updated is where its
 * tableoid says.
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
#include "catalog/pg_class.h"
#include "executor/execPartition.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define MAX_SLOTS	256

/* A relation that rows are stored in: the table, or one of its partitions. */
typedef struct Part
{
	Relation	relation;
	ResultRelInfo *target;
	bool		ours;			/* opened here, and not by the tuple routing */
	TupleTableSlot *slots[MAX_SLOTS];
	int			nslots;			/* made */
	int			nused;
	TupleTableSlot *found;		/* of an update, or NULL */
} Part;

struct DxBulk
{
	Relation	relation;		/* the table */
	EState	   *estate;
	ModifyTableState *mtstate;	/* of a partitioned table, */
	PartitionTupleRouting *routing;
	TupleTableSlot *routed;		/* the row that looks for its partition */
	List	   *parts;			/* of Part * */
};

/* A relation for this bulk.  ours: it is opened here. */
static Part *
add_part(DxBulk *bulk, Relation relation, ResultRelInfo *target, bool ours)
{
	Part	   *part = palloc0(sizeof(Part));

	part->relation = relation;
	part->target = target;
	part->ours = ours;
	bulk->parts = lappend(bulk->parts, part);
	return part;
}

/* The same, with its indexes. */
static Part *
open_part(DxBulk *bulk, Relation relation)
{
	ResultRelInfo *target = makeNode(ResultRelInfo);

	InitResultRelInfo(target, relation, 0, NULL, 0);
	ExecOpenIndices(target, false);
	return add_part(bulk, relation, target, true);
}

/*
 * A partition has the columns of the table, in the same places: the numbers of
 * catalog.h are good for both.  Errors: XX001.
 */
static void
check_layout(const DxBulk *bulk, Relation relation)
{
	TupleDesc	table = RelationGetDescr(bulk->relation);
	TupleDesc	partition = RelationGetDescr(relation);

	for (int i = 0; i < table->natts; i++)
	{
		if (partition->natts == table->natts &&
			strcmp(NameStr(TupleDescAttr(table, i)->attname),
				   NameStr(TupleDescAttr(partition, i)->attname)) == 0)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the columns of partition \"%s\" are not those of \"%s\", or stand in another order",
						RelationGetRelationName(relation),
						RelationGetRelationName(bulk->relation)),
				 errhint("Create it as PARTITION OF the table, or with LIKE.")));
	}
}

/* Makes ready for rows that look for their partitions, as COPY does. */
static void
open_routing(DxBulk *bulk)
{
	ModifyTableState *mtstate = makeNode(ModifyTableState);
	ResultRelInfo *root = makeNode(ResultRelInfo);

	InitResultRelInfo(root, bulk->relation, 0, NULL, 0);
	mtstate->ps.plan = NULL;
	mtstate->ps.state = bulk->estate;
	mtstate->operation = CMD_INSERT;
	mtstate->mt_nrels = 1;
	mtstate->resultRelInfo = root;
	mtstate->rootResultRelInfo = root;
	bulk->mtstate = mtstate;
	bulk->routing = ExecSetupPartitionTupleRouting(bulk->estate, bulk->relation);
	bulk->routed = table_slot_create(bulk->relation, NULL);
}

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
	if (bulk->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		open_routing(bulk);
	else
		(void) open_part(bulk, bulk->relation);
	return bulk;
}

/*
 * update: of a row whose keys have not changed, so that the index may look for
 * older entries of it to remove.  summarizing: only such indexes.
 */
static void
insert_into_indexes(DxBulk *bulk, Part *part, TupleTableSlot *slot, bool update,
					bool summarizing)
{
	if (part->target->ri_NumIndices == 0)
		return;
#if PG_VERSION_NUM >= 160000
	(void) ExecInsertIndexTuples(part->target, slot, bulk->estate, update, false,
								 NULL, NIL, summarizing);
#else
	(void) ExecInsertIndexTuples(part->target, slot, bulk->estate, update, false,
								 NULL, NIL);
#endif
	ResetPerTupleExprContext(bulk->estate);
}

/* Writes the rows that are collected, with their index entries. */
static void
flush(DxBulk *bulk, Part *part)
{
	int			i;

	if (part->nused == 0)
		return;
	table_multi_insert(part->relation, part->slots, part->nused,
					   GetCurrentCommandId(true), 0, NULL);
	for (i = 0; i < part->nused; i++)
	{
		insert_into_indexes(bulk, part, part->slots[i], false, false);
		ExecClearTuple(part->slots[i]);
	}
	part->nused = 0;
}

/* An empty slot for the next row; made when it is needed first. */
static TupleTableSlot *
next_slot(Part *part)
{
	if (part->nused == part->nslots)
		part->slots[part->nslots++] = table_slot_create(part->relation, NULL);
	return ExecClearTuple(part->slots[part->nused]);
}

/* Puts the values into a slot. */
static void
fill_slot(TupleTableSlot *slot, const Datum *values, const bool *nulls, int natts)
{
	memcpy(slot->tts_values, values, sizeof(Datum) * natts);
	memcpy(slot->tts_isnull, nulls, sizeof(bool) * natts);
	ExecStoreVirtualTuple(slot);
}

/* Where the row belongs. */
static Part *
part_for(DxBulk *bulk, const DxNewRow *row)
{
	ResultRelInfo *target;
	ListCell   *lc;

	if (bulk->routing == NULL)
		return linitial(bulk->parts);
	fill_slot(ExecClearTuple(bulk->routed), row->values, row->nulls,
			  RelationGetDescr(bulk->relation)->natts);
	target = ExecFindPartition(bulk->mtstate, bulk->mtstate->rootResultRelInfo,
							   bulk->routing, bulk->routed, bulk->estate);
	ResetPerTupleExprContext(bulk->estate);
	foreach(lc, bulk->parts)
	{
		if (((Part *) lfirst(lc))->target == target)
			return lfirst(lc);
	}
	check_layout(bulk, target->ri_RelationDesc);
	return add_part(bulk, target->ri_RelationDesc, target, false);
}

/*
 * Adds a row.  What its values point to has to live until dx_bulk_close.
 * Errors: 23505 at the latest when the bulk is closed; 23514 when the table is
 * partitioned and has no partition for the row.
 */
void
dx_bulk_add(DxBulk *bulk, const DxNewRow *row)
{
	Part	   *part = part_for(bulk, row);
	TupleDesc	desc = RelationGetDescr(bulk->relation);

#ifdef USE_ASSERT_CHECKING
	/* No executor looks at constraints here. */
	for (int i = 0; i < desc->natts; i++)
		Assert(!row->nulls[i] || !TupleDescAttr(desc, i)->attnotnull);
#endif
	if (part->nused == MAX_SLOTS)
		flush(bulk, part);
	fill_slot(next_slot(part), row->values, row->nulls, desc->natts);
	part->nused++;
}

/* The relation in which a row is that is updated. */
static Part *
part_of(DxBulk *bulk, Oid relid)
{
	ListCell   *lc;
	Relation	relation;

	foreach(lc, bulk->parts)
	{
		if (RelationGetRelid(((Part *) lfirst(lc))->relation) == relid)
			return lfirst(lc);
	}
	relation = table_open(relid, RowExclusiveLock);
	check_layout(bulk, relation);
	return open_part(bulk, relation);
}

/* The row as it is, with other values in some columns. */
static TupleTableSlot *
changed_row(Part *part, ItemPointer tid, const DxChange *change)
{
	TupleTableSlot *slot = next_slot(part);
	int			natts = RelationGetDescr(part->relation)->natts;

	if (part->found == NULL)
		part->found = table_slot_create(part->relation, NULL);
	if (!table_tuple_fetch_row_version(part->relation, tid, SnapshotAny, part->found))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a row of \"%s\" is not where it was",
						RelationGetRelationName(part->relation))));
	slot_getallattrs(part->found);
	memcpy(slot->tts_values, part->found->tts_values, sizeof(Datum) * natts);
	memcpy(slot->tts_isnull, part->found->tts_isnull, sizeof(bool) * natts);
	for (int i = 0; i < change->n; i++)
	{
		slot->tts_values[change->columns[i] - 1] = change->values[i];
		slot->tts_isnull[change->columns[i] - 1] = change->nulls[i];
	}
	return ExecStoreVirtualTuple(slot);
}

/*
 * Changes columns of a row that this transaction has locked, none of them in
 * the key of an index or of a partition.  relid: its tableoid.  Errors: XX001
 * when there is no such row, 40001 when the row is not the one that was locked.
 */
void
dx_bulk_update(DxBulk *bulk, Oid relid, ItemPointer tid, const DxChange *change)
{
	Part	   *part = part_of(bulk, relid);
	TupleTableSlot *slot = changed_row(part, tid, change);
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
	result = table_tuple_update(part->relation, tid, slot,
								GetCurrentCommandId(true), InvalidSnapshot,
								InvalidSnapshot, true, &failure, &mode, &indexes);
	if (result != TM_Ok)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("a row of \"%s\" has changed although it was locked",
						RelationGetRelationName(part->relation))));
#if PG_VERSION_NUM >= 160000
	if (indexes != TU_None)
		insert_into_indexes(bulk, part, slot, true, indexes == TU_Summarizing);
#else
	if (indexes)
		insert_into_indexes(bulk, part, slot, true, false);
#endif
	ExecClearTuple(slot);
	ExecClearTuple(part->found);
}

/* Gives back what the rows of a relation needed. */
static void
close_part(const DxBulk *bulk, Part *part)
{
	for (int i = 0; i < part->nslots; i++)
		ExecDropSingleTupleTableSlot(part->slots[i]);
	if (part->found != NULL)
		ExecDropSingleTupleTableSlot(part->found);
	if (!part->ours)
		return;
	ExecCloseIndices(part->target);
	if (part->relation != bulk->relation)
		table_close(part->relation, NoLock);
}

/* Writes what is left; the rows are visible to the statements that follow. */
void
dx_bulk_close(DxBulk *bulk)
{
	ListCell   *lc;

	foreach(lc, bulk->parts)
	{
		flush(bulk, lfirst(lc));
		close_part(bulk, lfirst(lc));
	}
	if (bulk->routing != NULL)
	{
		ExecCleanupTupleRouting(bulk->mtstate, bulk->routing);
		ExecDropSingleTupleTableSlot(bulk->routed);
	}
	FreeExecutorState(bulk->estate);
	table_close(bulk->relation, NoLock);
	CommandCounterIncrement();
	list_free_deep(bulk->parts);
	pfree(bulk);
}
