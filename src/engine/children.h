/*-------------------------------------------------------------------------
 *
 * children.h
 *	  How far a Parallel or Map is: what its counts say about its children.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_CHILDREN_H
#define DX_ENGINE_CHILDREN_H

#include "engine/model.h"

extern bool dx_children_may_open(const DxBranch *branch);
extern bool dx_children_can_go_on(const DxBranch *branch);
extern bool dx_distributes(const DxBranch *branch);

#endif							/* DX_ENGINE_CHILDREN_H */
