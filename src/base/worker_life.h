/*-------------------------------------------------------------------------
 *
 * worker_life.h
 *	  A worker comes, works and goes: what that means for its ring.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_WORKER_LIFE_H
#define DX_BASE_WORKER_LIFE_H

#include "base/latches.h"
#include "base/shared.h"

extern void dx_worker_free_locked(DxWorker *worker, DxLatches *latches);
extern bool dx_worker_attach(int index, uint32 generation);
extern void dx_worker_detach(int index, bool lost_work, const char *error);
extern bool dx_worker_leave(int index);
extern void dx_worker_report(int index, int runs, int steps);
extern void dx_worker_error(int index, const char *error);
extern void dx_worker_ask_yield_locked(const DxRing *wanting, DxLatches *latches);

#endif							/* DX_BASE_WORKER_LIFE_H */
