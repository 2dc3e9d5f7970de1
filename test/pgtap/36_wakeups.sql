-- Every branch that is stored can be woken: each kind of wait, alone, in a
-- Parallel, in a Map, under Catch, with and without a deadline, with passes that
-- end wherever they can, and with nothing but what stands in the tables.
\ir setup.psql
RESET SESSION AUTHORIZATION;
CREATE ROLE tap_approver LOGIN;
SELECT dealix.grant_access('tap_approver', 'approver') \g /dev/null
SELECT dealix.grant_access('tap_app', 'worker') \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT no_plan();

-- A pass without time makes one step of one run.  What could not be woken after
-- any of them is noted.
CREATE TABLE t.found (run_id uuid, reason text);
CREATE FUNCTION t.crawl() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 5000 LOOP
		IF dealix.tick(1, '1 us') = 0 THEN
			INSERT INTO t.found SELECT run_id, reason FROM dealix.stuck();
			RETURN i;
		END IF;
		IF i % 10 = 0 THEN INSERT INTO t.found SELECT run_id, reason FROM dealix.stuck(); END IF;
	END LOOP;
	RETURN NULL;
END $$;

CREATE FUNCTION t.answer() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	w record;
BEGIN
	FOR w IN SELECT run_id, name FROM dealix.waiting_details WHERE waits_for = 'signal' LOOP
		PERFORM dealix.signal(w.run_id, n, '"signal"') FROM unnest(regexp_split_to_array(w.name, '[|&]')) n;
	END LOOP;
	FOR w IN SELECT token FROM dealix.claim('work', 'w', 1000, '1 h') LOOP
		PERFORM dealix.complete(w.token, '"work"');
	END LOOP;
	PERFORM dealix.publish_event('ping', '', '"event"');
	PERFORM dealix.publish_event('pong', '', '"event"');
	FOR w IN SELECT token FROM t.token LOOP
		PERFORM dealix.complete(w.token, '"token"');
	END LOOP;
	DELETE FROM t.token;
END $$;
CREATE TABLE t.token (token text);
CREATE FUNCTION t.keep(token text) RETURNS void LANGUAGE sql AS 'INSERT INTO t.token VALUES (token)';

-- Its check comes at the end of the step, and ends the pass.
CREATE TABLE t.parent (id int PRIMARY KEY);
CREATE TABLE t.later (id int REFERENCES t.parent DEFERRABLE INITIALLY DEFERRED);
INSERT INTO t.parent VALUES (1);
CREATE FUNCTION t.defer() RETURNS void LANGUAGE sql AS 'INSERT INTO t.later VALUES (1)';

SELECT dealix.publish('kid', '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "kid"}, "End": true}}}') \g /dev/null

-- Names of states are unique in a definition: @ is where it stands in it.
CREATE TABLE t.wait (kind text, state text);
INSERT INTO t.wait VALUES
	('nothing', '"Type": "Pass"'),
	('timer', '"Type": "Wait", "Seconds": 1'),
	('signal', '"Type": "Task", "Resource": "signal:go"'),
	('several', '"Type": "Task", "Resource": "signal:one&two"'),
	('timeout', '"Type": "Task", "Resource": "signal:never", "TimeoutSeconds": 1, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "@After"}]'),
	('activity', '"Type": "Task", "Resource": "activity:work", "TimeoutSeconds": 600'),
	('event', '"Type": "Task", "Resource": "event:ping"'),
	('events', '"Type": "Task", "Resource": "event:ping&pong"'),
	('approval', '"Type": "Task", "Resource": "approval:ok", "Governance": {"Approvers": ["tap_approver"]}'),
	('token', '"Type": "Task", "Resource": "sql:t.keep.waitForTaskToken", "Parameters": {"token.$": "$$.Task.Token"}'),
	('child', '"Type": "Task", "Resource": "workflow:kid"'),
	('retry', '"Type": "Task", "Resource": "sql:t.fail", "Parameters": {}, "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "@After"}]'),
	('parallel', '"Type": "Parallel", "Branches": [
		{"StartAt": "@X1", "States": {"@X1": {"Type": "Task", "Resource": "signal:go", "Next": "@Y1"}, "@Y1": {"Type": "Pass", "End": true}}},
		{"StartAt": "@X2", "States": {"@X2": {"Type": "Task", "Resource": "workflow:kid", "End": true}}},
		{"StartAt": "@X3", "States": {"@X3": {"Type": "Pass", "End": true}}}]'),
	('map', '"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "ItemProcessor": {"StartAt": "@X", "States": {
		"@X": {"Type": "Task", "Resource": "activity:work", "Next": "@Y"}, "@Y": {"Type": "Task", "Resource": "sql:t.defer", "Parameters": {}, "End": true}}}'),
	('distributed', '"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "@X", "States": {
		"@X": {"Type": "Task", "Resource": "workflow:kid", "End": true}}}'),
	('caught', '"Type": "Parallel", "Branches": [
		{"StartAt": "@X1", "States": {"@X1": {"Type": "Task", "Resource": "signal:go", "Next": "@Y"}, "@Y": {"Type": "Fail", "Error": "Some"}}},
		{"StartAt": "@X2", "States": {"@X2": {"Type": "Task", "Resource": "activity:work", "TimeoutSeconds": 600, "End": true}}}],
		"Catch": [{"ErrorEquals": ["Some"], "ResultPath": null, "Next": "@After"}]'),
	('again', '"Type": "Parallel", "Branches": [
		{"StartAt": "@X1", "States": {"@X1": {"Type": "Task", "Resource": "sql:t.fail", "Parameters": {}, "End": true}}}],
		"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "@After"}]');

-- The wait, and steps after it.
CREATE FUNCTION t.machine(state text, place text) RETURNS text LANGUAGE sql AS $$
	SELECT replace(format('"StartAt": "@Wait", "States": {
		"@Wait": {%s, %s"Next": "@After"},
		"@After": {"Type": "Task", "Resource": "sql:t.defer", "Parameters": {}, "ResultPath": null, "Next": "@Last"},
		"@Last": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "last"}, "ResultPath": null, "End": true}}',
		state, CASE WHEN state LIKE '"Type": "Wait"%' THEN '' ELSE '"ResultPath": null, ' END), '@', place) $$;
CREATE FUNCTION t.wrapped(wrap text, state text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE wrap
		WHEN 'plain' THEN t.machine(state, '')
		WHEN 'parallel' THEN t.machine(format('"Type": "Parallel", "Branches": [{%s}, {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}]',
			t.machine(state, 'in ')), '')
		WHEN 'map' THEN t.machine(format('"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 1, "ItemSelector": {"items": [1, 2]}, "ItemProcessor": {%s}',
			t.machine(state, 'in ')), '')
		WHEN 'distributed' THEN t.machine(format('"Type": "Map", "ItemsPath": "$.items", "ItemSelector": {"items": [1, 2]},
			"ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, %s}', t.machine(state, 'in ')), '')
	END $$;

CREATE TABLE t.case AS
	SELECT kind, wrap, deadline, format('%s, %s, %s', kind, wrap, CASE WHEN deadline THEN 'with a deadline' ELSE 'without' END) AS name, NULL::uuid AS run
	FROM t.wait, unnest(ARRAY['plain', 'parallel', 'map', 'distributed']) wrap, unnest(ARRAY[false, true]) deadline
	WHERE deadline OR wrap IN ('plain', 'map');
SELECT dealix.publish(name, format('{%s%s}', CASE WHEN deadline THEN '"TimeoutSeconds": 7200, ' END, t.wrapped(wrap, state))::jsonb)
	FROM t.case JOIN t.wait USING (kind) \g /dev/null
UPDATE t.case SET run = dealix.start(name, '{"items": [1, 2, 3]}');

-- What people and programs outside do, as often as it takes.
CREATE FUNCTION t.open() RETURNS bigint LANGUAGE sql AS
$$ SELECT count(*) FROM dealix.run_details WHERE status IN ('RUNNING', 'COMPENSATING') $$;
CREATE FUNCTION t.late() RETURNS bool LANGUAGE sql AS
$$ SELECT clock_timestamp() - transaction_timestamp() > interval '5 min' $$;
\ir 36_round.psql
SELECT t.crawl() \g /dev/null

SELECT is(t.status(run), 'SUCCEEDED', name) FROM t.case ORDER BY name;
SELECT is((SELECT count(*) FROM dealix.run_details WHERE status <> 'SUCCEEDED'), 0::bigint, 'and all that they have started');
SELECT is((SELECT string_agg(DISTINCT reason, ', ') FROM t.found), NULL, 'at no moment was there a run that nothing could wake');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM dealix.branch) + (SELECT count(*) FROM dealix.branch_result) + (SELECT count(*) FROM dealix.event_wait)
	+ (SELECT count(*) FROM dealix.activity_task) + (SELECT count(*) FROM dealix.inbox), 0::bigint, 'and nothing is left of them');

SELECT * FROM finish();
ROLLBACK;
