/*-------------------------------------------------------------------------
 *
 * outbox.c
 *	  Reading the outbox: consumers, deliveries, acknowledgements.
 *
 * A delivery is a row per consumer and event: so a long transaction holds up
 * nothing but itself, and what commits late under a low number is delivered
 * late, not skipped.  The events of one run keep their order, because its
 * passes commit one after the other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "outside/outside.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* One reader of a consumer at a time, so that the order is kept. */
static DxStatement consumer_statement = {
	"SELECT consumer_id FROM dealix.outbox_consumer"
	" WHERE role = $1 AND name = $2 FOR UPDATE",
	2, {OIDOID, TEXTOID}
};

static DxStatement register_statement = {
	"INSERT INTO dealix.outbox_consumer (role, name, created_at)"
	" VALUES ($1, $2, pg_catalog.now()) ON CONFLICT (role, name) DO NOTHING",
	2, {OIDOID, TEXTOID}
};

static DxStatement catch_up_statement = {
	"INSERT INTO dealix.outbox_delivery (consumer_id, outbox_id)"
	" SELECT $1, o.outbox_id FROM dealix.outbox o"
	" WHERE pg_catalog.pg_has_role($2, o.owner::pg_catalog.oid, 'USAGE')"
	" ON CONFLICT DO NOTHING",
	2, {INT4OID, OIDOID}
};

static DxStatement read_statement = {
	"SELECT o.outbox_id, o.topic, o.event FROM dealix.outbox_delivery d"
	" JOIN dealix.outbox o ON o.outbox_id = d.outbox_id"
	" WHERE d.consumer_id = $1 ORDER BY d.outbox_id LIMIT $2",
	2, {INT4OID, INT8OID}
};

/* The lock keeps two consumers from each leaving the last word to the other. */
static DxStatement lock_statement = {
	"SELECT outbox_id FROM dealix.outbox WHERE outbox_id = ANY ($1)"
	" ORDER BY outbox_id FOR UPDATE",
	1, {INT8ARRAYOID}
};

static DxStatement ack_statement = {
	"DELETE FROM dealix.outbox_delivery"
	" WHERE consumer_id = $1 AND outbox_id = ANY ($2)",
	2, {INT4OID, INT8ARRAYOID}
};

static DxStatement done_statement = {
	"DELETE FROM dealix.outbox o WHERE o.outbox_id = ANY ($1) AND NOT EXISTS"
	" (SELECT FROM dealix.outbox_delivery d WHERE d.outbox_id = o.outbox_id)",
	1, {INT8ARRAYOID}
};

static DxStatement rest_statement = {
	"SELECT pg_catalog.array_agg(outbox_id) FROM dealix.outbox_delivery WHERE consumer_id = $1",
	1, {INT4OID}
};

static DxStatement drop_statement = {
	"DELETE FROM dealix.outbox_consumer WHERE consumer_id = $1",
	1, {INT4OID}
};

/* The consumer of this name of the current user, locked; 0: there is none. */
static int32
find_consumer(Oid role, const char *name)
{
	Datum		values[2];
	int32		consumer = 0;

	values[0] = ObjectIdGetDatum(role);
	values[1] = CStringGetTextDatum(name);
	(void) dx_execute(&consumer_statement, values, NULL, false, 1);
	if (SPI_processed > 0)
	{
		DxRow		row = dx_row(0);

		consumer = dx_get_int4(&row);
	}
	SPI_freetuptable(SPI_tuptable);
	return consumer;
}

/*
 * Makes a consumer that gets what the outbox has and what comes.  The lock
 * waits for passes that are writing to it and do not know of the consumer.
 */
static int32
add_consumer(Oid role, const char *name)
{
	Oid			relation = RangeVarGetRelid(makeRangeVar(DX_SCHEMA, "outbox", -1),
											NoLock, false);
	Datum		values[2];
	int32		consumer;

	LockRelationOid(relation, ShareLock);
	values[0] = ObjectIdGetDatum(role);
	values[1] = CStringGetTextDatum(name);
	dx_role_note(role);
	(void) dx_execute(&register_statement, values, NULL, false, 0);
	consumer = find_consumer(role, name);
	values[0] = Int32GetDatum(consumer);
	values[1] = ObjectIdGetDatum(role);
	(void) dx_execute(&catch_up_statement, values, NULL, false, 0);
	return consumer;
}

/*
 * The oldest events that the consumer has not acknowledged, in SPI_tuptable.
 * Needs SPI_connect.
 */
uint64
dx_outbox_read(const char *name, int max)
{
	DxIdentity	saved;
	Oid			role = GetUserId();
	Datum		values[2];
	int32		consumer;

	dx_engine_enter(&saved);
	consumer = find_consumer(role, name);
	if (consumer == 0)
		consumer = add_consumer(role, name);
	values[0] = Int32GetDatum(consumer);
	values[1] = Int64GetDatum(max);
	(void) dx_execute(&read_statement, values, NULL, false, 0);
	dx_engine_leave(&saved);
	return SPI_processed;
}

static int32
existing_consumer(Oid role, const char *name)
{
	int32		consumer = find_consumer(role, name);

	if (consumer == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" has no consumer \"%s\"",
						GetUserNameFromId(role, false), name),
				 errhint("dealix.read_outbox() makes one.")));
	return consumer;
}

static int64
acknowledge(int32 consumer, Datum ids)
{
	Datum		values[2];
	int64		acknowledged;

	values[0] = ids;
	(void) dx_execute(&lock_statement, values, NULL, false, 0);
	SPI_freetuptable(SPI_tuptable);
	values[0] = Int32GetDatum(consumer);
	values[1] = ids;
	(void) dx_execute(&ack_statement, values, NULL, false, 0);
	acknowledged = (int64) SPI_processed;
	values[0] = ids;
	(void) dx_execute(&done_statement, values, NULL, false, 0);
	return acknowledged;
}

/*
 * Takes events (an array of int8) off the consumer's list; returns how many
 * were on it.  Errors: 42704 no such consumer.
 */
int64
dx_outbox_ack(const char *name, Datum ids)
{
	DxIdentity	saved;
	Oid			role = GetUserId();
	int64		acknowledged;

	dx_engine_enter(&saved);
	acknowledged = acknowledge(existing_consumer(role, name), ids);
	dx_engine_leave(&saved);
	return acknowledged;
}

/* A consumer that nobody needs any more.  false: there is none. */
bool
dx_outbox_drop(const char *name)
{
	DxIdentity	saved;
	Oid			role = GetUserId();
	Datum		values[1];
	int32		consumer;
	Datum		rest;
	bool		isnull;

	dx_engine_enter(&saved);
	consumer = find_consumer(role, name);
	if (consumer != 0)
	{
		values[0] = Int32GetDatum(consumer);
		(void) dx_execute(&rest_statement, values, NULL, false, 1);
		rest = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		if (!isnull)
			(void) acknowledge(consumer, PointerGetDatum(DatumGetArrayTypePCopy(rest)));
		(void) dx_execute(&drop_statement, values, NULL, false, 0);
	}
	dx_engine_leave(&saved);
	return consumer != 0;
}
