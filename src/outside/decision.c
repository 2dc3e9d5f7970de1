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
#include "outside/approval.h"
#include "outside/decision.h"
#include "outside/person.h"
#include "outside/shape.h"
#include "outside/timer.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

static DxStatement intent_statement = {
	"SELECT run_id, branch, attempt, owner::pg_catalog.oid, requester::pg_catalog.oid,"
	" expires_at, status, version, quorum, COALESCE(amended, payload), shape, approvers,"
	" hash, amended IS NOT NULL, requesters::pg_catalog.regrole[]"
	" FROM dealix.intent WHERE intent_id = $1 FOR UPDATE",
	1, {UUIDOID}
};

static DxStatement decision_statement = {
	"INSERT INTO dealix.intent_decision (intent_id, version, approver, decision,"
	" comment, at, hash) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
	7, {UUIDOID, INT4OID, OIDOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, BYTEAOID}
};

static DxStatement amend_statement = {
	"UPDATE dealix.intent SET version = $2, amended = $3, hash = $4"
	" WHERE intent_id = $1",
	4, {UUIDOID, INT4OID, JSONBOID, BYTEAOID}
};

static DxStatement count_statement = {
	"SELECT pg_catalog.count(*), pg_catalog.jsonb_agg(pg_catalog.pg_get_userbyid(approver) ORDER BY at)"
	" FROM dealix.intent_decision WHERE intent_id = $1 AND version = $2",
	2, {UUIDOID, INT4OID}
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
	Oid			owner;
	Oid			requester;
	List	   *requesters;		/* who else has asked for it */
	TimestampTz expires_at;
	int16		status;
	int32		version;
	int32		quorum;
	Jsonb	   *payload;		/* the one that is decided */
	Jsonb	   *shape;
	List	   *approvers;		/* names of roles; NIL: everybody with access */
	bytea	   *hash;
	bool		amended;
} Intent;

static const char *const status_names[] = {
	[DX_INTENT_PENDING] = "PENDING",
	[DX_INTENT_APPROVED] = "APPROVED",
	[DX_INTENT_REJECTED] = "REJECTED",
	[DX_INTENT_EXPIRED] = "EXPIRED",
	[DX_INTENT_WITHDRAWN] = "WITHDRAWN"
};

/* The name of an intent's status; "UNKNOWN" for a foreign number. */
const char *
dx_intent_status_name(int status)
{
	if (status < DX_INTENT_PENDING || status > DX_INTENT_WITHDRAWN)
		return "UNKNOWN";
	return status_names[status];
}

/* The next column, an array of text, as a list of C strings. */
static List *
read_names(DxRow *row)
{
	Datum		value = dx_get(row);
	Datum	   *names;
	int			n;
	List	   *list = NIL;

	if (row->isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypePCopy(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &names, NULL, &n);
	for (int i = 0; i < n; i++)
		list = lappend(list, TextDatumGetCString(names[i]));
	return list;
}

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

		intent->id = id;
		(void) dx_get_uuid(&row, &intent->run_id);
		(void) dx_get(&row);
		(void) dx_get(&row);
		intent->owner = DatumGetObjectId(dx_get(&row));
		intent->requester = DatumGetObjectId(dx_get(&row));
		intent->expires_at = dx_get_time(&row, DT_NOEND);
		intent->status = dx_get_int2(&row);
		intent->version = dx_get_int4(&row);
		intent->quorum = dx_get_int4(&row);
		intent->payload = dx_get_jsonb(&row);
		intent->shape = dx_get_jsonb(&row);
		intent->approvers = read_names(&row);
		intent->hash = DatumGetByteaPCopy(dx_get(&row));
		intent->amended = DatumGetBool(dx_get(&row));
		intent->requesters = dx_get_requesters(&row);
	}
}

/*
 * Has the user the rights of one of the approvers? Of none that are named,
 * everybody with the access is one.
 */
static bool
is_approver(const Intent *intent, Oid user)
{
	ListCell   *lc;

	if (intent->approvers == NIL)
		return true;
	foreach(lc, intent->approvers)
	{
		Oid			role = get_role_oid(lfirst(lc), true);

		if (OidIsValid(role) && has_privs_of_role(user, role))
			return true;
	}
	return false;
}

/*
 * Refuses who may not decide about this: no approver, the owner, who has
 * asked for it. Errors: P0002, 42501.
 */
static void
check_decider(const Intent *intent, Oid user)
{
	if (!is_approver(intent, user))
		no_intent(intent->id);
	if (user == intent->requester || user == intent->owner ||
		list_member_oid(intent->requesters, user))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" must not decide about its own request",
						GetUserNameFromId(user, false)),
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
	if (hash == NULL && intent->version > 1 && !rejects)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_CLOSED),
				 errmsg("approval %s was amended: agreeing takes the hash of what you have seen",
						dx_uuid_text(intent->id)),
				 errdetail("Its payload is version %d.", intent->version),
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
record(const Intent *intent, Oid user, const char *decision, const char *comment,
	   TimestampTz now)
{
	Datum		values[7];
	char		nulls[] = "       ";

	values[0] = UUIDPGetDatum(intent->id);
	values[1] = Int32GetDatum(intent->version);
	values[2] = ObjectIdGetDatum(user);
	values[3] = CStringGetTextDatum(decision);
	values[4] = comment ? CStringGetTextDatum(comment) : (Datum) 0;
	nulls[4] = comment ? ' ' : 'n';
	values[5] = TimestampTzGetDatum(now);
	values[6] = PointerGetDatum(intent->hash);
	(void) dx_execute(&decision_statement, values, nulls, false, 0);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_CLOSED),
				 errmsg("role \"%s\" has decided about approval %s already",
						GetUserNameFromId(user, false), dx_uuid_text(intent->id)),
				 errdetail("%d different roles have to agree.", intent->quorum)));
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
	intent->version++;
	intent->payload = amended;
	intent->hash = dx_intent_hash(intent->version, amended);
	intent->amended = true;
	values[0] = UUIDPGetDatum(intent->id);
	values[1] = Int32GetDatum(intent->version);
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
tell_run(const Intent *intent, Oid user, const char *decision, const char *comment,
		 Jsonb *approvers, TimestampTz now)
{
	Datum		values[4];
	char		digits[2 * DX_HASH_LENGTH + 1];
	bool		rejected = strcmp(decision, "reject") == 0;

	digits[hex_encode(VARDATA_ANY(intent->hash), VARSIZE_ANY_EXHDR(intent->hash), digits)] = '\0';
	values[0] = UUIDPGetDatum(intent->id);
	values[1] = TimestampTzGetDatum(now);
	values[2] = ObjectIdGetDatum(user);
	values[3] = JsonbPGetDatum(dx_payload("id", dx_json_uuid(intent->id),
										  "decision", dx_json_string(decision),
										  "comment", dx_json_text(comment),
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

/* How many agree with this version, and who. */
static int64
count_agreed(const Intent *intent, Jsonb **approvers)
{
	Datum		values[2];
	DxRow		row;
	int64		agreed;

	values[0] = UUIDPGetDatum(intent->id);
	values[1] = Int32GetDatum(intent->version);
	(void) dx_execute(&count_statement, values, NULL, false, 1);
	row = (DxRow) dx_row(0);
	agreed = DatumGetInt64(dx_get(&row));
	*approvers = dx_get_jsonb(&row);
	return agreed;
}

/*
 * Decides about an intent, as the session user.  decision: "approve", "edit"
 * (with amended) or "reject".  hash: NULL, or what the decider has seen.
 * Returns the status then.  Needs SPI_connect.  Errors: P0002 no such intent
 * for the caller, 42501 it is his own request, DX004 it is decided, expired,
 * withdrawn or about another payload, 22023 wrong shape, 54000 too large.
 */
DxIntentStatus
dx_decide(const pg_uuid_t *id, const char *decision, Jsonb *amended,
		  const char *comment, const char *hash)
{
	DxIdentity	saved;
	Intent		intent = {0};
	Oid			user = GetSessionUserId();
	TimestampTz now;
	bool		rejects = strcmp(decision, "reject") == 0;
	DxIntentStatus status = DX_INTENT_PENDING;
	Jsonb	   *approvers = NULL;

	dx_require_person();
	dx_check_comment(comment, "the comment");
	if (amended != NULL)
		dx_check_payload(amended, "the amended payload");
	dx_engine_enter(&saved);
	read_intent(id, &intent);
	check_decider(&intent, user);
	/* After the lock, which may have taken its time. */
	now = dx_now();
	check_open(&intent, now);
	check_hash(&intent, hash, rejects);
	if (strcmp(decision, DX_DECIDE_ACTION) == 0)
	{
		amended = action_payload(&intent, amended);
		decision = "edit";
	}
	if (amended != NULL)
		amend(&intent, amended);
	record(&intent, user, decision, comment, now);
	if (rejects)
		status = DX_INTENT_REJECTED;
	else if (count_agreed(&intent, &approvers) >= intent.quorum)
		status = DX_INTENT_APPROVED;
	if (status != DX_INTENT_PENDING)
	{
		close_intent(&intent, status, comment, now);
		tell_run(&intent, user, status == DX_INTENT_REJECTED ? "reject" :
				 intent.amended ? "edit" : "approve", comment, approvers, now);
	}
	dx_engine_leave(&saved);
	dx_commit_by(id, intent.expires_at, too_late);
	dx_force_durable();
	return status;
}
