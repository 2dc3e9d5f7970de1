/*-------------------------------------------------------------------------
 *
 * role_functions.c
 *	  The type dealix.role, and dealix.reassign().
 *
 * A role in a table of the engine is its OID; in a dump it is its name.  Unlike
 * regrole the type takes any name in: a role that is missing where the dump is
 * restored must not cost the rows, and a number that is left of one that was
 * dropped must not become whoever has that number now.  Both become an OID
 * below those that roles ever get, which is nobody's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "api/arguments.h"
#include "base/server.h"
#include "common/hashfn.h"
#include "engine/guard.h"
#include "engine/reassign.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(dealix_role_in);
PG_FUNCTION_INFO_V1(dealix_role_out);
PG_FUNCTION_INFO_V1(dealix_reassign);

/* No role can be made whose name begins with pg_. */
#define UNKNOWN_PREFIX	"pg_dropped_"
#define NOBODY			"pg_none"

/* An OID of a role that is not here, by its name: from initdb's own range. */
static Oid
unknown_role(const char *name)
{
	Oid			number;
	char	   *end;

	if (strncmp(name, UNKNOWN_PREFIX, strlen(UNKNOWN_PREFIX)) == 0)
	{
		number = (Oid) strtoul(name + strlen(UNKNOWN_PREFIX), &end, 10);
		if (*end == '\0' && number >= FirstGenbkiObjectId && number < FirstNormalObjectId)
			return number;
	}
	return FirstGenbkiObjectId +
		hash_bytes((const unsigned char *) name, strlen(name)) %
		(FirstNormalObjectId - FirstGenbkiObjectId);
}

/* role_in(cstring): never an error, whatever the name. */
Datum
dealix_role_in(PG_FUNCTION_ARGS)
{
	const char *name = PG_GETARG_CSTRING(0);
	Oid			role;
	List	   *names;

	if (strcmp(name, NOBODY) == 0)
		PG_RETURN_OID(InvalidOid);
	if (!SplitIdentifierString(pstrdup(name), ',', &names) || list_length(names) != 1)
		PG_RETURN_OID(unknown_role(name));

	/* What regrole writes for a role that has gone is nobody's name. */
	role = name[strspn(name, "0123456789")] == '\0' ? InvalidOid :
		get_role_oid(linitial(names), true);
	PG_RETURN_OID(OidIsValid(role) ? role : unknown_role(name));
}

/* role_out(role): the name, quoted as an identifier, and pg_dropped_N where there is none. */
Datum
dealix_role_out(PG_FUNCTION_ARGS)
{
	Oid			role = PG_GETARG_OID(0);
	char	   *name;

	if (!OidIsValid(role))
		PG_RETURN_CSTRING(pstrdup(NOBODY));
	name = GetUserNameFromId(role, true);
	PG_RETURN_CSTRING(name != NULL ? pstrdup(quote_identifier(name)) : psprintf(UNKNOWN_PREFIX "%u", role));
}

/* reassign(from_role, to_role) */
Datum
dealix_reassign(PG_FUNCTION_ARGS)
{
	int64		runs;

	dx_refuse_in_step("dealix.reassign()");
	dx_connect_spi();
	runs = dx_reassign(PG_GETARG_OID(0), PG_GETARG_OID(1));
	SPI_finish();
	dx_force_durable();
	PG_RETURN_INT64(runs);
}
