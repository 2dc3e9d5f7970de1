-- Definitions written for AWS run as they are.
\ir setup.psql
SELECT no_plan();
SET client_min_messages = error;

CREATE TEMP TABLE d AS SELECT '{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.fail", "Parameters": {"error": "States.MyName"}, "End": true,
		"Retry": [{"ErrorEquals": ["States.MyOther"], "MaxAttempts": 0}],
		"Catch": [{"ErrorEquals": ["States.MyName"], "Next": "F"}]},
	"F": {"Type": "Fail", "Error": "States.MyName", "Cause": "mine"}}}'::jsonb AS definition;
GRANT SELECT ON d TO PUBLIC;
SELECT results_eq('SELECT pointer, severity FROM d, dealix.validate(definition)', $$VALUES
	('/States/A/Catch/0/ErrorEquals/0', 'warning'), ('/States/A/Retry/0/ErrorEquals/0', 'warning'), ('/States/F/Error', 'warning')$$,
	'error names of one''s own that begin with States. are warnings');
SELECT is((SELECT count(*)::int FROM d, dealix.validate(definition, true) WHERE severity = 'warning'), 3, 'as the pure language too');
SELECT is(dealix.publish('mine', definition), 1, 'it is published') FROM d;
CREATE TEMP TABLE r AS SELECT t.run(definition) AS run FROM d;
SELECT is(t.error(run) || ' ' || t.cause(run), 'States.MyName mine', 'Catch takes it and Fail ends with it') FROM r;

SELECT * FROM finish();
ROLLBACK;
