/*-------------------------------------------------------------------------
 *
 * due.h
 *	  Is it a branch's turn?
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_DUE_H
#define DX_ENGINE_DUE_H

#include "engine/model.h"
#include "engine/pass.h"

extern bool dx_branch_due(const DxPass *pass, const DxRun *run,
						  const DxBranch *branch);

#endif							/* DX_ENGINE_DUE_H */
