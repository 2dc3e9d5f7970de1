/*-------------------------------------------------------------------------
 *
 * evict.h
 *	  Who has a run in hand, and how it is taken from him.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_EVICT_H
#define DX_ENGINE_EVICT_H

#include "utils/uuid.h"

extern void dx_run_evict(const pg_uuid_t *run_id, Oid owner);

#endif							/* DX_ENGINE_EVICT_H */
