/*-------------------------------------------------------------------------
 *
 * binding.h
 *	  Bindings: what a foreign resource URI, an AWS ARN say, stands for here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_BINDING_H
#define DX_ENGINE_BINDING_H

#include "asl/asl.h"

extern char *dx_binding_find(const char *uri);
extern void dx_binding_set(const char *uri, const char *target);
extern bool dx_binding_remove(const char *uri);
extern void dx_binding_apply(const char *bound, DxResourceKind *kind,
							 const char **target, bool *wait_for_token,
							 bool *no_wait);

#endif							/* DX_ENGINE_BINDING_H */
