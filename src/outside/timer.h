/*-------------------------------------------------------------------------
 *
 * timer.h
 *	  What the kinds of waiting have in common: the timer of a branch, what
 *	  the pass has given up, and waking runs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_TIMER_H
#define DX_OUTSIDE_TIMER_H

#include "asl/asl.h"
#include "asl/fault.h"
#include "base/plan.h"
#include "engine/columns.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "utils/timestamp.h"

extern bool dx_timer_start(const DxBranch *branch, DxEnv *env, TimestampTz *until,
						   DxFault *fault);
extern DxOutcome dx_timer_restart(DxPass *pass, DxRun *run, DxBranch *branch);
extern DxColumns *dx_given_up(DxPass *pass, DxPhase phase,
							  const DxStatement *statement);
extern int	dx_count_branches(DxPass *pass);
extern void dx_wake_returned(void);

#endif							/* DX_OUTSIDE_TIMER_H */
