/*-------------------------------------------------------------------------
 *
 * io.c
 *	  Input and output processing of a state.
 *
 * JSONPath: raw input -> InputPath -> Parameters -> effective input; result ->
 * ResultSelector -> ResultPath into the raw input -> OutputPath -> output.
 * Assign is evaluated with "$" as the result, before ResultSelector.
 * Expression mode: raw input -> Arguments; result -> Output; Assign.
 *
 * Whatever a state evaluates sees the variables as they were when the state
 * was entered; what Assign yields is merged in at the very end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/build.h"
#include "asl/eval.h"
#include "asl/expr.h"
#include "asl/fault.h"
#include "asl/intrinsic.h"
#include "asl/json.h"
#include "asl/value.h"
#include "utils/jsonb.h"

/*
 * Evaluates a template with another document as "$".
 */
bool
dx_eval_with(const DxTemplate *tmpl, DxEnv *env, Jsonb *input, Jsonb **value,
			 DxFault *fault)
{
	Jsonb	   *saved = env->input;
	bool		ok;

	env->input = input;
	ok = dx_template_eval(tmpl, env, value, fault);
	env->input = saved;
	return ok;
}

/*
 * InputPath and OutputPath: a selection, or {} for null.
 */
static bool
apply_path(const DxPath *path, bool is_null, DxEnv *env, Jsonb *input,
		   Jsonb **value, DxFault *fault)
{
	Jsonb	   *saved = env->input;
	JsonbValue	selected;
	bool		ok;

	if (is_null)
	{
		*value = dx_json_empty_object();
		return true;
	}
	*value = input;
	if (path == NULL || dx_path_is_whole(path))
		return true;
	env->input = input;
	ok = dx_path_require(path, env, &selected, fault);
	env->input = saved;
	if (ok)
		*value = dx_json_from_value(&selected);
	return ok;
}

/* What a state gets: InputPath over its raw input. False: a fault. */
bool
dx_io_input(const DxState *state, DxEnv *env, Jsonb **value, DxFault *fault)
{
	return apply_path(state->input_path, state->input_null, env, env->input,
					  value, fault);
}

/*
 * The variables with what an Assign yields.
 */
static bool
apply_assign(const DxTemplate *assign, DxEnv *env, Jsonb *input,
			 Jsonb **variables, DxFault *fault)
{
	Jsonb	   *assigned;
	JsonbValue	old;
	JsonbValue	new;
	DxMember   *members;
	DxMember   *added;
	int			nmembers;
	int			nadded;

	*variables = env->variables;
	if (assign == NULL)
		return true;
	if (!dx_eval_with(assign, env, input, &assigned, fault))
		return false;
	dx_json_to_value(assigned, &new);
	if (!dx_value_is_object(&new))
		return dx_fault(fault, DX_ERROR_QUERY,
						"The field 'Assign' must be an object but was: %s",
						dx_value_compact(&new));
	*variables = assigned;
	if (env->variables == NULL)
		return true;

	/* Of two members with one name the later counts: the new ones. */
	dx_json_to_value(env->variables, &old);
	nmembers = dx_take_members(&old, &members);
	nadded = dx_take_members(&new, &added);
	members = repalloc(members, sizeof(DxMember) * (nmembers + nadded + 1));
	memcpy(members + nmembers, added, sizeof(DxMember) * nadded);
	*variables = dx_build_object(members, nmembers + nadded);
	return true;
}

/*
 * Puts a result where ResultPath says.
 */
static bool
apply_result_path(const DxPath *path, bool discard, DxEnv *env,
				  Jsonb *result, Jsonb **value, DxFault *fault)
{
	*value = discard ? env->input : result;
	if (discard || path == NULL)
		return true;
	return dx_path_assign(path, env->input, result, value, fault);
}

/*
 * Output of the expression mode; without one it is what is given.
 */
static bool
apply_output(const DxTemplate *output, DxEnv *env, Jsonb *otherwise,
			 Jsonb **value, DxFault *fault)
{
	*value = otherwise;
	return output == NULL || dx_template_eval(output, env, value, fault);
}

/*
 * InputPath, then Parameters or Arguments.  env->input: the raw input.
 *
 * Faults: States.Runtime when a path selects nothing, and those of
 * dx_template_eval.
 * Source: Amazon States Language, "Using InputPath, Parameters,
 * ResultSelector, ResultPath and OutputPath", "Using Arguments and Output".
 */
bool
dx_io_enter(const DxState *state, DxEnv *env,
			Jsonb **effective, DxFault *fault)
{
	Jsonb	   *input;

	if (env->state_input == NULL)
		env->state_input = env->input;
	if (!dx_io_input(state, env, &input, fault))
		return false;
	*effective = input;
	return state->parameters == NULL ||
		dx_eval_with(state->parameters, env, input, effective, fault);
}

/*
 * Output and Assign of a state whose query language is SQL. False: a fault.
 */
static bool
exit_expression(const DxState *state, DxEnv *env, Jsonb *result,
				Jsonb **output, Jsonb **variables, DxFault *fault)
{
	bool		has_result = state->type == DX_STATE_TASK ||
	state->type == DX_STATE_PARALLEL || state->type == DX_STATE_MAP;

	if (env->state_input == NULL)
		env->state_input = env->input;
	if (has_result)
		env->result = result;
	return apply_assign(state->assign, env, env->input, variables, fault) &&
		apply_output(state->output, env, has_result ? result : env->input,
					 output, fault);
}

/*
 * ResultSelector, ResultPath, OutputPath (or Output), and Assign.
 *
 * env->input: the raw input.  result: of a Task, Parallel or Map what came
 * out; of any other state its effective input, or NULL to have it evaluated
 * here.  The Result of a Pass state takes its place.  *variables: the object
 * with what Assign adds merged in (env->variables itself if there is none).
 *
 * Faults: States.Runtime, States.ResultPathMatchFailure, and those of
 * dx_template_eval.
 * Source: as above, and "Using Assign".
 */
bool
dx_io_exit(const DxState *state, DxEnv *env, Jsonb *result,
		   Jsonb **output, Jsonb **variables, DxFault *fault)
{
	Assert(result != NULL);
	if (state->language == DX_QL_SQL)
		return exit_expression(state, env, result, output, variables, fault);

	if (state->result != NULL)
		result = state->result;
	if (result == NULL && !dx_io_enter(state, env, &result, fault))
		return false;
	if (!apply_assign(state->assign, env, result, variables, fault))
		return false;
	if (state->result_selector != NULL &&
		!dx_eval_with(state->result_selector, env, result, &result, fault))
		return false;
	return apply_result_path(state->result_path, state->discard_result, env,
							 result, output, fault) &&
		apply_path(state->output_path, state->output_null, env, *output,
				   output, fault);
}

/* A member that is null until it gets a value. */
static void
set_name(DxMember *member, const char *name)
{
	member->name.text = name;
	member->name.len = strlen(name);
	member->value.type = jbvNull;
}

/*
 * The Error Output.  As recorded on AWS: both members are always there, null
 * when a task gave none, and the cause of a timeout is empty.
 */
static Jsonb *
error_output(const DxFault *error)
{
	DxMember	members[2];
	const char *cause = error->cause;

	if (cause == NULL && error->error != NULL &&
		(strcmp(error->error, DX_ERROR_TIMEOUT) == 0 ||
		 strcmp(error->error, DX_ERROR_HEARTBEAT) == 0))
		cause = "";
	set_name(&members[0], "Cause");
	set_name(&members[1], "Error");
	if (cause != NULL)
		dx_value_string(unconstify(char *, cause), strlen(cause),
						&members[0].value);
	if (error->error != NULL)
		dx_value_string(error->error, strlen(error->error),
						&members[1].value);
	return dx_build_object(members, 2);
}

/*
 * The output and the variables for the Next of a Catcher.  env->input: the raw
 * input.  OutputPath has no part in it.
 *
 * Faults as dx_io_exit.
 * Source: Amazon States Language, "Fallback states".
 */
bool
dx_io_catch(const DxState *state, const DxCatcher *catcher,
			DxEnv *env, const DxFault *error,
			Jsonb **output, Jsonb **variables, DxFault *fault)
{
	Jsonb	   *caught = error_output(error);

	if (state->language == DX_QL_SQL)
	{
		if (env->state_input == NULL)
			env->state_input = env->input;
		env->error_output = caught;
		return apply_assign(catcher->assign, env, env->input, variables, fault) &&
			apply_output(catcher->output, env, caught, output, fault);
	}
	return apply_assign(catcher->assign, env, caught, variables, fault) &&
		apply_result_path(catcher->result_path, catcher->discard, env, caught,
						  output, fault);
}

/*
 * Does a branch of a Choice match?  One without a rule and without a
 * condition always does.
 */
static bool
branch_matches(const DxChoiceBranch *branch, DxEnv *env, bool *match,
			   DxFault *fault)
{
	JsonbValue	value;

	*match = true;
	if (branch->rule != NULL)
		return dx_rule_eval(branch->rule, env, match, fault);
	if (branch->condition == NULL)
		return true;
	if (!dx_expr_eval(branch->condition, env, &value, fault))
		return false;
	if (value.type != jbvBool)
		return dx_fault(fault, DX_ERROR_QUERY,
						"The expression '%s' specified for the field 'Condition' returned an unexpected result type. Expected 'boolean', but was: %s",
						branch->condition->text, dx_value_compact(&value));
	*match = value.val.boolean;
	return true;
}

/*
 * The first branch that matches; NULL when there is none.
 */
static bool
find_branch(const DxChoice *choice, DxEnv *env,
			const DxChoiceBranch **found, DxFault *fault)
{
	bool		match;

	*found = NULL;
	for (int i = 0; i < choice->nbranches; i++)
	{
		if (!branch_matches(&choice->branches[i], env, &match, fault))
			return false;
		if (match)
		{
			*found = &choice->branches[i];
			return true;
		}
	}
	return true;
}

/*
 * Choice: the next state (Default counts), output and variables.  env->input:
 * the raw input.
 *
 * Faults: States.NoChoiceMatched; those of the rules and expressions.
 * Source: Amazon States Language, "Choice State".
 */
bool
dx_io_choose(const DxState *state, DxEnv *env, int *next,
			 Jsonb **output, Jsonb **variables, DxFault *fault)
{
	const DxChoice *choice = &state->u.choice;
	const DxChoiceBranch *branch;
	const DxTemplate *assign = state->assign;
	const DxTemplate *out = state->output;
	Jsonb	   *raw = env->input;
	Jsonb	   *effective;
	bool		ok;

	Assert(state->type == DX_STATE_CHOICE);
	if (!dx_io_enter(state, env, &effective, fault))
		return false;
	env->input = effective;
	ok = find_branch(choice, env, &branch, fault);
	env->input = raw;
	if (!ok)
		return false;

	*next = choice->default_next;
	if (branch != NULL)
	{
		*next = branch->next;
		assign = branch->assign;
		out = branch->output;
	}
	else if (choice->default_next < 0)
		return dx_fault(fault, DX_ERROR_NO_CHOICE,
						"No choice rule matched and the state does not point to a next state.");

	if (!apply_assign(assign, env, effective, variables, fault))
		return false;
	if (state->language == DX_QL_SQL)
		return apply_output(out, env, raw, output, fault);
	return apply_path(state->output_path, state->output_null, env, effective,
					  output, fault);
}

/*
 * Map: the items, as an array.  env->input: the raw input.
 *
 * Faults: States.Runtime, or States.QueryEvaluationError in the expression
 * mode, when they are no array; those of the paths and expressions.
 * Source: Amazon States Language, "Selecting Items".
 */
bool
dx_io_items(const DxState *state, DxEnv *env,
			Jsonb **items, DxFault *fault)
{
	const DxMap *map = &state->u.map;

	Assert(state->type == DX_STATE_MAP);
	if (map->items != NULL)
	{
		if (!dx_template_eval(map->items, env, items, fault))
			return false;
	}
	else if (!dx_io_input(state, env, items, fault) ||
			 !apply_path(map->items_path, false, env, *items, items, fault))
		return false;

	if (JB_ROOT_IS_ARRAY(*items) && !JB_ROOT_IS_SCALAR(*items))
		return true;
	if (state->language == DX_QL_SQL)
		return dx_fault(fault, DX_ERROR_QUERY,
						"Map state input must be an array but was: %s",
						dx_json_clip(*items));
	return dx_fault(fault, DX_ERROR_RUNTIME,
					"Reference path \"%s\" must point to array.",
					map->items_path ? map->items_path->text : "$");
}

/* The value of "Map" in the context while an item is selected. */
static Jsonb *
item_context(int index, Jsonb *item)
{
	DxMember	members[2];
	DxMember	map;

	set_name(&members[0], "Index");
	set_name(&members[1], "Value");
	set_name(&map, "Item");
	dx_value_integer(index, &members[0].value);
	dx_json_to_value(item, &members[1].value);
	dx_build_value(dx_build_object(members, 2), &map.value);
	return dx_build_object(&map, 1);
}

/*
 * Map: the input of item number index.  env->input: the raw input of the Map;
 * its ItemSelector sees what InputPath selects, and the item as
 * $$.Map.Item.Value.
 *
 * Faults: those of dx_io_enter.
 * Source: Amazon States Language, "Processing Items".
 */
bool
dx_io_item_input(const DxState *state, DxEnv *env, int index,
				 Jsonb *item, Jsonb **input, DxFault *fault)
{
	const DxTemplate *selector = state->u.map.item_selector;
	Jsonb	   *saved = env->context_map;
	Jsonb	   *effective;
	bool		ok;

	Assert(state->type == DX_STATE_MAP);
	Assert(index >= 0);
	*input = item;
	if (selector == NULL)
		return true;
	if (!dx_io_input(state, env, &effective, fault))
		return false;
	if (state->language == DX_QL_SQL || dx_template_uses_context(selector))
		env->context_map = item_context(index, item);
	ok = dx_eval_with(selector, env, effective, input, fault);
	env->context_map = saved;
	return ok;
}
