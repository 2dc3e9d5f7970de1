/*-------------------------------------------------------------------------
 *
 * undo.h
 *	  Compensation: completed steps are undone in reverse order of
 *	  completion.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_UNDO_H
#define DX_ENGINE_UNDO_H

#include "asl/fault.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"

extern DxOutcome dx_undo_refused(DxPass *pass, DxRun *run, DxBranch *branch,
								 const DxFault *fault, bool for_good);
extern DxOutcome dx_undo_advance(DxPass *pass, DxRun *run, DxBranch *branch);

#endif							/* DX_ENGINE_UNDO_H */
