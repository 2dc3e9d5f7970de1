/*-------------------------------------------------------------------------
 *
 * concurrency.h
 *	  max_concurrency of a workflow: how many of its runs are in progress.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_CONCURRENCY_H
#define DX_ENGINE_CONCURRENCY_H

#include "engine/model.h"
#include "engine/pass.h"

extern bool dx_slot_take(DxPass *pass, DxRun *run);
extern void dx_slots_settle(DxPass *pass);

#endif							/* DX_ENGINE_CONCURRENCY_H */
