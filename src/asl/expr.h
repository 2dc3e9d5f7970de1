/*-------------------------------------------------------------------------
 *
 * expr.h
 *	  Expressions of the expression mode, {% ... %}: how they are recognized.
 *	  What is inside of them is known to an evaluator only (DxEvaluator), so
 *	  that another language needs no change here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_EXPR_H
#define DX_ASL_EXPR_H

#include "asl/asl.h"
#include "asl/fault.h"
#include "utils/jsonb.h"

extern bool dx_expr_eval(const DxExpr *expr, DxEnv *env, JsonbValue *value,
						 DxFault *fault);

#endif							/* DX_ASL_EXPR_H */
