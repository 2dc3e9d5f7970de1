/*-------------------------------------------------------------------------
 *
 * query.h
 *	  Reads the fields whose value is computed when the state runs: paths,
 *	  templates, expressions, and numbers and texts that may be any of these.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_QUERY_H
#define DX_ASL_QUERY_H

#include "asl/asl.h"
#include "asl/compile.h"

extern DxPath *dx_read_path(DxCompiler *c, const DxNode *object,
							const char *name, DxPathUse use);
extern DxPath *dx_read_input_path(DxCompiler *c, const DxNode *object,
								  const char *name, bool *is_null);
extern DxPath *dx_read_result_path(DxCompiler *c, const DxNode *object,
								   bool *discard);
extern DxTemplate *dx_read_template(DxCompiler *c, const DxStateSource *state,
									const DxNode *object, const char *name);
extern DxTemplate *dx_read_assign(DxCompiler *c, const DxStateSource *state,
								  const DxNode *object);
extern DxExpr *dx_read_condition(DxCompiler *c, const DxNode *node);
extern void dx_read_amount(DxCompiler *c, const DxStateSource *state,
						   const DxNode *object, const char *name,
						   bool integer, double min, double max,
						   DxAmount *amount);
extern void dx_read_dynamic_text(DxCompiler *c, const DxStateSource *state,
								 const DxNode *object, const char *name,
								 bool intrinsics, DxText *text);

#endif							/* DX_ASL_QUERY_H */
