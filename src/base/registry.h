/*-------------------------------------------------------------------------
 *
 * registry.h
 *	  The databases that the launcher looks after, and their dispatchers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_REGISTRY_H
#define DX_BASE_REGISTRY_H

#include "base/clock.h"
#include "base/latches.h"
#include "base/shared.h"

extern void dx_database_set_state(DxDatabase *database, DxDatabaseState state);
extern const char *dx_database_state_name(DxDatabaseState state);
extern DxDatabase *dx_database_find_locked(Oid dboid);
extern DxDatabase *dx_database_add_locked(Oid dboid);
extern void dx_database_free_locked(DxDatabase *database);
extern void dx_database_failed_locked(DxDatabase *database, const char *error);
extern void dx_database_recheck_locked(DxDatabase *database, DxLatches *latches);
extern void dx_database_stop_locked(DxDatabase *database);
extern void dx_database_call_locked(DxDatabase *database, DxMono when,
									DxLatches *latches);
extern int	dx_dispatcher_places(void);
extern int	dx_worker_places_locked(void);
extern bool dx_worker_superfluous_locked(const DxRing *ring);
extern bool dx_database_empty_locked(Oid dboid);
extern bool dx_database_retire(Oid dboid, int timeout_ms);
extern void dx_database_release_holds(void);
extern void dx_wake_launcher_latch(void);
extern int	dx_backoff(int failures);
extern bool dx_dispatcher_attach(int index, uint32 generation);
extern void dx_dispatcher_detach(int index, const char *error);

#endif							/* DX_BASE_REGISTRY_H */
