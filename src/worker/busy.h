/*-------------------------------------------------------------------------
 *
 * busy.h
 *	  Runs that a worker was sent after and that somebody else has locked.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_WORKER_BUSY_H
#define DX_WORKER_BUSY_H

#include "base/clock.h"
#include "utils/uuid.h"

/* Longest wait between two tries. */
#define DX_BUSY_MAX_MS	1000

typedef struct DxBusyRun
{
	pg_uuid_t	run_id;
	int			delay;			/* ms; 0: it was not busy before */
	DxMono		due;
	DxMono		since;			/* when it was busy for the first time */
} DxBusyRun;

extern void dx_busy_add(const pg_uuid_t *run_id, const DxBusyRun *before);
extern bool dx_busy_take(DxBusyRun *run);
extern DxMono dx_busy_next(void);
extern bool dx_busy_any(void);

#endif							/* DX_WORKER_BUSY_H */
