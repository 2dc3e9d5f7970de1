/*-------------------------------------------------------------------------
 *
 * program.c
 *	  From a definition to a Program, and what can be asked of a Program.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/compile.h"
#include "asl/json.h"
#include "asl/node.h"
#include "asl/problem.h"
#include "asl/target.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

/* How many words are compared in search of what was meant, in one document. */
#define MAX_SUGGESTIONS		200000

/* Where a walk over all of a document is, for too_deep. */
typedef struct Level
{
	int			pointer_len;	/* of the container */
	int			index;			/* of the element, -1 in an object */
} Level;

/*
 * Finds the first place that is nested deeper than allowed, and reports it.
 * Everything after this may recurse.
 */
static bool
too_deep(const Jsonb *definition, int max_depth, DxProblems *problems)
{
	JsonbIterator *it = JsonbIteratorInit(&unconstify(Jsonb *, definition)->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			nlevels = 64;
	Level	   *levels = palloc(sizeof(Level) * nlevels);
	StringInfoData pointer;
	int			depth = 0;

	initStringInfo(&pointer);
	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		Level	   *level = &levels[depth];
		bool		open = token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT;

		CHECK_FOR_INTERRUPTS();
		if (token == WJB_KEY)
		{
			const char *name = pnstrdup(value.val.string.val,
										value.val.string.len);

			pointer.len = level->pointer_len;
			pointer.data[pointer.len] = '\0';
			appendStringInfoString(&pointer, dx_pointer_child("", name));
		}
		else if (depth > 0 && level->index >= 0 && (open || token == WJB_ELEM))
		{
			pointer.len = level->pointer_len;
			pointer.data[pointer.len] = '\0';
			appendStringInfo(&pointer, "/%d", level->index++);
		}

		if (open)
		{
			if (depth == max_depth)
			{
				dx_problem(problems, pointer.data, DX_P_TOO_DEEP,
						   "The setting dealix_exec.max_depth is the limit.",
						   "the definition is nested deeper than %d levels",
						   max_depth);
				return true;
			}
			if (++depth == nlevels)
			{
				nlevels *= 2;
				levels = repalloc(levels, sizeof(Level) * nlevels);
			}
			levels[depth].pointer_len = pointer.len;
			levels[depth].index = token == WJB_BEGIN_ARRAY ? 0 : -1;
		}
		else if (token == WJB_END_ARRAY || token == WJB_END_OBJECT)
			depth--;
	}
	return false;
}

/*
 * Reads everything but the states themselves into the Program of c, whose
 * memory context is current.
 */
static void
compile_skeleton(DxCompiler *c, const Jsonb *definition)
{
	DxProgram  *program = c->program;
	DxNode		node;

	node.pointer = "";
	dx_json_to_value(definition, &node.value);
	if (dx_is_object(&node))
		c->language = dx_read_language(c, &node, &c->foreign);
	dx_collect(c, &node);

	program->nstates = c->nstates;
	program->states = palloc0(sizeof(DxState *) * Max(c->nstates, 1));
	program->names = palloc(sizeof(char *) * Max(c->nstates, 1));
	for (int i = 0; i < c->nstates; i++)
		program->names[i] = c->states[i].name;
	program->pure = true;
	dx_compile_machines(c);
}

/* The same, and all states. */
static void
compile(DxCompiler *c, const Jsonb *definition)
{
	DxProgram  *program = c->program;

	compile_skeleton(c, definition);
	for (int i = 0; i < c->nstates; i++)
	{
		CHECK_FOR_INTERRUPTS();
		dx_compile_state(c, i);
		if (c->states[i].typed && c->states[i].type == DX_STATE_TASK)
			program->pure = false;
	}
	dx_check_graph(c);
	program->nexprs = c->next_ordinal;
}

/*
 * Compiles a definition.
 *
 * definition: any JSON.  options: NULL for the defaults.  The Program lives in
 * a memory context of its own under parent.  What is wrong or odd is appended
 * to problems, in document order; NULL is returned when something is wrong.  Nothing of the
 * definition itself is an error; what the callbacks raise is passed on.
 *
 * Amazon States Language, all of it for the query language JSONPath.
 */
DxProgram *
dx_program_compile(const Jsonb *definition, const DxCompileOptions *options,
				   MemoryContext parent, DxProblems *problems)
{
	static const DxCompileOptions defaults;
	DxCompiler	c;
	DxProblems	found = {NIL, NIL};
	MemoryContext cxt;
	MemoryContext old;
	int			max_depth;

	cxt = AllocSetContextCreate(CurrentMemoryContext, "dealix_exec program",
								ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(cxt);

	memset(&c, 0, sizeof(c));
	c.options = options ? options : &defaults;
	c.problems = &found;
	c.suggestions = MAX_SUGGESTIONS;
	c.language = DX_QL_JSONPATH;
	c.program = palloc0(sizeof(DxProgram));
	c.program->cxt = cxt;
	max_depth = c.options->max_depth > 0 ? c.options->max_depth :
		DX_DEFAULT_MAX_DEPTH;
	if (!too_deep(definition, max_depth, &found))
		compile(&c, definition);

	MemoryContextSwitchTo(old);
	dx_problems_move(&found, problems);
	if (found.list != NIL)
	{
		MemoryContextDelete(cxt);
		return NULL;
	}
	MemoryContextSetParent(cxt, parent);
	return c.program;
}

/* ---------- loading what has been published ---------- */

/* A copy in the current memory context of what of c is needed later. */
static DxCompiler *
keep_source(const DxCompiler *c)
{
	DxCompiler *kept = palloc(sizeof(DxCompiler));

	*kept = *c;
	kept->machines = palloc(sizeof(DxMachineSource) * Max(c->nmachines, 1));
	memcpy(kept->machines, c->machines, sizeof(DxMachineSource) * c->nmachines);
	kept->states = palloc(sizeof(DxStateSource) * Max(c->nstates, 1));
	memcpy(kept->states, c->states, sizeof(DxStateSource) * c->nstates);
	for (int m = 0; m < c->nmachines; m++)
		kept->machines[m].node.pointer = pstrdup(c->machines[m].node.pointer);
	for (int i = 0; i < c->nstates; i++)
	{
		kept->states[i].name = pstrdup(c->states[i].name);
		kept->states[i].node.pointer = pstrdup(c->states[i].node.pointer);
	}
	return kept;
}

/* What is kept of it in a Program; name and node of states are the source's. */
static DxProgram *
keep_program(const DxProgram *program, DxCompiler *source)
{
	DxProgram  *kept = palloc(sizeof(DxProgram));

	*kept = *program;
	kept->cxt = CurrentMemoryContext;
	kept->machines = palloc(sizeof(DxMachine) * Max(program->nmachines, 1));
	memcpy(kept->machines, program->machines, sizeof(DxMachine) * program->nmachines);
	kept->states = palloc0(sizeof(DxState *) * Max(program->nstates, 1));
	kept->names = palloc(sizeof(char *) * Max(program->nstates, 1));
	for (int i = 0; i < program->nstates; i++)
	{
		const DxStateSource *state = &source->states[i];

		kept->names[i] = state->name;
		if (!state->typed || state->type != DX_STATE_TASK)
			continue;
		kept->pure = false;
		kept->has_compensation |= dx_has(&state->node, "Compensate");
	}
	source->program = kept;
	kept->source = source;
	return kept;
}

/*
 * Loads a definition that was compiled without problems when it was published.
 * A state is compiled when it is asked for (dx_program_state): until then it
 * takes a few hundred bytes.
 *
 * cxt: a memory context that has nothing else than definition and what options
 * refer to; it becomes the Program's.  There is nothing to report: whether a
 * state compiles is found out when it is compiled.
 */
DxProgram *
dx_program_load(const Jsonb *definition, const DxCompileOptions *options,
				MemoryContext cxt)
{
	static uint64 serial = 0;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "dealix_exec skeleton",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	DxProblems	found = {NIL};
	DxCompileOptions *kept_options;
	DxCompiler	c;
	DxCompiler *source;
	DxProgram  *program;

	memset(&c, 0, sizeof(c));
	c.options = options;
	c.problems = &found;
	c.language = DX_QL_JSONPATH;
	c.program = palloc0(sizeof(DxProgram));
	compile_skeleton(&c, definition);

	MemoryContextSwitchTo(cxt);
	kept_options = palloc(sizeof(DxCompileOptions));
	*kept_options = *options;
	c.options = kept_options;
	source = keep_source(&c);
	source->problems = palloc0(sizeof(DxProblems));
	program = keep_program(c.program, source);
	program->serial = ++serial;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return program;
}

/* Compiles a state of a loaded Program into the Program's memory. */
static void
compile_later(DxProgram *program, int index)
{
	DxCompiler *c = program->source;
	MemoryContext old = MemoryContextSwitchTo(program->cxt);

	memset(c->problems, 0, sizeof(DxProblems));
	c->suggestions = 0;
	dx_compile_state(c, index);
	c->states[index].targets = NIL;
	program->nexprs = c->next_ordinal;
	MemoryContextSwitchTo(old);
	if (c->problems->list != NIL)
	{
		const DxProblem *problem = linitial(c->problems->list);

		program->states[index] = NULL;
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("state \"%s\" does not compile any more",
						program->names[index]),
				 errdetail("At %s: %s", problem->pointer, problem->message)));
	}
}

/*
 * A state of the Program.  index: 0 .. nstates - 1.  Errors: XX001 when it is
 * of a loaded Program and does not compile any more.
 */
const DxState *
dx_program_state(const DxProgram *program, int index)
{
	Assert(index >= 0 && index < program->nstates);
	if (index < 0 || index >= program->nstates)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("a definition of %d states has no state %d",
						program->nstates, index)));
	if (program->states[index] == NULL)
		compile_later(unconstify(DxProgram *, program), index);
	return program->states[index];
}

/*
 * Frees a Program and all that belongs to it.
 */
void
dx_program_free(DxProgram *program)
{
	MemoryContextDelete(program->cxt);
}

/*
 * The state of that name in whichever machine, or NULL.
 */
const DxState *
dx_program_find_state(const DxProgram *program, const char *name)
{
	for (int m = 0; m < program->nmachines; m++)
	{
		int			found = dx_find_state(program->names,
										  program->machines[m].first_state,
										  program->machines[m].nstates, name);

		if (found >= 0)
			return dx_program_state(program, found);
	}
	return NULL;
}
