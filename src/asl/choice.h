/*-------------------------------------------------------------------------
 *
 * choice.h
 *	  Choice rules of the JSONPath language: the compiler and the evaluator.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_CHOICE_H
#define DX_ASL_CHOICE_H

#include "asl/asl.h"
#include "asl/compile.h"
#include "utils/jsonb.h"

extern DxRule *dx_rule_compile(DxCompiler *c, const Jsonb *rule,
							   const char *pointer);

#endif							/* DX_ASL_CHOICE_H */
