/*-------------------------------------------------------------------------
 *
 * commit_by.h
 *	  What counts only if the transaction that has done it commits in time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_COMMIT_BY_H
#define DX_BASE_COMMIT_BY_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

/* Raises the error; prepared: the transaction is about to be prepared. */
typedef void (*DxTooLate) (const pg_uuid_t *id, bool prepared);

extern void dx_commit_by(const pg_uuid_t *id, TimestampTz until, DxTooLate too_late);
extern bool dx_commit_by_closed(void);

#endif							/* DX_BASE_COMMIT_BY_H */
