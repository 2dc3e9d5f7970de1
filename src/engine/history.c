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
#include "engine/event_kind.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

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

	Assert(dx_event_fits(kind, payload));
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
