/*-------------------------------------------------------------------------
 *
 * held.c
 *	  Whether this database is the one whose runs stand in it.
 *
 * A restored or cloned database carries live runs along.  Were they to go on
 * there, what the original does outside would be done twice.  So the identity
 * of the database is recorded with its first workflow, and a database with
 * another identity runs nothing until an operator says so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "base/extension.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/held.h"
#include "engine/role.h"
#include "engine/slot_set.h"
#include "executor/spi.h"
#include "miscadmin.h"

static DxStatement identity_statement = {
	"SELECT system_identifier, database_oid FROM dealix.engine", 0, {0}
};

static DxStatement record_statement = {
	"INSERT INTO dealix.engine"
	" (system_identifier, database_oid, recorded_by, recorded_at)"
	" VALUES ($1, $2, session_user, pg_catalog.now()) ON CONFLICT DO NOTHING",
	2, {INT8OID, INT8OID}
};

static DxStatement adopt_statement = {
	"INSERT INTO dealix.engine"
	" (system_identifier, database_oid, recorded_by, recorded_at)"
	" VALUES ($1, $2, session_user, pg_catalog.now())"
	" ON CONFLICT (only_row) DO UPDATE SET"
	" system_identifier = excluded.system_identifier,"
	" database_oid = excluded.database_oid,"
	" recorded_by = excluded.recorded_by, recorded_at = excluded.recorded_at",
	2, {INT8OID, INT8OID}
};

static DxStatement sequences_statement = {
	"SELECT pg_catalog.format('SELECT pg_catalog.setval(%s::pg_catalog.regclass, m)"
	" FROM (SELECT pg_catalog.max(%I) AS m FROM %s) t"
	" WHERE m > (SELECT last_value FROM %s)',"
	" pg_catalog.quote_literal(s.name), a.attname, a.attrelid::pg_catalog.regclass, s.name)"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid,"
	" pg_catalog.pg_get_serial_sequence(c.oid::pg_catalog.regclass::text, a.attname) s(name)"
	" WHERE c.relnamespace = 'dealix'::pg_catalog.regnamespace"
	" AND a.attidentity <> '' AND NOT a.attisdropped",
	0, {0}
};

/* Extension of which we know that it is at home here; never unlearnt. */
static Oid	at_home = InvalidOid;

/* Do the tables name this database? *recorded: they name one. */
static bool
identity_matches(bool *recorded)
{
	bool		isnull;
	int64		system;
	int64		database;

	(void) dx_execute(&identity_statement, NULL, NULL, false, 1);
	*recorded = SPI_processed > 0;
	if (!*recorded)
		return false;
	system = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
										 SPI_tuptable->tupdesc, 1, &isnull));
	database = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
										   SPI_tuptable->tupdesc, 2, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return system == (int64) GetSystemIdentifier() &&
		database == (int64) MyDatabaseId;
}

/* The same as the extension's owner; a match is remembered. */
static bool
compare_identity(bool *recorded)
{
	DxIdentity	saved;
	bool		matches;

	dx_engine_enter(&saved);
	matches = identity_matches(recorded);
	dx_engine_leave(&saved);
	if (matches)
		at_home = dx_extension_oid();
	return matches;
}

/*
 * May runs go on here?  Also false while nothing is recorded: in the middle of
 * a restore runs may stand there before the identity does.  Needs SPI_connect.
 */
bool
dx_database_at_home(void)
{
	bool		recorded;

	return (OidIsValid(at_home) && at_home == dx_extension_oid()) ||
		compare_identity(&recorded);
}

/*
 * Is this a copy that has to stand still until dealix.resume_engine()?  Needs
 * SPI_connect.
 */
bool
dx_database_held(void)
{
	bool		recorded;

	if (OidIsValid(at_home) && at_home == dx_extension_oid())
		return false;
	return !compare_identity(&recorded) && recorded;
}

/*
 * Records this database's identity, if none is recorded: called with the first
 * publish.  Needs SPI_connect and dx_engine_enter.
 */
void
dx_identity_record(void)
{
	Datum		values[2];

	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = Int64GetDatum((int64) MyDatabaseId);
	(void) dx_execute(&record_statement, values, NULL, false, 0);
}

/*
 * Rows that came by logical replication have numbers that the sequences here
 * have not given out: they go on behind them.  Names are those of our own
 * tables.
 */
static void
raise_sequences(void)
{
	List	   *statements = NIL;
	ListCell   *lc;

	(void) dx_execute(&sequences_statement, NULL, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
		statements = lappend(statements, SPI_getvalue(SPI_tuptable->vals[i],
													  SPI_tuptable->tupdesc, 1));
	foreach(lc, statements)
	{
		if (SPI_execute(lfirst(lc), false, 0) != SPI_OK_SELECT)
			elog(ERROR, "could not execute \"%s\"", (char *) lfirst(lc));
	}
}

/*
 * Makes this database the one whose runs stand in it.  Returns false if it
 * already was.  Needs SPI_connect.
 */
bool
dx_identity_adopt(void)
{
	DxIdentity	saved;
	Datum		values[2];

	if (dx_database_at_home())
		return false;
	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = Int64GetDatum((int64) MyDatabaseId);
	dx_engine_enter(&saved);
	(void) dx_execute(&adopt_statement, values, NULL, false, 0);
	raise_sequences();
	dx_slots_restored();
	dx_engine_leave(&saved);
	dx_roles_note_all();
	return true;
}
