/*-------------------------------------------------------------------------
 *
 * intent_store.c
 *	  Intents in the tables: taken by a pass, and written with it.
 *
 * New ones are written without a statement (base/bulk.c), with the status that
 * they have at the end of the pass.  Whoever changes a row has locked it: a pass
 * and a decision take turns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/bulk.h"
#include "base/catalog.h"
#include "base/clock.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/uuid.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/requester.h"
#include "executor/spi.h"
#include "governance/intent.h"
#include "governance/intent_key.h"
#include "outside/timer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define INTENT_COLUMNS \
	"status, version, COALESCE(amended, payload), hash, class::text, name, tenant, key," \
	" expires_at, due_at, created_at, policy_version, rule, approvers, escalation, escalated, quorum"

static DxStatement take_statement = {
	"SELECT " INTENT_COLUMNS " FROM dealix.intent WHERE intent_id = $1 FOR UPDATE",
	1, {UUIDOID}
};

static DxStatement try_take_statement = {
	"SELECT " INTENT_COLUMNS " FROM dealix.intent WHERE intent_id = $1 FOR UPDATE SKIP LOCKED",
	1, {UUIDOID}
};

static DxStatement look_statement = {
	"SELECT " INTENT_COLUMNS " FROM dealix.intent WHERE intent_id = $1",
	1, {UUIDOID}
};

static DxStatement update_statement = {
	"WITH u AS MATERIALIZED (SELECT u.*, i.ctid AS tid FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)"
	" AS u(intent_id, status, at, reason, outcome, due_at, escalated, approvers)"
	" JOIN dealix.intent i ON i.intent_id = u.intent_id FOR UPDATE OF i SKIP LOCKED)"
	" UPDATE dealix.intent i SET status = u.status,"
	" settled_at = COALESCE(u.at, i.settled_at), reason = COALESCE(u.reason, i.reason),"
	" outcome = COALESCE(u.outcome, i.outcome), due_at = u.due_at, escalated = u.escalated,"
	" approvers = COALESCE(u.approvers::text[], i.approvers)"
	" FROM u WHERE i.intent_id = u.intent_id",
	8, {UUIDARRAYOID, INT2ARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, JSONBARRAYOID,
	TIMESTAMPTZARRAYOID, INT2ARRAYOID, TEXTARRAYOID}
};

/*
 * The branch has gone, or does something else.  What has not been out never
 * goes out.  Of what is out it is not known whether it had its effect, unless
 * nobody has taken it yet.
 */
static DxStatement abandon_statement = {
	"WITH l AS MATERIALIZED (SELECT i.intent_id, CASE WHEN i.status <> " DX_SQL(INTENT_RUNNING)
	" THEN " DX_SQL(INTENT_WITHDRAWN)
	" WHEN u.out AND NOT EXISTS (SELECT FROM dealix.activity_task t WHERE t.intent_id = i.intent_id"
	" AND t.claimed_at IS NULL) THEN " DX_SQL(INTENT_UNKNOWN)
	" ELSE " DX_SQL(INTENT_FAILED) " END AS status"
	" FROM unnest($1, $2) AS u(intent_id, out)"
	" JOIN dealix.intent i ON i.intent_id = u.intent_id WHERE i.status = ANY (ARRAY["
	DX_SQL(INTENT_PENDING) ", " DX_SQL(INTENT_APPROVED) ", " DX_SQL(INTENT_HALTED) ", "
	DX_SQL(INTENT_RUNNING) "]) FOR UPDATE OF i SKIP LOCKED)"
	" UPDATE dealix.intent i SET status = l.status, settled_at = $3,"
	" reason = 'The run does not wait for it any more.' FROM l WHERE i.intent_id = l.intent_id"
	" RETURNING i.intent_id",
	3, {UUIDARRAYOID, BOOLARRAYOID, TIMESTAMPTZOID}
};

/* ---------- taken ---------- */

/* A row of SPI_tuptable as an intent of the branch. */
static DxIntent *
read_intent(DxPass *pass, DxRun *run, DxBranch *branch)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	DxIntent   *intent = dx_intent_new(pass, run, branch);
	DxRow		row = dx_row(0);
	char	   *class;

	intent->id = branch->intent;
	intent->status = intent->stored = dx_get_int2(&row);
	intent->version = dx_get_int4(&row);
	intent->payload = dx_get_jsonb(&row);
	intent->hash = DatumGetByteaPCopy(dx_get(&row));
	class = dx_get_text(&row);
	intent->class = class ? class[0] : 'B';
	intent->action = dx_get_text(&row);
	intent->tenant = dx_get_text(&row);
	intent->key = dx_get_text(&row);
	intent->expires_at = dx_get_time(&row, DT_NOEND);
	intent->due_at = dx_get_time(&row, DT_NOEND);
	intent->created_at = dx_get_time(&row, 0);
	intent->verdict.policy_version = dx_get_int4(&row);
	intent->verdict.rule = dx_get_int4(&row);
	if (row.isnull)
		intent->verdict.rule = -1;
	intent->verdict.approvers = dx_get_names(&row);
	intent->verdict.escalation = dx_get_jsonb(&row);
	intent->escalated = dx_get_int2(&row);
	intent->verdict.quorum = dx_get_int4(&row);
	MemoryContextSwitchTo(oldcxt);
	return intent;
}

/* The intent of the branch by this statement; NULL: it finds none. */
static DxIntent *
find(DxPass *pass, DxRun *run, DxBranch *branch, DxStatement *statement)
{
	DxIntent   *intent = NULL;
	Datum		values[1];

	Assert(branch->governed);
	if (branch->asks != NULL)
		return branch->asks;
	values[0] = UUIDPGetDatum(&branch->intent);
	dx_query(statement, values, NULL, false, 1);
	if (SPI_processed > 0)
		intent = read_intent(pass, run, branch);
	SPI_freetuptable(SPI_tuptable);
	return intent;
}

/*
 * The intent of a branch that has one, locked.  Waits for a decision that is
 * being committed.  Needs SPI_connect.  Errors: XX001 when it is not there.
 */
DxIntent *
dx_intent_take(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxIntent   *intent = find(pass, run, branch, &take_statement);

	if (intent == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("run %s is at an effect whose intent %s does not exist",
						dx_uuid_text(&run->id), dx_uuid_text(&branch->intent))));
	return intent;
}

/* The same; NULL: somebody has locked it. */
DxIntent *
dx_intent_try_take(DxPass *pass, DxRun *run, DxBranch *branch)
{
	return find(pass, run, branch, &try_take_statement);
}

/* The same without a lock: who has it locked cannot commit any more. */
DxIntent *
dx_intent_look(DxPass *pass, DxRun *run, DxBranch *branch)
{
	return find(pass, run, branch, &look_statement);
}

/* ---------- written ---------- */

/* A text column; NULL is null. */
static void
set_text(DxNewRow *row, AttrNumber column, const char *text)
{
	if (text != NULL)
		dx_set(row, column, CStringGetTextDatum(text));
}

/* A jsonb column. */
static void
set_json(DxNewRow *row, AttrNumber column, const Jsonb *json)
{
	if (json != NULL)
		dx_set(row, column, PointerGetDatum(json));
}

/* A time; none is null. */
static void
set_time(DxNewRow *row, AttrNumber column, TimestampTz at, TimestampTz none)
{
	if (at != none)
		dx_set(row, column, TimestampTzGetDatum(at));
}

/* Names as text[]; NIL is null. */
static void
set_names(DxNewRow *row, AttrNumber column, const List *names)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(list_length(names), 1));
	ListCell   *lc;

	if (names == NIL)
		return;
	foreach(lc, names)
		values[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	dx_set(row, column, PointerGetDatum(construct_array(values, list_length(names), TEXTOID,
														-1, false, TYPALIGN_INT)));
}

/* What the policy has said of it. */
static void
set_verdict(DxNewRow *row, const DxVerdict *verdict)
{
	dx_set(row, Anum_intent_quorum, Int32GetDatum(verdict->class == 'B' ? verdict->quorum : 0));
	if (verdict->policy_version > 0)
		dx_set(row, Anum_intent_policy_version, Int32GetDatum(verdict->policy_version));
	if (verdict->rule >= 0)
		dx_set(row, Anum_intent_rule, Int32GetDatum(verdict->rule));
	dx_set(row, Anum_intent_side_effect, Int16GetDatum(verdict->classes.side_effect));
	dx_set(row, Anum_intent_approval, Int16GetDatum(verdict->classes.approval));
	dx_set(row, Anum_intent_reversibility, Int16GetDatum(verdict->classes.reversibility));
	dx_set(row, Anum_intent_sensitivity, Int16GetDatum(verdict->classes.sensitivity));
	dx_set(row, Anum_intent_class, CharGetDatum(verdict->class));
	set_names(row, Anum_intent_floors, verdict->floors);
	set_names(row, Anum_intent_approvers, verdict->approvers);
	set_json(row, Anum_intent_all_of, verdict->all_of);
	set_json(row, Anum_intent_escalation, verdict->escalation);
}

/* A row of dealix.intent. */
static void
add_intent(DxBulk *bulk, const DxIntent *intent)
{
	const DxRun *run = intent->run;
	DxNewRow	row;

	dx_new_row(&row, Natts_intent);
	dx_set(&row, Anum_intent_intent_id, UUIDPGetDatum(&intent->id));
	dx_set(&row, Anum_intent_run_id, UUIDPGetDatum(&run->id));
	dx_set(&row, Anum_intent_created_at, TimestampTzGetDatum(intent->created_at));
	set_time(&row, Anum_intent_expires_at, intent->expires_at, DT_NOEND);
	set_time(&row, Anum_intent_due_at, intent->due_at, DT_NOEND);
	if (dx_intent_is_over(intent->status))
		dx_set(&row, Anum_intent_settled_at, TimestampTzGetDatum(dx_now()));
	dx_set(&row, Anum_intent_owner, ObjectIdGetDatum(run->owner));
	dx_set(&row, Anum_intent_requester, ObjectIdGetDatum(OidIsValid(run->requester) ?
														 run->requester : run->owner));
	if (run->requesters != NIL)
		dx_set(&row, Anum_intent_requesters,
			   PointerGetDatum(dx_requesters_array(run->requesters)));
	dx_set(&row, Anum_intent_branch, Int32GetDatum(intent->branch->branch));
	dx_set(&row, Anum_intent_attempt, Int32GetDatum(intent->attempt));
	dx_set(&row, Anum_intent_version, Int32GetDatum(intent->version));
	dx_set(&row, Anum_intent_kind, Int16GetDatum(N_INTENT_KIND_EFFECT));
	dx_set(&row, Anum_intent_status, Int16GetDatum(intent->status));
	set_text(&row, Anum_intent_name, intent->action ? intent->action : "");
	set_text(&row, Anum_intent_state, intent->state);
	set_text(&row, Anum_intent_workflow, run->workflow);
	set_text(&row, Anum_intent_correlation_id, run->correlation_id);
	set_text(&row, Anum_intent_tenant, intent->tenant);
	set_text(&row, Anum_intent_key, intent->key);
	set_text(&row, Anum_intent_summary, intent->summary);
	set_text(&row, Anum_intent_reason, intent->reason);
	dx_set(&row, Anum_intent_hash, PointerGetDatum(intent->hash));
	set_json(&row, Anum_intent_payload, intent->payload);
	set_json(&row, Anum_intent_shape, intent->shape);
	set_json(&row, Anum_intent_evidence, intent->evidence);
	set_json(&row, Anum_intent_outcome, intent->outcome);
	set_verdict(&row, &intent->verdict);
	dx_bulk_add(bulk, &row);
}

/* Writes those that have no row yet. */
static void
insert_intents(DxPass *pass)
{
	DxBulk	   *bulk = NULL;
	ListCell   *lc;

	foreach(lc, pass->intents)
	{
		DxIntent   *intent = lfirst(lc);

		if (intent->stored != 0)
			continue;
		if (bulk == NULL)
			bulk = dx_bulk_open("intent", Natts_intent);
		add_intent(bulk, intent);
	}
	if (bulk != NULL)
		dx_bulk_close(bulk);
}

/* The names of roles as the text of an array; NULL for none. */
static char *
names_text(const List *names)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(list_length(names), 1));
	ListCell   *lc;
	Oid			output;
	bool		varlena;

	if (names == NIL)
		return NULL;
	foreach(lc, names)
		values[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	getTypeOutputInfo(TEXTARRAYOID, &output, &varlena);
	return OidOutputFunctionCall(output,
								 PointerGetDatum(construct_array(values, list_length(names),
																 TEXTOID, -1, false,
																 TYPALIGN_INT)));
}

/* Writes what has changed of the others. */
static void
update_intents(DxPass *pass)
{
	DxColumns  *columns = NULL;
	ListCell   *lc;

	foreach(lc, pass->intents)
	{
		DxIntent   *intent = lfirst(lc);

		if (intent->stored == 0 || (intent->status == intent->stored && !intent->changed))
			continue;
		if (columns == NULL)
			columns = dx_columns_make(&update_statement, list_length(pass->intents));
		dx_put_uuid(columns, &intent->id);
		dx_put(columns, Int16GetDatum(intent->status), false);
		dx_put_time(columns, dx_intent_is_over(intent->status) ? dx_now() : 0, 0);
		dx_put_text(columns, intent->reason);
		dx_put_jsonb(columns, intent->outcome);
		dx_put_time(columns, intent->due_at, DT_NOEND);
		dx_put(columns, Int16GetDatum(intent->escalated), intent->escalated == 0);
		dx_put_text(columns, intent->changed ? names_text(intent->verdict.approvers) : NULL);
	}
	if (columns != NULL)
		dx_columns_execute(&update_statement, columns);
}

/* What was asked for and nobody waits for any more. */
static List *
abandon(DxPass *pass)
{
	DxColumns  *columns = NULL;
	List	   *ids = NIL;
	Datum		values[3];
	ListCell   *lc;
	ListCell   *lb;

	foreach(lc, pass->runs)
	{
		foreach(lb, ((DxRun *) lfirst(lc))->branches)
		{
			DxBranch   *branch = lfirst(lb);

			if (!branch->stored_governed ||
				(!branch->gone && branch->governed &&
				 memcmp(&branch->intent, &branch->stored_intent, UUID_LEN) == 0))
				continue;
			if (columns == NULL)
			{
				columns = dx_columns_make(&abandon_statement, dx_count_branches(pass));
				columns->ncolumns = 2;
			}
			dx_put_uuid(columns, &branch->stored_intent);
			dx_put(columns, BoolGetDatum(branch->stored_phase == DX_PHASE_ACTIVITY ||
										 branch->stored_phase == DX_PHASE_TOKEN ||
										 branch->stored_phase == DX_PHASE_CHILD), false);
		}
	}
	if (columns == NULL)
		return NIL;
	dx_columns_values(columns, values);
	values[2] = TimestampTzGetDatum(dx_now());
	(void) dx_execute(&abandon_statement, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

		(void) dx_get_uuid(&row, id);
		ids = lappend(ids, id);
	}
	SPI_freetuptable(SPI_tuptable);
	return ids;
}

/*
 * With the pass, before anything that goes out is written: new intents, what
 * has become of others, and what is given up.  Between dx_engine_enter and
 * dx_engine_leave.
 */
void
dx_intent_write(DxPass *pass)
{
	List	   *over = NIL;
	ListCell   *lc;

	Assert(dx_engine_entered());
	insert_intents(pass);
	update_intents(pass);
	foreach(lc, pass->intents)
	{
		DxIntent   *intent = lfirst(lc);

		if (intent->key != NULL && intent->status != intent->stored && dx_intent_is_over(intent->status))
			over = lappend(over, &intent->id);
	}
	dx_intent_keys_settle(list_concat(over, abandon(pass)));
}
