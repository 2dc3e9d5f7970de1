/*-------------------------------------------------------------------------
 *
 * expression.h
 *	  {% SQL expression %}: the evaluator behind QueryLanguage SQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_EXPRESSION_H
#define DX_ENGINE_EXPRESSION_H

#include "asl/asl.h"
#include "engine/model.h"
#include "engine/pass.h"

extern void dx_expression_env(DxEnv *env, DxPass *pass, DxRun *run);
extern void dx_expression_search_path(void);

#endif							/* DX_ENGINE_EXPRESSION_H */
