/*-------------------------------------------------------------------------
 *
 * shared.h
 *	  Shared memory: databases, processes, rings and waiters.
 *
 * For the rooms base and worker only.  Everything has a fixed size, set at
 * server start.
 *
 * Locks: dx_shared->lock guards everything in DxShared but the waiters, which
 * dx_shared->waiter_lock guards.  Nobody holds both, and nobody waits, reads
 * a table or raises an error while holding either; latches are collected in a
 * DxLatches and set after the release.  A Latch * in shared memory is that of
 * a PGPROC: the memory stays when the process ends, so that setting it then
 * is at worst a spurious wake-up of the next process there.
 *
 * Functions whose names end in _locked want dx_shared->lock held exclusively.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_SHARED_H
#define DX_SHARED_H

#include "base/base.h"
#include "lib/ilist.h"
#include "base/watch.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "utils/hsearch.h"

#define DX_ERROR_LEN	256
#define DX_CURSOR_LEN	64

/*
 * A database that the launcher looks after.  The legal successors:
 */
typedef enum DxDatabaseState
{
	DX_DB_FREE,					/* unused slot; next: STOPPED */
	DX_DB_STOPPED,				/* dispatcher to be started at not_before;
								 * next: STARTING, RETIRING, FREE */
	DX_DB_STARTING,				/* dispatcher registered, or looking for the
								 * extension; next: RUNNING, ABSENT, STOPPED,
								 * RETIRING */
	DX_DB_RUNNING,				/* dispatcher at work; next: ABSENT, STOPPED,
								 * RETIRING */
	DX_DB_ABSENT,				/* no extension there; next: STOPPED,
								 * RETIRING, FREE */
	DX_DB_RETIRING				/* its processes have to go; next: FREE */
} DxDatabaseState;

typedef struct DxDatabase
{
	Oid			dboid;
	DxDatabaseState state;
	uint32		generation;		/* of this use of the slot, and of each start */
	pid_t		pid;			/* of the dispatcher, 0 = none attached */
	Latch	   *latch;
	bool		sweep;			/* the dispatcher has to look at the tables */
	DxMono		sweep_at;		/* and at that time; 0: none is asked for */
	bool		recheck;		/* the extension has come or gone */
	bool		held;			/* a copy: waits for dealix.resume_engine() */
	bool		starving;		/* wants a worker, no place is free */
	bool		resting;		/* STOPPED until there is something to do */
	bool		yield;			/* the dispatcher is to rest: others wait for
								 * its place */
	dlist_head	line;			/* owners that have work and wait for a ring */
	int			nline;
	int			holds;			/* backends that keep it RETIRING */
	TimestampTz next_due;		/* timers before then: none */
	DxMono		not_before;
	TimestampTz started_at;		/* for people */
	DxMono		started;		/* for us */
	int			failures;		/* in a row */
	int64		passes;			/* looks at the tables */
	char		last_error[DX_ERROR_LEN];
} DxDatabase;

/*
 * A worker.  The legal successors:
 */
typedef enum DxWorkerState
{
	DX_WORKER_FREE,				/* unused slot; next: STARTING */
	DX_WORKER_STARTING,			/* registered, or connecting; next: BUSY, FREE */
	DX_WORKER_IDLE,				/* in its ring's idle list; next: BUSY, FREE */
	DX_WORKER_BUSY				/* has work, or looks for it; next: IDLE, FREE */
} DxWorkerState;

typedef struct DxWorker
{
	DxWorkerState state;
	uint32		generation;		/* of this use of the slot */
	Oid			dboid;
	Oid			owner;
	int			ring;			/* index */
	pid_t		pid;			/* 0 = not attached yet */
	Latch	   *latch;
	int			next_idle;		/* in the ring's idle list, -1 = last */
	bool		yield;			/* is to leave after its pass */
	bool		recheck;		/* the extension may have gone */
	TimestampTz started_at;		/* for people */
	DxMono		started;		/* for us */
	DxMono		started_before; /* last_start of the ring until this one */
	int64		passes;
	int64		runs;
	int64		steps;
	char		last_error[DX_ERROR_LEN];
} DxWorker;

/* A run that may have work. */
typedef struct DxHint
{
	pg_uuid_t	run_id;
	int16		rank;			/* minus the run's priority; low goes first */
} DxHint;

/* The work of one (database, owner): see ring.c. */
typedef struct DxRing
{
	Oid			dboid;			/* InvalidOid: unused */
	Oid			owner;
	int			next_free;		/* then: the next unused one, -1 = last */
	int			head;			/* where the next id is taken */
	int			count;
	uint64		popped;			/* ids taken, ever */
	int			pops;			/* times that ids were taken since the last
								 * scan */
	bool		hurry;			/* the scan owed is for something urgent */
	uint64		scan_wanted;	/* scans asked for, ever */
	uint64		scan_done;		/* of these, satisfied */
	uint64		round_wanted;	/* scan_wanted when this round began */
	bool		in_round;
	int			scanner;		/* worker slot, -1 = nobody */
	char		cursor[DX_CURSOR_LEN];	/* of the round; the worker's to read */
	int			nworkers;		/* not FREE */
	int			idle_head;		/* worker slot, -1 = none idle */
	int			asked;			/* what the dispatcher was asked for: DX_ASK_* */
	uint64		check_popped;	/* popped when it took notice of DX_ASK_LATER */
	DxMono		check_at;		/* when it looks again; 0 = not yet set */
	DxMono		last_start;		/* of a worker */
	DxMono		not_before;
	int			failures;		/* starts in a row that came to nothing */
	char		last_error[DX_ERROR_LEN];
} DxRing;

/*
 * An owner that has a ring, or work and a place in the line of its database for
 * one.  In a hash table in shared memory.
 */
typedef struct DxOwnerKey
{
	Oid			dboid;
	Oid			owner;
} DxOwnerKey;

typedef struct DxOwner
{
	DxOwnerKey	key;
	int			ring;			/* index; -1: in line */
	bool		urgent;			/* what it waits for has priority */
	dlist_node	link;
} DxOwner;

#define DX_ASK_NOTHING	0
#define DX_ASK_LATER	1		/* all workers are at work: see whether they
								 * last */
#define DX_ASK_NOW		2		/* no worker, or too much for those there are */

typedef struct DxWaiter
{
	bool		used;
	bool		takes_one;		/* work: each piece wakes one waiter */
	pg_uuid_t	channel;		/* a line of runs, or an activity's */
	Latch	   *latch;
	pg_atomic_uint32 woken;		/* 1: and has not looked since */
} DxWaiter;

typedef struct DxShared
{
	LWLock	   *lock;
	LWLock	   *waiter_lock;
	ConditionVariable gone;		/* broadcast when a process of ours has ended */
	pid_t		launcher_pid;
	Latch	   *launcher_latch;
	TimestampTz launcher_started_at;
	bool		warned_owners;	/* said once that there are too many */
	bool		warned_databases;
	bool		warned_dispatchers;
	int			nplaces;		/* worker slots that are not FREE */
	int			nline;			/* owners in line, in all databases */
	int			free_ring;		/* first unused ring, -1 = none */
	int			ndatabases;
	int			nworkers;
	int			nrings;
	int			ring_size;
	int			nwaiters;
	pg_atomic_uint32 waiting;	/* waiters in use */
	pg_atomic_uint32 waiter_turn;	/* where the next piece of work looks
									 * first */
	pg_atomic_uint32 server_commit; /* synchronous_commit of the server */
} DxShared;

extern DxShared *dx_shared;
extern DxDatabase *dx_database_slots;
extern DxWorker *dx_worker_slots;
extern DxRing *dx_rings;
extern HTAB *dx_owners;
extern DxWaiter *dx_waiters;

extern DxHint *dx_ring_hints(const DxRing *ring);
extern void dx_lock(void);
extern void dx_unlock(void);

/* ---------- sizes (guc.c) ---------- */

extern int	dx_max_databases;
extern int	dx_max_rings;
extern int	dx_max_owners;
extern int	dx_max_workers;
extern int	dx_ring_size;

/* ---------- frame.c ---------- */

extern void dx_frame_read_write(void);

/* ---------- latches to be set when the lock is released ---------- */

typedef struct DxLatches
{
	int			n;
	Latch	   *latch[64];
} DxLatches;

extern void dx_latches_add(DxLatches *latches, Latch *latch);
extern void dx_latches_set(DxLatches *latches);

/* ---------- registry.c ---------- */

extern void dx_database_set_state(DxDatabase *database, DxDatabaseState state);
extern const char *dx_database_state_name(DxDatabaseState state);
extern DxDatabase *dx_database_find_locked(Oid dboid);
extern DxDatabase *dx_database_add_locked(Oid dboid);
extern void dx_database_free_locked(DxDatabase *database);
extern void dx_database_failed_locked(DxDatabase *database, const char *error);
extern void dx_database_recheck_locked(DxDatabase *database, DxLatches *latches);
extern void dx_database_stop_locked(DxDatabase *database);
extern void dx_database_call_locked(DxDatabase *database, DxMono when,
									DxLatches *latches);
extern int	dx_dispatcher_places(void);
extern int	dx_worker_places_locked(void);
extern bool dx_worker_superfluous_locked(const DxRing *ring);
extern bool dx_database_empty_locked(Oid dboid);
extern bool dx_database_retire(Oid dboid, int timeout_ms);
extern void dx_database_release_holds(void);
extern void dx_wake_launcher_latch(void);
extern int	dx_backoff(int failures);
extern bool dx_dispatcher_attach(int index, uint32 generation);
extern void dx_dispatcher_detach(int index, const char *error);

/* ---------- worker_slot.c ---------- */

extern void dx_worker_set_state(DxWorker *worker, DxWorkerState state);
extern const char *dx_worker_state_name(DxWorkerState state);
extern DxWorker *dx_worker_reserve_locked(DxRing *ring);
extern void dx_worker_free_locked(DxWorker *worker, DxLatches *latches);
extern void dx_worker_idle_locked(DxWorker *worker);
extern void dx_worker_unidle_locked(DxWorker *worker);
extern bool dx_worker_attach(int index, uint32 generation);
extern void dx_worker_detach(int index, bool lost_work, const char *error);
extern bool dx_worker_leave(int index);
extern void dx_worker_report(int index, int runs, int steps);
extern void dx_worker_error(int index, const char *error);
extern void dx_worker_ask_yield_locked(const DxRing *wanting, DxLatches *latches);

/* ---------- ring.c ---------- */

typedef enum DxWork
{
	DX_WORK_NONE,				/* is idle now: wait on the latch */
	DX_WORK_RUNS,				/* ids popped */
	DX_WORK_SCAN,				/* has the scanner's role now */
	DX_WORK_RECHECK,			/* see whether the extension is still there */
	DX_WORK_LEAVE				/* exit */
} DxWork;

extern DxRing *dx_ring_find_locked(Oid dboid, Oid owner);
extern DxRing *dx_ring_get_locked(DxDatabase *database, Oid owner, bool urgent);
extern void dx_ring_release_locked(DxRing *ring);
extern bool dx_ring_line_locked(DxDatabase *database);
extern void dx_ring_clear_line_locked(DxDatabase *database);
extern void dx_ring_free_locked(DxRing *ring);
extern void dx_ring_push_locked(DxRing *ring, const pg_uuid_t *run_id, int rank);
extern void dx_ring_want_scan_locked(DxRing *ring, bool restart);
extern bool dx_ring_has_work_locked(const DxRing *ring);
extern void dx_ring_wake_locked(DxRing *ring, DxLatches *latches);
extern DxWork dx_ring_take(int worker, int max, pg_uuid_t *ids, int *nids,
						   void *cursor, int cursor_len, bool may_idle,
						   bool may_leave);
extern void dx_ring_hurry_locked(DxRing *ring);
extern void dx_ring_scanned(int worker, const pg_uuid_t *ids,
							const int16 *ranks, int nids,
							const void *cursor, int cursor_len, bool at_end);
extern void dx_ring_scan_failed(int worker);

/* ---------- poison.c ---------- */

#define DX_POISON_STATE_LEN DX_PLACE_LEN

/* A run whose pass did not come to its end. */
typedef struct DxSuspect
{
	pg_uuid_t	run_id;
	Oid			dboid;
	uint16		deaths;			/* of workers, in a row */
	uint16		outages;		/* of the whole server, in a row */
	int32		branch;			/* with a verdict: whose step */
	uint32		verdict;		/* DxVerdict about state */
	char		state[DX_POISON_STATE_LEN]; /* "" = unknown */
} DxSuspect;

extern void dx_poison_startup(void);
extern void dx_poison_signals(void);
extern void dx_poison_attach(int index, Oid dboid);
extern void dx_poison_detach(void);
extern void dx_poison_note(const pg_uuid_t *run_ids, int n);
extern void dx_poison_clear(void);
extern bool dx_poison_any(void);
extern bool dx_poison_find(const pg_uuid_t *run_id, DxSuspect *suspect);
extern bool dx_poison_too_often(const DxSuspect *suspect);

/*
 * In a row, and then it is an incident.  An outage of the whole server says
 * little about what it was doing; but a step may have eaten the memory of the
 * container that the server is in.
 */
#define DX_MAX_DEATHS	3
#define DX_MAX_OUTAGES	10

#define DX_MAX_NOTES	1024	/* ids in one transaction; then "many" */

/* ---------- waiter.c ---------- */

extern bool dx_waiter_begin(const pg_uuid_t *channel, bool takes_one);
extern void dx_waiter_look(void);
extern void dx_waiter_end(bool found);
extern int	dx_waiter_crowd(void);
extern void dx_waiters_wake(const pg_uuid_t *channels, int n, bool all);

#endif							/* DX_SHARED_H */
