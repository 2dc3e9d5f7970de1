/*-------------------------------------------------------------------------
 *
 * node.h
 *	  Values inside a definition, read in place.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_NODE_H
#define DX_ASL_NODE_H

#include "asl/compile.h"
#include "utils/jsonb.h"

extern bool dx_is_object(const DxNode *node);
extern bool dx_is_array(const DxNode *node);
extern const char *dx_type_name(const DxNode *node);
extern int	dx_count(const DxNode *node);
extern char *dx_node_text(const DxNode *node);
extern Jsonb *dx_node_json(const DxNode *node);
extern bool dx_member(const DxNode *object, const char *name, DxNode *member);
extern bool dx_has(const DxNode *object, const char *name);
extern void dx_walk_start(DxWalk *walk, const DxNode *node);
extern bool dx_walk_next(DxWalk *walk);
extern void dx_wrong_type(DxCompiler *c, const DxNode *node, const char *what);

#endif							/* DX_ASL_NODE_H */
