/*-------------------------------------------------------------------------
 *
 * publish.c
 *	  From a definition to a stored version; what a definition is checked
 *	  against in this database.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "asl/problem.h"
#include "audit/audit.h"
#include "base/guc.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/server.h"
#include "catalog/pg_type.h"
#include "engine/access.h"
#include "engine/binding.h"
#include "engine/expression_check.h"
#include "engine/governed.h"
#include "engine/held.h"
#include "engine/history.h"
#include "engine/payload_limit.h"
#include "engine/persons.h"
#include "engine/pin.h"
#include "engine/publish.h"
#include "engine/resolve.h"
#include "engine/role.h"
#include "engine/signal.h"
#include "engine/slot_set.h"
#include "engine/version.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

static DxStatement insert_workflow_statement = {
	"INSERT INTO dealix.workflow (name, author, created_at)"
	" VALUES ($1, $2, pg_catalog.now()) ON CONFLICT (name) DO NOTHING",
	2, {TEXTOID, OIDOID}
};

/* The lock keeps two versions from getting one number. */
static DxStatement workflow_statement = {
	"SELECT workflow_id, author::pg_catalog.oid FROM dealix.workflow"
	" WHERE name = $1 FOR NO KEY UPDATE",
	1, {TEXTOID}
};

static DxStatement latest_statement = {
	"SELECT version, sha256, bindings, version_id FROM dealix.version WHERE workflow_id = $1"
	" ORDER BY version DESC LIMIT 1",
	1, {INT4OID}
};

static DxStatement insert_version_statement = {
	"INSERT INTO dealix.version"
	" (workflow_id, version, definition, sha256, author, bindings, created_at, signals)"
	" VALUES ($1, $2, $3, $4, $5, $6, pg_catalog.now(), dealix_internal.signal_names($3, $6))"
	" RETURNING version_id",
	6, {INT4OID, INT4OID, JSONBOID, BYTEAOID, TEXTOID, JSONBOID}
};

/* ---------- resources ---------- */

/* The members that a call would have, as an object of nulls. */
static Jsonb *
object_of_keys(List *keys)
{
	JsonbParseState *state = NULL;
	JsonbValue	v;
	ListCell   *lc;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	foreach(lc, keys)
	{
		v.type = jbvString;
		v.val.string.val = lfirst(lc);
		v.val.string.len = strlen(v.val.string.val);
		pushJsonbValue(&state, WJB_KEY, &v);
		v.type = jbvNull;
		pushJsonbValue(&state, WJB_VALUE, &v);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* What a sql: target means from now on: this function, or (NULL) any there is. */
static void
pin_function(DxPublishing *publishing, const char *target, const DxCallee *callee)
{
	MemoryContext oldcxt;
	List	   *signatures;
	List	   *owners;
	char	   *schema;
	char	   *name;
	ListCell   *ls;
	ListCell   *lo;

	if (publishing == NULL || !dx_split_target(target, &schema, &name))
		return;
	oldcxt = MemoryContextSwitchTo(publishing->cxt);
	signatures = dx_function_signatures(schema, name, &owners);
	forboth(ls, signatures, lo, owners)
	{
		if (callee == NULL || strcmp(lfirst(ls), callee->signature) == 0)
			publishing->pins = dx_pin_add(publishing->pins, DX_PIN_FUNCTION, target,
										  lfirst(ls), lfirst_oid(lo));
	}
	MemoryContextSwitchTo(oldcxt);
}

/* Whose workflow a workflow: target means.  One that is not there yet: nobody's. */
static void
pin_workflow(DxPublishing *publishing, const char *target)
{
	MemoryContext oldcxt;
	Oid			author;

	if (publishing == NULL || strcmp(target, DX_CONTINUE_TARGET) == 0)
		return;
	author = dx_workflow_author(target);
	if (!OidIsValid(author))
		return;
	oldcxt = MemoryContextSwitchTo(publishing->cxt);
	publishing->pins = dx_pin_add(publishing->pins, DX_PIN_WORKFLOW, target, "", author);
	MemoryContextSwitchTo(oldcxt);
}

/* Can the function be called with these arguments? Pins what it means. */
static void
check_function(DxPublishing *publishing, const char *target, bool keys_known,
			   List *keys, const char *pointer, DxProblems *problems)
{
	char	   *schema;
	char	   *name;
	DxCallee	callee;
	DxFault		fault;
	List	   *functions;
	ListCell   *lc;
	bool		executable = false;

	if (!dx_split_target(target, &schema, &name))
	{
		dx_problem(problems, pointer, "INVALID_RESOURCE",
				   "Write sql:schema.function.",
				   "\"%s\" does not name a function by schema and name", target);
		return;
	}
	functions = dx_function_oids(schema, name);
	if (functions == NIL)
	{
		dx_problem(problems, pointer, "UNKNOWN_FUNCTION",
				   "Create the function before the workflow that calls it is published.",
				   "function %s does not exist", target);
		return;
	}
	if (!dx_may_use_schema(schema, GetUserId()))
	{
		dx_problem(problems, pointer, "NO_PERMISSION",
				   psprintf("GRANT USAGE ON SCHEMA %s TO %s, and to the roles that start the workflow.",
							quote_identifier(schema),
							quote_identifier(GetUserNameFromId(GetUserId(), false))),
				   "permission denied for schema %s", schema);
		return;
	}
	foreach(lc, functions)
		executable |= dx_may_execute(lfirst_oid(lc), GetUserId());
	if (!executable)
		dx_problem(problems, pointer, "NO_PERMISSION",
				   psprintf("GRANT EXECUTE ON FUNCTION %s TO %s, for the roles that start the workflow too.",
							target, quote_identifier(GetUserNameFromId(GetUserId(), false))),
				   "permission denied for function %s", target);
	else if (!keys_known)
		pin_function(publishing, target, NULL);
	else if (dx_resolve(target, object_of_keys(keys), NIL, &callee, &fault))
		pin_function(publishing, target, &callee);
	else
		dx_problem(problems, pointer, "WRONG_ARGUMENTS",
				   "The members of Parameters are the names of the function's arguments; a function with one jsonb argument takes any.",
				   "%s cannot be called so: %s", target, fault.cause);
}

/* One name, "a|b" for the first of several, or "a&b" for all. */
static void
check_names(const char *target, const char *pointer, DxProblems *problems)
{
	bool		all;
	List	   *names = dx_names_split(target, &all);
	ListCell   *lc;

	if (list_length(names) > DX_MAX_NAMES)
		dx_problem(problems, pointer, "INVALID_RESOURCE",
				   "Wait for them one after the other, or in the branches of a Parallel.",
				   "a state waits for at most %d names, here are %d",
				   DX_MAX_NAMES, list_length(names));
	if (strchr(target, '|') != NULL && strchr(target, '&') != NULL)
		dx_problem(problems, pointer, "INVALID_RESOURCE",
				   "Write a|b|c for the first that comes, or a&b&c for all.",
				   "\"%s\" mixes | and &", target);
	foreach(lc, names)
	{
		if (*(char *) lfirst(lc) == '\0')
			dx_problem(problems, pointer, "INVALID_RESOURCE",
					   "Write signal:name, event:name, or several names with | or & between them.",
					   "a name is missing in \"%s\"", target);
	}
}

/*
 * An event: state knows one member of its Parameters.  Another one is most
 * likely that, misspelled: the state would wait for other events.
 */
static void
check_event_keys(List *keys, const char *pointer, DxProblems *problems)
{
	ListCell   *lc;

	foreach(lc, keys)
	{
		if (strcmp(lfirst(lc), "correlation_id") != 0)
			dx_problem(problems, pointer, "UNKNOWN_FIELD",
					   "It has \"correlation_id\", or \"correlation_id.$\".",
					   "an event: state has no parameter \"%s\"", (char *) lfirst(lc));
	}
}

/* Compile option: is the URI bound for the current user? */
static bool
is_bound(void *arg, const char *uri)
{
	return dx_binding_find(uri) != NULL;
}

/* Puts what a foreign URI is bound to in its place. */
static void
resolve_binding(DxPublishing *publishing, DxResourceKind *kind,
				const char **target, bool *wait_for_token, bool *no_wait,
				const char *uri, const char *pointer, DxProblems *problems)
{
	char	   *bound = dx_binding_find(uri);
	MemoryContext oldcxt;

	if (bound == NULL)
	{
		dx_problem(problems, pointer, "UNBOUND_RESOURCE",
				   psprintf("Say what stands for it here, for example SELECT dealix.bind(%s, 'sql:schema.function').",
							quote_literal_cstr(uri)),
				   "resource \"%s\" is not bound", uri);
		return;
	}
	dx_binding_apply(bound, kind, target, wait_for_token, no_wait);
	if (publishing == NULL)
		return;
	oldcxt = MemoryContextSwitchTo(publishing->cxt);
	if (publishing->bindings == NULL)
		publishing->bindings = dx_json_empty_object();
	publishing->bindings = dx_json_set(publishing->bindings, uri, dx_json_string(bound));
	MemoryContextSwitchTo(oldcxt);
}

/* Compile option: does the target of a Task exist, and may it be called? */
static void
check_resource(void *arg, DxResourceKind *kind, const char **target,
			   bool *wait_for_token, bool *no_wait, const char *uri,
			   bool keys_known, List *keys, const char *pointer,
			   DxProblems *problems)
{
	if (*kind == DX_RESOURCE_OTHER)
		resolve_binding(arg, kind, target, wait_for_token, no_wait, uri,
						pointer, problems);
	if (*target != NULL && strlen(*target) > DX_MAX_LABEL)
		dx_problem(problems, pointer, "INVALID_RESOURCE", NULL,
				   "the name in the resource has more than %d bytes", DX_MAX_LABEL);
	switch (*kind)
	{
		case DX_RESOURCE_OTHER:
			break;
		case DX_RESOURCE_SQL:
			check_function(arg, *target, keys_known, keys, pointer, problems);
			break;
		case DX_RESOURCE_SIGNAL:
			check_names(*target, pointer, problems);
			break;
		case DX_RESOURCE_WORKFLOW:
			pin_workflow(arg, *target);
			break;
		case DX_RESOURCE_COMPENSATE:
		case DX_RESOURCE_ACTIVITY:
		case DX_RESOURCE_EMIT:
		case DX_RESOURCE_APPROVAL:
			break;
		case DX_RESOURCE_EVENT:
			check_names(*target, pointer, problems);
			if (keys_known)
				check_event_keys(keys, pointer, problems);
			break;
		default:
			dx_problem(problems, pointer, "UNSUPPORTED_RESOURCE",
					   "Use sql:schema.function, activity:name, signal:name, event:name, approval:name, workflow:name, emit:topic or compensate:.",
					   "resource \"%s\" cannot be executed", uri);
	}
}

/* The names that an Assign sets, of which "x.$" sets x. */
static void
add_variables(DxPublishing *publishing, JsonbContainer *assign)
{
	JsonbIterator *it = JsonbIteratorInit(assign);
	JsonbValue	v;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		int			len = v.val.string.len;

		if (token != WJB_KEY)
			continue;
		if (len > 2 && strncmp(v.val.string.val + len - 2, ".$", 2) == 0)
			len -= 2;
		publishing->variables = lappend(publishing->variables,
										pnstrdup(v.val.string.val, len));
	}
}

/* Looks for Assign anywhere in the definition. */
static void
find_variables(DxPublishing *publishing, JsonbContainer *container)
{
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbValue	v;
	JsonbIteratorToken token;
	bool		assign = false;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			assign = v.val.string.len == 6 &&
				strncmp(v.val.string.val, "Assign", 6) == 0;
		else if ((token == WJB_VALUE || token == WJB_ELEM) && v.type == jbvBinary)
		{
			if (token == WJB_VALUE && assign && JsonContainerIsObject(v.val.binary.data))
				add_variables(publishing, v.val.binary.data);
			find_variables(publishing, v.val.binary.data);
		}
	}
}

/*
 * What a definition is checked against when it is published or validated.
 * publishing may be NULL.
 */
void
dx_publish_options(DxCompileOptions *options, DxPublishing *publishing,
				   const Jsonb *definition)
{
	memset(options, 0, sizeof(DxCompileOptions));
	options->governed = dx_governance == DX_GOVERNANCE_REQUIRED;
	options->check_resource = check_resource;
	options->is_bound = is_bound;
	options->check_approvers = dx_check_approvers;
	options->check_expr = dx_expression_check;
	options->max_depth = dx_max_depth;
	options->arg = publishing;
	if (publishing == NULL)
		return;
	memset(publishing, 0, sizeof(DxPublishing));
	publishing->cxt = CurrentMemoryContext;
	find_variables(publishing, &unconstify(Jsonb *, definition)->root);
}

/* ---------- storing ---------- */

/*
 * The number of the workflow, made if need be and locked. Errors: 42501 it is
 * another role's.
 */
static int32
lock_workflow(const char *name)
{
	Datum		values[2];
	int32		workflow_id;
	Oid			author;
	Oid			caller = GetUserId();
	DxIdentity	saved;
	bool		isnull;

	dx_engine_enter(&saved);
	values[0] = CStringGetTextDatum(name);
	values[1] = ObjectIdGetDatum(caller);
	dx_role_note(caller);
	(void) dx_execute(&insert_workflow_statement, values, NULL, false, 0);
	(void) dx_execute(&workflow_statement, values, NULL, false, 1);
	dx_engine_leave(&saved);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not publish workflow \"%s\" due to a concurrent publish", name),
				 errhint("Try the transaction again.")));
	workflow_id = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0],
											  SPI_tuptable->tupdesc, 1, &isnull));
	author = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0],
											SPI_tuptable->tupdesc, 2, &isnull));
	SPI_freetuptable(SPI_tuptable);
	if (!has_privs_of_role(caller, author))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for workflow \"%s\"", name),
				 errdetail("It belongs to role \"%s\".", GetUserNameFromId(author, false)),
				 errhint("Publish under another name, or as a member of that role.")));
	return workflow_id;
}

/* SHA-256 over the text of a definition. */
static bytea *
hash_of(Jsonb *definition)
{
	DxHasher   *hasher = dx_hasher_open();
	DxHash		hash;

	dx_payload_hash(hasher, definition, &hash);
	dx_hasher_close(hasher);
	return dx_hash_bytes(&hash);
}

/*
 * The number of the latest version, 0 if there is none.  *same: it is this
 * definition with these bindings, and the names in it mean the same.
 */
static int32
latest_version(int32 workflow_id, const bytea *sha256, const DxPublishing *publishing,
			   bool *same)
{
	Jsonb	   *bindings = publishing->bindings;
	Datum		values[1];
	HeapTuple	tuple;
	TupleDesc	desc;
	bytea	   *latest;
	Datum		bound;
	int32		version;
	int32		version_id;
	bool		isnull;

	*same = false;
	values[0] = Int32GetDatum(workflow_id);
	(void) dx_execute(&latest_statement, values, NULL, false, 1);
	if (SPI_processed == 0)
		return 0;
	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	version = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &isnull));
	latest = DatumGetByteaPP(SPI_getbinval(tuple, desc, 2, &isnull));
	bound = SPI_getbinval(tuple, desc, 3, &isnull);
	*same = memcmp(VARDATA_ANY(latest), VARDATA(sha256), DX_HASH_LENGTH) == 0 &&
		isnull == (bindings == NULL) &&
		(isnull || compareJsonbContainers(&DatumGetJsonbP(bound)->root,
										  &bindings->root) == 0);
	version_id = DatumGetInt32(SPI_getbinval(tuple, desc, 4, &isnull));
	*same = *same && dx_pins_equal(dx_pins_load(version_id), publishing->pins);
	return version;
}

/* Stores a version, or finds the one that is the same. Returns its number. */
static int32
store_version(int32 workflow_id, Jsonb *definition, const DxPublishing *publishing,
			  const List *governed)
{
	Jsonb	   *bindings = publishing->bindings;
	Oid			caller = GetUserId();
	bytea	   *sha256 = hash_of(definition);
	Datum		values[6];
	char		nulls[6];
	DxIdentity	saved;
	int32		version;
	int32		version_id;
	bool		same;
	bool		isnull;

	dx_engine_enter(&saved);
	version = latest_version(workflow_id, sha256, publishing, &same);
	if (!same)
	{
		memset(nulls, ' ', sizeof(nulls));
		values[0] = Int32GetDatum(workflow_id);
		values[1] = Int32GetDatum(++version);
		values[2] = JsonbPGetDatum(definition);
		values[3] = PointerGetDatum(sha256);
		values[4] = CStringGetTextDatum(dx_role_name(caller));
		if (bindings != NULL)
			values[5] = JsonbPGetDatum(bindings);
		else
			nulls[5] = 'n';
		(void) dx_execute(&insert_version_statement, values, nulls, false, 0);
		version_id = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0],
												 SPI_tuptable->tupdesc, 1, &isnull));
		dx_pins_store(version_id, publishing->pins);
		dx_governed_store(version_id, governed);
		dx_identity_record();
		dx_version_stored();
	}
	dx_engine_leave(&saved);
	return version;
}

/*
 * Stores a definition as the next version of a workflow, or finds that the
 * latest version is the same.  Returns the version; 0 with problems filled
 * when the definition cannot run: then nothing is stored.  Needs SPI_connect.
 * Errors: 42501 when the workflow belongs to another role, DX009 too large.
 */
int
dx_publish(const char *name, Jsonb *definition, DxProblems *problems)
{
	DxCompileOptions options;
	DxPublishing publishing;
	DxProgram  *program;
	List	   *governed;

	dx_check_definition(definition);
	dx_publish_options(&options, &publishing, definition);
	program = dx_program_compile(definition, &options, CurrentMemoryContext,
								 problems);
	if (problems->list != NIL)
		return 0;
	dx_check_states(program->nstates);
	governed = dx_governed_states(program);
	dx_program_free(program);
	return store_version(lock_workflow(name), definition, &publishing, governed);
}

/*
 * Sets the max_concurrency of a workflow, over all owners or for each of them;
 * 0 = no limit.  Needs SPI_connect.  Errors: 42704 no such workflow, 42501 it belongs to another role.
 */
void
dx_limit_workflow(const char *name, int max_concurrency, bool per_owner)
{
	DxIdentity	saved;
	Datum		values[1];
	bool		isnull;
	Oid			author;

	dx_engine_enter(&saved);
	values[0] = CStringGetTextDatum(name);
	(void) dx_execute(&workflow_statement, values, NULL, false, 1);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no workflow \"%s\"", name),
				 errhint("See dealix.workflows for what is published.")));
	values[0] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	author = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0],
											SPI_tuptable->tupdesc, 2, &isnull));
	dx_engine_leave(&saved);
	if (!dx_may_operate(author))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for workflow \"%s\"", name),
				 errdetail("It belongs to role \"%s\".", GetUserNameFromId(author, false))));
	dx_slots_limit(DatumGetInt32(values[0]), max_concurrency, per_owner);
}
