/*-------------------------------------------------------------------------
 *
 * history.h
 *	  One event for each transition, numbered and chained per run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_HISTORY_H
#define DX_ENGINE_HISTORY_H

#include "audit/audit.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

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

#endif							/* DX_ENGINE_HISTORY_H */
