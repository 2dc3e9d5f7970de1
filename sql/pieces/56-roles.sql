-- Roles that come and go.

CREATE FUNCTION dealix.reassign(from_role dealix.role, to_role regrole) RETURNS bigint
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_reassign';
COMMENT ON FUNCTION dealix.reassign(dealix.role, regrole) IS
'Hands over what a role has: live runs, workflows, schedules, bindings, consumers and trust; afterwards DROP ROLE does not refuse it because of the engine. REASSIGN OWNED does not do it: call this as well. Each live run has it in its history; runs that have ended stay as they were. from_role may be one that does not exist, as dealix.owners names it. Waits for passes that go on. Returns the number of live runs. For members of both roles, and superusers for a role that does not exist. Errors: 42501, 23505 the other role has a schedule, a consumer or a run with a key of the same name.';

CREATE VIEW dealix.owner_details WITH (security_barrier) AS
SELECT o.role::text AS role, CASE WHEN r.oid IS NULL THEN o.name ELSE r.rolname END AS name,
	(SELECT count(DISTINCT b.run_id) FROM dealix.branch b WHERE b.owner::oid = o.role::oid) AS live_runs,
	(SELECT count(*) FROM dealix.workflow w WHERE w.author::oid = o.role::oid) AS workflows,
	(SELECT count(*) FROM dealix.schedule s WHERE s.owner::oid = o.role::oid) AS schedules,
	CASE WHEN r.oid IS NULL THEN 'the role does not exist: its runs are held'
		WHEN NOT r.rolcanlogin THEN 'it may not log in: it starts no runs, and those that it has are held'
		WHEN r.rolsuper AND current_setting('dealix_exec.superuser_runs', true) IS DISTINCT FROM 'on'
			THEN 'it is a superuser: it starts no runs, and those that it has are held' END AS problem,
	CASE WHEN r.oid IS NULL THEN format('SELECT dealix.reassign(%L, ''a role that exists'')', o.role::text)
		WHEN NOT r.rolcanlogin THEN format('ALTER ROLE %I LOGIN', r.rolname)
		WHEN r.rolsuper AND current_setting('dealix_exec.superuser_runs', true) IS DISTINCT FROM 'on'
			THEN format('SELECT dealix.reassign(%L, ''an ordinary role'')', o.role::text) END AS what_to_do
FROM dealix.known_role o
LEFT JOIN pg_roles r ON r.oid = o.role::oid
WHERE dealix_internal.run_visible(o.role);
COMMENT ON VIEW dealix.owner_details IS 'Roles that have or had runs, workflows or schedules; problem: why their runs are held, and what to do about it.';
