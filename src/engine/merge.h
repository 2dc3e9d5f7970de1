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

extern Datum dx_run_ids(List *runs);
extern void dx_merge_rows(List *runs, void (*read) (DxRun *run, DxRow *row));

#endif							/* DX_ENGINE_MERGE_H */
