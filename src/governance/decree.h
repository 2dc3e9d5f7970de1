/*-------------------------------------------------------------------------
 *
 * decree.h
 *	  What governors do: policies, releases, actors, the emergency stop.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_DECREE_H
#define DX_GOVERNANCE_DECREE_H

#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

extern int	dx_policy_store(Jsonb *document, const char *comment);
extern void dx_policy_release(int version, const char *comment);
extern ArrayType *dx_version_release(const char *workflow, int version, const char *comment);
extern int	dx_halt(Jsonb *scope, const char *reason);
extern int64 dx_resume_effects(int halt, const char *reason);
extern void dx_reassign_approval(const pg_uuid_t *id, ArrayType *approvers,
								 const char *reason);
extern void dx_effect_resolve(const pg_uuid_t *id, bool went_out, Jsonb *output,
							  const char *reason);

#endif							/* DX_GOVERNANCE_DECREE_H */
