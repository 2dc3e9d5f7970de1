/*-------------------------------------------------------------------------
 *
 * clock.c
 *	  The engine's time, behind two functions, so that a test can own it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/base.h"
#include "base/compat.h"
#include "miscadmin.h"

static void
clock_sleep(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 ms, dx_wait_event(DX_WAIT_SLEEP));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static const DxClock system_clock = {GetCurrentTimestamp, clock_sleep};

const DxClock *dx_clock = &system_clock;

/*
 * dx_now
 *		What time it is for the engine.
 */
TimestampTz
dx_now(void)
{
	return dx_clock->now();
}
