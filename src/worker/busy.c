/*-------------------------------------------------------------------------
 *
 * busy.c
 *	  Runs that a worker was sent after and that somebody else has locked: to be
 *	  tried again, a little later each time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/guc.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
#include "worker/busy.h"

#define MAX_BUSY		1024
#define BUSY_FIRST_MS	10

static DxBusyRun busy[MAX_BUSY];
static int	nbusy = 0;

/*
 * Tries the run again later.  Not for ever: it may have been a message about a
 * run that was never committed, and from a sweep_interval on the sweep brings
 * up what still is due.
 */
void
dx_busy_add(const pg_uuid_t *run_id, const DxBusyRun *before)
{
	DxMono		now = dx_mono();
	DxBusyRun  *entry;
	int			i;

	for (i = 0; i < nbusy; i++)
	{
		if (memcmp(&busy[i].run_id, run_id, sizeof(pg_uuid_t)) == 0)
			return;
	}
	if (nbusy == MAX_BUSY ||
		(before->delay > 0 &&
		 now - before->since > dx_sweep_interval * USECS_PER_SEC))
		return;

	entry = &busy[nbusy++];
	entry->run_id = *run_id;
	entry->delay = before->delay == 0 ? BUSY_FIRST_MS :
		Min(before->delay * 2, DX_BUSY_MAX_MS);
	entry->since = before->delay == 0 ? now : before->since;
	entry->due = now + entry->delay * INT64CONST(1000);
}

/* When the next one is to be tried; DX_MONO_NEVER: there is none. */
DxMono
dx_busy_next(void)
{
	DxMono		next = DX_MONO_NEVER;

	for (int i = 0; i < nbusy; i++)
		next = Min(next, busy[i].due);
	return next;
}

/* Takes one whose time has come; false: there is none. */
bool
dx_busy_take(DxBusyRun *run)
{
	DxMono		now = dx_mono();

	for (int i = 0; i < nbusy; i++)
	{
		if (busy[i].due > now)
			continue;
		*run = busy[i];
		busy[i] = busy[--nbusy];
		return true;
	}
	return false;
}

/* Are there any, whenever they are due? */
bool
dx_busy_any(void)
{
	return nbusy > 0;
}
