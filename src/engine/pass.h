/*-------------------------------------------------------------------------
 *
 * pass.h
 *	  The pass: claim runs, advance them, write back, all in one transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_PASS_H
#define DX_ENGINE_PASS_H

#include "base/clock.h"
#include "engine/model.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* What a pass may spend. */
typedef struct DxPassLimits
{
	int			max_runs;
	int			max_time;		/* ms */
	bool		sets_apart;		/* slow steps wait for a pass of their own */
	bool		takes_apart;	/* and the caller heeds result->apart */
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
	bool		has_apart;
	pg_uuid_t	apart;			/* a run that wants the next pass for itself */
} DxPassResult;

/* States that a pass takes at most: bounds its memory, whatever a run does. */
#define DX_PASS_MAX_EVENTS	20000

/*
 * What a pass may load beyond its first run, and what it may allocate beyond
 * what its runs are loaded from.
 */
#define DX_PASS_MAX_MEMORY	(32 * 1024 * 1024)

typedef struct DxPass
{
	MemoryContext cxt;
	Oid			owner;			/* whose runs; InvalidOid: an operator's call */
	TimestampTz now;			/* at its beginning */
	DxMono		deadline;		/* of the pass */
	DxMono		begun;
	bool		cancel_is_error;	/* a cancel belongs to the step, not to us */
	Size		loaded;			/* size of cxt when the runs were loaded */
	bool		progressed;		/* some branch has made a step */
	int			subxids;		/* in use at its beginning; PG_INT32_MAX: they
								 * are not limited, see guard.c */
	bool		over;			/* the budget is spent, or the pass has to end */
	bool		sets_apart;		/* as in DxPassLimits */
	bool		takes_apart;
	List	   *runs;			/* of DxRun * */
	List	   *left;			/* locked, but too large for this pass */
	DxRun	   *running;		/* the one that is being advanced, or NULL */
	List	   *slots;			/* locked: see concurrency.c */
	List	   *slotless;		/* workflows that had none left */
	bool		slots_freed;	/* some were given back in the table already */
	List	   *events;			/* of DxEvent *, not written yet */
	List	   *handouts;		/* of DxHandout *, written with the pass */
	List	   *intents;		/* of struct DxIntent *, likewise */
	struct DxHalts *halts;		/* what is stopped, if the pass has asked */
	DxPassResult *result;
} DxPass;

/*
 * One pass over the runs of owner, in the current transaction.  hints: run ids
 * to look at; with nhints = 0 it looks for due ones by itself, oldest first.
 * The caller owns the transaction and commits.  An error means: roll back and
 * call dx_pass again for the same runs one at a time; a run that fails alone
 * is given to dx_pass_quarantine in a new transaction.  Needs SPI_connect and
 * an active snapshot.  result->busy is palloc'd in CurrentMemoryContext.
 *
 * cancel_is_error: a cancel request that arrives in a step is the step's
 * error (background workers); otherwise it ends the pass (tick, drain).
 */
extern void dx_pass(Oid owner, const DxPassLimits *limits,
					const pg_uuid_t *hints, int nhints,
					bool cancel_is_error, DxPassResult *result);

/* For calls about one run: a pass that holds just this run, locked. */
extern DxPass *dx_pass_open(Oid owner, bool cancel_is_error, int max_time,
							DxPassResult *result);
extern DxRun *dx_pass_take(DxPass *pass, const pg_uuid_t *run_id, bool wait);
extern void dx_pass_take_all(DxPass *pass, const pg_uuid_t *run_ids, int n);
extern void dx_pass_close(DxPass *pass);

#endif							/* DX_ENGINE_PASS_H */
