/*-------------------------------------------------------------------------
 *
 * commit_by.c
 *	  What counts only if the transaction that has done it commits in time.
 *
 * Whoever decides something by a time checks the clock when he does it; but
 * his transaction may stay open for as long as he likes.  So the clock is
 * looked at once more when the transaction is about to commit, under a lock
 * that it holds until it has committed.  Who acts on the end of the time asks
 * dx_commit_by_closed(): once that lock was to be had, nobody is on the way who
 * has passed the check, and whoever comes later fails it.  So it never has to
 * wait for a transaction that somebody leaves open.
 *
 * The lock is one for the database, of a kind of its own among the advisory
 * locks, and is held for the length of a commit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/commit_by.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* pg_advisory_lock() has 1 and 2. */
#define LOCK_KIND	0xDE

typedef struct Promise
{
	TimestampTz until;			/* DT_NOEND: any time */
	SubTransactionId subid;
	pg_uuid_t	id;				/* of what was decided */
} Promise;

static struct
{
	Promise    *all;
	int			n;
	int			max;
	bool		registered;
	DxTooLate	too_late;
}			promises;

/* The advisory lock of this database that promises are held under. */
static void
lock_tag(LOCKTAG *tag)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, 0, 0, LOCK_KIND);
}

/* About to commit: is all that was decided in time? */
static void
check_promises(void)
{
	TimestampTz now;
	LOCKTAG		tag;

	lock_tag(&tag);
	(void) LockAcquire(&tag, ShareLock, false, false);
	now = dx_now();
	for (int i = 0; i < promises.n; i++)
	{
		if (promises.all[i].until <= now)
			promises.too_late(&promises.all[i].id, false);
	}
}

/*
 * What was promised is looked at before the commit, and forgotten after the
 * end.
 */
static void
at_transaction_end(XactEvent event, void *arg)
{
	if (promises.n == 0)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			check_promises();
			break;
		case XACT_EVENT_PRE_PREPARE:
			/* Nobody would look at the clock at COMMIT PREPARED. */
			promises.too_late(&promises.all[0].id, true);
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			promises.n = 0;
			break;
		default:
			break;
	}
}

/* As in wake.c: what an aborted subtransaction has noted comes last. */
static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mySubid,
					  SubTransactionId parentSubid, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (promises.n > 0 && promises.all[promises.n - 1].subid >= mySubid)
		promises.n--;
}

/*
 * This transaction has decided about id, and has to commit before until.
 * too_late raises the error otherwise; the same one for all callers.
 */
void
dx_commit_by(const pg_uuid_t *id, TimestampTz until, DxTooLate too_late)
{
	Assert(IsTransactionState());
	if (!promises.registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		RegisterSubXactCallback(at_subtransaction_end, NULL);
		promises.registered = true;
	}
	if (promises.n == promises.max)
	{
		int			max = Max(64, promises.max * 2);

		if (promises.all == NULL)
			promises.all = MemoryContextAlloc(TopMemoryContext, max * sizeof(Promise));
		else
			promises.all = repalloc_huge(promises.all, (Size) max * sizeof(Promise));
		promises.max = max;
	}
	promises.all[promises.n].until = until;
	promises.all[promises.n].subid = GetCurrentSubTransactionId();
	promises.all[promises.n].id = *id;
	promises.n++;
	promises.too_late = too_late;
}

/*
 * Is nobody about to commit what had to be in time?  To be asked when the time
 * is over: true means that whatever is not committed by now never will be.
 */
bool
dx_commit_by_closed(void)
{
	LOCKTAG		tag;

	lock_tag(&tag);
	if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	LockRelease(&tag, ExclusiveLock, false);
	return true;
}
