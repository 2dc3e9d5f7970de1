-- Who may see what: by grants of functions.

CREATE FUNCTION dealix_internal.all_runs() RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dealix_all_runs';
COMMENT ON FUNCTION dealix_internal.all_runs() IS
'A right, as a function: who may execute it sees the runs of all owners in the views. Granted by dealix.grant_access(role, ''operator'' or ''auditor'').';

CREATE FUNCTION dealix_internal.all_history() RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dealix_all_runs';
COMMENT ON FUNCTION dealix_internal.all_history() IS
'A right, as a function: the mark of the access auditor, which has no other function of its own. Granted by dealix.grant_access(role, ''auditor'').';

CREATE FUNCTION dealix_internal.run_visible(owner regrole) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_has_role(owner::oid, 'USAGE')
		OR has_function_privilege('dealix_internal.all_runs()'::regprocedure::oid, 'EXECUTE');
END;
COMMENT ON FUNCTION dealix_internal.run_visible(regrole) IS
'Whether the current user may see runs of this owner: it has the owner''s privileges, or may see all runs.';

CREATE FUNCTION dealix_internal.left_alone(run_id uuid) RETURNS boolean
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'dealix_left_alone';
COMMENT ON FUNCTION dealix_internal.left_alone(uuid) IS
'Whether workers have died so often of this run, and of making it an incident, that the engine leaves it alone. dealix.incidents and dealix.stuck() show such runs.';

CREATE FUNCTION dealix_internal.status_name(status smallint) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dealix_status_name';
COMMENT ON FUNCTION dealix_internal.status_name(smallint) IS
'The name of a run''s status, RUNNING for 1 and so on.';

CREATE FUNCTION dealix_internal.event_name(kind smallint) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dealix_event_name';
COMMENT ON FUNCTION dealix_internal.event_name(smallint) IS
'The name of a kind of history event, run_started for 1 and so on.';
