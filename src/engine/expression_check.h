/*-------------------------------------------------------------------------
 *
 * expression_check.h
 *	  What can be said about {% SQL expression %} without running anything.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_EXPRESSION_CHECK_H
#define DX_ENGINE_EXPRESSION_CHECK_H

#include "asl/asl.h"
#include "asl/problem.h"

extern void dx_expression_check(void *arg, const DxExpr *expr,
								DxProblems *problems);

#endif							/* DX_ENGINE_EXPRESSION_CHECK_H */
