/*-------------------------------------------------------------------------
 *
 * persons.c
 *	  How many persons could decide about an approval.
 *
 * A person is a role that may log in.  Groups stand for their members, and
 * members of members; a superuser counts as a member only of what it has been
 * made a member of.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "asl/problem.h"
#include "base/plan.h"
#include "catalog/pg_auth_members.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "engine/persons.h"
#include "engine/requester.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/catcache.h"
#include "utils/syscache.h"

/* Everybody who has the access, as far as it matters. */
static DxStatement count_statement = {
	"SELECT pg_catalog.count(*) FROM (SELECT FROM pg_catalog.pg_roles r WHERE r.rolcanlogin"
	" AND pg_catalog.has_function_privilege(r.oid, 'dealix.approve(uuid, text, text)', 'EXECUTE')"
	" AND ($1 IS NULL OR NOT r.oid::pg_catalog.regrole = ANY ($1)) LIMIT $2) p",
	2, {REGROLEARRAYOID, INT8OID}
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

/* How many persons there are but the excluded ones, up to enough. */
static int
count_all(const List *excluded, int enough)
{
	ArrayType  *array = dx_requesters_array(excluded);
	Datum		values[2];
	char		nulls[] = "  ";
	bool		isnull;
	int64		count;

	values[0] = PointerGetDatum(array);
	nulls[0] = array ? ' ' : 'n';
	values[1] = Int64GetDatum(enough);
	dx_query(&count_statement, values, nulls, false, 1);
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return (int) count;
}

/*
 * How many persons could decide, but for the excluded ones (Oids); it stops
 * counting at enough.  names: char *, roles and groups that do not exist count
 * for nobody; NIL: everybody with the access.  Needs SPI_connect.
 */
int
dx_persons(const List *names, const List *excluded, int enough)
{
	List	   *persons = NIL;
	ListCell   *lc;
	ListCell   *lm;

	if (names == NIL)
		return count_all(excluded, enough);
	foreach(lc, names)
	{
		Oid			group = get_role_oid(lfirst(lc), true);

		if (!OidIsValid(group))
			continue;
		foreach(lm, members_of(group))
		{
			Oid			role = lfirst_oid(lm);

			if (list_length(persons) >= enough)
				return enough;
			if (!list_member_oid(excluded, role) && is_person(role, group))
				persons = list_append_unique_oid(persons, role);
		}
	}
	return list_length(persons);
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
