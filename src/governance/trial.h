/*-------------------------------------------------------------------------
 *
 * trial.h
 *	  A policy, tried on a table of cases.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_TRIAL_H
#define DX_GOVERNANCE_TRIAL_H

#include "asl/policy_document.h"
#include "utils/jsonb.h"

/* What came of a case. */
typedef struct DxTrial
{
	char	   *name;			/* or NULL */
	bool		passed;			/* all that is expected is so */
	Jsonb	   *expected;		/* or NULL */
	Jsonb	   *got;			/* {"Class", "Rule", "Quorum", "Approvers",
								 * "Floors"} */
	char	   *why;
} DxTrial;

extern int	dx_trial_count(const Jsonb *cases);
extern void dx_trial_run(const DxPolicy *policy, const Jsonb *cases, int number,
						 DxTrial *trial);

#endif							/* DX_GOVERNANCE_TRIAL_H */
