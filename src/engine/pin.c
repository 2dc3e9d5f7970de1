/*-------------------------------------------------------------------------
 *
 * pin.c
 *	  What the names in a version meant when it was published: which functions,
 *	  and whose functions and workflows.
 *
 * A name can be taken over: by an overload that fits better, by a function of
 * another role after the first was dropped, by a workflow that did not exist
 * yet.  So a version carries what its names may mean, and its runs execute
 * nothing else.  What CREATE OR REPLACE does to a function stays its owner's
 * business.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "asl/fault.h"
#include "base/catalog.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/sqlstate.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/model.h"
#include "engine/pin.h"
#include "engine/resolve.h"
#include "engine/trust.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

static DxStatement insert_statement = {
	"INSERT INTO dealix.pin (version_id, kind, target, arguments, owner)"
	" VALUES ($1, $2, $3, $4, $5)",
	5, {INT4OID, INT2OID, TEXTOID, TEXTOID, OIDOID}
};

static DxStatement load_statement = {
	"SELECT kind, target, arguments, owner::pg_catalog.oid FROM dealix.pin"
	" WHERE version_id = $1",
	1, {INT4OID}
};

static DxStatement functions_statement = {
	"SELECT kind, target, arguments, owner::pg_catalog.oid FROM dealix.pin"
	" WHERE version_id = $1 AND kind = " DX_SQL(PIN_FUNCTION) " AND target = $2",
	2, {INT4OID, TEXTOID}
};

static DxStatement child_statement = {
	"SELECT w.author::pg_catalog.oid, p.owner::pg_catalog.oid, o.author::pg_catalog.oid"
	" FROM dealix.workflow w"
	" LEFT JOIN dealix.pin p ON p.version_id = $2 AND p.kind = " DX_SQL(PIN_WORKFLOW) " AND p.target = w.name"
	" LEFT JOIN dealix.workflow o ON o.workflow_id = $3"
	" WHERE w.name = $1 AND EXISTS"
	" (SELECT FROM dealix.version v WHERE v.workflow_id = w.workflow_id)",
	3, {TEXTOID, INT4OID, INT4OID}
};

/* Do they say the same? */
static bool
same_pin(const DxPin *a, const DxPin *b)
{
	return a->kind == b->kind && a->owner == b->owner &&
		strcmp(a->target, b->target) == 0 && strcmp(a->arguments, b->arguments) == 0;
}

/* Is there a pin like this one in the list? */
static bool
is_in(const List *pins, const DxPin *pin)
{
	ListCell   *lc;

	foreach(lc, pins)
	{
		if (same_pin(lfirst(lc), pin))
			return true;
	}
	return false;
}

/* Adds a pin to a list in the current context, once. */
List *
dx_pin_add(List *pins, DxPinKind kind, const char *target, const char *arguments,
		   Oid owner)
{
	DxPin		pin = {kind, unconstify(char *, target), unconstify(char *, arguments), owner};
	DxPin	   *copy;

	if (is_in(pins, &pin))
		return pins;
	copy = palloc(sizeof(DxPin));
	*copy = pin;
	copy->target = pstrdup(target);
	copy->arguments = pstrdup(arguments);
	return lappend(pins, copy);
}

/* Do both have the same pins, in whatever order? */
bool
dx_pins_equal(const List *a, const List *b)
{
	ListCell   *lc;

	if (list_length(a) != list_length(b))
		return false;
	foreach(lc, a)
	{
		if (!is_in(b, lfirst(lc)))
			return false;
	}
	return true;
}

/* Stores the pins of a new version.  Needs dx_engine_enter. */
void
dx_pins_store(int32 version_id, const List *pins)
{
	ListCell   *lc;

	Assert(version_id > 0);
	foreach(lc, pins)
	{
		const DxPin *pin = lfirst(lc);
		Datum		values[5];

		values[0] = Int32GetDatum(version_id);
		values[1] = Int16GetDatum(pin->kind);
		values[2] = CStringGetTextDatum(pin->target);
		values[3] = CStringGetTextDatum(pin->arguments);
		values[4] = ObjectIdGetDatum(pin->owner);
		(void) dx_execute(&insert_statement, values, NULL, false, 0);
	}
}

/* The rows that a statement has returned, in cxt. */
static List *
read_pins(MemoryContext cxt)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(cxt);
	List	   *pins = NIL;
	uint64		i;

	for (i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		DxPin	   *pin = palloc(sizeof(DxPin));

		pin->kind = dx_get_int2(&row);
		pin->target = dx_get_text(&row);
		pin->arguments = dx_get_text(&row);
		pin->owner = DatumGetObjectId(dx_get(&row));
		pins = lappend(pins, pin);
	}
	SPI_freetuptable(SPI_tuptable);
	MemoryContextSwitchTo(oldcxt);
	return pins;
}

/* All pins of a version.  Needs SPI_connect and dx_engine_enter. */
List *
dx_pins_load(int32 version_id)
{
	MemoryContext cxt = CurrentMemoryContext;
	Datum		values[1];

	Assert(version_id > 0);
	values[0] = Int32GetDatum(version_id);
	(void) dx_execute(&load_statement, values, NULL, false, 0);
	return read_pins(cxt);
}

/* What a sql: target of a version may mean; NIL: anything.  Needs SPI_connect. */
List *
dx_pins_of_function(int32 version_id, const char *target)
{
	MemoryContext cxt = CurrentMemoryContext;
	DxIdentity	saved;
	Datum		values[2];
	List	   *pins;

	dx_engine_enter(&saved);
	values[0] = Int32GetDatum(version_id);
	values[1] = CStringGetTextDatum(target);
	(void) dx_execute(&functions_statement, values, NULL, false, 0);
	pins = read_pins(cxt);
	dx_engine_leave(&saved);
	return pins;
}

/* InvalidOid: there is no such function. */
Oid
dx_function_owner(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

/*
 * Is a resolved function still in the hands that the version was published
 * with, or in hands that the run's owner trusts?  false: fault says why not.
 */
bool
dx_pin_owner_holds(const List *pins, const DxCallee *callee, Oid run_owner,
				   DxFault *fault)
{
	Oid			owner = dx_function_owner(callee->function);
	Oid			pinned = InvalidOid;
	ListCell   *lc;

	foreach(lc, pins)
	{
		const DxPin *pin = lfirst(lc);

		if (strcmp(pin->arguments, callee->signature) != 0)
			continue;
		pinned = pin->owner;
		if (pin->owner == owner)
			return true;
	}
	if (!OidIsValid(pinned) || dx_trusts(run_owner, owner))
		return true;
	fault->error = psprintf("SQL.%s", dx_sqlstate_name(ERRCODE_INSUFFICIENT_PRIVILEGE));
	fault->cause = psprintf("Function %s.%s(%s) belongs to role %s, and did to role %s when the version was published; role %s does not trust the new one. Publish a new version, or call dealix.trust_author() as %s.",
							callee->schema, callee->name, callee->signature,
							dx_role_text(owner), dx_role_text(pinned),
							dx_role_text(run_owner), dx_role_text(run_owner));
	return false;
}

/* Whose workflow this is; InvalidOid: there is none.  Needs SPI_connect. */
Oid
dx_workflow_author(const char *workflow)
{
	DxIdentity	saved;
	Datum		values[3];
	Oid			author = InvalidOid;
	bool		isnull;

	dx_engine_enter(&saved);
	values[0] = CStringGetTextDatum(workflow);
	values[1] = values[2] = Int32GetDatum(0);
	(void) dx_execute(&child_statement, values, NULL, false, 1);
	if (SPI_processed > 0)
		author = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0],
												SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	dx_engine_leave(&saved);
	return author;
}

/* The fault of a state whose run cannot be started. Returns false. */
static bool
refuse_child(DxFault *fault, const char *error, char *cause)
{
	fault->error = pstrdup(error);
	fault->cause = cause;
	return false;
}

/*
 * May a run start a run of this workflow?  It has to exist, to belong to whom
 * it belonged to when the run's version was published (or, if it did not exist
 * then, to somebody whom the author of the run's workflow trusts), and the
 * run's owner has to trust that role.  false: fault says why not.  Needs
 * SPI_connect.
 */
bool
dx_child_allowed(const DxRun *run, const char *workflow, DxFault *fault)
{
	MemoryContext cxt = CurrentMemoryContext;
	DxIdentity	saved;
	Datum		values[3];
	Oid			owners[3] = {InvalidOid};
	bool		isnull;
	int			i;

	dx_engine_enter(&saved);
	values[0] = CStringGetTextDatum(workflow);
	values[1] = Int32GetDatum(run->version_id);
	values[2] = Int32GetDatum(run->workflow_id);
	(void) dx_execute(&child_statement, values, NULL, false, 1);
	for (i = 0; i < 3 && SPI_processed > 0; i++)
		owners[i] = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0],
												   SPI_tuptable->tupdesc, i + 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	dx_engine_leave(&saved);
	MemoryContextSwitchTo(cxt);

	if (!OidIsValid(owners[0]))
		return refuse_child(fault, DX_ERROR_NO_WORKFLOW,
							psprintf("There is no workflow \"%s\".", workflow));
	if (OidIsValid(owners[1]) ? owners[1] != owners[0] :
		OidIsValid(owners[2]) && !dx_trusts(owners[2], owners[0]))
		return refuse_child(fault, DX_ERROR_PERMISSIONS,
							OidIsValid(owners[1]) ?
							psprintf("Workflow \"%s\" belongs to role %s, and did to role %s when version %d of \"%s\" was published. Publish a new version of \"%s\".",
									 workflow, dx_role_text(owners[0]), dx_role_text(owners[1]),
									 run->version, run->workflow, run->workflow) :
							psprintf("Workflow \"%s\" did not exist when version %d of \"%s\" was published, and now belongs to role %s, which the author of \"%s\" does not trust. Publish a new version of \"%s\".",
									 workflow, run->version, run->workflow, dx_role_text(owners[0]),
									 run->workflow, run->workflow));
	if (!dx_trusts(run->owner, owners[0]))
		return refuse_child(fault, DX_ERROR_PERMISSIONS,
							psprintf("Role %s, the owner of the run, does not trust role %s, whose workflow \"%s\" is; dealix.trust_author() says that it does.",
									 dx_role_text(run->owner), dx_role_text(owners[0]), workflow));
	return true;
}
