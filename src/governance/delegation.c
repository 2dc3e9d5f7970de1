/*-------------------------------------------------------------------------
 *
 * delegation.c
 *	  Who decides for somebody else, for a time.
 *
 * What is delegated is one's own: what somebody has been delegated, she does not
 * delegate on.  decider.c says what a delegation is good for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/clock.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/server.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "engine/role.h"
#include "executor/spi.h"
#include "governance/actor.h"
#include "governance/delegation.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define MOST_DAYS	366

static DxStatement delegate_statement = {
	"INSERT INTO dealix.delegation (from_person, from_role, to_role, reason, created_at, until_at)"
	" VALUES ($1, $2, $3, $4, pg_catalog.clock_timestamp(), $5) RETURNING delegation_id",
	5, {TEXTOID, OIDOID, OIDOID, TEXTOID, TIMESTAMPTZOID}
};

static DxStatement revoke_statement = {
	"UPDATE dealix.delegation SET revoked_at = pg_catalog.clock_timestamp()"
	" WHERE delegation_id = $1 AND (from_role = $2 OR from_person = $3)"
	" AND revoked_at IS NULL AND until_at > pg_catalog.clock_timestamp()",
	3, {INT4OID, OIDOID, TEXTOID}
};

/* May this role log in? */
static bool
can_login(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		may;

	if (!HeapTupleIsValid(tuple))
		return false;
	may = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	return may;
}

/* Refuses an end that has come, or is far away. Errors: 22023. */
static void
check_until(TimestampTz until)
{
	TimestampTz now = dx_now();

	if (until <= now ||
		until > TimestampTzPlusMilliseconds(now, INT64CONST(86400000) * MOST_DAYS))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a delegation ends within a year from now")));
}

/* Refuses who cannot decide in somebody's place. Errors: 22023. */
static void
check_delegate(Oid to, const char *person)
{
	const char *why = NULL;
	char	   *other = dx_person_of(to);

	if (dx_is_gateway(to))
		why = "It is a gateway, behind which anybody may be.";
	else if (other == NULL)
		why = "Only humans decide, and it is not known as one.";
	else if (!can_login(to))
		why = "It cannot log in.";
	else if (strcmp(person, other) == 0)
		why = "Nobody delegates to herself.";
	if (why != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("decisions cannot be delegated to role \"%s\"", GetUserNameFromId(to, false)),
				 errdetail("%s", why),
				 errhint("Name the role with which another person logs in.")));
}

/* The person of this session. Errors: 42501 she is not known as one. */
static char *
own_person(void)
{
	char	   *person = dx_person_of(GetSessionUserId());

	if (person == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only humans delegate, and role \"%s\" is not registered as one",
						GetUserNameFromId(GetSessionUserId(), false)),
				 errhint("A governor registers persons: dealix.register_actor(role, 'human', person).")));
	return person;
}

/*
 * Somebody else decides for the session's person until then. Returns the number
 * of the delegation.  Needs SPI_connect. Errors: 42501, 22023.
 */
int
dx_delegate(Oid to, TimestampTz until, const char *reason)
{
	DxIdentity	saved;
	Datum		values[5];
	char	   *person;
	bool		isnull;
	int			id;

	dx_require_human("delegates decisions");
	check_until(until);
	dx_engine_enter(&saved);
	person = own_person();
	check_delegate(to, person);
	dx_role_note(GetSessionUserId());
	dx_role_note(to);
	values[0] = CStringGetTextDatum(person);
	values[1] = ObjectIdGetDatum(GetSessionUserId());
	values[2] = ObjectIdGetDatum(to);
	values[3] = CStringGetTextDatum(reason);
	values[4] = TimestampTzGetDatum(until);
	(void) dx_execute(&delegate_statement, values, NULL, false, 1);
	id = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	dx_engine_leave(&saved);
	dx_force_durable();
	return id;
}

/*
 * Ends a delegation of the session's person. false: there is none.  Needs
 * SPI_connect. Errors: 42501.
 */
bool
dx_revoke_delegation(int id)
{
	DxIdentity	saved;
	Datum		values[3];
	bool		revoked;

	dx_require_human("ends a delegation");
	dx_engine_enter(&saved);
	values[0] = Int32GetDatum(id);
	values[1] = ObjectIdGetDatum(GetSessionUserId());
	values[2] = CStringGetTextDatum(own_person());
	(void) dx_execute(&revoke_statement, values, NULL, false, 0);
	revoked = SPI_processed > 0;
	dx_engine_leave(&saved);
	dx_force_durable();
	return revoked;
}
