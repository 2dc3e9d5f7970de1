/*-------------------------------------------------------------------------
 *
 * careful.h
 *	  What the server refuses while a state is evaluated is the state's
 *	  error.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_CAREFUL_H
#define DX_ENGINE_CAREFUL_H

#include "asl/fault.h"
#include "engine/model.h"
#include "utils/uuid.h"

extern bool dx_careful_enter(const DxRun *run, const DxBranch *branch,
							 DxFault *fault, bool *for_good);
extern Size dx_evaluation_limit(void);
extern void dx_careful_leave(void);
extern bool dx_careful_failed(const pg_uuid_t *run_id, int sqlstate,
							  const char *message);
extern DxFault dx_fault_clipped(const DxFault *fault);
extern char *dx_cause_clipped(char *text);

#endif							/* DX_ENGINE_CAREFUL_H */
