/*-------------------------------------------------------------------------
 *
 * quarantine.h
 *	  Makes an incident of a run that the engine cannot advance, and ends
 *	  one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_QUARANTINE_H
#define DX_ENGINE_QUARANTINE_H

#include "engine/model.h"
#include "engine/pass.h"
#include "utils/uuid.h"

extern DxRun *dx_pass_take_unread(DxPass *pass, const pg_uuid_t *run_id);
extern void dx_terminate_unread(DxPass *pass, DxRun *run, const char *reason,
								const DxActor *actor);

/* Makes an incident of a run whose pass failed by an error of the engine. */
extern void dx_pass_quarantine(const pg_uuid_t *run_id, const char *message);

#endif							/* DX_ENGINE_QUARANTINE_H */
