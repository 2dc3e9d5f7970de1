-- For applications: start runs, talk to them, ask for their outcome.

CREATE FUNCTION dealix.start(workflow text, input jsonb DEFAULT '{}', key text DEFAULT NULL,
	correlation_id text DEFAULT NULL, traceparent text DEFAULT NULL, priority int DEFAULT 0,
	durability text DEFAULT 'sync', version int DEFAULT NULL) RETURNS uuid
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_start';
COMMENT ON FUNCTION dealix.start(text, jsonb, text, text, text, int, text, int) IS
'Starts a run in the caller''s transaction and returns its run_id: it exists if and only if the transaction commits. The current user becomes its owner; its steps run with that role''s rights. key: idempotency key; the same key and input give the same run, another input is an error (23505). priority: higher goes first. durability: sync or async. version: default the latest.';

CREATE FUNCTION dealix.start_many(workflow text, inputs jsonb[], keys text[] DEFAULT NULL,
	correlation_id text DEFAULT NULL, traceparent text DEFAULT NULL, priority int DEFAULT 0,
	durability text DEFAULT 'sync', version int DEFAULT NULL) RETURNS SETOF uuid
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_start_many';
COMMENT ON FUNCTION dealix.start_many(text, jsonb[], text[], text, text, int, text, int) IS
'Starts a run for each input, as dealix.start does, and returns their run_ids in the same order. All or none.';

CREATE FUNCTION dealix.signal(run_id uuid, name text, payload jsonb DEFAULT 'null', key text DEFAULT NULL) RETURNS boolean
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_signal';
COMMENT ON FUNCTION dealix.signal(uuid, text, jsonb, text) IS
'Sends a named message to a run. It is kept until a signal: state of the run asks for it, whichever comes first. key: a signal of this name with the same key is sent to the run once; false means that it was sent before, even if the run has ended meanwhile. A name that no state of the run''s version asks for is a notice; dealix.signals shows what nobody has taken. Errors: P0002 no such run, DX006 the run has ended.';

CREATE FUNCTION dealix.cancel(run_id uuid, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_cancel';
COMMENT ON FUNCTION dealix.cancel(uuid, text) IS
'Asks a run to stop: it compensates what it has completed and ends CANCELLED. Returns false when it has ended already.';

CREATE FUNCTION dealix.tick(max_runs int DEFAULT NULL, max_time interval DEFAULT NULL) RETURNS int
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_tick';
COMMENT ON FUNCTION dealix.tick(int, interval) IS
'Advances due runs of the session user, at most max_runs for about max_time, in the caller''s transaction; returns how many it advanced. For tests, for scripts, and where there are no background workers; CALL dealix.drain() is the same with a commit after each pass. Defaults: dealix_exec.pass_max_runs, dealix_exec.pass_max_time.';

CREATE FUNCTION dealix.raise(error text, cause text DEFAULT NULL) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_raise';
COMMENT ON FUNCTION dealix.raise(text, text) IS
'Fails a sql: step with an error name of your own, which Retry and Catch match in ErrorEquals. Called by the function of the step. Raises SQLSTATE DX001; a null name is a failure without a name (DX000), which only States.ALL and States.TaskFailed match.';
