/*-------------------------------------------------------------------------
 *
 * target.c
 *	  States by name: where a transition of a definition goes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/compile.h"
#include "asl/field.h"
#include "asl/problem.h"
#include "asl/target.h"
#include "nodes/pg_list.h"

/*
 * Compares names as jsonb does for the members of an object: by length, then by
 * bytes.
 */
static int
compare_names(const char *a, const char *b)
{
	size_t		alen = strlen(a);
	size_t		blen = strlen(b);

	if (alen != blen)
		return alen < blen ? -1 : 1;
	return memcmp(a, b, alen);
}

/*
 * The index of the state of that name among the n of a machine, which begin at
 * first; -1 when there is none.
 */
int
dx_find_state(const char **names, int first, int n, const char *name)
{
	int			low = first;
	int			high = first + n;

	Assert(first >= 0 && n >= 0);
	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		int			cmp = compare_names(name, names[middle]);

		if (cmp == 0)
			return middle;
		if (cmp < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

/*
 * The state of that name in one machine, or -1.
 */
static int
find_target(DxCompiler *c, int machine, const char *name)
{
	return dx_find_state(c->program->names, c->machines[machine].first_state,
						 c->machines[machine].nstates, name);
}

/*
 * Reports that there is no such state in the machine.  Returns the state that
 * was probably meant, or -1.
 */
static int
unknown_target(DxCompiler *c, int machine, const char *name,
			   const char *pointer)
{
	const DxMachineSource *source = &c->machines[machine];
	const char **names = palloc(sizeof(char *) * (source->nstates + 1));
	const char *closest;
	const char *hint = NULL;

	for (int i = 0; i < source->nstates; i++)
		names[i] = c->states[source->first_state + i].name;
	closest = dx_closest(c, name, names, source->nstates);
	pfree(names);

	if (closest)
		hint = psprintf("Did you mean \"%s\"?", closest);
	else if (c->nmachines > 1)
		hint = "A transition stays inside of its own \"States\": it cannot enter or leave a branch or an item processor.";
	dx_problem(c->problems, pointer, DX_P_UNKNOWN_STATE, hint,
			   "there is no state \"%s\" here", dx_clip(name));
	return closest ? find_target(c, machine, closest) : -1;
}

/*
 * A member that names the state to go to: its index, or -1 when there is none.
 *
 * The transition is noted for the state, also that to the state which was
 * probably meant, so that a typing error is reported once and not again as an
 * unreachable state.
 */
int
dx_read_target(DxCompiler *c, DxStateSource *state, const DxNode *object,
			   const char *name, bool required)
{
	const char *text = dx_read_text(c, object, name, required);
	int			target;
	int			noted;

	if (text == NULL)
		return -1;
	noted = target = find_target(c, state->machine, text);
	if (target < 0)
		noted = unknown_target(c, state->machine, text,
							   dx_pointer_child(object->pointer, name));
	if (noted >= 0)
		state->targets = lappend_int(state->targets, noted);
	return target;
}

/* Where a machine begins: the index of its StartAt, or -1. */
int
dx_read_start(DxCompiler *c, int machine)
{
	DxMachineSource *source = &c->machines[machine];
	const char *text = dx_read_text(c, &source->node, "StartAt", true);
	int			start;

	if (text == NULL)
		return -1;
	start = find_target(c, machine, text);
	if (start < 0 && source->nstates > 0)
		start = unknown_target(c, machine, text,
							   dx_pointer_child(source->node.pointer, "StartAt"));
	return start;
}
