-- Governance: policies, persons and agents, releases, the emergency stop.  What
-- governors do is checked in C (a person, in a statement of her own), and done by
-- functions that nobody else may call.

CREATE FUNCTION dealix_internal.gateway() RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dealix_all_runs';
COMMENT ON FUNCTION dealix_internal.gateway() IS
'A right, as a function: who may execute it decides on behalf of persons, and only so.';

CREATE FUNCTION dealix_internal.class_word(member int, class smallint) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dealix_class_word';
COMMENT ON FUNCTION dealix_internal.class_word(int, smallint) IS
'The word for a class: of the side effect (0), approval (1), reversibility (2) or sensitivity (3).';

-- ---------- policies ----------

CREATE FUNCTION dealix_internal.may_govern() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT has_function_privilege('dealix_internal.all_runs()', 'EXECUTE') OR has_function_privilege('dealix.release_policy(int, text)', 'EXECUTE')
$$;
COMMENT ON FUNCTION dealix_internal.may_govern() IS 'Whether the current user is a governor, an operator or an auditor.';

CREATE FUNCTION dealix_internal.same_person(one text, other text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce((SELECT a.person FROM dealix.actor a WHERE a.role::oid = to_regrole(quote_ident(one))::oid), one)
		= coalesce((SELECT a.person FROM dealix.actor a WHERE a.role::oid = to_regrole(quote_ident(other))::oid), other)
$$;
COMMENT ON FUNCTION dealix_internal.same_person(text, text) IS
'Whether two roles are one person; a role that nobody has registered is a person of its name.';

CREATE FUNCTION dealix.validate_policy(document jsonb)
RETURNS TABLE (pointer text, code text, message text, hint text, severity text)
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_validate_policy';
COMMENT ON FUNCTION dealix.validate_policy(jsonb) IS
'What is wrong with a policy, a row for each problem and then for each warning: misspelled members at every depth, rules without a test, unknown classes, roles that do not exist. Empty: it can be published.';

CREATE FUNCTION dealix.publish_policy(document jsonb, comment text) RETURNS int
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_publish_policy';
COMMENT ON FUNCTION dealix.publish_policy(jsonb, text) IS
'Stores a policy as the next version, which never changes, and returns its number. It is in force when somebody has released it (dealix.release_policy). Errors: 22023 with all problems in the detail.';

CREATE FUNCTION dealix.release_policy(version int, comment text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_release_policy';
COMMENT ON FUNCTION dealix.release_policy(int, text) IS
'From now on this version of the policy is in force, for effects that are proposed from now on; an older version again takes it back. By a person who has logged in and is not the author; where dealix_exec.governance is not required the author may, which is recorded. Errors: P0002 no such version, 42501.';

CREATE FUNCTION dealix.try_policy(document jsonb, cases jsonb)
RETURNS TABLE (case_no int, name text, passed boolean, expected jsonb, got jsonb, why text)
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_try_policy';
COMMENT ON FUNCTION dealix.try_policy(jsonb, jsonb) IS
'What a policy says about a table of cases, [{"Case": name, "Ask": {"action", "side_effect", "approval", "reversibility", "sensitivity", "tenant", "run_tenant", "workflow", "state", "requester", "actor_type", "payload", "correlated", "synchronous", "first_use", "approvers", "quorum"}, "Expect": {"Class", "Rule", "Quorum", "Approvers", "Floors"}}], a row for each: passed, if all that is expected is so. Nothing is stored. Errors: 22023 when the policy or a case is wrong.';

CREATE FUNCTION dealix_internal.do_release_policy(wanted int, comment text, who text, required boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	writer text;
	own boolean;
BEGIN
	SELECT p.author INTO writer FROM dealix.policy p WHERE p.policy_version = wanted;
	IF NOT FOUND THEN
		RAISE no_data_found USING MESSAGE = format('there is no version %s of the policy', wanted),
			HINT = 'See dealix.policies.';
	END IF;
	own := dealix_internal.same_person(writer, who);
	IF own AND required THEN
		RAISE insufficient_privilege USING MESSAGE = format('role "%s" has published version %s of the policy, and cannot release it', who, wanted),
			HINT = 'Somebody else has to: dealix_exec.governance is required.';
	END IF;
	INSERT INTO dealix.policy_release (policy_version, released_by, session_role, at, comment, overridden)
	VALUES (wanted, who, who, clock_timestamp(), comment, CASE WHEN own THEN '{four_eyes}'::text[] ELSE '{}' END);
END
$$;
COMMENT ON FUNCTION dealix_internal.do_release_policy(int, text, text, boolean) IS
'What dealix.release_policy does, once it knows that a person has called it.';

CREATE VIEW dealix.policies WITH (security_barrier) AS
SELECT p.policy_version AS version,
	p.policy_version = (SELECT r.policy_version FROM dealix.policy_release r ORDER BY r.release_id DESC LIMIT 1) IS TRUE AS in_force,
	jsonb_array_length(p.document -> 'Rules') AS rules, p.author, p.created_at::timestamptz(0) AS published_at,
	(SELECT r.released_by FROM dealix.policy_release r WHERE r.policy_version = p.policy_version ORDER BY r.release_id DESC LIMIT 1) AS released_by,
	p.comment
FROM dealix.policy p WHERE dealix_internal.may_govern();
COMMENT ON VIEW dealix.policies IS 'The versions of the policy, for governors and auditors; the documents stand in dealix.policy_details.';

CREATE VIEW dealix.policy_details WITH (security_barrier) AS
SELECT p.policy_version AS version,
	p.policy_version = (SELECT r.policy_version FROM dealix.policy_release r ORDER BY r.release_id DESC LIMIT 1) IS TRUE AS in_force,
	jsonb_array_length(p.document -> 'Rules') AS rules, p.author, p.created_at AS published_at, p.comment, p.document, encode(p.sha256, 'hex') AS sha256,
	(SELECT r.released_by FROM dealix.policy_release r WHERE r.policy_version = p.policy_version ORDER BY r.release_id DESC LIMIT 1) AS released_by,
	(SELECT jsonb_agg(jsonb_build_object('by', r.released_by, 'at', r.at, 'comment', r.comment, 'overridden', r.overridden) ORDER BY r.release_id)
	 FROM dealix.policy_release r WHERE r.policy_version = p.policy_version) AS releases
FROM dealix.policy p WHERE dealix_internal.may_govern();
COMMENT ON VIEW dealix.policy_details IS 'The versions of the policy with their documents, and when they came into force.';

-- ---------- persons and agents ----------

CREATE FUNCTION dealix.register_actor(role regrole, actor_type text, person text DEFAULT NULL) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_register_actor';
COMMENT ON FUNCTION dealix.register_actor(regrole, text, text) IS
'Says what stands behind a role: human (then person: several roles may be one person), observer_agent, recommender_agent, executor_system or automated_workflow. Only humans decide, and persons count, not roles. A role that is not registered is a human of its own name; where dealix_exec.governance is required it does not decide. By a person who has logged in, and about no role of hers. Errors: 42501, 22023.';

CREATE FUNCTION dealix.unregister_actor(role regrole) RETURNS boolean
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_unregister_actor';
COMMENT ON FUNCTION dealix.unregister_actor(regrole) IS
'Takes back what dealix.register_actor has said; false: nothing was said. By a person who has logged in, and about no role of hers.';

CREATE FUNCTION dealix_internal.actor_type_name(actor_type smallint) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dealix_actor_type_name';
COMMENT ON FUNCTION dealix_internal.actor_type_name(smallint) IS 'The name of an actor type.';

CREATE VIEW dealix.actors WITH (security_barrier) AS
SELECT a.role::oid::regrole AS role, dealix_internal.actor_type_name(a.actor_type) AS actor_type, a.person, a.registered_by,
	a.registered_at::timestamptz(0) AS registered_at
FROM dealix.actor a WHERE dealix_internal.may_govern();
COMMENT ON VIEW dealix.actors IS 'What stands behind roles, for governors and auditors.';

CREATE VIEW dealix.actor_changes WITH (security_barrier) AS
SELECT c.change_id AS id, c.role::oid::regrole AS role, dealix_internal.actor_type_name(c.actor_type) AS actor_type, c.person, c.changed_by,
	c.at::timestamptz(0) AS at
FROM dealix.actor_change c WHERE dealix_internal.may_govern();
COMMENT ON VIEW dealix.actor_changes IS 'All that was ever said about what stands behind roles, and by whom, for governors and auditors; actor_type is null where it was taken back.';

CREATE FUNCTION dealix.delegate(to_role regrole, until timestamptz, reason text) RETURNS int
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_delegate';
COMMENT ON FUNCTION dealix.delegate(regrole, timestamptz, text) IS
'Until then who logs in with the role may decide what you may decide, for you: it is one voice for both of you, and neither of you may have asked. Nothing is delegated on, and nothing to a gateway or an agent. Returns the number of the delegation. By a person who has logged in. Errors: 42501, 22023 the end is not in the coming year, or the role is no other person''s.';

CREATE FUNCTION dealix.revoke_delegation(id int) RETURNS boolean
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_revoke_delegation';
COMMENT ON FUNCTION dealix.revoke_delegation(int) IS
'Ends a delegation of yours before its time, with whatever role of yours; false: there is none that lasts. By a person who has logged in.';

CREATE VIEW dealix.delegations WITH (security_barrier) AS
SELECT d.delegation_id AS id, d.from_person, d.to_role::oid::regrole AS to_role, d.until_at::timestamptz(0) AS until,
	d.revoked_at IS NULL AND d.until_at > clock_timestamp() AS lasts, d.reason
FROM dealix.delegation d
WHERE dealix_internal.may_govern() OR pg_has_role(d.from_role::oid, 'USAGE') OR pg_has_role(d.to_role::oid, 'USAGE');
COMMENT ON VIEW dealix.delegations IS 'Who decides for whom, until when.';

CREATE FUNCTION dealix.reassign_approval(id uuid, approvers text[], reason text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_reassign_approval';
COMMENT ON FUNCTION dealix.reassign_approval(uuid, text[], text) IS
'Puts others in place of those who may decide about a pending approval; what has been said stays. dealix.approval_details has it in reassigned. By a person who has logged in. Errors: 42501, P0002, DX004 it is decided, 42704 a role does not exist, 22023 fewer persons than the quorum could decide then.';

CREATE FUNCTION dealix_internal.do_reassign(wanted uuid, names text[], why text, who text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	n text;
	pending smallint;
BEGIN
	FOREACH n IN ARRAY names LOOP
		IF to_regrole(quote_ident(n)) IS NULL THEN
			RAISE undefined_object USING MESSAGE = format('role "%s" does not exist', n);
		END IF;
	END LOOP;
	SELECT i.status INTO pending FROM dealix.intent i WHERE i.intent_id = wanted FOR UPDATE;
	IF NOT FOUND THEN
		RAISE no_data_found USING MESSAGE = format('there is no approval %s', wanted), HINT = 'See dealix.approvals.';
	ELSIF pending <> 1 THEN
		RAISE EXCEPTION 'approval % is %', wanted, dealix_internal.intent_status_name(pending) USING ERRCODE = 'DX004';
	END IF;
	UPDATE dealix.intent i SET approvers = names, reassigned = coalesce(i.reassigned, '[]') || jsonb_build_object('by', who,
		'at', clock_timestamp(), 'from', to_jsonb(i.approvers), 'to', to_jsonb(names), 'reason', why) WHERE i.intent_id = wanted;
END
$$;
COMMENT ON FUNCTION dealix_internal.do_reassign(uuid, text[], text, text) IS
'What dealix.reassign_approval does, once it knows that a person has called it.';

-- ---------- the emergency stop ----------

CREATE FUNCTION dealix_internal.halt_covers(scope jsonb, action text, tenant text, workflow text, side_effect smallint) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(scope ->> 'action' = action, NOT scope ? 'action') AND coalesce(scope ->> 'tenant' = tenant, NOT scope ? 'tenant')
		AND coalesce(scope ->> 'workflow' = workflow, NOT scope ? 'workflow')
		AND coalesce(scope ->> 'side_effect' = dealix_internal.class_word(0, side_effect), NOT scope ? 'side_effect')
$$;
COMMENT ON FUNCTION dealix_internal.halt_covers(jsonb, text, text, text, smallint) IS
'Whether what is stopped contains an effect.';

CREATE FUNCTION dealix.halt(scope jsonb, reason text) RETURNS int
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_halt';
COMMENT ON FUNCTION dealix.halt(jsonb, text) IS
'Stops effects at once: when it has committed, nothing of the scope goes out any more, also what is approved and what waits for a worker. scope: an object with any of action, tenant, workflow, side_effect; {} is everything. What is out already is listed in dealix.halts. Returns the number of the halt. Errors: 22023.';

CREATE FUNCTION dealix.resume_effects(halt int, reason text) RETURNS bigint
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_resume_effects';
COMMENT ON FUNCTION dealix.resume_effects(int, text) IS
'Ends a halt: what is approved, and stopped by nothing else, goes out. Returns how many effects go on. By a person who has logged in. Errors: 42501, P0002 there is no such halt, or it has ended.';

CREATE FUNCTION dealix_internal.do_halt(what jsonb, why text, who text) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	member text;
	id int;
BEGIN
	IF jsonb_typeof(what) <> 'object' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'what is to be stopped is not an object',
			HINT = 'Write {"action": "...", "tenant": "...", "workflow": "...", "side_effect": "..."}, any of them; {} stops everything.';
	END IF;
	FOR member IN SELECT k FROM jsonb_object_keys(what) k WHERE k NOT IN ('action', 'tenant', 'workflow', 'side_effect')
			OR jsonb_typeof(what -> k) <> 'string' LOOP
		RAISE invalid_parameter_value USING MESSAGE = format('"%s" is no part of what can be stopped, or not a string', member),
			HINT = 'It is action, tenant, workflow and side_effect.';
	END LOOP;
	IF what ->> 'side_effect' NOT IN ('none', 'internal_write', 'external_message', 'external_commitment') THEN
		RAISE invalid_parameter_value USING MESSAGE = format('"%s" is not a side effect', what ->> 'side_effect'),
			HINT = 'It is none, internal_write, external_message or external_commitment.';
	END IF;
	-- Passes that have let something out are waited for; those that come see the row.
	LOCK TABLE dealix.halt IN SHARE ROW EXCLUSIVE MODE;
	INSERT INTO dealix.halt (scope, reason, halted_by, session_role, at) VALUES (what, why, who, who, clock_timestamp()) RETURNING halt_id INTO id;
	UPDATE dealix.activity_task t SET halted = true FROM dealix.intent i WHERE t.intent_id = i.intent_id AND t.claimed_at IS NULL
		AND dealix_internal.halt_covers(what, i.name, i.tenant, i.workflow, i.side_effect);
	UPDATE dealix.outbox o SET halted = true FROM dealix.intent i WHERE o.intent_id = i.intent_id
		AND dealix_internal.halt_covers(what, i.name, i.tenant, i.workflow, i.side_effect)
		AND NOT EXISTS (SELECT FROM dealix.outbox_ack a WHERE a.outbox_id = o.outbox_id);
	RETURN id;
END
$$;
COMMENT ON FUNCTION dealix_internal.do_halt(jsonb, text, text) IS
'What dealix.halt does.';

CREATE FUNCTION dealix_internal.do_resume(wanted int, why text, who text) RETURNS SETOF uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	stopped jsonb;
BEGIN
	LOCK TABLE dealix.halt IN SHARE ROW EXCLUSIVE MODE;
	UPDATE dealix.halt h SET ended_at = clock_timestamp(), ended_by = who, ended_reason = why
	WHERE h.halt_id = wanted AND h.ended_at IS NULL RETURNING h.scope INTO stopped;
	IF NOT FOUND THEN
		RAISE no_data_found USING MESSAGE = format('there is no halt %s that lasts', wanted), HINT = 'See dealix.halts.';
	END IF;
	UPDATE dealix.activity_task t SET halted = NULL FROM dealix.intent i WHERE t.intent_id = i.intent_id AND t.halted
		AND NOT EXISTS (SELECT FROM dealix.halt h WHERE h.ended_at IS NULL
			AND dealix_internal.halt_covers(h.scope, i.name, i.tenant, i.workflow, i.side_effect));
	UPDATE dealix.outbox o SET halted = NULL FROM dealix.intent i WHERE o.intent_id = i.intent_id AND o.halted
		AND NOT EXISTS (SELECT FROM dealix.halt h WHERE h.ended_at IS NULL
			AND dealix_internal.halt_covers(h.scope, i.name, i.tenant, i.workflow, i.side_effect));
	RETURN QUERY SELECT i.intent_id FROM dealix.intent i WHERE i.status = 11
		AND dealix_internal.halt_covers(stopped, i.name, i.tenant, i.workflow, i.side_effect)
		AND NOT EXISTS (SELECT FROM dealix.halt h WHERE h.ended_at IS NULL
			AND dealix_internal.halt_covers(h.scope, i.name, i.tenant, i.workflow, i.side_effect));
END
$$;
COMMENT ON FUNCTION dealix_internal.do_resume(int, text, text) IS
'What dealix.resume_effects does in the tables; returns the intents that go on.';

CREATE VIEW dealix.halts WITH (security_barrier) AS
SELECT h.halt_id AS halt, h.scope, h.halted_by, h.at::timestamptz(0) AS at, h.ended_at::timestamptz(0) AS ended_at,
	(SELECT count(*) FROM dealix.intent i WHERE i.status = 11
		AND dealix_internal.halt_covers(h.scope, i.name, i.tenant, i.workflow, i.side_effect)) AS held_back,
	(SELECT count(*) FROM dealix.intent i WHERE i.status = 7
		AND dealix_internal.halt_covers(h.scope, i.name, i.tenant, i.workflow, i.side_effect)
		AND NOT EXISTS (SELECT FROM dealix.activity_task t WHERE t.intent_id = i.intent_id AND t.halted)) AS out
FROM dealix.halt h WHERE dealix_internal.may_govern();
COMMENT ON VIEW dealix.halts IS 'What is or was stopped: how many effects are held back, and how many are out and not settled (dealix.intents has them, status RUNNING).';

-- ---------- what people know ----------

CREATE FUNCTION dealix.resolve(id uuid, went_out boolean, output jsonb DEFAULT 'null', reason text DEFAULT NULL) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_resolve';
COMMENT ON FUNCTION dealix.resolve(uuid, boolean, jsonb, text) IS
'Says what became of an effect whose outcome is UNKNOWN: it did go out, with this output, or it did not, and the state fails with Governance.NotSent. The run, which is an incident, goes on. Put on record with the reason. By a person who has logged in. Errors: 42501, P0002, DX004 its outcome is known.';

-- ---------- views ----------

CREATE VIEW dealix.intent_details WITH (security_barrier) AS
SELECT i.intent_id AS id, i.run_id, i.workflow, i.state, i.name AS action, i.class::text AS class, dealix_internal.intent_status_name(i.status) AS status,
	i.tenant, i.key, i.owner::regrole AS owner, i.requester::regrole AS requester, i.requesters::regrole[] AS requesters,
	dealix_internal.class_word(0, i.side_effect) AS side_effect, dealix_internal.class_word(1, i.approval) AS approval,
	dealix_internal.class_word(2, i.reversibility) AS reversibility, dealix_internal.class_word(3, i.sensitivity) AS sensitivity,
	i.policy_version, i.rule, i.floors, i.approvers, i.all_of, i.quorum, i.summary, i.payload, i.amended, i.version, encode(i.hash, 'hex') AS hash,
	i.evidence, i.outcome, i.reason, i.correlation_id, i.created_at, i.due_at, i.expires_at, i.decided_at, i.settled_at, i.escalation, i.escalated, i.reassigned
FROM dealix.intent i
WHERE i.kind = 2 AND (dealix_internal.run_visible(i.owner) OR (i.class = 'B' AND dealix_internal.may_decide(i.approvers, i.all_of)));
COMMENT ON VIEW dealix.intent_details IS
'Governed effects: what was asked for, by which policy and rule it was decided, and what became of it.';

CREATE VIEW dealix.intents WITH (security_barrier) AS
SELECT id, workflow, action, class, status, tenant, created_at::timestamptz(0) AS created_at FROM dealix.intent_details;
COMMENT ON VIEW dealix.intents IS 'Governed effects, as wide as a page; dealix.intent_details has everything.';

CREATE VIEW dealix.decision_details WITH (security_barrier) AS
SELECT d.intent_id AS id, i.run_id, i.workflow, i.name, d.decision, d.person, d.approver::oid::regrole AS approver, d.on_behalf, d.for_person, d.version,
	d.comment, encode(d.hash, 'hex') AS hash, i.created_at AS asked_at, d.at, d.at - i.created_at AS took, i.due_at, d.at > i.due_at AS late,
	dealix_internal.intent_status_name(i.status) AS status
FROM dealix.intent_decision d JOIN dealix.intent i ON i.intent_id = d.intent_id
WHERE dealix_internal.run_visible(i.owner) OR dealix_internal.may_decide(i.approvers, i.all_of);
COMMENT ON VIEW dealix.decision_details IS 'Who has decided what about what, on whose behalf, and how long it took.';

CREATE VIEW dealix.decisions WITH (security_barrier) AS
SELECT id, name, decision, person, at::timestamptz(0) AS at, date_trunc('second', took) AS took FROM dealix.decision_details;
COMMENT ON VIEW dealix.decisions IS 'Who has decided what, and how long it took; comments and hashes stand in dealix.decision_details.';

-- ---------- releases ----------

CREATE FUNCTION dealix_internal.states_of(machine jsonb, pointer text DEFAULT '') RETURNS TABLE (name text, state jsonb, at text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	s record;
	b record;
BEGIN
	FOR s IN SELECT e.key, e.value FROM jsonb_each(machine -> 'States') e LOOP
		name := s.key;
		state := s.value;
		at := pointer || '/States/' || s.key;
		RETURN NEXT;
		FOR b IN SELECT x.value, at || '/Branches/' || (x.ordinality - 1) AS p FROM jsonb_array_elements(CASE jsonb_typeof(s.value -> 'Branches')
				WHEN 'array' THEN s.value -> 'Branches' ELSE '[]' END) WITH ORDINALITY x
			UNION ALL SELECT s.value -> k, pointer || '/States/' || s.key || '/' || k FROM unnest(ARRAY['ItemProcessor', 'Iterator']) k WHERE s.value ? k
		LOOP
			RETURN QUERY SELECT n.* FROM dealix_internal.states_of(b.value, b.p) n;
		END LOOP;
	END LOOP;
END
$$;
COMMENT ON FUNCTION dealix_internal.states_of(jsonb, text) IS 'All states of a definition, at whatever depth, with a JSON pointer to each.';

CREATE FUNCTION dealix.release_check(workflow text, version int) RETURNS TABLE (point text, passed boolean, at text, what text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	def jsonb;
	top jsonb;
	s record;
	g jsonb;
	external boolean;
	uri text;
	n text;
	failed text[] := '{}';
BEGIN
	SELECT d.definition INTO def FROM dealix.workflow_details d WHERE d.workflow = release_check.workflow AND d.version = release_check.version;
	IF NOT FOUND THEN
		RAISE undefined_object USING MESSAGE = format('there is no version %s of workflow "%s"', version, workflow),
			HINT = 'See dealix.workflows for what is published.';
	END IF;
	top := coalesce(def -> 'Governance', '{}');
	FOR s IN SELECT x.name, x.state, x.at FROM dealix_internal.states_of(def) x WHERE x.state ->> 'Type' = 'Task' LOOP
		uri := s.state ->> 'Resource';
		g := top || coalesce(s.state -> 'Governance', '{}');
		external := g ->> 'SideEffect' IN ('external_message', 'external_commitment');
		passed := false;
		at := s.at;
		IF uri ~ '^(sql|activity|emit|workflow|arn):' AND uri <> 'workflow:continue_as_new' AND NOT g ? 'SideEffect' THEN
			point := 'classes'; what := format('"%s" does not say what its side effect is', s.name); failed := failed || point; RETURN NEXT;
		END IF;
		IF external AND NOT (g ? 'IdempotencyKey' OR g ? 'IdempotencyKey.$') THEN
			point := 'idempotency'; what := format('"%s" has no idempotency key', s.name); failed := failed || point; RETURN NEXT;
		END IF;
		IF external AND g ->> 'Reversibility' <> 'R3' AND NOT s.state ? 'Compensate'
				AND NOT coalesce(g -> 'Evidence', '{}') ?| ARRAY['rollback', 'rollback.$', 'no_compensation'] THEN
			point := 'compensation'; what := format('"%s" can be undone, and has neither Compensate nor "rollback" or "no_compensation" in its Evidence', s.name);
			failed := failed || point; RETURN NEXT;
		END IF;
		IF uri ~ '^(activity|signal|event|approval):' AND NOT s.state ?| ARRAY['TimeoutSeconds', 'TimeoutSecondsPath', 'ScheduleToCloseSeconds', 'HeartbeatSeconds'] THEN
			point := 'timeouts'; what := format('"%s" may wait for ever', s.name); failed := failed || point; RETURN NEXT;
		END IF;
		IF uri LIKE 'sql:%' AND NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace m ON m.oid = p.pronamespace
				WHERE m.nspname = split_part(substr(uri, 5), '.', 1) AND p.proname = split_part(split_part(substr(uri, 5), '.', 2), '.waitForTaskToken', 1)) THEN
			point := 'functions'; what := format('there is no function %s', substr(uri, 5)); failed := failed || point; RETURN NEXT;
		END IF;
		IF uri LIKE 'workflow:%' AND uri <> 'workflow:continue_as_new' AND NOT EXISTS (SELECT FROM dealix.workflows w
				WHERE w.workflow = regexp_replace(substr(uri, 10), '\.(start|waitForTaskToken)$|@\d+$', '')) THEN
			point := 'children'; what := format('there is no workflow "%s"', substr(uri, 10)); failed := failed || point; RETURN NEXT;
		END IF;
		FOR n IN SELECT jsonb_array_elements_text(CASE jsonb_typeof(g -> 'Approvers') WHEN 'array' THEN g -> 'Approvers' ELSE '[]' END) LOOP
			IF to_regrole(quote_ident(n)) IS NULL THEN
				point := 'approvers'; what := format('role "%s" does not exist', n); failed := failed || point; RETURN NEXT;
			END IF;
		END LOOP;
	END LOOP;
	at := '';
	passed := EXISTS (SELECT FROM dealix_internal.policy_in_force());
	point := 'policy';
	what := CASE WHEN passed THEN 'a policy is in force' ELSE 'no policy is in force, so that every effect is of class B' END;
	IF NOT passed THEN failed := failed || point; END IF;
	RETURN NEXT;
	passed := true;
	what := 'in order';
	FOR point IN SELECT p FROM unnest(ARRAY['classes', 'correlation', 'idempotency', 'compensation', 'approvers', 'functions', 'children', 'timeouts']) p
		WHERE p <> ALL (failed)
	LOOP
		what := CASE point WHEN 'correlation' THEN 'an effect without a correlation id is forbidden when it comes to that' ELSE 'in order' END;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION dealix.release_check(text, int) IS
'The checklist before a version takes runs whose effects leave the company: a row for each point (classes, correlation, idempotency, compensation, approvers, policy, functions, children, timeouts), or for each state that does not pass it, with where. Errors: 42704 no such version.';

CREATE FUNCTION dealix_internal.policy_in_force() RETURNS SETOF int
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT r.policy_version FROM dealix.policy_release r ORDER BY r.release_id DESC LIMIT 1
$$;
COMMENT ON FUNCTION dealix_internal.policy_in_force() IS 'The number of the policy in force; no row: none is.';

CREATE FUNCTION dealix.release(workflow text, version int, comment text) RETURNS text[]
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_release';
COMMENT ON FUNCTION dealix.release(text, int, text) IS
'Lets a version whose effects leave the company take runs: by a person who has logged in and is not its author. Where dealix_exec.governance is required, dealix.release_check has to be whole; otherwise what is not is recorded as overridden, and returned. Errors: 42704 no such version, 42501 the author releases it, 55000 points are open or it is released.';

CREATE FUNCTION dealix_internal.do_release(name text, wanted int, comment text, who text, required boolean) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	v record;
	own boolean;
	checklist jsonb;
	open text[];
BEGIN
	SELECT x.version_id, x.author INTO v FROM dealix.version x JOIN dealix.workflow w ON w.workflow_id = x.workflow_id
	WHERE w.name = name AND x.version = wanted;
	IF NOT FOUND THEN
		RAISE undefined_object USING MESSAGE = format('there is no version %s of workflow "%s"', wanted, name),
			HINT = 'See dealix.workflows for what is published.';
	END IF;
	own := dealix_internal.same_person(v.author, who);
	IF own AND required THEN
		RAISE insufficient_privilege USING MESSAGE = format('role "%s" has published version %s of workflow "%s", and cannot release it', who, wanted, name),
			HINT = 'Somebody else has to: dealix_exec.governance is required.';
	END IF;
	SELECT coalesce(jsonb_agg(to_jsonb(c)), '[]'), coalesce(array_agg(DISTINCT c.point) FILTER (WHERE NOT c.passed), '{}') INTO checklist, open
	FROM dealix.release_check(name, wanted) c;
	IF own THEN open := open || 'four_eyes'::text; END IF;
	IF required AND open <> '{}' THEN
		RAISE EXCEPTION 'version % of workflow "%" is not ready to be released', wanted, name
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = format('Open: %s.', array_to_string(open, ', ')),
				HINT = format('SELECT * FROM dealix.release_check(%L, %s) WHERE NOT passed;', name, wanted);
	END IF;
	INSERT INTO dealix.release (version_id, released_by, session_role, at, comment, checklist, overridden)
	VALUES (v.version_id, who, who, clock_timestamp(), comment, checklist, open) ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'version % of workflow "%" is released already', wanted, name USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	RETURN open;
END
$$;
COMMENT ON FUNCTION dealix_internal.do_release(text, int, text, text, boolean) IS
'What dealix.release does, once it knows that a person has called it.';

CREATE FUNCTION dealix.explain(id uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	said jsonb;
BEGIN
	SELECT jsonb_strip_nulls(jsonb_build_object('action', i.action, 'class', i.class, 'status', i.status, 'policy', i.policy_version, 'rule', i.rule,
		'says', CASE WHEN dealix_internal.may_govern() THEN (SELECT p.document -> 'Rules' -> i.rule FROM dealix.policy_details p WHERE p.version = i.policy_version) END,
		'floors', to_jsonb(i.floors), 'side_effect', i.side_effect, 'approval', i.approval, 'reversibility', i.reversibility, 'sensitivity', i.sensitivity,
		'quorum', i.quorum, 'approvers', to_jsonb(i.approvers), 'all_of', i.all_of, 'why', i.reason))
	INTO said FROM dealix.intent_details i WHERE i.id = explain.id;
	IF said IS NULL THEN
		RAISE no_data_found USING MESSAGE = format('there is no effect %s', explain.id), HINT = 'See dealix.intents for those that you may see.';
	END IF;
	RETURN said;
END
$$;
COMMENT ON FUNCTION dealix.explain(uuid) IS
'Which policy, rule and floors have decided about an effect, and as what it was taken. Errors: P0002 no such effect.';

CREATE FUNCTION dealix.evidence(run_id uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	pack jsonb;
BEGIN
	SELECT jsonb_build_object(
		'format', 'dealix-evidence-1',
		'run', to_jsonb(r) - '{input,output,cause}'::text[],
		'definition', (SELECT jsonb_build_object('workflow', w.workflow, 'version', w.version, 'author', w.author, 'sha256', w.sha256, 'document', w.definition)
			FROM dealix.workflow_details w WHERE w.workflow = r.workflow AND w.version = r.version),
		'intents', coalesce((SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(i) - '{payload,amended,outcome}'::text[]) || jsonb_build_object(
				'policy_rule', (SELECT p.document -> 'Rules' -> i.rule FROM dealix.policy_details p WHERE p.version = i.policy_version),
				'decisions', coalesce((SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(d) - '{id,run_id,workflow,name,status}'::text[]) ORDER BY d.at)
					FROM dealix.decision_details d WHERE d.id = i.id), '[]')) ORDER BY i.created_at, i.id)
			FROM dealix.intent_details i WHERE i.run_id = r.run_id), '[]'),
		'actors', coalesce((SELECT jsonb_agg(to_jsonb(a) ORDER BY a.role::text) FROM dealix.actors a), '[]'),
		'history', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('seq', h.seq, 'at', h.at, 'event', h.event, 'state', h.state, 'attempt', h.attempt,
				'actor', h.actor, 'session_actor', h.session_actor, 'hash', encode(h.hash, 'hex'))) ORDER BY h.seq)
			FROM dealix.history_details h WHERE h.run_id = r.run_id))
	INTO pack FROM dealix.run_details r WHERE r.run_id = evidence.run_id;
	IF pack IS NULL THEN
		RAISE no_data_found USING MESSAGE = format('there is no run %s', evidence.run_id),
			HINT = 'See dealix.runs for the runs that you may see.';
	END IF;
	RETURN pack || jsonb_build_object('sha256', encode(sha256(convert_to(pack::text, 'UTF8')), 'hex'));
END
$$;
COMMENT ON FUNCTION dealix.evidence(uuid) IS
'What an auditor takes away about a run: the definition with its hash, each governed effect with its classes, policy, rule, floors, hash and decisions, the actors, and the history with its hashes; payloads are not in it. sha256 is over all the rest, as jsonb writes it. Policies and actors are in it for whom they are to see. Errors: P0002 no such run.';
