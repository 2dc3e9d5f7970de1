/*-------------------------------------------------------------------------
 *
 * wake.h
 *	  What a transaction has done that others wait for, told to them when it
 *	  has committed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_WAKE_H
#define DX_BASE_WAKE_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

extern void dx_wake_init(void); /* registers the callbacks, once a backend */

/*
 * What this transaction has done that others wait for.  Acted upon after
 * commit; forgotten on abort and on PREPARE (the sweep finds it then).  All
 * of them are no-ops without shared memory.
 */
extern void dx_wake_run(Oid owner, const pg_uuid_t *run_id, int priority);	/* has work now */
extern void dx_wake_many(Oid owner);	/* too many to name: scan */
extern void dx_wake_at(TimestampTz due);	/* a branch is due then */
extern void dx_wake_ended(const pg_uuid_t *run_id); /* wakes CALL dealix.wait */
extern void dx_wake_extension(void);	/* CREATE/DROP EXTENSION */
extern void dx_wake_prepared(void); /* COMMIT PREPARED of somebody's work */
extern void dx_wake_launcher(void); /* databases have come or gone */

#endif							/* DX_BASE_WAKE_H */
