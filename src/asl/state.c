/*-------------------------------------------------------------------------
 *
 * state.c
 *	  Compiles a state: what all types have in common, and the types that need
 *	  little: Pass, Wait, Succeed, Fail and Choice.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/choice.h"
#include "asl/compile.h"
#include "asl/field.h"
#include "asl/handler.h"
#include "asl/node.h"
#include "asl/problem.h"
#include "asl/query.h"
#include "asl/target.h"
#include "asl/timestamp.h"
#include "utils/timestamp.h"

/*
 * Next and End.  Every state goes on or ends, but for a Choice, which always
 * goes on, and Succeed and Fail, which always end.
 */
static void
compile_transition(DxCompiler *c, DxStateSource *source, DxState *state)
{
	bool		has_next = dx_has(&source->node, "Next");

	(void) dx_read_bool(c, &source->node, "End", &state->end);
	if (state->type == DX_STATE_SUCCEED || state->type == DX_STATE_FAIL)
	{
		source->terminal = true;
		return;
	}
	if (state->type == DX_STATE_CHOICE)
		return;

	source->terminal = state->end;
	state->next = dx_read_target(c, source, &source->node, "Next", false);
	if (has_next && state->end)
		dx_problem(c->problems, source->node.pointer, DX_P_CONFLICT,
				   "Leave one of them out.",
				   "fields \"Next\" and \"End\" exclude each other");
	else if (!has_next && !state->end)
		dx_problem(c->problems, source->node.pointer, DX_P_MISSING_FIELD,
				   "Name the next state, or set \"End\" to true.",
				   "field \"Next\" or \"End\" is missing");
}

/*
 * What goes into the state and what comes out.
 */
static void
compile_io(DxCompiler *c, DxStateSource *source, DxState *state)
{
	const DxNode *node = &source->node;
	DxNode		result;

	if (source->foreign || state->type == DX_STATE_FAIL)
		return;
	state->assign = dx_read_assign(c, source, node);
	if (source->language == DX_QL_SQL)
	{
		state->parameters = dx_read_template(c, source, node, "Arguments");
		state->output = dx_read_template(c, source, node, "Output");
		return;
	}

	state->input_path = dx_read_input_path(c, node, "InputPath",
										   &state->input_null);
	state->output_path = dx_read_input_path(c, node, "OutputPath",
											&state->output_null);
	/* Parameters of a Map are an item selector: see fanout.c. */
	if (state->type != DX_STATE_MAP)
		state->parameters = dx_read_template(c, source, node, "Parameters");
	state->result_selector = dx_read_template(c, source, node, "ResultSelector");
	state->result_path = dx_read_result_path(c, node, &state->discard_result);
	if (state->type == DX_STATE_PASS && dx_member(node, "Result", &result))
		state->result = dx_node_json(&result);
}

/* A Wait: exactly one of its four ways. */
static void
compile_wait(DxCompiler *c, DxStateSource *source, DxState *state)
{
	static const char *const ways[] = {
		"Seconds", "SecondsPath", "Timestamp", "TimestampPath"
	};
	const DxNode *node = &source->node;
	DxWait	   *wait = &state->u.wait;
	int			n = 0;

	for (int i = 0; i < lengthof(ways); i++)
		n += dx_has(node, ways[i]);
	if (n != 1)
		dx_problem(c->problems, node->pointer,
				   n == 0 ? DX_P_MISSING_FIELD : DX_P_CONFLICT, NULL,
				   "a Wait state needs exactly one of \"Seconds\", \"SecondsPath\", \"Timestamp\" and \"TimestampPath\", but has %d",
				   n);

	if (n > 1)
		return;

	dx_read_amount(c, source, node, "Seconds", true,
				   0, DX_MAX_SECONDS, &wait->seconds);
	dx_read_dynamic_text(c, source, node, "Timestamp", false, &wait->timestamp);
	if (wait->timestamp.value)
	{
		TimestampTz ignored;

		if (!dx_timestamp_parse(wait->timestamp.value,
								strlen(wait->timestamp.value), &ignored))
			dx_problem(c->problems, dx_pointer_child(node->pointer, "Timestamp"),
					   DX_P_WRONG_VALUE,
					   "Write it like \"2026-03-14T01:59:00Z\".",
					   "\"%s\" is not an RFC 3339 timestamp",
					   dx_clip(wait->timestamp.value));
	}
}

/* A Fail: error and cause, which paths may give. */
static void
compile_fail(DxCompiler *c, DxStateSource *source, DxState *state)
{
	const DxNode *node = &source->node;
	DxFail	   *fail = &state->u.fail;

	dx_read_dynamic_text(c, source, node, "Error", true, &fail->error);
	dx_read_dynamic_text(c, source, node, "Cause", true, &fail->cause);
	if (fail->error.value)
		dx_check_error_name(c, dx_pointer_child(node->pointer, "Error"),
							fail->error.value);
}

/*
 * One entry of Choices.  In JSONPath dx_rule_compile reads the comparison and
 * reports what does not belong to it.
 */
static void
compile_choice_branch(DxCompiler *c, DxStateSource *source, const DxNode *node,
					  DxChoiceBranch *branch)
{
	static const char *const in_sql[] = {
		"Condition", "Next", "Assign", "Output", "Comment"
	};
	DxNode		condition;

	branch->next = -1;
	if (!dx_is_object(node))
	{
		dx_wrong_type(c, node, "an object, the choice rule");
		return;
	}
	branch->next = dx_read_target(c, source, node, "Next", true);
	if (source->foreign)
		return;
	branch->assign = dx_read_assign(c, source, node);
	if (source->language == DX_QL_JSONPATH)
	{
		branch->rule = dx_rule_compile(c, dx_node_json(node), node->pointer);
		return;
	}

	dx_check_members(c, node, "a choice rule in the query language SQL",
					 in_sql, lengthof(in_sql));
	branch->output = dx_read_template(c, source, node, "Output");
	if (!dx_member(node, "Condition", &condition))
		dx_problem(c->problems, node->pointer, DX_P_MISSING_FIELD, NULL,
				   "field \"Condition\" is missing");
	else
		branch->condition = dx_read_condition(c, &condition);
}

/* A Choice: its rules, and where to go if none matches. */
static void
compile_choice(DxCompiler *c, DxStateSource *source, DxState *state)
{
	DxChoice   *choice = &state->u.choice;
	DxNode		choices;
	DxWalk		walk;

	choice->default_next = dx_read_target(c, source, &source->node,
										  "Default", false);
	if (!dx_read_array(c, &source->node, "Choices", true, &choices))
		return;
	if (dx_count(&choices) == 0)
		dx_problem(c->problems, choices.pointer, DX_P_WRONG_VALUE, NULL,
				   "there has to be at least one choice rule");
	choice->nbranches = dx_count(&choices);
	choice->branches = palloc0(sizeof(DxChoiceBranch) * choice->nbranches);
	dx_walk_start(&walk, &choices);
	while (dx_walk_next(&walk))
		compile_choice_branch(c, source, &walk.node,
							  &choice->branches[walk.index]);
}

/*
 * A state without a valid Type: little can be said about its fields, but it is
 * followed, lest everything behind it be called unreachable.
 */
static void
compile_untyped(DxCompiler *c, DxStateSource *source)
{
	source->terminal = true;
	if (!dx_is_object(&source->node))
		return;
	if (c->program->source == NULL) /* a loaded one has been checked */
		dx_check_state_fields(c, source);
	(void) dx_read_target(c, source, &source->node, "Next", false);
}

/* Everything of a state but its place in the Program. */
static void
compile_state(DxCompiler *c, int index, DxStateSource *source, DxState *state)
{
	state->index = index;
	state->name = source->name;
	state->pointer = source->node.pointer;
	state->type = source->type;
	state->machine = source->machine;
	state->language = source->language;
	state->next = -1;
	if (!source->typed)
	{
		compile_untyped(c, source);
		return;
	}

	if (c->program->source == NULL) /* a loaded one has been checked */
		dx_check_state_fields(c, source);
	compile_transition(c, source, state);
	compile_io(c, source, state);
	state->nretriers = dx_compile_retriers(c, &source->node, &state->retriers);
	state->ncatchers = dx_compile_catchers(c, source, &state->catchers);

	switch (state->type)
	{
		case DX_STATE_TASK:
			dx_compile_task(c, source, state);
			break;
		case DX_STATE_CHOICE:
			compile_choice(c, source, state);
			break;
		case DX_STATE_WAIT:
			compile_wait(c, source, state);
			break;
		case DX_STATE_FAIL:
			compile_fail(c, source, state);
			break;
		case DX_STATE_PARALLEL:
			dx_compile_parallel(c, source, state);
			break;
		case DX_STATE_MAP:
			dx_compile_map(c, source, state);
			break;
		case DX_STATE_PASS:
		case DX_STATE_SUCCEED:
			break;
	}
}

/*
 * Compiles the state of that index.  An error on the way leaves the Program
 * without it.
 */
void
dx_compile_state(DxCompiler *c, int index)
{
	DxState    *state = palloc0(sizeof(DxState));

	Assert(index >= 0 && index < c->nstates);
	compile_state(c, index, &c->states[index], state);
	c->program->states[index] = state;
}
