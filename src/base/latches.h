/*-------------------------------------------------------------------------
 *
 * latches.h
 *	  Latches that are set when a lock is released.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_LATCHES_H
#define DX_BASE_LATCHES_H

#include "storage/latch.h"

typedef struct DxLatches
{
	int			n;
	Latch	   *latch[64];
} DxLatches;

extern void dx_latches_add(DxLatches *latches, Latch *latch);
extern void dx_latches_set(DxLatches *latches);

#endif							/* DX_BASE_LATCHES_H */
