/*-------------------------------------------------------------------------
 *
 * pass_guarded.c
 *	  A pass in a transaction that is not the engine's: tick and drain.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/frame.h"
#include "engine/careful.h"
#include "engine/pass.h"
#include "engine/pass_guarded.h"
#include "engine/quarantine.h"
#include "engine/scan.h"
#include "utils/uuid.h"

typedef struct GuardedCall
{
	Oid			owner;
	const DxPassLimits *limits;
	const pg_uuid_t *hint;		/* one run, or NULL */
	const char *quarantine;		/* then: why */
	DxPassResult *result;
} GuardedCall;

/* The body of a subtransaction: a pass, or the quarantine of a run. */
static void
guarded_body(void *arg)
{
	const GuardedCall *call = arg;

	if (call->quarantine != NULL)
		dx_pass_quarantine(call->hint, call->quarantine);
	else
		dx_pass(call->owner, call->limits, call->hint, call->hint ? 1 : 0, false,
				call->result);
}

/*
 * Due runs one by one, each in a subtransaction; one that fails alone is an
 * incident.
 */
static void
one_at_a_time(Oid owner, const DxPassLimits *limits, DxPassResult *total)
{
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * limits->max_runs);
	DxPassLimits alone = {1, limits->max_time, false, false};
	DxDueCursor cursor;
	int			n;
	int			i;

	memset(&cursor, 0, sizeof(cursor));
	n = dx_scan_due(owner, &cursor, limits->max_runs, ids, NULL);
	for (i = 0; i < n; i++)
	{
		DxPassResult result;
		GuardedCall call = {owner, &alone, &ids[i], NULL, &result};
		ErrorData  *edata = dx_subtransaction(guarded_body, &call);

		while (edata != NULL &&
			   dx_careful_failed(&ids[i], edata->sqlerrcode, edata->message))
			edata = dx_subtransaction(guarded_body, &call);
		if (edata != NULL)
		{
			call.quarantine = edata->message;
			edata = dx_subtransaction(guarded_body, &call);
			if (edata != NULL)
				ReThrowError(edata);
			/* That was a step forward, too: whoever drains goes on. */
			total->advanced++;
			continue;
		}
		total->claimed += result.claimed;
		total->advanced += result.advanced;
		total->steps += result.steps;
		total->ended += result.ended;
	}
	total->more = n == limits->max_runs;
	pfree(ids);
}

/* See pass_guarded.h. */
void
dx_pass_guarded(Oid owner, const DxPassLimits *limits, const pg_uuid_t *hint,
				DxPassResult *result)
{
	GuardedCall call = {owner, limits, hint, NULL, result};
	ErrorData  *edata = dx_subtransaction(guarded_body, &call);

	if (edata == NULL)
		return;
	ereport(LOG,
			(errmsg("dealix_exec: a pass failed, its runs go one at a time: %s",
					edata->message)));
	memset(result, 0, sizeof(DxPassResult));
	one_at_a_time(owner, limits, result);
}
