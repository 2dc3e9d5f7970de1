/*-------------------------------------------------------------------------
 *
 * handler.h
 *	  Compiles Retry and Catch.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_HANDLER_H
#define DX_ASL_HANDLER_H

#include "asl/asl.h"
#include "asl/compile.h"

extern int	dx_compile_retriers(DxCompiler *c, const DxNode *object,
								DxRetrier **retriers);
extern int	dx_compile_catchers(DxCompiler *c, DxStateSource *state,
								DxCatcher **catchers);
extern void dx_check_error_name(DxCompiler *c, const char *pointer,
								const char *name);

#endif							/* DX_ASL_HANDLER_H */
