/*-------------------------------------------------------------------------
 *
 * uuid.h
 *	  UUID version 7 (RFC 9562 section 5.7): time-ordered run ids.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_UUID_H
#define DX_BASE_UUID_H

#include "utils/uuid.h"

/* RFC 9562 section 5.7; monotonic within a process. */
extern void dx_uuid_v7(pg_uuid_t *uuid);
extern void dx_uuid_v7_after(pg_uuid_t *uuid, const pg_uuid_t *before);
extern char *dx_uuid_text(const pg_uuid_t *uuid);

#endif							/* DX_BASE_UUID_H */
