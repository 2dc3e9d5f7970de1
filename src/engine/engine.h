/*-------------------------------------------------------------------------
 *
 * engine.h
 *	  Runs, branches and the pass.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_H
#define DX_ENGINE_H

#include "base/base.h"

/* What a pass may spend. */
typedef struct DxPassLimits
{
	int			max_runs;
	int			max_time;		/* ms */
} DxPassLimits;

typedef struct DxPassResult
{
	int			claimed;		/* runs that were locked */
	int			advanced;		/* of these, runs that changed */
	int			steps;			/* attempts at Task states */
	int			ended;			/* runs that reached an end */
	int			nbusy;			/* hinted runs that another process has locked */
	pg_uuid_t  *busy;			/* they: to be hinted again a moment later */
	bool		more;			/* the budget ended before the work did */
} DxPassResult;

/*
 * One pass over the runs of owner, in the current transaction.  hints: run ids
 * to look at; with nhints = 0 it looks for due ones by itself, oldest first.
 * The caller owns the transaction and commits.  An error means: roll back and
 * call dx_pass again for the same runs one at a time; a run that fails alone
 * is given to dx_pass_quarantine in a new transaction.
 */
extern void dx_pass(Oid owner, const DxPassLimits *limits,
					const pg_uuid_t *hints, int nhints, DxPassResult *result);

/* Makes an incident of a run whose pass failed by an error of the engine. */
extern void dx_pass_quarantine(const pg_uuid_t *run_id, const char *message);

/*
 * Run ids of owner that have work at this moment, oldest first, at most max,
 * after the position *after (due time; 0 = from the beginning), which is moved
 * forward.  Takes no locks: who claims checks again.
 */
extern int	dx_scan_due(Oid owner, TimestampTz *after, int max, pg_uuid_t *ids);

/*
 * For the dispatcher: owners that have work now, and when the next timer of
 * anybody is due (DT_NOEND: none).
 */
typedef struct DxDueOwner
{
	Oid			owner;
	int64		due;			/* branches and messages, capped at 1000 */
} DxDueOwner;

extern int	dx_scan_owners(DxDueOwner **owners, TimestampTz *next_due);

/* A copy of a database must not repeat effects: see held.c. */
extern bool dx_database_held(void);

/* What the engine registers at load time. */
extern void dx_engine_init(void);

#endif							/* DX_ENGINE_H */
