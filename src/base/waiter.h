/*-------------------------------------------------------------------------
 *
 * waiter.h
 *	  Backends that wait for the end of a run (CALL dealix.wait) or for work
 *	  (CALL dealix.wait_for_work).
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_WAITER_H
#define DX_BASE_WAITER_H

#include "utils/uuid.h"

#define DX_MAX_NOTES	1024	/* ids in one transaction; then "many" */

extern bool dx_waiter_begin(const pg_uuid_t *channel, bool takes_one);
extern void dx_waiter_look(void);
extern void dx_waiter_end(bool found);
extern int	dx_waiter_crowd(void);
extern void dx_waiters_wake(const pg_uuid_t *channels, int n, bool all);

extern bool dx_shared_available(void);	/* preloaded? */
extern void dx_shared_init(void);	/* from _PG_init while preloading */

#endif							/* DX_BASE_WAITER_H */
