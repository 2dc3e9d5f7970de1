/*-------------------------------------------------------------------------
 *
 * clock.h
 *	  The engine's two clocks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_CLOCK_H
#define DX_BASE_CLOCK_H

#include "utils/timestamp.h"

/* Microseconds of a clock that nobody sets; shared memory only, never stored. */
typedef int64 DxMono;

#define DX_MONO_NEVER	PG_INT64_MAX

extern TimestampTz dx_now(void);
extern DxMono dx_mono(void);
extern DxMono dx_mono_after(int64 ms);
extern DxMono dx_mono_at(TimestampTz at);
extern long dx_mono_left(DxMono until);

extern int	dx_backoff(int failures);

#endif							/* DX_BASE_CLOCK_H */
