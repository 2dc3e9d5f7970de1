/*-------------------------------------------------------------------------
 *
 * outside.h
 *	  What crosses the border of a run: messages, activities and task tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_H
#define DX_OUTSIDE_H

#include "engine/columns.h"
#include "engine/engine.h"

/* A task token that is not, or no longer, good. */
#define DX_SQLSTATE_REFUSED	MAKE_SQLSTATE('D', 'X', '0', '0', '3')

/* From _PG_init: registers what this room does for the engine. */
extern void dx_outside_init(void);

/* ---------- message.c ---------- */

extern bool dx_send_signal(const pg_uuid_t *run_id, const char *name,
						   Jsonb *payload, const char *key);
extern bool dx_send_cancel(const pg_uuid_t *run_id, const char *reason);

/* ---------- activity.c, activity_store.c ---------- */

/* What is handed out for an activity, or for a task token only. */
typedef struct DxActivity
{
	char	   *activity;		/* NULL: nobody claims it */
	Jsonb	   *input;
	Jsonb	   *details;		/* of the last heartbeat of an attempt before */
	bool		token_only;		/* the answer does not need a claim */
	double		start_to_close; /* seconds; < 0: none */
	double		heartbeat;
	TimestampTz start_by;		/* DT_NOEND: any time */
	TimestampTz close_at;
} DxActivity;

extern const DxResource dx_activity_resource;
extern bool dx_activity_hand_out(DxPass *pass, DxRun *run, DxBranch *branch,
								 DxEnv *env, const char *activity,
								 DxResourceKind kind, DxPhase phase,
								 Jsonb *input);
extern void dx_activity_write(DxPass *pass);
extern bool dx_activity_exists(const pg_uuid_t *ticket, int32 epoch);
extern void dx_activity_channel(const char *activity, pg_uuid_t *channel);

/* ---------- task.c: what workers do with tasks ---------- */

extern bool dx_may_serve(void);
extern uint64 dx_task_claim(const char *activity, const char *worker, int max,
							Interval *lease);
extern bool dx_task_waits(const char *activity, bool *limits);
extern bool dx_task_heartbeat(const char *token, Jsonb *details);
extern int	dx_task_finish(int n, Datum *tokens, Datum *payloads, bool *nulls,
						   DxMessageKind kind, const char **outcomes);
extern void dx_task_refuse(const char *token);

#endif							/* DX_OUTSIDE_H */
