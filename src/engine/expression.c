/*-------------------------------------------------------------------------
 *
 * expression.c
 *	  {% SQL expression %}: the evaluator behind QueryLanguage SQL.
 *
 * An expression is parsed as PL/pgSQL parses its own, with the variables
 * (input, result, error, context and what Assign has set, all jsonb) as
 * parameters that a parser hook supplies.  Owns the cache of plans by (owner,
 * version, expression).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "base/clock.h"
#include "base/guc.h"
#include "base/plan.h"
#include "base/watch.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "engine/expression.h"
#include "engine/guard.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/program_cache.h"
#include "engine/sentence.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/params.h"
#include "parser/parse_node.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

typedef struct PlanKey
{
	uint64		program;		/* its serial */
	Oid			owner;
	int32		ordinal;
} PlanKey;

typedef struct PlanEntry
{
	PlanKey		key;			/* hash key */
	SPIPlanPtr	plan;			/* NULL: not made */
	List	   *names;			/* of char *: parameter n is element n - 1 */
	List	   *members;		/* of char *: all that it reads of context */
	bool		whole_context;	/* it may read anything of it */
	MemoryContext cxt;
	Size		size;
} PlanEntry;

static HTAB *plans = NULL;

/* ---------- parsing ---------- */

/* Is this part of a reference a name, and no "*"? */
static bool
is_variable_name(Node *field)
{
	return IsA(field, String);
}

/* A column reference that names no column is one of our variables. */
static Node *
resolve_variable(ParseState *pstate, ColumnRef *ref, Node *var)
{
	PlanEntry  *entry = pstate->p_ref_hook_state;
	MemoryContext oldcxt;
	const char *name;
	Param	   *param;
	ListCell   *lc;
	int			number = 0;

	if (var != NULL || list_length(ref->fields) != 1 ||
		!is_variable_name(linitial(ref->fields)))
		return NULL;
	name = strVal(linitial(ref->fields));
	foreach(lc, entry->names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			number = foreach_current_index(lc) + 1;
	}
	if (number == 0)
	{
		oldcxt = MemoryContextSwitchTo(entry->cxt);
		entry->names = lappend(entry->names, pstrdup(name));
		MemoryContextSwitchTo(oldcxt);
		number = list_length(entry->names);
	}

	param = makeNode(Param);
	param->paramkind = PARAM_EXTERN;
	param->paramid = number;
	param->paramtype = JSONBOID;
	param->paramtypmod = -1;
	param->paramcollid = InvalidOid;
	param->location = ref->location;
	return (Node *) param;
}

/* Parser hook: names that are no columns are variables. */
static void
set_up_parser(ParseState *pstate, void *arg)
{
	pstate->p_post_columnref_hook = resolve_variable;
	pstate->p_ref_hook_state = arg;
}

/* The name of the only field of a column reference, or NULL. */
static const char *
plain_name(Node *node)
{
	ColumnRef  *ref = (ColumnRef *) node;

	if (!IsA(node, ColumnRef) || list_length(ref->fields) != 1 ||
		!is_variable_name(linitial(ref->fields)))
		return NULL;
	return strVal(linitial(ref->fields));
}

/* The text of a constant; NULL: it is none. */
static const char *
constant_text(Node *node)
{
	A_Const    *constant = (A_Const *) node;

	if (!IsA(node, A_Const) || constant->isnull ||
		!IsA(&constant->val.node, String))
		return NULL;
	return strVal(&constant->val.node);
}

/*
 * Finds out which members of context an expression reads.  The context holds
 * the input of the execution, and copying that for every item of a Map would
 * make each item dearer the more there are.
 */
static bool
find_members(Node *node, void *arg)
{
	PlanEntry  *entry = arg;
	A_Expr	   *expr = (A_Expr *) node;
	const char *name;

	if (node == NULL)
		return false;
	name = plain_name(node);
	if (name != NULL && strcmp(name, "context") == 0)
		entry->whole_context = true;
	if (IsA(node, A_Expr) && expr->kind == AEXPR_OP && expr->lexpr != NULL &&
		strncmp(strVal(llast(expr->name)), "->", 2) == 0)
	{
		const char *of = plain_name(expr->lexpr);
		const char *member = constant_text(expr->rexpr);

		if (of != NULL && member != NULL && strcmp(of, "context") == 0)
		{
			MemoryContext oldcxt = MemoryContextSwitchTo(entry->cxt);

			entry->members = lappend(entry->members, pstrdup(member));
			MemoryContextSwitchTo(oldcxt);
			return false;
		}
	}
	return raw_expression_tree_walker(node, find_members, arg);
}

/*
 * Pins what names in an expression can mean, until the GUC nest level ends:
 * neither a schema of the owner's search_path nor a temporary object can stand
 * before what PostgreSQL has of that name.
 */
void
dx_expression_search_path(void)
{
	if (strcmp(namespace_search_path, "pg_catalog, pg_temp") != 0)
		(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Makes the plan of an expression.  Errors: whatever the parser says.  The
 * text is parsed alone before it is wrapped, so that it cannot end the wrapping.
 */
static void
prepare(PlanEntry *entry, const char *text)
{
	SPIPrepareOptions options;
	char	   *wrapped;
	List	   *parsed = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);

	(void) find_members((Node *) linitial_node(RawStmt, parsed)->stmt, entry);
	wrapped = psprintf("SELECT pg_catalog.to_jsonb((SELECT %s\n))", text);

	memset(&options, 0, sizeof(options));
	options.parserSetup = set_up_parser;
	options.parserSetupArg = entry;
	options.parseMode = RAW_PARSE_DEFAULT;
	entry->plan = SPI_prepare_extended(wrapped, &options);
	if (entry->plan == NULL)
		elog(ERROR, "could not prepare an expression: %s",
			 SPI_result_code_string(SPI_result));
}

/* Forgets the plans of a Program, which is about to go. */
static void
forget_expressions(uint64 program)
{
	HASH_SEQ_STATUS seq;
	PlanEntry  *entry;

	hash_seq_init(&seq, plans);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		if (entry->key.program != program)
			continue;
		if (entry->plan != NULL)
			SPI_freeplan(entry->plan);
		if (entry->cxt != NULL)
			MemoryContextDelete(entry->cxt);
		(void) hash_search(plans, &entry->key, HASH_REMOVE, NULL);
	}
}

/* The plan of an expression, made at first use. */
static PlanEntry *
look_up(const DxRun *run, const DxExpr *expr)
{
	PlanKey		key = {run->program->serial, run->owner, expr->ordinal};
	PlanEntry  *entry;
	bool		found;

	if (plans == NULL)
	{
		HASHCTL		ctl;

		ctl.keysize = sizeof(PlanKey);
		ctl.entrysize = sizeof(PlanEntry);
		ctl.hcxt = TopMemoryContext;
		plans = hash_create("dealix_exec expressions", 64, &ctl,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		dx_program_keeper(forget_expressions);
	}
	entry = hash_search(plans, &key, HASH_ENTER, &found);
	if (!found)
	{
		entry->plan = NULL;
		entry->names = NIL;
		entry->cxt = NULL;
		entry->size = 0;
	}
	if (entry->plan == NULL)
	{
		if (entry->cxt != NULL)
			MemoryContextDelete(entry->cxt);
		entry->names = NIL;
		entry->members = NIL;
		entry->whole_context = false;
		entry->cxt = AllocSetContextCreate(TopMemoryContext,
										   "dealix_exec expression",
										   ALLOCSET_SMALL_SIZES);
		prepare(entry, expr->text);
		if (SPI_keepplan(entry->plan) != 0)
			elog(ERROR, "could not keep the plan of an expression");
		dx_program_kept(run->program, &entry->size,
						MemoryContextMemAllocated(entry->cxt, true) +
						dx_plan_size(entry->plan));
	}
	return entry;
}

/* ---------- evaluating ---------- */

typedef struct Evaluation
{
	DxPass	   *pass;
	DxRun	   *run;			/* NULL: none, the plan is used once */
	const DxExpr *expr;
	DxEnv	   *env;
	MemoryContext cxt;
	Jsonb	   *value;
} Evaluation;

/* The whole context; env keeps it, so it is made where env lives. */
static Jsonb *
whole_context(DxEnv *env, MemoryContext cxt)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(cxt);
	Jsonb	   *context = dx_env_context(env);

	MemoryContextSwitchTo(oldcxt);
	return context;
}

/* The context, or as much of it as the expression reads. */
static Jsonb *
context_of(const PlanEntry *entry, DxEnv *env, MemoryContext cxt)
{
	const char **names = palloc(sizeof(char *) * (list_length(entry->members) + 1));
	Jsonb	  **values = palloc(sizeof(Jsonb *) * (list_length(entry->members) + 1));
	ListCell   *lc;
	int			n = 0;

	if (entry->whole_context || env->context != NULL || env->context_member == NULL)
		return whole_context(env, cxt);
	foreach(lc, entry->members)
	{
		names[n] = lfirst(lc);
		if (env->context_map != NULL && strcmp(names[n], "Map") == 0)
			values[n++] = env->context_map;
		else if (env->context_member(env->context_arg, names[n], NULL, &values[n]) > 0)
			n++;
	}
	return dx_json_object(n, names, values);
}

/* The value of a variable; NULL when it has none. */
static Jsonb *
variable(const PlanEntry *entry, DxEnv *env, MemoryContext cxt, const char *name)
{
	if (strcmp(name, "input") == 0)
		return env->state_input ? env->state_input : env->input;
	if (strcmp(name, "result") == 0)
		return env->result;
	if (strcmp(name, "error") == 0)
		return env->error_output;
	if (strcmp(name, "context") == 0)
		return context_of(entry, env, cxt);
	return env->variables ? dx_json_get_json(env->variables, name) : NULL;
}

/* The values of the variables, as parameters of the plan. */
static ParamListInfo
bind(const PlanEntry *entry, Evaluation *evaluation)
{
	ParamListInfo params = makeParamList(list_length(entry->names));
	ListCell   *lc;

	foreach(lc, entry->names)
	{
		ParamExternData *param = &params->params[foreach_current_index(lc)];
		Jsonb	   *value = variable(entry, evaluation->env, evaluation->cxt,
									 lfirst(lc));

		if (value == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("variable \"%s\" has no value here", (char *) lfirst(lc)),
					 errhint("There are input, result, error, context and what Assign has set.")));
		param->value = JsonbPGetDatum(value);
		param->isnull = false;
		param->pflags = PARAM_FLAG_CONST;
		param->ptype = JSONBOID;
	}
	params->parserSetup = set_up_parser;
	params->parserSetupArg = unconstify(PlanEntry *, entry);
	return params;
}

/* What runs in the owner's session: plans the expression and executes it. */
static void
evaluate_body(void *arg)
{
	Evaluation *evaluation = arg;
	PlanEntry	once;
	PlanEntry  *entry = &once;
	SPIExecuteOptions options;
	MemoryContext oldcxt;
	bool		isnull = true;
	Datum		value = (Datum) 0;

	dx_expression_search_path();
	if (evaluation->run != NULL)
		entry = look_up(evaluation->run, evaluation->expr);
	else
	{
		memset(&once, 0, sizeof(once));
		once.cxt = CurrentMemoryContext;
		prepare(&once, evaluation->expr->text);
	}

	memset(&options, 0, sizeof(options));
	options.params = bind(entry, evaluation);
	options.read_only = evaluation->run == NULL;
	if (SPI_execute_plan_extended(entry->plan, &options) != SPI_OK_SELECT)
		elog(ERROR, "evaluating an expression failed");
	if (SPI_processed > 0)
		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
							  &isnull);
	oldcxt = MemoryContextSwitchTo(evaluation->cxt);
	evaluation->value = isnull ? dx_json_null() : DatumGetJsonbPCopy(value);
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);
}

typedef struct EvaluatorArg
{
	DxPass	   *pass;
	DxRun	   *run;
} EvaluatorArg;

/*
 * Without a run nobody has said whose code this is; a superuser who tries out
 * what somebody else wrote would run it with all rights.
 */
static void
refuse_superuser(const DxExpr *expr)
{
	if (superuser() && !dx_superuser_runs)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("a superuser cannot evaluate the expression at %s", expr->pointer),
				 errdetail("It would run with all rights, whoever wrote it."),
				 errhint("Try it as the role of its author, or set dealix_exec.superuser_runs.")));
}

/* The shorter of two times; a limit of 0 is none. */
static double
within(double limit, double left)
{
	left = Max(left, 0.001);
	return limit > 0 ? Min(limit, left) : left;
}

/*
 * DxEvaluator of QueryLanguage SQL.  An expression ends with the run's time, or
 * after dealix_exec.evaluation_timeout.
 */
static bool
evaluate(void *arg, const DxExpr *expr, DxEnv *env, Jsonb **value,
		 DxFault *fault)
{
	EvaluatorArg *at = arg;
	Evaluation	evaluation = {at->pass, at->run, expr, env, CurrentMemoryContext, NULL};
	DxFault		sql = {NULL, NULL};
	Oid			owner = at->run != NULL ? at->run->owner : GetUserId();
	double		timeout = dx_evaluation_timeout / 1000.0;
	DxCallOutcome outcome;

	if (at->run == NULL)
		refuse_superuser(expr);
	if (at->run != NULL)
	{
		dx_require_owner(at->run);
		if (at->run->deadline != DT_NOEND)
			timeout = within(timeout, (at->run->deadline - dx_now()) / (double) USECS_PER_SEC);
		dx_watch_place(&at->run->id, at->run->at, expr->pointer);
	}
	else if (dx_in_user_code())
		timeout = 0;			/* a trial within a step has the step's time */
	if (at->run == NULL || !dx_sentence_takes(at->run, expr->pointer, &outcome, &sql))
		outcome = dx_guard(at->pass, owner, timeout, evaluate_body, &evaluation, &sql);
	if (outcome == DX_CALL_DONE)
	{
		*value = evaluation.value;
		return true;
	}
	fault->error = pstrdup(DX_ERROR_QUERY);
	fault->cause = psprintf("At %s: %s: %s", expr->pointer,
							sql.error ? sql.error : "failed",
							sql.cause ? sql.cause : "no cause was given");
	return false;
}

/*
 * Lets an environment evaluate expressions as the owner of a run; without a
 * run, as the current user, and only to read.  Needs SPI_connect.
 */
void
dx_expression_env(DxEnv *env, DxPass *pass, DxRun *run)
{
	EvaluatorArg *arg = palloc(sizeof(EvaluatorArg));

	arg->pass = pass;
	arg->run = run;
	env->evaluate = evaluate;
	env->evaluate_arg = arg;
}
