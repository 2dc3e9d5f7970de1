-- For operators.

CREATE FUNCTION dealix.terminate(run_id uuid, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_terminate';
COMMENT ON FUNCTION dealix.terminate(uuid, text) IS
'Stops a run now: no step, no compensation. If it is being advanced at this moment, it stops when that pass ends, unless the pass ends the run. Returns false when the run has ended already. Errors: P0002 no such run.';

CREATE FUNCTION dealix.kill(run_id uuid, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_kill';
COMMENT ON FUNCTION dealix.kill(uuid, text) IS
'Stops a run that does not heed terminate because its step does not end: as terminate does, and the process that advances it, a worker or a session in tick or drain, is ended when this call commits. Other runs of its pass begin that pass again. Returns false when the run has ended already. Errors: P0002 no such run; 42501 the run is a superuser''s.';

CREATE FUNCTION dealix.redrive(run_id uuid) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_redrive';
COMMENT ON FUNCTION dealix.redrive(uuid) IS
'Goes on from where a run stopped, with the same version: an INCIDENT from its branches (a compensation from the step that could not be undone), a FAILED or TIMED_OUT run that was not compensated from its failed state. Attempts count anew. Errors: DX007 when there is nothing to go on from.';

CREATE FUNCTION dealix.resume_engine() RETURNS boolean
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_resume_engine';
COMMENT ON FUNCTION dealix.resume_engine() IS
'Lets runs go on in a database that is held because it is a copy: from now on this is the database whose runs stand in it. Make sure that the original does not run as well. Returns false when the database was not held.';

CREATE FUNCTION dealix.held() RETURNS boolean
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'dealix_held';
COMMENT ON FUNCTION dealix.held() IS
'Whether this database is a copy in which nothing runs until dealix.resume_engine().';

CREATE FUNCTION dealix.access_functions(access text) RETURNS SETOF regprocedure
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	readers text[] := ARRAY['run_visible', 'left_alone', 'status_name', 'event_name', 'result', 'find_run', 'timeline', 'describe',
		'stuck', 'held', 'wait', 'worker_status', 'intent_status_name', 'may_decide', 'cron_zone', 'changed',
		'class_word', 'actor_type_name', 'may_govern', 'halt_covers', 'policy_in_force', 'explain', 'evidence', 'states_of', 'release_check'];
	approvers text[] := ARRAY['approve', 'edit', 'reject', 'decide'];
	workers text[] := ARRAY['claim', 'heartbeat', 'complete', 'complete_many', 'fail', 'wait_for_work'];
	names text[];
BEGIN
	names := CASE access
		WHEN 'application' THEN readers || ARRAY['start', 'start_many', 'signal', 'cancel', 'tick', 'drain', 'raise',
			'signal_with_start', 'publish_event', 'read_outbox', 'ack', 'drop_consumer', 'compensate', 'start_run', 'compensate_run',
			'put_schedule', 'drop_schedule', 'set_schedule_paused', 'fire_schedule', 'backfill', 'require_cron', 'schedule', 'unschedule',
			'pause_schedule', 'resume_schedule', 'trust_author', 'distrust_author', 'reassign'] || workers
		WHEN 'author' THEN readers || ARRAY['publish', 'publish_text', 'limit_workflow', 'bind', 'unbind', 'validate', 'validate_text',
			'test_state', 'raise']
		WHEN 'operator' THEN readers || ARRAY['all_runs', 'cancel', 'signal', 'terminate', 'kill', 'redrive', 'compensate', 'resume_engine', 'publish_event', 'validate', 'validate_text', 'limit_activity', 'release_task', 'limit_workflow', 'reassign', 'halt', 'resolve']
		WHEN 'worker' THEN readers || workers || ARRAY['all_activities', 'raise']
		WHEN 'approver' THEN readers || approvers || ARRAY['delegate', 'revoke_delegation']
		WHEN 'gateway' THEN readers || approvers || ARRAY['gateway']
		WHEN 'governor' THEN readers || ARRAY['all_runs', 'validate_policy', 'publish_policy', 'release_policy', 'try_policy', 'release',
			'register_actor', 'unregister_actor', 'reassign_approval', 'halt', 'resume_effects', 'resolve']
		WHEN 'auditor' THEN readers || ARRAY['all_runs', 'all_history']
	END;
	IF names IS NULL THEN
		RAISE EXCEPTION 'access % is not known', quote_nullable(access)
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'It is application, author, worker, approver, gateway, governor, operator or auditor.';
	END IF;
	RETURN QUERY SELECT p.oid::regprocedure FROM pg_proc p
		WHERE p.pronamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace) AND p.proname = ANY (names)
		ORDER BY p.oid;
END
$$;
COMMENT ON FUNCTION dealix.access_functions(text) IS
'The functions that an access (application, author, worker, approver, gateway, governor, operator, auditor) is made of.';

CREATE FUNCTION dealix.grant_access(role regrole, access text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	f regprocedure;
	v regclass;
BEGIN
	IF role IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'role must not be null';
	END IF;
	FOR f IN SELECT dealix.access_functions(access) LOOP
		EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %s', f, role);
	END LOOP;
	FOR v IN SELECT c.oid::regclass FROM pg_class c
		WHERE c.relnamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace) AND c.relkind = 'v' LOOP
		EXECUTE format('GRANT SELECT ON %s TO %s', v, role);
	END LOOP;
	EXECUTE format('GRANT USAGE ON SCHEMA dealix, dealix_internal TO %s', role);
END
$$;
COMMENT ON FUNCTION dealix.grant_access(regrole, text) IS
'Gives a role what its work needs. application: start runs, signal, cancel, drive and see its own. author: publish, bind and validate. worker: do the activity tasks of all owners. approver: decide about approvals. gateway: decide on behalf of persons, and only so. governor: policies, releases, who is who, stop and resume effects. operator: see all runs, cancel, signal, terminate, redrive, resume. auditor: see all runs. The caller needs the right to grant, as the extension''s owner has. Nothing is granted to PUBLIC.';

CREATE FUNCTION dealix.revoke_access(role regrole, access text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	taken regprocedure[];
	held text[];
	kept regprocedure[];
	f regprocedure;
	schema_owner oid := (SELECT nspowner FROM pg_namespace WHERE nspname = 'dealix');
BEGIN
	IF role IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'role must not be null';
	ELSIF role = schema_owner THEN
		RAISE invalid_grant_operation USING MESSAGE = format('role %s owns the extension', role),
			DETAIL = 'Its owner has every right.';
	END IF;
	taken := ARRAY(SELECT dealix.access_functions(access));

	-- The other accesses that the role has: each has a function of its own.
	held := ARRAY(SELECT m.access FROM (VALUES ('application', 'start'), ('author', 'publish'), ('worker', 'all_activities'),
			('approver', 'approve'), ('operator', 'terminate'), ('auditor', 'all_history')) m (access, mark)
		WHERE m.access <> revoke_access.access AND EXISTS (SELECT FROM pg_proc p, LATERAL aclexplode(p.proacl) a
			WHERE p.pronamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace) AND p.proname = m.mark AND a.grantee = role AND a.privilege_type = 'EXECUTE'));
	kept := ARRAY(SELECT dealix.access_functions(h) FROM unnest(held) h);

	FOREACH f IN ARRAY taken LOOP
		IF f <> ALL (kept) THEN
			EXECUTE format('REVOKE ALL ON ROUTINE %s FROM %s CASCADE', f, role);
		END IF;
	END LOOP;
	IF held = '{}' THEN
		EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA dealix, dealix_internal FROM %s CASCADE', role);
		EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA dealix, dealix_internal FROM %s CASCADE', role);
		EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA dealix, dealix_internal FROM %s CASCADE', role);
		EXECUTE format('REVOKE ALL ON SCHEMA dealix, dealix_internal FROM %s CASCADE', role);
		IF has_schema_privilege(role, 'dealix', 'USAGE') THEN
			RAISE NOTICE 'role % still has rights in schema dealix, as a member of other roles', role
				USING HINT = 'See pg_auth_members, and dealix.revoke_access for those roles.';
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION dealix.revoke_access(regrole, text) IS
'Takes an access back: what another access of the role gives as well stays; with the last one everything in the schema goes, whoever has granted it in whatever way, and the views and the schema too. Runs that the role owns go on. A NOTICE says if the role still has rights as a member of another role.';
