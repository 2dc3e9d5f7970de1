/*-------------------------------------------------------------------------
 *
 * quarantine.c
 *	  Makes an incident of a run that the engine cannot advance, and ends one.
 *
 * Something about it makes a pass fail, or ends the process: perhaps what it
 * was loaded from.  So nothing of it is loaded but its header; to end it, also
 * which branches it has and what they have handed out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/fault.h"
#include "base/catalog.h"
#include "base/clock.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/quarantine.h"
#include "engine/queue.h"
#include "engine/run.h"
#include "engine/store_read.h"
#include "engine/turn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

static DxStatement suspend_statement = {
	"WITH s AS (UPDATE dealix.branch SET suspended = true, due_at = 'infinity'"
	" WHERE run_id = $1 RETURNING phase)"
	" SELECT FROM s WHERE phase = " DX_SQL(PHASE_SLOT) " LIMIT 1",
	1, {UUIDOID}
};

static DxStatement slot_statement = {
	"UPDATE dealix.workflow_slot SET run_id = NULL WHERE run_id = $1",
	1, {UUIDOID}
};

static DxStatement name_statement = {
	"SELECT name FROM dealix.workflow WHERE workflow_id = $1",
	1, {INT4OID}
};

static DxStatement seen_statement = {
	"UPDATE dealix.inbox SET seen = true WHERE seen IS NULL"
	" AND run_id = ANY (ARRAY[$1, (SELECT r.first_run FROM dealix.run r WHERE r.run_id = $1)])"
	" AND (run_id = $1 OR branch IS NULL)",
	1, {UUIDOID}
};

/*
 * Messages that have come are no reason to try again: it would fail again, and
 * at once.  Whoever has mended the run sends another one, with redrive.
 */
static void
put_messages_aside(const DxRun *run)
{
	Datum		values[1];

	values[0] = UUIDPGetDatum(&run->id);
	dx_query(&seen_statement, values, NULL, false, 0);
}

/*
 * The slot that the run may have goes to who waits for one.  So does the turn of
 * one that waited: it may have been woken for a free slot, and nobody else was.
 */
static void
give_slot_back(DxRun *run, bool waited)
{
	Datum		values[1];

	values[0] = UUIDPGetDatum(&run->id);
	(void) dx_execute(&slot_statement, values, NULL, false, 0);
	if (SPI_processed == 0 && !waited)
		return;
	dx_slots_mark(list_make1(run));
	(void) dx_queue_wake(dx_slot_set(run), InvalidOid, 1, dx_now());
}

/* The name of the run's workflow, for messages. */
static char *
workflow_name(const DxRun *run)
{
	Datum		values[1];
	char	   *name = NULL;

	values[0] = Int32GetDatum(run->workflow_id);
	(void) dx_execute(&name_statement, values, NULL, false, 1);
	if (SPI_processed > 0)
	{
		DxRow		row = dx_row(0);

		name = dx_get_text(&row);
	}
	SPI_freetuptable(SPI_tuptable);
	return name ? name : pstrdup("?");
}

/* Makes an incident of a run of which nothing but its header is loaded. */
static void
stop(DxPass *pass, DxRun *run, const char *message)
{
	DxFault		fault = {DX_ERROR_RUNTIME, pstrdup(message)};
	DxIdentity	saved;
	Datum		values[1];
	bool		waited;

	dx_engine_enter(&saved);
	run->workflow = workflow_name(run);
	values[0] = UUIDPGetDatum(&run->id);
	(void) dx_execute(&suspend_statement, values, NULL, false, 0);
	waited = SPI_processed > 0;
	SPI_freetuptable(SPI_tuptable);
	give_slot_back(run, waited);
	dx_engine_leave(&saved);
	dx_run_incident(pass, run, &fault);
}

static DxStatement branches_statement = {
	"SELECT branch, phase, attempt, ticket FROM dealix.branch WHERE run_id = $1"
	" ORDER BY branch",
	1, {UUIDOID}
};

static DxStatement terminate_statement = {
	"SELECT sender::pg_catalog.oid, session::pg_catalog.oid, payload ->> 'reason'"
	" FROM dealix.inbox WHERE kind = " DX_SQL(MESSAGE_TERMINATE)
	" AND run_id = ANY (ARRAY[$1, (SELECT r.first_run FROM dealix.run r WHERE r.run_id = $1)])"
	" ORDER BY inbox_id LIMIT 1",
	1, {UUIDOID}
};

static DxStatement forget_statement = {
	"DELETE FROM dealix.inbox WHERE run_id = $1",
	1, {UUIDOID}
};

/* What is needed of the branches to take back what they have handed out. */
static void
load_bare_branches(DxRun *run)
{
	Datum		values[1];

	values[0] = UUIDPGetDatum(&run->id);
	(void) dx_execute(&branches_statement, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		DxBranch   *branch = palloc0(sizeof(DxBranch));

		CHECK_FOR_INTERRUPTS();
		branch->branch = dx_get_int4(&row);
		branch->phase = branch->stored_phase = dx_get_int2(&row);
		branch->attempt = branch->stored_attempt = dx_get_int4(&row);
		branch->ticketed = branch->stored_ticketed = dx_get_uuid(&row, &branch->ticket);
		branch->stored_ticket = branch->ticket;
		branch->stored = true;
		run->branches = lappend(run->branches, branch);
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * What is needed of a run to end it, without reading its definition or data.
 */
static void
load_bare(DxRun *run)
{
	DxIdentity	saved;

	dx_engine_enter(&saved);
	run->workflow = workflow_name(run);
	load_bare_branches(run);
	dx_slots_mark(list_make1(run));
	dx_engine_leave(&saved);
}

/*
 * Stops a run of dx_pass_take_unread for good: no step, no compensation, and
 * nothing that would have to be read for its messages.
 */
void
dx_terminate_unread(DxPass *pass, DxRun *run, const char *reason, const DxActor *actor)
{
	Datum		values[1];

	values[0] = UUIDPGetDatum(&run->id);
	dx_query(&forget_statement, values, NULL, false, 0);
	dx_run_terminate(pass, run, reason, actor);
}

/* Has somebody asked for the end of the run?  Who, and why. */
static bool
asked_to_end(const DxRun *run, DxActor *actor, char **reason)
{
	DxIdentity	saved;
	Datum		values[1];
	bool		asked;

	dx_engine_enter(&saved);
	values[0] = UUIDPGetDatum(&run->id);
	(void) dx_execute(&terminate_statement, values, NULL, false, 1);
	asked = SPI_processed > 0;
	if (asked)
	{
		DxRow		row = dx_row(0);

		actor->role = DatumGetObjectId(dx_get(&row));
		actor->session = DatumGetObjectId(dx_get(&row));
		if (row.isnull)
			actor->session = actor->role;
		*reason = dx_get_text(&row);
	}
	SPI_freetuptable(SPI_tuptable);
	dx_engine_leave(&saved);
	return asked;
}

/* Locks a run and loads its header; NULL: there is none. */
static DxRun *
claim_header(DxPass *pass, const pg_uuid_t *run_id)
{
	DxIdentity	saved;
	DxRun	   *run;

	dx_engine_enter(&saved);
	run = dx_store_claim_header(pass, run_id);
	dx_engine_leave(&saved);
	return run;
}

/*
 * Locks a run that cannot be read, to terminate it.  NULL: there is no such run.
 * Needs SPI_connect.
 */
DxRun *
dx_pass_take_unread(DxPass *pass, const pg_uuid_t *run_id)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	DxRun	   *run = claim_header(pass, run_id);

	if (run != NULL)
		load_bare(run);
	MemoryContextSwitchTo(oldcxt);
	return run;
}

/*
 * Makes an incident of a run whose pass failed by an error of the engine, or
 * ended the process; message says what it was.  Whom somebody wants to be
 * terminated is.  Needs SPI_connect.
 */
void
dx_pass_quarantine(const pg_uuid_t *run_id, const char *message)
{
	DxPassResult result;
	DxPass	   *pass = dx_pass_open(InvalidOid, false, 1000, &result);
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	DxRun	   *run = claim_header(pass, run_id);
	DxActor		actor;
	char	   *reason;

	if (run != NULL && !dx_status_ended(run->status) && asked_to_end(run, &actor, &reason))
	{
		load_bare(run);
		dx_terminate_unread(pass, run, reason, &actor);
	}
	else if (run != NULL && !dx_status_ended(run->status))
	{
		put_messages_aside(run);
		if (run->status != DX_RUN_INCIDENT)
			stop(pass, run, message);
	}
	MemoryContextSwitchTo(oldcxt);
	dx_pass_close(pass);
}
