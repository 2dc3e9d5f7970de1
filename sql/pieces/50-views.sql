-- What people look at.

CREATE VIEW dealix.workflow_details WITH (security_barrier) AS
SELECT w.name AS workflow, v.version, v.author, v.created_at,
	v.definition, encode(v.sha256, 'hex') AS sha256, v.bindings, w.author::regrole AS owner
FROM dealix.workflow w
JOIN dealix.version v ON v.workflow_id = w.workflow_id;
COMMENT ON VIEW dealix.workflow_details IS 'Every version of every workflow: author published it, owner is whose the workflow is.';

-- A document that is stored as what differs from another one.
CREATE FUNCTION dealix_internal.changed(base jsonb, change jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS 'SELECT CASE WHEN change IS NULL THEN base ELSE base || change END';
COMMENT ON FUNCTION dealix_internal.changed(jsonb, jsonb) IS
'base with the members of change in it; base itself if that is null.';

CREATE VIEW dealix.run_details WITH (security_barrier) AS
SELECT r.run_id, w.name AS workflow, v.version, r.owner::regrole AS owner,
	dealix_internal.status_name(r.status) AS status, r.key, r.correlation_id, r.traceparent,
	r.priority, CASE r.durability WHEN 0 THEN 'sync' ELSE 'async' END AS durability,
	r.input, CASE WHEN r.output_of IS NULL THEN r.output ELSE dealix_internal.changed(CASE r.output_of WHEN 1 THEN r.input
		ELSE (SELECT d.payload FROM dealix.history_event d WHERE d.run_id = r.run_id
			AND d.seq = r.output_of) END, r.output) END AS output,
	r.error, r.cause,
	r.created_at, r.started_at, r.finished_at, r.deadline,
	r.parent_run, r.item, r.requester::regrole AS requester, r.first_run, r.continued_as
FROM dealix.run r
JOIN dealix.workflow w ON w.workflow_id = r.workflow_id
JOIN dealix.version v ON v.version_id = r.version_id
WHERE dealix_internal.run_visible(r.owner);
COMMENT ON VIEW dealix.run_details IS 'Runs of the caller''s roles; all runs for operators and auditors. A run that continued as new names the next one in continued_as, which has the key now; first_run is the first of its line, null for that itself.';

-- The events, each with its payload whole.
CREATE VIEW dealix_internal.event WITH (security_barrier) AS
SELECT h.run_id, h.seq, h.at, h.kind, h.branch, h.state, h.attempt, h.actor, h.session_actor,
	CASE WHEN h.kind = 1 THEN r.input
		WHEN h.payload_of IS NULL THEN h.payload
		ELSE dealix_internal.changed(CASE h.payload_of WHEN 1 THEN r.input
			ELSE (SELECT d.payload FROM dealix.history_event d WHERE d.run_id = h.run_id
				AND d.seq = h.payload_of) END, h.payload)
		END AS payload, h.hash, r.workflow_id
FROM dealix.history_event h
JOIN dealix.run r ON r.run_id = h.run_id
WHERE dealix_internal.run_visible(r.owner);
COMMENT ON VIEW dealix_internal.event IS 'What dealix.history and dealix.steps show: each event with its payload as the run had it, and with the workflow of the run.';

CREATE VIEW dealix.history_details WITH (security_barrier) AS
SELECT h.run_id, h.seq, h.at, dealix_internal.event_name(h.kind) AS event, h.branch, h.state,
	h.attempt, CASE h.actor WHEN '' THEN (SELECT f.actor FROM dealix.history_event f
		WHERE f.run_id = h.run_id AND f.seq = 1) ELSE h.actor END AS actor,
	CASE WHEN h.session_actor <> '' THEN h.session_actor
		WHEN h.actor <> '' THEN h.actor ELSE (SELECT f.actor FROM dealix.history_event f
		WHERE f.run_id = h.run_id AND f.seq = 1) END AS session_actor,
	CASE h.kind WHEN 3 THEN jsonb_build_object('output', h.payload) ELSE h.payload END AS payload, h.hash
FROM dealix_internal.event h;
COMMENT ON VIEW dealix.history_details IS 'The append-only events of runs, in order of seq within a run; hash chains each event to the one before.';

CREATE VIEW dealix.step_details WITH (security_barrier) AS
SELECT h.run_id, w.name AS workflow, h.seq, h.branch, h.state, h.attempt,
	CASE h.kind WHEN 3 THEN 'SUCCEEDED' WHEN 22 THEN 'SUCCEEDED' WHEN 4 THEN 'FAILED'
		WHEN 10 THEN 'COMPENSATED' ELSE 'COMPENSATION_FAILED' END AS status,
	h.at AS finished_at,
	CASE h.kind WHEN 3 THEN h.payload ELSE h.payload -> 'output' END AS output,
	CASE h.kind WHEN 3 THEN NULL ELSE h.payload ->> 'error' END AS error,
	CASE h.kind WHEN 3 THEN NULL ELSE h.payload ->> 'cause' END AS cause
FROM dealix_internal.event h
JOIN dealix.workflow w ON w.workflow_id = h.workflow_id
WHERE h.kind = ANY (ARRAY[3, 4, 10, 11, 22]::smallint[]);
COMMENT ON VIEW dealix.step_details IS 'Attempts at Task states and at their compensations that have come to an end.';

CREATE VIEW dealix.waiting_details WITH (security_barrier) AS
SELECT b.run_id, w.name AS workflow, r.owner::regrole AS owner, b.branch, b.state, coalesce(b.attempt, 0) AS attempt,
	CASE b.phase WHEN 1 THEN 'turn' WHEN 2 THEN CASE WHEN b.state IS NULL THEN 'timer' ELSE 'retry' END WHEN 3 THEN 'timer'
		WHEN 4 THEN 'signal' WHEN 5 THEN 'branches' WHEN 7 THEN 'activity' WHEN 8 THEN 'event'
		WHEN 9 THEN 'child' WHEN 10 THEN 'approval' WHEN 11 THEN 'token' WHEN 12 THEN 'concurrency' ELSE 'compensation' END AS waits_for,
	CASE b.phase WHEN 12 THEN w.name ELSE b.wait_for END AS name,
	NULLIF(b.due_at, 'infinity') AS until, b.entered_at AS since,
	CASE WHEN b.phase NOT IN (6, 7, 8, 9, 10, 11) THEN true
		WHEN EXISTS (SELECT FROM dealix.inbox i WHERE i.run_id = b.run_id
			AND i.ticket = b.ticket) THEN true
		WHEN b.phase = 8 THEN EXISTS (SELECT FROM dealix.event_wait e
			WHERE e.ticket = b.ticket)
		WHEN b.phase = 10 THEN EXISTS (SELECT FROM dealix.intent n
			WHERE n.intent_id = b.ticket AND n.status IN (1, 11))
			OR EXISTS (SELECT FROM dealix.intent_wait f WHERE f.ticket = b.ticket)
		ELSE EXISTS (SELECT FROM dealix.activity_task t WHERE t.task_id = b.ticket)
			OR EXISTS (SELECT FROM dealix.run c WHERE c.parent_ticket = b.ticket
				AND c.parent_run = b.run_id AND c.status < 10)
	END AS awaited
FROM dealix.branch b
JOIN dealix.run r ON r.run_id = b.run_id
JOIN dealix.workflow w ON w.workflow_id = r.workflow_id
WHERE dealix_internal.run_visible(r.owner);
COMMENT ON VIEW dealix.waiting_details IS 'What each live branch of a run waits for, and until when at most; awaited: whether what can answer is there.';

CREATE VIEW dealix.signal_details WITH (security_barrier) AS
SELECT i.run_id AS sent_to, r.run_id, w.name AS workflow, v.version, r.owner::regrole AS owner, i.name AS signal, i.payload, i.sender::regrole AS sender, i.sent_at,
	clock_timestamp() - i.sent_at AS age,
	i.name = ANY (v.signals) AS expected, v.signals AS asks_for
FROM dealix.inbox i
CROSS JOIN LATERAL (SELECT coalesce((SELECT n.run_id FROM dealix.run n WHERE n.first_run = i.run_id
	ORDER BY n.run_id DESC LIMIT 1), i.run_id) AS run_id) c
JOIN dealix.run r ON r.run_id = c.run_id
JOIN dealix.workflow w ON w.workflow_id = r.workflow_id
JOIN dealix.version v ON v.version_id = r.version_id
WHERE i.kind = 1 AND dealix_internal.run_visible(r.owner);
COMMENT ON VIEW dealix.signal_details IS 'Signals that no state has taken yet. run_id: the run that can take it; sent_to: the first of its line. expected: whether any state of its version asks for that name; asks_for: the names that they ask for.';

CREATE VIEW dealix.incident_details WITH (security_barrier) AS
SELECT r.run_id, w.name AS workflow, v.version, r.owner::regrole AS owner,
	CASE r.status WHEN 3 THEN i.at END AS opened_at,
	CASE r.status WHEN 3 THEN i.payload ->> 'error' ELSE 'States.Runtime' END AS error,
	CASE r.status WHEN 3 THEN i.payload ->> 'cause'
		ELSE 'Workers die in a pass over this run, and also when they make it an incident. The engine leaves it alone until somebody redrives, cancels or terminates it.' END AS cause,
	r.error AS run_error, r.cause AS run_cause, r.correlation_id
FROM dealix.run r
JOIN dealix.workflow w ON w.workflow_id = r.workflow_id
JOIN dealix.version v ON v.version_id = r.version_id
LEFT JOIN LATERAL (SELECT h.at, h.payload FROM dealix.history_event h
	WHERE h.run_id = r.run_id AND h.kind = 18
	ORDER BY h.seq DESC LIMIT 1) i ON true
WHERE (r.status = 3
		OR (r.status < 10 AND dealix_internal.left_alone(r.run_id)))
	AND dealix_internal.run_visible(r.owner);
COMMENT ON VIEW dealix.incident_details IS 'Runs that stopped because a person has to look; dealix.redrive(run_id) goes on.';

CREATE FUNCTION dealix.result(run_id uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r record;
BEGIN
	SELECT x.status, x.output, x.error, x.cause, x.continued_as, coalesce(x.first_run, x.run_id) AS line
	INTO r FROM dealix.run_details x WHERE x.run_id = result.run_id;
	IF r.continued_as IS NOT NULL THEN
		SELECT x.status, x.output, x.error, x.cause INTO r FROM dealix.run_details x
		WHERE x.first_run = r.line ORDER BY x.run_id DESC LIMIT 1;
	END IF;
	IF NOT FOUND THEN
		RAISE no_data_found USING MESSAGE = format('there is no run %s', result.run_id),
			HINT = 'See dealix.runs for the runs that you may see.';
	ELSIF r.status = 'SUCCEEDED' THEN
		RETURN r.output;
	ELSIF r.status IN ('RUNNING', 'COMPENSATING', 'INCIDENT') THEN
		RETURN NULL;
	END IF;
	RAISE EXCEPTION 'run % ended %: %', result.run_id, r.status, coalesce(r.error, 'no error name')
		USING ERRCODE = 'DX002', DETAIL = coalesce(r.cause, 'No cause was given.'),
			HINT = format('SELECT * FROM dealix.timeline(%L) shows how it came to that.', result.run_id);
END
$$;
COMMENT ON FUNCTION dealix.result(uuid) IS
'The output of a run that SUCCEEDED; null while it goes on. Of a run that continued as new, that of the last run of its line. A run that ended otherwise is an error (DX002) with the run''s error and cause. Errors: P0002 no such run.';

CREATE VIEW dealix_internal.keyed_run WITH (security_barrier) AS
SELECT w.name AS workflow, k.key, k.owner::regrole AS owner, k.run_id
FROM dealix.run_key k JOIN dealix.workflow w ON w.workflow_id = k.workflow_id
WHERE dealix_internal.run_visible(k.owner);
COMMENT ON VIEW dealix_internal.keyed_run IS 'Which run has a key: what dealix.find_run() looks into.';

CREATE FUNCTION dealix.find_run(workflow text, key text) RETURNS uuid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_run uuid;
BEGIN
	SELECT x.run_id INTO found_run FROM dealix_internal.keyed_run x
	WHERE x.workflow = find_run.workflow AND x.key = find_run.key
	ORDER BY (x.owner::oid = (SELECT oid FROM pg_roles WHERE rolname = current_user)) DESC, x.run_id DESC LIMIT 1;
	IF found_run IS NULL THEN
		RAISE no_data_found USING
			MESSAGE = format('there is no run of workflow %L with the key %L', find_run.workflow, find_run.key),
			HINT = 'See dealix.runs for the runs that you may see, and their keys.';
	END IF;
	RETURN found_run;
END
$$;
COMMENT ON FUNCTION dealix.find_run(text, text) IS
'The run of a workflow that was started with this key. Keys are of an owner: where the caller may see several owners'' runs, its own comes first, then the newest. Errors: P0002 no such run.';

CREATE FUNCTION dealix.timeline(run_id uuid) RETURNS TABLE (seq int, at timestamptz, event text,
	branch int, state text, attempt int, actor text, session_actor text, detail jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT h.seq, h.at, h.event, h.branch, h.state, h.attempt::int, h.actor, h.session_actor, h.payload
	FROM dealix.history_details h WHERE h.run_id = timeline.run_id ORDER BY h.seq
$$;
COMMENT ON FUNCTION dealix.timeline(uuid) IS
'What a run did, event by event. actor is the role whose rights were used (current_user), session_actor the one that had logged in (session_user); of run_started it is the one who asked for the run.';

CREATE FUNCTION dealix.describe(run_id uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	described jsonb;
BEGIN
	SELECT to_jsonb(r) || jsonb_build_object(
		'waiting', coalesce((SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(w)) - '{run_id,workflow,owner}'::text[] ORDER BY w.branch)
			FROM dealix.waiting_details w WHERE w.run_id = r.run_id), '[]'),
		'events', (SELECT count(*) FROM dealix.history_details h WHERE h.run_id = r.run_id),
		'held', dealix.held())
	INTO described FROM dealix.run_details r WHERE r.run_id = describe.run_id;
	IF described IS NULL THEN
		RAISE no_data_found USING MESSAGE = format('there is no run %s', describe.run_id),
			HINT = 'See dealix.runs for the runs that you may see.';
	END IF;
	RETURN described;
END
$$;
COMMENT ON FUNCTION dealix.describe(uuid) IS
'Everything about a run in one object: its header, what its branches wait for, how many events it has, and whether this database is held. Errors: P0002 no such run.';

-- Whatever contradicts "every branch that is stored can be woken", and that
-- slots of limited workflows are with those who are in progress.  Counts and
-- OFFSET 0 keep the look-ups of each run by index, whatever the statistics say.
CREATE VIEW dealix_internal.unwakeable WITH (security_barrier) AS
WITH b AS (
	SELECT b.*, r.status, r.workflow_id, r.deadline,
		b.due_at <= clock_timestamp() AS is_due,
		b.counts[2] - b.counts[3] - b.counts[4] AS children,
		(SELECT count(*) FROM dealix.inbox i WHERE i.run_id = b.run_id
			AND i.ticket = b.ticket) AS answers
	FROM dealix.branch b CROSS JOIN LATERAL (SELECT x.status, x.workflow_id, x.deadline FROM dealix.run x
		WHERE x.run_id = b.run_id OFFSET 0) r
	WHERE r.status = ANY (ARRAY[1, 2]::smallint[])
)
SELECT r.run_id, r.owner, 'it has no branch' AS reason
FROM dealix.run r WHERE r.status = ANY (ARRAY[1, 2]::smallint[])
	AND (SELECT count(*) FROM dealix.branch x WHERE x.run_id = r.run_id) = 0
	AND dealix_internal.run_visible(r.owner)
UNION ALL
SELECT r.run_id, r.owner, 'workers die of it, and it is left alone'
FROM dealix.run r WHERE r.status < 10 AND dealix_internal.left_alone(r.run_id) AND dealix_internal.run_visible(r.owner)
UNION ALL
SELECT r.run_id, r.owner, CASE WHEN o.oid IS NULL THEN 'its owner does not exist, and it is held'
	WHEN NOT o.rolcanlogin THEN 'its owner may not log in, and it is held'
	ELSE 'its owner is a superuser, and it is held' END
FROM dealix.run r LEFT JOIN pg_roles o ON o.oid = r.owner::oid
WHERE r.status = ANY (ARRAY[1, 2]::smallint[]) AND dealix_internal.run_visible(r.owner)
	AND (o.oid IS NULL OR NOT o.rolcanlogin OR (o.rolsuper
		AND current_setting('dealix_exec.superuser_runs', true) IS DISTINCT FROM 'on'))
UNION ALL
SELECT r.run_id, r.owner, 'nothing wakes it at its deadline'
FROM dealix.run r WHERE r.status = 1 AND r.deadline IS NOT NULL AND (SELECT count(*) FROM dealix.branch x
		WHERE x.run_id = r.run_id AND x.due_at <= r.deadline) = 0
	AND dealix_internal.run_visible(r.owner)
UNION ALL
SELECT b.run_id, b.owner, format('branch %s ', b.branch) || p.problem
FROM b CROSS JOIN LATERAL (SELECT CASE
	WHEN b.suspended THEN CASE WHEN NOT EXISTS (SELECT FROM dealix.branch t WHERE t.run_id = b.run_id
		AND t.branch = (-1)) THEN 'is suspended, and nobody resumes it' END
	WHEN b.is_due THEN NULL
	WHEN b.phase = ANY (ARRAY[1, 2, 3]::smallint[]) THEN
		CASE WHEN b.due_at IS NULL THEN 'is to go on without a due time' END
	WHEN b.phase = 4 THEN
		CASE WHEN b.wait_for IS NULL THEN 'waits for no signal' END
	WHEN b.phase = 5 THEN CASE
		WHEN b.children <= 0 OR b.children IS NULL THEN 'waits for branches, and all have ended'
		WHEN b.ticket IS NULL AND b.children <> (SELECT count(*) FROM dealix.branch c
			WHERE c.run_id = b.run_id AND c.parent = b.branch)
			THEN 'waits for branches that are not there'
		WHEN b.ticket IS NOT NULL AND b.children - b.answers <> (SELECT count(*) FROM dealix.run c
			WHERE c.parent_run = b.run_id AND c.parent_ticket = b.ticket
				AND c.status < 10) THEN 'waits for items whose runs are not there'
		WHEN b.counts[3] <> (SELECT count(*) FROM dealix.branch_result o
			WHERE o.run_id = b.run_id AND o.parent = b.branch)
			THEN 'waits for branches, and has lost results' END
	WHEN b.answers > 0 THEN NULL
	WHEN b.phase = 6 AND b.due_at IS NOT NULL THEN NULL
	WHEN b.phase = 8 THEN CASE WHEN NOT EXISTS (SELECT FROM dealix.event_wait e
		WHERE e.ticket = b.ticket) THEN 'waits for an event, and nobody knows' END
	WHEN b.phase = 9 THEN CASE WHEN NOT EXISTS (SELECT FROM dealix.run c
		WHERE c.run_id = b.ticket AND c.status < 10)
		AND NOT EXISTS (SELECT FROM dealix.run c WHERE c.parent_run = b.run_id
			AND c.parent_ticket = b.ticket AND c.status < 10)
		THEN 'waits for a child that is not there' END
	WHEN b.phase = 10 THEN CASE WHEN NOT EXISTS (SELECT FROM dealix.intent n
		WHERE n.intent_id = b.ticket AND n.status IN (1, 11))
		AND NOT EXISTS (SELECT FROM dealix.intent_wait f WHERE f.ticket = b.ticket)
		THEN 'waits for a decision that nobody is asked for' END
	WHEN b.phase = ANY (ARRAY[6, 7, 11]::smallint[]) THEN CASE WHEN NOT EXISTS (SELECT FROM dealix.activity_task t
			WHERE t.task_id = b.ticket AND t.attempt = coalesce(b.attempt, 0))
		AND NOT EXISTS (SELECT FROM dealix.run c WHERE c.run_id = b.ticket AND c.status < 10)
		THEN 'waits for an answer that nobody owes' END
	WHEN b.phase = 12 AND b.due_at IS NULL THEN (SELECT CASE
		WHEN w.max_concurrency IS NULL THEN 'waits for a slot, and its workflow has no limit'
		WHEN w.max_concurrency > (SELECT count(*) FROM dealix.workflow_slot s
				WHERE s.workflow_id = w.workflow_id AND s.run_id IS NOT NULL
					AND s.owner = CASE WHEN w.per_owner THEN b.owner::oid ELSE 0 END)
			AND NOT EXISTS (SELECT FROM dealix.branch o JOIN dealix.run x ON x.run_id = o.run_id
				WHERE x.workflow_id = w.workflow_id AND o.due_at < 'infinity'
					AND (NOT w.per_owner OR o.owner::oid = b.owner::oid)
					AND o.phase = ANY (ARRAY[1, 12]::smallint[]))
			THEN 'waits for a slot, and one is free' END
		FROM dealix.workflow w WHERE w.workflow_id = b.workflow_id)
	END AS problem) p
WHERE p.problem IS NOT NULL AND dealix_internal.run_visible(b.owner)
UNION ALL
SELECT s.run_id, r.owner, CASE WHEN r.status < 3 THEN 'it waits for a run and keeps its slot'
	ELSE 'it has a slot and is not in progress' END
FROM dealix.workflow_slot s JOIN dealix.run r ON r.run_id = s.run_id
WHERE dealix_internal.run_visible(r.owner)
	AND (r.status >= 3
		OR (EXISTS (SELECT FROM dealix.branch c WHERE c.run_id = r.run_id AND c.phase = 9)
			AND NOT EXISTS (SELECT FROM dealix.inbox i WHERE i.run_id = r.run_id)
			AND NOT EXISTS (SELECT FROM dealix.branch c WHERE c.run_id = r.run_id
				AND c.due_at <= clock_timestamp())));
COMMENT ON VIEW dealix_internal.unwakeable IS 'What dealix.stuck() shows, with the owner: runs that nothing could wake or that are held because of their owner, and slots that are not with who is in progress.';

CREATE FUNCTION dealix.stuck() RETURNS TABLE (run_id uuid, workflow text, status text, reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
	SELECT r.run_id, r.workflow, r.status, u.reason
	FROM dealix_internal.unwakeable u JOIN dealix.run_details r ON r.run_id = u.run_id
$$;
COMMENT ON FUNCTION dealix.stuck() IS
'Runs that go on but that nothing could wake: without a due time, waiting for a task, event, child, approval, branch or slot that is not there, left alone because workers die of them; and runs that have a slot of a limited workflow without being in progress: a row of these is an error of the engine. Also runs that are held because of their owner (dealix.owners says what to do). Else it is empty.';

CREATE VIEW dealix.limits WITH (security_barrier) AS
SELECT 'workflow' AS kind, w.name, NULLIF(s.owner, 0)::regrole AS owner, count(s.run_id) AS used,
	w.max_concurrency AS max, NULL::float8 AS rate
FROM dealix.workflow w LEFT JOIN dealix.workflow_slot s ON s.workflow_id = w.workflow_id
WHERE w.max_concurrency IS NOT NULL
	AND (s.owner IS NULL OR s.owner = 0 OR dealix_internal.run_visible(s.owner::regrole))
GROUP BY w.workflow_id, w.name, s.owner, w.max_concurrency
UNION ALL
SELECT 'activity', l.activity, NULLIF(s.owner, 0)::regrole,
	CASE WHEN l.max_in_flight IS NOT NULL THEN count(s.slot_id) FILTER (WHERE s.taken) END, l.max_in_flight, l.rate
FROM dealix.activity_limit l LEFT JOIN dealix.activity_slot s ON s.activity = l.activity
WHERE s.owner IS NULL OR s.owner = 0 OR dealix_internal.run_visible(s.owner::regrole)
GROUP BY l.activity, s.owner, l.max_in_flight, l.rate;
COMMENT ON VIEW dealix.limits IS
'The limits of workflows and activities, and how much of each is in use: a row for a limit over all owners, and under a limit per owner one for each owner that has been there; of the latter those whose runs one may see.';
