/*-------------------------------------------------------------------------
 *
 * intent_key.c
 *	  Idempotency keys of effects: of a tenant and a key one goes out.
 *
 * Whoever has claimed a key in dealix.intent_key goes on; others wait for what
 * becomes of it.  An intent that is refused, or has failed, gives its key back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/catalog.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/inbox.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "executor/spi.h"
#include "governance/intent.h"
#include "governance/intent_key.h"
#include "outside/timer.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

static DxStatement claim_key_statement = {
	"INSERT INTO dealix.intent_key (tenant, key, intent_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
	3, {TEXTOID, TEXTOID, UUIDOID}
};

static DxStatement hand_over_statement = {
	"INSERT INTO dealix.intent_key (tenant, key, intent_id) VALUES ($1, $2, $3)"
	" ON CONFLICT (tenant, key) DO UPDATE SET intent_id = EXCLUDED.intent_id",
	3, {TEXTOID, TEXTOID, UUIDOID}
};

/* The lock makes what we see of it last until we have said that we wait. */
static DxStatement twin_statement = {
	"SELECT i.intent_id, i.status, i.outcome FROM dealix.intent_key k"
	" JOIN dealix.intent i ON i.intent_id = k.intent_id"
	" WHERE k.tenant = $1 AND k.key = $2 FOR SHARE OF i",
	2, {TEXTOID, TEXTOID}
};

static DxStatement follow_statement = {
	"INSERT INTO dealix.intent_wait (intent_id, ticket, run_id, branch, attempt, owner)"
	" VALUES ($1, $2, $3, $4, $5, $6)",
	6, {UUIDOID, UUIDOID, UUIDOID, INT4OID, INT4OID, OIDOID}
};

/* Whoever waits for one that is over hears of it, and may go on. */
static DxStatement tell_statement = {
	"WITH w AS MATERIALIZED (DELETE FROM dealix.intent_wait w WHERE w.intent_id = ANY ($1)"
	" RETURNING w.*)"
	DX_INBOX_SEND("w.run_id", DX_SENT_NOW, "w.owner",
				  "CASE i.status WHEN " DX_SQL(INTENT_DONE) " THEN " DX_SQL(MESSAGE_COMPLETED)
				  " ELSE " DX_SQL(MESSAGE_FAILED) " END", "w.owner", "NULL", "i.name",
				  "w.branch", "w.ticket", "w.attempt", "i.outcome",
				  "FROM w JOIN dealix.intent i ON i.intent_id = w.intent_id")
	DX_INBOX_RECEIVERS,
	1, {UUIDARRAYOID}
};

static DxStatement release_statement = {
	"DELETE FROM dealix.intent_key k USING dealix.intent i WHERE i.intent_id = ANY ($1)"
	" AND i.status <> ALL (ARRAY[" DX_SQL(INTENT_DONE) ", " DX_SQL(INTENT_UNKNOWN) "])"
	" AND k.tenant = i.tenant AND k.key = i.key AND k.intent_id = i.intent_id",
	1, {UUIDARRAYOID}
};

/* The intent of this pass that has the key, if there is one. */
static DxIntent *
find_in_pass(const DxPass *pass, const DxIntent *intent)
{
	ListCell   *lc;

	foreach(lc, pass->intents)
	{
		DxIntent   *other = lfirst(lc);

		if (other != intent && other->key != NULL && !other->gave_key_back &&
			strcmp(other->key, intent->key) == 0 &&
			strcmp(other->tenant, intent->tenant) == 0)
			return other;
	}
	return NULL;
}

/* Does the key stay with an intent in this status? */
static bool
keeps_key(DxIntentStatus status)
{
	return status == DX_INTENT_DONE || status == DX_INTENT_UNKNOWN || !dx_intent_is_over(status);
}

/* Claims the key against other passes; fills *twin with who has it. */
static bool
claim_in_table(const DxIntent *intent, DxTwin *twin)
{
	Datum		values[3];
	DxRow		row;

	values[0] = CStringGetTextDatum(intent->tenant);
	values[1] = CStringGetTextDatum(intent->key);
	values[2] = UUIDPGetDatum(&intent->id);
	for (int tries = 0; tries < 3; tries++)
	{
		(void) dx_execute(&claim_key_statement, values, NULL, false, 0);
		if (SPI_processed == 1)
			return true;
		(void) dx_execute(&twin_statement, values, NULL, false, 1);
		if (SPI_processed > 0)
			break;
		SPI_freetuptable(SPI_tuptable);
	}
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not claim the idempotency key \"%s\" of tenant \"%s\"",
						intent->key, intent->tenant)));
	row = (DxRow) dx_row(0);
	(void) dx_get_uuid(&row, &twin->id);
	twin->status = dx_get_int2(&row);
	twin->outcome = dx_get_jsonb(&row);
	SPI_freetuptable(SPI_tuptable);
	return false;
}

/*
 * The idempotency key of the intent is its own from now on.  false: another
 * intent has it, see *twin.  Between dx_engine_enter and dx_engine_leave.
 * Errors: 40001 when that one has just given it back.
 */
bool
dx_intent_claim_key(const DxPass *pass, const DxIntent *intent, DxTwin *twin)
{
	DxIntent   *other = find_in_pass(pass, intent);
	Datum		values[3];

	if (other == NULL)
		return claim_in_table(intent, twin);
	if (keeps_key(other->status))
	{
		twin->id = other->id;
		twin->status = other->status;
		twin->outcome = other->outcome;
		return false;
	}
	/* It was refused, or has failed, a moment ago: the key is handed over. */
	other->gave_key_back = true;
	values[0] = CStringGetTextDatum(intent->tenant);
	values[1] = CStringGetTextDatum(intent->key);
	values[2] = UUIDPGetDatum(&intent->id);
	(void) dx_execute(&hand_over_statement, values, NULL, false, 0);
	return true;
}

/* The branch wants to know what becomes of that intent.  Needs SPI_connect. */
void
dx_intent_follow(const DxTwin *twin, const DxRun *run, const DxBranch *branch)
{
	Datum		values[6];

	Assert(branch->ticketed);
	values[0] = UUIDPGetDatum(&twin->id);
	values[1] = UUIDPGetDatum(&branch->ticket);
	values[2] = UUIDPGetDatum(&run->id);
	values[3] = Int32GetDatum(branch->branch);
	values[4] = Int32GetDatum(branch->attempt);
	values[5] = ObjectIdGetDatum(run->owner);
	dx_query(&follow_statement, values, NULL, false, 0);
}

/*
 * Keys of intents that are over (of pg_uuid_t *) are free, or say what came of it.
 * Between dx_engine_enter and dx_engine_leave.
 */
void
dx_intent_keys_settle(List *ids)
{
	pg_uuid_t  *array = palloc(sizeof(pg_uuid_t) * Max(list_length(ids), 1));
	Datum		values[1];
	ListCell   *lc;

	if (ids == NIL)
		return;
	foreach(lc, ids)
		array[foreach_current_index(lc)] = *(pg_uuid_t *) lfirst(lc);
	values[0] = dx_uuid_array(array, list_length(ids));
	(void) dx_execute(&release_statement, values, NULL, false, 0);
	(void) dx_execute(&tell_statement, values, NULL, false, 0);
	dx_wake_returned();
}

/* An intent is refused: its key is free.  Between dx_engine_enter and dx_engine_leave. */
void
dx_intent_key_release(const pg_uuid_t *id)
{
	dx_intent_keys_settle(list_make1(unconstify(pg_uuid_t *, id)));
}
