/*-------------------------------------------------------------------------
 *
 * engine.h
 *	  Runs, branches and the pass.
 *
 * A pass locks runs, takes their branches and messages into memory, advances
 * them there and writes back once.  Everything between lives in DxPass.cxt.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_H
#define DX_ENGINE_H

#include "asl/asl.h"
#include "audit/audit.h"
#include "base/base.h"
#include "funcapi.h"
#include "utils/array.h"

/*
 * Status of a run.  The numbers are stored; the legal edges stand in run.c.
 */
typedef enum DxRunStatus
{
	DX_RUN_NONE = 0,
	DX_RUN_RUNNING = 1,
	DX_RUN_COMPENSATING = 2,
	DX_RUN_INCIDENT = 3,
	DX_RUN_SUCCEEDED = 10,
	DX_RUN_FAILED = 11,
	DX_RUN_TIMED_OUT = 12,
	DX_RUN_CANCELLED = 13,
	DX_RUN_TERMINATED = 14
} DxRunStatus;

/* When a run's passes count as done.  Stored. */
#define DX_DURABILITY_SYNC	0
#define DX_DURABILITY_ASYNC 1

#define dx_status_ended(status) ((status) >= DX_RUN_SUCCEEDED)

/* What a branch does at the moment.  Stored. */
typedef enum DxPhase
{
	DX_PHASE_READY = 1,			/* about to enter its state */
	DX_PHASE_RETRY = 2,			/* waits before the next attempt */
	DX_PHASE_TIMER = 3,			/* in a Wait state */
	DX_PHASE_SIGNAL = 4,		/* waits for a signal */
	DX_PHASE_JOIN = 5,			/* waits for its child branches */
	DX_PHASE_UNDO = 6,			/* compensates */
	DX_PHASE_ACTIVITY = 7,		/* waits for a worker's outcome */
	DX_PHASE_EVENT = 8,			/* waits for an event */
	DX_PHASE_CHILD = 9,			/* waits for a child run */
	DX_PHASE_APPROVAL = 10,		/* waits for decisions */
	DX_PHASE_TOKEN = 11,		/* waits for whoever has the task token */
	DX_PHASE_SLOT = 12			/* waits until max_concurrency lets it begin */
} DxPhase;

/* Kinds of message in the inbox.  Stored. */
typedef enum DxMessageKind
{
	DX_MESSAGE_SIGNAL = 1,
	DX_MESSAGE_CANCEL = 2,
	DX_MESSAGE_COMPLETED = 3,	/* a task's output */
	DX_MESSAGE_FAILED = 4,		/* a task's error */
	DX_MESSAGE_EXPIRED = 5,		/* a task's time is over */
	DX_MESSAGE_EVENT = 6,
	DX_MESSAGE_DECIDED = 7,		/* about an intent */
	DX_MESSAGE_CHILD = 8,		/* a child run has ended */
	DX_MESSAGE_TERMINATE = 9,	/* from the parent run */
	DX_MESSAGE_COMPENSATE = 10	/* cancel, or undo what has succeeded */
} DxMessageKind;

/* Kinds of history event.  Stored; named by dx_event_name. */
typedef enum DxEventKind
{
	DX_EVENT_RUN_STARTED = 1,
	DX_EVENT_STATE_SUCCEEDED = 2,
	DX_EVENT_STEP_SUCCEEDED = 3,
	DX_EVENT_STEP_FAILED = 4,
	DX_EVENT_WAIT_STARTED = 5,
	DX_EVENT_SIGNAL_RECEIVED = 6,
	DX_EVENT_STATE_FAILED = 7,
	DX_EVENT_STATE_CAUGHT = 8,
	DX_EVENT_COMPENSATION_STARTED = 9,
	DX_EVENT_STEP_COMPENSATED = 10,
	DX_EVENT_COMPENSATION_FAILED = 11,
	DX_EVENT_RUN_SUCCEEDED = 12,
	DX_EVENT_RUN_FAILED = 13,
	DX_EVENT_RUN_TIMED_OUT = 14,
	DX_EVENT_RUN_CANCELLED = 15,
	DX_EVENT_RUN_TERMINATED = 16,
	DX_EVENT_CANCEL_REQUESTED = 17,
	DX_EVENT_INCIDENT_OPENED = 18,
	DX_EVENT_RUN_REDRIVEN = 19,
	DX_EVENT_MESSAGE_LATE = 20,
	DX_EVENT_BRANCHES_STARTED = 21,
	DX_EVENT_ACTIVITY_SCHEDULED = 40,
	DX_EVENT_EVENT_RECEIVED = 41,
	DX_EVENT_CHILD_STARTED = 42,
	DX_EVENT_INTENT_OPENED = 43,
	DX_EVENT_INTENT_DECIDED = 44,
	DX_EVENT_EMITTED = 45,
	DX_EVENT_RUN_CONTINUED = 46,
	DX_EVENT_RUN_REASSIGNED = 60,
	DX_EVENT_COMPENSABLE_SUCCEEDED = 22 /* a step_succeeded that can be undone */
} DxEventKind;

/* Who does something: with whose rights, and who has logged in for it. */
typedef struct DxActor
{
	Oid			role;			/* current_user */
	Oid			session;		/* session_user */
} DxActor;

typedef struct DxMessage
{
	pg_uuid_t	mailbox;		/* run_id of its row, see line.c */
	int64		inbox_id;
	DxMessageKind kind;
	char	   *name;
	Jsonb	   *payload;		/* after dx_message_take */
	bool		absent;			/* it is in the table still */
	DxActor		sender;
	TimestampTz sent_at;
	int32		branch;			/* that it answers, -1: any */
	pg_uuid_t	ticket;			/* then: what was asked, */
	int32		epoch;			/* and at which attempt; 0: any */
	bool		consumed;
	bool		seen;			/* a pass before has left it */
} DxMessage;

/* How far a Parallel or Map is.  Stored as an array in this order. */
typedef struct DxCounts
{
	int32		total;
	int32		opened;
	int32		done;
	int32		failed;
	int32		limit;			/* children at a time; 0 = no limit */
	int32		tolerated;		/* failures; -1 = none, the first one counts */
} DxCounts;

#define DX_NCOUNTS	(sizeof(DxCounts) / sizeof(int32))

/* What a child branch leaves for the join. */
typedef struct DxResult
{
	int32		parent;
	int32		item;
	Jsonb	   *output;
} DxResult;

typedef struct DxBranch
{
	int32		branch;			/* 0 = main */
	int32		parent;			/* -1 for the main branch */
	int32		item;			/* number among its siblings; in UNDO: cursor */
	DxPhase		phase;
	const DxState *state;		/* NULL: has not entered StartAt yet */
	int32		attempt;		/* of the state, from 1; 0 = none yet */
	int32		conflicts;		/* deadlocks in a row, not attempts; or
								 * DX_WAITS_ANEW */
	int32	   *retries;		/* per retrier; NULL = all 0 */
	int			nretries;
	TimestampTz due_at;			/* DT_NOEND: no timer */
	bool		suspended;		/* nothing wakes it before its run goes on */
	TimestampTz entered_at;
	char	   *wait_for;		/* name of the signal */
	Jsonb	   *data;			/* raw input of the state */
	Jsonb	   *effective;		/* input after Parameters; not stored */
	DxCounts	counts;			/* in JOIN */
	Jsonb	   *items;			/* in JOIN: what the children are made from */
	int32		stored_results; /* results that wait in the table */
	bool		data_changed;	/* data or items: large, so not written in
								 * vain */
	Jsonb	   *variables;		/* NULL: none */
	bool		ticketed;
	pg_uuid_t	ticket;			/* what answers from outside refer to */
	List	   *answers;		/* of DxMessage *, to ticket and attempt */
	bool		answered;		/* what was handed out is settled already */
	DxPhase		stored_phase;	/* as loaded: to see what is given up */
	int32		stored_attempt;
	bool		stored_ticketed;
	pg_uuid_t	stored_ticket;
	bool		stored;			/* has a row */
	bool		apart;			/* its step takes a pass of its own */
	bool		heartbeat_missed;	/* the States.Timeout at hand is that */
	bool		changed;
	bool		gone;			/* to be deleted */
} DxBranch;

typedef struct DxRun
{
	pg_uuid_t	id;
	ItemPointerData tid;		/* where its locked row is */
	int32		workflow_id;
	int32		version_id;
	const char *workflow;		/* name, from the program cache */
	int32		version;
	const DxProgram *program;
	Oid			owner;
	DxRunStatus status;
	DxRunStatus final_status;	/* while COMPENSATING or INCIDENT in it */
	int16		durability;
	int16		priority;
	Oid			requester;		/* who asked for it first, if not the owner */
	List	   *requesters;		/* Oids: who else did; see requester.c */
	bool		has_parent;
	pg_uuid_t	parent_run;
	int32		parent_branch;	/* -1: nobody waits */
	pg_uuid_t	parent_ticket;	/* what the branch waits for */
	int16		close_policy;	/* DxClosePolicy */
	bool		continued;		/* another run goes on in its place: */
	pg_uuid_t	continued_as;
	bool		continues;		/* goes on in the place of another; the */
	pg_uuid_t	first_run;		/* first of the line, always set */
	bool		ended_now;		/* in this pass */
	int16		depth;			/* of children of children */
	int32		children;		/* runs started, ever */
	int16		redrives;
	bool		reassigned;		/* not of its first owner any more */
	int32		item;			/* of a distributed Map, or -1 */
	char	   *map_state;		/* then: the state's name */
	int32		seq;			/* last history event */
	int32		last_branch;	/* highest branch number used */
	int32		undone_to;		/* events up to here are compensated */
	TimestampTz created_at;
	TimestampTz started_at;		/* 0: not yet */
	TimestampTz finished_at;	/* 0: not yet */
	TimestampTz deadline;		/* DT_NOEND: none */
	char	   *key;
	char	   *correlation_id;
	char	   *traceparent;
	Jsonb	   *input;
	Jsonb	   *output;
	char	   *error;
	char	   *cause;
	DxChain		chain;
	List	   *branches;		/* of DxBranch * */
	List	   *messages;		/* of DxMessage *, in order of arrival */
	List	   *results;		/* of DxResult *, not joined yet */
	List	   *joined;			/* parents whose stored results can go */
	int32		at;				/* branch that is being advanced */
	struct DxSentence *sentence;	/* of a step, or NULL: see evaluate.c */
	Oid			slot_owner;		/* whose set of slots; InvalidOid: that of all */
	bool		limited;		/* its workflow has a max_concurrency, */
	bool		refused;		/* and had no slot for it in this pass, */
	bool		slotted;		/* or has taken one in this pass, */
	bool		holds;			/* or had one before; */
	bool		gives_back;		/* does not need it after this pass */
	bool		looked_up;		/* the one it had is in hand */
	bool		due;			/* has work left at the end of the pass */
	bool		changed;
} DxRun;

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
	DxPassResult *result;
} DxPass;

/*
 * Where a scan for due work stands; all zero = at the beginning.
 */
typedef struct DxDueCursor
{
	TimestampTz due_at;
	pg_uuid_t	run_id;
	int64		inbox_id;
	int16		rank;
	bool		placed;			/* rank and what is before it count */
	bool		branches_done;
} DxDueCursor;

/* ---------- pass.c ---------- */

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


/*
 * dx_pass for callers inside of a transaction that they do not own, with the
 * retry one run at a time and the quarantine done in subtransactions.  hint: a
 * run to look at, or NULL.
 */
extern void dx_pass_guarded(Oid owner, const DxPassLimits *limits,
							const pg_uuid_t *hint, DxPassResult *result);

/* For calls about one run: a pass that holds just this run, locked. */
extern DxPass *dx_pass_open(Oid owner, bool cancel_is_error, int max_time,
							DxPassResult *result);
extern DxRun *dx_pass_take(DxPass *pass, const pg_uuid_t *run_id, bool wait);
extern void dx_pass_take_all(DxPass *pass, const pg_uuid_t *run_ids, int n);
extern void dx_pass_close(DxPass *pass);

/* ---------- quarantine.c ---------- */

extern DxRun *dx_pass_take_unread(DxPass *pass, const pg_uuid_t *run_id);
extern void dx_terminate_unread(DxPass *pass, DxRun *run, const char *reason,
								const DxActor *actor);

/* Makes an incident of a run whose pass failed by an error of the engine. */
extern void dx_pass_quarantine(const pg_uuid_t *run_id, const char *message);

/* ---------- scan.c ---------- */

/*
 * Run ids of owner that have work at this moment, oldest first, at most max,
 * after *cursor, which is moved forward.  Takes no locks: who claims checks
 * again.  Fewer than max: the scan has come to its end.
 */
extern int	dx_scan_due(Oid owner, DxDueCursor *cursor, int max, pg_uuid_t *ids,
						int16 *ranks);

/* An owner that has work now. */
typedef struct DxDueOwner
{
	Oid			owner;
	bool		urgent;			/* some of it is of a priority above 0 */
} DxDueOwner;

/* What the dispatcher's look has found.  owners: in CurrentMemoryContext. */
typedef struct DxLook
{
	DxDueOwner *owners;
	int			nowners;
	TimestampTz next_due;		/* DT_NOEND: nothing is due later */
	bool		blocked;		/* what is due is locked: look again soon */
} DxLook;

extern void dx_scan_timers(TimestampTz after, TimestampTz now, DxLook *look);
extern void dx_scan_all(TimestampTz now, DxLook *look);

/* ---------- held.c ---------- */

/* A copy of a database must not repeat effects. */
extern bool dx_database_held(void);
extern bool dx_database_at_home(void);
extern void dx_identity_record(void);
extern bool dx_identity_adopt(void);

/* ---------- store.c: every statement over the engine's tables ---------- */

/* Columns of dealix.run, as bulk.c counts them. */
#define DX_RUN_COLUMNS	37

extern List *dx_store_claim(DxPass *pass, const pg_uuid_t *ids, int nids, bool wait);
extern List *dx_store_load(DxPass *pass, List *runs);
extern DxRun *dx_store_claim_header(DxPass *pass, const pg_uuid_t *run_id);
struct DxRow;
extern Datum dx_run_ids(List *runs);
extern void dx_merge_rows(List *runs, void (*read) (DxRun *run, struct DxRow *row));
extern void dx_store_history(DxPass *pass);
extern void dx_store_write(DxPass *pass);

/* ---------- inbox.c ---------- */

extern void dx_inbox_load(DxPass *pass, List *runs);
extern void dx_inbox_write(List *runs);
extern void dx_inbox_admit(const pg_uuid_t *run_id, const Jsonb *payload);
extern void dx_message_take(DxPass *pass, DxMessage *message);

/* ---------- program_cache.c ---------- */

extern const DxProgram *dx_program_of(int32 version_id, const char **workflow,
									  int32 *version);
extern void dx_program_kept(const DxProgram *program, Size *size, Size now);

/* Before a Program is forgotten: its plans, in expression.c and call.c. */
extern void dx_expressions_forget(uint64 program);
extern void dx_calls_forget(uint64 program);

/* ---------- version.c ---------- */

typedef struct DxVersion
{
	int32		workflow_id;
	int32		version_id;
	Oid			author;			/* whose the workflow is */
} DxVersion;

extern void dx_version_find(const char *workflow, int32 version,
							DxVersion *found);
extern void dx_version_stored(void);

/* ---------- history.c ---------- */

typedef struct DxEvent
{
	DxRun	   *run;
	int32		seq;
	DxEventKind kind;
	int32		branch;
	const char *state;			/* NULL: of the run */
	int32		attempt;
	const char *actor;			/* role name at that time; NULL: the owner */
	const char *session_actor;	/* who had logged in; NULL: the actor */
	TimestampTz at;
	Jsonb	   *payload;
	DxHash		hash;
} DxEvent;

extern void dx_event(DxPass *pass, DxRun *run, DxEventKind kind,
					 const DxBranch *branch, Jsonb *payload);
extern void dx_event_by(DxPass *pass, DxRun *run, DxEventKind kind,
						const DxActor *actor, Jsonb *payload);
extern DxActor dx_actor(void);
extern void dx_events_chain(List *events);
extern const char *dx_event_name(DxEventKind kind);
extern char *dx_role_name(Oid role);
extern Jsonb *dx_payload(const char *first_key,...);
extern Jsonb *dx_json_int(int32 value);
extern Jsonb *dx_json_text(const char *text);

/* ---------- run.c ---------- */

extern const char *dx_status_name(DxRunStatus status);
extern void dx_run_advance(DxPass *pass, DxRun *run);
extern void dx_run_set_status(DxRun *run, DxRunStatus status);
extern void dx_run_succeed(DxPass *pass, DxRun *run, Jsonb *output);
extern void dx_run_fail(DxPass *pass, DxRun *run, DxRunStatus final_status,
						const DxFault *fault);
extern void dx_run_time_out(DxPass *pass, DxRun *run);
extern void dx_run_end(DxPass *pass, DxRun *run, DxRunStatus status);
extern void dx_run_incident(DxPass *pass, DxRun *run, const DxFault *fault);
extern void dx_run_terminate(DxPass *pass, DxRun *run, const char *reason,
							 const DxActor *actor);
extern void dx_run_redrive(DxPass *pass, DxRun *run);

/* What somebody who waits for a run wants to know besides its status. */
typedef struct DxStatusLook
{
	bool		ended;
	bool		incident;		/* waits for a person */
	bool		uncommitted;	/* this transaction has written it */
	pg_uuid_t	line;			/* whom its end wakes */
} DxStatusLook;

extern char *dx_run_status_text(const pg_uuid_t *run_id, DxStatusLook *look);

/* ---------- line.c: runs that continue each other ---------- */

extern void dx_line_last(const pg_uuid_t *first_run, pg_uuid_t *last);
extern void dx_line_wake(const DxRun *run);
extern void dx_line_load(DxPass *pass, List *runs);
extern const pg_uuid_t *dx_mailbox(const DxRun *run, const DxMessage *message);

/* ---------- branch.c ---------- */

extern DxBranch *dx_branch_new(DxPass *pass, DxRun *run, int32 parent);
extern DxBranch *dx_branch_find(DxRun *run, int32 number);
extern void dx_branch_advance(DxPass *pass, DxRun *run, DxBranch *branch);
extern Jsonb *dx_branch_called_with(DxPass *pass, DxRun *run, DxBranch *branch);
extern void dx_branch_step_done(DxPass *pass, DxRun *run, DxBranch *branch,
								Jsonb *result);
extern void dx_branch_step_failed(DxPass *pass, DxRun *run, DxBranch *branch,
								  const DxFault *fault);
extern bool dx_branch_due(const DxPass *pass, const DxRun *run,
						  const DxBranch *branch);

/* No Retry: it would not help. */
extern void dx_branch_heartbeat_missed(DxPass *pass, DxRun *run, DxBranch *branch,
									   char *cause);
extern void dx_branch_gave_up(DxPass *pass, DxRun *run, DxBranch *branch,
							  const DxFault *fault);
extern Jsonb *dx_json_uuid(const pg_uuid_t *uuid);

/* ---------- phase.c: what a branch does, and what wakes it ---------- */

extern void dx_branch_set_phase(DxBranch *branch, DxPhase phase,
								TimestampTz due_at);
extern void dx_branch_park(DxRun *run, DxBranch *branch, DxPhase phase,
						   TimestampTz due_at);
extern void dx_branch_goto(DxBranch *branch, const DxState *state, Jsonb *data);
extern void dx_branch_hurry(DxBranch *branch, TimestampTz now);
extern void dx_branch_suspend(DxBranch *branch, TimestampTz until);
extern void dx_branch_check(const DxPass *pass, const DxRun *run,
							DxBranch *branch);

/* ---------- budget.c ---------- */

extern bool dx_budget_spent(DxPass *pass);

/* Of a branch that waits: an operator has redriven its run. */
#define DX_WAITS_ANEW		(-1)

/* Deadlocks in a row after which the author of the step has to hear of it. */
#define DX_MAX_CONFLICTS	25
extern TimestampTz dx_conflict_retry_at(int conflicts);
extern TimestampTz dx_after_seconds(TimestampTz from, double seconds);

/* ---------- careful.c ---------- */

extern bool dx_careful_enter(const DxRun *run, const DxBranch *branch,
							 DxFault *fault, bool *for_good);
extern Size dx_evaluation_limit(void);
extern void dx_careful_leave(void);
extern bool dx_careful_failed(const pg_uuid_t *run_id, int sqlstate,
							  const char *message);
extern DxFault dx_fault_clipped(const DxFault *fault);
extern char *dx_cause_clipped(char *text);

/* ---------- context.c ---------- */

extern void dx_env_init(DxEnv *env, DxPass *pass, DxRun *run, DxBranch *branch);
extern Jsonb *dx_json_timestamp(TimestampTz at);

/* ---------- integration_io.c ---------- */

extern Jsonb *dx_integration_input(const DxTask *task, Jsonb *effective);
extern Jsonb *dx_integration_result(const DxPass *pass, const DxBranch *branch,
									Jsonb *input, Jsonb *result);
extern void dx_integration_fault(const DxPass *pass, const DxBranch *branch,
								 Jsonb *input, const char *status, DxFault *fault);

/* ---------- step.c ---------- */

extern void dx_step_run(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env);
extern bool dx_step_waits(DxPass *pass, const DxRun *run, DxBranch *branch,
						  int state_index);

/* ---------- signal.c ---------- */

extern void dx_signal_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env);
extern void dx_signal_wake(DxPass *pass, DxRun *run, DxBranch *branch);
extern bool dx_signal_here(const DxRun *run, const DxBranch *branch);

/* Names in "a|b" or "a&b" that are accepted when a workflow is published. */
#define DX_MAX_NAMES	64

extern List *dx_names_split(const char *names, bool *all);

/* ---------- handout.c: Tasks that are done outside of the pass ---------- */

/* What a branch asks of the outside; written when the pass is. */
typedef struct DxHandout
{
	DxResourceKind kind;
	DxRun	   *run;
	DxBranch   *branch;
	DxPhase		phase;
	pg_uuid_t	ticket;
	int32		epoch;
	void	   *what;			/* of the kind */
} DxHandout;

/* What a room above does for a kind of resource. */
typedef struct DxResource
{
	/* A branch has come to the Task; its effective input is evaluated. */
	void		(*enter) (DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env);

	/* Answers have come (branch->answers), or the branch's timer is over. */
	void		(*wake) (DxPass *pass, DxRun *run, DxBranch *branch);

	/* After an incident, in a pass: waits on, or begins anew by phase READY. */
	void		(*resume) (DxPass *pass, DxRun *run, DxBranch *branch);

	/* Hands out a compensation.  false: that is all, nobody answers. */
	bool		(*undo) (DxPass *pass, DxRun *run, DxBranch *branch,
						 const char *target, Jsonb *input, double timeout);

	/* Does somebody still have to answer? */
	bool		(*awaited) (const pg_uuid_t *ticket, int32 epoch);

	/* Waits for the task token, after the pass has done the Task itself. */
	void		(*await) (DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env);
} DxResource;

extern void dx_resource_register(DxResourceKind kind, const DxResource *resource);
extern const DxResource *dx_resource_of(DxResourceKind kind);
extern void dx_handout_register(void (*write) (DxPass *pass));
extern void dx_handouts_write(DxPass *pass);
extern DxHandout *dx_handout(DxPass *pass, DxRun *run, DxBranch *branch,
							 DxResourceKind kind, DxPhase phase, void *what);
extern bool dx_handout_valid(const DxHandout *handout);
extern bool dx_branch_gives_up(const DxBranch *branch);
extern void dx_branch_ticket(DxBranch *branch);
extern void dx_branch_new_ticket(DxBranch *branch);
extern void dx_branch_wake(DxPass *pass, DxRun *run, DxBranch *branch);
extern void dx_branch_resume(DxPass *pass, DxBranch *branch);
extern bool dx_branch_answered(const DxBranch *branch);
extern DxMessage *dx_branch_answer(DxPass *pass, DxBranch *branch);
extern void dx_answers_match(DxRun *run);
extern void dx_answers_late(DxPass *pass, DxRun *run);
extern void dx_message_late(DxPass *pass, DxRun *run, DxMessage *message);

#define DX_PHASE_IS_OUTSIDE(phase) \
	((phase) >= DX_PHASE_ACTIVITY && (phase) <= DX_PHASE_TOKEN)

/* ---------- token.c ---------- */

extern char *dx_token_text(const pg_uuid_t *ticket, int32 epoch);
extern bool dx_token_parse(const char *token, pg_uuid_t *ticket, int32 *epoch);

/* ---------- lease.c ---------- */

/*
 * For a statement whose CTE "deleted" returns tasks that it has deleted: gives
 * back their slots of the activity's max_in_flight.
 */
#define DX_GIVE_BACK_SLOTS(deleted) \
	"UPDATE dealix.activity_slot s SET taken = false FROM " deleted " t" \
	" WHERE s.slot_id = t.slot_id"

extern bool dx_leases_expire(Oid owner, TimestampTz now);
extern void dx_outcomes_forget(TimestampTz now);
extern void dx_task_gone(struct DxRow *row);
extern void dx_activity_channel(const char *activity, pg_uuid_t *channel);

/* ---------- join.c: Parallel and Map ---------- */

extern void dx_join_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env);
extern void dx_join_advance(DxPass *pass, DxRun *run, DxBranch *branch);
extern bool dx_join_can_go_on(const DxBranch *branch);
extern bool dx_join_due(const DxBranch *branch);
extern void dx_join_child_done(DxPass *pass, DxRun *run, DxBranch *child,
							   Jsonb *output);
extern void dx_join_child_failed(DxPass *pass, DxRun *run, DxBranch *child,
								 const DxFault *fault);

extern void dx_join_failed(DxPass *pass, DxRun *run, DxBranch *parent,
						   const DxFault *fault);

/* ---------- distribute.c: a Map whose items are runs ---------- */

/* What such a Map hands out: kind WORKFLOW, phase JOIN. */
typedef struct DxItemRun
{
	int32		item;
	Jsonb	   *input;
} DxItemRun;

extern bool dx_distributes(const DxBranch *branch);
extern void dx_item_open(DxPass *pass, DxRun *run, DxBranch *branch, int item,
						 Jsonb *input);
extern bool dx_items_ended(DxPass *pass, DxRun *run, DxBranch *branch);

/* ---------- result.c ---------- */


extern void dx_result_keep(DxPass *pass, DxRun *run, int32 parent, int32 item,
						   Jsonb *output);
extern Jsonb *dx_results_collect(DxPass *pass, DxRun *run, DxBranch *parent);
extern void dx_results_forget(DxRun *run, DxBranch *parent);
extern bool dx_tolerance_check(DxBranch *branch, DxEnv *env, DxFault *fault);
extern bool dx_tolerates_failures(const DxBranch *branch);
extern bool dx_tolerance_holds(const DxBranch *branch, DxFault *fault);

/* ---------- turn.c: a run in progress that has no slot ---------- */

/* Slots of a workflow: for all owners, or for one. */
typedef struct DxSlotSet
{
	int32		workflow_id;
	Oid			owner;			/* InvalidOid: of all */
} DxSlotSet;

static inline bool
dx_same_set(DxSlotSet a, DxSlotSet b)
{
	return a.workflow_id == b.workflow_id && a.owner == b.owner;
}

static inline uint32
dx_set_hash(DxSlotSet set)
{
	return (uint32) set.workflow_id + set.owner;
}

/* Number of the branch that stands in the queue for such a run. */
#define DX_TURN_BRANCH	(-1)

extern DxSlotSet dx_slot_set(const DxRun *run);
extern DxRun *dx_run_find(List *runs, const pg_uuid_t *run_id);
extern void dx_slots_mark(List *runs);
extern bool dx_turn_needed(const DxRun *run);
extern void dx_turn_wait(DxPass *pass, DxRun *run);
extern void dx_turn_taken(DxPass *pass, DxRun *run);
extern void dx_turn_over(DxPass *pass, DxRun *run);

/* ---------- concurrency.c ---------- */

extern bool dx_slot_take(DxPass *pass, DxRun *run);
extern void dx_slots_settle(DxPass *pass);

/* ---------- slot_set.c ---------- */

extern int64 dx_slots_free(DxSlotSet set, bool need);
extern void dx_slots_limit(int32 workflow_id, int max_concurrency, bool per_owner);
extern void dx_slots_reassign(Oid from, Oid to);
extern void dx_slots_restored(void);

/* ---------- queue.c ---------- */

extern char *dx_queue_name(DxSlotSet set);
extern int64 dx_queue_wake(DxSlotSet set, Oid owner, int64 n, TimestampTz due);
extern int	dx_queue_wake_own(DxSlotSet set, int n, Oid owner, pg_uuid_t *ids);
extern void dx_queue_wake_all(int32 workflow_id);
extern int64 dx_queue_sweep(Oid owner);

/* ---------- undo.c ---------- */

extern void dx_undo_refused(DxPass *pass, DxRun *run, DxBranch *branch,
							const DxFault *fault, bool for_good);
extern void dx_undo_advance(DxPass *pass, DxRun *run, DxBranch *branch);

/* ---------- guard.c ---------- */

typedef enum DxCallOutcome
{
	DX_CALL_DONE,
	DX_CALL_FAULT,
	DX_CALL_TIMEOUT,
	DX_CALL_WAITS,				/* somebody outside has it */
	DX_CALL_CONFLICT			/* deadlock or serialization failure: again */
} DxCallOutcome;

typedef void (*DxUserCode) (void *arg);

extern DxCallOutcome dx_guard(DxPass *pass, Oid owner, double timeout,
							  DxUserCode code, void *arg, DxFault *fault);
extern void dx_refuse_in_step(const char *what);
extern bool dx_in_user_code(void);
extern const DxRun *dx_run_in_step(void);
extern void dx_require_owner(const DxRun *run);

/* ---------- evict.c ---------- */

extern void dx_run_evict(const pg_uuid_t *run_id, Oid owner);

/* ---------- sentence.c ---------- */

extern void dx_sentence_load(DxRun *run);
extern bool dx_sentence_takes(DxRun *run, const char *place,
							  DxCallOutcome *outcome, DxFault *fault);

/* ---------- evaluate.c: dx_io_*() and the like, for a limited time ---------- */

extern bool dx_eval_enter(const DxState *state, DxEnv *env, Jsonb **effective,
						  DxFault *fault);
extern bool dx_eval_exit(const DxState *state, DxEnv *env, Jsonb *result,
						 Jsonb **output, Jsonb **variables, DxFault *fault);
extern bool dx_eval_catch(const DxState *state, const DxCatcher *catcher,
						  DxEnv *env, const DxFault *error, Jsonb **output,
						  Jsonb **variables, DxFault *fault);
extern bool dx_eval_choose(const DxState *state, DxEnv *env, int *next,
						   Jsonb **output, Jsonb **variables, DxFault *fault);
extern bool dx_eval_wait(const DxState *state, DxEnv *env, TimestampTz now,
						 TimestampTz *until, DxFault *fault);
extern bool dx_eval_fail(const DxState *state, DxEnv *env, DxFault *error,
						 DxFault *fault);
extern bool dx_eval_items(const DxState *state, DxEnv *env, Jsonb **items,
						  DxFault *fault);
extern bool dx_eval_item_input(const DxState *state, DxEnv *env, int index,
							   Jsonb *item, Jsonb **input, DxFault *fault);
extern bool dx_eval_batches(const DxState *state, DxEnv *env, Jsonb *items,
							Jsonb **batches, DxFault *fault);
extern bool dx_eval_template(const DxTemplate *template, DxEnv *env,
							 Jsonb **value, DxFault *fault);
extern bool dx_eval_amount(const DxAmount *amount, DxEnv *env, bool *given,
						   double *value, DxFault *fault);


/* ---------- call.c, resolve.c: sql: steps ---------- */

extern DxCallOutcome dx_call_sql(DxPass *pass, DxRun *run, int state_index,
								 const char *target, Jsonb *input,
								 double timeout, Jsonb **result,
								 DxFault *fault);
extern double dx_call_expected(const DxRun *run, int state_index);

typedef struct DxCallee
{
	Oid			function;
	bool		whole;			/* one jsonb argument takes the whole input */
	bool		ignores_input;	/* it has no arguments, and no namesake */
	bool		returns_set;
	bool		returns_void;
	int			variadic_arg;	/* which of them is VARIADIC, or -1 */
	int			nargs;			/* arguments given */
	char	  **names;			/* of the input's members, in jsonb order */
	Oid		   *types;
	bool		namesakes;		/* there are others of its name */
	int			ndefaults;		/* named arguments that are not given */
	char	  **default_names;	/* of them */
	Oid		   *default_types;
	int		   *default_numbers;	/* from 1 */
	char	   *schema;
	char	   *name;
	char	   *signature;		/* types of all its arguments */
} DxCallee;

extern bool dx_split_target(const char *target, char **schema, char **name);
extern List *dx_function_oids(const char *schema, const char *name);
extern List *dx_function_signatures(const char *schema, const char *name,
									List **owners);
extern bool dx_resolve(const char *target, const Jsonb *input,
					   const List *pins, DxCallee *callee, DxFault *fault);

/* ---------- pin.c: what names meant when a version was published ---------- */

typedef enum DxPinKind
{
	DX_PIN_FUNCTION = 1,
	DX_PIN_WORKFLOW = 2
} DxPinKind;

typedef struct DxPin
{
	DxPinKind	kind;
	char	   *target;			/* as the resource names it */
	char	   *arguments;		/* of a function: the types; else "" */
	Oid			owner;
} DxPin;

/* workflow:continue_as_new: the run's own */
#define DX_CONTINUE_TARGET	"continue_as_new"

/* A workflow that a state starts is not there. */
#define DX_ERROR_NO_WORKFLOW	"Workflow.DoesNotExist"

extern List *dx_pin_add(List *pins, DxPinKind kind, const char *target,
						const char *arguments, Oid owner);
extern bool dx_pins_equal(const List *a, const List *b);
extern void dx_pins_store(int32 version_id, const List *pins);
extern List *dx_pins_load(int32 version_id);
extern List *dx_pins_of_function(int32 version_id, const char *target);
extern bool dx_pin_owner_holds(const List *pins, const DxCallee *callee,
							   Oid run_owner, DxFault *fault);
extern Oid	dx_function_owner(Oid function);
extern Oid	dx_workflow_author(const char *workflow);
extern bool dx_child_allowed(const DxRun *run, const char *workflow,
							 DxFault *fault);

/* ---------- expression.c, expression_check.c ---------- */

extern void dx_expression_env(DxEnv *env, DxPass *pass, DxRun *run);
extern void dx_expression_search_path(void);
extern void dx_expression_check(void *arg, const DxExpr *expr,
								DxProblems *problems);

/* ---------- argument.c ---------- */

/* How JSON becomes an argument of one SQL type. */
typedef struct DxArgument
{
	Oid			type;
	bool		by_query;		/* array, composite, domain */
	SPIPlanPtr	plan;			/* then */
	FmgrInfo	input;			/* else: the type's input function */
	Oid			ioparam;
} DxArgument;

extern void dx_argument_prepare(DxArgument *argument, Oid type, MemoryContext cxt);
extern void dx_argument_release(DxArgument *argument);
extern Datum dx_argument_value(DxArgument *argument, JsonbValue *value, bool *isnull);

/* ---------- owner.c: which roles may own runs ---------- */

typedef struct DxOwnerProblem
{
	int			sqlstate;
	char	   *message;
	char	   *detail;
	char	   *hint;
} DxOwnerProblem;

extern bool dx_owner_allowed(Oid owner, DxOwnerProblem *problem);
extern void dx_owner_check(Oid owner);

/* ---------- trust.c: whose workflows an owner executes ---------- */

extern bool dx_trusts(Oid owner, Oid author);
extern void dx_trust_check(Oid owner, Oid author, const char *workflow);
extern bool dx_trust_author(Oid author);
extern bool dx_distrust_author(Oid author);
extern void dx_trust_changed(void);
extern char *dx_role_text(Oid role);

/* ---------- role.c, reassign.c: roles that the tables name ---------- */

extern void dx_role_note(Oid role);
extern void dx_roles_note_all(void);
extern void dx_role_forget(Oid role);
extern int64 dx_reassign(Oid from, Oid to);

/* ---------- start.c ---------- */

typedef struct DxStart
{
	char	   *workflow;
	int32		version;		/* 0: the latest */
	char	   *correlation_id;
	char	   *traceparent;
	int16		priority;
	int16		durability;

	/* for who is not an application: all zero otherwise */
	TimestampTz due_at;			/* not before; 0: now */
	bool		any_input;		/* a run with the key may have another */
	const pg_uuid_t *run_id;	/* the id that it gets */
	const pg_uuid_t *first_run; /* of the line that it continues */
	Oid			owner;			/* InvalidOid: the current user */
	const pg_uuid_t *parent;	/* NULL: none */
	const pg_uuid_t *parent_ticket; /* NULL: its own id */
	int32		parent_branch;	/* -1: nobody waits */
	int16		close_policy;	/* DxClosePolicy */
	int16		depth;
	List	   *requesters;		/* Oids; NIL: who this session is */
	const char *map_state;		/* items of a distributed Map: of which state, */
	const int32 *items;			/* and their numbers, one for each input */
} DxStart;

extern bool dx_start_allowed(const DxStart *start, DxOwnerProblem *problem);
extern void dx_start(const DxStart *start, int n, Jsonb **inputs, char **keys,
					 pg_uuid_t *run_ids);

/* ---------- requester.c: who has asked for a run; lists of Oids ---------- */

extern List *dx_requesters_of(const DxRun *run);
extern List *dx_requesters_now(void);
extern void dx_requester_add(DxPass *pass, DxRun *run);
extern List *dx_requesters_but(const List *line, Oid one, Oid other);
extern ArrayType *dx_requesters_array(const List *line);
extern char *dx_requesters_text(const List *line);

/* ---------- persons.c ---------- */

extern int	dx_persons(const List *names, const List *excluded, int enough);
extern void dx_check_approvers(List *names, int quorum, const char *pointer,
							   DxProblems *problems);

/* ---------- payload_limit.c ---------- */

/* Bytes of a key, a correlation id or a name: what an index can take. */
#define DX_MAX_LABEL	512

/* Bytes of a comment or a reason. */
#define DX_MAX_COMMENT	(32 * 1024)

extern void dx_check_label(const char *value, const char *name);
extern void dx_check_comment(const char *value, const char *name);
extern void dx_check_definition(const Jsonb *definition);
extern void dx_check_states(int nstates);
extern bool dx_too_many_events(DxPass *pass, DxRun *run);
extern void dx_check_payload(const Jsonb *json, const char *what);
extern bool dx_within_limits(const Jsonb *json, const char *state,
							 DxFault *fault);
extern bool dx_variables_within_limits(const Jsonb *before, const Jsonb *after,
									   const char *state, DxFault *fault);

/* ---------- publish.c ---------- */

extern int	dx_publish(const char *name, Jsonb *definition, DxProblems *problems);

/*
 * What the checks of a definition need and find out: arg of the options.  NULL
 * there: bindings are not gathered, and any variable may be one.
 */
typedef struct DxPublishing
{
	MemoryContext cxt;			/* of what is gathered */
	Jsonb	   *bindings;		/* used ones: targets by URI; NULL: none */
	List	   *variables;		/* of char *: what some Assign sets */
	List	   *pins;			/* of DxPin *: what the names mean now */
} DxPublishing;

extern void dx_limit_workflow(const char *name, int max_concurrency, bool per_owner);
extern void dx_publish_options(DxCompileOptions *options,
							   DxPublishing *publishing,
							   const Jsonb *definition);

/* ---------- binding.c ---------- */

extern char *dx_binding_find(const char *uri);
extern void dx_binding_set(const char *uri, const char *target);
extern bool dx_binding_remove(const char *uri);
extern void dx_binding_apply(const char *bound, DxResourceKind *kind,
							 const char **target, bool *wait_for_token,
							 bool *no_wait);

/* ---------- access.c ---------- */

extern bool dx_may_see(Oid owner);
extern bool dx_may_operate(Oid owner);

#define DX_SQLSTATE_RAISED	MAKE_SQLSTATE('D', 'X', '0', '0', '1')
#define DX_SQLSTATE_RAISED_UNNAMED	MAKE_SQLSTATE('D', 'X', '0', '0', '0')

#endif							/* DX_ENGINE_H */
