/*-------------------------------------------------------------------------
 *
 * activity.h
 *	  activity: states, and every other state that waits for a task token.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_ACTIVITY_H
#define DX_OUTSIDE_ACTIVITY_H

#include "asl/asl.h"
#include "engine/handout.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

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
extern DxOutcome dx_activity_hand_out(DxPass *pass, DxRun *run, DxBranch *branch,
									  DxEnv *env, const char *activity,
									  DxResourceKind kind, DxPhase phase,
									  Jsonb *input);

#endif							/* DX_OUTSIDE_ACTIVITY_H */
