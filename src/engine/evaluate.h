/*-------------------------------------------------------------------------
 *
 * evaluate.h
 *	  What the engine evaluates itself (paths, templates, intrinsic
 *	  functions, choice rules), for a limited time:
 *	  dealix_exec.evaluation_timeout.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_EVALUATE_H
#define DX_ENGINE_EVALUATE_H

#include "asl/asl.h"
#include "asl/fault.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

extern bool dx_eval_enter(const DxState *state, DxEnv *env, Jsonb **effective,
						  DxFault *fault);
extern bool dx_eval_exit(const DxState *state, DxEnv *env, Jsonb *result,
						 Jsonb **output, Jsonb **variables, DxFault *fault);
extern bool dx_eval_catch(const DxState *state, const DxCatcher *catcher,
						  DxEnv *env, const DxFault *error, Jsonb **output,
						  Jsonb **variables, DxFault *fault);
extern bool dx_eval_choose(const DxState *state, DxEnv *env, int *next,
						   Jsonb **output, Jsonb **variables, DxFault *fault);
extern bool dx_eval_wait(const DxState *state, DxEnv *env, TimestampTz now,
						 TimestampTz *until, DxFault *fault);
extern bool dx_eval_fail(const DxState *state, DxEnv *env, DxFault *error,
						 DxFault *fault);
extern bool dx_eval_items(const DxState *state, DxEnv *env, Jsonb **items,
						  DxFault *fault);
extern bool dx_eval_item_input(const DxState *state, DxEnv *env, int index,
							   Jsonb *item, Jsonb **input, DxFault *fault);
extern bool dx_eval_batches(const DxState *state, DxEnv *env, Jsonb *items,
							Jsonb **batches, DxFault *fault);
extern bool dx_eval_template(const DxTemplate *template, DxEnv *env,
							 Jsonb **value, DxFault *fault);
extern bool dx_eval_amount(const DxAmount *amount, DxEnv *env, bool *given,
						   double *value, DxFault *fault);

#endif							/* DX_ENGINE_EVALUATE_H */
