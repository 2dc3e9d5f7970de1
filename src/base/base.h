/*-------------------------------------------------------------------------
 *
 * base.h
 *	  What every room stands on: settings, identity, the transaction frame,
 *	  saved plans, clock, shared memory and wake-up.  No room above is known
 *	  here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_H
#define DX_BASE_H

#include "postgres.h"

#include "base/compat.h"
#include "executor/spi.h"
#include "storage/latch.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define DX_EXTENSION	"dealix_exec"
#define DX_SCHEMA		"dealix"
#define DX_INTERNAL		"dealix_internal"	/* what nobody calls by hand */

/* ---------- guc.c: settings (dealix_exec.*) ---------- */

extern int	dx_workers;			/* workers per (database, owner) at most */
extern int	dx_worker_idle_timeout; /* ms */
extern int	dx_pass_max_runs;
extern int	dx_pass_max_time;	/* ms */
extern char *dx_databases;		/* "*" or a comma list of names */
extern int	dx_sweep_interval;	/* s */
extern int	dx_max_depth;		/* nesting of JSON taken in */
extern int	dx_max_payload;		/* kB */
extern int	dx_max_events;		/* of a run */
extern int	dx_warn_events;
extern int	dx_max_states;		/* of a definition */
extern int	dx_max_definition;	/* kB */
extern int	dx_max_evaluation;	/* kB */
extern int	dx_outcome_retention;	/* s */
extern int	dx_max_lease;		/* s */
extern int	dx_max_child_depth;
extern int	dx_program_cache;	/* kB */
extern int	dx_max_inbox;
extern int	dx_max_inbox_size;
extern int	dx_evaluation_timeout;	/* ms, 0 = none */
extern int	dx_pass_max_subtransactions;	/* 0 = no limit */
extern bool dx_superuser_runs;
extern char *dx_outbox_channel; /* "": no NOTIFY */

#ifdef USE_ASSERT_CHECKING
extern bool dx_scan_plans;		/* for tests: see identity.c */
#endif

extern void dx_guc_init(void);

/* ---------- extension.c: is the extension here, and whose is it ---------- */

/*
 * InvalidOid when the extension is not created in this database.  Cached;
 * invalidated by the catalog.  Needs a transaction.
 */
extern Oid	dx_extension_oid(void);
extern Oid	dx_extension_function(const char *schema, const char *name);
extern Oid	dx_extension_owner(void);

/*
 * Takes AccessShareLock on the extension object until the end of the
 * transaction and tells whether it still is the one that we knew.  Every pass
 * begins with it, so that DROP EXTENSION waits for passes and not the other
 * way round.
 */
extern bool dx_extension_lock(void);

/* ---------- identity.c ---------- */

/*
 * Engine statements run as the extension's owner with a safe search_path and
 * outside of what the role has set for itself.  Nothing of the user's runs
 * between enter and leave.
 */
typedef struct DxIdentity
{
	Oid			userid;
	int			sec_context;
	int			guc_level;
} DxIdentity;

extern void dx_engine_enter(DxIdentity *saved);
extern void dx_engine_leave(const DxIdentity *saved);

/* ---------- plan.c: engine statements with saved plans ---------- */

/*
 * A statement of the engine.  Declare it static const in the file that uses
 * it; the plan is made at first use and kept.  Only between dx_engine_enter
 * and dx_engine_leave, and under SPI_connect.
 */
typedef struct DxStatement
{
	const char *sql;
	int			nargs;
	Oid			argtypes[24];
	SPIPlanPtr	plan;
} DxStatement;

extern int	dx_execute(DxStatement *statement, Datum *values, const char *nulls,
					   bool read_only, long max_rows);
extern int	dx_execute_latest(DxStatement *statement, Datum *values);

/* What a saved plan takes, roughly. */
extern Size dx_plan_size(SPIPlanPtr plan);

pg_noreturn extern void dx_no_room(int64 room, const char *what);

/*
 * Before element n of an array is written whose number of elements, room, was
 * not counted from what fills it: an error in every build, never a write past
 * its end.  what: plural, for the message.
 */
static inline void
dx_check_room(int64 n, int64 room, const char *what)
{
	if (unlikely(n < 0 || n >= room))
		dx_no_room(room, what);
}

/* ---------- bulk.c: many rows into one table of the engine ---------- */

typedef struct DxBulk DxBulk;

extern DxBulk *dx_bulk_open(const char *table, int ncolumns);
extern void dx_bulk_add(DxBulk *bulk, const Datum *values, const bool *nulls);
extern void dx_bulk_update(DxBulk *bulk, ItemPointer tid, int nchanged,
						   const AttrNumber *columns, const Datum *values,
						   const bool *nulls);
extern void dx_bulk_close(DxBulk *bulk);

/* ---------- deferred.c ---------- */

/* Are there deferred constraint triggers waiting in this transaction? */
extern bool dx_deferred_pending(void);

/* ---------- sqlstate.c ---------- */

/*
 * Errors that a client must not take for a passing trouble: drivers retry the
 * classes 08, 28, 40, 53, 54, 55, 57 and 58 (OperationalError in Python).
 * DX000 to DX004 are in engine.h and outside.h; DX005 is for a run that is at
 * home on another server.
 */
#define DX_SQLSTATE_ENDED		MAKE_SQLSTATE('D', 'X', '0', '0', '6')
#define DX_SQLSTATE_WRONG_STATE	MAKE_SQLSTATE('D', 'X', '0', '0', '7')
#define DX_SQLSTATE_HELD		MAKE_SQLSTATE('D', 'X', '0', '0', '8')
#define DX_SQLSTATE_TOO_LARGE	MAKE_SQLSTATE('D', 'X', '0', '0', '9')


extern const char *dx_sqlstate_name(int sqlstate);

/* ---------- server.c: what differs between versions of the server ---------- */

extern bool dx_may_execute(Oid function, Oid role);
extern bool dx_in_background(void);
extern bool dx_may_use_schema(const char *schema, Oid role);

/*
 * Makes the commit of this transaction wait for its flush, whatever the role
 * or the session has set.
 */
extern void dx_force_durable(void);

/* synchronous_commit as the server has it, without databases and roles: shmem.c. */
extern int	dx_server_commit(void);
extern void dx_server_commit_note(void);

/* ---------- frame.c: the one transaction frame of background processes ---------- */

extern void dx_frame_begin(const char *activity);
extern void dx_frame_commit(void);
extern int	dx_frame_shortage(void);

/* In a PG_CATCH of a background process: report, abort, be idle. */
extern void dx_frame_abort(void);
extern ErrorData *dx_subtransaction(void (*body) (void *arg), void *arg);

/* The last error of this process, whether or not the log has it. */
extern void dx_error_note(const ErrorData *edata);
extern const char *dx_error_last(int *sqlstate);

/* ---------- commit_by.c: what has to be committed by a time ---------- */

/* Raises the error; prepared: the transaction is about to be prepared. */
typedef void (*DxTooLate) (const pg_uuid_t *id, bool prepared);

extern void dx_commit_by(const pg_uuid_t *id, TimestampTz until, DxTooLate too_late);
extern bool dx_commit_by_closed(void);

/* ---------- clock.c ---------- */

/* Microseconds of a clock that nobody sets; shared memory only, never stored. */
typedef int64 DxMono;

#define DX_MONO_NEVER	PG_INT64_MAX

extern TimestampTz dx_now(void);
extern DxMono dx_mono(void);
extern DxMono dx_mono_after(int64 ms);
extern DxMono dx_mono_at(TimestampTz at);
extern long dx_mono_left(DxMono until);

/* ---------- uuid.c ---------- */

/* RFC 9562 section 5.7; monotonic within a process. */
extern void dx_uuid_v7(pg_uuid_t *uuid);
extern void dx_uuid_v7_after(pg_uuid_t *uuid, const pg_uuid_t *before);
extern char *dx_uuid_text(const pg_uuid_t *uuid);

/* ---------- shmem.c, ring.c, wake.c: see the heads of those files ---------- */

extern bool dx_shared_available(void);	/* preloaded? */
extern void dx_shared_init(void);	/* from _PG_init while preloading */
extern void dx_wake_init(void); /* registers the callbacks, once a backend */

/*
 * What this transaction has done that others wait for.  Acted upon after
 * commit; forgotten on abort and on PREPARE (the sweep finds it then).  All
 * of them are no-ops without shared memory.
 */
extern void dx_wake_run(Oid owner, const pg_uuid_t *run_id, int priority);	/* has work now */
extern void dx_wake_many(Oid owner);	/* too many to name: scan */
extern void dx_wake_at(TimestampTz due);	/* a branch is due then */
extern void dx_wake_ended(const pg_uuid_t *run_id); /* wakes CALL dealix.wait */
extern void dx_wake_extension(void);	/* CREATE/DROP EXTENSION */
extern void dx_wake_prepared(void); /* COMMIT PREPARED of somebody's work */
extern void dx_wake_launcher(void); /* databases have come or gone */

/* ---------- poison.c: runs that end the process that advances them ---------- */

extern void dx_poison_state(const char *name);
extern void dx_poison_forget(const pg_uuid_t *run_id);
extern bool dx_poison_left_alone(const pg_uuid_t *run_id);
extern void dx_poison_narrow(const pg_uuid_t *run_ids, int n);

#endif							/* DX_BASE_H */
