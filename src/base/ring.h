/*-------------------------------------------------------------------------
 *
 * ring.h
 *	  The rings: run ids that have work, per (database, owner).
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_RING_H
#define DX_BASE_RING_H

#include "base/latches.h"
#include "base/shared.h"
#include "utils/uuid.h"

typedef enum DxWork
{
	DX_WORK_NONE,				/* is idle now: wait on the latch */
	DX_WORK_RUNS,				/* ids popped */
	DX_WORK_SCAN,				/* has the scanner's role now */
	DX_WORK_RECHECK,			/* see whether the extension is still there */
	DX_WORK_LEAVE				/* exit */
} DxWork;

extern DxRing *dx_ring_find_locked(Oid dboid, Oid owner);
extern DxRing *dx_ring_get_locked(DxDatabase *database, Oid owner, bool urgent);
extern void dx_ring_release_locked(DxRing *ring);
extern bool dx_ring_line_locked(DxDatabase *database);
extern void dx_ring_clear_line_locked(DxDatabase *database);
extern void dx_ring_free_locked(DxRing *ring);
extern void dx_ring_push_locked(DxRing *ring, const pg_uuid_t *run_id, int rank);
extern void dx_ring_want_scan_locked(DxRing *ring, bool restart);
extern bool dx_ring_has_work_locked(const DxRing *ring);
extern void dx_ring_wake_locked(DxRing *ring, DxLatches *latches);
extern DxWork dx_ring_take(int worker, int max, pg_uuid_t *ids, int *nids,
						   void *cursor, int cursor_len, bool may_idle,
						   bool may_leave);
extern void dx_ring_hurry_locked(DxRing *ring);
extern void dx_ring_scanned(int worker, const pg_uuid_t *ids,
							const int16 *ranks, int nids,
							const void *cursor, int cursor_len, bool at_end);
extern void dx_ring_scan_failed(int worker);

#endif							/* DX_BASE_RING_H */
