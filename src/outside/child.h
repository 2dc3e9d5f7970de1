/*-------------------------------------------------------------------------
 *
 * child.h
 *	  workflow: states: runs that a run starts, and continues as.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_CHILD_H
#define DX_OUTSIDE_CHILD_H

#include "engine/handout.h"
#include "engine/pass.h"

extern const DxResource dx_child_resource;
extern void dx_child_write(DxPass *pass);

#endif							/* DX_OUTSIDE_CHILD_H */
