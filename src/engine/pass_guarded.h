/*-------------------------------------------------------------------------
 *
 * pass_guarded.h
 *	  A pass in a transaction that is not the engine's: tick and drain.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_PASS_GUARDED_H
#define DX_ENGINE_PASS_GUARDED_H

#include "engine/pass.h"
#include "utils/uuid.h"

/*
 * dx_pass for callers inside of a transaction that they do not own, with the
 * retry one run at a time and the quarantine done in subtransactions.  hint: a
 * run to look at, or NULL.
 */
extern void dx_pass_guarded(Oid owner, const DxPassLimits *limits,
							const pg_uuid_t *hint, DxPassResult *result);

#endif							/* DX_ENGINE_PASS_GUARDED_H */
