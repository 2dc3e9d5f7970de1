/*-------------------------------------------------------------------------
 *
 * graph.c
 *	  What is wrong with the states taken together: names that are used twice,
 *	  states that nothing leads to, machines that cannot end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/compile.h"
#include "asl/problem.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"

/* For qsort: states by name. */
static int
compare_by_name(const void *left, const void *right)
{
	const DxStateSource *a = *(const DxStateSource *const *) left;
	const DxStateSource *b = *(const DxStateSource *const *) right;
	int			cmp = strcmp(a->name, b->name);

	if (cmp != 0)
		return cmp;
	/* Both stand in one array: the order of the walk. */
	return a < b ? -1 : a > b ? 1 : 0;
}

/*
 * Names of states are unique in the whole document, also across branches.
 */
static void
check_duplicates(DxCompiler *c)
{
	const DxStateSource **sorted = palloc(sizeof(DxStateSource *) * (c->nstates + 1));
	int			first = 0;

	for (int i = 0; i < c->nstates; i++)
		sorted[i] = &c->states[i];
	qsort(sorted, c->nstates, sizeof(DxStateSource *), compare_by_name);

	for (int i = 1; i < c->nstates; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (strcmp(sorted[first]->name, sorted[i]->name) != 0)
		{
			first = i;
			continue;
		}
		dx_problem(c->problems, sorted[i]->node.pointer, DX_P_DUPLICATE_STATE,
				   "Names of states are unique in the whole definition, branches and item processors included.",
				   "there is another state \"%s\" at \"%s\"",
				   dx_clip(sorted[i]->name),
				   dx_clip(sorted[first]->node.pointer));
	}
	pfree(sorted);
}

/* For qsort: Maps by label, and equal labels in the order of states. */
static int
compare_by_label(const void *left, const void *right)
{
	const DxState *a = *(const DxState *const *) left;
	const DxState *b = *(const DxState *const *) right;
	int			cmp = strcmp(a->u.map.label, b->u.map.label);

	return cmp != 0 ? cmp : a->index - b->index;
}

/*
 * Labels of Maps are unique in the whole document.
 */
static void
check_labels(DxCompiler *c)
{
	const DxState **sorted = palloc(sizeof(DxState *) * (c->nstates + 1));
	int			n = 0;

	for (int i = 0; i < c->nstates; i++)
	{
		const DxState *state = c->program->states[i];

		if (c->states[i].typed && state->type == DX_STATE_MAP &&
			state->u.map.label)
			sorted[n++] = state;
	}
	qsort(sorted, n, sizeof(DxState *), compare_by_label);

	for (int i = 1; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (strcmp(sorted[i - 1]->u.map.label, sorted[i]->u.map.label) == 0)
			dx_problem(c->problems,
					   dx_pointer_child(sorted[i]->pointer, "Label"),
					   DX_P_DUPLICATE_LABEL, NULL,
					   "state \"%s\" has the same label",
					   dx_clip(sorted[i - 1]->name));
	}
	pfree(sorted);
}

/*
 * Marks what can be reached from the start of a machine.
 */
static void
mark_reached(DxCompiler *c, int start)
{
	List	   *todo = list_make1_int(start);

	c->states[start].reached = true;
	while (todo != NIL)
	{
		DxStateSource *state = &c->states[llast_int(todo)];
		ListCell   *lc;

		CHECK_FOR_INTERRUPTS();
		todo = list_delete_last(todo);
		foreach(lc, state->targets)
		{
			DxStateSource *target = &c->states[lfirst_int(lc)];

			if (target->reached)
				continue;
			target->reached = true;
			todo = lappend_int(todo, lfirst_int(lc));
		}
	}
}

/*
 * Some state has to end the machine, and each state has to be reached from
 * its start.
 */
static void
check_machine(DxCompiler *c, int m)
{
	const DxMachineSource *machine = &c->machines[m];
	int			start = c->program->machines[m].start;
	bool		terminal = false;

	for (int i = 0; i < machine->nstates; i++)
		terminal |= c->states[machine->first_state + i].terminal;
	if (!terminal && machine->nstates > 0)
		dx_problem(c->problems, dx_pointer_child(machine->node.pointer, "States"),
				   DX_P_NO_TERMINAL,
				   "Give one state \"End\": true, or add a Succeed or Fail state.",
				   "no state ends this state machine");

	/* From a start that is not known nothing can be said about the rest. */
	if (start < 0)
		return;
	mark_reached(c, start);
	for (int i = 0; i < machine->nstates; i++)
	{
		const DxStateSource *state = &c->states[machine->first_state + i];

		if (!state->reached)
			dx_problem(c->problems, state->node.pointer, DX_P_UNREACHABLE,
					   "Name it in Next, Default, Catch or StartAt, or remove it.",
					   "state \"%s\" cannot be reached", dx_clip(state->name));
	}
}

/*
 * Checks all machines.  Their states have been compiled.
 */
void
dx_check_graph(DxCompiler *c)
{
	check_duplicates(c);
	check_labels(c);
	for (int m = 0; m < c->nmachines; m++)
		check_machine(c, m);
}
