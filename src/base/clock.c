/*-------------------------------------------------------------------------
 *
 * clock.c
 *	  The engine's two clocks.
 *
 * dx_now() is the time of day: what is stored, and what a due time is compared
 * with.  It may be set, forward and back.  dx_mono() only goes forward, at its
 * own pace, in all processes of the machine alike: whatever lasts for a while
 * (the spacing of looks, a back-off, the budget of a pass) goes by it.  It is
 * never stored in a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "base/clock.h"
#include "portability/instr_time.h"
#include "utils/timestamp.h"

/*
 * dx_now
 *		What time of day it is for the engine.
 */
TimestampTz
dx_now(void)
{
	return GetCurrentTimestamp();
}

/*
 * dx_mono
 *		Microseconds since a moment that is the same for all processes until
 *		the machine restarts.
 */
DxMono
dx_mono(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (DxMono) INSTR_TIME_GET_MICROSEC(now);
}

/*
 * dx_mono_after
 *		So many milliseconds from now on.
 */
DxMono
dx_mono_after(int64 ms)
{
	Assert(ms >= 0);
	return dx_mono() + ms * 1000;
}

/*
 * dx_mono_at
 *		When it will be that time of day, if nobody sets the clock.
 */
DxMono
dx_mono_at(TimestampTz at)
{
	TimestampTz now = dx_now();

	if (TIMESTAMP_NOT_FINITE(at))
		return TIMESTAMP_IS_NOEND(at) ? DX_MONO_NEVER : 0;
	return at <= now ? 0 : dx_mono() + (at - now);
}

/*
 * dx_mono_left
 *		Milliseconds until then, rounded up; 0 when it has come.
 */
long
dx_mono_left(DxMono until)
{
	DxMono		left = until - dx_mono();

	if (until == DX_MONO_NEVER)
		return INT_MAX;
	return left <= 0 ? 0 : (long) Min((left + 999) / 1000, (DxMono) INT_MAX);
}

/*
 * dx_backoff
 *		Milliseconds to wait after so many failures in a row.
 */
int
dx_backoff(int failures)
{
	Assert(failures >= 0);
	return Min(1000 << Min(Max(failures, 1) - 1, 10), 60 * 1000);
}
