-- For workers: programs outside that do activity tasks.

CREATE FUNCTION dealix_internal.all_activities() RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dealix_all_activities';
COMMENT ON FUNCTION dealix_internal.all_activities() IS
'A right, as a function: who may execute it does the activity tasks of all owners, not only of its own roles. Granted by dealix.grant_access(role, ''worker'').';

CREATE FUNCTION dealix.claim(activity text, worker text, max int DEFAULT 1, lease interval DEFAULT NULL)
RETURNS TABLE (token text, input jsonb, run_id uuid, state text, deadline timestamptz,
	correlation_id text, traceparent text, details jsonb, idempotency_key text, attempt int, task uuid)
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_claim';
COMMENT ON FUNCTION dealix.claim(text, text, int, interval) IS
'Leases up to max tasks of an activity to a worker, the most important and oldest first. Commit before doing the work. The lease lasts until deadline: heartbeats move it on, by lease or the HeartbeatSeconds of the state, up to its TimeoutSeconds; without any of these it is 5 minutes. idempotency_key is the same for every attempt: give it to the receiver of the effect. details: what the last heartbeat of an attempt before said. Tasks of all owners that the caller may do are in one line. Errors: DX008 in a database that is held; 22023 when lease is longer than dealix_exec.max_lease.';

CREATE FUNCTION dealix.heartbeat(token text, details jsonb DEFAULT NULL) RETURNS boolean
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_heartbeat';
COMMENT ON FUNCTION dealix.heartbeat(text, jsonb) IS
'Renews a lease and keeps details for the next attempt. Returns false when the run no longer wants the task (it was cancelled): stop, and answer with dealix.fail. Errors: DX003 when the token is refused.';

CREATE FUNCTION dealix.complete(token text, output jsonb DEFAULT 'null') RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_complete';
COMMENT ON FUNCTION dealix.complete(text, jsonb) IS
'Ends a task with its output, in the caller''s transaction: together with what the worker has written there, or not at all. Returns COMPLETED. Said again, because the answer got lost, it returns what the token''s outcome was (COMPLETED, FAILED, CANCELLED), for dealix_exec.outcome_retention. Errors: DX003 when the token is refused: the lease was over, or the run no longer wants it.';

CREATE FUNCTION dealix.complete_many(tokens text[], outputs jsonb[]) RETURNS SETOF text
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_complete_many';
COMMENT ON FUNCTION dealix.complete_many(text[], jsonb[]) IS
'dealix.complete for many tasks in one statement. Returns the outcomes in the same order; REFUSED, where dealix.complete would raise the error.';

CREATE FUNCTION dealix.fail(token text, error text, cause text DEFAULT NULL, retryable boolean DEFAULT true) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_fail';
COMMENT ON FUNCTION dealix.fail(text, text, text, boolean) IS
'Ends an attempt at a task with an error, which Retry and Catch of the state match by name. retryable => false: no Retry, whatever the definition says. Returns FAILED, or CANCELLED when the run no longer wanted the task; said again, the outcome. Errors: DX003 when the token is refused.';

CREATE FUNCTION dealix.release_task(task uuid, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_release_task';
COMMENT ON FUNCTION dealix.release_task(uuid, text) IS
'Takes a task (task_id of dealix.activities) away from the worker that has claimed it: its lease is over now, what the worker says is refused, and the state fails with States.Timeout, for Retry and Catch, with who did it and the reason as the cause. Returns false when no worker has it, or one is completing it in an open transaction.';

CREATE PROCEDURE dealix.wait_for_work(activity text, timeout interval DEFAULT '1 minute', INOUT found boolean DEFAULT NULL)
LANGUAGE C AS 'MODULE_PATHNAME', 'dx_wait_for_work';
COMMENT ON PROCEDURE dealix.wait_for_work(text, interval, boolean) IS
'Waits until there is a task of the activity to be claimed, at most for timeout (null: for ever); found tells whether there is one. Outside of a transaction block it commits first and holds no snapshot while it waits. Woken by the commit that makes the task; without shared_preload_libraries it looks every 10 to 200 milliseconds.';

CREATE FUNCTION dealix.limit_activity(activity text, max_in_flight int DEFAULT NULL, rate float8 DEFAULT NULL, per_owner boolean DEFAULT false) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_limit_activity';
COMMENT ON FUNCTION dealix.limit_activity(text, int, float8, boolean) IS
'Limits an activity: at most max_in_flight tasks claimed at a time, and at most rate claims a second (in bursts of up to a second''s worth), over all owners, or with per_owner so many of the tasks of each owner, whatever the others have. Nulls take the limit away. Tasks that are claimed already count if they were claimed under a max_in_flight, also one that was changed or taken away since: when more are in flight than a new limit allows, nothing is claimed until fewer are. A new rate begins with a second''s worth. Errors: 22023 when max_in_flight is not from 1 to 100000 or rate is not from 1e-9 to 1e9.';

CREATE VIEW dealix.activity_details WITH (security_barrier) AS
SELECT t.task_id, t.run_id, t.activity, t.state, t.owner::regrole AS owner, t.attempt, t.worker,
	CASE WHEN t.activity IS NULL THEN 'TOKEN' WHEN t.cancelled THEN 'CANCELLED'
		WHEN t.claimed_at IS NULL THEN 'QUEUED' ELSE 'CLAIMED' END AS status,
	t.created_at, t.claimed_at, t.heartbeat_at,
	LEAST(COALESCE(t.heartbeat_at, t.claimed_at) + t.lease, t.until_at) AS deadline,
	-t.rank AS priority, t.correlation_id, t.input, t.details
FROM dealix.activity_task t
WHERE dealix_internal.run_visible(t.owner);
COMMENT ON VIEW dealix.activity_details IS
'Tasks that are done outside at the moment: queued, claimed by a worker, cancelled (the worker hears of it at its next heartbeat), or waiting for whoever has the task token.';
