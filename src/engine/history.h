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
#include "base/catalog.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* Kinds of history event.  Stored; named by dx_event_name. */
typedef enum DxEventKind
{
	DX_EVENT_RUN_STARTED = N_EVENT_RUN_STARTED,
	DX_EVENT_STATE_SUCCEEDED = N_EVENT_STATE_SUCCEEDED,
	DX_EVENT_STEP_SUCCEEDED = N_EVENT_STEP_SUCCEEDED,
	DX_EVENT_STEP_FAILED = N_EVENT_STEP_FAILED,
	DX_EVENT_WAIT_STARTED = N_EVENT_WAIT_STARTED,
	DX_EVENT_SIGNAL_RECEIVED = N_EVENT_SIGNAL_RECEIVED,
	DX_EVENT_STATE_FAILED = N_EVENT_STATE_FAILED,
	DX_EVENT_STATE_CAUGHT = N_EVENT_STATE_CAUGHT,
	DX_EVENT_COMPENSATION_STARTED = N_EVENT_COMPENSATION_STARTED,
	DX_EVENT_STEP_COMPENSATED = N_EVENT_STEP_COMPENSATED,
	DX_EVENT_COMPENSATION_FAILED = N_EVENT_COMPENSATION_FAILED,
	DX_EVENT_RUN_SUCCEEDED = N_EVENT_RUN_SUCCEEDED,
	DX_EVENT_RUN_FAILED = N_EVENT_RUN_FAILED,
	DX_EVENT_RUN_TIMED_OUT = N_EVENT_RUN_TIMED_OUT,
	DX_EVENT_RUN_CANCELLED = N_EVENT_RUN_CANCELLED,
	DX_EVENT_RUN_TERMINATED = N_EVENT_RUN_TERMINATED,
	DX_EVENT_CANCEL_REQUESTED = N_EVENT_CANCEL_REQUESTED,
	DX_EVENT_INCIDENT_OPENED = N_EVENT_INCIDENT_OPENED,
	DX_EVENT_RUN_REDRIVEN = N_EVENT_RUN_REDRIVEN,
	DX_EVENT_MESSAGE_LATE = N_EVENT_MESSAGE_LATE,
	DX_EVENT_BRANCHES_STARTED = N_EVENT_BRANCHES_STARTED,
	DX_EVENT_ACTIVITY_SCHEDULED = N_EVENT_ACTIVITY_SCHEDULED,
	DX_EVENT_EVENT_RECEIVED = N_EVENT_EVENT_RECEIVED,
	DX_EVENT_CHILD_STARTED = N_EVENT_CHILD_STARTED,
	DX_EVENT_INTENT_OPENED = N_EVENT_INTENT_OPENED,
	DX_EVENT_INTENT_DECIDED = N_EVENT_INTENT_DECIDED,
	DX_EVENT_EMITTED = N_EVENT_EMITTED,
	DX_EVENT_RUN_CONTINUED = N_EVENT_RUN_CONTINUED,
	DX_EVENT_RUN_REASSIGNED = N_EVENT_RUN_REASSIGNED,
	DX_EVENT_COMPENSABLE_SUCCEEDED = N_EVENT_COMPENSABLE_SUCCEEDED	/* a step_succeeded that
																	 * can be undone */
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
