/*-------------------------------------------------------------------------
 *
 * activity_store.h
 *	  What a pass writes about tasks that are done outside.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_ACTIVITY_STORE_H
#define DX_OUTSIDE_ACTIVITY_STORE_H

#include "engine/pass.h"
#include "utils/uuid.h"

extern void dx_activity_write(DxPass *pass);
extern bool dx_activity_exists(const pg_uuid_t *ticket, int32 attempt);

#endif							/* DX_OUTSIDE_ACTIVITY_STORE_H */
