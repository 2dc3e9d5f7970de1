/*-------------------------------------------------------------------------
 *
 * voice.h
 *	  Do those who agree suffice?
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_VOICE_H
#define DX_GOVERNANCE_VOICE_H

#include "governance/decider.h"

extern bool dx_voices_suffice(const DxAsked *asked);

#endif							/* DX_GOVERNANCE_VOICE_H */
