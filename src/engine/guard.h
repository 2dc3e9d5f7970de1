/*-------------------------------------------------------------------------
 *
 * guard.h
 *	  The frame in which all code of the user's runs: steps and expressions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_GUARD_H
#define DX_ENGINE_GUARD_H

#include "asl/fault.h"
#include "engine/model.h"
#include "engine/pass.h"

typedef enum DxCallOutcome
{
	DX_CALL_DONE,
	DX_CALL_FAULT,
	DX_CALL_TIMEOUT,
	DX_CALL_WAITS,				/* somebody outside has it */
	DX_CALL_CONFLICT			/* deadlock or serialization failure: again */
} DxCallOutcome;

typedef void (*DxUserCode) (void *arg);

extern DxCallOutcome dx_guard(DxPass *pass, Oid owner, double timeout,
							  DxUserCode code, void *arg, DxFault *fault);
extern void dx_refuse_in_step(const char *what);
extern bool dx_in_user_code(void);
extern const DxRun *dx_run_in_step(void);
extern void dx_require_owner(const DxRun *run);

#endif							/* DX_ENGINE_GUARD_H */
