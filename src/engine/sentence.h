/*-------------------------------------------------------------------------
 *
 * sentence.h
 *	  Steps whose outcome is known before they are tried: they did not end
 *	  when they were cancelled, and their process had to (watch.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_SENTENCE_H
#define DX_ENGINE_SENTENCE_H

#include "asl/fault.h"
#include "engine/guard.h"
#include "engine/model.h"

extern void dx_sentence_load(DxRun *run);
extern bool dx_sentence_takes(DxRun *run, const char *place,
							  DxCallOutcome *outcome, DxFault *fault);

#endif							/* DX_ENGINE_SENTENCE_H */
