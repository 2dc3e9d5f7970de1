/*-------------------------------------------------------------------------
 *
 * worker_slot.h
 *	  The worker slots: who works for which owner, and what it has done.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_WORKER_SLOT_H
#define DX_BASE_WORKER_SLOT_H

#include "base/shared.h"

extern void dx_worker_set_state(DxWorker *worker, DxWorkerState state);
extern const char *dx_worker_state_name(DxWorkerState state);
extern DxWorker *dx_worker_reserve_locked(DxRing *ring);
extern void dx_worker_idle_locked(DxWorker *worker);
extern void dx_worker_unidle_locked(DxWorker *worker);

extern int	dx_worker_places_locked(void);
extern bool dx_worker_superfluous_locked(const DxRing *ring);
extern int	dx_dispatcher_places(void);

#endif							/* DX_BASE_WORKER_SLOT_H */
