/*-------------------------------------------------------------------------
 *
 * sqlstate.c
 *	  The condition name of an SQLSTATE, which the server has only for PL/pgSQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/sqlstate.h"

typedef struct StateName
{
	char		code[6];
	const char *name;
} StateName;

static const StateName state_names[] = {
#include "base/sqlstate_names.h"
};

/* For bsearch. */
static int
compare_code(const void *key, const void *entry)
{
	return strcmp((const char *) key, ((const StateName *) entry)->code);
}

/*
 * "unique_violation" for ERRCODE_UNIQUE_VIOLATION; the five characters
 * themselves for a code that has no name.
 */
const char *
dx_sqlstate_name(int sqlstate)
{
	char	   *code = unpack_sql_state(sqlstate);
	StateName  *found = bsearch(code, state_names, lengthof(state_names),
								sizeof(StateName), compare_code);

	return found != NULL ? found->name : pstrdup(code);
}
