/*-------------------------------------------------------------------------
 *
 * envelope.c
 *	  A message: what is read of it with its run, and how it is taken.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/plan.h"
#include "engine/columns.h"
#include "engine/envelope.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "executor/spi.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

static DxStatement payload_statement = {
	"SELECT payload FROM dealix.inbox WHERE run_id = $1 AND inbox_id = $2",
	2, {UUIDOID, INT8OID}
};

/* Where a message of the run's stands. */
static const pg_uuid_t *
mailbox_of(const DxRun *run, const DxMessage *message)
{
	return message->branch < 0 ? &run->first_run : &run->id;
}

/* A message for the run, from a row of DX_ENVELOPE behind its run_id. */
void
dx_envelope_read(DxRun *run, DxRow *row)
{
	DxMessage  *message = palloc0(sizeof(DxMessage));

	message->inbox_id = DatumGetInt64(dx_get(row));
	message->kind = dx_get_int2(row);
	message->name = dx_get_text(row);
	message->payload = dx_get_jsonb(row);
	message->sender.role = DatumGetObjectId(dx_get(row));
	message->sender.session = DatumGetObjectId(dx_get(row));
	message->sent_at = dx_get_time(row, 0);
	message->branch = dx_get_int4(row);
	if (row->isnull)
		message->branch = -1;
	(void) dx_get_uuid(row, &message->ticket);
	message->attempt = dx_get_int4(row);
	message->seen = DatumGetBool(dx_get(row));
	message->absent = DatumGetBool(dx_get(row));
	message->mailbox = *mailbox_of(run, message);
	/* What is for the line is for its last run: see line.c. */
	if (run->continued && message->branch < 0)
		return;
	run->messages = lappend(run->messages, message);
}

/* Loads a payload that was too large to come with its envelope. */
static void
fetch_payload(DxMessage *message)
{
	MemoryContext oldcxt;
	Datum		values[2];

	values[0] = UUIDPGetDatum(&message->mailbox);
	values[1] = Int64GetDatum(message->inbox_id);
	dx_query(&payload_statement, values, NULL, false, 1);
	if (SPI_processed > 0)
	{
		DxRow		row = dx_row(0);

		oldcxt = MemoryContextSwitchTo(GetMemoryChunkContext(message));
		message->payload = dx_get_jsonb(&row);
		MemoryContextSwitchTo(oldcxt);
	}
	SPI_freetuptable(SPI_tuptable);
	message->absent = false;
}

/*
 * Takes a message out of the inbox, with its payload: the one place where that
 * is done.  Needs SPI.
 */
void
dx_message_take(DxPass *pass, DxMessage *message)
{
	message->consumed = true;
	/* That was a step: the pass may end. */
	if (pass != NULL)
		pass->progressed = true;
	if (message->absent)
		fetch_payload(message);
}
