/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  What differs between PostgreSQL 15, 16, 17 and 18.  Nothing outside
 *	  src/base/ asks for the version.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_COMPAT_H
#define DX_COMPAT_H

#include "storage/lock.h"

#include "postgres.h"

/* Before a declaration, of a function that does not return. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/* What a process of ours waits for, as pg_stat_activity shows it. */
typedef enum DxWaitEvent
{
	DX_WAIT_LAUNCHER,
	DX_WAIT_DISPATCHER,
	DX_WAIT_WORKER,
	DX_WAIT_RUN,
	DX_WAIT_RETIRE
} DxWaitEvent;

extern uint32 dx_wait_event(DxWaitEvent event);
extern bool dx_owns_database(Oid dboid);
extern bool dx_owns_extension(Oid extension);
extern void dx_disarm_timeouts(void);

typedef struct DxHeldLock
{
	LOCKTAG		tag;
	LOCKMASK	modes;
} DxHeldLock;

extern int	dx_advisory_locks(DxHeldLock *locks, int max);
extern bool dx_old_writer(int xids);
extern int	dx_subxids_in_use(void);

#endif							/* DX_COMPAT_H */
