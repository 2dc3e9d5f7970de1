/*-------------------------------------------------------------------------
 *
 * group.c
 *	  Groups of roles of which each has to agree (AllOf).
 *
 * One person fills one group at most: who is of two departments speaks for one of
 * them, and whom she leaves to the other one is tried in both ways.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "governance/group.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* A search for a voice for each group. */
typedef struct Search
{
	int			nvoices;
	const bool *fits;			/* of group g and voice v at g * nvoices + v */
	int		   *group_of;		/* of each voice, or -1 */
	bool	   *tried;			/* voices, in the present round */
} Search;

/* The names of the roles of a group. */
List *
dx_group_of(const Jsonb *all_of, int group)
{
	JsonbValue *array;
	JsonbContainer *names;
	List	   *list = NIL;

	Assert(group >= 0 && group < JB_ROOT_COUNT(all_of));
	array = getIthJsonbValueFromContainer((JsonbContainer *) &all_of->root, group);
	if (array->type != jbvBinary)
		return NIL;
	names = array->val.binary.data;
	for (int i = 0; i < JsonContainerSize(names); i++)
	{
		JsonbValue *name = getIthJsonbValueFromContainer(names, i);

		list = lappend(list, pnstrdup(name->val.string.val, name->val.string.len));
	}
	return list;
}

/* A voice for the group, if need be one that leaves its group to another. */
static bool
find_voice(Search *search, int group)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	for (int voice = 0; voice < search->nvoices; voice++)
	{
		if (search->tried[voice] || !search->fits[group * search->nvoices + voice])
			continue;
		search->tried[voice] = true;
		if (search->group_of[voice] >= 0 && !find_voice(search, search->group_of[voice]))
			continue;
		search->group_of[voice] = group;
		return true;
	}
	return false;
}

/*
 * Is there another voice for each group?  fits: of group g and voice v at
 * g * nvoices + v whether the voice is of the group.
 */
bool
dx_groups_filled(int ngroups, int nvoices, const bool *fits)
{
	Search		search = {nvoices, fits};

	if (nvoices < ngroups)
		return false;
	search.group_of = palloc(sizeof(int) * Max(nvoices, 1));
	search.tried = palloc(sizeof(bool) * Max(nvoices, 1));
	for (int voice = 0; voice < nvoices; voice++)
		search.group_of[voice] = -1;
	for (int group = 0; group < ngroups; group++)
	{
		memset(search.tried, 0, sizeof(bool) * nvoices);
		if (!find_voice(&search, group))
			return false;
	}
	return true;
}
