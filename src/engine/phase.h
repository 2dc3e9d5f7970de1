/*-------------------------------------------------------------------------
 *
 * phase.h
 *	  What a branch does at the moment, and what will wake it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_PHASE_H
#define DX_ENGINE_PHASE_H

#include "asl/asl.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

extern void dx_branch_set_phase(DxBranch *branch, DxPhase phase,
								TimestampTz due_at);
extern void dx_branch_park(DxRun *run, DxBranch *branch, DxPhase phase,
						   TimestampTz due_at);
extern void dx_branch_goto(DxBranch *branch, const DxState *state, Jsonb *data);
extern void dx_branch_hurry(DxBranch *branch, TimestampTz now);
extern void dx_branch_suspend(DxBranch *branch, TimestampTz until);
extern void dx_branch_check(const DxPass *pass, const DxRun *run,
							DxBranch *branch);

#endif							/* DX_ENGINE_PHASE_H */
