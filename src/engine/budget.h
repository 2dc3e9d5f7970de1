/*-------------------------------------------------------------------------
 *
 * budget.h
 *	  What a pass may spend, and times from now on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_BUDGET_H
#define DX_ENGINE_BUDGET_H

#include "engine/pass.h"
#include "utils/timestamp.h"

extern bool dx_budget_spent(DxPass *pass);

/* Deadlocks in a row after which the author of the step has to hear of it. */
#define DX_MAX_CONFLICTS	25
extern TimestampTz dx_conflict_retry_at(int conflicts);
extern TimestampTz dx_after_seconds(TimestampTz from, double seconds);

#endif							/* DX_ENGINE_BUDGET_H */
