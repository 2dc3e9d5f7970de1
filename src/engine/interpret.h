/*-------------------------------------------------------------------------
 *
 * interpret.h
 *	  The interpreter: takes a branch from state to state until it is parked.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_INTERPRET_H
#define DX_ENGINE_INTERPRET_H

#include "engine/model.h"
#include "engine/pass.h"

extern void dx_branch_advance(DxPass *pass, DxRun *run, DxBranch *branch);

#endif							/* DX_ENGINE_INTERPRET_H */
