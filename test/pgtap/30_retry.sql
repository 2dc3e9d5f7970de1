-- Retry and Catch, and conflicts that the engine retries by itself.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.retried(times int, retry jsonb, error text DEFAULT 'Test.Failure') RETURNS uuid LANGUAGE sql AS $$
	SELECT t.forget();
	SELECT t.run(t.task('sql:t.fail_times', jsonb_build_object(
		'Parameters', jsonb_build_object('times', times, 'error', error), 'Retry', retry)));
$$;
CREATE FUNCTION t.tries() RETURNS bigint LANGUAGE sql AS 'SELECT last_value FROM t.tries';

-- ---------- Retry ----------

CREATE TEMP TABLE r AS SELECT t.retried(2, '[{"ErrorEquals": ["Test.Failure"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 2}]') AS run;
SELECT is(t.status(run), 'SUCCEEDED', 'two retries are enough for two failures') FROM r;
SELECT is(t.output(run), '3', 'the third try succeeded') FROM r;
SELECT is((SELECT array_agg(attempt ORDER BY seq) FROM dealix.timeline(run) WHERE event IN ('step_failed', 'step_succeeded')),
	ARRAY[1, 2, 3], 'the history numbers the attempts') FROM r;
SELECT cmp_ok((SELECT max(at) - min(at) FROM dealix.timeline(run) WHERE state = 'Only'), '>=', interval '2 s',
	'between them it waited as long as it was told') FROM r;

UPDATE r SET run = t.retried(3, '[{"ErrorEquals": ["Test.Failure"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 2}]');
SELECT is(t.status(run) || ' ' || t.error(run) || ' ' || t.cause(run), 'FAILED Test.Failure try 3', 'two retries are not enough for three') FROM r;
SELECT is(t.tries(), 3::bigint, 'and there was no fourth try');

UPDATE r SET run = t.retried(1, '[{"ErrorEquals": ["Other"], "MaxAttempts": 5}]');
SELECT is(t.status(run) || t.tries(), 'FAILED1', 'an error that no retrier names is not retried') FROM r;
UPDATE r SET run = t.retried(1, '[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 0}]');
SELECT is(t.status(run) || t.tries(), 'FAILED1', 'MaxAttempts 0 means never') FROM r;
UPDATE r SET run = t.retried(1, '[{"ErrorEquals": ["States.TaskFailed"]}]');
SELECT is(t.status(run), 'SUCCEEDED', 'States.TaskFailed names what a step raises; the defaults are enough') FROM r;
UPDATE r SET run = t.retried(1, '[{"ErrorEquals": ["Test.Failure"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"], "MaxAttempts": 3}]');
SELECT is(t.status(run) || t.tries(), 'FAILED1', 'the first retrier that matches decides') FROM r;
UPDATE r SET run = t.retried(1, '[{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 3}]', 'States.Timeout');
SELECT is(t.status(run), 'SUCCEEDED', 'any name may be raised, those of the language too') FROM r;

SELECT t.forget() \g /dev/null
SELECT is(t.output(t.run($j${"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.fail_times", "Parameters": {"times.$": "$.times"}, "ResultPath": "$.n",
		"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}],
		"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "B"}], "Next": "B"},
	"B": {"Type": "Pass", "Parameters": {"all.$": "$"}, "End": true}}}$j$, '{"times": 9}')) #>> '{all,error,Error}',
	'Test.Failure', 'Catch comes after Retry is exhausted');

SELECT t.forget() \g /dev/null
CREATE FUNCTION t.note_retry(n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM setval('t.tries', n * 10 + 1, true);
	IF n < 2 THEN PERFORM dealix.raise('Again'); END IF;
END $$;
SELECT is(t.call('sql:t.note_retry', '{}', $j${"Parameters": {"n.$": "$$.State.RetryCount"},
	"Retry": [{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "BackoffRate": 1}]}$j$), 'null', 'RetryCount is in the context object');
SELECT is(t.tries(), 21::bigint, 'and counts');

-- ---------- Catch ----------

SELECT is(t.output(t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.fail", "Parameters": {"error": "E", "cause": "c"},
		"Catch": [{"ErrorEquals": ["E"], "Next": "B"}], "Next": "B"},
	"B": {"Type": "Pass", "End": true}}}', '{"kept": 1}')), '{"Cause": "c", "Error": "E"}', 'without ResultPath the error is the whole output');
SELECT is(t.output(t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.fail", "Parameters": {"error": "E", "cause": "c"},
		"Catch": [{"ErrorEquals": ["D"], "Next": "Bad"}, {"ErrorEquals": ["E"], "ResultPath": "$.e", "Next": "B"}, {"ErrorEquals": ["States.ALL"], "Next": "Bad"}], "End": true},
	"B": {"Type": "Pass", "End": true},
	"Bad": {"Type": "Fail"}}}', '{"kept": 1}')), '{"e": {"Cause": "c", "Error": "E"}, "kept": 1}', 'the first catcher that matches; the raw input is kept');
SELECT is(t.error(t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what.$": "$.absent"}, "Catch": [{"ErrorEquals": ["Other"], "Next": "B"}], "End": true},
	"B": {"Type": "Succeed"}}}')), 'States.Runtime', 'a path that finds nothing is an error of the state');

-- ---------- conflicts ----------

SELECT t.forget() \g /dev/null
SELECT is(t.call('sql:t.sqlstate_times', '{"times": 3, "code": "40001"}'), '4', 'serialization failures are retried without a Retry');
SELECT t.forget() \g /dev/null
SELECT is(t.call('sql:t.sqlstate_times', '{"times": 2, "code": "40P01"}'), '3', 'so are deadlocks');
SELECT t.forget() \g /dev/null
UPDATE r SET run = t.run(t.task('sql:t.sqlstate_times', '{"Retry": [{"ErrorEquals": ["SQL.serialization_failure"], "IntervalSeconds": 1, "MaxAttempts": 0}]}'), '{"times": 1, "code": "40001"}');
SELECT is(t.status(run), 'SUCCEEDED', 'even if Retry says no') FROM r;
SELECT is((SELECT max(attempt) FROM dealix.timeline(run)), 1, 'and that used up no attempt') FROM r;

SELECT * FROM finish();
ROLLBACK;
