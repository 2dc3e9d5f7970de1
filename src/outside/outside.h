/*-------------------------------------------------------------------------
 *
 * outside.h
 *	  What reaches a run from outside: messages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_H
#define DX_OUTSIDE_H

#include "engine/engine.h"

extern bool dx_send_signal(const pg_uuid_t *run_id, const char *name,
						   Jsonb *payload, const char *key);
extern bool dx_send_cancel(const pg_uuid_t *run_id, const char *reason);

#endif							/* DX_OUTSIDE_H */
