/*-------------------------------------------------------------------------
 *
 * line.c
 *	  Lines: runs of which each goes on in the place of the one before
 *	  (workflow:continue_as_new).
 *
 * A line has one mailbox, under the id of its first run, whichever of its runs
 * the sender has named.  So a message that is committed while a run hands over
 * to the next is not sent to somebody who has left: the last run of the line
 * finds it, at the latest when its next pass loads it.  Run ids grow along a
 * line, so that the last run is found by one look into an index.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/identity.h"
#include "base/plan.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/envelope.h"
#include "engine/line.h"
#include "engine/merge.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/uuid.h"

static DxStatement last_statement = {
	"SELECT run_id FROM dealix.run WHERE first_run = $1 ORDER BY run_id DESC LIMIT 1",
	1, {UUIDOID}
};

static DxStatement inbox_statement = {
	"SELECT " DX_ENVELOPE " FROM dealix.inbox"
	" WHERE run_id = ANY ($1) AND branch IS NULL ORDER BY run_id, inbox_id",
	1, {UUIDARRAYOID}
};

/*
 * The run that goes on in the line of this first run, or has ended last; the
 * first one itself where nothing continues it.  Needs SPI_connect and
 * dx_engine_enter.
 */
void
dx_line_last(const pg_uuid_t *first_run, pg_uuid_t *last)
{
	Datum		values[1];

	Assert(dx_engine_entered());
	values[0] = UUIDPGetDatum(first_run);
	*last = *first_run;
	(void) dx_execute(&last_statement, values, NULL, false, 1);
	if (SPI_processed > 0)
	{
		DxRow		row = dx_row(0);

		(void) dx_get_uuid(&row, last);
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * A hint has led to a run that another goes on for: that one is meant.  Needs
 * SPI_connect.
 */
void
dx_line_wake(const DxRun *run)
{
	DxIdentity	saved;
	pg_uuid_t	last;

	Assert(run->continued);
	dx_engine_enter(&saved);
	dx_line_last(&run->first_run, &last);
	dx_engine_leave(&saved);
	dx_wake_run(run->owner, &last, run->priority);
}

/* Order of lines, by their first runs. */
static int
compare_lines(const ListCell *a, const ListCell *b)
{
	return memcmp(((const DxRun *) lfirst(a))->first_run.data,
				  ((const DxRun *) lfirst(b))->first_run.data, UUID_LEN);
}

/*
 * Loads what was sent to the lines of those runs that are the last of one.
 * What was sent to a first run under its own id is loaded with its answers.
 * Needs SPI_connect and dx_engine_enter.
 */
void
dx_line_load(DxPass *pass, List *runs)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	List	   *lasts = NIL;
	Datum		values[1];
	ListCell   *lc;

	Assert(dx_engine_entered());
	foreach(lc, runs)
	{
		DxRun	   *run = lfirst(lc);

		if (run->continues && !run->continued)
			lasts = lappend(lasts, run);
	}
	if (lasts == NIL)
		return;
	list_sort(lasts, compare_lines);
	values[0] = dx_run_ids(lasts, DX_BY_LINE);
	(void) dx_execute(&inbox_statement, values, NULL, false, 0);
	MemoryContextSwitchTo(pass->cxt);
	dx_merge_rows(lasts, DX_BY_LINE, dx_envelope_read);
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);
	list_free(lasts);
}
