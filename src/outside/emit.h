/*-------------------------------------------------------------------------
 *
 * emit.h
 *	  emit: states: an event for the world outside, in a CloudEvents 1.0
 *	  envelope, written into the outbox with the pass.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_EMIT_H
#define DX_OUTSIDE_EMIT_H

#include "engine/handout.h"
#include "engine/pass.h"

extern const DxResource dx_emit_resource;
extern void dx_emit_write(DxPass *pass);

#endif							/* DX_OUTSIDE_EMIT_H */
