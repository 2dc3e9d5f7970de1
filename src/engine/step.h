/*-------------------------------------------------------------------------
 *
 * step.h
 *	  An attempt at a sql: Task: how long it may take, and what follows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_STEP_H
#define DX_ENGINE_STEP_H

#include "asl/asl.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"

extern DxOutcome dx_step_run(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env);
extern bool dx_step_waits(DxPass *pass, const DxRun *run, DxBranch *branch,
						  int state_index);

#endif							/* DX_ENGINE_STEP_H */
