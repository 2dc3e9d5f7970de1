/*-------------------------------------------------------------------------
 *
 * inbox.c
 *	  Messages for a run, between the sender's commit and the state that takes
 *	  them.
 *
 * A pass loads what stands on the envelopes.  A large payload stays in the
 * table until its message is taken: an inbox may hold more than a pass has
 * memory or time for.  How much it may hold is limited, and the sender of one
 * message too many gets the error.  Only signals count: a task, a child and
 * an approval answer once, an event is left out where many wait already, and
 * commands always get in.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/catalog.h"
#include "base/guc.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/uuid.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/envelope.h"
#include "engine/handout.h"
#include "engine/inbox.h"
#include "engine/line.h"
#include "engine/merge.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/signal.h"
#include "executor/spi.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

static DxStatement load_statement = {
	"SELECT " DX_ENVELOPE
	" FROM dealix.inbox WHERE run_id = ANY ($1) ORDER BY run_id, inbox_id",
	1, {UUIDARRAYOID}
};

static DxStatement inbox_seen_statement = {
	"UPDATE dealix.inbox i SET seen = u.seen FROM unnest($1, $2, $3)"
	" AS u(run_id, inbox_id, seen) WHERE i.run_id = u.run_id AND i.inbox_id = u.inbox_id",
	3, {UUIDARRAYOID, INT8ARRAYOID, BOOLARRAYOID}
};

static DxStatement inbox_delete_statement = {
	"DELETE FROM dealix.inbox i USING unnest($1, $2)"
	" AS u(run_id, inbox_id) WHERE i.run_id = u.run_id AND i.inbox_id = u.inbox_id",
	2, {UUIDARRAYOID, INT8ARRAYOID}
};

/* Sizes as they are stored: nothing is read for it. */
static DxStatement size_statement = {
	"SELECT pg_catalog.count(*),"
	" COALESCE(pg_catalog.sum(pg_catalog.pg_column_size(payload)), 0)::int8"
	" FROM dealix.inbox WHERE run_id = $1 AND kind = " DX_SQL(MESSAGE_SIGNAL),
	1, {UUIDOID}
};

/*
 * The envelopes of all messages of locked runs, each answer with its branch.
 * runs: in order of run_id, with their branches.  Between dx_engine_enter and
 * dx_engine_leave.
 */
void
dx_inbox_load(DxPass *pass, List *runs)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	Datum		values[1];
	ListCell   *lc;

	Assert(dx_engine_entered());
	values[0] = dx_run_ids(runs, DX_BY_RUN);
	(void) dx_execute(&load_statement, values, NULL, false, 0);
	MemoryContextSwitchTo(pass->cxt);
	dx_merge_rows(runs, DX_BY_RUN, dx_envelope_read);
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);

	dx_line_load(pass, runs);
	MemoryContextSwitchTo(pass->cxt);
	foreach(lc, runs)
		dx_answers_match(lfirst(lc));
	MemoryContextSwitchTo(oldcxt);
}

/*
 * What this session may send to a run before the inbox is counted again: a part
 * of what was free.  Counting for each signal would cost the square of their
 * number.  The nearer the limit is, the more often it is counted; sessions that
 * send to one run at the same time may pass it by this part each.
 */
#define UNCOUNTED_PART	64

static struct
{
	pg_uuid_t	run_id;
	int			max;			/* the settings that this follows from */
	int			max_size;
	int64		count;
	int64		size;
}			uncounted;

/* Is the message within what may come before the inbox is counted again? */
static bool
admitted_uncounted(const pg_uuid_t *run_id, int64 size)
{
	if (uncounted.count <= 0 || uncounted.size < size ||
		uncounted.max != dx_max_inbox || uncounted.max_size != dx_max_inbox_size ||
		memcmp(&uncounted.run_id, run_id, UUID_LEN) != 0)
		return false;
	uncounted.count--;
	uncounted.size -= size;
	return true;
}

/* Counts the signals that wait in the inbox of a run, and their bytes. */
static void
count_inbox(const pg_uuid_t *run_id, int64 *count, int64 *size)
{
	Datum		values[1];
	DxRow		row;

	values[0] = UUIDPGetDatum(run_id);
	dx_query(&size_statement, values, NULL, false, 1);
	row = (DxRow) dx_row(0);
	*count = DatumGetInt64(dx_get(&row));
	*size = DatumGetInt64(dx_get(&row));
	SPI_freetuptable(SPI_tuptable);
}

/*
 * May one more signal of this size come into the inbox of a run?  A single one
 * always may.  Needs SPI.  Errors: 54000.
 */
void
dx_inbox_admit(const pg_uuid_t *run_id, const Jsonb *payload)
{
	int64		mine = payload ? VARSIZE(payload) : 0;
	int64		max_size = dx_max_inbox_size * INT64CONST(1024);
	int64		count;
	int64		size;

	if (admitted_uncounted(run_id, mine))
		return;
	count_inbox(run_id, &count, &size);
	if (count == 0 || (count < dx_max_inbox && size + mine <= max_size))
	{
		uncounted.run_id = *run_id;
		uncounted.max = dx_max_inbox;
		uncounted.max_size = dx_max_inbox_size;
		uncounted.count = (dx_max_inbox - count - 1) / UNCOUNTED_PART;
		uncounted.size = (max_size - size - mine) / UNCOUNTED_PART;
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("the inbox of run %s is full", dx_uuid_text(run_id)),
			 errdetail("%lld signals with %lld kB wait in it; the limits are %d signals and %d kB.",
					   (long long) count, (long long) (size / 1024), dx_max_inbox, dx_max_inbox_size),
			 errhint("Send again when the run has taken some, put the data into a table and send its key, or raise dealix_exec.max_inbox or dealix_exec.max_inbox_size.")));
}

/*
 * Has the pass ended before a branch could take this message, which a look
 * before has seen: while the run was an incident, or waited for a slot?
 */
static bool
still_wanted(const DxRun *run, const DxMessage *message)
{
	ListCell   *lc;

	if (!run->due || !message->seen)
		return false;
	if (message->branch >= 0)
		return true;
	foreach(lc, run->branches)
	{
		const DxBranch *branch = lfirst(lc);

		if (!branch->gone && branch->phase == DX_PHASE_SIGNAL && dx_signal_here(run, branch))
			return true;
	}
	return false;
}

/*
 * Deletes what was taken in.  What the runs have left, and do not wait for, is
 * no work until they have gone on: no scan need look at it again.
 */
void
dx_inbox_write(List *runs)
{
	DxColumns  *consumed;
	DxColumns  *seen;
	ListCell   *lc;
	ListCell   *lm;
	int			n = 0;

	Assert(dx_engine_entered());
	foreach(lc, runs)
		n += list_length(((DxRun *) lfirst(lc))->messages);
	if (n == 0)
		return;
	consumed = dx_columns_make(&inbox_delete_statement, n);
	seen = dx_columns_make(&inbox_seen_statement, n);
	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		foreach(lm, run->messages)
		{
			DxMessage  *message = lfirst(lm);
			bool		wanted = !message->consumed && still_wanted(run, message);
			DxColumns  *columns = message->consumed ? consumed : seen;

			if (!message->consumed && !wanted && (message->seen || run->due))
				continue;
			dx_put(columns, UUIDPGetDatum(&message->mailbox), false);
			dx_put(columns, Int64GetDatum(message->inbox_id), false);
			if (!message->consumed)
				dx_put(columns, BoolGetDatum(true), wanted);
		}
	}
	dx_columns_execute(&inbox_delete_statement, consumed);
	dx_columns_execute(&inbox_seen_statement, seen);
}
