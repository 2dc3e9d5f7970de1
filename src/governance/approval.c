/*-------------------------------------------------------------------------
 *
 * approval.c
 *	  approval: states: an intent is opened and the branch waits for what people
 *	  decide.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "audit/audit.h"
#include "base/catalog.h"
#include "base/clock.h"
#include "base/commit_by.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/phase.h"
#include "engine/requester.h"
#include "executor/spi.h"
#include "governance/approval.h"
#include "governance/deciders.h"
#include "governance/shape.h"
#include "outside/timer.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* When a decision is being committed at the moment the time is over. */
#define LOOK_AGAIN_MS	100

static DxStatement insert_statement = {
	"INSERT INTO dealix.intent (intent_id, run_id, branch, attempt, owner, requester, name, state,"
	" workflow, correlation_id, created_at, expires_at, kind, status, version, payload,"
	" hash, shape, quorum, approvers, requesters)"
	" SELECT u.intent_id, u.run_id, u.branch, u.attempt, u.owner, u.requester, u.name, u.state,"
	" u.workflow, u.correlation_id, u.created_at, u.expires_at, " DX_SQL(INTENT_KIND_APPROVAL) ", " DX_SQL(INTENT_PENDING) ", 1, u.payload,"
	" u.hash, u.shape, u.quorum, u.approvers::text[], u.requesters::regrole[]"
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
	" $15, $16, $17, $18) AS u(intent_id, run_id, branch, attempt, owner, requester, name,"
	" state, workflow, correlation_id, created_at, expires_at, payload, hash,"
	" shape, quorum, approvers, requesters)",
	18, {UUIDARRAYOID, UUIDARRAYOID, INT4ARRAYOID, INT4ARRAYOID, OIDARRAYOID, OIDARRAYOID,
		TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID,
		TIMESTAMPTZARRAYOID, JSONBARRAYOID, BYTEAARRAYOID, JSONBARRAYOID,
	INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
};

/* One that is being decided is left to the decision, which is late then. */
static DxStatement withdraw_statement = {
	"WITH l AS MATERIALIZED (SELECT intent_id FROM dealix.intent"
	" WHERE intent_id = ANY ($1) AND status = " DX_SQL(INTENT_PENDING) " FOR UPDATE SKIP LOCKED)"
	" UPDATE dealix.intent i SET status = " DX_SQL(INTENT_WITHDRAWN) ", decided_at = pg_catalog.clock_timestamp()"
	" FROM l WHERE i.intent_id = l.intent_id",
	1, {UUIDARRAYOID}
};

/* One that is being decided stays as it is, and is as good as expired. */
static DxStatement expire_statement = {
	"WITH l AS MATERIALIZED (SELECT intent_id FROM dealix.intent"
	" WHERE intent_id = $1 AND status = " DX_SQL(INTENT_PENDING) " FOR UPDATE SKIP LOCKED)"
	" UPDATE dealix.intent i SET status = " DX_SQL(INTENT_EXPIRED) ", decided_at = $2"
	" FROM l WHERE i.intent_id = l.intent_id",
	2, {UUIDOID, TIMESTAMPTZOID}
};

static DxStatement pending_statement = {
	"SELECT FROM dealix.intent WHERE intent_id = $1 AND status = " DX_SQL(INTENT_PENDING),
	1, {UUIDOID}
};

typedef struct Intent
{
	Jsonb	   *payload;
	Jsonb	   *shape;
	int32		quorum;
	char	   *approvers;		/* text of an array; NULL: anybody with access */
	TimestampTz expires_at;
} Intent;

/* SHA-256 over the version of a payload and the payload: what is decided. */
bytea *
dx_intent_hash(int32 version, Jsonb *payload)
{
	StringInfoData buf;
	DxHasher   *hasher = dx_hasher_open();
	DxHash		hash;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%d\n", version);
	(void) JsonbToCString(&buf, &payload->root, VARSIZE(payload));
	dx_sha256(hasher, buf.data, buf.len, &hash);
	dx_hasher_close(hasher);
	return dx_hash_bytes(&hash);
}

/* The names of roles as the text of an array. */
static char *
names_text(const List *names)
{
	StringInfoData buf;
	ListCell   *lc;

	if (names == NIL)
		return NULL;
	initStringInfo(&buf);
	foreach(lc, names)
	{
		appendStringInfoString(&buf, lc == list_head(names) ? "{\"" : ",\"");
		for (const char *p = lfirst(lc); *p; p++)
		{
			if (*p == '"' || *p == '\\')
				appendStringInfoChar(&buf, '\\');
			appendStringInfoChar(&buf, *p);
		}
		appendStringInfoChar(&buf, '"');
	}
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

/* The roles that are to decide. */
static List *
read_approvers(const Jsonb *governance)
{
	Jsonb	   *approvers = dx_json_get_json(governance, "Approvers");
	List	   *names = NIL;

	for (int i = 0; approvers != NULL && i < JB_ROOT_COUNT(approvers); i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(&approvers->root, i);

		names = lappend(names, pnstrdup(value->val.string.val, value->val.string.len));
	}
	return names;
}

/*
 * What the state asks for.  The definition has been checked; what can be
 * otherwise by now is an error of the state.
 */
static bool
read_governance(const DxRun *run, const DxBranch *branch, Intent *intent,
				DxFault *fault)
{
	const Jsonb *governance = branch->state->u.task.governance;
	List	   *names;
	JsonbValue	quorum;
	char	   *problem;

	intent->quorum = 1;
	if (governance == NULL)
		return true;
	if (dx_json_get(governance, "Quorum", &quorum))
		intent->quorum = DatumGetInt32(DirectFunctionCall1(numeric_int4,
														   NumericGetDatum(quorum.val.numeric)));
	intent->shape = dx_json_get_json(governance, "Shape");
	problem = intent->shape ? dx_shape_problem(intent->shape, branch->effective) : NULL;
	if (problem != NULL)
	{
		fault->error = pstrdup("Governance.WrongShape");
		fault->cause = psprintf("The payload does not have the Shape of the state. %s.", problem);
		return false;
	}
	names = read_approvers(governance);
	if (!dx_deciders_reachable(run, names, NULL, intent->quorum, fault))
		return false;
	intent->approvers = names_text(names);
	return true;
}

/* DxResource.enter: opens an intent and waits for decisions about it. */
static DxOutcome
approval_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	Intent	   *intent = palloc0(sizeof(Intent));
	DxFault		fault;

	Assert(branch->phase == DX_PHASE_READY);
	if (!dx_timer_start(branch, env, &intent->expires_at, &fault) ||
		!read_governance(run, branch, intent, &fault))
		return dx_failed(&fault);
	dx_branch_new_ticket(branch);
	intent->payload = branch->effective;
	branch->wait_for = pstrdup(branch->state->u.task.target);
	dx_branch_park(run, branch, DX_PHASE_APPROVAL, intent->expires_at);
	(void) dx_handout(pass, run, branch, DX_RESOURCE_APPROVAL, DX_PHASE_APPROVAL, intent);
	dx_event(pass, run, DX_EVENT_INTENT_OPENED, branch,
			 dx_payload("approval", dx_json_string(branch->wait_for),
						"id", dx_json_uuid(&branch->ticket),
						"quorum", dx_json_int(intent->quorum),
						"until", TIMESTAMP_NOT_FINITE(intent->expires_at) ? NULL :
						dx_json_timestamp(intent->expires_at), NULL));
	return dx_parked();
}

/*
 * Ends an intent whose time is over.  false: it has been decided in time, or
 * perhaps is at this moment.  A decision in a transaction that somebody leaves
 * open is not waited for: it cannot be committed any more (commit_by.c).
 */
static bool
end_intent(const pg_uuid_t *ticket)
{
	DxIdentity	saved;
	Datum		values[2];
	bool		ended;

	if (!dx_commit_by_closed())
		return false;
	dx_engine_enter(&saved);
	values[0] = UUIDPGetDatum(ticket);
	values[1] = TimestampTzGetDatum(dx_now());
	(void) dx_execute(&expire_statement, values, NULL, false, 0);
	ended = SPI_processed > 0;
	if (!ended)
	{
		(void) dx_execute(&pending_statement, values, NULL, false, 1);
		ended = SPI_processed > 0;
	}
	dx_engine_leave(&saved);
	return ended;
}

/* The time is over, unless somebody has decided. */
static DxOutcome
expire(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxFault		fault;

	if (!end_intent(&branch->ticket))
	{
		dx_branch_park(run, branch, DX_PHASE_APPROVAL,
					   TimestampTzPlusMilliseconds(dx_now(), LOOK_AGAIN_MS));
		return dx_parked();
	}
	branch->answered = true;
	fault.error = pstrdup(DX_ERROR_TIMEOUT);
	fault.cause = psprintf("Approval \"%s\" was not decided in time.", branch->wait_for);
	return dx_failed(&fault);
}

/* DxResource.wake: takes the decision; without one, the time is over. */
static DxOutcome
approval_wake(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxMessage  *message = dx_branch_answer(pass, branch);
	char	   *decision;
	char	   *reason;
	DxFault		fault;

	Assert(branch->phase == DX_PHASE_APPROVAL);
	if (message == NULL)
		return expire(pass, run, branch);
	branch->answered = true;
	decision = dx_json_get_text(message->payload, "decision");
	reason = dx_json_get_text(message->payload, "comment");
	dx_event_by(pass, run, DX_EVENT_INTENT_DECIDED, &message->sender,
				dx_payload("id", dx_json_uuid(&branch->ticket),
						   "decision", dx_json_text(decision),
						   "comment", dx_json_text(reason),
						   "person", dx_json_get_json(message->payload, "person"),
						   "for", dx_json_get_json(message->payload, "for"),
						   "hash", dx_json_get_json(message->payload, "hash"), NULL));
	if (decision == NULL || strcmp(decision, "reject") != 0)
		return dx_done(message->payload);
	fault.error = pstrdup("Approval.Rejected");
	fault.cause = reason;
	return dx_gave_up(&fault);
}

const DxResource dx_approval_resource = {
	approval_enter, approval_wake, dx_timer_restart, NULL, NULL, NULL
};

/* A row of dealix.intent. */
static void
put_intent(DxColumns *columns, const DxHandout *handout)
{
	const DxRun *run = handout->run;
	const Intent *intent = handout->what;

	dx_put_uuid(columns, &handout->ticket);
	dx_put_uuid(columns, &run->id);
	dx_put_int4(columns, handout->branch->branch);
	dx_put_int4(columns, handout->attempt);
	dx_put(columns, ObjectIdGetDatum(run->owner), false);
	dx_put(columns, ObjectIdGetDatum(OidIsValid(run->requester) ?
									 run->requester : run->owner), false);
	dx_put_text(columns, handout->branch->wait_for);
	dx_put_text(columns, handout->branch->state->name);
	dx_put_text(columns, run->workflow);
	dx_put_text(columns, run->correlation_id);
	dx_put_time(columns, dx_now(), 0);
	dx_put_time(columns, intent->expires_at, DT_NOEND);
	dx_put_jsonb(columns, intent->payload);
	dx_put(columns, PointerGetDatum(dx_intent_hash(1, intent->payload)), false);
	dx_put_jsonb(columns, intent->shape);
	dx_put_int4(columns, intent->quorum);
	dx_put_text(columns, intent->approvers);
	dx_put_text(columns, dx_requesters_text(run->requesters));
}

/* Opens intents, and withdraws those that nobody waits for any more. */
void
dx_approval_write(DxPass *pass)
{
	DxColumns  *withdrawn = dx_given_up(pass, DX_PHASE_APPROVAL, &withdraw_statement);
	DxColumns  *opened = NULL;
	ListCell   *lc;

	Assert(dx_engine_entered());
	if (withdrawn != NULL)
		dx_columns_execute(&withdraw_statement, withdrawn);
	foreach(lc, pass->handouts)
	{
		DxHandout  *handout = lfirst(lc);

		if (handout->phase != DX_PHASE_APPROVAL || !dx_handout_valid(handout))
			continue;
		if (opened == NULL)
			opened = dx_columns_make(&insert_statement, list_length(pass->handouts));
		put_intent(opened, handout);
	}
	if (opened != NULL)
		dx_columns_execute(&insert_statement, opened);
}
