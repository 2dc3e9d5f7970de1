/*-------------------------------------------------------------------------
 *
 * advance.h
 *	  What a pass does with a run: what is asked of it, then its branches.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_ADVANCE_H
#define DX_ENGINE_ADVANCE_H

#include "engine/model.h"
#include "engine/pass.h"

extern void dx_run_advance(DxPass *pass, DxRun *run);

#endif							/* DX_ENGINE_ADVANCE_H */
