/*-------------------------------------------------------------------------
 *
 * join.h
 *	  Parallel and Map: child branches are opened, run and joined.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_JOIN_H
#define DX_ENGINE_JOIN_H

#include "asl/asl.h"
#include "asl/fault.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "utils/jsonb.h"

extern DxOutcome dx_join_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env);
extern DxOutcome dx_join_advance(DxPass *pass, DxRun *run, DxBranch *branch);
extern void dx_join_child_done(DxPass *pass, DxRun *run, DxBranch *child,
							   Jsonb *output);
extern DxBranch *dx_join_child_failed(DxPass *pass, DxRun *run, DxBranch *child,
									  DxOutcome *outcome);

extern DxOutcome dx_join_failed(DxPass *pass, DxRun *run, DxBranch *parent,
								const DxFault *fault);

#endif							/* DX_ENGINE_JOIN_H */
