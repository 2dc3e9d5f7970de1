/*-------------------------------------------------------------------------
 *
 * timer.c
 *	  What the kinds of waiting have in common: the timer of a branch, what the
 *	  pass has given up, and waking runs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "base/clock.h"
#include "base/plan.h"
#include "base/wake.h"
#include "engine/budget.h"
#include "engine/columns.h"
#include "engine/context.h"
#include "engine/evaluate.h"
#include "engine/handout.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/phase.h"
#include "executor/spi.h"
#include "outside/timer.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/*
 * Until when the branch waits at most, by TimeoutSeconds; DT_NOEND: for ever.
 * false: the state has failed by *fault.
 */
bool
dx_timer_start(const DxBranch *branch, DxEnv *env, TimestampTz *until, DxFault *fault)
{
	bool		limited;
	double		timeout;

	if (!dx_eval_amount(&branch->state->u.task.timeout, env, &limited, &timeout, fault))
		return false;
	*until = limited ? dx_after_seconds(dx_now(), timeout) : DT_NOEND;
	return true;
}

/* After an incident: the same wait, with its time anew. */
DxOutcome
dx_timer_restart(DxPass *pass, DxRun *run, DxBranch *branch)
{
	TimestampTz until;
	DxFault		fault;
	DxEnv		env;

	dx_env_init(&env, pass, run, branch);
	if (!dx_timer_start(branch, &env, &until, &fault))
		return dx_failed(&fault);
	dx_branch_park(run, branch, branch->phase, until);
	return dx_parked();
}

/*
 * The tickets that branches in this phase have given up, as the first
 * parameter of a statement; NULL: none.
 */
DxColumns *
dx_given_up(DxPass *pass, DxPhase phase, const DxStatement *statement)
{
	DxColumns  *columns = NULL;
	ListCell   *lc;
	ListCell   *lb;

	Assert(phase == DX_PHASE_JOIN || DX_PHASE_IS_OUTSIDE(phase));
	foreach(lc, pass->runs)
	{
		DxRun	   *run = lfirst(lc);

		/* An ended run's children are closed together. */
		if (phase == DX_PHASE_CHILD && run->ended_now)
			continue;
		foreach(lb, run->branches)
		{
			DxBranch   *branch = lfirst(lb);

			if (branch->stored_phase != phase || !dx_branch_gives_up(branch))
				continue;
			if (columns == NULL)
			{
				columns = dx_columns_make(statement, dx_count_branches(pass));
				columns->ncolumns = 1;
			}
			dx_put_uuid(columns, &branch->stored_ticket);
		}
	}
	return columns;
}

/* All branches of the pass. */
int
dx_count_branches(DxPass *pass)
{
	ListCell   *lc;
	int			n = 0;

	foreach(lc, pass->runs)
		n += list_length(((DxRun *) lfirst(lc))->branches);
	return n;
}

/* Wakes the runs in SPI_tuptable (run_id, owner, priority), and frees it. */
void
dx_wake_returned(void)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		pg_uuid_t	run_id;
		Oid			owner;

		(void) dx_get_uuid(&row, &run_id);
		owner = DatumGetObjectId(dx_get(&row));
		dx_wake_run(owner, &run_id, dx_get_int2(&row));
	}
	SPI_freetuptable(SPI_tuptable);
}
