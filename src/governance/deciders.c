/*-------------------------------------------------------------------------
 *
 * deciders.c
 *	  Could those who are asked decide at all?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/fault.h"
#include "engine/model.h"
#include "engine/persons.h"
#include "engine/requester.h"
#include "governance/deciders.h"
#include "governance/group.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/acl.h"

/* Do the roles exist?  false: *fault says which does not. */
static bool
roles_exist(const List *names, DxFault *fault)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (OidIsValid(get_role_oid(lfirst(lc), true)))
			continue;
		fault->error = pstrdup("Governance.UnknownRole");
		fault->cause = psprintf("There is no role \"%s\" to approve.", (char *) lfirst(lc));
		return false;
	}
	return true;
}

/*
 * Is there somebody in each group, and are there as many persons in all of them as
 * there are groups?  That a person of two groups is missing in one of them is not
 * found here: then nobody approves.
 */
static bool
groups_reachable(const DxRun *run, const Jsonb *all_of, DxFault *fault)
{
	int			ngroups = JB_ROOT_COUNT(all_of);
	List	   *everybody = NIL;
	List	   *askers = dx_requesters_of(run);

	for (int group = 0; group < ngroups; group++)
	{
		List	   *names = dx_group_of(all_of, group);

		CHECK_FOR_INTERRUPTS();
		if (!roles_exist(names, fault))
			return false;
		everybody = list_concat(everybody, list_copy(names));
		if (dx_persons(names, askers, 1) >= 1)
			continue;
		fault->error = pstrdup("Governance.QuorumUnreachable");
		fault->cause = psprintf("Nobody of group %d of AllOf may agree: who owns the run or has asked for it does not decide.",
								group);
		return false;
	}
	if (dx_persons(everybody, askers, ngroups) >= ngroups)
		return true;
	fault->error = pstrdup("Governance.QuorumUnreachable");
	fault->cause = psprintf("%d groups of AllOf take a person each, and fewer may agree.", ngroups);
	return false;
}

/*
 * Do the roles exist (char *; NIL: everybody with the access), and could so many
 * persons agree who have not asked themselves, and one of each group (all_of, or
 * NULL)?  false: *fault says why not.  Needs SPI_connect.
 */
bool
dx_deciders_reachable(const DxRun *run, const List *names, const Jsonb *all_of, int quorum,
					  DxFault *fault)
{
	int			persons;

	Assert(quorum > 0);
	if (!roles_exist(names, fault) ||
		(all_of != NULL && !groups_reachable(run, all_of, fault)))
		return false;
	/* There is a superuser, who has every access. */
	if (names == NIL && quorum == 1)
		return true;
	persons = dx_persons(names, dx_requesters_of(run), quorum);
	if (persons >= quorum)
		return true;
	fault->error = pstrdup("Governance.QuorumUnreachable");
	fault->cause = psprintf("%d %s to agree, and %d may: who owns the run or has asked for it does not decide.",
							quorum, quorum == 1 ? "person has" : "persons have", persons);
	return false;
}
