/*-------------------------------------------------------------------------
 *
 * actor.c
 *	  What stands behind a role: a person, an agent, a program.
 *
 * A role that nobody has registered is a human of its own name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/guc.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/server.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/history.h"
#include "engine/role.h"
#include "executor/spi.h"
#include "governance/actor.h"
#include "governance/person.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* An agent that a run's requesters may be. */
typedef struct Agent
{
	Oid			role;
	DxActorType type;
} Agent;

static const char *const type_names[] = {
	[DX_ACTOR_HUMAN] = "human",
	[DX_ACTOR_OBSERVER] = "observer_agent",
	[DX_ACTOR_RECOMMENDER] = "recommender_agent",
	[DX_ACTOR_EXECUTOR] = "executor_system",
	[DX_ACTOR_AUTOMATED] = "automated_workflow"
};

static DxStatement agents_statement = {
	"SELECT role::pg_catalog.oid, actor_type FROM dealix.actor WHERE actor_type > 1", 0, {0}
};

static DxStatement actor_statement = {
	"SELECT actor_type, person FROM dealix.actor WHERE role = $1", 1, {OIDOID}
};

static DxStatement roles_statement = {
	"SELECT role::pg_catalog.oid FROM dealix.actor WHERE person = $1", 1, {TEXTOID}
};

/* A right, as a function, like all_runs(). */
static DxStatement gateway_statement = {
	"SELECT pg_catalog.has_function_privilege($1, 'dealix_internal.gateway()', 'EXECUTE')"
	" AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE oid = $1)",
	1, {OIDOID}
};

/* What is said now, and beside it all that was ever said. */
static DxStatement register_statement = {
	"WITH c AS (INSERT INTO dealix.actor_change (role, actor_type, person, changed_by, at)"
	" VALUES ($1, $2, $3, $4, pg_catalog.clock_timestamp()) RETURNING changed_by, at)"
	" INSERT INTO dealix.actor (role, actor_type, person, registered_by, registered_at)"
	" SELECT $1, $2, $3, c.changed_by, c.at FROM c ON CONFLICT (role) DO UPDATE"
	" SET actor_type = EXCLUDED.actor_type, person = EXCLUDED.person,"
	" registered_by = EXCLUDED.registered_by, registered_at = EXCLUDED.registered_at",
	4, {OIDOID, INT2OID, TEXTOID, TEXTOID}
};

static DxStatement unregister_statement = {
	"WITH d AS (DELETE FROM dealix.actor WHERE role = $1 RETURNING role)"
	" INSERT INTO dealix.actor_change (role, changed_by, at)"
	" SELECT d.role, $2, pg_catalog.clock_timestamp() FROM d",
	2, {OIDOID, TEXTOID}
};

/* The agents, as the present transaction has seen them. */
static struct
{
	TimestampTz asked_in;
	List	   *agents;
}			known;

/* Of whoever has changed them. */
void
dx_actors_forget(void)
{
	known.asked_in = 0;
}

/* The name of a type. */
const char *
dx_actor_type_name(DxActorType type)
{
	Assert(type >= DX_ACTOR_HUMAN && type <= DX_ACTOR_AUTOMATED);
	return type_names[type];
}

/* The type of this name; 0: there is none. */
DxActorType
dx_actor_type_parse(const char *name)
{
	for (int i = DX_ACTOR_HUMAN; i <= DX_ACTOR_AUTOMATED; i++)
	{
		if (strcmp(type_names[i], name) == 0)
			return i;
	}
	return 0;
}

/* Reads who is an agent, once a transaction. */
static void
read_agents(void)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	MemoryContext oldcxt;

	Assert(dx_engine_entered());
	if (known.asked_in == now)
		return;
	(void) dx_execute(&agents_statement, NULL, NULL, false, 0);
	list_free_deep(known.agents);
	known.agents = NIL;
	oldcxt = MemoryContextSwitchTo(TopMemoryContext);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		Agent	   *agent = palloc(sizeof(Agent));

		agent->role = DatumGetObjectId(dx_get(&row));
		agent->type = dx_get_int2(&row);
		known.agents = lappend(known.agents, agent);
	}
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);
	known.asked_in = now;
}

/* May this one do less than that one? */
static bool
is_less(DxActorType one, DxActorType other)
{
	static const int rank[] = {0, 4, 1, 2, 3, 3};

	return rank[one] < rank[other];
}

/*
 * What a run counts as that all these have asked for: the one of them that may do
 * least.  Between dx_engine_enter and dx_engine_leave.
 */
DxActorType
dx_actor_type_of_all(const List *roles)
{
	DxActorType least = DX_ACTOR_HUMAN;
	ListCell   *lc;

	read_agents();
	foreach(lc, known.agents)
	{
		Agent	   *agent = lfirst(lc);

		if (list_member_oid(roles, agent->role) && is_less(agent->type, least))
			least = agent->type;
	}
	return least;
}

/*
 * What stands behind a role: *person is NULL for what is no human.  A role that
 * nobody has registered is a human of its own name; false: it is one of those.
 * Between dx_engine_enter and dx_engine_leave.
 */
bool
dx_actor_of(Oid role, DxActorType *type, char **person)
{
	Datum		values[1];
	bool		registered;

	Assert(dx_engine_entered());
	values[0] = ObjectIdGetDatum(role);
	(void) dx_execute(&actor_statement, values, NULL, false, 1);
	registered = SPI_processed > 0;
	if (registered)
	{
		DxRow		row = dx_row(0);

		*type = dx_get_int2(&row);
		*person = dx_get_text(&row);
	}
	SPI_freetuptable(SPI_tuptable);
	if (!registered)
	{
		*type = DX_ACTOR_HUMAN;
		*person = dx_role_name(role);
	}
	return registered;
}

/*
 * The person as whom a role decides; NULL: it is none, or is not registered where
 * dealix_exec.governance requires that.  Between dx_engine_enter and
 * dx_engine_leave.
 */
char *
dx_person_of(Oid role)
{
	DxActorType type;
	char	   *person;

	if (!dx_actor_of(role, &type, &person) && dx_governance == DX_GOVERNANCE_REQUIRED)
		return NULL;
	return person;
}

/*
 * The roles of a person: those registered, and the one of her name if nobody has
 * registered it.  Between dx_engine_enter and dx_engine_leave.
 */
List *
dx_roles_of_person(const char *person)
{
	Oid			namesake = get_role_oid(person, true);
	Datum		values[1];
	List	   *roles = NIL;
	char	   *behind;

	values[0] = CStringGetTextDatum(person);
	(void) dx_execute(&roles_statement, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);

		roles = lappend_oid(roles, DatumGetObjectId(dx_get(&row)));
	}
	SPI_freetuptable(SPI_tuptable);
	if (!OidIsValid(namesake))
		return roles;
	behind = dx_person_of(namesake);
	if (behind != NULL && strcmp(behind, person) == 0)
		roles = list_append_unique_oid(roles, namesake);
	return roles;
}

/*
 * May the role decide for others, and only so?  Between dx_engine_enter and
 * dx_engine_leave.
 */
bool
dx_is_gateway(Oid role)
{
	Datum		values[1];
	bool		isnull;
	bool		gateway;

	Assert(dx_engine_entered());
	values[0] = ObjectIdGetDatum(role);
	(void) dx_execute(&gateway_statement, values, NULL, false, 1);
	gateway = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)) &&
		!isnull;
	SPI_freetuptable(SPI_tuptable);
	return gateway;
}

/*
 * Errors: 42501 when it is not a human who calls this for herself.  Who is not
 * registered may: somebody has to register the first ones.  Needs SPI_connect.
 */
void
dx_require_human(const char *does)
{
	Oid			role = GetSessionUserId();
	DxIdentity	saved;
	DxActorType type;
	char	   *person;
	bool		gateway;

	dx_require_person(does);
	dx_engine_enter(&saved);
	(void) dx_actor_of(role, &type, &person);
	gateway = dx_is_gateway(role);
	dx_engine_leave(&saved);
	if (type == DX_ACTOR_HUMAN && !gateway)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("only a human %s", does),
			 errdetail("Role \"%s\" is %s.", GetUserNameFromId(role, false),
					   gateway ? "a gateway" : psprintf("registered as %s", type_names[type])),
			 errhint("A person has to do it, in a session of her own.")));
}

/*
 * Errors: 42501 when role is the session's, or of the same person, or is to become
 * so: nobody says of herself who she is, or takes on who another is.  person: whom
 * the role is to stand for, or NULL.  Needs SPI_connect.
 */
void
dx_require_other(Oid role, const char *person)
{
	Oid			self = GetSessionUserId();
	DxIdentity	saved;
	DxActorType type;
	char	   *mine;
	char	   *behind;

	dx_engine_enter(&saved);
	(void) dx_actor_of(self, &type, &mine);
	(void) dx_actor_of(role, &type, &behind);
	dx_engine_leave(&saved);
	if (role != self && (behind == NULL || mine == NULL || strcmp(behind, mine) != 0) &&
		(person == NULL || mine == NULL || strcmp(person, mine) != 0))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("nobody says of herself who she is"),
			 errdetail("Role \"%s\" is of the person who says it, or is to be.",
					   GetUserNameFromId(role, false)),
			 errhint("Another governor has to.")));
}

/* The name of who says it. */
static Datum
who(void)
{
	return CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
}

/* Notes what stands behind a role.  person: of a human.  Needs SPI_connect. */
void
dx_actor_register(Oid role, DxActorType type, const char *person)
{
	Datum		values[4];
	char		nulls[] = "    ";

	Assert((type == DX_ACTOR_HUMAN) == (person != NULL));
	values[0] = ObjectIdGetDatum(role);
	values[1] = Int16GetDatum(type);
	values[2] = person ? CStringGetTextDatum(person) : (Datum) 0;
	nulls[2] = person ? ' ' : 'n';
	values[3] = who();
	dx_query(&register_statement, values, nulls, false, 0);
	dx_actors_forget();
	dx_force_durable();
}

/* Forgets that.  false: the role was not registered.  Needs SPI_connect. */
bool
dx_actor_unregister(Oid role)
{
	Datum		values[2];

	values[0] = ObjectIdGetDatum(role);
	values[1] = who();
	dx_query(&unregister_statement, values, NULL, false, 0);
	dx_actors_forget();
	dx_force_durable();
	return SPI_processed > 0;
}
