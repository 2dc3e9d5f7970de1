/*-------------------------------------------------------------------------
 *
 * merge.c
 *	  Rows of several runs at once: their ids as a parameter, and each row of
 *	  the answer to its run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "engine/columns.h"
#include "engine/merge.h"
#include "engine/model.h"
#include "executor/spi.h"
#include "utils/uuid.h"

/* The id by which rows belong to a run. */
static const pg_uuid_t *
id_of(const ListCell *lc, DxMergeBy by)
{
	const DxRun *run = lfirst(lc);

	return by == DX_BY_LINE ? &run->first_run : &run->id;
}

/* The ids of these runs as the parameter of a statement. */
Datum
dx_run_ids(List *runs, DxMergeBy by)
{
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * list_length(runs));
	ListCell   *lc;

	foreach(lc, runs)
		ids[foreach_current_index(lc)] = *id_of(lc, by);
	return dx_uuid_array(ids, list_length(runs));
}

/*
 * Hands each row of SPI_tuptable to the run that it belongs to; both are in
 * order of that id, which is the first column.
 */
void
dx_merge_rows(List *runs, DxMergeBy by, void (*read) (DxRun *run, DxRow *row))
{
	ListCell   *lc = list_head(runs);

	for (uint64 i = 0; i < SPI_processed && lc != NULL; i++)
	{
		DxRow		row = dx_row(i);
		pg_uuid_t	id;

		(void) dx_get_uuid(&row, &id);
		while (lc != NULL && memcmp(id_of(lc, by), &id, UUID_LEN) < 0)
			lc = lnext(runs, lc);
		if (lc != NULL && memcmp(id_of(lc, by), &id, UUID_LEN) == 0)
			read(lfirst(lc), &row);
	}
}
