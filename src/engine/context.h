/*-------------------------------------------------------------------------
 *
 * context.h
 *	  What an evaluation about a branch can see: its input and variables, and
 *	  the context object "$$".
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_CONTEXT_H
#define DX_ENGINE_CONTEXT_H

#include "asl/asl.h"
#include "engine/model.h"
#include "engine/pass.h"

extern void dx_env_init(DxEnv *env, DxPass *pass, DxRun *run, DxBranch *branch);

#endif							/* DX_ENGINE_CONTEXT_H */
