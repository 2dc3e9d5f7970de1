/*-------------------------------------------------------------------------
 *
 * phase.c
 *	  What a branch does at the moment, and what will wake it.
 *
 * One function changes the phase; the legal edges stand in one table.  With
 * the phase goes the time at which the branch is due, so that every branch
 * that is stored can be woken:
 *
 *	READY, RETRY, TIMER		by a due time, always
 *	UNDO					by a due time, or by whoever has its ticket
 *	JOIN					by its children; by a due time, when it has
 *							something to open or to join
 *	SIGNAL					by a message of the name in wait_for
 *	ACTIVITY to TOKEN		by whoever has its ticket
 *	SLOT					by who frees a slot of the workflow in wait_for
 *
 * and by a due time besides, when there is a timeout.  A branch is suspended
 * while its run is an incident or waits for a slot in the midst of its work:
 * then it is due at infinity, or at the run's deadline, until the run goes on.
 *
 * The same stands in the CHECK constraint branch_wakes of dealix.branch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "datatype/timestamp.h"
#include "engine/children.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/phase.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* A timer that nobody will live to see is a timer all the same. */
#define LAST_TIME	(END_TIMESTAMP - 1)

#define EDGE(to)	(1 << (to))
#define GOES_ON		(EDGE(DX_PHASE_READY) | EDGE(DX_PHASE_RETRY))

/*
 * Retry of a state whose wait has failed follows at once, so whatever waits may
 * become RETRY; what waits on is in its phase already.
 */
static const struct
{
	const char *name;
	uint32		successors;
}			phases[] =

{
	[0] = {"new", EDGE(DX_PHASE_READY) | EDGE(DX_PHASE_UNDO) | EDGE(DX_PHASE_SLOT)},
	[DX_PHASE_READY] = {"READY",
		GOES_ON | EDGE(DX_PHASE_TIMER) | EDGE(DX_PHASE_SIGNAL) | EDGE(DX_PHASE_JOIN) |
		EDGE(DX_PHASE_UNDO) | EDGE(DX_PHASE_ACTIVITY) | EDGE(DX_PHASE_EVENT) |
		EDGE(DX_PHASE_CHILD) | EDGE(DX_PHASE_APPROVAL) | EDGE(DX_PHASE_TOKEN) |
	EDGE(DX_PHASE_SLOT)},
	[DX_PHASE_RETRY] = {"RETRY", EDGE(DX_PHASE_READY) | EDGE(DX_PHASE_RETRY)},
	[DX_PHASE_TIMER] = {"TIMER", GOES_ON},
	[DX_PHASE_SIGNAL] = {"SIGNAL", GOES_ON},
	[DX_PHASE_JOIN] = {"JOIN", GOES_ON | EDGE(DX_PHASE_JOIN)},
	[DX_PHASE_UNDO] = {"UNDO", GOES_ON | EDGE(DX_PHASE_UNDO)},
	[DX_PHASE_ACTIVITY] = {"ACTIVITY", GOES_ON | EDGE(DX_PHASE_ACTIVITY)},
	[DX_PHASE_EVENT] = {"EVENT", GOES_ON | EDGE(DX_PHASE_EVENT)},
	[DX_PHASE_CHILD] = {"CHILD", GOES_ON | EDGE(DX_PHASE_CHILD)},
	[DX_PHASE_APPROVAL] = {"APPROVAL", GOES_ON | EDGE(DX_PHASE_APPROVAL)},
	[DX_PHASE_TOKEN] = {"TOKEN", GOES_ON | EDGE(DX_PHASE_TOKEN)},
	[DX_PHASE_SLOT] = {"SLOT", EDGE(DX_PHASE_READY) | EDGE(DX_PHASE_SLOT)},
};

/* Is there nothing but its due time that could wake the branch? */
static bool
needs_time(const DxBranch *branch, DxPhase phase)
{
	return phase == DX_PHASE_READY || phase == DX_PHASE_RETRY ||
		phase == DX_PHASE_TIMER ||
		(phase == DX_PHASE_UNDO && (branch->wait_for == NULL || !branch->ticketed));
}

/*
 * The one place where a branch's phase changes.  due_at: DT_NOEND is no timer.
 * What the phase waits for (wait_for, ticket, counts) is set before.
 */
void
dx_branch_set_phase(DxBranch *branch, DxPhase phase, TimestampTz due_at)
{
	Assert(phases[branch->phase].successors & EDGE(phase));
	branch->phase = phase;
	branch->due_at = needs_time(branch, phase) ? Min(due_at, LAST_TIME) : due_at;
	branch->suspended = false;
	branch->changed = true;
}

/* Lets a branch wait; the run's deadline wakes it too. */
void
dx_branch_park(DxRun *run, DxBranch *branch, DxPhase phase, TimestampTz due_at)
{
	Assert(!branch->gone);
	dx_branch_set_phase(branch, phase, run->status == DX_RUN_RUNNING ?
						Min(due_at, run->deadline) : due_at);
}

/* Puts a branch at the beginning of a state. */
void
dx_branch_goto(DxBranch *branch, const DxState *state, Jsonb *data)
{
	Assert(state != NULL);
	Assert(!branch->gone);
	branch->state = state;
	branch->data = data;
	branch->attempt = 0;
	branch->conflicts = 0;
	branch->retries = NULL;
	branch->nretries = 0;
	branch->entered_at = 0;
	branch->wait_for = NULL;
	branch->items = branch->received = branch->details = NULL;
	branch->ticketed = false;
	branch->governed = false;
	branch->asks = NULL;
	branch->effective = NULL;
	dx_branch_set_phase(branch, DX_PHASE_READY, dx_now());
}

/* The branch is due now, whatever it waits for. */
void
dx_branch_hurry(DxBranch *branch, TimestampTz now)
{
	branch->due_at = now;
	branch->suspended = false;
	branch->changed = true;
}

/* Nothing but until wakes the branch, before its run goes on. */
void
dx_branch_suspend(DxBranch *branch, TimestampTz until)
{
	branch->suspended = true;
	branch->due_at = until;
	branch->changed = true;
}

/*
 * At the end of a pass: a Parallel or Map that can go on at once is due, and
 * one that waits for its children is not, whoever has changed its counts.
 */
static void
settle(const DxPass *pass, const DxRun *run, DxBranch *branch)
{
	if (branch->phase == DX_PHASE_JOIN && !branch->suspended)
		dx_branch_park((DxRun *) run, branch, DX_PHASE_JOIN,
					   dx_children_can_go_on(branch) ? pass->now : DT_NOEND);
}

/* What is wrong with the branch: that nothing could wake it.  NULL: nothing. */
static const char *
cannot_wake(const DxBranch *branch)
{
	if (branch->suspended)
		return NULL;
	if (needs_time(branch, branch->phase) && TIMESTAMP_NOT_FINITE(branch->due_at))
		return "has no due time";
	if (DX_PHASE_IS_OUTSIDE(branch->phase) && (!branch->ticketed || branch->wait_for == NULL))
		return "waits for nobody";
	if (branch->phase == DX_PHASE_SIGNAL && branch->wait_for == NULL)
		return "waits for no signal";
	if (branch->phase == DX_PHASE_SLOT && branch->wait_for == NULL &&
		branch->due_at == DT_NOEND)
		return "waits in no queue";
	if (branch->phase == DX_PHASE_JOIN && branch->due_at == DT_NOEND &&
		dx_children_can_go_on(branch))
		return "has nothing to wait for";
	return NULL;
}

/*
 * Before a branch is written: makes its due time right for what happened to it
 * since it was parked, and refuses one that could never be woken.  Errors:
 * XX000, which makes an incident of the run.
 */
void
dx_branch_check(const DxPass *pass, const DxRun *run, DxBranch *branch)
{
	const char *problem;

	Assert(!branch->gone);
	settle(pass, run, branch);
	problem = cannot_wake(branch);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("branch %d of run %s could not be woken: it is %s and %s",
						branch->branch, dx_uuid_text(&run->id),
						phases[branch->phase].name, problem),
				 errhint("This is an error of the engine; please report it.")));
}
