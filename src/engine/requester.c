/*-------------------------------------------------------------------------
 *
 * requester.c
 *	  In whose name a run is: everybody who has asked for it, along the line.
 *
 * Who asks must not decide.  Whoever starts a run asks for it; and a run that
 * comes from another run (a child, a start in a step, what a schedule starts
 * that a step has made) is asked for by all who have asked for that one, and
 * by its owner.  A line is a list of roles, the first of which asked first.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/guard.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/requester.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/array.h"

/* Everybody who has asked for the run, its owner included. */
List *
dx_requesters_of(const DxRun *run)
{
	List	   *line = list_make1_oid(OidIsValid(run->requester) ?
									  run->requester : run->owner);

	line = list_concat_unique_oid(line, run->requesters);
	return list_append_unique_oid(line, run->owner);
}

/* Who asks for what this session is about to ask for. */
List *
dx_requesters_now(void)
{
	const DxRun *run = dx_run_in_step();
	List	   *line = run != NULL ? dx_requesters_of(run) : NIL;

	return list_append_unique_oid(line, GetSessionUserId());
}

/* The present session asks for what the run does from now on, too. */
void
dx_requester_add(DxPass *pass, DxRun *run)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	ListCell   *lc;

	foreach(lc, dx_requesters_now())
	{
		Oid			role = lfirst_oid(lc);

		if (role == run->owner || role == run->requester)
			continue;
		run->requesters = list_append_unique_oid(run->requesters, role);
	}
	run->changed = true;
	MemoryContextSwitchTo(oldcxt);
}

/* A line without some of its members (InvalidOid: without nobody). */
List *
dx_requesters_but(const List *line, Oid one, Oid other)
{
	List	   *rest = NIL;
	ListCell   *lc;

	foreach(lc, line)
	{
		if (lfirst_oid(lc) != one && lfirst_oid(lc) != other)
			rest = lappend_oid(rest, lfirst_oid(lc));
	}
	return rest;
}

/* As a regrole[]; NULL for an empty line. */
ArrayType *
dx_requesters_array(const List *line)
{
	Datum	   *values;
	ListCell   *lc;

	if (line == NIL)
		return NULL;
	values = palloc(sizeof(Datum) * list_length(line));
	foreach(lc, line)
		values[foreach_current_index(lc)] = ObjectIdGetDatum(lfirst_oid(lc));
	return construct_array(values, list_length(line), REGROLEOID, sizeof(Oid),
						   true, TYPALIGN_INT);
}

/* The same as text, for where an array cannot be a parameter. */
char *
dx_requesters_text(const List *line)
{
	StringInfoData buf;
	ListCell   *lc;

	if (line == NIL)
		return NULL;
	initStringInfo(&buf);
	foreach(lc, line)
		appendStringInfo(&buf, "%c%u", lc == list_head(line) ? '{' : ',',
						 lfirst_oid(lc));
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

/* The next column of the row, a regrole[]; NIL for NULL. */
List *
dx_get_requesters(DxRow *row)
{
	Datum		value = dx_get(row);
	Datum	   *roles;
	List	   *line = NIL;
	int			n;

	if (row->isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypePCopy(value), REGROLEOID, sizeof(Oid),
					  true, TYPALIGN_INT, &roles, NULL, &n);
	for (int i = 0; i < n; i++)
		line = lappend_oid(line, DatumGetObjectId(roles[i]));
	return line;
}
