/*-------------------------------------------------------------------------
 *
 * author.h
 *	  What the functions for authors share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_API_AUTHOR_H
#define DX_API_AUTHOR_H

#include "asl/problem.h"
#include "nodes/execnodes.h"

extern void dx_author_refuse(const DxProblems *problems);
extern void dx_author_show(ReturnSetInfo *rsinfo, const DxProblems *problems);

#endif							/* DX_API_AUTHOR_H */
