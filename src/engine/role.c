/*-------------------------------------------------------------------------
 *
 * role.c
 *	  Roles that the engine's tables name: DROP ROLE refuses them.
 *
 * A row of dealix.known_role for each, and an entry in pg_shdepend.  The entry
 * is of the one kind that the server heeds at DROP ROLE but leaves alone at
 * DROP OWNED and REASSIGN OWNED: what the engine has is not moved or dropped
 * by these, so they must not forget it.  The object that depends is the
 * function dealix.reassign(), which is then what the error names.
 *
 * Owns a small cache of roles that need no second look.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/extension.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_shdepend.h"
#include "catalog/pg_type.h"
#include "engine/role.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define SLOTS	64

static Oid	noted[SLOTS];
static Oid	relation = InvalidOid;	/* dealix.known_role, when they were noted */
static bool registered = false;

static DxStatement note_statement = {
	"INSERT INTO dealix.known_role (role, name) VALUES ($1, $2)"
	" ON CONFLICT (role) DO NOTHING",
	2, {OIDOID, TEXTOID}
};

static DxStatement all_statement = {
	"SELECT role::pg_catalog.oid FROM dealix.known_role", 0, {0}
};

static DxStatement forget_statement = {
	"DELETE FROM dealix.known_role WHERE role = $1",
	1, {OIDOID}
};

/* Relcache callback: what was noted may not be there any more. */
static void
forget_relation(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == relation)
		memset(noted, 0, sizeof(noted));
}

/* The table of known roles. */
static Oid
known_relation(void)
{
	return get_relname_relid("known_role", get_namespace_oid(DX_SCHEMA, false));
}

/* Hears of changes of that table from now on. */
static void
watch(void)
{
	relation = known_relation();
	if (registered)
		return;
	CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
	registered = true;
}

/* What depends on the role, as pg_shdepend has it. */
static Oid
depender(void)
{
	Oid			types[2];
	List	   *names = list_make2(makeString(pstrdup(DX_SCHEMA)),
								   makeString(pstrdup("reassign")));

	types[0] = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("role"),
							   ObjectIdGetDatum(get_namespace_oid(DX_SCHEMA, false)));
	types[1] = REGROLEOID;
	return LookupFuncName(names, 2, types, false);
}

/*
 * Is there the entry for this role?  remove: if so, removes it.
 */
static bool
find_dependency(Oid role, bool remove)
{
	Relation	rel = table_open(SharedDependRelationId,
								 remove ? RowExclusiveLock : AccessShareLock);
	Oid			function = depender();
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&keys[0], Anum_pg_shdepend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(AuthIdRelationId));
	ScanKeyInit(&keys[1], Anum_pg_shdepend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(role));
	scan = systable_beginscan(rel, SharedDependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_shdepend form = (Form_pg_shdepend) GETSTRUCT(tuple);

		if (form->dbid != MyDatabaseId || form->classid != ProcedureRelationId ||
			form->objid != function || form->deptype != SHARED_DEPENDENCY_TABLESPACE)
			continue;
		found = true;
		if (remove)
			CatalogTupleDelete(rel, &tuple->t_self);
	}
	systable_endscan(scan);
	table_close(rel, remove ? RowExclusiveLock : AccessShareLock);
	return found;
}

/* Makes DROP ROLE refuse, as long as the role has something here. */
static void
add_dependency(Oid role)
{
	ObjectAddress function = {ProcedureRelationId, depender(), 0};
	ObjectAddress referenced = {AuthIdRelationId, role, 0};

	recordSharedDependencyOn(&function, &referenced, SHARED_DEPENDENCY_TABLESPACE);
}

/*
 * The engine's tables are about to name this role, which exists.  Needs
 * SPI_connect and dx_engine_enter.  Errors: 42704 it has just been dropped.
 */
void
dx_role_note(Oid role)
{
	Datum		values[2];
	bool		inserted;

	if (noted[role % SLOTS] == role)
		return;
	watch();
	values[0] = ObjectIdGetDatum(role);
	values[1] = CStringGetTextDatum(GetUserNameFromId(role, false));
	(void) dx_execute(&note_statement, values, NULL, false, 0);
	inserted = SPI_processed > 0;

	/*
	 * A restore, or an upgrade of the server, brings the row without the
	 * entry.
	 */
	if (inserted || !find_dependency(role, false))
	{
		add_dependency(role);
		CommandCounterIncrement();
		/* If this rolls back, it was not noted. */
		return;
	}
	noted[role % SLOTS] = role;
}

/* Notes again what a restored database names.  Needs SPI_connect. */
void
dx_roles_note_all(void)
{
	DxIdentity	saved;
	Oid		   *roles;
	uint64		n;
	uint64		i;
	bool		isnull;

	dx_engine_enter(&saved);
	(void) dx_execute(&all_statement, NULL, NULL, false, 0);
	n = SPI_processed;
	roles = palloc(sizeof(Oid) * Max(n, 1));
	for (i = 0; i < n; i++)
		roles[i] = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i],
												  SPI_tuptable->tupdesc, 1, &isnull));
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (GetUserNameFromId(roles[i], true) != NULL)
			dx_role_note(roles[i]);
	}
	dx_engine_leave(&saved);
}

/* The engine's tables name the role no more.  Needs dx_engine_enter. */
void
dx_role_forget(Oid role)
{
	Datum		values[1];

	values[0] = ObjectIdGetDatum(role);
	(void) dx_execute(&forget_statement, values, NULL, false, 0);
	(void) find_dependency(role, true);
	CacheInvalidateRelcacheByRelid(known_relation());
}
