/*-------------------------------------------------------------------------
 *
 * history.c
 *	  One event for each transition, numbered and chained per run.
 *
 * Events are kept in the pass and written in one statement (store_write.c), in their
 * order; that is when the chain's head moves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/change.h"
#include "audit/audit.h"
#include "base/clock.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* Names by number; the numbers are stored. */
static const char *const event_names[] =
{
	[DX_EVENT_RUN_STARTED] = "run_started",
	[DX_EVENT_STATE_SUCCEEDED] = "state_succeeded",
	[DX_EVENT_STEP_SUCCEEDED] = "step_succeeded",
	[DX_EVENT_STEP_FAILED] = "step_failed",
	[DX_EVENT_WAIT_STARTED] = "wait_started",
	[DX_EVENT_SIGNAL_RECEIVED] = "signal_received",
	[DX_EVENT_STATE_FAILED] = "state_failed",
	[DX_EVENT_STATE_CAUGHT] = "state_caught",
	[DX_EVENT_COMPENSATION_STARTED] = "compensation_started",
	[DX_EVENT_STEP_COMPENSATED] = "step_compensated",
	[DX_EVENT_COMPENSATION_FAILED] = "compensation_failed",
	[DX_EVENT_RUN_SUCCEEDED] = "run_succeeded",
	[DX_EVENT_RUN_FAILED] = "run_failed",
	[DX_EVENT_RUN_TIMED_OUT] = "run_timed_out",
	[DX_EVENT_RUN_CANCELLED] = "run_cancelled",
	[DX_EVENT_RUN_TERMINATED] = "run_terminated",
	[DX_EVENT_CANCEL_REQUESTED] = "cancel_requested",
	[DX_EVENT_INCIDENT_OPENED] = "incident_opened",
	[DX_EVENT_RUN_REDRIVEN] = "run_redriven",
	[DX_EVENT_MESSAGE_LATE] = "message_late",
	[DX_EVENT_BRANCHES_STARTED] = "branches_started",
	[DX_EVENT_ACTIVITY_SCHEDULED] = "activity_scheduled",
	[DX_EVENT_EVENT_RECEIVED] = "event_received",
	[DX_EVENT_CHILD_STARTED] = "child_started",
	[DX_EVENT_INTENT_OPENED] = "intent_opened",
	[DX_EVENT_INTENT_DECIDED] = "intent_decided",
	[DX_EVENT_EMITTED] = "emitted",
	[DX_EVENT_RUN_CONTINUED] = "run_continued",
	[DX_EVENT_RUN_REASSIGNED] = "run_reassigned",
	[DX_EVENT_COMPENSABLE_SUCCEEDED] = "step_succeeded",
};

/* The name of an event kind as people see it; "unknown" for a foreign number. */
const char *
dx_event_name(DxEventKind kind)
{
	if ((int) kind <= 0 || (int) kind >= lengthof(event_names) ||
		event_names[kind] == NULL)
		return "unknown";
	return event_names[kind];
}

/* A name, and not an OID: it says who it was at that time. */
char *
dx_role_name(Oid role)
{
	char	   *name = GetUserNameFromId(role, true);

	return name != NULL ? name : psprintf("%u", role);
}

/*
 * Who is acting in this session at the moment.  Not to be asked between
 * dx_engine_enter and dx_engine_leave, where it is the extension's owner.
 */
DxActor
dx_actor(void)
{
	DxActor		actor;

	actor.role = GetUserId();
	actor.session = GetSessionUserId();
	return actor;
}

/* An event with the next number of its run, in the pass's list. */
static void
append(DxPass *pass, DxRun *run, DxEventKind kind, const DxBranch *branch,
	   const DxActor *actor, TimestampTz at, Jsonb *payload)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	DxEvent    *event = palloc0(sizeof(DxEvent));

	event->run = run;
	event->seq = ++run->seq;
	event->kind = kind;
	event->branch = branch ? branch->branch : 0;
	event->state = branch && branch->state ? branch->state->name : NULL;
	event->attempt = branch ? branch->attempt : 0;
	if (actor->role != run->owner || kind == DX_EVENT_RUN_STARTED || run->reassigned)
		event->actor = dx_role_name(actor->role);
	if (actor->session != actor->role)
		event->session_actor = dx_role_name(actor->session);
	event->at = at;
	event->payload = payload;

	pass->events = lappend(pass->events, event);
	run->changed = true;
	MemoryContextSwitchTo(oldcxt);
}

/* Moves the heads of the chains over the events of a pass, in their order. */
void
dx_events_chain(List *events)
{
	DxHasher   *hasher = dx_hasher_open();
	const Jsonb *hashed = NULL;
	DxHash		payload;
	ListCell   *lc;

	foreach(lc, events)
	{
		DxEvent    *event = lfirst(lc);
		DxAuditEvent audit;

		audit.run_id = &event->run->id;
		audit.seq = event->seq;
		audit.kind = event->kind;
		audit.branch = event->branch;
		audit.state = event->state;
		audit.attempt = event->attempt;
		audit.actor = event->actor;
		audit.session_actor = event->session_actor;
		audit.at = event->at;
		/* A document that goes through several states is hashed once. */
		if (event->payload != NULL && !dx_json_same(event->payload, hashed))
		{
			dx_payload_hash(hasher, event->payload, &payload);
			hashed = event->payload;
		}
		audit.payload = event->payload != NULL ? &payload : NULL;
		dx_chain_append(hasher, &event->run->chain, &audit);
		event->hash = event->run->chain.head;
	}
	dx_hasher_close(hasher);
}

/*
 * The event of the start is written by the first pass, with the time of the
 * start: start() itself then costs two inserts.
 */
static void
append_start(DxPass *pass, DxRun *run)
{
	DxActor		actor = {run->owner, run->owner};

	if (run->seq > 0)
		return;
	if (OidIsValid(run->requester))
		actor.session = run->requester;
	append(pass, run, DX_EVENT_RUN_STARTED, NULL, &actor,
		   run->created_at, run->input);
}

/*
 * Records a transition of a branch (NULL: of the run), done by the run's
 * owner.  payload may be NULL; it has to live in pass->cxt.
 */
void
dx_event(DxPass *pass, DxRun *run, DxEventKind kind,
		 const DxBranch *branch, Jsonb *payload)
{
	DxActor		owner = {run->owner, run->owner};

	Assert(payload == NULL || VARSIZE(payload) > 0);
	Assert(kind > 0);
	append_start(pass, run);
	append(pass, run, kind, branch, &owner, dx_now(), payload);
}

/* Records what somebody did to a run from outside. */
void
dx_event_by(DxPass *pass, DxRun *run, DxEventKind kind, const DxActor *actor,
			Jsonb *payload)
{
	Assert(OidIsValid(actor->role));
	append_start(pass, run);
	append(pass, run, kind, NULL, actor, dx_now(), payload);
}
