/*-------------------------------------------------------------------------
 *
 * program_cache.c
 *	  Loaded programs by version, for as long as there is room.
 *
 * Versions are immutable, so an entry is never stale; only another extension
 * (dropped and created again, with version ids from 1) empties the cache.
 * Plans of a program's expressions and calls are kept under its serial, which
 * no other program has, and go with it.
 *
 * Beyond dealix_exec.program_cache what was not used for longest goes, but
 * nothing that this transaction has used: its runs refer to it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "asl/asl.h"
#include "asl/json.h"
#include "asl/problem.h"
#include "base/bounds.h"
#include "base/extension.h"
#include "base/guc.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/binding.h"
#include "engine/program_cache.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

typedef struct ProgramEntry
{
	int32		version_id;		/* hash key */
	DxProgram  *program;		/* NULL while it is being made */
	const char *workflow;
	int32		version;
	uint64		used;			/* when, by the number of uses */
	uint64		used_in;		/* the last transaction */
} ProgramEntry;

static HTAB *programs = NULL;
static Oid	programs_extension = InvalidOid;
static List *orphans = NIL;		/* of DxProgram *, of an extension before */
static uint64 orphaned_in = 0;

static uint64 uses = 0;
static uint64 transactions = 1; /* those that are over, and this one */
static bool grown = false;		/* since the last look at all sizes */

/* Who keeps something for Programs elsewhere: plans of calls, of expressions. */
static DxForget keepers[4];
static int	nkeepers = 0;

static DxStatement version_statement = {
	"SELECT w.name, v.version, v.definition, v.bindings FROM dealix.version v"
	" JOIN dealix.workflow w ON w.workflow_id = v.workflow_id"
	" WHERE v.version_id = $1",
	1, {INT4OID}
};

/*
 * Transaction callback: what was used in a transaction that is over may be
 * forgotten.
 */
static void
count_transactions(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		transactions++;
}

/* ---------- forgetting ---------- */

/* Gives back a Program and what others keep for it. */
static void
forget_program(DxProgram *program)
{
	for (int i = 0; i < nkeepers; i++)
		keepers[i] (program->serial);
	dx_program_free(program);
}

/* Programs of an extension before that no run refers to any more. */
static void
forget_orphans(void)
{
	ListCell   *lc;

	if (orphans == NIL || orphaned_in == transactions)
		return;
	foreach(lc, orphans)
		forget_program(lfirst(lc));
	list_free(orphans);
	orphans = NIL;
}

/* Another extension: what the programs came from is gone. */
static void
orphan_all(void)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(TopMemoryContext);
	HASH_SEQ_STATUS seq;
	ProgramEntry *entry;

	hash_seq_init(&seq, programs);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		if (entry->program != NULL)
			orphans = lappend(orphans, entry->program);
		(void) hash_search(programs, &entry->version_id, HASH_REMOVE, NULL);
	}
	orphaned_in = transactions;
	MemoryContextSwitchTo(oldcxt);
}

/*
 * Makes the cache at first use; of another extension's programs nothing is
 * used.
 */
static void
prepare_cache(void)
{
	HASHCTL		ctl;
	Oid			extension = dx_extension_oid();

	forget_orphans();
	if (programs == NULL)
	{
		ctl.keysize = sizeof(int32);
		ctl.entrysize = sizeof(ProgramEntry);
		ctl.hcxt = TopMemoryContext;
		programs = hash_create("dealix_exec programs", 64, &ctl,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		RegisterXactCallback(count_transactions, NULL);
	}
	else if (programs_extension != extension)
		orphan_all();
	programs_extension = extension;
}

/* What a Program takes, with what others keep for it. */
static Size
size_of(const DxProgram *program)
{
	return MemoryContextMemAllocated(program->cxt, true) + program->kept;
}

/*
 * What all take; *oldest: the one that was not used for longest, and not in
 * this transaction, or NULL.
 */
static Size
size_of_all(ProgramEntry **oldest)
{
	HASH_SEQ_STATUS seq;
	ProgramEntry *entry;
	Size		size = 0;

	*oldest = NULL;
	hash_seq_init(&seq, programs);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		if (entry->program == NULL)
			continue;
		size += size_of(entry->program);
		if (entry->used_in != transactions &&
			(*oldest == NULL || entry->used < (*oldest)->used))
			*oldest = entry;
	}
	return size;
}

/*
 * Makes room.  To a quarter below the bound, so that what is looked for among
 * many is not looked for again at once.
 */
static void
shrink(void)
{
	Size		bound = (Size) dx_program_cache * 1024;
	ProgramEntry *oldest;
	Size		size;

	if (!grown)
		return;
	grown = false;
	if (size_of_all(&oldest) <= bound)
		return;
	while ((size = size_of_all(&oldest)) > bound / 4 * 3 && oldest != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		forget_program(oldest->program);
		(void) hash_search(programs, &oldest->version_id, HASH_REMOVE, NULL);
	}
}

/* Called once for each file that does: it forgets what it keeps with a program. */
void
dx_program_keeper(DxForget forget)
{
	dx_check_room(nkeepers, lengthof(keepers), "keepers of programs");
	keepers[nkeepers++] = forget;
}

/*
 * Something that belongs to a program takes now bytes outside of its memory, in
 * place of *size, which is set.
 */
void
dx_program_kept(const DxProgram *program, Size *size, Size now)
{
	Assert(*size <= program->kept);
	unconstify(DxProgram *, program)->kept += now - *size;
	*size = now;
	grown = true;
}

/* ---------- loading ---------- */

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

/* Compile option: was the URI bound when the version was published? */
static bool
is_bound(void *arg, const char *uri)
{
	return arg != NULL && dx_json_get_text(arg, uri) != NULL;
}

/* The row in SPI_tuptable becomes the entry's program, with memory of its own. */
static void
load_row(ProgramEntry *entry)
{
	HeapTuple	tuple = SPI_tuptable->vals[0];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext,
											  "dealix_exec program",
											  ALLOCSET_SMALL_SIZES);
	MemoryContext oldcxt = MemoryContextSwitchTo(cxt);
	DxCompileOptions options;
	Jsonb	   *definition;
	Datum		bindings;
	bool		isnull;

	entry->workflow = SPI_getvalue(tuple, desc, 1);
	entry->version = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &isnull));
	definition = DatumGetJsonbPCopy(SPI_getbinval(tuple, desc, 3, &isnull));
	bindings = SPI_getbinval(tuple, desc, 4, &isnull);

	/* What has been published stays, whatever the limit is by now. */
	memset(&options, 0, sizeof(options));
	options.max_depth = INT_MAX;
	options.check_resource = apply_bindings;
	options.is_bound = is_bound;
	options.arg = isnull ? NULL : DatumGetJsonbPCopy(bindings);
	entry->program = dx_program_load(definition, &options, cxt);
	MemoryContextSetParent(cxt, TopMemoryContext);
	MemoryContextSwitchTo(oldcxt);
}

/* Loads the Program of a version. Errors: XX001 when it is missing. */
static void
load(ProgramEntry *entry)
{
	Datum		values[1];

	values[0] = Int32GetDatum(entry->version_id);
	(void) dx_execute(&version_statement, values, NULL, false, 1);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("workflow version %d is missing", entry->version_id)));
	load_row(entry);
	SPI_freetuptable(SPI_tuptable);
	grown = true;
}

/*
 * The program of a version, with the workflow's name and the version's number,
 * until the end of the transaction.  Needs SPI_connect and dx_engine_enter.
 * Errors: XX001 when the version is missing.
 */
const DxProgram *
dx_program_of(int32 version_id, const char **workflow, int32 *version)
{
	ProgramEntry *entry;
	bool		found;

	Assert(dx_engine_entered());
	Assert(version_id > 0);
	prepare_cache();
	shrink();
	entry = hash_search(programs, &version_id, HASH_ENTER, &found);
	if (!found)
		entry->program = NULL;
	if (entry->program == NULL)
		load(entry);
	entry->used = ++uses;
	entry->used_in = transactions;
	*workflow = entry->workflow;
	*version = entry->version;
	return entry->program;
}
