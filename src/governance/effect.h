/*-------------------------------------------------------------------------
 *
 * effect.h
 *	  The gate: an effect goes out when its intent says so, and not before.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_EFFECT_H
#define DX_GOVERNANCE_EFFECT_H

#include "engine/gate.h"

/* What tells a branch that nothing stops its effect any more. */
#define DX_DECISION_RESUME	"resume"

/* When a decision is being committed at the moment a time is over. */
#define DX_LOOK_AGAIN_MS	100

extern const DxGate dx_effect_gate;

#endif							/* DX_GOVERNANCE_EFFECT_H */
