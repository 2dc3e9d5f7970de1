/*-------------------------------------------------------------------------
 *
 * task_answer.h
 *	  What programs outside do with tasks that they have: heartbeat,
 *	  complete, fail.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_TASK_ANSWER_H
#define DX_OUTSIDE_TASK_ANSWER_H

#include "engine/model.h"
#include "utils/jsonb.h"

extern bool dx_task_heartbeat(const char *token, Jsonb *details);
extern int	dx_task_finish(int n, Datum *tokens, Datum *payloads, bool *nulls,
						   DxMessageKind kind, const char **outcomes);
extern void dx_task_refuse(const char *token);

#endif							/* DX_OUTSIDE_TASK_ANSWER_H */
