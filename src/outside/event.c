/*-------------------------------------------------------------------------
 *
 * event.c
 *	  event: states: a branch waits for an event with its correlation; and
 *	  publishing one.
 *
 * Unlike signals, events are not kept: they reach the runs that wait for them
 * when they are published.  Who waits stands in dealix.event_wait, one row for
 * each name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "base/catalog.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/server.h"
#include "catalog/pg_type.h"
#include "engine/access.h"
#include "engine/columns.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/inbox.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/payload_limit.h"
#include "engine/phase.h"
#include "engine/signal.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "outside/event.h"
#include "outside/timer.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

static DxStatement insert_statement = {
	"INSERT INTO dealix.event_wait (ticket, name, correlation_id, run_id, branch, owner)"
	" SELECT * FROM unnest($1, $2, $3, $4, $5, $6)",
	6, {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, UUIDARRAYOID, INT4ARRAYOID,
	OIDARRAYOID}
};

static DxStatement delete_statement = {
	"DELETE FROM dealix.event_wait WHERE ticket = ANY ($1)",
	1, {UUIDARRAYOID}
};

static DxStatement publish_statement = {
	/* Of each name only the first counts: a wait needs no more than 64. */
	DX_INBOX_SEND("w.run_id", DX_SENT_NOW, "w.owner", DX_SQL(MESSAGE_EVENT), "$4", "$6",
				  "w.name", "w.branch", "w.ticket", "NULL", "$3",
				  "FROM dealix.event_wait w WHERE w.name = $1 AND w.correlation_id = $2"
				  " AND ($5 OR pg_catalog.pg_has_role($4, w.owner::pg_catalog.oid, 'USAGE'))"
				  " AND (SELECT pg_catalog.count(*) FROM (SELECT FROM dealix.inbox i"
				  " WHERE i.run_id = w.run_id AND i.ticket = w.ticket LIMIT 100) i) < 100")
	DX_INBOX_RECEIVERS,
	6, {TEXTOID, TEXTOID, JSONBOID, OIDOID, BOOLOID, OIDOID}
};

/* What the branch waits for besides the name: "" is no correlation. */
static char *
correlation_of(const DxRun *run, const DxBranch *branch)
{
	JsonbValue	value;

	if (JB_ROOT_IS_OBJECT(branch->effective) &&
		dx_json_get(branch->effective, "correlation_id", &value))
	{
		if (value.type == jbvString)
			return pnstrdup(value.val.string.val, value.val.string.len);
		if (value.type == jbvNull)
			return pstrdup("");
		return dx_json_compact(dx_json_from_value(&value));
	}
	return pstrdup(run->correlation_id ? run->correlation_id : "");
}

/* DxResource.enter: waits for events by name and correlation. */
static DxOutcome
event_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	TimestampTz until;
	char	   *correlation = correlation_of(run, branch);
	DxFault		fault = {DX_ERROR_DATA_LIMIT, NULL};

	Assert(branch->phase == DX_PHASE_READY);
	if (strlen(correlation) > DX_MAX_LABEL)
	{
		fault.cause = psprintf("The correlation of event \"%s\" has %zu bytes, and no more than %d can be waited for.",
							   branch->state->u.task.target, strlen(correlation), DX_MAX_LABEL);
		return dx_failed(&fault);
	}
	if (!dx_timer_start(branch, env, &until, &fault))
		return dx_failed(&fault);
	dx_branch_new_ticket(branch);
	branch->wait_for = pstrdup(branch->state->u.task.target);
	branch->received = NULL;
	dx_branch_park(run, branch, DX_PHASE_EVENT, until);
	(void) dx_handout(pass, run, branch, DX_RESOURCE_EVENT, DX_PHASE_EVENT, correlation);
	dx_event(pass, run, DX_EVENT_WAIT_STARTED, branch,
			 dx_payload("event", dx_json_string(branch->wait_for),
						"correlation_id", dx_json_string(correlation),
						"until", TIMESTAMP_NOT_FINITE(until) ? NULL : dx_json_timestamp(until),
						NULL));
	return dx_parked();
}

/* Of several events all: true once the last one is here. */
static bool
collect(DxPass *pass, DxRun *run, DxBranch *branch, DxMessage *message, List *names)
{
	JsonbValue	had;
	ListCell   *lc;

	if (branch->received == NULL)
		branch->received = dx_json_empty_object();
	if (dx_json_get(branch->received, message->name, &had))
	{
		dx_message_late(pass, run, message);
		return false;
	}
	branch->received = dx_json_set(branch->received, message->name, message->payload);
	foreach(lc, names)
	{
		if (!dx_json_get(branch->received, lfirst(lc), &had))
			return false;
	}
	return true;
}

/* An event has come: of several names it may be the first, or one of all. */
static DxOutcome
take_event(DxPass *pass, DxRun *run, DxBranch *branch, DxMessage *message)
{
	bool		all;
	List	   *names = dx_names_split(branch->wait_for, &all);
	Jsonb	   *result = message->payload;

	dx_event_by(pass, run, DX_EVENT_EVENT_RECEIVED, &message->sender,
				dx_payload("name", dx_json_string(message->name),
						   "sent_at", dx_json_timestamp(message->sent_at), NULL));
	if (all)
	{
		if (!collect(pass, run, branch, message, names))
			return dx_parked();
		result = branch->received;
	}
	else if (list_length(names) > 1)
		result = dx_payload("name", dx_json_string(message->name),
							"payload", message->payload, NULL);
	return dx_done(result);
}

/* DxResource.wake: an event has come, or the time is over. */
static DxOutcome
event_wake(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxMessage  *message = dx_branch_answer(pass, branch);
	DxFault		fault;

	Assert(branch->phase == DX_PHASE_EVENT);
	if (message != NULL)
		return take_event(pass, run, branch, message);
	fault.error = pstrdup(DX_ERROR_TIMEOUT);
	fault.cause = psprintf("No event \"%s\" came in time.", branch->wait_for);
	return dx_failed(&fault);
}

const DxResource dx_event_resource = {
	event_enter, event_wake, dx_timer_restart, NULL, NULL, NULL
};

/* Writes who waits now, and forgets who does no more. */
void
dx_event_write(DxPass *pass)
{
	DxColumns  *deleted = dx_given_up(pass, DX_PHASE_EVENT, &delete_statement);
	DxColumns  *inserted = NULL;
	ListCell   *lc;
	ListCell   *ln;

	Assert(dx_engine_entered());
	if (deleted != NULL)
		dx_columns_execute(&delete_statement, deleted);
	foreach(lc, pass->handouts)
	{
		DxHandout  *handout = lfirst(lc);
		bool		all;

		if (handout->phase != DX_PHASE_EVENT || !dx_handout_valid(handout))
			continue;
		if (inserted == NULL)
			inserted = dx_columns_make(&insert_statement, list_length(pass->handouts));
		foreach(ln, dx_names_split(handout->branch->wait_for, &all))
		{
			dx_put_uuid(inserted, &handout->ticket);
			dx_put_text(inserted, lfirst(ln));
			dx_put_text(inserted, handout->what);
			dx_put_uuid(inserted, &handout->run->id);
			dx_put_int4(inserted, handout->branch->branch);
			dx_put(inserted, ObjectIdGetDatum(handout->run->owner), false);
		}
	}
	if (inserted != NULL)
		dx_columns_execute(&insert_statement, inserted);
}

/*
 * Publishes an event to all runs that wait for it and that the caller may
 * signal.  correlation: "" for none.  Returns how many branches it reaches.
 * Needs SPI_connect.  Errors: 54000 payload too large.
 */
int64
dx_publish_event(const char *name, const char *correlation, Jsonb *payload)
{
	DxIdentity	saved;
	Datum		values[6];
	int64		reached;

	if (correlation[0] != '\0')
		dx_check_label(correlation, "correlation_id");
	dx_check_payload(payload, "the payload of the event");
	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(correlation);
	values[2] = JsonbPGetDatum(payload);
	values[3] = ObjectIdGetDatum(GetUserId());
	values[4] = BoolGetDatum(dx_may_operate(InvalidOid));
	values[5] = ObjectIdGetDatum(GetSessionUserId());
	dx_engine_enter(&saved);
	(void) dx_execute(&publish_statement, values, NULL, false, 0);
	reached = (int64) SPI_processed;
	dx_wake_returned();
	dx_engine_leave(&saved);
	if (reached > 0)
		dx_force_durable();
	return reached;
}
