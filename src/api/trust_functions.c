/*-------------------------------------------------------------------------
 *
 * trust_functions.c
 *	  SQL functions about whom a role trusts: trust_author, distrust_author.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/arguments.h"
#include "engine/guard.h"
#include "engine/trust.h"
#include "executor/spi.h"
#include "miscadmin.h"

PG_FUNCTION_INFO_V1(dealix_trust_author);
PG_FUNCTION_INFO_V1(dealix_distrust_author);

/*
 * What trusting and distrusting have in common. Returns whether it has
 * changed anything.
 */
static bool
change(Oid author, const char *name, bool (*to) (Oid author))
{
	bool		changed;

	dx_refuse_in_step(name);
	dx_connect_spi();
	changed = to(author);
	SPI_finish();
	return changed;
}

/* trust_author(author) */
Datum
dealix_trust_author(PG_FUNCTION_ARGS)
{
	/* A number is taken for a role as it is. */
	(void) GetUserNameFromId(PG_GETARG_OID(0), false);
	PG_RETURN_BOOL(change(PG_GETARG_OID(0), "dealix.trust_author()", dx_trust_author));
}

/* distrust_author(author) */
Datum
dealix_distrust_author(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(change(PG_GETARG_OID(0), "dealix.distrust_author()", dx_distrust_author));
}
