/*-------------------------------------------------------------------------
 *
 * task_answer.c
 *	  What programs outside do with tasks that they have: heartbeat, complete,
 *	  fail.
 *
 * A token is (task, attempt), and both stand in the WHERE of the statement that
 * does it, with the check that the lease is not over: there is no moment
 * between the check and the act.  Completing deletes the task's row, keeps the
 * outcome for who asks again, and puts one message into the run's inbox, all
 * in one statement and without touching the run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/guc.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/server.h"
#include "base/sqlstate.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/inbox.h"
#include "engine/lease.h"
#include "engine/model.h"
#include "engine/token.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "outside/claim.h"
#include "outside/task_answer.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define LIVES_UNTIL \
	"LEAST(COALESCE(t.heartbeat_at, t.claimed_at) + t.lease, t.until_at)"

static DxStatement heartbeat_statement = {
	"UPDATE dealix.activity_task t SET heartbeat_at = $3,"
	" details = COALESCE($4, t.details)"
	" WHERE t.task_id = $1 AND t.attempt = $2"
	" AND (t.claimed_at IS NOT NULL OR t.token_only)"
	" AND (t.cancelled OR (" LIVES_UNTIL " <= $3) IS NOT TRUE)"
	" AND " DX_MAY_SERVE("$5", "$6") " RETURNING t.cancelled",
	6, {UUIDOID, INT4OID, TIMESTAMPTZOID, JSONBOID, OIDOID, BOOLOID}
};

static DxStatement finish_statement = {
	"WITH u AS (SELECT * FROM unnest($1, $2, $3) AS u(task_id, attempt, payload)),"
	" d AS (DELETE FROM dealix.activity_task t USING u"
	" WHERE t.task_id = u.task_id AND t.attempt = u.attempt"
	" AND (t.claimed_at IS NOT NULL OR t.token_only)"
	" AND (CASE WHEN t.cancelled THEN $5 = 4 ELSE (" LIVES_UNTIL " <= $4) IS NOT TRUE END)"
	" AND " DX_MAY_SERVE("$6", "$7")
	" RETURNING t.task_id, t.attempt, t.run_id, t.owner, t.branch, t.activity,"
	" t.details, t.cancelled, t.slot_id, t.rank, u.payload),"
	" f AS (" DX_GIVE_BACK_SLOTS("d") "),"
	" o AS (INSERT INTO dealix.activity_outcome (task_id, attempt, at, outcome, owner)"
	" SELECT task_id, attempt, $4, CASE WHEN cancelled THEN 'CANCELLED' WHEN $5 = " DX_SQL(MESSAGE_COMPLETED)
	" THEN 'COMPLETED' ELSE 'FAILED' END, owner FROM d ON CONFLICT DO NOTHING),"
	" m AS (" DX_INBOX_SEND("run_id", "$4", "owner", "$5", "$6", "$8", "activity", "branch",
							"task_id", "attempt",
							"CASE WHEN $5 = " DX_SQL(MESSAGE_FAILED) " AND details IS NOT NULL"
							" THEN payload || pg_catalog.jsonb_build_object('details', details)"
							" ELSE payload END",
							"FROM d WHERE NOT cancelled") ")"
	" SELECT task_id, attempt, run_id, owner::pg_catalog.oid, cancelled,"
	" CASE WHEN slot_id IS NOT NULL THEN activity END, rank FROM d",
	8, {UUIDARRAYOID, INT4ARRAYOID, JSONBARRAYOID, TIMESTAMPTZOID, INT2OID,
	OIDOID, BOOLOID, OIDOID}
};

static DxStatement outcome_statement = {
	"SELECT outcome FROM dealix.activity_outcome t"
	" WHERE task_id = $1 AND attempt = $2 AND " DX_MAY_SERVE("$3", "$4")
	" AND at >= $5",
	5, {UUIDOID, INT4OID, OIDOID, BOOLOID, TIMESTAMPTZOID}
};

static DxStatement why_statement = {
	"SELECT t.cancelled, t.claimed_at IS NULL FROM dealix.activity_task t"
	" WHERE t.task_id = $1 AND t.attempt = $2 AND " DX_MAY_SERVE("$3", "$4"),
	4, {UUIDOID, INT4OID, OIDOID, BOOLOID}
};

/* Takes a token apart. Errors: 22023. */
static void
parse_token(const char *token, pg_uuid_t *ticket, int32 *attempt)
{
	if (!dx_token_parse(token, ticket, attempt))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a task token", token),
				 errhint("Use the token that dealix.claim() returned, or $$.Task.Token.")));
}

/* Values 0 to 3 of a look-up by token, for the statements above. */
static void
token_values(const char *token, Oid user, bool all, Datum *values)
{
	pg_uuid_t  *ticket = palloc(sizeof(pg_uuid_t));
	int32		attempt;

	parse_token(token, ticket, &attempt);
	values[0] = UUIDPGetDatum(ticket);
	values[1] = Int32GetDatum(attempt);
	values[2] = ObjectIdGetDatum(user);
	values[3] = BoolGetDatum(all);
}

/*
 * Refuses a token that is not good any more, and says why.  Errors: DX003.
 */
void
dx_task_refuse(const char *token)
{
	Datum		values[4];
	const char *why = "Its lease is over, or its task is done or was given to somebody else.";
	Oid			user = GetUserId();
	bool		all = dx_may_serve();

	token_values(token, user, all, values);
	dx_query(&why_statement, values, NULL, false, 1);
	if (SPI_processed > 0)
	{
		DxRow		row = dx_row(0);

		if (DatumGetBool(dx_get(&row)))
			why = "The run no longer wants the task: it was cancelled, or has gone on.";
		else if (DatumGetBool(dx_get(&row)))
			why = "The task has not been claimed.";
	}
	ereport(ERROR,
			(errcode(DX_SQLSTATE_REFUSED),
			 errmsg("task token %s is refused", token),
			 errdetail("%s", why),
			 errhint("Give the work up; if it is still wanted, dealix.claim() returns it with a new token and the same idempotency key.")));
}

/*
 * Says that the worker still is at it, and keeps what it tells (NULL: what it
 * told before).  false: the run no longer wants it.  Errors: DX003 when the
 * token is refused, 22023 when it is none.
 */
bool
dx_task_heartbeat(const char *token, Jsonb *details)
{
	Datum		values[6];
	char		nulls[] = "      ";
	Oid			user = GetUserId();
	bool		all = dx_may_serve();
	bool		found;
	bool		isnull;
	bool		cancelled = false;

	token_values(token, user, all, values);
	values[4] = values[2];
	values[5] = values[3];
	values[2] = TimestampTzGetDatum(dx_now());
	values[3] = PointerGetDatum(details);
	nulls[3] = details ? ' ' : 'n';
	dx_query(&heartbeat_statement, values, nulls, false, 0);
	found = SPI_processed > 0;
	if (!found)
		dx_task_refuse(token);
	cancelled = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
										   SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return !cancelled;
}

/* What became of a token that could not be used now; NULL: it is refused. */
static const char *
stored_outcome(const char *token, Oid user, bool all)
{
	MemoryContext cxt = CurrentMemoryContext;
	Datum		values[5];
	char	   *outcome = NULL;

	token_values(token, user, all, values);
	values[4] = TimestampTzGetDatum(dx_now() - dx_outcome_retention * USECS_PER_SEC);
	(void) dx_execute(&outcome_statement, values, NULL, false, 1);
	if (SPI_processed > 0)
	{
		DxRow		row = dx_row(0);

		outcome = MemoryContextStrdup(cxt, dx_get_text(&row));
	}
	SPI_freetuptable(SPI_tuptable);
	return outcome;
}

/* Reads what the statement has finished, and wakes the runs. */
static void
note_finished(int n, const pg_uuid_t *tickets, const int32 *attempts,
			  DxMessageKind kind, const char **outcomes)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		pg_uuid_t	ticket;
		pg_uuid_t	run_id;
		pg_uuid_t	channel;
		int32		attempt;
		Oid			owner;
		bool		cancelled;
		char	   *activity;
		int16		rank;

		(void) dx_get_uuid(&row, &ticket);
		attempt = dx_get_int4(&row);
		(void) dx_get_uuid(&row, &run_id);
		owner = DatumGetObjectId(dx_get(&row));
		cancelled = DatumGetBool(dx_get(&row));
		activity = dx_get_text(&row);
		rank = dx_get_int2(&row);
		if (!cancelled)
			dx_wake_run(owner, &run_id, -rank);
		if (activity != NULL)
		{
			dx_activity_channel(activity, &channel);
			dx_wake_ended(&channel);
		}
		/* Most often they come in the order in which they went in. */
		for (int j = 0; j < n; j++)
		{
			int			at = (i + j) % n;

			if (attempts[at] != attempt ||
				memcmp(&tickets[at], &ticket, UUID_LEN) != 0)
				continue;
			outcomes[at] = cancelled ? "CANCELLED" :
				kind == DX_MESSAGE_COMPLETED ? "COMPLETED" : "FAILED";
			break;
		}
	}
}

/*
 * Completes (kind DX_MESSAGE_COMPLETED) or fails (DX_MESSAGE_FAILED) n tasks.
 * tokens: text; payloads: jsonb, NULL where nulls says so.  outcomes[i] gets
 * "COMPLETED", "FAILED" or "CANCELLED": of now, or of before when the token
 * was used before; NULL where it is refused.  Returns how many are refused.
 */
int
dx_task_finish(int n, Datum *tokens, Datum *payloads, bool *nulls,
			   DxMessageKind kind, const char **outcomes)
{
	DxIdentity	saved;
	Oid			user = GetUserId();
	bool		all = dx_may_serve();
	Datum		values[8];
	DxColumns  *columns = dx_columns_make(&finish_statement, n);
	pg_uuid_t  *tickets = palloc(sizeof(pg_uuid_t) * n);
	int32	   *attempts = palloc(sizeof(int32) * n);
	int			refused = 0;

	Assert(n > 0);
	columns->ncolumns = 3;
	for (int i = 0; i < n; i++)
	{
		parse_token(TextDatumGetCString(tokens[i]), &tickets[i], &attempts[i]);
		dx_put_uuid(columns, &tickets[i]);
		dx_put_int4(columns, attempts[i]);
		dx_put(columns, payloads[i], nulls[i]);
		outcomes[i] = NULL;
	}
	dx_engine_enter(&saved);
	dx_columns_values(columns, values);
	values[3] = TimestampTzGetDatum(dx_now());
	values[4] = Int16GetDatum(kind);
	values[5] = ObjectIdGetDatum(user);
	values[6] = BoolGetDatum(all);
	values[7] = ObjectIdGetDatum(GetSessionUserId());
	(void) dx_execute(&finish_statement, values, NULL, false, 0);
	note_finished(n, tickets, attempts, kind, outcomes);
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (outcomes[i] == NULL)
			outcomes[i] = stored_outcome(TextDatumGetCString(tokens[i]), user, all);
		if (outcomes[i] == NULL)
			refused++;
	}
	dx_engine_leave(&saved);
	if (refused < n)
		dx_force_durable();
	return refused;
}
