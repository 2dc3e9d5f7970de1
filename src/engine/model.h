/*-------------------------------------------------------------------------
 *
 * model.h
 *	  Runs, branches and messages, as a pass has them in memory.
 *
 * A pass locks runs, takes their branches and messages into memory, advances
 * them there and writes back once.  Everything between lives in DxPass.cxt.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_MODEL_H
#define DX_ENGINE_MODEL_H

#include "asl/asl.h"
#include "audit/audit.h"
#include "base/catalog.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/*
 * Status of a run.  The numbers are stored; the legal edges stand in run.c.
 */
typedef enum DxRunStatus
{
	DX_RUN_NONE = N_RUN_NONE,
	DX_RUN_RUNNING = N_RUN_RUNNING,
	DX_RUN_COMPENSATING = N_RUN_COMPENSATING,
	DX_RUN_INCIDENT = N_RUN_INCIDENT,
	DX_RUN_SUCCEEDED = N_RUN_SUCCEEDED,
	DX_RUN_FAILED = N_RUN_FAILED,
	DX_RUN_TIMED_OUT = N_RUN_TIMED_OUT,
	DX_RUN_CANCELLED = N_RUN_CANCELLED,
	DX_RUN_TERMINATED = N_RUN_TERMINATED
} DxRunStatus;

/* When a run's passes count as done.  Stored. */
#define DX_DURABILITY_SYNC	0
#define DX_DURABILITY_ASYNC 1

#define dx_status_ended(status) ((status) >= DX_RUN_SUCCEEDED)

/* What a branch does at the moment.  Stored. */
typedef enum DxPhase
{
	DX_PHASE_READY = N_PHASE_READY, /* about to enter its state */
	DX_PHASE_RETRY = N_PHASE_RETRY, /* waits before the next attempt */
	DX_PHASE_TIMER = N_PHASE_TIMER, /* in a Wait state */
	DX_PHASE_SIGNAL = N_PHASE_SIGNAL,	/* waits for a signal */
	DX_PHASE_JOIN = N_PHASE_JOIN,	/* waits for its child branches */
	DX_PHASE_UNDO = N_PHASE_UNDO,	/* compensates */
	DX_PHASE_ACTIVITY = N_PHASE_ACTIVITY,	/* waits for a worker's outcome */
	DX_PHASE_EVENT = N_PHASE_EVENT, /* waits for an event */
	DX_PHASE_CHILD = N_PHASE_CHILD, /* waits for a child run */
	DX_PHASE_APPROVAL = N_PHASE_APPROVAL,	/* waits for decisions */
	DX_PHASE_TOKEN = N_PHASE_TOKEN, /* waits for whoever has the task token */
	DX_PHASE_SLOT = N_PHASE_SLOT	/* waits until max_concurrency lets it
									 * begin */
} DxPhase;

/* Kinds of message in the inbox.  Stored. */
typedef enum DxMessageKind
{
	DX_MESSAGE_SIGNAL = N_MESSAGE_SIGNAL,
	DX_MESSAGE_CANCEL = N_MESSAGE_CANCEL,
	DX_MESSAGE_COMPLETED = N_MESSAGE_COMPLETED, /* a task's output */
	DX_MESSAGE_FAILED = N_MESSAGE_FAILED,	/* a task's error */
	DX_MESSAGE_EXPIRED = N_MESSAGE_EXPIRED, /* a task's time is over */
	DX_MESSAGE_EVENT = N_MESSAGE_EVENT,
	DX_MESSAGE_DECIDED = N_MESSAGE_DECIDED, /* about an intent */
	DX_MESSAGE_CHILD = N_MESSAGE_CHILD, /* a child run has ended */
	DX_MESSAGE_TERMINATE = N_MESSAGE_TERMINATE, /* from the parent run */
	DX_MESSAGE_COMPENSATE = N_MESSAGE_COMPENSATE	/* cancel, or undo what
													 * has succeeded */
} DxMessageKind;

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
	int32		attempt;		/* and at which attempt; 0: any */
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
	int32		item;			/* number among its siblings */
	int32		undone;			/* in UNDO: event of the step undone last; 0:
								 * none */
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
	Jsonb	   *items;			/* of a Parallel or Map: what the children are
								 * made from */
	Jsonb	   *received;		/* of an event: state: events by name */
	Jsonb	   *details;		/* of other Tasks: of the last attempt's last
								 * heartbeat */
	int32		stored_results; /* results that wait in the table */
	Jsonb	   *variables;		/* NULL: none */
	bool		governed;		/* has an intent for the effect that it is at */
	pg_uuid_t	intent;
	struct DxIntent *asks;		/* the same, if this pass has had it in hand */
	bool		ticketed;
	pg_uuid_t	ticket;			/* what answers from outside refer to */
	List	   *answers;		/* of DxMessage *, to ticket and attempt */
	bool		answered;		/* what was handed out is settled already */
	Jsonb	   *stored_data;	/* as loaded: what is the same is not written */
	Jsonb	   *stored_kept;	/* items, received or details */
	DxPhase		stored_phase;	/* as loaded: to see what is given up */
	int32		stored_attempt;
	bool		stored_governed;
	pg_uuid_t	stored_intent;
	bool		stored_ticketed;
	pg_uuid_t	stored_ticket;
	bool		stored;			/* has a row */
	bool		apart;			/* its step takes a pass of its own */
	bool		changed;
	bool		gone;			/* to be deleted */
} DxBranch;

typedef struct DxRun
{
	pg_uuid_t	id;
	Oid			relation;		/* where its locked row is */
	ItemPointerData tid;
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
	Jsonb	   *output;			/* not loaded; */
	bool		output_changed; /* else it stays as it is */
	Jsonb	   *document;		/* the last result that this pass has written, */
	int32		document_seq;	/* and with which event */
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

/* Of a branch that waits: an operator has redriven its run. */
#define DX_WAITS_ANEW		(-1)

#define DX_PHASE_IS_OUTSIDE(phase) \
	((phase) >= DX_PHASE_ACTIVITY && (phase) <= DX_PHASE_TOKEN)

#endif							/* DX_ENGINE_MODEL_H */
