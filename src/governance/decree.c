/*-------------------------------------------------------------------------
 *
 * decree.c
 *	  What governors do: policies, releases, actors, the emergency stop.
 *
 * Whoever lets something out is a person who says so in a statement of her own;
 * whoever stops something need not be.  What is done to the tables is said in
 * SQL, by functions that nobody else may call.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/json.h"
#include "audit/audit.h"
#include "base/catalog.h"
#include "base/guc.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/server.h"
#include "base/sqlstate.h"
#include "base/uuid.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/history.h"
#include "engine/inbox.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/persons.h"
#include "engine/redrive.h"
#include "engine/version.h"
#include "executor/spi.h"
#include "governance/actor.h"
#include "governance/approval.h"
#include "governance/decree.h"
#include "governance/effect.h"
#include "governance/intent.h"
#include "governance/intent_key.h"
#include "governance/policy.h"
#include "miscadmin.h"
#include "outside/timer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

#define PASS_TIME_MS	1000

static DxStatement policy_statement = {
	"INSERT INTO dealix.policy (policy_version, document, sha256, comment, author, created_at)"
	" SELECT COALESCE(pg_catalog.max(p.policy_version), 0) + 1, $1, $2, $3, $4,"
	" pg_catalog.clock_timestamp() FROM dealix.policy p RETURNING policy_version",
	4, {JSONBOID, BYTEAOID, TEXTOID, TEXTOID}
};

/* Numbers without gaps: one at a time. */
static DxStatement policy_lock_statement = {
	"LOCK TABLE dealix.policy IN SHARE ROW EXCLUSIVE MODE", 0, {0}
};

static DxStatement release_policy_statement = {
	"SELECT dealix_internal.do_release_policy($1, $2, $3, $4)",
	4, {INT4OID, TEXTOID, TEXTOID, BOOLOID}
};

static DxStatement release_statement = {
	"SELECT dealix_internal.do_release($1, $2, $3, $4, $5)",
	5, {TEXTOID, INT4OID, TEXTOID, TEXTOID, BOOLOID}
};

static DxStatement halt_statement = {
	"SELECT dealix_internal.do_halt($1, $2, $3)", 3, {JSONBOID, TEXTOID, TEXTOID}
};

/* Who waits hears that it may go on; what it was asked about is as it was. */
static DxStatement resume_statement = {
	"WITH r AS MATERIALIZED (SELECT id FROM dealix_internal.do_resume($1, $2, $3) id),"
	" i AS MATERIALIZED (SELECT i.* FROM dealix.intent i JOIN r ON r.id = i.intent_id)"
	DX_INBOX_SEND("i.run_id", DX_SENT_NOW, "i.owner", DX_SQL(MESSAGE_DECIDED), "$4", "NULL", "i.name",
				  "i.branch", "i.intent_id", "NULL",
				  "pg_catalog.jsonb_build_object('decision', '" DX_DECISION_RESUME "')", "FROM i")
	DX_INBOX_RECEIVERS,
	4, {INT4OID, TEXTOID, TEXTOID, OIDOID}
};

/* What there has to be persons enough for. */
static DxStatement pending_statement = {
	"SELECT owner::pg_catalog.oid, requester::pg_catalog.oid, quorum,"
	" requesters::pg_catalog.regrole[] FROM dealix.intent"
	" WHERE intent_id = $1 AND status = " DX_SQL(INTENT_PENDING) " FOR UPDATE",
	1, {UUIDOID}
};

static DxStatement reassign_statement = {
	"SELECT dealix_internal.do_reassign($1, $2, $3, $4)",
	4, {UUIDOID, TEXTARRAYOID, TEXTOID, TEXTOID}
};

static DxStatement unknown_statement = {
	"SELECT run_id, status FROM dealix.intent WHERE intent_id = $1", 1, {UUIDOID}
};

static DxStatement resolve_statement = {
	"UPDATE dealix.intent SET status = $2, outcome = $3, reason = $4,"
	" settled_at = pg_catalog.clock_timestamp() WHERE intent_id = $1 AND status = " DX_SQL(INTENT_UNKNOWN),
	4, {UUIDOID, INT2OID, JSONBOID, TEXTOID}
};

static DxStatement answer_statement = {
	DX_INBOX_SEND("b.run_id", DX_SENT_NOW, "b.owner", "$2", "$3", "NULL", "b.wait_for",
				  "b.branch", "b.ticket", "b.attempt", "$4",
				  "FROM dealix.branch b WHERE b.intent = $1 AND b.ticket IS NOT NULL")
	DX_INBOX_RECEIVERS,
	4, {UUIDOID, INT2OID, OIDOID, JSONBOID}
};

/* The name of who has logged in. */
static Datum
who(void)
{
	return CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
}

/* Stores a policy that has been checked. Returns its number.  Needs SPI_connect. */
int
dx_policy_store(Jsonb *document, const char *comment)
{
	DxHasher   *hasher = dx_hasher_open();
	DxHash		hash;
	Datum		values[4];
	bool		isnull;
	int			version;

	dx_payload_hash(hasher, document, &hash);
	dx_hasher_close(hasher);
	values[0] = JsonbPGetDatum(document);
	values[1] = PointerGetDatum(dx_hash_bytes(&hash));
	values[2] = CStringGetTextDatum(comment);
	values[3] = who();
	dx_query(&policy_lock_statement, NULL, NULL, false, 0);
	dx_query(&policy_statement, values, NULL, false, 1);
	version = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	dx_force_durable();
	return version;
}

/* A version of the policy comes into force.  Needs SPI_connect. Errors: P0002, 42501. */
void
dx_policy_release(int version, const char *comment)
{
	Datum		values[4];

	dx_require_human("releases a policy");
	values[0] = Int32GetDatum(version);
	values[1] = CStringGetTextDatum(comment);
	values[2] = who();
	values[3] = BoolGetDatum(dx_governance == DX_GOVERNANCE_REQUIRED);
	dx_query(&release_policy_statement, values, NULL, false, 0);
	dx_policy_forget();
	dx_force_durable();
}

/*
 * A version of a workflow takes runs from now on.  Returns the points that were
 * overridden.  Needs SPI_connect. Errors: 42704, 42501, 55000.
 */
ArrayType *
dx_version_release(const char *workflow, int version, const char *comment)
{
	DxIdentity	saved;
	Datum		values[5];
	DxRow		row;
	ArrayType  *open;

	dx_require_human("releases a version");
	values[0] = CStringGetTextDatum(workflow);
	values[1] = Int32GetDatum(version);
	values[2] = CStringGetTextDatum(comment);
	values[3] = who();
	values[4] = BoolGetDatum(dx_governance == DX_GOVERNANCE_REQUIRED);
	dx_engine_enter(&saved);
	(void) dx_execute(&release_statement, values, NULL, false, 1);
	row = (DxRow) dx_row(0);
	open = DatumGetArrayTypePCopy(dx_get(&row));
	SPI_freetuptable(SPI_tuptable);
	dx_version_stored();
	dx_engine_leave(&saved);
	dx_force_durable();
	return open;
}

/* Stops effects. Returns the number of the halt.  Needs SPI_connect. Errors: 22023. */
int
dx_halt(Jsonb *scope, const char *reason)
{
	Datum		values[3];
	bool		isnull;
	int			halt;

	values[0] = JsonbPGetDatum(scope);
	values[1] = CStringGetTextDatum(reason);
	values[2] = who();
	dx_query(&halt_statement, values, NULL, false, 1);
	halt = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	dx_force_durable();
	return halt;
}

/* Lets effects go on. Returns how many.  Needs SPI_connect. Errors: 42501, P0002. */
int64
dx_resume_effects(int halt, const char *reason)
{
	Datum		values[4];
	int64		n;

	dx_require_human("lets effects go on");
	values[0] = Int32GetDatum(halt);
	values[1] = CStringGetTextDatum(reason);
	values[2] = who();
	values[3] = ObjectIdGetDatum(GetSessionUserId());
	dx_query(&resume_statement, values, NULL, false, 0);
	n = (int64) SPI_processed;
	dx_wake_returned();
	dx_force_durable();
	return n;
}

/* The names in an array of text. */
static List *
names_of(ArrayType *array)
{
	Datum	   *values;
	int			n;
	List	   *names = NIL;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, NULL, &n);
	for (int i = 0; i < n; i++)
		names = lappend(names, TextDatumGetCString(values[i]));
	return names;
}

/* Refuses approvers of whom too few could agree. Errors: 22023. */
static void
check_enough(const pg_uuid_t *id, ArrayType *approvers)
{
	DxIdentity	saved;
	Datum		values[1];
	List	   *askers = NIL;
	int			quorum = 0;
	int			persons;

	dx_engine_enter(&saved);
	values[0] = UUIDPGetDatum(id);
	(void) dx_execute(&pending_statement, values, NULL, false, 1);
	if (SPI_processed > 0)
	{
		DxRow		row = dx_row(0);

		askers = list_make1_oid(DatumGetObjectId(dx_get(&row)));
		askers = lappend_oid(askers, DatumGetObjectId(dx_get(&row)));
		quorum = dx_get_int4(&row);
		askers = list_concat_unique_oid(askers, dx_get_requesters(&row));
	}
	SPI_freetuptable(SPI_tuptable);
	dx_engine_leave(&saved);
	if (quorum == 0)
		return;
	persons = dx_persons(names_of(approvers), askers, quorum);
	if (persons < quorum)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("too few persons could decide about approval %s then", dx_uuid_text(id)),
				 errdetail("%d %s to agree, and %d may: who owns the run or has asked for it does not decide.",
						   quorum, quorum == 1 ? "person has" : "persons have", persons),
				 errhint("Name more roles, or groups with more members.")));
}

/*
 * Puts others in place of the approvers.  Needs SPI_connect.  Errors: 42501, 42704,
 * P0002, DX004 it is decided, 22023 too few persons could decide then.
 */
void
dx_reassign_approval(const pg_uuid_t *id, ArrayType *approvers, const char *reason)
{
	Datum		values[4];

	dx_require_human("reassigns an approval");
	values[0] = UUIDPGetDatum(id);
	values[1] = PointerGetDatum(approvers);
	values[2] = CStringGetTextDatum(reason);
	values[3] = who();
	dx_query(&reassign_statement, values, NULL, false, 0);
	check_enough(id, approvers);
	dx_force_durable();
}

/* The run of an intent whose outcome is not known. Errors: P0002, DX004. */
static void
find_unknown(const pg_uuid_t *id, pg_uuid_t *run_id)
{
	Datum		values[1];
	DxRow		row;
	int			status;

	values[0] = UUIDPGetDatum(id);
	(void) dx_execute(&unknown_statement, values, NULL, false, 1);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("there is no effect %s", dx_uuid_text(id)),
				 errhint("See dealix.intents.")));
	row = (DxRow) dx_row(0);
	(void) dx_get_uuid(&row, run_id);
	status = dx_get_int2(&row);
	SPI_freetuptable(SPI_tuptable);
	if (status != DX_INTENT_UNKNOWN)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_CLOSED),
				 errmsg("effect %s is %s", dx_uuid_text(id), dx_intent_status_name(status)),
				 errhint("Only of one that is UNKNOWN a person may know better.")));
}

/* Puts what a person knows into the tables, and answers the branch that waits. */
static void
write_resolution(const pg_uuid_t *id, bool went_out, Jsonb *output, const char *reason)
{
	Datum		values[4];
	char		nulls[] = "    ";

	values[0] = UUIDPGetDatum(id);
	values[1] = Int16GetDatum(went_out ? DX_INTENT_DONE : DX_INTENT_FAILED);
	values[2] = JsonbPGetDatum(output);
	values[3] = reason ? CStringGetTextDatum(reason) : (Datum) 0;
	nulls[3] = reason ? ' ' : 'n';
	(void) dx_execute(&resolve_statement, values, nulls, false, 0);
	dx_intent_key_release(id);
	values[1] = Int16GetDatum(went_out ? DX_MESSAGE_COMPLETED : DX_MESSAGE_FAILED);
	values[2] = ObjectIdGetDatum(GetSessionUserId());
	values[3] = JsonbPGetDatum(went_out ? output :
							   dx_payload("error", dx_json_string("Governance.NotSent"),
										  "cause", dx_json_string(reason ? reason : "A person says that it did not go out."),
										  "retryable", dx_json_bool(false), NULL));
	(void) dx_execute(&answer_statement, values, NULL, false, 0);
	dx_wake_returned();
}

/*
 * A person knows whether an effect went out whose outcome is UNKNOWN; the run goes
 * on.  Needs SPI_connect. Errors: 42501, P0002, DX004.
 */
void
dx_effect_resolve(const pg_uuid_t *id, bool went_out, Jsonb *output, const char *reason)
{
	DxIdentity	saved;
	DxActor		actor = dx_actor();
	DxPassResult result;
	MemoryContext oldcxt;
	pg_uuid_t	run_id;
	DxPass	   *pass;
	DxRun	   *run;

	dx_require_human("says what became of an effect");
	dx_engine_enter(&saved);
	find_unknown(id, &run_id);
	dx_engine_leave(&saved);
	pass = dx_pass_open(InvalidOid, false, PASS_TIME_MS, &result);
	run = dx_pass_take(pass, &run_id, true);
	dx_engine_enter(&saved);
	write_resolution(id, went_out, output, reason);
	dx_engine_leave(&saved);
	oldcxt = MemoryContextSwitchTo(pass->cxt);
	if (run != NULL)
	{
		dx_event_by(pass, run, DX_EVENT_EFFECT_SETTLED, &actor,
					dx_payload("id", dx_json_uuid(id),
							   "status", dx_json_string(went_out ? "DONE" : "FAILED"),
							   "why", dx_json_text(reason), NULL));
		if (run->status == DX_RUN_INCIDENT)
			dx_run_redrive(pass, run);
	}
	MemoryContextSwitchTo(oldcxt);
	dx_pass_close(pass);
	dx_force_durable();
}
