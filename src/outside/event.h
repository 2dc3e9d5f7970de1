/*-------------------------------------------------------------------------
 *
 * event.h
 *	  event: states: a branch waits for an event with its correlation; and
 *	  publishing one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_EVENT_H
#define DX_OUTSIDE_EVENT_H

#include "engine/handout.h"
#include "engine/pass.h"
#include "utils/jsonb.h"

extern const DxResource dx_event_resource;
extern void dx_event_write(DxPass *pass);
extern int64 dx_publish_event(const char *name, const char *correlation,
							  Jsonb *payload);

#endif							/* DX_OUTSIDE_EVENT_H */
