/*-------------------------------------------------------------------------
 *
 * schedule.h
 *	  Schedules: what happens when pg_cron says that it is time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_SCHEDULE_H
#define DX_OUTSIDE_SCHEDULE_H

#include "engine/pass.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

extern void dx_schedule_put(Datum *values, const char *nulls);
extern bool dx_schedule_drop(const char *name);
extern bool dx_schedule_pause(const char *name, bool paused);
extern const char *dx_schedule_fire(const char *name, TimestampTz at);
extern void dx_schedule_backfill(const char *name, TimestampTz at, pg_uuid_t *run_id);
extern void dx_schedule_write(DxPass *pass);

#endif							/* DX_OUTSIDE_SCHEDULE_H */
