/*-------------------------------------------------------------------------
 *
 * persons.c
 *	  How many persons could decide about an approval.
 *
 * A person is who stands behind a role that may log in, or behind several; an
 * agent is none.  Groups stand for their members, and members of members; a
 * superuser counts as a member only of what it has been made a member of.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "asl/problem.h"
#include "base/guc.h"
#include "base/plan.h"
#include "catalog/pg_auth_members.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/persons.h"
#include "engine/requester.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/catcache.h"
#include "utils/syscache.h"

/*
 * Of these roles: how many humans are behind them, without those behind $1, and is
 * one of them a gateway?  $2: who is not registered is no human.
 */
#define HUMANS(roles) \
	"SELECT pg_catalog.count(DISTINCT p.person) FILTER (WHERE NOT p.gateway)," \
	" COALESCE(pg_catalog.bool_or(p.gateway), false)" \
	" FROM (SELECT COALESCE(a.person, r.rolname::text) AS person, COALESCE(a.actor_type, CASE WHEN $2 THEN 0 ELSE 1 END) AS type," \
	" NOT r.rolsuper AND pg_catalog.has_function_privilege(r.oid, 'dealix_internal.gateway()', 'EXECUTE') AS gateway" \
	" FROM (" roles ") r LEFT JOIN dealix.actor a ON a.role = r.oid) p" \
	" WHERE p.gateway OR (p.type = 1 AND p.person <> ALL (ARRAY(" \
	"SELECT COALESCE(x.person, pg_catalog.pg_get_userbyid(e)::text)" \
	" FROM unnest($1) e LEFT JOIN dealix.actor x ON x.role = e)))"

static DxStatement humans_statement = {
	HUMANS("SELECT o.oid, o.rolname, o.rolsuper FROM pg_catalog.pg_roles o WHERE o.oid::pg_catalog.regrole = ANY ($3)"),
	3, {REGROLEARRAYOID, BOOLOID, REGROLEARRAYOID}
};

/* Everybody who has the access, as far as it matters. */
static DxStatement everybody_statement = {
	HUMANS("SELECT o.oid, o.rolname, o.rolsuper FROM pg_catalog.pg_roles o WHERE o.rolcanlogin"
		   " AND pg_catalog.has_function_privilege(o.oid, 'dealix.approve(uuid, text, text, text)', 'EXECUTE')"
		   " AND NOT o.oid::pg_catalog.regrole = ANY ($1) LIMIT $3"),
	3, {REGROLEARRAYOID, BOOLOID, INT8OID}
};

/* Members of a group and of its members; group itself comes first. */
static List *
members_of(Oid group)
{
	List	   *found = list_make1_oid(group);

	for (int i = 0; i < list_length(found); i++)
	{
		CatCList   *list = SearchSysCacheList1(AUTHMEMROLEMEM,
											   ObjectIdGetDatum(list_nth_oid(found, i)));

		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < list->n_members; j++)
			found = list_append_unique_oid(found,
										   ((Form_pg_auth_members) GETSTRUCT(&list->members[j]->tuple))->member);
		ReleaseSysCacheList(list);
	}
	return found;
}

/* May this role log in, and has it by itself the rights of the group? */
static bool
is_person(Oid role, Oid group)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		can_login;

	if (!HeapTupleIsValid(tuple))
		return false;
	can_login = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	return can_login && has_privs_of_role(role, group);
}

/* A line of roles as an array, which may be empty. */
static Datum
roles_datum(const List *roles)
{
	return PointerGetDatum(roles != NIL ? dx_requesters_array(roles) :
						   construct_empty_array(REGROLEOID));
}

/*
 * How many persons one of the statements finds.  A gateway speaks for as many as
 * there have to be: nobody here knows its users.
 */
static int
count_persons(DxStatement *statement, const List *excluded, Datum third, int enough)
{
	Datum		values[3];
	DxRow		row;
	int64		count;
	bool		gateway;

	values[0] = roles_datum(excluded);
	values[1] = BoolGetDatum(dx_governance == DX_GOVERNANCE_REQUIRED);
	values[2] = third;
	dx_query(statement, values, NULL, false, 1);
	row = (DxRow) dx_row(0);
	count = DatumGetInt64(dx_get(&row));
	gateway = DatumGetBool(dx_get(&row));
	SPI_freetuptable(SPI_tuptable);
	return gateway ? Max(enough, (int) count) : (int) Min(count, PG_INT32_MAX);
}

/*
 * Everybody who has the access.  Most often so many roles are so many persons, and
 * a few of them say so; else all of them are looked at.
 */
static int
count_everybody(const List *excluded, int enough)
{
	int			some = count_persons(&everybody_statement, excluded,
									 Int64GetDatum((int64) enough * 2 + 8), enough);

	if (some >= enough)
		return some;
	return count_persons(&everybody_statement, excluded, Int64GetDatum(PG_INT64_MAX), enough);
}

/*
 * How many persons could decide, but for the excluded ones (Oids): a person is one,
 * whatever roles she has.  names: char *, roles and groups that do not exist count
 * for nobody; NIL: everybody with the access.  It may stop counting at enough.
 * Needs SPI_connect.
 */
int
dx_persons(const List *names, const List *excluded, int enough)
{
	List	   *roles = NIL;
	ListCell   *lc;
	ListCell   *lm;

	if (names == NIL)
		return count_everybody(excluded, enough);
	foreach(lc, names)
	{
		Oid			group = get_role_oid(lfirst(lc), true);

		if (!OidIsValid(group))
			continue;
		foreach(lm, members_of(group))
		{
			Oid			role = lfirst_oid(lm);

			if (!list_member_oid(excluded, role) && is_person(role, group))
				roles = list_append_unique_oid(roles, role);
		}
	}
	return count_persons(&humans_statement, excluded, roles_datum(roles), enough);
}

/*
 * What a definition says about deciders, before there is a run: roles may be
 * made and persons may join until then, so these are warnings.
 */
void
dx_check_approvers(List *names, int quorum, const char *pointer, DxProblems *problems)
{
	ListCell   *lc;
	int			persons;

	foreach(lc, names)
	{
		if (!OidIsValid(get_role_oid(lfirst(lc), true)))
			dx_warning(problems, psprintf("%s/Approvers/%d", pointer, foreach_current_index(lc)),
					   "UNKNOWN_ROLE",
					   "Create it before a run comes here: the state fails with Governance.UnknownRole otherwise.",
					   "role \"%s\" does not exist", (char *) lfirst(lc));
	}
	persons = dx_persons(names, NIL, quorum);
	if (persons < quorum)
		dx_warning(problems, psprintf("%s/Quorum", pointer), "QUORUM_UNREACHABLE",
				   "The state fails with Governance.QuorumUnreachable while that is so.",
				   "%d %s to agree, and %d %s log in as one of the approvers", quorum,
				   quorum == 1 ? "person has" : "persons have", persons,
				   persons == 1 ? "person can" : "persons can");
}
