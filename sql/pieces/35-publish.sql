CREATE FUNCTION dealix_internal.signal_names(definition jsonb, bindings jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(array_agg(DISTINCT n ORDER BY n), '{}')
	FROM jsonb_path_query(definition, 'strict $.**.Resource') r,
		LATERAL (SELECT coalesce(bindings ->> (r #>> '{}'), r #>> '{}')) u(uri),
		regexp_split_to_table(substr(uri, 8), '[|&]') n
	WHERE jsonb_typeof(r) = 'string' AND starts_with(uri, 'signal:')
$$;
COMMENT ON FUNCTION dealix_internal.signal_names(jsonb, jsonb) IS
'The names of signals that the states of a definition ask for; what dealix.publish notes with a version.';

CREATE FUNCTION dealix.publish(name text, definition jsonb) RETURNS int
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_publish';
COMMENT ON FUNCTION dealix.publish(text, jsonb) IS
'Stores a definition as the next version of a workflow and returns the version. The same definition again gives the latest version. A definition with problems is refused whole (22023); the detail lists every problem with its JSON pointer. New runs use the latest version; runs that go on keep theirs.';

CREATE FUNCTION dealix.publish_text(name text, definition text) RETURNS int
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_publish_text';
COMMENT ON FUNCTION dealix.publish_text(text, text) IS
'Publishes the text of a definition as dealix.publish does, but refuses a member that an object has more than once, of which jsonb keeps the last without a word. For definitions that come from files.';

CREATE FUNCTION dealix.limit_workflow(workflow text, max_concurrency int, per_owner boolean DEFAULT false) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_limit_workflow';
COMMENT ON FUNCTION dealix.limit_workflow(text, int, boolean) IS
'Sets how many runs of a workflow may be in progress at the same time, over all owners, or with per_owner so many of each owner, whatever the others have; null takes the limit away. Runs that are started beyond it wait for their turn, higher priority first. When more are in progress than a lower limit allows, none begins until fewer are. Runs that began when there was no limit, or before it was taken away, are not counted.';
