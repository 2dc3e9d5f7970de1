/*-------------------------------------------------------------------------
 *
 * start.c
 *	  Starting runs, in the caller's transaction.
 *
 * A start writes the run and its main branch, no more: the first pass writes
 * the event, and takes the branch's data from the run's input.  Idempotency is
 * the primary key of dealix.run_key: whoever has claimed a key there starts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/bulk.h"
#include "base/catalog.h"
#include "base/clock.h"
#include "base/guc.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/server.h"
#include "base/sqlstate.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/model.h"
#include "engine/owner.h"
#include "engine/payload_limit.h"
#include "engine/requester.h"
#include "engine/role.h"
#include "engine/start.h"
#include "engine/trust.h"
#include "engine/version.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* In order of the keys, so that those who claim many take turns. */
static DxStatement claim_statement = {
	"INSERT INTO dealix.run_key (workflow_id, owner, key, run_id)"
	" SELECT $1, $2, u.key, u.run_id FROM unnest($3, $4) WITH ORDINALITY AS u(key, run_id, n)"
	" WHERE u.key IS NOT NULL ORDER BY u.key, u.n ON CONFLICT DO NOTHING RETURNING run_id",
	4, {INT4OID, OIDOID, TEXTARRAYOID, UUIDARRAYOID}
};

/* The key goes on with the line. */
static DxStatement pass_on_statement = {
	"UPDATE dealix.run_key SET run_id = $4 WHERE workflow_id = $1 AND owner = $2 AND key = $3",
	4, {INT4OID, OIDOID, TEXTOID, UUIDOID}
};

/* The key is with the last run of a line, the input that it stands for with the first. */
static DxStatement existing_statement = {
	"SELECT r.run_id, COALESCE((SELECT f.input FROM dealix.run f"
	" WHERE f.run_id = r.first_run), r.input) = $4 FROM dealix.run_key k"
	" JOIN dealix.run r ON r.run_id = k.run_id"
	" WHERE k.workflow_id = $1 AND k.owner = $2 AND k.key = $3",
	4, {INT4OID, OIDOID, TEXTOID, JSONBOID}
};

/* The run that already has this key; an error if it was given another input. */
static void
take_existing(const DxStart *start, const DxVersion *version, Oid owner,
			  Jsonb *input, const char *key, pg_uuid_t *run_id)
{
	Datum		values[4];
	bool		isnull;
	bool		same;

	values[0] = Int32GetDatum(version->workflow_id);
	values[1] = ObjectIdGetDatum(owner);
	values[2] = CStringGetTextDatum(key);
	values[3] = JsonbPGetDatum(input);
	(void) dx_execute(&existing_statement, values, NULL, false, 1);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not start a run with key \"%s\" due to a concurrent start", key),
				 errhint("Try the transaction again.")));
	*run_id = *DatumGetUUIDP(SPI_getbinval(SPI_tuptable->vals[0],
										   SPI_tuptable->tupdesc, 1, &isnull));
	same = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
									  SPI_tuptable->tupdesc, 2, &isnull));
	SPI_freetuptable(SPI_tuptable);
	if (!same && !start->any_input)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("key \"%s\" of workflow \"%s\" was already used with another input",
						key, start->workflow),
				 errdetail("Run %s has it.", dx_uuid_text(run_id)),
				 errhint("Use a key that stands for this input, or the run that exists.")));
}

/* Who asks for the run, as the table has it: an approver must be somebody else. */
typedef struct Requesters
{
	Oid			first;			/* InvalidOid: the owner himself */
	ArrayType  *others;			/* NULL: nobody else */
} Requesters;

/* Who asks for these runs: of a session, whoever has logged in. */
static Requesters
requesters_of(const DxStart *start, Oid owner)
{
	List	   *line = start->requesters != NIL ? start->requesters : dx_requesters_now();
	Oid			first = linitial_oid(line);
	Requesters	requesters;

	requesters.first = first == owner ? InvalidOid : first;
	requesters.others = dx_requesters_array(dx_requesters_but(line, first, owner));
	return requesters;
}

/*
 * A run that begins later has a timer like that of a retry: nothing but the
 * time makes it go, not a signal that comes before it.
 */
static DxPhase
first_phase(const DxStart *start, TimestampTz now)
{
	return start->due_at > now ? DX_PHASE_RETRY : DX_PHASE_READY;
}

/*
 * When the main branch is due.  Nothing else wakes it; bulk.c does not look at
 * the constraint that says so.  Errors: 22008.
 */
static TimestampTz
first_due(const DxStart *start, TimestampTz now)
{
	TimestampTz due_at = start->due_at ? start->due_at : now;

	if (TIMESTAMP_NOT_FINITE(due_at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("a run of workflow \"%s\" cannot start at infinity", start->workflow)));
	return due_at;
}

/*
 * A hint would let a run go ahead of those that wait in the tables; one of low
 * priority has its turn when the scan comes to it.
 */
static void
wake(const DxStart *start, Oid owner, const pg_uuid_t *run_id, TimestampTz now)
{
	if (start->due_at > now)
		dx_wake_at(start->due_at);
	else if (start->priority < 0)
		dx_wake_many(owner);
	else
		dx_wake_run(owner, run_id, start->priority);
}

/* The id that was asked for, or a new one. */
static void
choose_id(const DxStart *start, pg_uuid_t *run_id)
{
	if (start->run_id != NULL)
		*run_id = *start->run_id;
	else
		dx_uuid_v7(run_id);
}

/* A text column; NULL is null. */
static void
set_text(DxNewRow *row, AttrNumber column, const char *text)
{
	if (text != NULL)
		dx_set(row, column, CStringGetTextDatum(text));
}

/* A row of dealix.run, the n-th of the start. */
static void
add_run(DxBulk *bulk, const DxStart *start, const DxVersion *version, Oid owner,
		const Requesters *requesters, int n, Jsonb *input, const char *key,
		const pg_uuid_t *run_id, TimestampTz now)
{
	DxNewRow	row;

	dx_new_row(&row, Natts_run);
	dx_set(&row, Anum_run_run_id, UUIDPGetDatum(run_id));
	dx_set(&row, Anum_run_created_at, TimestampTzGetDatum(now));
	dx_set(&row, Anum_run_workflow_id, Int32GetDatum(version->workflow_id));
	dx_set(&row, Anum_run_version_id, Int32GetDatum(version->version_id));
	dx_set(&row, Anum_run_owner, ObjectIdGetDatum(owner));
	dx_set(&row, Anum_run_history_seq, Int32GetDatum(0));
	dx_set(&row, Anum_run_status, Int16GetDatum(DX_RUN_RUNNING));
	dx_set(&row, Anum_run_priority, Int16GetDatum(start->priority));
	dx_set(&row, Anum_run_durability, Int16GetDatum(start->durability));
	set_text(&row, Anum_run_key, key);
	set_text(&row, Anum_run_correlation_id, start->correlation_id);
	set_text(&row, Anum_run_traceparent, start->traceparent);
	dx_set(&row, Anum_run_input, JsonbPGetDatum(input));
	if (OidIsValid(requesters->first))
		dx_set(&row, Anum_run_requester, ObjectIdGetDatum(requesters->first));
	if (start->parent != NULL)
	{
		dx_set(&row, Anum_run_parent_run, UUIDPGetDatum(start->parent));
		dx_set(&row, Anum_run_parent_branch, Int32GetDatum(start->parent_branch));
		dx_set(&row, Anum_run_parent_ticket,
			   UUIDPGetDatum(start->parent_ticket ? start->parent_ticket : run_id));
	}
	dx_set(&row, Anum_run_close_policy, Int16GetDatum(start->close_policy));
	dx_set(&row, Anum_run_depth, Int16GetDatum(start->depth));
	if (start->items != NULL)
		dx_set(&row, Anum_run_item, Int32GetDatum(start->items[n]));
	set_text(&row, Anum_run_map_state, start->map_state);
	if (start->first_run != NULL)
		dx_set(&row, Anum_run_first_run, UUIDPGetDatum(start->first_run));
	if (requesters->others != NULL)
		dx_set(&row, Anum_run_requesters, PointerGetDatum(requesters->others));
	dx_bulk_add(bulk, &row);
}

/* The main branch at its beginning. */
static void
add_branch(DxBulk *bulk, const DxStart *start, Oid owner,
		   const pg_uuid_t *run_id, TimestampTz now)
{
	DxNewRow	row;

	dx_new_row(&row, Natts_branch);
	dx_set(&row, Anum_branch_run_id, UUIDPGetDatum(run_id));
	dx_set(&row, Anum_branch_due_at, TimestampTzGetDatum(first_due(start, now)));
	dx_set(&row, Anum_branch_owner, ObjectIdGetDatum(owner));
	dx_set(&row, Anum_branch_branch, Int32GetDatum(0));
	dx_set(&row, Anum_branch_phase, Int16GetDatum(first_phase(start, now)));
	dx_set(&row, Anum_branch_rank, Int16GetDatum(-start->priority));
	dx_bulk_add(bulk, &row);
}

/* The keys as an array; a NULL is null. */
static Datum
key_array(char **keys, int n)
{
	Datum	   *values = palloc(sizeof(Datum) * n);
	bool	   *nulls = palloc(sizeof(bool) * n);
	int			lower = 1;

	for (int i = 0; i < n; i++)
	{
		nulls[i] = keys[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(keys[i]);
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lower, TEXTOID, -1,
											  false, TYPALIGN_INT));
}

/* For qsort and bsearch. */
static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, UUID_LEN);
}

/*
 * Claims the keys for the runs.  Sets *existing to which of the runs are not to be started,
 * because others have their keys; waits for those who claim the same.
 */
static void
claim_keys(const DxVersion *version, Oid owner, int n, char **keys,
		   const pg_uuid_t *run_ids, bool *existing)
{
	pg_uuid_t  *claimed;
	int			nclaimed;
	Datum		values[4];

	values[0] = Int32GetDatum(version->workflow_id);
	values[1] = ObjectIdGetDatum(owner);
	values[2] = key_array(keys, n);
	values[3] = dx_uuid_array(run_ids, n);
	(void) dx_execute(&claim_statement, values, NULL, false, 0);
	nclaimed = (int) SPI_processed;
	claimed = palloc(sizeof(pg_uuid_t) * Max(nclaimed, 1));
	for (int i = 0; i < nclaimed; i++)
	{
		DxRow		row = dx_row(i);

		(void) dx_get_uuid(&row, &claimed[i]);
	}
	SPI_freetuptable(SPI_tuptable);
	qsort(claimed, nclaimed, sizeof(pg_uuid_t), compare_ids);
	for (int i = 0; i < n; i++)
		existing[i] = keys[i] != NULL &&
			bsearch(&run_ids[i], claimed, nclaimed, sizeof(pg_uuid_t), compare_ids) == NULL;
}

/* The run that goes on in the place of another has its key from now on. */
static void
pass_on_key(const DxVersion *version, Oid owner, const char *key, const pg_uuid_t *run_id)
{
	Datum		values[4];

	values[0] = Int32GetDatum(version->workflow_id);
	values[1] = ObjectIdGetDatum(owner);
	values[2] = CStringGetTextDatum(key);
	values[3] = UUIDPGetDatum(run_id);
	(void) dx_execute(&pass_on_statement, values, NULL, false, 0);
	Assert(SPI_processed == 1);
}

/* Writes the runs, all rows at once, but those whose keys others have. */
static void
add_runs(const DxStart *start, const DxVersion *version, Oid owner, int n,
		 Jsonb **inputs, char **keys, const pg_uuid_t *run_ids, const bool *existing)
{
	DxBulk	   *runs = dx_bulk_open("run", Natts_run);
	DxBulk	   *branches = dx_bulk_open("branch", Natts_branch);
	Requesters	requesters = requesters_of(start, owner);
	TimestampTz now = dx_now();

	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (existing[i])
			continue;
		add_run(runs, start, version, owner, &requesters, i, inputs[i],
				keys ? keys[i] : NULL, &run_ids[i], now);
		add_branch(branches, start, owner, &run_ids[i], now);
		wake(start, owner, &run_ids[i], now);
	}
	dx_bulk_close(runs);
	dx_bulk_close(branches);
}

/* Starts the runs that do not exist yet; the ids of the others take their place. */
static void
start_runs(const DxStart *start, const DxVersion *version, Oid owner, int n,
		   Jsonb **inputs, char **keys, pg_uuid_t *run_ids)
{
	bool	   *existing = palloc0(sizeof(bool) * Max(n, 1));
	bool		keyed = false;

	for (int i = 0; i < n; i++)
	{
		choose_id(start, &run_ids[i]);
		keyed = keyed || (keys != NULL && keys[i] != NULL);
	}
	if (keyed && start->first_run != NULL)
		pass_on_key(version, owner, keys[0], &run_ids[0]);
	else if (keyed)
		claim_keys(version, owner, n, keys, run_ids, existing);
	add_runs(start, version, owner, n, inputs, keys, run_ids, existing);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (existing[i])
			take_existing(start, version, owner, inputs[i], keys[i], &run_ids[i]);
	}
}

/*
 * Refuses a version whose effects leave the company before somebody has released
 * it. Errors: DX010.
 */
static void
check_release(const DxStart *start, const DxVersion *version)
{
	if (!version->unreleased || dx_governance == DX_GOVERNANCE_OFF)
		return;
	ereport(ERROR,
			(errcode(DX_SQLSTATE_NOT_RELEASED),
			 errmsg("version %d of workflow \"%s\" has external effects and is not released",
					version->version, start->workflow),
			 errhint("Somebody who is not its author releases it: SELECT dealix.release('%s', %d, 'comment'); dealix.release_check() says what is missing.",
					 start->workflow, version->version)));
}

/*
 * Would the start be refused because of roles?  false: problem says why.  For
 * passes, which must not fail because of it.  Needs SPI_connect and
 * dx_engine_enter.  Errors: 42704 no such workflow or version.
 */
bool
dx_start_allowed(const DxStart *start, DxOwnerProblem *problem)
{
	DxVersion	version;

	if (!dx_owner_allowed(start->owner, problem))
		return false;
	dx_version_find(start->workflow, start->version, &version);
	if (version.unreleased && dx_governance != DX_GOVERNANCE_OFF)
	{
		problem->sqlstate = DX_SQLSTATE_NOT_RELEASED;
		problem->message = psprintf("version %d of workflow \"%s\" has external effects and is not released",
									version.version, start->workflow);
		problem->detail = problem->hint = "";
		return false;
	}
	if (dx_trusts(start->owner, version.author))
		return true;
	problem->sqlstate = ERRCODE_INSUFFICIENT_PRIVILEGE;
	problem->message = psprintf("role %s does not trust role %s, whose workflow \"%s\" is",
								dx_role_text(start->owner), dx_role_text(version.author),
								start->workflow);
	problem->detail = problem->hint = "";
	return false;
}

/*
 * Starts n runs of the current user.  keys: NULL, or an idempotency key or
 * NULL for each.  Needs SPI_connect.  Errors: 42704 no such workflow or
 * version, DX007 the role cannot log in, 42501 it is a superuser or does not
 * trust the author, DX009 input too large, 22023 key or correlation id too
 * long or empty, 23505 key used
 * with another input.
 */
void
dx_start(const DxStart *start, int n, Jsonb **inputs, char **keys,
		 pg_uuid_t *run_ids)
{
	DxIdentity	saved;
	DxVersion	version;
	Oid			owner = OidIsValid(start->owner) ? start->owner : GetUserId();
	int			i;

	Assert(n >= 0);
	Assert(start->first_run == NULL || n == 1);
	dx_owner_check(owner);
	dx_check_label(start->correlation_id, "correlation_id");
	for (i = 0; i < n; i++)
	{
		dx_check_payload(inputs[i], "the input");
		if (keys != NULL)
			dx_check_label(keys[i], "key");
	}

	dx_engine_enter(&saved);
	dx_version_find(start->workflow, start->version, &version);

	/* Items of a Map belong to a run that has been allowed. */
	if (start->items == NULL)
		check_release(start, &version);
	if (start->items == NULL)
		dx_trust_check(owner, version.author, start->workflow);
	dx_role_note(owner);
	start_runs(start, &version, owner, n, inputs, keys, run_ids);
	dx_engine_leave(&saved);
	if (start->durability == DX_DURABILITY_SYNC)
		dx_force_durable();
}
