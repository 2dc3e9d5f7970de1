/*-------------------------------------------------------------------------
 *
 * gate.h
 *	  The gate before an effect that leaves only with a decision.
 *
 * What decides is in a room above, and registered here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_GATE_H
#define DX_ENGINE_GATE_H

#include "asl/asl.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "utils/jsonb.h"

/* What has become of an effect that went out. */
typedef enum DxSettled
{
	DX_SETTLED_DONE,
	DX_SETTLED_FAILED,
	DX_SETTLED_UNKNOWN			/* whether it had its effect is not known */
} DxSettled;

typedef struct DxGate
{
	/*
	 * A branch has come to an effect; its effective input is evaluated if it
	 * has no intent yet.  ALLOWED: it goes out now, with branch->effective.
	 */
	DxOutcome	(*enter) (DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env);

	/* The branch waits: an answer has come, or its timer is over. */
	DxOutcome	(*wake) (DxPass *pass, DxRun *run, DxBranch *branch);

	/* What the effect of the branch was agreed with. */
	Jsonb	   *(*recall) (DxPass *pass, DxRun *run, DxBranch *branch);

	/* After an incident: waits on. */
	DxOutcome	(*resume) (DxPass *pass, DxRun *run, DxBranch *branch);

	/* The effect of the branch has come to an end; result: of DONE. */
	void		(*settle) (DxPass *pass, DxRun *run, DxBranch *branch,
						   DxSettled settled, Jsonb *result);
} DxGate;

extern void dx_gate_register(const DxGate *gate);
extern const DxGate *dx_gate(void);
extern const DxEffect *dx_effect_of(const DxBranch *branch);
extern void dx_settle(DxPass *pass, DxRun *run, DxBranch *branch,
					  DxSettled settled, Jsonb *result);

#endif							/* DX_ENGINE_GATE_H */
