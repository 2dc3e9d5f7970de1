/*-------------------------------------------------------------------------
 *
 * signal.h
 *	  signal: states: a branch waits for one named message, for the first of
 *	  several ("a|b"), or for all of several ("a&b").
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_SIGNAL_H
#define DX_ENGINE_SIGNAL_H

#include "asl/asl.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "nodes/pg_list.h"

extern DxOutcome dx_signal_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env);
extern DxOutcome dx_signal_wake(DxPass *pass, DxRun *run, DxBranch *branch);
extern bool dx_signal_here(const DxRun *run, const DxBranch *branch);

/* Names in "a|b" or "a&b" that are accepted when a workflow is published. */
#define DX_MAX_NAMES	64

extern List *dx_names_split(const char *names, bool *all);

#endif							/* DX_ENGINE_SIGNAL_H */
