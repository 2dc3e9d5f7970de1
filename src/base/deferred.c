/*-------------------------------------------------------------------------
 *
 * deferred.c
 *	  Whether a transaction has deferred constraint triggers queued.
 *
 * The server tells that only per relation.  Owns the list of relations that
 * have a deferrable trigger; it is made again when pg_constraint changes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/deferred.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

static List *relations = NIL;
static bool relations_valid = false;
static bool registered = false;

/*
 * For the caches' callbacks: a constraint has changed, so the list is read
 * anew.
 */
static void
invalidate(Datum arg, int cacheid, uint32 hashvalue)
{
	relations_valid = false;
}

/* A relation may have got a constraint trigger, too. */
static void
invalidate_relation(Datum arg, Oid relid)
{
	relations_valid = false;
}

/*
 * Reads from the catalog which relations have deferrable constraints, and
 * keeps their list until one changes.
 */
static void
collect(void)
{
	Relation	catalog;
	SysScanDesc scan;
	HeapTuple	tuple;
	MemoryContext oldcxt;

	if (!registered)
	{
		CacheRegisterSyscacheCallback(CONSTROID, invalidate, (Datum) 0);
		CacheRegisterRelcacheCallback(invalidate_relation, (Datum) 0);
		registered = true;
	}
	list_free(relations);
	relations = NIL;
	relations_valid = true;

	catalog = table_open(TriggerRelationId, AccessShareLock);
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	oldcxt = MemoryContextSwitchTo(TopMemoryContext);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);

		CHECK_FOR_INTERRUPTS();
		if (trigger->tgdeferrable)
			relations = list_append_unique_oid(relations, trigger->tgrelid);
	}
	MemoryContextSwitchTo(oldcxt);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

/*
 * Are there deferred constraint triggers waiting in this transaction?  Costs
 * next to nothing in a database without deferrable constraints.
 */
bool
dx_deferred_pending(void)
{
	ListCell   *lc;

	if (!relations_valid)
		collect();
	foreach(lc, relations)
	{
		if (AfterTriggerPendingOnRel(lfirst_oid(lc)))
			return true;
	}
	return false;
}
