/*-------------------------------------------------------------------------
 *
 * call.c
 *	  A sql: step: one call of a user's function in a subtransaction.
 *
 * Owns the cache of calls: for each (owner, version, state) the function that
 * the last input led to, and its plan.  The cache is emptied when anything in
 * pg_proc, pg_namespace or pg_type changes.
 *
 * The order at the end of a call matters: deferred constraints fire as the
 * owner, the step's settings are unwound, and only then the engine writes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "engine/engine.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/timeout.h"

typedef struct CallKey
{
	Oid			owner;
	int32		version_id;
	int32		state_index;
} CallKey;

typedef struct CallEntry
{
	CallKey		key;			/* hash key */
	bool		valid;
	DxCallee	callee;
	SPIPlanPtr	plan;
	DxArgument *arguments;
	MemoryContext cxt;
} CallEntry;

static HTAB *calls = NULL;
static bool calls_stale = false;

/* Is a step of the user's running in this backend? */
static bool in_step = false;

static TimeoutId step_timeout = MAX_TIMEOUTS;
static volatile sig_atomic_t step_timed_out = false;

/* ---------- the cache ---------- */

static void
invalidate_calls(Datum arg, int cacheid, uint32 hashvalue)
{
	calls_stale = true;
}

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

	if (callee->whole)
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

static char *
call_text(const DxCallee *callee)
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
	appendStringInfoChar(&call, ')');

	if (callee->returns_set)
		return psprintf("SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(r)),"
						" '[]'::pg_catalog.jsonb) FROM %s AS r", call.data);
	if (callee->returns_void)
		return psprintf("SELECT %s", call.data);
	return psprintf("SELECT pg_catalog.to_jsonb(%s)", call.data);
}

static bool
fill(CallEntry *entry, const char *target, const Jsonb *input, DxFault *fault)
{
	MemoryContext oldcxt;
	MemoryContext cxt;
	bool		resolved;
	int			i;

	forget(entry);
	cxt = AllocSetContextCreate(TopMemoryContext, "dealix_exec call",
								ALLOCSET_SMALL_SIZES);
	entry->cxt = cxt;
	oldcxt = MemoryContextSwitchTo(cxt);
	resolved = dx_resolve(target, input, &entry->callee, fault);
	if (resolved)
	{
		entry->arguments = palloc0(sizeof(DxArgument) * Max(entry->callee.nargs, 1));
		for (i = 0; i < entry->callee.nargs; i++)
			dx_argument_prepare(&entry->arguments[i], entry->callee.types[i], cxt);
		entry->plan = SPI_prepare(call_text(&entry->callee), entry->callee.nargs,
								  entry->callee.types);
		if (entry->plan == NULL || SPI_keepplan(entry->plan) != 0)
			elog(ERROR, "could not prepare the call of %s: %s", target,
				 SPI_result_code_string(SPI_result));
	}
	MemoryContextSwitchTo(oldcxt);
	if (!resolved)
	{
		fault->error = pstrdup(fault->error);
		fault->cause = pstrdup(fault->cause);
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
look_up(Oid owner, int32 version_id, int state_index, const char *target,
		const Jsonb *input, DxFault *fault)
{
	CallKey		key = {owner, version_id, state_index};
	CallEntry  *entry;
	bool		found;

	prepare_calls();
	entry = hash_search(calls, &key, HASH_ENTER, &found);
	if (!found)
		memset((char *) entry + sizeof(CallKey), 0, sizeof(CallEntry) - sizeof(CallKey));
	if (entry->valid && fits(&entry->callee, input))
		return entry;
	return fill(entry, target, input, fault) ? entry : NULL;
}

/* ---------- the call ---------- */

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

static void
step_timeout_handler(void)
{
	step_timed_out = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

static void
start_timer(double timeout)
{
	step_timed_out = false;
	if (timeout <= 0)
		return;
	if (step_timeout == MAX_TIMEOUTS)
		step_timeout = RegisterTimeout(USER_TIMEOUT, step_timeout_handler);
	enable_timeout_after(step_timeout, (int) Min(timeout * 1000.0, PG_INT32_MAX));
}

static void
stop_timer(double timeout)
{
	if (timeout <= 0)
		return;
	disable_timeout(step_timeout, false);
	if (step_timed_out)
	{
		/* It fired too late to interrupt anything. */
		QueryCancelPending = false;
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("the step ran longer than its TimeoutSeconds")));
	}
}

/*
 * Fires what the step has deferred, so that a violation is the step's error
 * and no code of the owner runs at commit.  That leaves all constraints
 * immediate for the rest of the transaction: then the pass ends here, and the
 * next step finds the defaults again.
 */
static void
fire_deferred(DxPass *pass)
{
	ConstraintsSetStmt *statement;

	if (!dx_deferred_pending())
		return;
	statement = makeNode(ConstraintsSetStmt);
	statement->constraints = NIL;
	statement->deferred = false;
	AfterTriggerSetState(statement);
	pass->over = true;
}

static Jsonb *
call_function(DxPass *pass, CallEntry *entry, Jsonb *input, double timeout,
			  MemoryContext result_cxt)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(entry->callee.nargs, 1));
	char	   *nulls = palloc(Max(entry->callee.nargs, 1));
	Jsonb	   *result;
	int			rc;

	argument_values(entry, input, values, nulls);
	in_step = true;
	rc = SPI_execute_plan(entry->plan, values, nulls, false, 0);
	in_step = false;
	if (rc != SPI_OK_SELECT)
		elog(ERROR, "calling a step gave %s", SPI_result_code_string(rc));
	result = read_result(&entry->callee, result_cxt);
	fire_deferred(pass);
	stop_timer(timeout);
	return result;
}

/* What an error of the step is in the language. */
static DxCallOutcome
classify(DxPass *pass, ErrorData *edata, double timeout, DxFault *fault)
{
	if (edata->sqlerrcode == DX_SQLSTATE_RAISED)
	{
		fault->error = edata->message;
		fault->cause = edata->detail;
		return DX_CALL_FAULT;
	}
	if (edata->sqlerrcode == ERRCODE_QUERY_CANCELED && step_timed_out)
	{
		fault->error = pstrdup(DX_ERROR_TIMEOUT);
		fault->cause = psprintf("The step ran longer than its TimeoutSeconds of %g.", timeout);
		return DX_CALL_FAULT;
	}
	if (edata->sqlerrcode == ERRCODE_QUERY_CANCELED && !pass->cancel_is_error)
		ReThrowError(edata);

	fault->error = psprintf("SQL.%s", dx_sqlstate_name(edata->sqlerrcode));
	fault->cause = edata->message;
	if (edata->detail != NULL)
		fault->cause = psprintf("%s\nDETAIL: %s", fault->cause, edata->detail);
	if (edata->hint != NULL)
		fault->cause = psprintf("%s\nHINT: %s", fault->cause, edata->hint);

	if (edata->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		edata->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE)
		return DX_CALL_CONFLICT;
	return DX_CALL_FAULT;
}

/*
 * Refuses what would begin a pass within a pass.  what: the function that the
 * step has called.  Errors: 55000.
 */
void
dx_refuse_in_step(const char *what)
{
	if (in_step)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s can't be called from a step", what),
				 errdetail("The pass that runs the step holds the locks that it would need."),
				 errhint("A step may start runs, signal and cancel.")));
}

/*
 * Calls the function that target names with this input, as the run's owner, in
 * a subtransaction of its own.
 *
 * state_index: number of the state, or -1 - number for its compensation; with
 * owner and version it is the key of the cached plan.  timeout in seconds, 0 =
 * none.  *result and *fault live in CurrentMemoryContext.  A deadlock or
 * serialization failure is DX_CALL_CONFLICT, with the fault filled too.  An
 * error is only raised for a cancel that is not the step's.
 */
DxCallOutcome
dx_call_sql(DxPass *pass, DxRun *run, int state_index, const char *target,
			Jsonb *input, double timeout, Jsonb **result, DxFault *fault)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	ResourceOwner oldowner = CurrentResourceOwner;
	DxCallOutcome outcome = DX_CALL_DONE;
	Oid			userid;
	int			sec_context;

	GetUserIdAndSecContext(&userid, &sec_context);
	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		CallEntry  *entry;
		int			guc_level = NewGUCNestLevel();

		/* Neither SET ROLE nor SET SESSION AUTHORIZATION work in here. */
		SetUserIdAndSecContext(run->owner,
							   sec_context | SECURITY_LOCAL_USERID_CHANGE);
		start_timer(timeout);
		entry = look_up(run->owner, run->version_id, state_index, target, input,
						fault);
		if (entry == NULL)
			outcome = DX_CALL_FAULT;
		else
			*result = call_function(pass, entry, input, timeout, oldcxt);
		if (entry == NULL && timeout > 0)
			disable_timeout(step_timeout, false);
		AtEOXact_GUC(false, guc_level);
		SetUserIdAndSecContext(userid, sec_context);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(oldcxt);
		CurrentResourceOwner = oldowner;
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		in_step = false;
		MemoryContextSwitchTo(oldcxt);
		edata = CopyErrorData();
		FlushErrorState();
		if (timeout > 0 && step_timeout != MAX_TIMEOUTS)
			disable_timeout(step_timeout, false);
		if (step_timed_out)
			QueryCancelPending = false;
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(oldcxt);
		CurrentResourceOwner = oldowner;
		outcome = classify(pass, edata, timeout, fault);
	}
	PG_END_TRY();
	return outcome;
}
