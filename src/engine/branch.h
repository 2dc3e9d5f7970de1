/*-------------------------------------------------------------------------
 *
 * branch.h
 *	  The interpreter: takes one branch from state to state until it is
 *	  parked.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_BRANCH_H
#define DX_ENGINE_BRANCH_H

#include "asl/fault.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "utils/jsonb.h"

extern DxBranch *dx_branch_new(DxPass *pass, DxRun *run, int32 parent);
extern DxBranch *dx_branch_find(DxRun *run, int32 number);
extern void dx_branch_advance(DxPass *pass, DxRun *run, DxBranch *branch);
extern Jsonb *dx_branch_called_with(DxPass *pass, DxRun *run, DxBranch *branch);
extern void dx_branch_step_done(DxPass *pass, DxRun *run, DxBranch *branch,
								Jsonb *result);
extern void dx_branch_step_failed(DxPass *pass, DxRun *run, DxBranch *branch,
								  const DxFault *fault);
extern bool dx_branch_due(const DxPass *pass, const DxRun *run,
						  const DxBranch *branch);

/* No Retry: it would not help. */
extern void dx_branch_heartbeat_missed(DxPass *pass, DxRun *run, DxBranch *branch,
									   char *cause);
extern void dx_branch_gave_up(DxPass *pass, DxRun *run, DxBranch *branch,
							  const DxFault *fault);

extern bool dx_branch_gives_up(const DxBranch *branch);

#endif							/* DX_ENGINE_BRANCH_H */
