/*-------------------------------------------------------------------------
 *
 * database_slot.h
 *	  The slots of the databases: states, and what is noted of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_DATABASE_SLOT_H
#define DX_BASE_DATABASE_SLOT_H

#include "base/clock.h"
#include "base/latches.h"
#include "base/shared.h"

extern void dx_database_set_state(DxDatabase *database, DxDatabaseState state);
extern const char *dx_database_state_name(DxDatabaseState state);
extern DxDatabase *dx_database_find_locked(Oid dboid);
extern DxDatabase *dx_database_add_locked(Oid dboid);
extern void dx_database_failed_locked(DxDatabase *database, const char *error);
extern void dx_database_recheck_locked(DxDatabase *database, DxLatches *latches);
extern void dx_database_stop_locked(DxDatabase *database);
extern void dx_database_call_locked(DxDatabase *database, DxMono when,
									DxLatches *latches);
extern bool dx_database_empty_locked(Oid dboid);

#endif							/* DX_BASE_DATABASE_SLOT_H */
