/*-------------------------------------------------------------------------
 *
 * kill.c
 *	  Ends processes that have a run in hand, at the commit of who wants that:
 *	  the run must know by then that it is not to begin again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "base/kill.h"
#include "base/poison.h"
#include "nodes/pg_list.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

typedef struct Victim
{
	int			pid;
	TransactionId xid;			/* that has locked the run */
	pg_uuid_t	run_id;
} Victim;

/* In TopTransactionContext. */
static List *victims = NIL;

/* Still in the same transaction?  Then it is still the one. */
static void
end_process(const Victim *victim)
{
	if (!TransactionIdIsInProgress(victim->xid))
		return;
	dx_poison_excuse(&victim->run_id);
	(void) kill(victim->pid, SIGTERM);
}

/* Victims are ended only once it is committed that they are to be. */
static void
at_end(XactEvent event, void *arg)
{
	ListCell   *lc;

	if (victims == NIL || event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		return;
	if (event == XACT_EVENT_COMMIT)
	{
		foreach(lc, victims)
			end_process(lfirst(lc));
	}
	victims = NIL;
}

/*
 * dx_kill_at_commit
 *		Ends this process when our transaction has committed, if it still is
 *		in the transaction xid (of its own or of a subtransaction) then.
 */
void
dx_kill_at_commit(int pid, TransactionId xid, const pg_uuid_t *run_id)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(TopTransactionContext);
	Victim	   *victim = palloc(sizeof(Victim));

	victim->pid = pid;
	victim->xid = xid;
	victim->run_id = *run_id;
	victims = lappend(victims, victim);
	MemoryContextSwitchTo(oldcxt);
}

/*
 * dx_kill_init
 *		From _PG_init.
 */
void
dx_kill_init(void)
{
	RegisterXactCallback(at_end, NULL);
}
