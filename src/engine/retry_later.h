/*-------------------------------------------------------------------------
 *
 * retry_later.h
 *	  Another attempt at a state, after a while.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_RETRY_LATER_H
#define DX_ENGINE_RETRY_LATER_H

#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"

extern const char *dx_error_to_match(const DxOutcome *outcome);
extern bool dx_retry_later(DxPass *pass, DxRun *run, DxBranch *branch,
						   const DxOutcome *outcome);

#endif							/* DX_ENGINE_RETRY_LATER_H */
