/*-------------------------------------------------------------------------
 *
 * extension.c
 *	  Is the extension created in this database, whose is it, and is it of the
 *	  version of this library?
 *
 * pg_extension has no syscache, and so sends no invalidation.  Our function
 * dealix_internal.note_install() stands in for it: it is a member of the extension,
 * comes and goes with it and changes owner with it, and PROCOID entries are
 * invalidated in every backend.  An update of the extension need not touch it:
 * dx_extension_changed() sends the invalidation then.  While the extension is
 * absent, or of another version, nothing is cached: nobody asks often then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/extension.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static struct
{
	bool		registered;		/* the callback, once a backend */
	bool		valid;			/* the fields below */
	uint32		witness;		/* hash of note_install's PROCOID entry */
	Oid			oid;
	Oid			owner;
	char		version[NAMEDATALEN];	/* "" when there is none */
}			cache;

/* For CacheRegisterSyscacheCallback: what is cached may not be true any more. */
static void
forget(Datum arg, int cacheid, uint32 hashvalue)
{
	if (hashvalue == 0 || hashvalue == cache.witness)
		cache.valid = false;
}

/* Reads the extension's row into the cache; InvalidOid when there is none. */
static void
read_extension(void)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum(DX_EXTENSION));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	cache.oid = cache.owner = InvalidOid;
	cache.version[0] = '\0';
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_extension form = (Form_pg_extension) GETSTRUCT(tuple);
		bool		isnull;
		Datum		version = heap_getattr(tuple, Anum_pg_extension_extversion,
										   RelationGetDescr(rel), &isnull);

		cache.oid = form->oid;
		cache.owner = form->extowner;
		if (!isnull)
			text_to_cstring_buffer(DatumGetTextPP(version), cache.version,
								   sizeof(cache.version));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/*
 * dx_extension_function
 *		The OID of a function without arguments in a schema of ours, or
 *		InvalidOid, whatever rights the current user has.
 */
Oid
dx_extension_function(const char *schema, const char *name)
{
	Oid			namespace = get_namespace_oid(schema, true);
	oidvector  *noargs = buildoidvector(NULL, 0);
	Oid			function = InvalidOid;

	if (OidIsValid(namespace))
		function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
								   CStringGetDatum(name),
								   PointerGetDatum(noargs),
								   ObjectIdGetDatum(namespace));
	pfree(noargs);
	return function;
}

/* The hash that an invalidation of dealix_internal.note_install() will carry, or 0. */
static uint32
find_witness(void)
{
	Oid			function = dx_extension_function(DX_INTERNAL, "note_install");

	if (!OidIsValid(function))
		return 0;
	return GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(function));
}

/* Reads everything anew, and caches it if it is what one expects. */
static void
fill(void)
{
	Assert(IsTransactionState());

	if (!cache.registered)
	{
		CacheRegisterSyscacheCallback(PROCOID, forget, (Datum) 0);
		cache.registered = true;
	}

	/* An invalidation that comes in while we read must not be overwritten. */
	cache.witness = find_witness();
	cache.valid = cache.witness != 0;
	read_extension();
	if (strcmp(cache.version, DX_VERSION) != 0)
		cache.valid = false;
}

/*
 * dx_extension_oid
 *		The OID of the extension in this database, or InvalidOid.  Cached;
 *		needs a transaction.
 */
Oid
dx_extension_oid(void)
{
	if (!cache.valid)
		fill();
	return cache.oid;
}

/*
 * dx_extension_other_version
 *		NULL when the extension is created here in the version of this library;
 *		else its version.  Cached; needs a transaction, and the extension.
 */
const char *
dx_extension_other_version(void)
{
	if (!cache.valid)
		fill();
	return strcmp(cache.version, DX_VERSION) == 0 ? NULL : cache.version;
}

/*
 * dx_extension_owner
 *		Whose the extension is.  Errors: 55000 when it is not created here, or
 *		in another version than the library's: then columns are not where the
 *		library looks for them.  The scripts of an update may call functions.
 */
Oid
dx_extension_owner(void)
{
	const char *other;

	Assert(IsTransactionState());
	if (!OidIsValid(dx_extension_oid()))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"%s\" is not created in this database",
						DX_EXTENSION),
				 errhint("Use CREATE EXTENSION %s.", DX_EXTENSION)));
	other = dx_extension_other_version();
	if (other != NULL && !creating_extension)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"%s\" has version %s in this database, and the server has loaded the library of version %s",
						DX_EXTENSION, other, DX_VERSION),
				 errdetail("Nothing is read, written or advanced until they are the same."),
				 errhint(DX_VERSION_HINT, DX_EXTENSION)));
	return cache.owner;
}

/*
 * dx_extension_lock
 *		Takes AccessShareLock on the extension until the end of the
 *		transaction, and tells whether it is still there.
 *
 * Acquiring the lock takes in pending invalidations, so what the cache says
 * afterwards is true until the transaction ends.
 */
bool
dx_extension_lock(void)
{
	Oid			oid = dx_extension_oid();

	Assert(IsTransactionState());
	if (!OidIsValid(oid))
		return false;
	LockDatabaseObject(ExtensionRelationId, oid, 0, AccessShareLock);
	return dx_extension_oid() == oid;
}

/*
 * dx_extension_serve
 *		The same for background processes: also false when the extension is
 *		of another version than the library.
 */
bool
dx_extension_serve(void)
{
	return dx_extension_lock() && dx_extension_other_version() == NULL;
}

/*
 * dx_extension_changed
 *		The extension's row was changed in this transaction: all backends have
 *		to read it anew, once that is committed.
 */
void
dx_extension_changed(void)
{
	Oid			function = dx_extension_function(DX_INTERNAL, "note_install");
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Relation	rel;

	cache.valid = false;
	if (!HeapTupleIsValid(tuple))
		return;
	rel = table_open(ProcedureRelationId, AccessShareLock);
	CacheInvalidateHeapTuple(rel, tuple, NULL);
	table_close(rel, AccessShareLock);
	ReleaseSysCache(tuple);
}
