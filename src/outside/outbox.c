/*-------------------------------------------------------------------------
 *
 * outbox.c
 *	  Reading the outbox: consumers, deliveries, acknowledgements.
 *
 * A consumer's list is not written down: it is what the outbox has of the owners
 * whose privileges its role has, without what it has acknowledged.  So who emits
 * knows nothing of consumers, a new consumer waits for nobody and keeps nobody
 * waiting, and what commits late under a low number is delivered late, not
 * skipped.  The events of one run keep their order, because its passes commit
 * one after the other.
 *
 * An event goes when it was acknowledged, and every consumer whose list it was
 * on has done so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/extension.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/role.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "outside/outbox.h"
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

/* Is the event o on the list of a role, whatever it has acknowledged? */
#define ENTITLED(role) \
	"pg_catalog.pg_has_role(" role ", o.owner::pg_catalog.oid, 'USAGE')"

#define ACKNOWLEDGED(consumer) \
	"EXISTS (SELECT FROM dealix.outbox_ack a" \
	" WHERE a.consumer_id = " consumer " AND a.outbox_id = o.outbox_id)"

/* Owner by owner, so that events of others cost nothing. */
static DxStatement read_statement = {
	"WITH RECURSIVE w(owner) AS ("
	" (SELECT owner FROM dealix.outbox ORDER BY owner LIMIT 1)"
	" UNION ALL SELECT (SELECT n.owner FROM dealix.outbox n WHERE n.owner > w.owner"
	" ORDER BY n.owner LIMIT 1) FROM w WHERE w.owner IS NOT NULL)"
	" SELECT e.outbox_id, e.topic, e.event"
	" FROM (SELECT o.owner FROM w o WHERE o.owner IS NOT NULL AND " ENTITLED("$3") ") m,"
	" LATERAL (SELECT o.outbox_id, o.topic, o.event FROM dealix.outbox o"
	" WHERE o.owner = m.owner AND o.halted IS NULL AND NOT " ACKNOWLEDGED("$1")
	" ORDER BY o.owner, o.outbox_id LIMIT $2) e ORDER BY e.outbox_id LIMIT $2",
	3, {INT4OID, INT8OID, OIDOID}
};

/* The lock keeps two consumers from each leaving the last word to the other. */
static DxStatement lock_statement = {
	"SELECT o.outbox_id FROM dealix.outbox o WHERE o.outbox_id = ANY ($1)"
	" AND " ENTITLED("$2") " ORDER BY o.outbox_id FOR UPDATE",
	2, {INT8ARRAYOID, OIDOID}
};

static DxStatement ack_statement = {
	"INSERT INTO dealix.outbox_ack (consumer_id, outbox_id)"
	" SELECT $1, o.outbox_id FROM dealix.outbox o WHERE o.outbox_id = ANY ($2)"
	" AND " ENTITLED("$3") " ON CONFLICT DO NOTHING",
	3, {INT4OID, INT8ARRAYOID, OIDOID}
};

/* Of the events c those that nobody waits for go. */
#define DELETE_DONE \
	" d AS (DELETE FROM dealix.outbox o USING c WHERE o.outbox_id = c.outbox_id" \
	" AND NOT EXISTS (SELECT FROM dealix.outbox_consumer r WHERE " \
	ENTITLED("r.role::pg_catalog.oid") " AND NOT " ACKNOWLEDGED("r.consumer_id") ")" \
	" RETURNING o.outbox_id)" \
	" DELETE FROM dealix.outbox_ack a USING d WHERE a.outbox_id = d.outbox_id"

/*
 * What the consumer acknowledges now, and some of what it acknowledged before
 * and others have lost the right to, or could not be decided then.
 */
static DxStatement done_statement = {
	"WITH s AS (SELECT outbox_id FROM dealix.outbox_ack WHERE consumer_id = $1"
	" ORDER BY consumer_id, outbox_id LIMIT 100),"
	" c AS MATERIALIZED (SELECT o.outbox_id FROM dealix.outbox o WHERE o.outbox_id IN"
	" (SELECT outbox_id FROM s UNION SELECT a.outbox_id FROM dealix.outbox_ack a"
	" WHERE a.consumer_id = $1 AND a.outbox_id = ANY ($2)) FOR UPDATE SKIP LOCKED),"
	DELETE_DONE,
	2, {INT4OID, INT8ARRAYOID}
};

/* What waited for a consumer that is gone, and somebody else has had. */
static DxStatement dropped_statement = {
	"WITH c AS MATERIALIZED (SELECT o.outbox_id FROM dealix.outbox o WHERE "
	ENTITLED("$1") " AND EXISTS (SELECT FROM dealix.outbox_ack a"
	" WHERE a.outbox_id = o.outbox_id) FOR UPDATE SKIP LOCKED),"
	DELETE_DONE,
	1, {OIDOID}
};

static DxStatement forget_statement = {
	"DELETE FROM dealix.outbox_ack WHERE consumer_id = $1",
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

/* Makes a consumer. */
static int32
add_consumer(Oid role, const char *name)
{
	Datum		values[2];

	values[0] = ObjectIdGetDatum(role);
	values[1] = CStringGetTextDatum(name);
	dx_role_note(role);
	(void) dx_execute(&register_statement, values, NULL, false, 0);
	return find_consumer(role, name);
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
	Datum		values[3];
	int32		consumer;

	dx_engine_enter(&saved);
	consumer = find_consumer(role, name);
	if (consumer == 0)
		consumer = add_consumer(role, name);
	values[0] = Int32GetDatum(consumer);
	values[1] = Int64GetDatum(max);
	values[2] = ObjectIdGetDatum(role);
	(void) dx_execute(&read_statement, values, NULL, false, 0);
	dx_engine_leave(&saved);
	return SPI_processed;
}

/* The number of a consumer. Errors: 42704 there is none. */
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

/*
 * Deletes what nobody waits for any more, by one of the statements above.  A
 * consumer that is being made in an open transaction waits for what we cannot
 * know: then all of it stays, and goes with a later acknowledgement.  The lock
 * is held no longer than the statement, which sees all that is committed,
 * whatever the isolation level: what is emitted for a later consumer is not
 * among what we have seen.
 */
static void
delete_done(DxStatement *statement, Datum *values)
{
	Oid			relation = RangeVarGetRelid(makeRangeVar(DX_SCHEMA, "outbox_consumer", -1),
											NoLock, false);

	if (!ConditionalLockRelationOid(relation, ShareLock))
		return;
	(void) dx_execute_latest(statement, values);
	UnlockRelationOid(relation, ShareLock);
}

/*
 * Notes that the consumer has had these events. Returns how many were its to
 * acknowledge.
 */
static int64
acknowledge(int32 consumer, Oid role, Datum ids)
{
	Datum		values[3];
	int64		acknowledged;

	values[0] = ids;
	values[1] = ObjectIdGetDatum(role);
	(void) dx_execute(&lock_statement, values, NULL, false, 0);
	SPI_freetuptable(SPI_tuptable);
	values[0] = Int32GetDatum(consumer);
	values[1] = ids;
	values[2] = ObjectIdGetDatum(role);
	(void) dx_execute(&ack_statement, values, NULL, false, 0);
	acknowledged = (int64) SPI_processed;
	delete_done(&done_statement, values);
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
	acknowledged = acknowledge(existing_consumer(role, name), role, ids);
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

	dx_engine_enter(&saved);
	consumer = find_consumer(role, name);
	if (consumer != 0)
	{
		values[0] = Int32GetDatum(consumer);
		(void) dx_execute(&forget_statement, values, NULL, false, 0);
		(void) dx_execute(&drop_statement, values, NULL, false, 0);
		values[0] = ObjectIdGetDatum(role);
		delete_done(&dropped_statement, values);
	}
	dx_engine_leave(&saved);
	return consumer != 0;
}
