/*-------------------------------------------------------------------------
 *
 * registry.h
 *	  The databases that the launcher looks after, and their dispatchers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_REGISTRY_H
#define DX_BASE_REGISTRY_H

#include "base/shared.h"

extern void dx_database_free_locked(DxDatabase *database);
extern bool dx_database_retire(Oid dboid, int timeout_ms);
extern void dx_database_release_holds(void);
extern void dx_wake_launcher_latch(void);
extern bool dx_dispatcher_attach(int index, uint32 generation);
extern void dx_dispatcher_detach(int index, const char *error);

#endif							/* DX_BASE_REGISTRY_H */
