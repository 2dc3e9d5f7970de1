/*-------------------------------------------------------------------------
 *
 * slot_set.h
 *	  Whose slots there are: the sets that the limit of a workflow or of an
 *	  activity is made of.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_SLOT_SET_H
#define DX_ENGINE_SLOT_SET_H

#include "engine/turn.h"

/* The statements about the slots of workflows, or of activities. */
typedef struct DxSlots DxSlots;

extern DxSlots dx_activity_slots;

extern int64 dx_slots_free(DxSlotSet set, bool need);
extern bool dx_slots_set(DxSlots *slots, Datum subject, int max, bool per_owner);
extern void dx_slots_limit(int32 workflow_id, int max_concurrency, bool per_owner);
extern void dx_slots_reassign(Oid from, Oid to);
extern void dx_slots_restored(void);

#endif							/* DX_ENGINE_SLOT_SET_H */
