/*-------------------------------------------------------------------------
 *
 * queue.h
 *	  Runs that wait for a slot of their workflow.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_QUEUE_H
#define DX_ENGINE_QUEUE_H

#include "engine/turn.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

extern char *dx_queue_name(DxSlotSet set);
extern int64 dx_queue_wake(DxSlotSet set, Oid owner, int64 n, TimestampTz due);
extern int	dx_queue_wake_own(DxSlotSet set, int n, Oid owner, pg_uuid_t *ids);
extern void dx_queue_wake_all(int32 workflow_id);
extern int64 dx_queue_sweep(Oid owner);

#endif							/* DX_ENGINE_QUEUE_H */
