/*-------------------------------------------------------------------------
 *
 * session_watch.c
 *	  Sees what code of the user's does to its session and no catalog tells:
 *	  hooks that look only while such code runs.
 *
 * Statements are seen by the ProcessUtility hook, functions by the one for
 * object access, which the executor calls when it sets a call up.  That may
 * be without calling it in the end; then a pass ends early, and that is all.
 *
 * As in a session of its own, code finds no prepared statements but those it
 * has made, and no channels to stop listening to.  LISTEN is refused: nobody
 * would ever get what comes, and a worker cannot at all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "base/session_watch.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/prepare.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

bool		dx_session_watched = false;
int			dx_session_marks = 0;

static ProcessUtility_hook_type prev_ProcessUtility = NULL;
static object_access_hook_type prev_object_access = NULL;

/* ---------- prepared statements ---------- */

/* What the code has prepared: char * in TopMemoryContext. */
static List *prepared = NIL;

/* Is it a statement that the step itself has prepared? */
static bool
is_prepared(const char *name)
{
	ListCell   *lc;

	foreach(lc, prepared)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/*
 * Remembers a prepared statement, so that it can be removed after the step.
 */
static void
note_prepared(const char *name)
{
	MemoryContext oldcxt;

	if (is_prepared(name))
		return;
	oldcxt = MemoryContextSwitchTo(TopMemoryContext);
	prepared = lappend(prepared, pstrdup(name));
	MemoryContextSwitchTo(oldcxt);
}

/* A statement that the session's client has prepared is none of the code's. */
static void
require_prepared(const char *name)
{
	if (!is_prepared(name))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_PSTATEMENT),
				 errmsg("prepared statement \"%s\" does not exist", name),
				 errdetail("A step finds only what it has prepared itself.")));
}

/*
 * dx_session_forget_prepared
 *		Drops what the code has prepared.
 */
void
dx_session_forget_prepared(void)
{
	ListCell   *lc;

	if (prepared == NIL)
		return;
	foreach(lc, prepared)
		DropPreparedStatement(lfirst(lc), false);
	list_free_deep(prepared);
	prepared = NIL;
}

/* ---------- statements ---------- */

/*
 * Before a statement.  true: that was it.  Errors: 0A000 for what cannot be had,
 * 26000 for a prepared statement that is somebody else's.
 */
static bool
before_statement(Node *statement)
{
	const char *name;

	switch (nodeTag(statement))
	{
		case T_ListenStmt:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("LISTEN cannot be executed in a step"),
					 errdetail("The step's session ends with it, and nobody would get what comes."),
					 errhint("Wait with a state that has a signal: or event: resource.")));
			return true;
		case T_UnlistenStmt:
			return true;
		case T_ExecuteStmt:
			require_prepared(((ExecuteStmt *) statement)->name);
			return false;
		case T_DeallocateStmt:
			name = ((DeallocateStmt *) statement)->name;
			if (name != NULL)
				require_prepared(name);
			else
				dx_session_forget_prepared();
			return name == NULL;
		case T_ConstraintsSetStmt:
			dx_session_left(DX_LEFT_CONSTRAINTS);
			return false;
		case T_LoadStmt:
			dx_session_left(DX_LEFT_PROCESS);
			return false;
		default:
			return false;
	}
}

/*
 * The hook: while a step is watched, looks at each utility statement before
 * and after it.
 */
static void
process_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *queryEnv, DestReceiver *dest,
				QueryCompletion *qc)
{
	bool		watched = dx_session_watched;
	const char *name = NULL;

	if (watched && before_statement(pstmt->utilityStmt))
		return;
	/* The statement's tree may be gone when it is done. */
	if (watched && IsA(pstmt->utilityStmt, PrepareStmt))
		name = pstrdup(((PrepareStmt *) pstmt->utilityStmt)->name);

	if (prev_ProcessUtility)
		prev_ProcessUtility(pstmt, queryString, readOnlyTree, context, params,
							queryEnv, dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context,
								params, queryEnv, dest, qc);
	if (name != NULL)
		note_prepared(name);
}

/* ---------- functions ---------- */

/* Functions that were looked at and found harmless, by the end of their OID. */
#define SEEN	256
static Oid	harmless[SEEN];
static bool registered = false;

/* A function may have been replaced: all are looked at again. */
static void
forget_harmless(Datum arg, int cacheid, uint32 hashvalue)
{
	memset(harmless, 0, sizeof(harmless));
}

/* Is it one of dblink's that open a connection which stays? */
static bool
connects(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	bool		result = false;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	if (form->prolang == ClanguageId)
	{
		Datum		symbol = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);

		result = !isnull &&
			strcmp(TextDatumGetCString(symbol), "dblink_connect") == 0;
	}
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Does a function that is not the server's own leave a connection behind?
 * Asked once for each.
 */
static void
user_function(Oid function)
{
	if (harmless[function % SEEN] == function)
		return;
	if (!registered)
	{
		CacheRegisterSyscacheCallback(PROCOID, forget_harmless, (Datum) 0);
		registered = true;
	}
	if (connects(function))
		dx_session_left(DX_LEFT_PROCESS);
	else
		harmless[function % SEEN] = function;
}

/*
 * Functions of the server that leave something in the session which the end
 * of the transaction does not take away.
 */
static void
before_function(Oid function)
{
	switch (function)
	{
		case F_PG_ADVISORY_LOCK_INT8:
		case F_PG_ADVISORY_LOCK_SHARED_INT8:
		case F_PG_TRY_ADVISORY_LOCK_INT8:
		case F_PG_TRY_ADVISORY_LOCK_SHARED_INT8:
		case F_PG_ADVISORY_LOCK_INT4_INT4:
		case F_PG_ADVISORY_LOCK_SHARED_INT4_INT4:
		case F_PG_TRY_ADVISORY_LOCK_INT4_INT4:
		case F_PG_TRY_ADVISORY_LOCK_SHARED_INT4_INT4:
			dx_session_left(DX_LEFT_LOCK);
			break;
		case F_LO_OPEN:
			dx_session_left(DX_LEFT_OBJECT);
			break;
		case F_PG_REPLICATION_ORIGIN_SESSION_SETUP:
		case F_PG_CREATE_PHYSICAL_REPLICATION_SLOT:
		case F_PG_CREATE_LOGICAL_REPLICATION_SLOT:
		case F_PG_COPY_PHYSICAL_REPLICATION_SLOT_NAME_NAME_BOOL:
		case F_PG_COPY_LOGICAL_REPLICATION_SLOT_NAME_NAME_BOOL:
		case F_PG_COPY_LOGICAL_REPLICATION_SLOT_NAME_NAME_BOOL_NAME:
		case F_PG_BACKUP_START:
			dx_session_left(DX_LEFT_PROCESS);
			break;
		default:
			if (function >= FirstNormalObjectId)
				user_function(function);
	}
}

/*
 * A temporary object may stand in front of another one that saved plans use.
 * The server does not look for that: in a new session there are no such plans.
 */
static void
after_create(Oid class)
{
	if ((class == RelationRelationId || class == TypeRelationId) &&
		(MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE) != 0)
		ResetPlanCache();
}

/* The hook: what a watched step calls and creates. */
static void
object_access(ObjectAccessType access, Oid classId, Oid objectId, int subId,
			  void *arg)
{
	if (prev_object_access)
		prev_object_access(access, classId, objectId, subId, arg);
	if (!dx_session_watched)
		return;
	if (access == OAT_FUNCTION_EXECUTE)
		before_function(objectId);
	else if (access == OAT_POST_CREATE)
		after_create(classId);
}

/*
 * dx_session_watch_init
 *		Installs the hooks, in every process that has the library.
 */
void
dx_session_watch_init(void)
{
	prev_ProcessUtility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	prev_object_access = object_access_hook;
	object_access_hook = object_access;
}

/*
 * dx_session_left
 *		The code that runs leaves something behind, DX_LEFT_*; DX_LEFT_LOCK: it
 *		may, and is to be looked at.
 */
void
dx_session_left(int what)
{
	dx_session_marks |= what;
}
