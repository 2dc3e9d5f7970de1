/*-------------------------------------------------------------------------
 *
 * target.h
 *	  States by name: where a transition of a definition goes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_TARGET_H
#define DX_ASL_TARGET_H

#include "asl/compile.h"

extern int	dx_find_state(const char **names, int first, int n,
						  const char *name);
extern int	dx_read_target(DxCompiler *c, DxStateSource *state,
						   const DxNode *object, const char *name,
						   bool required);
extern int	dx_read_start(DxCompiler *c, int machine);

#endif							/* DX_ASL_TARGET_H */
