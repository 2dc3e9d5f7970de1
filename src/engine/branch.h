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

extern DxBranch *dx_branch_new(DxPass *pass, DxRun *run, int32 parent);
extern DxBranch *dx_branch_find(DxRun *run, int32 number);

#endif							/* DX_ENGINE_BRANCH_H */
