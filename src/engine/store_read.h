/*-------------------------------------------------------------------------
 *
 * store_read.h
 *	  What a pass reads: claims runs, and loads what they are made of.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_STORE_READ_H
#define DX_ENGINE_STORE_READ_H

#include "engine/model.h"
#include "engine/pass.h"
#include "nodes/pg_list.h"
#include "utils/uuid.h"

extern List *dx_store_claim(DxPass *pass, const pg_uuid_t *ids, int nids, bool wait);
extern List *dx_store_load(DxPass *pass, List *runs);
extern DxRun *dx_store_claim_header(DxPass *pass, const pg_uuid_t *run_id);

#endif							/* DX_ENGINE_STORE_READ_H */
