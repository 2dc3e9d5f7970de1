/*-------------------------------------------------------------------------
 *
 * release.h
 *	  An operator takes a task away from the worker that has it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_RELEASE_H
#define DX_OUTSIDE_RELEASE_H

#include "utils/uuid.h"

extern bool dx_task_release(const pg_uuid_t *task, const char *reason);

#endif							/* DX_OUTSIDE_RELEASE_H */
