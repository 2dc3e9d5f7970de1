/*-------------------------------------------------------------------------
 *
 * hooks.c
 *	  Statements that our processes would be in the way of.
 *
 * DROP DATABASE, ALTER DATABASE ... RENAME or SET TABLESPACE and CREATE
 * DATABASE ... TEMPLATE want the database to be free of sessions; DROP
 * EXTENSION wants the passes to be over.  If the caller may do it at all, our
 * processes in that database are ended first and kept away until the
 * transaction ends; then the launcher starts them again unless the database or
 * the extension has gone.  What a worker was doing rolls back and is done
 * again later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "base/compat.h"
#include "base/extension.h"
#include "base/registry.h"
#include "base/wake.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/syscache.h"
#include "worker/hooks.h"
#include "worker/process.h"

/* How long a statement waits for our processes before it takes its chance. */
#define RETIRE_TIMEOUT_MS	10000

static ProcessUtility_hook_type prev_ProcessUtility = NULL;
static object_access_hook_type prev_object_access = NULL;

/* The option of a statement that has this name, or NULL. */
static const DefElem *
find_option(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		const DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0)
			return option;
	}
	return NULL;
}

/* What CREATE DATABASE asks, too. */
static bool
may_create_databases(void)
{
	HeapTuple	tuple;
	bool		result = superuser();

	if (result)
		return true;
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
		ReleaseSysCache(tuple);
	}
	return result;
}

/*
 * The database that the statement wants for itself, or NULL.  createdb: the
 * caller needs the right to create databases, too.
 */
static const char *
wanted_database(Node *statement, bool *createdb)
{
	const DefElem *option;

	*createdb = false;
	switch (nodeTag(statement))
	{
		case T_DropdbStmt:
			return ((DropdbStmt *) statement)->dbname;
		case T_RenameStmt:
			*createdb = true;
			if (((RenameStmt *) statement)->renameType != OBJECT_DATABASE)
				return NULL;
			return ((RenameStmt *) statement)->subname;
		case T_AlterDatabaseStmt:
			if (find_option(((AlterDatabaseStmt *) statement)->options,
							"tablespace") == NULL)
				return NULL;
			return ((AlterDatabaseStmt *) statement)->dbname;
		case T_CreatedbStmt:
			*createdb = true;
			option = find_option(((CreatedbStmt *) statement)->options, "template");
			if (option == NULL || option->arg == NULL)
				return NULL;
			return defGetString((DefElem *) option);
		default:
			return NULL;
	}
}

/* Does the server itself refuse the statement inside of a transaction block? */
static bool
needs_top_level(Node *statement)
{
	return !IsA(statement, RenameStmt);
}

/*
 * Ends our processes in a database and keeps others from starting while the
 * statement runs.
 */
static void
retire(Oid dboid)
{
	if (!dx_database_retire(dboid, RETIRE_TIMEOUT_MS))
		ereport(LOG,
				(errmsg("dealix_exec processes in the database with OID %u did not end within %d seconds",
						dboid, RETIRE_TIMEOUT_MS / 1000)));
}

/* Makes room for a statement about a database, if the caller may do it. */
static void
make_room(Node *statement, ProcessUtilityContext context)
{
	bool		createdb;
	const char *name = wanted_database(statement, &createdb);
	Oid			dboid;

	if (name == NULL)
		return;
	if (needs_top_level(statement) &&
		(context != PROCESS_UTILITY_TOPLEVEL || IsTransactionBlock()))
		return;
	dboid = get_database_oid(name, true);
	if (!OidIsValid(dboid) || !dx_owns_database(dboid))
		return;
	if (createdb && !may_create_databases())
		return;

	/* All but being copied is refused for the database that we are in. */
	if (dboid == MyDatabaseId && !IsA(statement, CreatedbStmt))
		return;
	retire(dboid);
}

/* DROP EXTENSION dealix_exec: a step may take hours, the drop must not. */
static void
make_room_for_drop(DropStmt *statement)
{
	ListCell   *cell;

	if (statement->removeType != OBJECT_EXTENSION)
		return;
	foreach(cell, statement->objects)
	{
		Oid			oid;

		if (strcmp(strVal(lfirst(cell)), DX_EXTENSION) != 0)
			continue;
		oid = dx_extension_oid();
		if (OidIsValid(oid) && dx_owns_extension(oid))
			retire(MyDatabaseId);
	}
}

/* Is it COMMIT PREPARED, by which work can come that nobody has noted? */
static bool
is_commit_prepared(Node *statement)
{
	return IsA(statement, TransactionStmt) &&
		((TransactionStmt *) statement)->kind == TRANS_STMT_COMMIT_PREPARED;
}

/* May the launcher have to look at pg_database afterwards? */
static bool
changes_databases(Node *statement)
{
	return IsA(statement, CreatedbStmt) || IsA(statement, DropdbStmt) ||
		IsA(statement, AlterDatabaseStmt) ||
		(IsA(statement, RenameStmt) &&
		 ((RenameStmt *) statement)->renameType == OBJECT_DATABASE);
}

/*
 * What a transaction had noted when it was prepared is forgotten: so after
 * COMMIT PREPARED the dispatcher sweeps.
 */
static void
announce(bool databases, bool prepared)
{
	if (databases)
		dx_wake_launcher();
	if (prepared)
		dx_wake_prepared();
}

/*
 * The hook: before statements that need a database without sessions, and
 * after those that others have to hear of.
 */
static void
process_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *queryEnv, DestReceiver *dest,
				QueryCompletion *qc)
{
	Node	   *statement = pstmt->utilityStmt;

	/* Read before it is executed: that may free the statement. */
	bool		databases = changes_databases(statement);
	bool		prepared = is_commit_prepared(statement);

	/* A step that does such things must not end the worker that it runs in. */
	if (dx_process_kind == DX_PROCESS_NONE && IsTransactionState() &&
		!RecoveryInProgress())
	{
		make_room(statement, context);
		if (IsA(statement, DropStmt))
			make_room_for_drop((DropStmt *) statement);
	}

	if (prev_ProcessUtility)
		prev_ProcessUtility(pstmt, queryString, readOnlyTree, context, params,
							queryEnv, dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context,
								params, queryEnv, dest, qc);

	announce(databases, prepared);
}

/*
 * However the extension is dropped or updated: its processes see for
 * themselves.  A new owner comes by here, too, which does no harm.
 */
static void
object_access(ObjectAccessType access, Oid classId, Oid objectId, int subId,
			  void *arg)
{
	if (prev_object_access)
		prev_object_access(access, classId, objectId, subId, arg);

	if (classId != ExtensionRelationId ||
		(access != OAT_DROP && access != OAT_POST_ALTER) ||
		objectId != dx_extension_oid())
		return;
	if (access == OAT_POST_ALTER)
		dx_extension_changed();
	dx_wake_extension();
}

/*
 * dx_hooks_init
 *		Installs the hooks.  From _PG_init while the server preloads.
 */
void
dx_hooks_init(void)
{
	prev_ProcessUtility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	prev_object_access = object_access_hook;
	object_access_hook = object_access;
}
