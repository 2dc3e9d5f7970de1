/*-------------------------------------------------------------------------
 *
 * quarantine.c
 *	  Makes an incident of a run that the engine cannot advance.
 *
 * Something about it makes a pass fail, or ends the process: perhaps what it
 * was loaded from.  So nothing of it is loaded but its header.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/engine.h"
#include "utils/timestamp.h"

static DxStatement suspend_statement = {
	"UPDATE dealix.branch SET suspended = true, due_at = 'infinity' WHERE run_id = $1",
	1, {UUIDOID}
};

static DxStatement slot_statement = {
	"UPDATE dealix.workflow_slot SET run_id = NULL WHERE run_id = $1 RETURNING workflow_id, owner",
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
	DxIdentity	saved;
	Datum		values[1];

	dx_engine_enter(&saved);
	values[0] = UUIDPGetDatum(&run->id);
	(void) dx_execute(&seen_statement, values, NULL, false, 0);
	dx_engine_leave(&saved);
}

/* The slot that the run may have goes to who waits for one. */
static void
give_slot_back(const DxRun *run)
{
	Datum		values[1];
	DxSlotSet	set;
	bool		had;

	values[0] = UUIDPGetDatum(&run->id);
	(void) dx_execute(&slot_statement, values, NULL, false, 0);
	had = SPI_processed > 0;
	if (had)
	{
		DxRow		row = dx_row(0);

		set.workflow_id = dx_get_int4(&row);
		set.owner = DatumGetObjectId(dx_get(&row));
	}
	SPI_freetuptable(SPI_tuptable);
	if (had)
		(void) dx_queue_wake(set, InvalidOid, 1, dx_now());
}

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

static void
stop(DxPass *pass, DxRun *run, const char *message)
{
	DxFault		fault = {DX_ERROR_RUNTIME, pstrdup(message)};
	DxIdentity	saved;
	Datum		values[1];

	dx_engine_enter(&saved);
	run->workflow = workflow_name(run);
	values[0] = UUIDPGetDatum(&run->id);
	(void) dx_execute(&suspend_statement, values, NULL, false, 0);
	give_slot_back(run);
	dx_engine_leave(&saved);
	dx_run_incident(pass, run, &fault);
}

/*
 * Makes an incident of a run whose pass failed by an error of the engine, or
 * ended the process; message says what it was.  Needs SPI_connect.
 */
void
dx_pass_quarantine(const pg_uuid_t *run_id, const char *message)
{
	DxPassResult result;
	DxPass	   *pass = dx_pass_open(InvalidOid, false, 1000, &result);
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	DxIdentity	saved;
	DxRun	   *run;

	dx_engine_enter(&saved);
	run = dx_store_claim_header(pass, run_id);
	dx_engine_leave(&saved);
	if (run != NULL && !dx_status_ended(run->status))
	{
		put_messages_aside(run);
		if (run->status != DX_RUN_INCIDENT)
			stop(pass, run, message);
	}
	MemoryContextSwitchTo(oldcxt);
	dx_pass_close(pass);
}
