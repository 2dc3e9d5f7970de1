/*-------------------------------------------------------------------------
 *
 * version.c
 *	  From the name of a workflow to the version that a new run follows.
 *
 * Owns a small cache of answers, one a slot.  A publish invalidates dealix.
 * version as ALTER TABLE would: at its commit every backend empties its cache,
 * and at a rollback its own.  An answer is kept only if its snapshot is younger
 * than the invalidations that have been taken in: not in a transaction that
 * keeps its first snapshot, and not if one came in meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/extension.h"
#include "base/plan.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "engine/version.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define SLOTS	64

typedef struct Answer
{
	char	   *workflow;		/* NULL: free */
	int32		version;		/* asked for; 0 = the latest */
	DxVersion	found;
} Answer;

static Answer answers[SLOTS];
static Oid	relation = InvalidOid;	/* dealix.version, when they were given */
static uint64 changes = 0;		/* times that they were forgotten */
static bool registered = false;

static DxStatement version_statement = {
	"SELECT w.workflow_id, v.version_id, w.author::pg_catalog.oid, v.version,"
	" EXISTS (SELECT FROM dealix.governed_state g WHERE g.version_id = v.version_id"
	" AND g.side_effect >= 2) AND NOT EXISTS (SELECT FROM dealix.release r"
	" WHERE r.version_id = v.version_id) FROM dealix.workflow w"
	" JOIN dealix.version v ON v.workflow_id = w.workflow_id"
	" WHERE w.name = $1 AND ($2 = 0 OR v.version = $2)"
	" ORDER BY v.version DESC LIMIT 1",
	2, {TEXTOID, INT4OID}
};

/* Relcache callback: the latest version may be another one. */
static void
forget(Datum arg, Oid relid)
{
	int			i;

	if (OidIsValid(relid) && relid != relation)
		return;
	changes++;
	for (i = 0; i < SLOTS; i++)
	{
		if (answers[i].workflow != NULL)
			pfree(answers[i].workflow);
		answers[i].workflow = NULL;
	}
}

/* The table of versions. */
static Oid
version_relation(void)
{
	return get_relname_relid("version", get_namespace_oid(DX_SCHEMA, false));
}

/* Hears of changes of it from now on. */
static void
watch(void)
{
	relation = version_relation();
	if (registered)
		return;
	CacheRegisterRelcacheCallback(forget, (Datum) 0);
	registered = true;
}

/* Where the answer to this question is, or would be. */
static Answer *
slot_of(const char *workflow, int32 version)
{
	uint32		hash = hash_bytes((const unsigned char *) workflow,
								  strlen(workflow));

	return &answers[(hash + (uint32) version) % SLOTS];
}

/* Remembers an answer. */
static void
keep(const char *workflow, int32 version, const DxVersion *found)
{
	Answer	   *answer = slot_of(workflow, version);
	char	   *name;

	name = MemoryContextStrdup(TopMemoryContext, workflow);
	if (answer->workflow != NULL)
		pfree(answer->workflow);
	answer->workflow = name;
	answer->version = version;
	answer->found = *found;
}

/* Looks a version up in the tables. false: there is none. */
static void
look_up(const char *workflow, int32 version, DxVersion *found)
{
	Datum		values[2];
	bool		isnull;

	values[0] = CStringGetTextDatum(workflow);
	values[1] = Int32GetDatum(version);
	(void) dx_execute(&version_statement, values, NULL, false, 1);
	if (SPI_processed == 0 && version != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no version %d of workflow \"%s\"",
						version, workflow),
				 errhint("See dealix.workflows for what is published.")));
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no workflow \"%s\"", workflow),
				 errhint("Publish it with dealix.publish(name, definition); see dealix.workflows for what is published.")));
	found->workflow_id = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0],
													 SPI_tuptable->tupdesc, 1, &isnull));
	found->version_id = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0],
													SPI_tuptable->tupdesc, 2, &isnull));
	found->author = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0],
												   SPI_tuptable->tupdesc, 3, &isnull));
	found->version = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0],
												 SPI_tuptable->tupdesc, 4, &isnull));
	found->unreleased = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
												   SPI_tuptable->tupdesc, 5, &isnull));
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Finds a version of a workflow, 0 = the latest.  Needs SPI_connect and
 * dx_engine_enter.  Errors: 42704 when there is none.
 */
void
dx_version_find(const char *workflow, int32 version, DxVersion *found)
{
	const Answer *answer = slot_of(workflow, version);
	uint64		seen;

	AcceptInvalidationMessages();
	if (answer->workflow != NULL && answer->version == version &&
		strcmp(answer->workflow, workflow) == 0)
	{
		*found = answer->found;
		return;
	}
	watch();
	seen = changes;
	look_up(workflow, version, found);
	if (seen == changes && !IsolationUsesXactSnapshot())
		keep(workflow, version, found);
}

/* A version has been stored: what is the latest has changed. */
void
dx_version_stored(void)
{
	CacheInvalidateRelcacheByRelid(version_relation());
}
