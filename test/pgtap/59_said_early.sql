-- What would be found out late, or by nobody, is said when it is asked for: a
-- trial that does not end, a schedule that could start nothing, a run whose
-- owner is held.
\ir setup.psql
SELECT no_plan();
RESET SESSION AUTHORIZATION;
SET dealix_exec.evaluation_timeout = '600 ms';
SET dealix_exec.max_payload = '32 kB';
SET dealix_exec.max_evaluation = '1 MB';
SET SESSION AUTHORIZATION tap_app;

-- ---------- a trial ends like the state of a run ----------

-- Millions of ways, and nothing at their end.
SELECT is(dealix.test_state('{"StartAt": "A", "States": {"A": {"Type": "Pass", "InputPath": "$..a..a..a..a..a..a..a..a..b", "End": true}}}', 'A',
	(repeat('{"a": ', 60) || '1' || repeat('}', 60))::jsonb) ->> 'error', 'States.Timeout', 'a path that does not end');
SELECT is(dealix.test_state('{"QueryLanguage": "SQL", "StartAt": "A", "States": {"A": {"Type": "Pass", "Output": "{% (SELECT ''x'' FROM pg_sleep(20)) %}", "End": true}}}', 'A', '{}') ->> 'status', 'FAILED',
	'an expression that does not end');
SELECT is(dealix.test_state('{"StartAt": "A", "States": {"A": {"Type": "Pass", "InputPath": "$..a..a..a..a..a..a..a..a..b", "End": true}}}', 'A', '{}') ->> 'status', 'SUCCEEDED', 'and the session goes on');
SELECT throws_ok(format('SELECT dealix.test_state(%L, %L, %L)',
	jsonb_build_object('StartAt', 'A', 'States', jsonb_build_object('A', jsonb_build_object('Type', 'Pass', 'End', true,
		'Parameters', (SELECT jsonb_object_agg('m' || n || '.$', '$') FROM generate_series(1, 500) n)))),
	'A', jsonb_build_object('x', repeat('x', 20000))), '54000', NULL, 'nor is more built than in a pass');
SELECT is(dealix.test_state('{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}', 'A', jsonb_build_object('x', repeat('x', 20000))) ->> 'status', 'SUCCEEDED', 'what is small enough is built');

-- ---------- a schedule of what its owner does not trust ----------

SELECT dealix.publish('job', '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}') \g /dev/null
SET SESSION AUTHORIZATION tap_other;
SELECT lives_ok($$SELECT dealix_internal.put_schedule('s', '* * * * *', 'job', '{}', 'skip', '0', '0')$$, 'who trusts the author schedules his workflow');
SELECT dealix.distrust_author('tap_app') \g /dev/null
SELECT throws_ok($$SELECT dealix_internal.put_schedule('s', '* * * * *', 'job', '{}', 'skip', '0', '0')$$, '42501', 'role "tap_other" does not trust the author of workflow "job"', 'who does not is told so at once');
SELECT throws_ok($$SELECT dealix_internal.put_schedule('s', '* * * * *', 'nowhere', '{}', 'skip', '0', '0')$$, '42704', NULL, 'so is who schedules what is not there');

-- ---------- an owner who is held ----------

SET SESSION AUTHORIZATION tap_app;
SELECT dealix.publish('waits', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "signal:go", "End": true}}}') \g /dev/null
SELECT dealix.start('waits', '{}') \g /dev/null
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT is_empty('SELECT * FROM dealix.stuck()', 'an ordinary owner');
ALTER ROLE tap_app NOLOGIN;
SELECT is((SELECT string_agg(reason, ';') FROM dealix.stuck()), 'its owner may not log in, and it is held', 'one who may not log in');
ALTER ROLE tap_app LOGIN SUPERUSER;
SELECT is((SELECT string_agg(reason, ';') FROM dealix.stuck()), 'its owner is a superuser, and it is held', 'a superuser');
ALTER ROLE tap_app NOSUPERUSER;
SELECT is_empty('SELECT * FROM dealix.stuck()', 'an ordinary one again');
SELECT * FROM finish();
ROLLBACK;
