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
#include "engine/model.h"
#include "engine/pass.h"
#include "utils/jsonb.h"

extern const DxResource dx_emit_resource;
extern void dx_emit_about(DxPass *pass, DxRun *run, const char *topic, Jsonb *data);
extern void dx_emit_write(DxPass *pass);

#endif							/* DX_OUTSIDE_EMIT_H */
