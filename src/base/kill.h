/*-------------------------------------------------------------------------
 *
 * kill.h
 *	  Ends processes that have a run in hand, at the commit of who wants
 *	  that: the run must know by then that it is not to begin again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_KILL_H
#define DX_BASE_KILL_H

#include "utils/uuid.h"

extern void dx_kill_init(void);
extern void dx_kill_at_commit(int pid, TransactionId xid, const pg_uuid_t *run_id);

#endif							/* DX_BASE_KILL_H */
