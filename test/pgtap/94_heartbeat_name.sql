-- A heartbeat that did not come: States.Timeout on record, and either name in Retry and Catch.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.nap() RETURNS text LANGUAGE sql AS $$ SELECT nextval('t.tries'); SELECT pg_sleep(30)::text $$;

-- Who catches it, and what its Error Output says.
CREATE FUNCTION t.caught_by(errors jsonb, more jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	run uuid := t.run(jsonb_build_object('StartAt', 'Only', 'States', jsonb_build_object(
		'Only', '{"Type": "Task", "Resource": "sql:t.nap", "Parameters": {}, "HeartbeatSeconds": 1, "End": true}'::jsonb || more ||
			jsonb_build_object('Catch', jsonb_build_array(jsonb_build_object('ErrorEquals', errors, 'Next', 'Caught'))),
		'Caught', '{"Type": "Succeed", "OutputPath": "$.Error"}'::jsonb)));
BEGIN
	RETURN t.status(run) || ' ' || coalesce(t.output(run) #>> '{}', t.error(run)) || CASE WHEN t.cause(run) ~ 'heartbeat' THEN ' heartbeat' ELSE '' END;
END $$;
SELECT is(t.caught_by('["States.HeartbeatTimeout"]'), 'SUCCEEDED States.Timeout', 'its own name in Catch takes it; what is caught is what AWS records');
SELECT is(t.caught_by('["States.Timeout"]'), 'SUCCEEDED States.Timeout', 'and so does that of any timeout');
SELECT is(t.caught_by('["States.ALL"]'), 'SUCCEEDED States.Timeout', 'and that of any error');
SELECT is(t.caught_by('["States.TaskFailed"]'), 'FAILED States.Timeout heartbeat', 'not that of a failed task; the cause says that it was a heartbeat');
SELECT is(t.caught_by('["States.HeartbeatTimeout"]', '{"HeartbeatSeconds": 20, "TimeoutSeconds": 21, "Resource": "activity:nobody", "ScheduleToStartSeconds": 1, "Parameters": {}}'), 'FAILED States.Timeout',
	'another timeout is not caught under the name of this one');

SELECT setval('t.tries', 1, false) \g /dev/null
CREATE TEMP TABLE r AS SELECT t.run(t.task('sql:t.nap', '{"Parameters": {}, "HeartbeatSeconds": 1,
	"Retry": [{"ErrorEquals": ["States.HeartbeatTimeout"], "IntervalSeconds": 1, "MaxAttempts": 1, "JitterStrategy": "NONE"}]}')) AS run;
SELECT is(t.status(run) || ' ' || t.error(run), 'FAILED States.Timeout', 'Retry, then the failure') FROM r;
SELECT is((SELECT count(*)::int FROM dealix.history_details h WHERE h.run_id = r.run AND h.payload ->> 'error' = 'States.Timeout' AND h.event = 'step_failed'), 2,
	'its own name in Retry takes it, once') FROM r;
SELECT is_empty('SELECT FROM r JOIN dealix.history_details h ON h.run_id = r.run WHERE h.payload ->> ''error'' = ''States.HeartbeatTimeout''', 'the other name is nowhere in the history');

SELECT is(t.output(t.run('{"StartAt": "P", "States": {
	"P": {"Type": "Parallel", "End": true, "Catch": [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Caught"}],
		"Branches": [{"StartAt": "N", "States": {"N": {"Type": "Task", "Resource": "sql:t.nap", "Parameters": {}, "HeartbeatSeconds": 1, "End": true}}}]},
	"Caught": {"Type": "Succeed", "OutputPath": "$.Error"}}}')), '"States.Timeout"', 'the Parallel around it can name it too');

SELECT is((SELECT t - 'cause' - 'variables' FROM dealix.test_state('{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:a", "End": true,
	"Catch": [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "B"}]}, "B": {"Type": "Succeed"}}}', 'A', '{}', '{"error": "States.HeartbeatTimeout"}') t) #>> '{output,Error}',
	'States.Timeout', 'test_state says the same');

SELECT * FROM finish();
