/*-------------------------------------------------------------------------
 *
 * shared.h
 *	  Shared memory: databases, processes, rings and waiters.
 *
 * For the rooms base and worker, and for what api shows of them.  Everything
 * has a fixed size, set at server start.
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

#include "base/clock.h"
#include "lib/ilist.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

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
extern DxHint *dx_hints;		/* of all rings, one behind the other */
extern HTAB *dx_owners;
extern DxWaiter *dx_waiters;

extern DxHint *dx_ring_hints(const DxRing *ring);
extern void dx_lock(void);
extern void dx_unlock(void);

#endif							/* DX_SHARED_H */
