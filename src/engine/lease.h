/*-------------------------------------------------------------------------
 *
 * lease.h
 *	  Leases of activity tasks that are over.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_LEASE_H
#define DX_ENGINE_LEASE_H

#include "engine/columns.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/*
 * For a statement whose CTE "deleted" returns tasks that it has deleted: gives
 * back their slots of the activity's max_in_flight.
 */
#define DX_GIVE_BACK_SLOTS(deleted) \
	"UPDATE dealix.activity_slot s SET taken = false FROM " deleted " t" \
	" WHERE s.slot_id = t.slot_id"

extern bool dx_leases_expire(Oid owner, TimestampTz now);
extern uint64 dx_outcomes_forget_oldest(int n, TimestampTz now);
extern void dx_outcomes_forget(TimestampTz now);
extern void dx_task_gone(DxRow *row);
extern void dx_activity_channel(const char *activity, pg_uuid_t *channel);

#endif							/* DX_ENGINE_LEASE_H */
