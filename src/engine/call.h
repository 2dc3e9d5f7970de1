/*-------------------------------------------------------------------------
 *
 * call.h
 *	  A sql: step: one call of a user's function.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_CALL_H
#define DX_ENGINE_CALL_H

#include "asl/fault.h"
#include "engine/guard.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "utils/jsonb.h"

extern DxCallOutcome dx_call_sql(DxPass *pass, DxRun *run, int state_index,
								 const char *target, Jsonb *input,
								 double timeout, Jsonb **result,
								 DxFault *fault);
extern double dx_call_expected(const DxRun *run, int state_index);

#endif							/* DX_ENGINE_CALL_H */
