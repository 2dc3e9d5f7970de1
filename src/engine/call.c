/*-------------------------------------------------------------------------
 *
 * call.c
 *	  A sql: step: one call of a user's function.
 *
 * Owns the cache of calls: for each (program, owner, state) the function that
 * the last input led to, and its plan.  The cache is emptied when anything in
 * pg_proc, pg_namespace or pg_type changes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/fault.h"
#include "asl/json.h"
#include "base/clock.h"
#include "base/plan.h"
#include "base/sqlstate.h"
#include "base/watch.h"
#include "catalog/pg_type.h"
#include "engine/argument.h"
#include "engine/call.h"
#include "engine/guard.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/payload_limit.h"
#include "engine/pin.h"
#include "engine/program_cache.h"
#include "engine/resolve.h"
#include "engine/sentence.h"
#include "executor/spi.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

typedef struct CallKey
{
	uint64		program;		/* its serial */
	Oid			owner;
	int32		state_index;
} CallKey;

typedef struct CallEntry
{
	CallKey		key;			/* hash key */
	bool		valid;
	DxCallee	callee;
	SPIPlanPtr	plan;
	DxSqlArgument *arguments;
	MemoryContext cxt;
	Size		size;
	double		expected;		/* ms that it takes, as far as is known */
} CallEntry;

static HTAB *calls = NULL;
static bool calls_stale = false;

/* ---------- the cache ---------- */

/* Syscache callback: what was resolved may mean something else now. */
static void
invalidate_calls(Datum arg, int cacheid, uint32 hashvalue)
{
	calls_stale = true;
}

static void forget_calls(uint64 program);

/*
 * Makes the cache of calls at first use, and looks at what has become stale.
 */
static void
prepare_calls(void)
{
	HASHCTL		ctl;
	HASH_SEQ_STATUS seq;
	CallEntry  *entry;

	if (calls == NULL)
	{
		ctl.keysize = sizeof(CallKey);
		ctl.entrysize = sizeof(CallEntry);
		ctl.hcxt = TopMemoryContext;
		calls = hash_create("dealix_exec calls", 64, &ctl,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		dx_program_keeper(forget_calls);
		CacheRegisterSyscacheCallback(PROCOID, invalidate_calls, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, invalidate_calls, (Datum) 0);
		CacheRegisterSyscacheCallback(TYPEOID, invalidate_calls, (Datum) 0);
	}
	if (!calls_stale)
		return;
	calls_stale = false;
	hash_seq_init(&seq, calls);
	while ((entry = hash_seq_search(&seq)) != NULL)
		entry->valid = false;
}

/* Gives back all that an entry keeps. */
static void
forget(CallEntry *entry)
{
	int			i;

	for (i = 0; entry->arguments != NULL && i < entry->callee.nargs; i++)
		dx_argument_release(&entry->arguments[i]);
	if (entry->plan != NULL)
		SPI_freeplan(entry->plan);
	entry->arguments = NULL;
	if (entry->cxt != NULL)
		MemoryContextDelete(entry->cxt);
	entry->plan = NULL;
	entry->cxt = NULL;
	entry->valid = false;
}

/* Does the cached callee fit an input with these members? */
static bool
fits(const DxCallee *callee, const Jsonb *input)
{
	JsonbContainer *container = &unconstify(Jsonb *, input)->root;
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;
	int			i = 0;

	if (callee->whole || callee->ignores_input)
		return true;
	if (!JsonContainerIsObject(container))
		return false;
	if (JsonContainerSize(container) != callee->nargs)
		return false;
	it = JsonbIteratorInit(container);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		if (strlen(callee->names[i]) != v.val.string.len ||
			memcmp(callee->names[i], v.val.string.val, v.val.string.len) != 0)
			return false;
		i++;
	}
	return true;
}

/* The default of an argument, as it would be written. */
static char *
default_text(const DxCallee *callee, int n)
{
	Datum		value;

	value = DirectFunctionCall2(pg_get_function_arg_default,
								ObjectIdGetDatum(callee->function),
								Int32GetDatum(callee->default_numbers[n]));
	return psprintf("(%s)::%s", TextDatumGetCString(value),
					format_type_be_qualified(callee->default_types[n]));
}

/*
 * The statement that calls the function: arguments by name, or the whole
 * input.
 */
static char *
call_text(const DxCallee *callee, bool with_defaults)
{
	StringInfoData call;
	int			i;

	initStringInfo(&call);
	appendStringInfo(&call, "%s(",
					 quote_qualified_identifier(callee->schema, callee->name));
	for (i = 0; i < callee->nargs; i++)
	{
		if (i > 0)
			appendStringInfoString(&call, ", ");
		if (i == callee->variadic_arg)
			appendStringInfoString(&call, "VARIADIC ");
		if (callee->names[i] != NULL)
			appendStringInfo(&call, "%s => ", quote_identifier(callee->names[i]));
		appendStringInfo(&call, "$%d", i + 1);
	}
	for (i = 0; with_defaults && i < callee->ndefaults; i++)
		appendStringInfo(&call, "%s%s => %s", callee->nargs + i > 0 ? ", " : "",
						 quote_identifier(callee->default_names[i]), default_text(callee, i));
	appendStringInfoChar(&call, ')');

	if (callee->returns_set)
		return psprintf("SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(r)),"
						" '[]'::pg_catalog.jsonb) FROM %s AS r", call.data);
	if (callee->returns_void)
		return psprintf("SELECT %s", call.data);
	return psprintf("SELECT pg_catalog.to_jsonb(%s)", call.data);
}

/* Walker: the call in the parsed statement, whichever node it is in. */
static bool
find_function(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, find_function, arg, 0);
	if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid == *(Oid *) arg)
		return true;
	return expression_tree_walker(node, find_function, arg);
}

/* Does the plan call the function that was resolved? */
static bool
calls_function(SPIPlanPtr plan, Oid function)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));

	return find_function(linitial(source->query_list), &function);
}

/* The saved plan of the call. */
static SPIPlanPtr
prepare_call(const DxCallee *callee, bool with_defaults)
{
	SPIPlanPtr	plan = SPI_prepare(call_text(callee, with_defaults), callee->nargs,
								   callee->types);

	if (plan == NULL)
		elog(ERROR, "could not prepare the call of %s.%s: %s", callee->schema,
			 callee->name, SPI_result_code_string(SPI_result));
	return plan;
}

/*
 * The plan of a call.  An overload that needs no defaults could take over a
 * call of a function that does, or make it ambiguous.  With all arguments
 * given there is only one that it can mean.
 */
static SPIPlanPtr
plan_call(const DxCallee *callee)
{
	SPIPlanPtr	plan = prepare_call(callee, callee->namesakes);

	if (!calls_function(plan, callee->function))
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_FUNCTION),
				 errmsg("function %s.%s(%s) cannot be called: another function of that name fits better",
						callee->schema, callee->name, callee->signature)));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep the plan of a call");
	return plan;
}

/*
 * Resolves the function for this input and makes its plan. false: *fault says
 * why it cannot be called.
 */
static bool
fill(const DxRun *run, CallEntry *entry, const char *target, const Jsonb *input,
	 MemoryContext fault_cxt, DxFault *fault)
{
	MemoryContext oldcxt;
	MemoryContext cxt;
	List	   *pins;
	bool		resolved;
	int			i;

	forget(entry);
	cxt = AllocSetContextCreate(TopMemoryContext, "dealix_exec call",
								ALLOCSET_SMALL_SIZES);
	entry->cxt = cxt;
	oldcxt = MemoryContextSwitchTo(cxt);
	pins = dx_pins_of_function(run->version_id, target);
	MemoryContextSwitchTo(cxt);
	resolved = dx_resolve(target, input, pins, &entry->callee, fault) &&
		dx_pin_owner_holds(pins, &entry->callee, entry->key.owner, fault);
	if (resolved)
	{
		entry->arguments = palloc0(sizeof(DxSqlArgument) * Max(entry->callee.nargs, 1));
		for (i = 0; i < entry->callee.nargs; i++)
			dx_argument_prepare(&entry->arguments[i], entry->callee.types[i], cxt);
		entry->plan = plan_call(&entry->callee);
	}
	MemoryContextSwitchTo(oldcxt);
	if (!resolved)
	{
		fault->error = MemoryContextStrdup(fault_cxt, fault->error);
		fault->cause = MemoryContextStrdup(fault_cxt, fault->cause);
		forget(entry);
		return false;
	}
	entry->valid = true;
	return true;
}

/*
 * Runs as the owner in the step's subtransaction.  NULL: fault says why there
 * is nothing to call.
 */
static CallEntry *
look_up(const DxRun *run, int state_index, const char *target,
		const Jsonb *input, MemoryContext fault_cxt, DxFault *fault)
{
	CallKey		key = {run->program->serial, run->owner, state_index};
	CallEntry  *entry;
	bool		found;

	prepare_calls();
	entry = hash_search(calls, &key, HASH_ENTER, &found);
	if (!found)
		memset((char *) entry + sizeof(CallKey), 0, sizeof(CallEntry) - sizeof(CallKey));
	if (entry->valid && fits(&entry->callee, input))
		return entry;
	if (!fill(run, entry, target, input, fault_cxt, fault))
		return NULL;
	dx_program_kept(run->program, &entry->size,
					MemoryContextMemAllocated(entry->cxt, true) +
					dx_plan_size(entry->plan));
	return entry;
}

/* Forgets the calls of a Program, which is about to go. */
static void
forget_calls(uint64 program)
{
	HASH_SEQ_STATUS seq;
	CallEntry  *entry;

	hash_seq_init(&seq, calls);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		if (entry->key.program != program)
			continue;
		forget(entry);
		(void) hash_search(calls, &entry->key, HASH_REMOVE, NULL);
	}
}

/* How much of what was expected gives way to what is found. */
#define LEARNING_RATE	0.125

/* The entry of a state's call, or NULL. */
static CallEntry *
find_call(const DxRun *run, int state_index)
{
	CallKey		key = {run->program->serial, run->owner, state_index};

	return calls == NULL ? NULL : hash_search(calls, &key, HASH_FIND, NULL);
}

/*
 * How long a call of this state's function (see dx_call_sql) will take, from
 * what it took in this session; in ms, 0: not known.
 */
double
dx_call_expected(const DxRun *run, int state_index)
{
	CallEntry  *entry = find_call(run, state_index);

	return entry == NULL ? 0 : entry->expected;
}

/* Moves the expected time of a call towards what it took. */
static void
learn_time(const DxRun *run, int state_index, DxMono begun)
{
	CallEntry  *entry = find_call(run, state_index);
	double		took = (dx_mono() - begun) / 1000.0;

	if (entry == NULL)
		return;
	if (entry->expected == 0)
		entry->expected = took;
	else
		entry->expected += (took - entry->expected) * LEARNING_RATE;
}

/* ---------- the call ---------- */

/* The arguments from the input's members. */
static void
argument_values(CallEntry *entry, Jsonb *input, Datum *values, char *nulls)
{
	const DxCallee *callee = &entry->callee;
	int			i;

	if (callee->whole)
	{
		values[0] = JsonbPGetDatum(input);
		nulls[0] = ' ';
		return;
	}
	for (i = 0; i < callee->nargs; i++)
	{
		JsonbValue	v;
		bool		isnull;

		if (!dx_json_get(input, callee->names[i], &v))
			elog(ERROR, "member \"%s\" of the input is gone", callee->names[i]);
		values[i] = dx_argument_value(&entry->arguments[i], &v, &isnull);
		nulls[i] = isnull ? 'n' : ' ';
	}
}

/* The result as JSON, in cxt; no row and null are JSON null. */
static Jsonb *
read_result(const DxCallee *callee, MemoryContext cxt)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(cxt);
	Jsonb	   *result = NULL;

	if (!callee->returns_void && SPI_processed > 0)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0],
										  SPI_tuptable->tupdesc, 1, &isnull);

		if (!isnull)
			result = DatumGetJsonbPCopy(value);
	}
	if (result == NULL)
		result = dx_json_null();
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);
	return result;
}

/* Executes the call. Returns its result. */
static Jsonb *
call_function(CallEntry *entry, Jsonb *input, MemoryContext result_cxt)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(entry->callee.nargs, 1));
	char	   *nulls = palloc(Max(entry->callee.nargs, 1));
	int			rc;

	argument_values(entry, input, values, nulls);
	rc = SPI_execute_plan(entry->plan, values, nulls, false, 0);
	if (rc != SPI_OK_SELECT)
		elog(ERROR, "calling a step gave %s", SPI_result_code_string(rc));
	return read_result(&entry->callee, result_cxt);
}

/* What the guarded code works on. */
typedef struct SqlCall
{
	DxRun	   *run;
	int			state_index;
	const char *state;
	const char *target;
	Jsonb	   *input;
	MemoryContext result_cxt;
	Jsonb	   *result;			/* NULL: fault says why */
	DxFault    *fault;
} SqlCall;

/* What dx_guard runs as the owner: looks the function up and calls it. */
static void
call_body(void *arg)
{
	SqlCall    *call = arg;
	DxFault		excess;
	CallEntry  *entry = look_up(call->run, call->state_index, call->target,
								call->input, call->result_cxt, call->fault);

	if (entry == NULL)
		return;
	call->result = call_function(entry, call->input, call->result_cxt);

	/* Too large a result is the step's failure: what it did is rolled back. */
	if (!dx_within_limits(call->result, call->state, &excess))
		ereport(ERROR,
				(errcode(DX_SQLSTATE_RAISED),
				 errmsg_internal("%s", excess.error),
				 errdetail_internal("%s", excess.cause)));
}

/*
 * Calls the function that target names with this input, as the run's owner, in
 * a subtransaction of its own.
 *
 * state_index: number of the state, or -1 - number for its compensation; with
 * owner and version it is the key of the cached plan.  timeout in seconds, 0 =
 * none.  *result and *fault live in CurrentMemoryContext.  A deadlock or
 * serialization failure is DX_CALL_CONFLICT, the end of its time is
 * DX_CALL_TIMEOUT, both with the fault filled too.  A result beyond the limits
 * is a fault.  Errors: a cancel that is not the step's; 42501 in a session that is
 * not the owner's.
 */
DxCallOutcome
dx_call_sql(DxPass *pass, DxRun *run, int state_index, const char *target,
			Jsonb *input, double timeout, Jsonb **result, DxFault *fault)
{
	int			index = state_index >= 0 ? state_index : -1 - state_index;
	SqlCall		call = {run, state_index, run->program->names[index],
	target, input, CurrentMemoryContext, NULL, fault};
	DxMono		begun = dx_mono();
	DxCallOutcome outcome;

	Assert(pass->running == run);
	Assert(timeout >= 0);
	dx_require_owner(run);
	dx_watch_place(&run->id, run->at, call.state);
	if (dx_sentence_takes(run, call.state, &outcome, fault))
		return outcome;
	outcome = dx_guard(pass, run->owner, timeout, call_body, &call, fault);
	learn_time(run, state_index, begun);
	if (outcome == DX_CALL_DONE && call.result == NULL)
		outcome = DX_CALL_FAULT;
	*result = call.result;
	return outcome;
}
