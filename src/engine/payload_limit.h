/*-------------------------------------------------------------------------
 *
 * payload_limit.h
 *	  How large and how deeply nested JSON may be: what is taken in from
 *	  outside, and what states produce.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_PAYLOAD_LIMIT_H
#define DX_ENGINE_PAYLOAD_LIMIT_H

#include "asl/fault.h"
#include "utils/jsonb.h"

/* Bytes of a key, a correlation id or a name: what an index can take. */
#define DX_MAX_LABEL	512

/* Bytes of a comment or a reason. */
#define DX_MAX_COMMENT	(32 * 1024)

extern void dx_check_label(const char *value, const char *name);
extern void dx_check_comment(const char *value, const char *name);
extern void dx_check_definition(const Jsonb *definition);
extern void dx_check_states(int nstates);
extern void dx_check_payload(const Jsonb *json, const char *what);
extern bool dx_within_limits(const Jsonb *json, const char *state,
							 DxFault *fault);
extern bool dx_variables_within_limits(const Jsonb *before, const Jsonb *after,
									   const char *state, DxFault *fault);

#endif							/* DX_ENGINE_PAYLOAD_LIMIT_H */
