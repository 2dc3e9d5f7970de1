/*-------------------------------------------------------------------------
 *
 * uuid.c
 *	  UUID version 7 (RFC 9562 section 5.7): time-ordered run ids.
 *
 * The 12 bits after the milliseconds hold the fraction of the millisecond
 * (RFC 9562 section 6.2, method 3) and count up when a process makes several
 * within one unit, so ids of one process are strictly increasing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/uuid.h"

#define UNIX_EPOCH_US \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* Milliseconds << 12 | fraction, of the last id made here. */
static uint64 last_tick = 0;

/* Random bytes in store: asking for few costs as much as asking for many. */
static unsigned char pool[512];
static int	pool_left = 0;
static pid_t pool_pid = 0;

/* Bytes that nobody else gets: not even a process forked from this one. */
static void
random_bytes(unsigned char *bytes, int n)
{
	if (pool_left < n || pool_pid != MyProcPid)
	{
		if (!pg_strong_random(pool, sizeof(pool)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate random values")));
		pool_left = sizeof(pool);
		pool_pid = MyProcPid;
	}
	pool_left -= n;
	memcpy(bytes, pool + pool_left, n);
}

/*
 * A time that grows with each call, in 1/4096 ms, also when the clock is set
 * back.
 */
static uint64
next_tick(void)
{
	int64		us = dx_now() + UNIX_EPOCH_US;
	uint64		tick = ((uint64) (us / 1000) << 12) |
	(uint64) ((us % 1000) * 4096 / 1000);

	/* A clock that was set back must not break the order. */
	if (tick <= last_tick)
		tick = last_tick + 1;
	last_tick = tick;
	return tick;
}

/*
 * dx_uuid_v7
 *		Makes a UUID version 7.  Errors: XX000 when the server has no strong
 *		random numbers.
 */
void
dx_uuid_v7(pg_uuid_t *uuid)
{
	uint64		tick = next_tick();
	uint64		ms = tick >> 12;

	random_bytes(uuid->data + 8, UUID_LEN - 8);
	for (int i = 0; i < 6; i++)
		uuid->data[i] = (unsigned char) (ms >> (40 - 8 * i));
	uuid->data[6] = 0x70 | (unsigned char) ((tick >> 8) & 0x0f);
	uuid->data[7] = (unsigned char) (tick & 0xff);
	uuid->data[8] = 0x80 | (uuid->data[8] & 0x3f);
}

/*
 * dx_uuid_v7_after
 *		The same, but greater than another of version 7, which somebody else
 *		may have made by a clock that is ahead.
 */
void
dx_uuid_v7_after(pg_uuid_t *uuid, const pg_uuid_t *before)
{
	uint64		tick = 0;

	for (int i = 0; i < 6; i++)
		tick = (tick << 8) | before->data[i];
	tick = (tick << 12) | ((uint64) (before->data[6] & 0x0f) << 8) | before->data[7];
	last_tick = Max(last_tick, tick);
	dx_uuid_v7(uuid);
}

/*
 * dx_uuid_text
 *		The canonical text of a UUID, palloc'd.
 */
char *
dx_uuid_text(const pg_uuid_t *uuid)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(uuid)));
}
