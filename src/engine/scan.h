/*-------------------------------------------------------------------------
 *
 * scan.h
 *	  Finds due work in the two small tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_SCAN_H
#define DX_ENGINE_SCAN_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

/*
 * Where a scan for due work stands; all zero = at the beginning.
 */
typedef struct DxDueCursor
{
	TimestampTz due_at;
	pg_uuid_t	run_id;
	int64		inbox_id;
	int16		rank;
	bool		placed;			/* rank and what is before it count */
	bool		branches_done;
} DxDueCursor;

/*
 * Run ids of owner that have work at this moment, oldest first, at most max,
 * after *cursor, which is moved forward.  Takes no locks: who claims checks
 * again.  Fewer than max: the scan has come to its end.
 */
extern int	dx_scan_due(Oid owner, DxDueCursor *cursor, int max, pg_uuid_t *ids,
						int16 *ranks);

/* An owner that has work now. */
typedef struct DxDueOwner
{
	Oid			owner;
	bool		urgent;			/* some of it is of a priority above 0 */
} DxDueOwner;

/* What the dispatcher's look has found.  owners: in CurrentMemoryContext. */
typedef struct DxLook
{
	DxDueOwner *owners;
	int			nowners;
	TimestampTz next_due;		/* DT_NOEND: nothing is due later */
	bool		blocked;		/* what is due is locked: look again soon */
} DxLook;

extern void dx_scan_timers(TimestampTz after, TimestampTz now, DxLook *look);
extern void dx_scan_all(TimestampTz now, DxLook *look);

#endif							/* DX_ENGINE_SCAN_H */
