/*-------------------------------------------------------------------------
 *
 * merge.h
 *	  Rows of several runs at once: their ids as a parameter, and each row of
 *	  the answer to its run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_MERGE_H
#define DX_ENGINE_MERGE_H

#include "engine/columns.h"
#include "engine/model.h"
#include "nodes/pg_list.h"

/* Whose the rows are: the run's, or those of the first run of its line. */
typedef enum DxMergeBy
{
	DX_BY_RUN,
	DX_BY_LINE
} DxMergeBy;

extern Datum dx_run_ids(List *runs, DxMergeBy by);
extern void dx_merge_rows(List *runs, DxMergeBy by,
						  void (*read) (DxRun *run, DxRow *row));

#endif							/* DX_ENGINE_MERGE_H */
