/*-------------------------------------------------------------------------
 *
 * distribute.h
 *	  A Map of mode DISTRIBUTED: each item is a run of its own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_DISTRIBUTE_H
#define DX_ENGINE_DISTRIBUTE_H

#include "asl/fault.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "utils/jsonb.h"

/* What such a Map hands out: kind WORKFLOW, phase JOIN. */
typedef struct DxItemRun
{
	int32		item;
	Jsonb	   *input;
} DxItemRun;

extern bool dx_item_open(DxPass *pass, DxRun *run, DxBranch *branch, int item,
						 Jsonb *input, DxFault *fault);
extern bool dx_items_ended(DxPass *pass, DxRun *run, DxBranch *branch,
						   DxFault *fault);

#endif							/* DX_ENGINE_DISTRIBUTE_H */
