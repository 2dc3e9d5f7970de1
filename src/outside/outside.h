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
#include "utils/array.h"

/* A task token that is not, or no longer, good. */
#define DX_SQLSTATE_REFUSED	MAKE_SQLSTATE('D', 'X', '0', '0', '3')

/* From _PG_init: registers what this room does for the engine. */
extern void dx_outside_init(void);

/* ---------- message.c ---------- */

extern bool dx_send_signal(const pg_uuid_t *run_id, const char *name,
						   Jsonb *payload, const char *key);
extern bool dx_send_cancel(const pg_uuid_t *run_id, const char *reason);
extern bool dx_send_terminate(const pg_uuid_t *run_id, const char *reason);
extern bool dx_send_kill(const pg_uuid_t *run_id, const char *reason);
extern bool dx_send_compensate(const pg_uuid_t *run_id, const char *reason);
extern bool dx_sent_here(const pg_uuid_t *line);
extern bool dx_run_by_key(const char *workflow, const char *key, pg_uuid_t *run_id);

/* ---------- schedule.c ---------- */

extern void dx_schedule_put(Datum *values, const char *nulls);
extern bool dx_schedule_drop(const char *name);
extern bool dx_schedule_pause(const char *name, bool paused);
extern const char *dx_schedule_fire(const char *name, TimestampTz at);
extern void dx_schedule_backfill(const char *name, TimestampTz at, pg_uuid_t *run_id);
extern void dx_schedule_write(DxPass *pass);

/* ---------- timer.c ---------- */

extern bool dx_timer_start(DxPass *pass, DxRun *run, DxBranch *branch,
						   DxEnv *env, TimestampTz *until);
extern void dx_timer_restart(DxPass *pass, DxRun *run, DxBranch *branch);
extern DxColumns *dx_given_up(DxPass *pass, DxPhase phase,
							  const DxStatement *statement);
extern int	dx_count_branches(DxPass *pass);
extern void dx_wake_returned(void);

/* As SQL: the priority of a run. */
#define DX_PRIORITY_OF(run_id) \
	"(SELECT r.priority FROM dealix.run r WHERE r.run_id = " run_id ")"

/* ---------- approval.c, decision.c, shape.c ---------- */

/* An intent that is closed, or is about something else. */
#define DX_SQLSTATE_CLOSED	MAKE_SQLSTATE('D', 'X', '0', '0', '4')

/* Stored.  Only PENDING has successors. */
typedef enum DxIntentStatus
{
	DX_INTENT_PENDING = 1,
	DX_INTENT_APPROVED = 2,
	DX_INTENT_REJECTED = 3,
	DX_INTENT_EXPIRED = 4,
	DX_INTENT_WITHDRAWN = 5
} DxIntentStatus;

/*
 * An edit whose payload is an action {"name", "args"}: of a payload that is
 * not of that kind the args are meant.
 */
#define DX_DECIDE_ACTION	"edit_action"

extern const DxResource dx_approval_resource;
extern void dx_approval_write(DxPass *pass);
extern bytea *dx_intent_hash(int32 version, Jsonb *payload);
extern const char *dx_intent_status_name(int status);
extern DxIntentStatus dx_decide(const pg_uuid_t *id, const char *decision,
								Jsonb *amended, const char *comment,
								const char *hash);
extern void dx_require_person(void);
extern char *dx_shape_problem(const Jsonb *shape, Jsonb *json);

/* ---------- event.c ---------- */

extern const DxResource dx_event_resource;
extern void dx_event_write(DxPass *pass);
extern int64 dx_publish_event(const char *name, const char *correlation,
							  Jsonb *payload);

/* ---------- child.c ---------- */

extern const DxResource dx_child_resource;
extern void dx_child_write(DxPass *pass);

/* ---------- emit.c, outbox.c ---------- */

extern const DxResource dx_emit_resource;
extern void dx_emit_hand_out(DxPass *pass, DxRun *run, DxBranch *branch,
							 const char *topic, Jsonb *data);
extern void dx_emit_write(DxPass *pass);
extern uint64 dx_outbox_read(const char *consumer, int max);
extern int64 dx_outbox_ack(const char *consumer, Datum ids);
extern bool dx_outbox_drop(const char *consumer);

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

/* ---------- activity_limit.c ---------- */

/* What the limits of an activity seem to leave at the moment. */
typedef struct DxRoom
{
	int			allowed;
	bool		has_slots;		/* there is a max_in_flight, */
	bool		crowded;		/* and slots beyond it */
	bool		has_rate;
	bool		per_owner;		/* for the tasks of each owner */
	bool		ahead;			/* the clock was set back: see
								 * dx_room_set_back */
	long		later;			/* ms until time alone may make room; 0: it
								 * does not */
} DxRoom;

extern bool dx_room_look(const char *activity, int max, DxRoom *room);
extern void dx_room_look_of(const char *activity, Oid owner, int max, DxRoom *room);
extern bool dx_room_waits_of(const char *activity, Oid owner, DxRoom *room);
extern void dx_room_set_back(const char *activity, Oid owner);
extern int	dx_room_take(const char *activity, Oid owner, const DxRoom *room,
						 int wanted, ArrayType **slots);

/* ---------- claim.c, task_answer.c: what workers do with tasks ---------- */

/* How long a claim lasts when neither the definition nor the worker says. */
#define DX_DEFAULT_LEASE	"5 minutes"

/* Rows of owners whose privileges the user has; all: of everybody. */
#define DX_MAY_SERVE(user, all) \
	"(" all " OR pg_catalog.pg_has_role(" user ", t.owner::pg_catalog.oid, 'USAGE'))"

extern bool dx_may_serve(void);
extern uint64 dx_task_claim(const char *activity, const char *worker, int max,
							Interval *lease);
extern bool dx_task_waits(const char *activity, long *later);
extern bool dx_task_heartbeat(const char *token, Jsonb *details);
extern int	dx_task_finish(int n, Datum *tokens, Datum *payloads, bool *nulls,
						   DxMessageKind kind, const char **outcomes);
extern void dx_task_refuse(const char *token);
extern bool dx_task_release(const pg_uuid_t *task, const char *reason);

#endif							/* DX_OUTSIDE_H */
