/*-------------------------------------------------------------------------
 *
 * context.c
 *	  What an evaluation about a branch can see: its input and variables, and
 *	  the context object "$$".
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/json.h"
#include "base/plan.h"
#include "base/uuid.h"
#include "catalog/pg_type.h"
#include "engine/branch.h"
#include "engine/columns.h"
#include "engine/context.h"
#include "engine/expression.h"
#include "engine/guard.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/token.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef struct ContextArg
{
	DxRun	   *run;
	DxBranch   *branch;
} ContextArg;

/* $$.Map of a branch that is, or is within, an iteration of a Map. */
static Jsonb *
map_context(DxRun *run, const DxBranch *branch)
{
	const DxBranch *parent;
	JsonbValue *value;

	for (; branch->parent >= 0; branch = parent)
	{
		parent = dx_branch_find(run, branch->parent);
		if (parent == NULL)
			return NULL;
		if (parent->state->type != DX_STATE_MAP || parent->items == NULL)
			continue;
		value = getIthJsonbValueFromContainer(&parent->items->root, branch->item);
		if (value == NULL)
			return NULL;
		return dx_payload("Item",
						  dx_payload("Index", dx_json_int(branch->item),
									 "Value", dx_json_from_value(value), NULL),
						  NULL);
	}
	return NULL;
}

/* $$.Task of a Task that somebody who has the token answers. */
static Jsonb *
task_context(const DxBranch *branch)
{
	const DxState *state = branch->state;

	if (branch->ticketed && state != NULL && state->type == DX_STATE_TASK &&
		(state->u.task.wait_for_token || state->u.task.shows_token ||
		 state->u.task.kind == DX_RESOURCE_ACTIVITY))
		return dx_payload("Token",
						  dx_json_string(dx_token_text(&branch->ticket, branch->attempt)),
						  NULL);
	return NULL;
}

/* Only of these AWS's context has a RetryCount. */
static bool
may_retry(const DxState *state)
{
	return state != NULL &&
		(state->type == DX_STATE_TASK || state->type == DX_STATE_PARALLEL ||
		 state->type == DX_STATE_MAP);
}

static DxStatement redriven_statement = {
	"SELECT pg_catalog.max(at) FROM dealix.history_event WHERE run_id = $1"
	" AND kind = $2",
	2, {UUIDOID, INT2OID}
};

/* When the run was redriven the last time; NULL: never. */
static Jsonb *
redrive_time(const DxRun *run)
{
	MemoryContext cxt = CurrentMemoryContext;
	Datum		values[2];
	TimestampTz at;
	DxRow		row;

	if (run->redrives == 0)
		return NULL;
	values[0] = UUIDPGetDatum(&run->id);
	values[1] = Int16GetDatum(DX_EVENT_RUN_REDRIVEN);
	dx_query(&redriven_statement, values, NULL, false, 1);
	MemoryContextSwitchTo(cxt);
	row = (DxRow) dx_row(0);
	at = dx_get_time(&row, 0);
	SPI_freetuptable(SPI_tuptable);
	return at == 0 ? NULL : dx_json_timestamp(at);
}

/* Is this member asked for?  NULL: all of them are. */
static bool
asked_for(const char *member, const char *name)
{
	return member == NULL || strcmp(member, name) == 0;
}

/* $$.Execution. member: only that one is needed; NULL: all of it. */
static Jsonb *
execution_context(DxRun *run, const char *member)
{
	char	   *id = dx_uuid_text(&run->id);

	return dx_payload("Id", dx_json_string(id),
					  "Input", asked_for(member, "Input") ? run->input : NULL,
					  "Name", dx_json_string(run->key ? run->key : id),
					  "RoleArn", dx_json_string(GetUserNameFromId(run->owner, false)),
					  "StartTime", dx_json_timestamp(run->created_at),
					  "RedriveCount", dx_json_int(run->redrives),
					  "RedriveTime", asked_for(member, "RedriveTime") ? redrive_time(run) : NULL,
					  "CorrelationId", dx_json_text(run->correlation_id),
					  "TraceParent", dx_json_text(run->traceparent),
					  NULL);
}

/* $$.State. */
static Jsonb *
state_context(const DxBranch *branch)
{
	return dx_payload("Name", dx_json_string(branch->state ? branch->state->name : ""),
					  "EnteredTime", dx_json_timestamp(branch->entered_at),
					  "RetryCount", may_retry(branch->state) ?
					  dx_json_int(Max(branch->attempt - 1, 0)) : NULL,
					  NULL);
}

/* $$.StateMachine: the workflow and its version. */
static Jsonb *
machine_context(const DxRun *run)
{
	return dx_payload("Id", dx_json_string(psprintf("%s:%d", run->workflow, run->version)),
					  "Name", dx_json_string(run->workflow),
					  NULL);
}

/* "$$": the Context Object, as the specification and AWS have it. */
static Jsonb *
build_context(void *arg)
{
	ContextArg *at = arg;

	return dx_payload("Execution", execution_context(at->run, NULL),
					  "State", state_context(at->branch),
					  "StateMachine", machine_context(at->run),
					  "Map", map_context(at->run, at->branch),
					  "Task", task_context(at->branch), NULL);
}

/* DxEnv.context_member: what costs something is there if it is asked for. */
static int
context_member(void *arg, const char *first, const char *second, Jsonb **value)
{
	ContextArg *at = arg;

	if (strcmp(first, "Execution") == 0 && second != NULL &&
		strcmp(second, "Input") == 0)
	{
		*value = at->run->input;
		return 2;
	}
	if (strcmp(first, "Execution") == 0)
		*value = execution_context(at->run, second);
	else if (strcmp(first, "State") == 0)
		*value = state_context(at->branch);
	else if (strcmp(first, "StateMachine") == 0)
		*value = machine_context(at->run);
	else if (strcmp(first, "Map") == 0)
		*value = map_context(at->run, at->branch);
	else if (strcmp(first, "Task") == 0)
		*value = task_context(at->branch);
	else
		return 0;
	return *value != NULL ? 1 : 0;
}

/*
 * Prepares the environment of evaluations about the branch's present state.
 * Errors: 42501 in a session that is not the owner's.
 */
void
dx_env_init(DxEnv *env, DxPass *pass, DxRun *run, DxBranch *branch)
{
	ContextArg *arg;

	dx_require_owner(run);
	arg = palloc(sizeof(ContextArg));
	arg->run = run;
	arg->branch = branch;
	memset(env, 0, sizeof(DxEnv));
	env->input = branch->data;
	env->state_input = branch->data;
	env->variables = branch->variables;
	env->state = branch->state;
	env->build_context = build_context;
	env->context_member = context_member;
	env->context_arg = arg;
	dx_expression_env(env, pass, run);
}
