/*-------------------------------------------------------------------------
 *
 * run.h
 *	  A run as a whole: its status, its end, what is asked of it from
 *	  outside.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_RUN_H
#define DX_ENGINE_RUN_H

#include "asl/fault.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

extern const char *dx_status_name(DxRunStatus status);
extern void dx_run_set_status(DxRun *run, DxRunStatus status);
extern void dx_run_succeed(DxPass *pass, DxRun *run, Jsonb *output);
extern void dx_run_fail(DxPass *pass, DxRun *run, DxRunStatus final_status,
						const DxFault *fault);
extern bool dx_too_many_events(DxPass *pass, DxRun *run);
extern void dx_run_time_out(DxPass *pass, DxRun *run);
extern void dx_run_end(DxPass *pass, DxRun *run, DxRunStatus status);
extern void dx_run_incident(DxPass *pass, DxRun *run, const DxFault *fault);
extern void dx_run_terminate(DxPass *pass, DxRun *run, const char *reason,
							 const DxActor *actor);

/* What somebody who waits for a run wants to know besides its status. */
typedef struct DxStatusLook
{
	bool		ended;
	bool		incident;		/* waits for a person */
	bool		uncommitted;	/* this transaction has written it */
	pg_uuid_t	line;			/* whom its end wakes */
} DxStatusLook;

extern char *dx_run_status_text(const pg_uuid_t *run_id, DxStatusLook *look);

#endif							/* DX_ENGINE_RUN_H */
