/*-------------------------------------------------------------------------
 *
 * governed.h
 *	  Which states of a version go through the gate.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_GOVERNED_H
#define DX_ENGINE_GOVERNED_H

#include "asl/asl.h"
#include "nodes/pg_list.h"

extern List *dx_governed_states(const DxProgram *program);
extern void dx_governed_store(int32 version_id, const List *states);

#endif							/* DX_ENGINE_GOVERNED_H */
