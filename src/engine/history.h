/*-------------------------------------------------------------------------
 *
 * history.h
 *	  One event for each transition, numbered and chained per run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_HISTORY_H
#define DX_ENGINE_HISTORY_H

#include "audit/audit.h"
#include "engine/event_kind.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

typedef struct DxEvent
{
	DxRun	   *run;
	int32		seq;
	DxEventKind kind;
	int32		branch;
	const char *state;			/* NULL: of the run */
	int32		attempt;
	const char *actor;			/* role name at that time; NULL: the owner */
	const char *session_actor;	/* who had logged in; NULL: the actor */
	TimestampTz at;
	Jsonb	   *payload;
	DxHash		hash;
} DxEvent;

extern void dx_event(DxPass *pass, DxRun *run, DxEventKind kind,
					 const DxBranch *branch, Jsonb *payload);
extern void dx_event_by(DxPass *pass, DxRun *run, DxEventKind kind,
						const DxActor *actor, Jsonb *payload);
extern DxActor dx_actor(void);
extern void dx_events_chain(List *events);
extern char *dx_role_name(Oid role);

#endif							/* DX_ENGINE_HISTORY_H */
