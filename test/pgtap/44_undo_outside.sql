-- Compensations that are done outside: activity:, workflow:, emit:.
\ir setup.psql
SELECT no_plan();

CREATE TEMP TABLE r (run uuid);
INSERT INTO r VALUES (NULL);
CREATE TEMP TABLE c AS SELECT * FROM dealix.claim('nothing', 'w');
CREATE FUNCTION t.claim(activity text, lease interval DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM c;
	INSERT INTO c SELECT * FROM dealix.claim(activity, 'w1', 1, lease);
	RETURN (SELECT token FROM c);
END $$;
CREATE FUNCTION t.undone_by(resource text, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql AS $$
	SELECT t.begin(jsonb_build_object('StartAt', 'A', 'States', jsonb_build_object(
		'A', jsonb_build_object('Type', 'Task', 'Resource', 'sql:t.do', 'Parameters', '{"what": "A"}'::jsonb, 'ResultPath', null,
			'Compensate', jsonb_build_object('Resource', resource, 'Parameters', '{"n": 1}'::jsonb) || more, 'Next', 'F'),
		'F', '{"Type": "Fail", "Error": "E"}'::jsonb))) $$;

UPDATE r SET run = t.undone_by('activity:void');
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'COMPENSATING', 'a compensation waits for a worker') FROM r;
SELECT is_empty('SELECT * FROM dealix.stuck()', 'that is not being stuck');
SELECT t.claim('void') \g /dev/null
SELECT is(input, '{"n": 1}', 'who gets its input') FROM c;
SELECT dealix.complete(token, '"voided"') FROM c \g /dev/null
SELECT is(t.settle(run) || t.error(run), 'FAILEDE', 'and ends it') FROM r;
SELECT is((SELECT detail ->> 'output' FROM dealix.timeline(run) WHERE event = 'step_compensated'), 'voided', 'with its output') FROM r;

UPDATE r SET run = t.undone_by('activity:void', '{"Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1, "JitterStrategy": "NONE"}]}');
SELECT t.pump() \g /dev/null
SELECT t.claim('void') \g /dev/null
CREATE TEMP TABLE first AS SELECT * FROM c;
SELECT dealix.fail(token, 'Busy') FROM c \g /dev/null
SELECT t.pump() \g /dev/null
SELECT pg_sleep(1.05) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT t.claim('void') \g /dev/null
SELECT is(c.idempotency_key || c.attempt, first.idempotency_key || '2', 'its own Retry, under the same key') FROM c, first;
SELECT dealix.fail(token, 'Broken') FROM c \g /dev/null
SELECT is(t.settle(run), 'INCIDENT', 'for good: an incident') FROM r;
RESET SESSION AUTHORIZATION;
SELECT dealix.redrive(run) FROM r \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT t.claim('void') \g /dev/null
SELECT is(c.idempotency_key || c.attempt, first.idempotency_key || '3', 'that redrive goes on from') FROM c, first;
SELECT throws_ok(format('SELECT dealix.heartbeat(%L)', token), 'DX003', NULL, 'old tokens stay refused') FROM first;
SELECT dealix.complete(token) FROM c \g /dev/null
SELECT is(t.settle(run), 'FAILED', 'to the end') FROM r;

UPDATE r SET run = t.undone_by('activity:void', '{"TimeoutSeconds": 1}');
SELECT t.pump() \g /dev/null
SELECT t.claim('void') \g /dev/null
SELECT pg_sleep(1.1) \g /dev/null
SELECT is(t.settle(run), 'INCIDENT', 'a compensation that is not done in time') FROM r;
RESET SESSION AUTHORIZATION;
SELECT dealix.terminate(run) FROM r \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT is_empty('SELECT * FROM dealix.activity_details', 'leaves nothing behind when it is given up');

UPDATE r SET run = t.undone_by('emit:undo.it');
SELECT is(t.settle(run), 'FAILED', 'emit: does not wait') FROM r;
SELECT is((SELECT event -> 'data' FROM dealix.read_outbox('c') WHERE topic = 'undo.it'), '{"n": 1}', 'and is there');

SELECT dealix.publish('undoer', t.task('signal:go')) \g /dev/null
UPDATE r SET run = t.undone_by('workflow:undoer');
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'COMPENSATING', 'workflow: does wait') FROM r;
SELECT dealix.signal(run_id, 'go', '1') FROM dealix.run_details WHERE workflow = 'undoer' \g /dev/null
SELECT is(t.settle(run), 'FAILED', 'for the child') FROM r;

SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');
SELECT * FROM finish();
ROLLBACK;
