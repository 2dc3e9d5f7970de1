/*-------------------------------------------------------------------------
 *
 * process.h
 *	  What launcher, dispatchers and workers have in common: how they are
 *	  registered, their signals, their settings, how they wait.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_WORKER_PROCESS_H
#define DX_WORKER_PROCESS_H

#include "base/compat.h"
#include "postmaster/bgworker.h"

typedef enum DxProcessKind
{
	DX_PROCESS_NONE,			/* a backend of somebody else's */
	DX_PROCESS_LAUNCHER,
	DX_PROCESS_DISPATCHER,
	DX_PROCESS_WORKER
} DxProcessKind;

/* Which slot a dynamic process was started for; travels in bgw_extra. */
typedef struct DxAssignment
{
	int			slot;
	uint32		generation;
	Oid			dboid;
	Oid			owner;			/* workers only */
} DxAssignment;

extern DxProcessKind dx_process_kind;

extern void dx_process_describe(BackgroundWorker *process, DxProcessKind kind,
								const char *subject,
								const DxAssignment *assignment);
extern void dx_process_begin(DxProcessKind kind, DxAssignment *assignment);
extern void dx_process_settings(void);
extern void dx_process_between(void);
extern void dx_process_wait(long timeout_ms, DxWaitEvent event);
extern void dx_process_pause(long ms, DxWaitEvent event);
extern void dx_process_loop(long (*cycle) (void), void (*failed) (void),
							DxWaitEvent event);
extern const char *dx_process_last_error(void);
extern bool dx_process_terminated(void);

#endif							/* DX_WORKER_PROCESS_H */
