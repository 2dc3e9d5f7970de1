/*-------------------------------------------------------------------------
 *
 * binding.c
 *	  Bindings: what a foreign resource URI, an AWS ARN say, stands for here.
 *
 * A binding belongs to the role that made it.  A publish looks for the
 * publisher's own, then for those of roles that it is a member of, then for
 * those of the extension's owner: so nobody can slip a function of his own
 * under another author's workflow.  What was found is stored with the version
 * and never looked up again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "base/extension.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/binding.h"
#include "engine/role.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

static DxStatement find_statement = {
	"SELECT target, author::pg_catalog.oid FROM dealix.binding WHERE uri = $1"
	" ORDER BY author::pg_catalog.text",
	1, {TEXTOID}
};

static DxStatement bind_statement = {
	"INSERT INTO dealix.binding (uri, author, target, created_at)"
	" VALUES ($1, $2, $3, pg_catalog.now())"
	" ON CONFLICT (uri, author) DO UPDATE SET target = excluded.target,"
	" created_at = excluded.created_at",
	3, {TEXTOID, OIDOID, TEXTOID}
};

static DxStatement unbind_statement = {
	"DELETE FROM dealix.binding WHERE uri = $1 AND author = $2",
	2, {TEXTOID, OIDOID}
};

/* How near a binding is to the publisher: smaller is nearer, 0 = not for him. */
static int
distance(Oid author, Oid publisher)
{
	if (author == publisher)
		return 1;
	if (is_member_of_role_nosuper(publisher, author))
		return 2;
	return author == dx_extension_owner() ? 3 : 0;
}

/*
 * The target that this URI is bound to for the current user, or NULL.  Needs
 * SPI_connect.
 */
char *
dx_binding_find(const char *uri)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	Oid			publisher = GetUserId();
	Datum		values[1];
	char	   *target = NULL;
	int			nearest = 0;
	uint64		i;

	values[0] = CStringGetTextDatum(uri);
	dx_query(&find_statement, values, NULL, false, 0);
	MemoryContextSwitchTo(oldcxt);
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Oid			author = DatumGetObjectId(SPI_getbinval(tuple, desc, 2, &isnull));
		int			near = distance(author, publisher);

		CHECK_FOR_INTERRUPTS();
		if (near == 0 || (nearest != 0 && near >= nearest))
			continue;
		nearest = near;
		target = TextDatumGetCString(SPI_getbinval(tuple, desc, 1, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	return target;
}

/*
 * Refuses what is no URI of another system, or no target for one. Errors:
 * 22023.
 */
static void
check_binding(const char *uri, const char *target)
{
	const char *rest;
	bool		wait_for_token;
	bool		no_wait;
	const char *problem;
	DxResourceKind kind = dx_resource_parse(uri, &rest, &wait_for_token, &no_wait);

	if (kind != DX_RESOURCE_OTHER)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" needs no binding", uri),
				 errhint("What is bound is a URI of another system, an ARN of AWS for example.")));
	problem = dx_resource_problem(uri, kind, rest);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" cannot be bound: %s", uri, problem)));

	kind = dx_resource_parse(target, &rest, &wait_for_token, &no_wait);
	problem = kind == DX_RESOURCE_OTHER ? "it is itself no resource of this database" :
		dx_resource_problem(target, kind, rest);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" cannot be bound to \"%s\": %s", uri, target, problem),
				 errhint("A target is sql:schema.function, activity:name, workflow:name or the like.")));
}

/*
 * Binds a URI for the current user; a binding that it has is replaced.  Needs
 * SPI_connect.  Errors: 22023 when one of the two is no such URI.
 */
void
dx_binding_set(const char *uri, const char *target)
{
	Oid			author = GetUserId();
	DxIdentity	saved;
	Datum		values[3];

	check_binding(uri, target);
	dx_engine_enter(&saved);
	values[0] = CStringGetTextDatum(uri);
	values[1] = ObjectIdGetDatum(author);
	values[2] = CStringGetTextDatum(target);
	dx_role_note(author);
	(void) dx_execute(&bind_statement, values, NULL, false, 0);
	dx_engine_leave(&saved);
}

/* Removes the current user's binding.  false: it has none.  Needs SPI_connect. */
bool
dx_binding_remove(const char *uri)
{
	Oid			author = GetUserId();
	DxIdentity	saved;
	Datum		values[2];
	bool		removed;

	dx_engine_enter(&saved);
	values[0] = CStringGetTextDatum(uri);
	values[1] = ObjectIdGetDatum(author);
	(void) dx_execute(&unbind_statement, values, NULL, false, 0);
	removed = SPI_processed > 0;
	dx_engine_leave(&saved);
	return removed;
}

/*
 * Puts what a URI is bound to in the place of a resource.  Whether the Task
 * waits, and for what, is then said by the target: a function that stands for
 * "...waitForTaskToken" gives the answer itself, "sql:...waitForTaskToken" waits.
 */
void
dx_binding_apply(const char *bound, DxResourceKind *kind, const char **target,
				 bool *wait_for_token, bool *no_wait)
{
	*kind = dx_resource_parse(bound, target, wait_for_token, no_wait);
}
