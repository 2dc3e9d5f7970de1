/*-------------------------------------------------------------------------
 *
 * halt.h
 *	  The emergency stop: what no effect gets past while it stands.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_HALT_H
#define DX_GOVERNANCE_HALT_H

#include "engine/pass.h"
#include "governance/intent.h"

extern bool dx_halted(DxPass *pass, const DxIntent *intent);

#endif							/* DX_GOVERNANCE_HALT_H */
