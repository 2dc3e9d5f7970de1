/*-------------------------------------------------------------------------
 *
 * governed.c
 *	  Which states of a version go through the gate.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/governed.h"
#include "miscadmin.h"

/* A state whose effect leaves only with a decision. */
typedef struct Governed
{
	char	   *state;
	char	   *action;
	int			side_effect;
} Governed;

static DxStatement insert_statement = {
	"INSERT INTO dealix.governed_state (version_id, state, action, side_effect)"
	" SELECT * FROM unnest($1, $2, $3, $4)",
	4, {INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT2ARRAYOID}
};

/* Those of a definition; the names are copied. */
List *
dx_governed_states(const DxProgram *program)
{
	List	   *states = NIL;

	for (int i = 0; i < program->nstates; i++)
	{
		const DxState *state = dx_program_state(program, i);
		Governed   *governed;

		CHECK_FOR_INTERRUPTS();
		if (state->type != DX_STATE_TASK || state->u.task.effect == NULL)
			continue;
		governed = palloc(sizeof(Governed));
		governed->state = pstrdup(state->name);
		governed->action = pstrdup(state->u.task.effect->action);
		governed->side_effect = state->u.task.effect->classes.side_effect;
		states = lappend(states, governed);
	}
	return states;
}

/* Stores them with the version.  Between dx_engine_enter and dx_engine_leave. */
void
dx_governed_store(int32 version_id, const List *states)
{
	DxColumns  *columns;
	ListCell   *lc;

	Assert(dx_engine_entered());
	if (states == NIL)
		return;
	columns = dx_columns_make(&insert_statement, list_length(states));
	foreach(lc, states)
	{
		const Governed *governed = lfirst(lc);

		dx_put_int4(columns, version_id);
		dx_put_text(columns, governed->state);
		dx_put_text(columns, governed->action);
		dx_put(columns, Int16GetDatum(governed->side_effect), false);
	}
	dx_columns_execute(&insert_statement, columns);
}
