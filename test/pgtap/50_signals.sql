-- Signals: before, while and after the run waits; once each.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.waiter(more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
$$ SELECT t.task('signal:go', more) $$;
CREATE TEMP TABLE r (run uuid);

-- ---------- while it waits ----------

INSERT INTO r SELECT t.begin(t.waiter());
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'RUNNING', 'a run waits for a signal') FROM r;
SELECT is((SELECT count(*)::int FROM dealix.waiting_details w WHERE w.run_id = r.run), 1, 'dealix.waiting shows it') FROM r;
SELECT is_empty('SELECT * FROM dealix.stuck()', 'waiting is not being stuck');
SELECT is(dealix.signal(run, 'other', '1'), true, 'a signal of another name is accepted') FROM r;
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'RUNNING', 'but not taken') FROM r;
SELECT is(dealix.signal(run, 'go', '{"by": "me"}'), true, 'the signal') FROM r;
SELECT is(t.settle(run), 'SUCCEEDED', 'lets it go on') FROM r;
SELECT is(t.output(run), '{"by": "me"}', 'its payload is the result') FROM r;

-- ---------- before it waits ----------

UPDATE r SET run = t.begin(t.waiter());
SELECT is(dealix.signal(run, 'go', '"early"'), true, 'a signal before the run has begun') FROM r;
SELECT is(t.settle(run), 'SUCCEEDED', 'is there when the run asks for it') FROM r;
SELECT is(t.output(run), '"early"', 'with its payload') FROM r;

-- ---------- several ----------

CREATE FUNCTION t.two_waits() RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "signal:go", "ResultPath": "$.a", "Next": "B"},
	"B": {"Type": "Task", "Resource": "signal:go", "ResultPath": "$.b", "Next": "C"},
	"C": {"Type": "Task", "Resource": "signal:stop", "ResultPath": "$.c", "End": true}}}'::jsonb $$;
UPDATE r SET run = t.begin(t.two_waits());
SELECT dealix.signal(run, 'stop', '3') FROM r \g /dev/null
SELECT dealix.signal(run, 'go', '1') FROM r \g /dev/null
SELECT dealix.signal(run, 'go', '2') FROM r \g /dev/null
SELECT is(t.settle(run), 'SUCCEEDED', 'three signals that came before') FROM r;
SELECT is(t.output(run), '{"a": 1, "b": 2, "c": 3}', 'are taken by name, and in order within a name') FROM r;

UPDATE r SET run = t.begin(t.two_waits());
SELECT t.pump() \g /dev/null
SELECT dealix.signal(run, 'go', '1', 'k1') FROM r \g /dev/null
SELECT is(dealix.signal(run, 'go', '1', 'k1'), false, 'the same key again is not taken') FROM r;
SELECT t.pump() \g /dev/null
SELECT is(dealix.signal(run, 'go', '1', 'k1'), false, 'not even after the first was received') FROM r;
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'RUNNING', 'so the second wait still waits') FROM r;
SELECT is(dealix.signal(run, 'stop', '3', 'k1'), true, 'a key belongs to a name') FROM r;
SELECT is(dealix.signal(run, 'go', '2', 'k2'), true, 'another key is another signal') FROM r;
SELECT is(t.settle(run), 'SUCCEEDED', 'and the run goes on') FROM r;
SELECT is(t.output(run), '{"a": 1, "b": 2, "c": 3}', 'with each once') FROM r;
SELECT is((SELECT count(*)::int FROM dealix.timeline(r.run) WHERE event = 'signal_received'), 3, 'the history has each once') FROM r;
SELECT is(dealix.signal(run, 'go', '1', 'k1'), false, 'after the end the same key again is told so too') FROM r;
SELECT throws_ok(format('SELECT dealix.signal(%L, ''go'', ''1'', ''k3'')', run), 'DX006', NULL, 'what is new is refused') FROM r;

-- ---------- the default payload ----------

UPDATE r SET run = t.begin(t.waiter());
SELECT dealix.signal(run, 'go') FROM r \g /dev/null
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.output(run), 'null', 'without a payload it is null') FROM r;

-- ---------- never ----------

UPDATE r SET run = t.run(t.waiter('{"TimeoutSeconds": 1}'));
SELECT is(t.status(run) || ' ' || t.error(run), 'FAILED States.Timeout', 'a signal that does not come in time is a timeout') FROM r;
UPDATE r SET run = t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "signal:go", "TimeoutSeconds": 1, "Catch": [{"ErrorEquals": ["States.Timeout"], "ResultPath": "$.e", "Next": "B"}], "End": true},
	"B": {"Type": "Succeed"}}}');
SELECT is(t.status(run), 'SUCCEEDED', 'which can be caught') FROM r;
UPDATE r SET run = t.begin(t.waiter('{"Retry": [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 1}], "TimeoutSeconds": 1}'));
SELECT t.pump() \g /dev/null
SELECT pg_sleep(1.1) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'RUNNING', 'or retried') FROM r;
SELECT dealix.signal(run, 'go', '"while it waits for its next attempt"') FROM r \g /dev/null
SELECT is(t.settle(run), 'SUCCEEDED', 'and finds what came meanwhile') FROM r;

-- ---------- too late, to nobody, by nobody ----------

SELECT throws_ok(format('SELECT dealix.signal(%L, ''go'')', run), 'DX006', NULL, 'a signal to a run that has ended') FROM r;

SELECT throws_ok('SELECT dealix.signal(''00000000-0000-7000-8000-000000000000'', ''go'')', 'P0002', NULL, 'a signal to no run is one');
UPDATE r SET run = t.begin(t.waiter());
RESET SESSION AUTHORIZATION;
GRANT SELECT ON r TO tap_other;
SET SESSION AUTHORIZATION tap_other;
SELECT throws_ok(format('SELECT dealix.signal(%L, ''go'')', run), 'P0002', NULL, 'another role cannot signal it, nor learn that it exists') FROM r;
SELECT throws_ok(format('SELECT dealix.cancel(%L)', run), 'P0002', NULL, 'nor cancel it') FROM r;
SELECT throws_ok(format('SELECT dealix.terminate(%L)', run), '42501', NULL, 'nor terminate it') FROM r;
SELECT throws_ok(format('SELECT dealix.result(%L)', run), 'P0002', NULL, 'nor ask for its result') FROM r;
SELECT throws_ok(format('SELECT dealix.describe(%L)', run), 'P0002', NULL, 'nor look at it') FROM r;
SELECT is((SELECT count(*)::int FROM dealix.run_details) + (SELECT count(*)::int FROM dealix.waiting_details) + (SELECT count(*)::int FROM dealix.history_details)
	+ (SELECT count(*)::int FROM dealix.step_details), 0, 'the views show it nothing');
SELECT is(dealix.tick(), 0, 'and it cannot advance it');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT dealix.signal(run, 'go') FROM r \g /dev/null
SELECT is(t.settle(run), 'SUCCEEDED', 'its owner can') FROM r;

-- ---------- Wait ----------

CREATE TEMP TABLE clock AS SELECT clock_timestamp() AS began;
SELECT is(t.output(t.run('{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": true}}}', '{"x": 1}')), '{"x": 1}', 'a Wait hands its input on');
SELECT cmp_ok(clock_timestamp() - began, '>=', interval '1 s', 'after so long') FROM clock;
SELECT is(t.status(t.run('{"StartAt": "W", "States": {"W": {"Type": "Wait", "SecondsPath": "$.s", "End": true}}}', '{"s": 0}')), 'SUCCEEDED', 'SecondsPath');
SELECT is(t.status(t.run('{"StartAt": "W", "States": {"W": {"Type": "Wait", "Timestamp": "2001-01-01T00:00:00Z", "End": true}}}')), 'SUCCEEDED', 'a Timestamp that is past');
UPDATE r SET run = t.begin('{"StartAt": "W", "States": {"W": {"Type": "Wait", "TimestampPath": "$.at", "End": true}}}',
	jsonb_build_object('at', to_char(clock_timestamp() AT TIME ZONE 'UTC' + interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')));
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'RUNNING', 'a Timestamp to come') FROM r;

SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');

SELECT * FROM finish();
ROLLBACK;
