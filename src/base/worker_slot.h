/*-------------------------------------------------------------------------
 *
 * worker_slot.h
 *	  The worker slots: who works for which owner, and what it has done.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_WORKER_SLOT_H
#define DX_BASE_WORKER_SLOT_H

#include "base/latches.h"
#include "base/shared.h"

extern void dx_worker_set_state(DxWorker *worker, DxWorkerState state);
extern const char *dx_worker_state_name(DxWorkerState state);
extern DxWorker *dx_worker_reserve_locked(DxRing *ring);
extern void dx_worker_free_locked(DxWorker *worker, DxLatches *latches);
extern void dx_worker_idle_locked(DxWorker *worker);
extern void dx_worker_unidle_locked(DxWorker *worker);
extern bool dx_worker_attach(int index, uint32 generation);
extern void dx_worker_detach(int index, bool lost_work, const char *error);
extern bool dx_worker_leave(int index);
extern void dx_worker_report(int index, int runs, int steps);
extern void dx_worker_error(int index, const char *error);
extern void dx_worker_ask_yield_locked(const DxRing *wanting, DxLatches *latches);

#endif							/* DX_BASE_WORKER_SLOT_H */
