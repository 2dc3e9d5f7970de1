/*-------------------------------------------------------------------------
 *
 * turn.h
 *	  Whose turn it is: a run of a limited workflow goes on only with a slot.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_TURN_H
#define DX_ENGINE_TURN_H

#include "engine/model.h"
#include "engine/pass.h"
#include "nodes/pg_list.h"
#include "utils/uuid.h"

/* Slots of a workflow: for all owners, or for one. */
typedef struct DxSlotSet
{
	int32		workflow_id;
	Oid			owner;			/* InvalidOid: of all */
} DxSlotSet;

/* Is it the same set? */
static inline bool
dx_same_set(DxSlotSet a, DxSlotSet b)
{
	return a.workflow_id == b.workflow_id && a.owner == b.owner;
}

/* For tables of sets. */
static inline uint32
dx_set_hash(DxSlotSet set)
{
	return (uint32) set.workflow_id + set.owner;
}

/* Number of the branch that stands in the queue for such a run. */
#define DX_TURN_BRANCH	(-1)

extern DxSlotSet dx_slot_set(const DxRun *run);
extern DxRun *dx_run_find(List *runs, const pg_uuid_t *run_id);
extern void dx_slots_mark(List *runs);
extern bool dx_turn_needed(const DxRun *run);
extern void dx_turn_wait(DxPass *pass, DxRun *run);
extern void dx_turn_taken(DxPass *pass, DxRun *run);
extern void dx_turn_over(DxPass *pass, DxRun *run);

#endif							/* DX_ENGINE_TURN_H */
