/*-------------------------------------------------------------------------
 *
 * decision.c
 *	  What people decide about intents.
 *
 * The lock on the intent's row puts the decisions in order.  Each is bound to
 * the hash of the payload and its version: an amended payload is another
 * version, for which everybody has to decide anew.  The decider is the session
 * user, so that no SET ROLE and no SECURITY DEFINER decides for somebody else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/json.h"
#include "audit/audit.h"
#include "base/catalog.h"
#include "base/clock.h"
#include "base/commit_by.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/server.h"
#include "base/sqlstate.h"
#include "base/uuid.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/inbox.h"
#include "engine/payload.h"
#include "engine/payload_limit.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "governance/approval.h"
#include "governance/decider.h"
#include "governance/decision.h"
#include "governance/intent.h"
#include "governance/intent_key.h"
#include "governance/person.h"
#include "governance/shape.h"
#include "governance/voice.h"
#include "outside/timer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

static DxStatement intent_statement = {
	"SELECT run_id, branch, attempt, owner::pg_catalog.oid, requester::pg_catalog.oid,"
	" expires_at, status, version, quorum, COALESCE(amended, payload), shape, approvers,"
	" hash, amended IS NOT NULL, requesters::pg_catalog.regrole[], all_of, kind"
	" FROM dealix.intent WHERE intent_id = $1 FOR UPDATE",
	1, {UUIDOID}
};

/*
 * One voice for each person: neither with another role, nor through somebody to
 * whom she has delegated it, nor as somebody who was registered meanwhile as who
 * she is.
 */
static DxStatement decision_statement = {
	"INSERT INTO dealix.intent_decision (intent_id, version, approver, decision,"
	" comment, at, hash, person, on_behalf, for_person)"
	" SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 WHERE NOT EXISTS"
	" (SELECT FROM dealix.intent_decision d LEFT JOIN dealix.actor a ON a.role = d.approver"
	" AND NOT d.on_behalf WHERE d.intent_id = $1 AND d.version = $2"
	" AND (d.for_person IN ($8, $10) OR d.person = $10 OR a.person IN ($8, $10)"
	" OR (d.approver = $3 AND NOT d.on_behalf AND NOT $9))) ON CONFLICT DO NOTHING",
	10, {UUIDOID, INT4OID, OIDOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, BYTEAOID, TEXTOID,
	BOOLOID, TEXTOID}
};

static DxStatement amend_statement = {
	"UPDATE dealix.intent SET version = $2, amended = $3, hash = $4"
	" WHERE intent_id = $1",
	4, {UUIDOID, INT4OID, JSONBOID, BYTEAOID}
};

static DxStatement names_statement = {
	"SELECT pg_catalog.jsonb_agg(person ORDER BY at)"
	" FROM dealix.intent_decision WHERE intent_id = $1 AND version = $2",
	2, {UUIDOID, INT4OID}
};

/*
 * Whoever began before this decision and does not see it decides nothing: without
 * it, under REPEATABLE READ, it would count for a person who has delegated it and
 * now speaks herself, and two that do not see each other would not be a quorum.
 */
static DxStatement touch_statement = {
	"UPDATE dealix.intent SET version = version WHERE intent_id = $1",
	1, {UUIDOID}
};

static DxStatement close_statement = {
	"UPDATE dealix.intent SET status = $2, decided_at = $3, reason = $4"
	" WHERE intent_id = $1 AND status = " DX_SQL(INTENT_PENDING),
	4, {UUIDOID, INT2OID, TIMESTAMPTZOID, TEXTOID}
};

static DxStatement message_statement = {
	DX_INBOX_SEND("run_id", "$2", "owner", DX_SQL(MESSAGE_DECIDED), "$3", "NULL", "name",
				  "branch", "intent_id", "attempt", "$4",
				  "FROM dealix.intent WHERE intent_id = $1")
	DX_INBOX_RECEIVERS,
	4, {UUIDOID, TIMESTAMPTZOID, OIDOID, JSONBOID}
};

typedef struct Intent
{
	const pg_uuid_t *id;
	pg_uuid_t	run_id;
	DxAsked		asked;			/* who is to decide, and who must not */
	TimestampTz expires_at;
	int16		status;
	Jsonb	   *payload;		/* the one that is decided */
	Jsonb	   *shape;
	bytea	   *hash;
	bool		amended;
	bool		is_effect;
} Intent;

/*
 * The error for an approval that does not exist, or is not the caller's to
 * decide.
 */
static void
no_intent(const pg_uuid_t *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("there is no approval %s", dx_uuid_text(id)),
			 errhint("See dealix.approvals for those that you may decide.")));
}

/* Locks the intent. */
static void
read_intent(const pg_uuid_t *id, Intent *intent)
{
	Datum		values[1];

	values[0] = UUIDPGetDatum(id);
	(void) dx_execute(&intent_statement, values, NULL, false, 1);
	if (SPI_processed == 0)
		no_intent(id);
	{
		DxRow		row = dx_row(0);

		intent->id = intent->asked.intent_id = id;
		(void) dx_get_uuid(&row, &intent->run_id);
		(void) dx_get(&row);
		(void) dx_get(&row);
		intent->asked.askers = list_make1_oid(DatumGetObjectId(dx_get(&row)));
		intent->asked.askers = lappend_oid(intent->asked.askers,
										   DatumGetObjectId(dx_get(&row)));
		intent->expires_at = dx_get_time(&row, DT_NOEND);
		intent->status = dx_get_int2(&row);
		intent->asked.version = dx_get_int4(&row);
		intent->asked.quorum = dx_get_int4(&row);
		intent->payload = dx_get_jsonb(&row);
		intent->shape = dx_get_jsonb(&row);
		intent->asked.approvers = dx_get_names(&row);
		intent->hash = DatumGetByteaPCopy(dx_get(&row));
		intent->amended = DatumGetBool(dx_get(&row));
		intent->asked.askers = list_concat_unique_oid(intent->asked.askers,
													  dx_get_requesters(&row));
		intent->asked.all_of = dx_get_jsonb(&row);
		intent->is_effect = dx_get_int2(&row) == N_INTENT_KIND_EFFECT;
	}
}

/*
 * Refuses who may not decide about this: no approver, the owner, who has
 * asked for it. Errors: P0002, 42501.
 */
static void
check_decider(const Intent *intent, DxDecider *decider)
{
	if (!dx_decider_may(decider, &intent->asked))
		no_intent(intent->id);
	if (dx_decider_asked(decider, &intent->asked))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 decider->on_behalf ?
				 errmsg("\"%s\" must not decide about her own request", decider->person) :
				 errmsg("role \"%s\" must not decide about its own request",
						GetUserNameFromId(decider->session, false)),
				 errdetail("Neither who owns the run decides, nor whoever has asked for it or for the run that has started it."),
				 errhint("Somebody else has to decide.")));
}

/* The hash that the decider gives is that of what he has seen. */
static void
check_hash(const Intent *intent, const char *hash, bool rejects)
{
	char		digits[2 * DX_HASH_LENGTH + 1];

	digits[hex_encode(VARDATA_ANY(intent->hash), VARSIZE_ANY_EXHDR(intent->hash), digits)] = '\0';
	if (hash != NULL && pg_strcasecmp(hash, digits) != 0)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_CLOSED),
				 errmsg("approval %s is about another payload by now", dx_uuid_text(intent->id)),
				 errdetail("Its hash is %s.", digits),
				 errhint("Look at it again before you decide.")));
	if (hash == NULL && intent->asked.version > 1 && !rejects)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_CLOSED),
				 errmsg("approval %s was amended: agreeing takes the hash of what you have seen",
						dx_uuid_text(intent->id)),
				 errdetail("Its payload is version %d.", intent->asked.version),
				 errhint("Look at it in dealix.approvals, and give the hash that stands there.")));
}

/*
 * Refuses a decision about what is decided, withdrawn or over. Errors: DX004.
 */
static void
check_open(const Intent *intent, TimestampTz now)
{
	int			status = intent->status;

	if (status == DX_INTENT_PENDING && intent->expires_at <= now)
		status = DX_INTENT_EXPIRED;
	if (status != DX_INTENT_PENDING)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_CLOSED),
				 errmsg("approval %s is %s", dx_uuid_text(intent->id),
						dx_intent_status_name(status)),
				 errdetail("An approval is decided once.")));
}

/* When a decision is about to be committed: DxTooLate. */
static void
too_late(const pg_uuid_t *id, bool prepared)
{
	if (prepared)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has decided about an approval"),
				 errdetail("Approval %s has to be decided in time, and nobody looks at the clock at COMMIT PREPARED.",
						   dx_uuid_text(id)),
				 errhint("Decide in a transaction of its own.")));
	ereport(ERROR,
			(errcode(DX_SQLSTATE_CLOSED),
			 errmsg("the decision about an approval was not committed in time"),
			 errdetail("Approval %s is EXPIRED.", dx_uuid_text(id)),
			 errhint("Commit right after the decision.")));
}

/* Writes down who has said what, and about which version of the payload. */
static void
record(const Intent *intent, const DxDecider *decider, const char *decision,
	   const char *comment, TimestampTz now)
{
	Datum		values[10];
	char		nulls[] = "          ";

	values[0] = UUIDPGetDatum(intent->id);
	values[1] = Int32GetDatum(intent->asked.version);
	values[2] = ObjectIdGetDatum(decider->session);
	values[3] = CStringGetTextDatum(decision);
	values[4] = comment ? CStringGetTextDatum(comment) : (Datum) 0;
	nulls[4] = comment ? ' ' : 'n';
	values[5] = TimestampTzGetDatum(now);
	values[6] = PointerGetDatum(intent->hash);
	values[7] = CStringGetTextDatum(decider->person);
	values[8] = BoolGetDatum(decider->on_behalf);
	values[9] = decider->for_person ? CStringGetTextDatum(decider->for_person) : (Datum) 0;
	nulls[9] = decider->for_person ? ' ' : 'n';
	(void) dx_execute(&decision_statement, values, nulls, false, 0);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_CLOSED),
				 errmsg("\"%s\" has decided about approval %s already",
						decider->for_person ? decider->for_person : decider->person,
						dx_uuid_text(intent->id)),
				 errdetail("%d different persons have to agree.", intent->asked.quorum)));
}

/* The amended payload is the next version; the original stays beside it. */
static void
amend(Intent *intent, Jsonb *amended)
{
	Datum		values[4];
	char	   *problem = intent->shape ? dx_shape_problem(intent->shape, amended) : NULL;

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the amended payload does not have the shape that the approval asks for"),
				 errdetail("%s.", problem)));
	intent->asked.version++;
	intent->payload = amended;
	intent->hash = dx_intent_hash(intent->asked.version, amended);
	intent->amended = true;
	values[0] = UUIDPGetDatum(intent->id);
	values[1] = Int32GetDatum(intent->asked.version);
	values[2] = JsonbPGetDatum(amended);
	values[3] = PointerGetDatum(intent->hash);
	(void) dx_execute(&amend_statement, values, NULL, false, 0);
}

/* The intent has its last status. */
static void
close_intent(const Intent *intent, DxIntentStatus status, const char *comment,
			 TimestampTz now)
{
	Datum		values[4];
	char		nulls[] = "    ";

	values[0] = UUIDPGetDatum(intent->id);
	values[1] = Int16GetDatum(status);
	values[2] = TimestampTzGetDatum(now);
	values[3] = comment ? CStringGetTextDatum(comment) : (Datum) 0;
	nulls[3] = comment ? ' ' : 'n';
	(void) dx_execute(&close_statement, values, nulls, false, 0);
}

/* Sends the decision to the branch that waits for it. */
static void
tell_run(const Intent *intent, const DxDecider *decider, const char *decision, const char *comment,
		 Jsonb *approvers, TimestampTz now)
{
	Datum		values[4];
	const char *session = GetUserNameFromId(decider->session, false);
	char		digits[2 * DX_HASH_LENGTH + 1];
	bool		rejected = strcmp(decision, "reject") == 0;

	digits[hex_encode(VARDATA_ANY(intent->hash), VARSIZE_ANY_EXHDR(intent->hash), digits)] = '\0';
	values[0] = UUIDPGetDatum(intent->id);
	values[1] = TimestampTzGetDatum(now);
	values[2] = ObjectIdGetDatum(decider->session);
	values[3] = JsonbPGetDatum(dx_payload("id", dx_json_uuid(intent->id),
										  "decision", dx_json_string(decision),
										  "comment", dx_json_text(comment),
										  "person", intent->is_effect || decider->for_person || strcmp(decider->person, session) != 0 ?
										  dx_json_string(decider->person) : NULL,
										  "for", dx_json_text(decider->for_person),
										  "approvers", approvers,
										  "hash", dx_json_string(digits),
										  "payload", rejected ? NULL : intent->payload,
										  NULL));
	(void) dx_execute(&message_statement, values, NULL, false, 0);
	dx_wake_returned();
}

/*
 * The payload that an edited action stands for: its args, if the payload is
 * no action itself.
 */
static Jsonb *
action_payload(const Intent *intent, Jsonb *action)
{
	Jsonb	   *args = dx_json_get_json(action, "args");

	if (args == NULL || dx_json_get_json(intent->payload, "args") != NULL)
		return action;
	return args;
}

/* Who agrees with this version: an array of names. */
static Jsonb *
names_of(const Intent *intent)
{
	Datum		values[2];
	DxRow		row;

	values[0] = UUIDPGetDatum(intent->id);
	values[1] = Int32GetDatum(intent->asked.version);
	(void) dx_execute(&names_statement, values, NULL, false, 1);
	row = (DxRow) dx_row(0);
	return dx_get_jsonb(&row);
}

/* Puts the decision on record. Returns what the intent is then. */
static DxIntentStatus
conclude(const Intent *intent, const DxDecider *decider, const char *decision,
		 const char *comment, TimestampTz now)
{
	bool		rejects = strcmp(decision, "reject") == 0;
	DxIntentStatus status = DX_INTENT_PENDING;
	Datum		values[1];

	record(intent, decider, decision, comment, now);
	if (rejects)
		status = DX_INTENT_REJECTED;
	else if (dx_voices_suffice(&intent->asked))
		status = DX_INTENT_APPROVED;
	if (status == DX_INTENT_PENDING)
	{
		values[0] = UUIDPGetDatum(intent->id);
		(void) dx_execute(&touch_statement, values, NULL, false, 0);
		return status;
	}
	close_intent(intent, status, comment, now);
	if (rejects && intent->is_effect)
		dx_intent_key_release(intent->id);
	tell_run(intent, decider, rejects ? "reject" : intent->amended ? "edit" : "approve",
			 comment, rejects ? NULL : names_of(intent), now);
	return status;
}

/*
 * Decides about an intent, as the session user, or for whom a gateway speaks.
 * decision: "approve", "edit"
 * (with amended) or "reject".  hash: NULL, or what the decider has seen.
 * Returns the status then.  Needs SPI_connect.  Errors: P0002 no such intent
 * for the caller, 42501 it is his own request, DX004 it is decided, expired,
 * withdrawn or about another payload, 22023 wrong shape, 54000 too large.
 */
DxIntentStatus
dx_decide(const pg_uuid_t *id, const char *decision, Jsonb *amended,
		  const char *comment, const char *hash, const char *on_behalf_of)
{
	DxIdentity	saved;
	Intent		intent = {0};
	DxDecider	decider;
	TimestampTz now;
	DxIntentStatus status;

	dx_require_person("decides about approvals");
	dx_check_comment(comment, "the comment");
	if (amended != NULL)
		dx_check_payload(amended, "the amended payload");
	dx_engine_enter(&saved);
	dx_decider_find(on_behalf_of, &decider);
	read_intent(id, &intent);
	check_decider(&intent, &decider);
	/* After the lock, which may have taken its time. */
	now = dx_now();
	check_open(&intent, now);
	check_hash(&intent, hash, strcmp(decision, "reject") == 0);
	if (strcmp(decision, DX_DECIDE_ACTION) == 0)
	{
		amended = action_payload(&intent, amended);
		decision = "edit";
	}
	if (amended != NULL)
		amend(&intent, amended);
	status = conclude(&intent, &decider, decision, comment, now);
	dx_engine_leave(&saved);
	dx_commit_by(id, intent.expires_at, too_late);
	dx_force_durable();
	return status;
}
