-- Compensation: what completed is undone in reverse order.
\ir setup.psql
RESET SESSION AUTHORIZATION;
SELECT dealix.grant_access('tap_app', 'operator') \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT no_plan();

-- A chain of steps "A", "B", ... with compensations "undo A", ... and a last one
-- that fails.
CREATE FUNCTION t.chain(names text[], last jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('StartAt', names[1], 'States',
		(SELECT jsonb_object_agg(names[i], jsonb_build_object('Type', 'Task', 'Resource', 'sql:t.do',
				'Parameters', jsonb_build_object('what', names[i]), 'ResultPath', '$.' || lower(names[i]),
				'Compensate', jsonb_build_object('Resource', 'sql:t.do', 'Parameters', jsonb_build_object('what', 'undo ' || names[i])),
				'Next', coalesce(names[i + 1], 'Last')))
		 FROM generate_subscripts(names, 1) AS i)
		|| jsonb_build_object('Last', last))
$$;
CREATE TEMP TABLE r (run uuid);

INSERT INTO r SELECT t.run(t.chain(ARRAY['A', 'B', 'C'], '{"Type": "Task", "Resource": "sql:t.fail", "Parameters": {}, "End": true}'));
SELECT is(t.status(run) || ' ' || t.error(run), 'FAILED Test.Failure', 'the run ends with the error that it failed for') FROM r;
SELECT is(t.effects(), 'A,B,C,undo C,undo B,undo A', 'undone in reverse order, once each');
SELECT is((SELECT string_agg(state, ',' ORDER BY seq) FROM dealix.timeline(run) WHERE event = 'step_compensated'), 'C,B,A', 'the history says so') FROM r;

SELECT t.forget() \g /dev/null
UPDATE r SET run = t.run(t.chain(ARRAY['A', 'B'], '{"Type": "Fail", "Error": "E", "Cause": "c"}'));
SELECT is(t.effects() || ' ' || t.error(run), 'A,B,undo B,undo A E', 'a Fail state compensates, too') FROM r;

SELECT t.forget() \g /dev/null
UPDATE r SET run = t.run(t.chain(ARRAY['A', 'B'], '{"Type": "Succeed"}'));
SELECT is(t.effects() || ' ' || t.status(run), 'A,B SUCCEEDED', 'success does not') FROM r;

SELECT t.forget() \g /dev/null
UPDATE r SET run = t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "A"}, "Compensate": {"Resource": "sql:t.do", "Parameters": {"what": "undo A"}}, "Next": "F"},
	"F": {"Type": "Task", "Resource": "sql:t.fail", "Parameters": {}, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}], "End": true},
	"Z": {"Type": "Succeed"}}}');
SELECT is(t.effects() || ' ' || t.status(run), 'A SUCCEEDED', 'nor does an error that is caught') FROM r;

SELECT t.forget() \g /dev/null
UPDATE r SET run = t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.fail", "Parameters": {}, "Compensate": {"Resource": "sql:t.do", "Parameters": {"what": "undo A"}}, "End": true}}}');
SELECT is(t.effects() || ' ' || t.status(run), ' FAILED', 'a step that failed is not undone') FROM r;

SELECT t.forget() \g /dev/null
UPDATE r SET run = t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "A"}, "ResultPath": null, "Compensate": {"Resource": "sql:t.do", "Parameters": {"what": "undo A"}}, "Next": "B"},
	"B": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "B"}, "ResultPath": null, "Next": "F"},
	"F": {"Type": "Fail"}}}');
SELECT is(t.effects(), 'A,B,undo A', 'a step without Compensate is left alone');

-- a step that completed three times in a loop
SELECT t.forget() \g /dev/null
CREATE FUNCTION t.count_up(n int) RETURNS int LANGUAGE sql AS $$ SELECT t.do('up ' || n); SELECT n + 1 $$;
CREATE FUNCTION t.undo_up(n int) RETURNS void LANGUAGE sql AS $$ SELECT t.do('undo ' || n) $$;
UPDATE r SET run = t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.count_up", "Parameters": {"n.$": "$.n"}, "ResultPath": "$.n",
		"Compensate": {"Resource": "sql:t.undo_up", "Parameters": {"n.$": "$.input.n"}}, "Next": "Again"},
	"Again": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 4, "Next": "A"}], "Default": "F"},
	"F": {"Type": "Fail"}}}', '{"n": 1}');
SELECT is(t.effects(), 'up 1,up 2,up 3,undo 3,undo 2,undo 1', 'every completion is undone, with its own input');

-- ---------- what the compensation gets ----------

SELECT t.forget() \g /dev/null
CREATE FUNCTION t.note_undo(input jsonb) RETURNS void LANGUAGE sql AS $$ SELECT t.do('undo', input) $$;
UPDATE r SET run = t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "x"}, "ResultPath": null, "Compensate": {"Resource": "sql:t.note_undo"}, "Next": "F"},
	"F": {"Type": "Fail", "Error": "E", "Cause": "c"}}}');
SELECT is((SELECT detail FROM t.effect WHERE what = 'undo'),
	'{"input": {"what": "x"}, "output": "did x", "error": {"Error": "E", "Cause": "c"}}', 'input, output and error');

-- ---------- its own Retry ----------

SELECT t.forget() \g /dev/null
UPDATE r SET run = t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "A"}, "Compensate": {"Resource": "sql:t.fail_times", "Parameters": {"times": 2},
		"Retry": [{"ErrorEquals": ["Test.Failure"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 2}]}, "Next": "F"},
	"F": {"Type": "Fail", "Error": "E"}}}');
SELECT is(t.status(run) || ' ' || t.error(run), 'FAILED E', 'a compensation has its own Retry') FROM r;
SELECT is((SELECT last_value FROM t.tries), 3::bigint, 'and used it');

-- ---------- a compensation that fails for good ----------

SELECT t.forget() \g /dev/null
UPDATE r SET run = t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "A"}, "ResultPath": null, "Compensate": {"Resource": "sql:t.do", "Parameters": {"what": "undo A"}}, "Next": "B"},
	"B": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "B"}, "ResultPath": null, "Compensate": {"Resource": "sql:t.fail_times", "Parameters": {"times": 1}}, "Next": "C"},
	"C": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "C"}, "ResultPath": null, "Compensate": {"Resource": "sql:t.do", "Parameters": {"what": "undo C"}}, "Next": "F"},
	"F": {"Type": "Fail", "Error": "E", "Cause": "why"}}}');
SELECT is(t.status(run), 'INCIDENT', 'is an incident') FROM r;
SELECT is(t.effects(), 'A,B,C,undo C', 'what was undone stays undone, what was not is not');
SELECT is((SELECT count(*)::int FROM dealix.incident_details i WHERE i.run_id = r.run), 1, 'dealix.incidents shows it') FROM r;
SELECT is_empty('SELECT * FROM dealix.stuck()', 'it is not stuck: a person has to look');
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'INCIDENT', 'it stays until then') FROM r;
SELECT dealix.redrive(run) FROM r \g /dev/null
SELECT is(t.settle(run), 'FAILED', 'redrive goes on') FROM r;
SELECT is(t.effects(), 'A,B,C,undo C,undo A', 'where it stopped, nothing twice');
SELECT is(t.error(run) || ': ' || t.cause(run), 'E: why', 'the run still failed for what it failed for') FROM r;
SELECT is((SELECT count(*)::int FROM dealix.incident_details i WHERE i.run_id = r.run), 0, 'the incident is gone') FROM r;
SELECT is((SELECT count(*)::int FROM dealix.timeline(r.run) WHERE event = 'incident_opened'), 1, 'but not forgotten') FROM r;
SELECT throws_ok(format('SELECT dealix.redrive(%L)', run), 'DX007', NULL, 'a compensated run cannot be redriven') FROM r;

-- ---------- redrive of a run that failed ----------

SELECT t.forget() \g /dev/null
UPDATE r SET run = t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "A"}, "ResultPath": null, "Next": "B"},
	"B": {"Type": "Task", "Resource": "sql:t.fail_times", "Parameters": {"times": 1}, "ResultPath": "$.tries", "Next": "C"},
	"C": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "C"}, "ResultPath": null, "End": true}}}', '{"kept": true}');
SELECT is(t.status(run), 'FAILED', 'a run without compensation fails') FROM r;
SELECT dealix.redrive(run) FROM r \g /dev/null
SELECT is(t.settle(run), 'SUCCEEDED', 'redrive goes on from the failed step') FROM r;
SELECT is(t.effects(), 'A,C', 'steps before it are not repeated');
SELECT is(t.output(run), '{"kept": true, "tries": 2}', 'with the data that it had') FROM r;
SELECT throws_ok(format('SELECT dealix.redrive(%L)', run), 'DX007', NULL, 'a run that succeeded cannot be redriven') FROM r;

-- ---------- cancel and terminate ----------

CREATE FUNCTION t.waiting_chain() RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_set(t.chain(ARRAY['A', 'B'], '{"Type": "Wait", "Seconds": 3600, "End": true}'), '{Comment}', '"waits"')
$$;
SELECT t.forget() \g /dev/null
UPDATE r SET run = t.begin(t.waiting_chain());
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'RUNNING', 'a run waits') FROM r;
SELECT is(dealix.cancel(run, 'changed my mind'), true, 'cancel is taken') FROM r;
SELECT is(t.settle(run), 'CANCELLED', 'and the run is CANCELLED') FROM r;
SELECT is(t.effects(), 'A,B,undo B,undo A', 'after it has compensated');
SELECT matches(t.cause(run), 'changed my mind', 'the reason is kept') FROM r;
SELECT is(dealix.cancel(run), false, 'a run that has ended cannot be cancelled') FROM r;
SELECT is(dealix.terminate(run), false, 'nor terminated') FROM r;

SELECT t.forget() \g /dev/null
UPDATE r SET run = t.begin(t.waiting_chain());
SELECT t.pump() \g /dev/null
SELECT is(dealix.terminate(run, 'now'), true, 'terminate') FROM r;
SELECT is(t.status(run), 'TERMINATED', 'ends the run at once') FROM r;
SELECT t.pump() \g /dev/null
SELECT is(t.effects(), 'A,B', 'without any more of its code');
SELECT throws_ok(format('SELECT dealix.redrive(%L)', run), 'DX007', NULL, 'for good') FROM r;

UPDATE r SET run = t.begin(t.waiting_chain());
SELECT is(dealix.cancel(run), true, 'a run can be cancelled before it has begun') FROM r;
SELECT is(t.settle(run), 'CANCELLED', 'and is') FROM r;

-- the workflow's own time limit
SELECT t.forget() \g /dev/null
UPDATE r SET run = t.run(t.waiting_chain() || '{"TimeoutSeconds": 1}');
SELECT is(t.status(run) || ' ' || t.error(run), 'TIMED_OUT States.Timeout', 'a run past its own TimeoutSeconds is TIMED_OUT') FROM r;
SELECT is(t.effects(), 'A,B,undo B,undo A', 'after it has compensated');

-- in the items of a Map
SELECT t.forget() \g /dev/null
UPDATE r SET run = t.run('{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": {"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "A"}, "ResultPath": null, "Compensate": {"Resource": "sql:t.do", "Parameters": {"what": "undo A"}}, "Next": "U"},
	"U": {"Type": "Task", "Resource": "compensate:", "End": true}}}, "End": true}}}', '{"items": [10, 11, 12]}');
SELECT is(t.output(run)::text, '[10, 11, 12]', 'an item that compensates is the same item afterwards') FROM r;
SELECT is((SELECT count(*) FROM t.effect WHERE what = 'undo A'), 3::bigint, 'each step is undone once');

SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');

SELECT * FROM finish();
ROLLBACK;
