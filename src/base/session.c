/*-------------------------------------------------------------------------
 *
 * session.c
 *	  Takes away what code of the user's leaves behind in its session, so that
 *	  the next step finds one as good as new.
 *
 * All steps of a pass share a transaction, and all runs of a worker a session.
 * By where things live, they go
 *
 *	- at once, at the end of the code, within its subtransaction: temporary
 *	  objects and cursors, those WITH HOLD as well (they would be read at
 *	  commit, when nobody guards them);
 *	- at once, after the subtransaction, because it does not govern them:
 *	  prepared statements, what nextval() and setseed() have noted;
 *	- with the transaction: SET CONSTRAINTS, open large objects, and session
 *	  locks, which must hold until what was done under them can be seen;
 *	- with the process: libraries, connections of dblink, and the like.
 *
 * After the last two, and after temporary objects, whose locks stay, the pass
 * has to end: dx_session_leave() says so.  Settings are guard.c's.  Finding
 * that there is nothing costs two comparisons; session_watch.c sees the rest.
 *
 * In a session of a client (tick, drain) what was there before is the
 * client's, and stays: its temporary objects, cursors, prepared statements and
 * locks.  Steps of several ticks in one transaction share what only its end
 * takes away.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/server.h"
#include "base/session.h"
#include "base/session_watch.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_namespace.h"
#include "commands/sequence.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"

/* More locks than that are not told apart from the client's, and released. */
#define MAX_LOCKS	256

static bool worn_out = false;

static ObjectAddresses *lent_objects = NULL;	/* temporary, the client's */
static DxHeldLock lent[MAX_LOCKS];	/* held by the client before */
static int	nlent = 0;
static DxHeldLock kept[MAX_LOCKS];	/* by steps, to be released */
static int	nkept = 0;

/* ---------- cursors ---------- */

/*
 * The memory context whose children are the portals of the session.  There is
 * no other way to walk over all of them, or to see in no time that there is
 * none.
 */
static MemoryContext
portals(void)
{
	static MemoryContext found = NULL;
	MemoryContext cxt;

	if (found != NULL)
		return found;
	for (cxt = TopMemoryContext->firstchild; cxt != NULL; cxt = cxt->nextchild)
	{
		if (strcmp(cxt->name, "TopPortalContext") == 0)
			found = cxt;
	}
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("the portals of this session are not where they are expected")));
	return found;
}

/* A portal that was made in this subtransaction or later, or NULL. */
static Portal
portal_since(SubTransactionId since)
{
	MemoryContext cxt;

	for (cxt = portals()->firstchild; cxt != NULL; cxt = cxt->nextchild)
	{
		Portal		portal;

		if (strcmp(cxt->name, "PortalContext") != 0 || cxt->ident == NULL)
			continue;
		portal = GetPortalByName(cxt->ident);
		if (portal != NULL && portal->portalContext == cxt &&
			portal->createSubid >= since && portal->status != PORTAL_ACTIVE)
			return portal;
	}
	return NULL;
}

/* Closes what the step has opened and left open, pinned ones too. */
static void
close_cursors(SubTransactionId since)
{
	Portal		portal;

	while ((portal = portal_since(since)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (portal->portalPinned)
			UnpinPortal(portal);
		PortalDrop(portal, false);
	}
}

/* ---------- temporary objects ---------- */

/* What is in the session's temporary schema and not in known; NULL: nothing. */
static ObjectAddresses *
temporary_but(const ObjectAddresses *known)
{
	Oid			schema;
	Oid			toast_schema;
	Relation	catalog;
	SysScanDesc scan;
	ScanKeyData keys[2];
	HeapTuple	tuple;
	ObjectAddresses *found = NULL;

	GetTempNamespaceState(&schema, &toast_schema);
	if (!OidIsValid(schema))
		return NULL;
	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(NamespaceRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(schema));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress object;

		CHECK_FOR_INTERRUPTS();
		ObjectAddressSet(object, depend->classid, depend->objid);
		if (known != NULL && object_address_present(&object, known))
			continue;
		if (found == NULL)
			found = new_object_addresses();
		add_exact_object_address(&object, found);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* Drops what the code has put into pg_temp. */
static void
drop_temporary(void)
{
	ObjectAddresses *objects;

	if ((MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE) == 0)
		return;
	objects = temporary_but(lent_objects);
	if (objects == NULL)
		return;
	/* As the server does at the end of a session. */
	performMultipleDeletions(objects, DROP_CASCADE,
							 PERFORM_DELETION_INTERNAL | PERFORM_DELETION_QUIETLY |
							 PERFORM_DELETION_SKIP_EXTENSIONS);
	free_object_addresses(objects);
	CommandCounterIncrement();
	dx_session_marks |= DX_LEFT_TEMPORARY;
}

/* ---------- advisory locks ---------- */

/* Did the session have this lock before the step? */
static bool
is_lent(const DxHeldLock *lock)
{
	for (int i = 0; i < nlent; i++)
	{
		if (memcmp(&lent[i].tag, &lock->tag, sizeof(LOCKTAG)) == 0)
			return true;
	}
	return false;
}

/* Notes the locks that steps have taken and may have kept. */
static void
note_locks(void)
{
	DxHeldLock	locks[MAX_LOCKS];
	int			n = dx_advisory_locks(locks, MAX_LOCKS);

	nkept = 0;
	for (int i = 0; i < n; i++)
	{
		if (!is_lent(&locks[i]))
			kept[nkept++] = locks[i];
	}
	if (nkept > 0)
		dx_session_marks |= DX_LEFT_LOCK;
}

/* Releases what the session holds of a lock; what it does not hold is no matter. */
static void
release_lock(const DxHeldLock *lock)
{
	for (LOCKMODE mode = 1; mode <= MaxLockMode; mode++)
	{
		if (lock->modes & LOCKBIT_ON(mode))
		{
			while (LockRelease(&lock->tag, mode, true))
				;
		}
	}
}

/*
 * The transaction has ended.  The server warns about a lock that is not the
 * session's but the transaction's: that is none of anybody's business.
 */
static void
release_locks(XactEvent event, void *arg)
{
	int			client = client_min_messages;
	int			server = log_min_messages;

	if (nkept == 0 ||
		(event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		 event != XACT_EVENT_PREPARE))
		return;
	client_min_messages = ERROR;
	log_min_messages = ERROR;
	for (int i = 0; i < nkept; i++)
		release_lock(&kept[i]);
	nkept = 0;
	client_min_messages = client;
	log_min_messages = server;
}

/* ---------- the frame ---------- */

/*
 * dx_session_lend
 *		Before a pass in a session that is a client's: notes what is there.
 *		Needs a memory context that lives as long as the pass.
 */
void
dx_session_lend(void)
{
	lent_objects = temporary_but(NULL);
	nlent = dx_advisory_locks(lent, MAX_LOCKS);
	ResetSequenceCaches();
}

/*
 * dx_session_enter
 *		Code of the user's is about to run.
 */
void
dx_session_enter(void)
{
	dx_session_marks = 0;
	dx_session_watched = true;
}

/*
 * dx_session_close
 *		At the end of code that has not failed, as the last thing in its
 *		subtransaction: closes the cursors made since this subtransaction;
 *		whole: drops temporary objects, too.
 */
void
dx_session_close(SubTransactionId since, bool whole)
{
	if (portals()->firstchild != NULL)
		close_cursors(since);
	if (whole)
		drop_temporary();
}

/*
 * dx_session_leave
 *		After the code and its subtransaction, whether it has failed or not.
 *		Returns what is left until the transaction ends (DX_LEFT_*): then
 *		nobody else's code may run before that.
 */
int
dx_session_leave(void)
{
	float8		seed;

	dx_session_watched = false;
	dx_session_forget_prepared();
	ResetSequenceCaches();
	if (dx_in_background())
	{
		/* So that the steps that follow are not looked at; nobody prepares. */
		MyXactFlags &= ~XACT_FLAGS_ACCESSEDTEMPNAMESPACE;
		seed = 2 * pg_prng_double(&pg_global_prng_state) - 1;
		(void) DirectFunctionCall1(setseed, Float8GetDatum(seed));
	}
	if (dx_session_marks & DX_LEFT_LOCK)
	{
		dx_session_marks &= ~DX_LEFT_LOCK;
		note_locks();
	}
	if (dx_session_marks & DX_LEFT_PROCESS)
		worn_out = true;
	return dx_session_marks;
}

/*
 * dx_session_worn_out
 *		Does this process have to end, because of what it cannot get rid of?
 */
bool
dx_session_worn_out(void)
{
	return worn_out;
}

/*
 * dx_session_init
 *		From _PG_init.
 */
void
dx_session_init(void)
{
	RegisterXactCallback(release_locks, NULL);
	dx_session_watch_init();
}
