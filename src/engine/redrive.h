/*-------------------------------------------------------------------------
 *
 * redrive.h
 *	  Redrive: a run goes on from where it stopped.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_REDRIVE_H
#define DX_ENGINE_REDRIVE_H

#include "engine/model.h"
#include "engine/pass.h"

extern void dx_run_redrive(DxPass *pass, DxRun *run);

#endif							/* DX_ENGINE_REDRIVE_H */
