/*-------------------------------------------------------------------------
 *
 * trust.c
 *	  Whose workflows an owner of runs executes.
 *
 * The steps of a run are executed with all rights of its owner, and what they
 * are is said by whoever publishes.  So an owner trusts: itself, roles that it
 * is a member of, superusers and the extension's owner (who could act as it
 * anyway), and whom it, or a role that it is a member of, has named by
 * dealix.trust_author().
 *
 * Owns a small cache of answers from the table.  dealix.trust is invalidated
 * as ALTER TABLE would, and membership by the catalog.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/extension.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "engine/role.h"
#include "engine/trust.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define SLOTS	64

typedef struct Answer
{
	Oid			owner;			/* InvalidOid: free */
	Oid			author;
	bool		trusted;
} Answer;

static Answer answers[SLOTS];
static Oid	relation = InvalidOid;	/* dealix.trust, when they were given */
static uint64 changes = 0;		/* times that they were forgotten */
static bool registered = false;

static DxStatement trusters_statement = {
	"SELECT truster::pg_catalog.oid FROM dealix.trust WHERE author = $1",
	1, {OIDOID}
};

static DxStatement trust_statement = {
	"INSERT INTO dealix.trust (truster, author, since)"
	" VALUES ($1, $2, pg_catalog.now()) ON CONFLICT DO NOTHING",
	2, {OIDOID, OIDOID}
};

static DxStatement distrust_statement = {
	"DELETE FROM dealix.trust WHERE truster = $1 AND author = $2",
	2, {OIDOID, OIDOID}
};

/* Relcache callback: who trusts whom may have changed. */
static void
forget_relation(Datum arg, Oid relid)
{
	if (OidIsValid(relid) && relid != relation)
		return;
	changes++;
	memset(answers, 0, sizeof(answers));
}

/* Syscache callback: so may who is a member of which role. */
static void
forget_members(Datum arg, int cacheid, uint32 hashvalue)
{
	forget_relation(arg, InvalidOid);
}

/* The table of trust. */
static Oid
trust_relation(void)
{
	return get_relname_relid("trust", get_namespace_oid(DX_SCHEMA, false));
}

/* Hears of changes of it, and of memberships, from now on. */
static void
watch(void)
{
	relation = trust_relation();
	if (registered)
		return;
	CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, forget_members, (Datum) 0);
	registered = true;
}

/* Has the owner, or a role that it is a member of, named the author? */
static bool
is_named(Oid owner, Oid author)
{
	DxIdentity	saved;
	Datum		values[1];
	bool		named = false;
	bool		isnull;
	uint64		i;

	dx_engine_enter(&saved);
	values[0] = ObjectIdGetDatum(author);
	(void) dx_execute(&trusters_statement, values, NULL, false, 0);
	for (i = 0; i < SPI_processed && !named; i++)
	{
		Oid			truster = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i],
															 SPI_tuptable->tupdesc, 1, &isnull));

		CHECK_FOR_INTERRUPTS();
		named = truster == owner || is_member_of_role_nosuper(owner, truster);
	}
	SPI_freetuptable(SPI_tuptable);
	dx_engine_leave(&saved);
	return named;
}

/*
 * Does owner execute what author publishes?  Needs SPI_connect.
 */
bool
dx_trusts(Oid owner, Oid author)
{
	Answer	   *answer = &answers[(owner * 31 + author) % SLOTS];
	uint64		seen;
	bool		trusted;

	if (owner == author)
		return true;
	AcceptInvalidationMessages();
	if (answer->owner == owner && answer->author == author)
		return answer->trusted;
	watch();
	seen = changes;
	trusted = is_member_of_role_nosuper(owner, author) || superuser_arg(author) ||
		author == dx_extension_owner() || is_named(owner, author);

	/*
	 * What is said by ALTER ROLE and by a new owner of the extension is not
	 * kept.
	 */
	if (seen == changes && !IsolationUsesXactSnapshot() &&
		!superuser_arg(author) && author != dx_extension_owner())
	{
		answer->owner = owner;
		answer->author = author;
		answer->trusted = trusted;
	}
	return trusted;
}

/* Whose the rows of dealix.trust are has changed.  Needs dx_engine_enter. */
void
dx_trust_changed(void)
{
	CacheInvalidateRelcacheByRelid(trust_relation());
}

/* A role as people read it. */
char *
dx_role_text(Oid role)
{
	char	   *name = GetUserNameFromId(role, true);

	return name != NULL ? psprintf("\"%s\"", name) : psprintf("with OID %u", role);
}

/* Errors: 42501 when owner does not trust the author of the workflow. */
void
dx_trust_check(Oid owner, Oid author, const char *workflow)
{
	if (dx_trusts(owner, author))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("role %s does not trust the author of workflow \"%s\"",
					dx_role_text(owner), workflow),
			 errdetail("It belongs to role %s, and its steps would have all rights of %s.",
					   dx_role_text(author), dx_role_text(owner)),
			 errhint("If %s is to execute whatever %s publishes, call SELECT dealix.trust_author(%s) as %s.",
					 dx_role_text(owner), dx_role_text(author),
					 quote_literal_cstr(quote_identifier(GetUserNameFromId(author, true) ?
														 GetUserNameFromId(author, true) : "-")),
					 dx_role_text(owner))));
}

/*
 * What trusting and distrusting have in common. Errors: 42501 where code of
 * others runs.
 */
static bool
change(DxStatement *statement, Oid author)
{
	Oid			truster = GetUserId();
	DxIdentity	saved;
	Datum		values[2];
	bool		changed;

	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("whom a role trusts cannot be changed within a security-restricted operation")));
	dx_engine_enter(&saved);
	values[0] = ObjectIdGetDatum(truster);
	values[1] = ObjectIdGetDatum(author);
	if (statement == &trust_statement)
	{
		dx_role_note(truster);
		dx_role_note(author);
	}
	(void) dx_execute(statement, values, NULL, false, 0);
	changed = SPI_processed > 0;
	if (changed)
		dx_trust_changed();
	dx_engine_leave(&saved);
	return changed;
}

/*
 * From now on the current user executes what author publishes.  false: it was
 * so before.  Needs SPI_connect.  Errors: 42501 in a security-restricted
 * operation.
 */
bool
dx_trust_author(Oid author)
{
	return change(&trust_statement, author);
}

/* The opposite.  Runs that have been started go on. */
bool
dx_distrust_author(Oid author)
{
	return change(&distrust_statement, author);
}
