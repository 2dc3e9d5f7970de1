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

/* The ids of these runs as the parameter of a statement. */
Datum
dx_run_ids(List *runs)
{
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * list_length(runs));
	ListCell   *lc;

	foreach(lc, runs)
		ids[foreach_current_index(lc)] = ((DxRun *) lfirst(lc))->id;
	return dx_uuid_array(ids, list_length(runs));
}

/*
 * Hands each row of SPI_tuptable to the run that it belongs to; both are in
 * order of run_id, which is the first column.
 */
void
dx_merge_rows(List *runs, void (*read) (DxRun *run, DxRow *row))
{
	ListCell   *lc = list_head(runs);
	uint64		i;

	for (i = 0; i < SPI_processed && lc != NULL; i++)
	{
		DxRow		row = {SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 0, false};
		pg_uuid_t  *id = DatumGetUUIDP(dx_get(&row));

		while (lc != NULL &&
			   memcmp(((DxRun *) lfirst(lc))->id.data, id->data, UUID_LEN) < 0)
			lc = lnext(runs, lc);
		if (lc != NULL &&
			memcmp(((DxRun *) lfirst(lc))->id.data, id->data, UUID_LEN) == 0)
			read((DxRun *) lfirst(lc), &row);
	}
}
