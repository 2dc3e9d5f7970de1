/*-------------------------------------------------------------------------
 *
 * emit.c
 *	  emit: states: an event for the world outside, in a CloudEvents 1.0
 *	  envelope, written into the outbox with the pass.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/json.h"
#include "base/clock.h"
#include "base/guc.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/uuid.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "engine/columns.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "outside/activity.h"
#include "outside/emit.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

static DxStatement insert_statement = {
	"INSERT INTO dealix.outbox (run_id, owner, at, topic, event, state, intent_id)"
	" SELECT run_id, owner, at, topic, event, state, intent_id"
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)"
	" AS u(run_id, owner, at, topic, event, state, intent_id, always)"
	" WHERE u.always OR EXISTS (SELECT FROM dealix.outbox_consumer)",
	8, {UUIDARRAYOID, OIDARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, JSONBARRAYOID,
	TEXTARRAYOID, UUIDARRAYOID, BOOLARRAYOID}
};

typedef struct Emitted
{
	char	   *topic;
	TimestampTz at;
	Jsonb	   *event;
	const char *state;			/* NULL: the engine emits it */
	bool		governed;
	pg_uuid_t	intent;
} Emitted;

/* CloudEvents 1.0 section 3; correlationid and traceparent are extensions. */
static Jsonb *
envelope(const DxRun *run, const pg_uuid_t *id, const char *topic,
		 TimestampTz at, Jsonb *data)
{
	return dx_payload("specversion", dx_json_string("1.0"),
					  "id", dx_json_uuid(id),
					  "source", dx_json_string(psprintf("/dealix/%s", run->workflow)),
					  "type", dx_json_string(topic),
					  "subject", dx_json_uuid(&run->id),
					  "time", dx_json_timestamp(at),
					  "datacontenttype", dx_json_string("application/json"),
					  "correlationid", dx_json_text(run->correlation_id),
					  "traceparent", dx_json_text(run->traceparent),
					  "data", data, NULL);
}

/* Emits data under the branch's ticket. */
static void
emit_hand_out(DxPass *pass, DxRun *run, DxBranch *branch, const char *topic,
			  Jsonb *data)
{
	Emitted    *emitted = palloc0(sizeof(Emitted));

	Assert(branch->ticketed);
	emitted->topic = pstrdup(topic);
	emitted->at = dx_now();
	emitted->event = envelope(run, &branch->ticket, topic, emitted->at, data);
	emitted->state = branch->state ? branch->state->name : "";
	emitted->governed = branch->governed;
	emitted->intent = branch->intent;
	(void) dx_handout(pass, run, branch, DX_RESOURCE_EMIT, 0, emitted);
	dx_event(pass, run, DX_EVENT_EMITTED, branch,
			 dx_payload("topic", dx_json_string(topic),
						"id", dx_json_uuid(&branch->ticket), NULL));
}

/*
 * DxResource.enter: emits, and goes on; with a token, waits for its answer.
 */
static DxOutcome
emit_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	const DxTask *task = &branch->state->u.task;
	DxOutcome	outcome = dx_parked();

	Assert(branch->phase == DX_PHASE_READY);
	Assert(branch->ticketed);
	if (task->wait_for_token)
		outcome = dx_activity_hand_out(pass, run, branch, env, NULL,
									   DX_RESOURCE_ACTIVITY, DX_PHASE_TOKEN, NULL);
	if (outcome.kind != DX_OUTCOME_PARKED)
		return outcome;
	emit_hand_out(pass, run, branch, task->target, branch->effective);
	if (task->wait_for_token)
		return outcome;
	return dx_done(dx_payload("id", dx_json_uuid(&branch->ticket), NULL));
}

/* DxResource.undo: emits, and that is all. */
static bool
emit_undo(DxPass *pass, DxRun *run, DxBranch *branch, const char *target,
		  Jsonb *input, double timeout)
{
	emit_hand_out(pass, run, branch, target, input);
	return false;
}

/*
 * The engine says something about a run.  Nobody hears of it who has not asked
 * the outbox for events before.
 */
void
dx_emit_about(DxPass *pass, DxRun *run, const char *topic, Jsonb *data)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	Emitted    *emitted = palloc0(sizeof(Emitted));
	DxHandout  *handout = palloc0(sizeof(DxHandout));
	pg_uuid_t	id;

	dx_uuid_v7(&id);
	emitted->topic = pstrdup(topic);
	emitted->at = dx_now();
	emitted->event = envelope(run, &id, topic, emitted->at, data);
	handout->kind = DX_RESOURCE_EMIT;
	handout->run = run;
	handout->what = emitted;
	pass->handouts = lappend(pass->handouts, handout);
	MemoryContextSwitchTo(oldcxt);
}

/* It never waits as itself: see DX_PHASE_TOKEN. */
const DxResource dx_emit_resource = {
	emit_enter, NULL, NULL, emit_undo, NULL, NULL
};

/*
 * Writes what was emitted into the outbox, with one notification. Between
 * dx_engine_enter and dx_engine_leave.
 */
void
dx_emit_write(DxPass *pass)
{
	DxColumns  *columns = NULL;
	ListCell   *lc;

	Assert(dx_engine_entered());
	foreach(lc, pass->handouts)
	{
		DxHandout  *handout = lfirst(lc);
		Emitted    *emitted = handout->what;

		if (handout->kind != DX_RESOURCE_EMIT)
			continue;
		if (columns == NULL)
			columns = dx_columns_make(&insert_statement, list_length(pass->handouts));
		dx_put_uuid(columns, &handout->run->id);
		dx_put(columns, ObjectIdGetDatum(handout->run->owner), false);
		dx_put_time(columns, emitted->at, 0);
		dx_put_text(columns, emitted->topic);
		dx_put_jsonb(columns, emitted->event);
		dx_put_text(columns, emitted->state);
		dx_put_uuid(columns, emitted->governed ? &emitted->intent : NULL);
		dx_put(columns, BoolGetDatum(emitted->state != NULL), false);
	}
	if (columns == NULL)
		return;
	dx_columns_execute(&insert_statement, columns);
	if (dx_outbox_channel[0] != '\0')
		Async_Notify(dx_outbox_channel, "");
}
