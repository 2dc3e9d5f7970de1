/*-------------------------------------------------------------------------
 *
 * message.h
 *	  Messages to a run: they are put into its inbox without touching the
 *	  run's row, so that a sender never waits for a pass.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_MESSAGE_H
#define DX_OUTSIDE_MESSAGE_H

#include "utils/jsonb.h"
#include "utils/uuid.h"

extern bool dx_send_signal(const pg_uuid_t *run_id, const char *name,
						   Jsonb *payload, const char *key);
extern bool dx_send_cancel(const pg_uuid_t *run_id, const char *reason);
extern bool dx_send_terminate(const pg_uuid_t *run_id, const char *reason);
extern bool dx_send_kill(const pg_uuid_t *run_id, const char *reason);
extern bool dx_send_compensate(const pg_uuid_t *run_id, const char *reason);
extern bool dx_sent_here(const pg_uuid_t *line);
extern bool dx_run_by_key(const char *workflow, const char *key, pg_uuid_t *run_id);

#endif							/* DX_OUTSIDE_MESSAGE_H */
