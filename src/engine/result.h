/*-------------------------------------------------------------------------
 *
 * result.h
 *	  Results of child branches, between a child's end and the join; and how
 *	  many failures a Map tolerates.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_RESULT_H
#define DX_ENGINE_RESULT_H

#include "asl/asl.h"
#include "asl/fault.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "utils/jsonb.h"

extern void dx_result_keep(DxPass *pass, DxRun *run, int32 parent, int32 item,
						   Jsonb *output);
extern Jsonb *dx_results_collect(DxPass *pass, DxRun *run, DxBranch *parent);
extern void dx_results_forget(DxRun *run, DxBranch *parent);
extern bool dx_tolerance_check(DxBranch *branch, DxEnv *env, DxFault *fault);
extern bool dx_tolerates_failures(const DxBranch *branch);
extern bool dx_tolerance_holds(const DxBranch *branch, DxFault *fault);

#endif							/* DX_ENGINE_RESULT_H */
