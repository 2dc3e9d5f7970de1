/*-------------------------------------------------------------------------
 *
 * activity_store.c
 *	  What a pass writes about tasks that are done outside.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "base/clock.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "engine/budget.h"
#include "engine/columns.h"
#include "engine/handout.h"
#include "engine/lease.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "executor/spi.h"
#include "outside/activity.h"
#include "outside/activity_store.h"
#include "outside/claim.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

static DxStatement insert_statement = {
	"INSERT INTO dealix.activity_task (task_id, run_id, created_at, claimed_at,"
	" expires_at, until_at, close_at, heartbeat, start_to_close, lease, owner,"
	" branch, attempt, rank, token_only, activity, state, correlation_id,"
	" traceparent, input, details, intent_id)"
	" SELECT u.task_id, u.run_id, u.at, CASE WHEN u.activity IS NULL THEN u.at END,"
	" CASE WHEN u.activity IS NULL THEN LEAST(u.until_at, u.at + u.heartbeat * '1 s'::interval)"
	" ELSE u.until_at END, u.until_at, u.close_at, u.heartbeat * '1 s'::interval,"
	" u.start_to_close * '1 s'::interval,"
	" CASE WHEN u.activity IS NULL THEN u.heartbeat * '1 s'::interval END, u.owner,"
	" u.branch, u.attempt, u.rank, u.token_only, u.activity, u.state,"
	" u.correlation_id, u.traceparent, u.input, u.details, u.intent_id"
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
	" $15, $16, $17, $18, $19) AS u(task_id, run_id, at, until_at, close_at, heartbeat,"
	" start_to_close, owner, branch, attempt, rank, token_only, activity, state,"
	" correlation_id, traceparent, input, details, intent_id)",
	19, {UUIDARRAYOID, UUIDARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID,
		TIMESTAMPTZARRAYOID, FLOAT8ARRAYOID, FLOAT8ARRAYOID, OIDARRAYOID,
		INT4ARRAYOID, INT4ARRAYOID, INT2ARRAYOID, BOOLARRAYOID, TEXTARRAYOID,
	TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, JSONBARRAYOID, JSONBARRAYOID, UUIDARRAYOID}
};

/*
 * What a worker has is left to it, to be told at its next heartbeat; a lease
 * without an end gets one, because nobody may come back for it.  What somebody
 * has locked is on its way to us as a message, and late.
 */
#define FORGOTTEN_AT	"$3 + '" DX_DEFAULT_LEASE "'::interval"

static DxStatement give_up_statement = {
	"WITH l AS MATERIALIZED (SELECT t.task_id, t.attempt, t.claimed_at IS NOT NULL AND t.activity IS NOT NULL AS leased"
	" FROM unnest($1, $2) AS u(task_id, attempt)"
	" JOIN dealix.activity_task t ON t.task_id = u.task_id AND t.attempt = u.attempt"
	" FOR UPDATE OF t SKIP LOCKED),"
	" d AS (DELETE FROM dealix.activity_task t USING l"
	" WHERE t.task_id = l.task_id AND t.attempt = l.attempt AND NOT l.leased)"
	" UPDATE dealix.activity_task t SET cancelled = true,"
	" until_at = CASE WHEN t.expires_at IS NULL THEN " FORGOTTEN_AT " ELSE t.until_at END,"
	" expires_at = COALESCE(t.expires_at, " FORGOTTEN_AT ") FROM l"
	" WHERE t.task_id = l.task_id AND t.attempt = l.attempt AND l.leased"
	" RETURNING t.expires_at",
	3, {UUIDARRAYOID, INT4ARRAYOID, TIMESTAMPTZOID}
};

static DxStatement exists_statement = {
	"SELECT FROM dealix.activity_task WHERE task_id = $1 AND attempt = $2",
	2, {UUIDOID, INT4OID}
};

/* A time limit as a column: less than 0 is null, none. */
static void
put_seconds(DxColumns *columns, double seconds)
{
	dx_put(columns, Float8GetDatum(seconds), seconds < 0);
}

/* A row of dealix.activity_task. */
static void
put_activity(DxColumns *columns, const DxHandout *handout, TimestampTz now)
{
	const DxActivity *what = handout->what;
	const DxRun *run = handout->run;
	TimestampTz until = what->activity ? what->start_by :
	what->start_to_close < 0 ? DT_NOEND :
	dx_after_seconds(now, what->start_to_close);

	dx_put_uuid(columns, &handout->ticket);
	dx_put_uuid(columns, &run->id);
	dx_put_time(columns, now, 0);
	dx_put_time(columns, Min(until, what->close_at), DT_NOEND);
	dx_put_time(columns, what->close_at, DT_NOEND);
	put_seconds(columns, what->heartbeat);
	put_seconds(columns, what->start_to_close);
	dx_put(columns, ObjectIdGetDatum(run->owner), false);
	dx_put_int4(columns, handout->branch->branch);
	dx_put_int4(columns, handout->attempt);
	dx_put(columns, Int16GetDatum(-run->priority), false);
	dx_put(columns, BoolGetDatum(what->token_only), false);
	dx_put_text(columns, what->activity);
	dx_put_text(columns, handout->branch->state ? handout->branch->state->name : NULL);
	dx_put_text(columns, run->correlation_id);
	dx_put_text(columns, run->traceparent);
	dx_put_jsonb(columns, what->input);
	dx_put_jsonb(columns, what->details);
	dx_put_uuid(columns, handout->branch->governed && handout->phase != DX_PHASE_UNDO ?
				&handout->branch->intent : NULL);
	if (!TIMESTAMP_NOT_FINITE(Min(until, what->close_at)))
		dx_wake_at(Min(until, what->close_at));
	if (what->activity == NULL && what->heartbeat >= 0)
		dx_wake_at(dx_after_seconds(now, what->heartbeat));
}

/* Is this something for dealix.activity_task? */
static bool
is_activity(const DxHandout *handout)
{
	return handout->phase == DX_PHASE_ACTIVITY || handout->phase == DX_PHASE_TOKEN ||
		(handout->phase == DX_PHASE_UNDO && handout->kind == DX_RESOURCE_ACTIVITY);
}

/*
 * Writes the tasks that the pass has handed out, and wakes workers that wait.
 */
static void
insert_tasks(DxPass *pass)
{
	DxColumns  *columns;
	ListCell   *lc;
	const char *last = "";
	pg_uuid_t	channel = {{0}};
	TimestampTz now = dx_now();

	if (pass->handouts == NIL)
		return;
	columns = dx_columns_make(&insert_statement, list_length(pass->handouts));
	foreach(lc, pass->handouts)
	{
		DxHandout  *handout = lfirst(lc);
		const DxActivity *what = handout->what;

		if (!is_activity(handout) || !dx_handout_valid(handout))
			continue;
		put_activity(columns, handout, now);
		if (what->activity == NULL)
			continue;
		/* For each task: it wakes one of those who wait. */
		if (strcmp(what->activity, last) != 0)
			dx_activity_channel(what->activity, &channel);
		last = what->activity;
		dx_wake_ended(&channel);
	}
	dx_columns_execute(&insert_statement, columns);
}

/*
 * Takes back tasks that no branch waits for any more: unclaimed ones go, of
 * claimed ones the worker is told when it answers.
 */
static void
give_up_tasks(DxPass *pass, int nbranches)
{
	DxColumns  *columns = dx_columns_make(&give_up_statement, nbranches);
	Datum		values[3];
	ListCell   *lc;
	ListCell   *lb;

	columns->ncolumns = 2;

	foreach(lc, pass->runs)
	{
		foreach(lb, ((DxRun *) lfirst(lc))->branches)
		{
			DxBranch   *branch = lfirst(lb);

			if ((branch->stored_phase != DX_PHASE_ACTIVITY &&
				 branch->stored_phase != DX_PHASE_TOKEN &&
				 branch->stored_phase != DX_PHASE_UNDO) ||
				!dx_branch_gives_up(branch))
				continue;
			dx_put_uuid(columns, &branch->stored_ticket);
			dx_put_int4(columns, branch->stored_attempt);
		}
	}
	if (columns->nrows == 0)
		return;
	dx_columns_values(columns, values);
	values[2] = TimestampTzGetDatum(dx_now());
	(void) dx_execute(&give_up_statement, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);

		dx_wake_at(dx_get_time(&row, DT_NOEND));
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Writes what the pass has handed out, and takes back what it gave up. */
void
dx_activity_write(DxPass *pass)
{
	ListCell   *lc;
	ListCell   *lb;
	int			given_up = 0;
	int			answers = 0;

	Assert(dx_engine_entered());
	foreach(lc, pass->runs)
	{
		foreach(lb, ((DxRun *) lfirst(lc))->branches)
		{
			DxBranch   *branch = lfirst(lb);

			if (branch->answered)
				answers++;
			else if (dx_branch_gives_up(branch))
				given_up++;
		}
	}
	if (given_up > 0)
		give_up_tasks(pass, given_up);
	insert_tasks(pass);
	/* So that the table of outcomes does not grow for ever. */
	if (answers > 0)
		(void) dx_outcomes_forget_oldest(2 * answers, dx_now());
}

/* Does somebody still have to do this task? */
bool
dx_activity_exists(const pg_uuid_t *ticket, int32 attempt)
{
	Datum		values[2];

	values[0] = UUIDPGetDatum(ticket);
	values[1] = Int32GetDatum(attempt);
	dx_query(&exists_statement, values, NULL, false, 1);
	return SPI_processed > 0;
}
