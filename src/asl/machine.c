/*-------------------------------------------------------------------------
 *
 * machine.c
 *	  Machines: the top one, the branches of a Parallel, the processor of a
 *	  Map.  Collects them and their states, and resolves names of states.
 *
 * Machines are taken in the order of a breadth-first walk, so that those of
 * one Parallel stand in a row, and so do the states of one machine.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/compile.h"
#include "asl/field.h"
#include "asl/node.h"
#include "asl/problem.h"
#include "asl/target.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"

/*
 * Notes a state machine that was found: the whole, a branch, or what a Map
 * has.
 */
static void
add_machine(DxCompiler *c, DxMachineKind kind, const DxNode *node,
			int owner, bool express)
{
	DxMachineSource *machine;

	if (c->nmachines == c->max_machines)
	{
		c->max_machines *= 2;
		c->machines = repalloc(c->machines,
							   c->max_machines * sizeof(DxMachineSource));
	}
	machine = &c->machines[c->nmachines++];
	memset(machine, 0, sizeof(DxMachineSource));
	machine->kind = kind;
	machine->node = *node;
	machine->owner = owner;
	machine->express = express;
}

/*
 * The machines inside a state.  What is wrong with the fields that they stand
 * in is reported when the state is compiled.
 */
static void
add_inner_machines(DxCompiler *c, DxStateSource *state, int index, bool express)
{
	DxNode		inner;

	state->first_machine = c->nmachines;
	if (state->type == DX_STATE_PARALLEL &&
		dx_member(&state->node, "Branches", &inner) && dx_is_array(&inner))
	{
		DxWalk		walk;

		dx_walk_start(&walk, &inner);
		while (dx_walk_next(&walk))
			add_machine(c, DX_MACHINE_BRANCH, &walk.node, index, express);
	}
	else if (state->type == DX_STATE_MAP)
	{
		if (dx_member(&state->node, "ItemProcessor", &inner))
			add_machine(c, DX_MACHINE_PROCESSOR, &inner, index,
						express || dx_processor_is_express(&inner));
		if (dx_member(&state->node, "Iterator", &inner))
			add_machine(c, DX_MACHINE_ITERATOR, &inner, index,
						express || dx_processor_is_express(&inner));
	}
	state->nmachines = c->nmachines - state->first_machine;
}

/* Also those of the Unicode block C1, which take two bytes in UTF-8. */
static bool
has_control_character(const char *text)
{
	for (const char *p = text; *p; p += pg_mblen(p))
	{
		pg_wchar	wide[2];

		(void) pg_mb2wchar_with_len(p, wide, pg_mblen(p));
		if (wide[0] < 0x20 || (wide[0] >= 0x7f && wide[0] <= 0x9f))
			return true;
	}
	return false;
}

/* A state's name has to be there, not too long, and printable. */
static void
check_state_name(DxCompiler *c, const char *name, const char *pointer)
{
	if (*name == '\0')
		dx_problem(c->problems, pointer, DX_P_BAD_NAME, NULL,
				   "a state needs a name");
	else if (pg_mbstrlen(name) > DX_MAX_NAME)
		dx_problem(c->problems, pointer, DX_P_BAD_NAME, NULL,
				   "the name of a state has at most %d characters, this one has %d",
				   DX_MAX_NAME, pg_mbstrlen(name));
	else if (has_control_character(name))
		dx_problem(c->problems, pointer, DX_P_BAD_NAME, NULL,
				   "the name of a state cannot contain control characters");
}

/*
 * The Type of a state.  Without one its fields cannot be judged.
 */
static void
read_state_type(DxCompiler *c, DxStateSource *state)
{
	static const char *const names[] = {
		"Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"
	};
	const char *text;
	const char *closest;

	if (!dx_is_object(&state->node))
	{
		dx_wrong_type(c, &state->node, "an object, the state");
		return;
	}
	text = dx_read_text(c, &state->node, "Type", true);
	if (text == NULL)
		return;
	state->typed = dx_state_type_parse(text, &state->type);
	if (state->typed)
		return;
	closest = dx_closest(c, text, names, lengthof(names));
	dx_problem(c->problems, dx_pointer_child(state->node.pointer, "Type"),
			   DX_P_WRONG_VALUE,
			   closest ? psprintf("Did you mean \"%s\"?", closest) : NULL,
			   "must be one of Task, Wait, Pass, Succeed, Fail, Choice, Parallel and Map, but is \"%s\"",
			   dx_clip(text));
}

/*
 * Which query language an object asks for by its QueryLanguage; that of the
 * document when it does not ask.  *foreign: one that there is no evaluator for.
 */
DxQueryLanguage
dx_read_language(DxCompiler *c, const DxNode *object, bool *foreign)
{
	const char *text = dx_read_text(c, object, "QueryLanguage", false);
	const char *pointer = dx_pointer_child(object->pointer, "QueryLanguage");

	*foreign = c->foreign;
	if (text == NULL)
		return c->language;

	*foreign = false;
	if (strcmp(text, "JSONPath") == 0)
		return DX_QL_JSONPATH;
	if (strcmp(text, "SQL") == 0 && !c->options->strict)
	{
		c->uses_sql = true;
		return DX_QL_SQL;
	}

	*foreign = true;
	if (strcmp(text, "SQL") == 0)
		dx_problem(c->problems, pointer, DX_P_NOT_PURE,
				   "Leave out strict => true, or write the state in JSONPath.",
				   "the query language SQL is an addition to the Amazon States Language");
	else if (strcmp(text, "JSONata") == 0)
		dx_problem(c->problems, pointer, DX_P_QUERY_LANGUAGE,
				   "Set \"QueryLanguage\" to \"SQL\" and write the same fields with SQL "
				   "expressions over input, result, error, context and the variables: "
				   "{% $states.input.price * $rate %} becomes "
				   "{% (input->>'price')::numeric * rate::numeric %}.",
				   "the query language JSONata is not supported");
	else
		dx_problem(c->problems, pointer, DX_P_WRONG_VALUE, NULL,
				   "must be \"JSONPath\"%s, but is \"%s\"",
				   c->options->strict ? "" : " or \"SQL\"", dx_clip(text));
	return DX_QL_JSONPATH;
}

/* Notes a state that was found, with its machine. */
static void
add_state(DxCompiler *c, int machine, const DxWalk *member)
{
	DxStateSource *state;
	int			index = c->nstates;

	if (c->nstates == c->max_states)
	{
		c->max_states *= 2;
		c->states = repalloc(c->states, c->max_states * sizeof(DxStateSource));
	}
	state = &c->states[c->nstates++];
	memset(state, 0, sizeof(DxStateSource));
	state->name = member->name;
	state->node = member->node;
	state->machine = machine;

	check_state_name(c, state->name, state->node.pointer);
	read_state_type(c, state);
	if (dx_is_object(&state->node))
		state->language = dx_read_language(c, &state->node, &state->foreign);
	if (state->typed)
		add_inner_machines(c, state, index, c->machines[machine].express);
}

/*
 * Collects all machines and states, beginning with the document.
 */
void
dx_collect(DxCompiler *c, const DxNode *definition)
{
	c->max_machines = 8;
	c->machines = palloc(c->max_machines * sizeof(DxMachineSource));
	c->max_states = 32;
	c->states = palloc(c->max_states * sizeof(DxStateSource));

	add_machine(c, DX_MACHINE_TOP, definition, -1, c->options->express);
	for (int m = 0; m < c->nmachines; m++)
	{
		DxNode		states;
		DxWalk		walk;

		CHECK_FOR_INTERRUPTS();
		c->machines[m].first_state = c->nstates;
		if (!dx_member(&c->machines[m].node, "States", &states) ||
			!dx_is_object(&states))
			continue;
		dx_walk_start(&walk, &states);
		while (dx_walk_next(&walk))
			add_state(c, m, &walk);
		c->machines[m].nstates = c->nstates - c->machines[m].first_state;
	}
}

/* Members that no state machine of this kind has are problems. */
static void
check_machine_fields(DxCompiler *c, const DxMachineSource *machine)
{
	static const char *const top[] = {
		"StartAt", "States", "Comment", "QueryLanguage", "TimeoutSeconds",
		"Version", "Governance"
	};
	static const char *const branch[] = {"StartAt", "States", "Comment"};
	static const char *const processor[] = {
		"StartAt", "States", "Comment", "ProcessorConfig"
	};

	switch (machine->kind)
	{
		case DX_MACHINE_TOP:
			dx_check_members(c, &machine->node, "a state machine",
							 top, lengthof(top));
			(void) dx_read_text(c, &machine->node, "Version", false);
			dx_check_governance(c, &machine->node);
			break;
		case DX_MACHINE_BRANCH:
			dx_check_members(c, &machine->node, "a branch",
							 branch, lengthof(branch));
			break;
		case DX_MACHINE_PROCESSOR:
			dx_check_members(c, &machine->node, "an item processor",
							 processor, lengthof(processor));
			break;
		case DX_MACHINE_ITERATOR:
			dx_check_members(c, &machine->node, "an iterator",
							 processor, lengthof(processor));
			break;
	}
}

/*
 * Reads what machines have besides their states, into the Program.
 */
void
dx_compile_machines(DxCompiler *c)
{
	DxProgram  *program = c->program;

	program->nmachines = c->nmachines;
	program->machines = palloc0(sizeof(DxMachine) * c->nmachines);

	for (int m = 0; m < c->nmachines; m++)
	{
		DxMachineSource *source = &c->machines[m];
		DxMachine  *machine = &program->machines[m];
		DxNode		states;

		CHECK_FOR_INTERRUPTS();
		machine->index = m;
		machine->owner = source->owner;
		machine->first_state = source->first_state;
		machine->nstates = source->nstates;
		machine->start = -1;
		if (!dx_is_object(&source->node))
		{
			dx_wrong_type(c, &source->node, "an object, the state machine");
			continue;
		}
		check_machine_fields(c, source);
		if (dx_read_object(c, &source->node, "States", true, &states) &&
			dx_count(&states) == 0)
			dx_problem(c->problems, states.pointer, DX_P_WRONG_VALUE, NULL,
					   "there has to be at least one state");
		machine->start = dx_read_start(c, m);
	}

	program->timeout = -1;
	(void) dx_read_number(c, &c->machines[0].node, "TimeoutSeconds", true,
						  1, DX_MAX_SECONDS, &program->timeout);
}
