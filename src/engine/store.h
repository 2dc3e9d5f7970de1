/*-------------------------------------------------------------------------
 *
 * store.h
 *	  Every statement over the engine's tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_STORE_H
#define DX_ENGINE_STORE_H

#include "engine/columns.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "nodes/pg_list.h"
#include "utils/uuid.h"

extern List *dx_store_claim(DxPass *pass, const pg_uuid_t *ids, int nids, bool wait);
extern List *dx_store_load(DxPass *pass, List *runs);
extern DxRun *dx_store_claim_header(DxPass *pass, const pg_uuid_t *run_id);
extern Datum dx_run_ids(List *runs);
extern void dx_merge_rows(List *runs, void (*read) (DxRun *run, DxRow *row));
extern void dx_store_history(DxPass *pass);
extern void dx_store_write(DxPass *pass);

#endif							/* DX_ENGINE_STORE_H */
