/*-------------------------------------------------------------------------
 *
 * program_cache.c
 *	  Compiled programs by version, kept for the life of the backend.
 *
 * Versions are immutable, so an entry is never stale; only another extension
 * (dropped and created again) empties the cache.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "engine/engine.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

typedef struct ProgramEntry
{
	int32		version_id;		/* hash key */
	DxProgram  *program;		/* NULL while it is being made */
	char	   *workflow;
	int32		version;
} ProgramEntry;

static HTAB *programs = NULL;
static MemoryContext programs_cxt = NULL;
static Oid	programs_extension = InvalidOid;

static DxStatement version_statement = {
	"SELECT w.name, v.version, v.definition, v.bindings FROM dealix.version v"
	" JOIN dealix.workflow w ON w.workflow_id = v.workflow_id"
	" WHERE v.version_id = $1",
	1, {INT4OID}
};

static void
prepare_cache(void)
{
	HASHCTL		ctl;

	if (programs != NULL && programs_extension == dx_extension_oid())
		return;
	if (programs_cxt != NULL)
		MemoryContextDelete(programs_cxt);
	programs = NULL;
	programs_cxt = AllocSetContextCreate(TopMemoryContext, "dealix_exec programs",
										 ALLOCSET_DEFAULT_SIZES);
	ctl.keysize = sizeof(int32);
	ctl.entrysize = sizeof(ProgramEntry);
	ctl.hcxt = programs_cxt;
	programs = hash_create("dealix_exec programs", 64, &ctl,
						   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	programs_extension = dx_extension_oid();
}

/* The bindings that were found when the version was published. */
static void
apply_bindings(void *arg, DxResourceKind *kind, const char **target,
			   bool *wait_for_token, bool *no_wait, const char *uri,
			   bool keys_known, List *keys, const char *pointer,
			   DxProblems *problems)
{
	char	   *bound;

	if (*kind != DX_RESOURCE_OTHER || arg == NULL)
		return;
	bound = dx_json_get_text(arg, uri);
	if (bound != NULL)
		dx_binding_apply(bound, kind, target, wait_for_token, no_wait);
}

static void
load(ProgramEntry *entry)
{
	Datum		values[1];
	DxCompileOptions options;
	DxProblems	problems = {NIL, NIL};
	HeapTuple	tuple;
	TupleDesc	desc;
	bool		isnull;
	Jsonb	   *definition;
	Datum		bindings;

	values[0] = Int32GetDatum(entry->version_id);
	(void) dx_execute(&version_statement, values, NULL, false, 1);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("workflow version %d is missing", entry->version_id)));
	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	entry->workflow = MemoryContextStrdup(programs_cxt,
										  SPI_getvalue(tuple, desc, 1));
	entry->version = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &isnull));
	definition = DatumGetJsonbP(SPI_getbinval(tuple, desc, 3, &isnull));

	/* What has been published stays, whatever the limit is by now. */
	memset(&options, 0, sizeof(options));
	options.max_depth = INT_MAX;
	options.check_resource = apply_bindings;
	bindings = SPI_getbinval(tuple, desc, 4, &isnull);
	options.arg = isnull ? NULL : DatumGetJsonbP(bindings);
	entry->program = dx_program_compile(definition, &options, programs_cxt,
										&problems);
	if (problems.list != NIL)
	{
		DxProblem  *problem = linitial(problems.list);

		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("version %d of workflow \"%s\" does not compile any more",
						entry->version, entry->workflow),
				 errdetail("At %s: %s", problem->pointer, problem->message)));
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * The program of a version, with the workflow's name and the version's number.
 * Needs SPI_connect and dx_engine_enter.  Errors: XX001 when the version is
 * missing or does not compile.
 */
const DxProgram *
dx_program_of(int32 version_id, const char **workflow, int32 *version)
{
	ProgramEntry *entry;
	bool		found;

	prepare_cache();
	entry = hash_search(programs, &version_id, HASH_ENTER, &found);
	if (!found)
		entry->program = NULL;
	if (entry->program == NULL)
		load(entry);
	*workflow = entry->workflow;
	*version = entry->version;
	return entry->program;
}
