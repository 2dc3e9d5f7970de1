/*-------------------------------------------------------------------------
 *
 * branch.h
 *	  The branches of a run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_BRANCH_H
#define DX_ENGINE_BRANCH_H

#include "engine/model.h"
#include "engine/pass.h"
#include "utils/jsonb.h"

extern DxBranch *dx_branch_new(DxPass *pass, DxRun *run, int32 parent);
extern DxBranch *dx_branch_find(DxRun *run, int32 number);
extern Jsonb **dx_branch_kept(DxBranch *branch);

#endif							/* DX_ENGINE_BRANCH_H */
