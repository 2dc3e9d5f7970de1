/*-------------------------------------------------------------------------
 *
 * decider.c
 *	  Who decides: the person, for whom, and by the rights of which roles.
 *
 * Persons count, not roles: one who has two roles, or comes through two
 * gateways, is one.  A gateway's role is nobody; it says for whom it speaks.
 * Everything here runs between dx_engine_enter and dx_engine_leave, with SPI
 * connected.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/json.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/payload_limit.h"
#include "engine/requester.h"
#include "executor/spi.h"
#include "governance/actor.h"
#include "governance/decider.h"
#include "governance/group.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

static DxStatement delegations_statement = {
	"SELECT from_role::pg_catalog.oid, from_person FROM dealix.delegation"
	" WHERE to_role::pg_catalog.regrole = ANY ($1) AND revoked_at IS NULL AND until_at > pg_catalog.clock_timestamp()"
	" ORDER BY delegation_id",
	1, {REGROLEARRAYOID}
};

static DxStatement access_statement = {
	"SELECT EXISTS (SELECT FROM unnest($1) r WHERE"
	" pg_catalog.has_function_privilege(r, 'dealix.approve(uuid, text, text, text)', 'EXECUTE'))",
	1, {REGROLEARRAYOID}
};

static DxStatement spoken_statement = {
	"SELECT FROM dealix.intent_decision WHERE intent_id = $1 AND version = $2"
	" AND COALESCE(for_person, person) = $3",
	3, {UUIDOID, INT4OID, TEXTOID}
};

/* Somebody who has delegated her decisions. */
typedef struct Delegator
{
	Oid			role;
	char	   *person;
} Delegator;

/*
 * A role of the database has the name of the person for whom a gateway speaks, and
 * is not hers. Errors: 42501.
 */
static void
not_her_name(const char *name, Oid namesake)
{
	DxActorType type;
	char	   *person;

	(void) dx_actor_of(namesake, &type, &person);
	if (type == DX_ACTOR_HUMAN && strcmp(person, name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("\"%s\" is a role, and not the person for whom it is registered", name),
				 errdetail("Who is one person must not be two."),
				 errhint("Give on_behalf_of the person as dealix.actors names her.")));
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("only humans decide, and \"%s\" is not known as one", name),
			 errhint("A governor registers persons: dealix.register_actor(role, 'human', person).")));
}

/* A gateway speaks for somebody. */
static void
find_on_behalf(const char *on_behalf_of, DxDecider *decider)
{
	Oid			namesake = get_role_oid(on_behalf_of, true);

	decider->person = pstrdup(on_behalf_of);
	decider->on_behalf = true;
	decider->roles = dx_roles_of_person(on_behalf_of);
	if (decider->roles != NIL)
		return;
	if (OidIsValid(namesake))
		not_her_name(on_behalf_of, namesake);
	/* Whom the database does not know has the rights of the gateway. */
	decider->roles = list_make1_oid(decider->session);
}

/*
 * Who decides in this session.  on_behalf_of: for whom a gateway speaks, or NULL.
 * Errors: 42501 the session is no human's, a gateway's without a person, or names
 * a person and is no gateway's.
 */
void
dx_decider_find(const char *on_behalf_of, DxDecider *decider)
{
	bool		gateway;

	Assert(dx_engine_entered());
	memset(decider, 0, sizeof(DxDecider));
	decider->session = GetSessionUserId();
	dx_check_label(on_behalf_of, "on_behalf_of");
	gateway = dx_is_gateway(decider->session);
	if (on_behalf_of != NULL && !gateway)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" is no gateway, and decides for itself only",
						GetUserNameFromId(decider->session, false)),
				 errhint("Leave on_behalf_of out, or ask for the access gateway.")));
	if (on_behalf_of == NULL && gateway)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" is a gateway, and has to say for whom it decides",
						GetUserNameFromId(decider->session, false)),
				 errhint("Give on_behalf_of: the person who has logged in to the application.")));
	if (on_behalf_of != NULL)
	{
		find_on_behalf(on_behalf_of, decider);
		return;
	}
	decider->person = dx_person_of(decider->session);
	if (decider->person == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only humans decide, and role \"%s\" is not registered as one",
						GetUserNameFromId(decider->session, false)),
				 errhint("A governor registers persons: dealix.register_actor(role, 'human', person).")));
	decider->roles = dx_roles_of_person(decider->person);
	decider->roles = list_append_unique_oid(decider->roles, decider->session);
}

/* Has one of these roles the rights of one of the approvers? */
bool
dx_any_may(const List *roles, const List *approvers)
{
	ListCell   *lr;
	ListCell   *la;

	foreach(lr, roles)
	{
		foreach(la, approvers)
		{
			Oid			approver = get_role_oid(lfirst(la), true);

			if (OidIsValid(approver) && has_privs_of_role(lfirst_oid(lr), approver))
				return true;
		}
	}
	return false;
}

/* May one of these roles decide at all? */
static bool
any_has_access(const List *roles)
{
	Datum		values[1];
	bool		isnull;
	bool		may;

	if (roles == NIL)
		return false;
	values[0] = PointerGetDatum(dx_requesters_array(roles));
	(void) dx_execute(&access_statement, values, NULL, false, 1);
	may = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return may;
}

/* By the rights of these roles? */
static bool
roles_may(const List *roles, const DxAsked *asked)
{
	if (asked->approvers == NIL)
		return any_has_access(roles);
	if (dx_any_may(roles, asked->approvers))
		return true;
	for (int i = 0; asked->all_of != NULL && i < JB_ROOT_COUNT(asked->all_of); i++)
	{
		if (dx_any_may(roles, dx_group_of(asked->all_of, i)))
			return true;
	}
	return false;
}

/* Has the person asked for it, with whatever role of hers? */
static bool
has_asked(const List *roles, const char *person, const DxAsked *asked)
{
	ListCell   *lc;

	foreach(lc, asked->askers)
	{
		Oid			role = lfirst_oid(lc);
		DxActorType type;
		char	   *asker;

		if (list_member_oid(roles, role))
			return true;
		(void) dx_actor_of(role, &type, &asker);
		if (asker != NULL && strcmp(asker, person) == 0)
			return true;
	}
	return false;
}

/* Who has delegated her decisions to the person, and is still who she was. */
static List *
delegators_of(const DxDecider *decider)
{
	List	   *found = NIL;
	List	   *roles = list_copy(decider->roles);
	Datum		values[1];
	ListCell   *lc;

	/* To a gateway nothing is delegated. */
	if (decider->on_behalf)
		roles = list_delete_oid(roles, decider->session);
	if (roles == NIL)
		return NIL;
	values[0] = PointerGetDatum(dx_requesters_array(roles));
	(void) dx_execute(&delegations_statement, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		Delegator  *delegator = palloc(sizeof(Delegator));

		delegator->role = DatumGetObjectId(dx_get(&row));
		delegator->person = dx_get_text(&row);
		found = lappend(found, delegator);
	}
	SPI_freetuptable(SPI_tuptable);
	foreach(lc, found)
	{
		Delegator  *delegator = lfirst(lc);
		char	   *person = dx_person_of(delegator->role);

		CHECK_FOR_INTERRUPTS();
		if (person == NULL || strcmp(person, delegator->person) != 0)
			found = foreach_delete_current(found, lc);
	}
	return found;
}

/* Has the person decided about this version already, or somebody for her? */
static bool
has_spoken(const char *person, const DxAsked *asked)
{
	Datum		values[3];

	values[0] = UUIDPGetDatum(asked->intent_id);
	values[1] = Int32GetDatum(asked->version);
	values[2] = CStringGetTextDatum(person);
	(void) dx_execute(&spoken_statement, values, NULL, false, 1);
	SPI_freetuptable(SPI_tuptable);
	return SPI_processed > 0;
}

/*
 * May the person decide about this, in her own right or for one who may and has
 * delegated it to her?  Notes for whom: if there is, for one who has neither asked
 * for it nor decided.
 */
bool
dx_decider_may(DxDecider *decider, const DxAsked *asked)
{
	int			best = 0;
	ListCell   *lc;

	/* Who decides in a session of her own has the access to do so. */
	if ((asked->approvers == NIL && !decider->on_behalf) ||
		roles_may(decider->roles, asked))
		return true;
	foreach(lc, delegators_of(decider))
	{
		Delegator  *delegator = lfirst(lc);
		List	   *roles = dx_roles_of_person(delegator->person);
		int			good;

		roles = list_append_unique_oid(roles, delegator->role);
		if (!roles_may(roles, asked))
			continue;
		good = has_asked(roles, delegator->person, asked) ? 1 :
			has_spoken(delegator->person, asked) ? 2 : 3;
		if (good <= best)
			continue;
		best = good;
		decider->for_roles = roles;
		decider->for_person = delegator->person;
	}
	return best > 0;
}

/* Is the person, or whom she decides for, one of those who have asked for it? */
bool
dx_decider_asked(const DxDecider *decider, const DxAsked *asked)
{
	return has_asked(decider->roles, decider->person, asked) ||
		list_member_oid(asked->askers, decider->session) ||
		(decider->for_person != NULL &&
		 has_asked(decider->for_roles, decider->for_person, asked));
}
