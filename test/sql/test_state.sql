-- dealix.test_state: one state at a time, nothing is stored.

\pset format unaligned
\pset tuples_only on

CREATE TEMP TABLE definition AS SELECT '{
	"StartAt": "Pay",
	"States": {
		"Pay": {
			"Type": "Task", "Resource": "sql:shop.pay",
			"InputPath": "$.order",
			"Parameters": {"amount.$": "$.amount", "run.$": "$$.Execution.Id", "who.$": "$owner"},
			"ResultSelector": {"receipt.$": "$.number"},
			"ResultPath": "$.paid",
			"Assign": {"receipt.$": "$.number"},
			"Retry": [
				{"ErrorEquals": ["Shop.Busy"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 3, "MaxDelaySeconds": 10},
				{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 0}],
			"Catch": [
				{"ErrorEquals": ["Shop.Declined"], "ResultPath": "$.declined", "Next": "Decide"},
				{"ErrorEquals": ["States.TaskFailed"], "Next": "Sleep"},
				{"ErrorEquals": ["States.ALL"], "ResultPath": null, "Next": "Each"}],
			"Next": "Decide"},
		"Decide": {
			"Type": "Choice",
			"Choices": [
				{"Variable": "$.total", "NumericGreaterThan": 100, "Next": "Sleep", "Assign": {"big": true}},
				{"Variable": "$.total", "NumericLessThan": 0, "Next": "Broken"}],
			"Default": "Both"},
		"Sleep": {"Type": "Wait", "Timestamp": "2026-03-14T01:59:00+01:00", "Next": "Both"},
		"Both": {
			"Type": "Parallel", "Next": "Each",
			"Branches": [{"StartAt": "One", "States": {"One": {"Type": "Pass", "End": true}}}]},
		"Each": {
			"Type": "Map", "ItemsPath": "$.lines", "Next": "Fine",
			"ItemSelector": {"line.$": "$$.Map.Item.Value", "number.$": "$$.Map.Item.Index"},
			"ItemProcessor": {"StartAt": "Two", "States": {"Two": {"Type": "Succeed", "OutputPath": "$.line"}}}},
		"Fine": {"Type": "Pass", "Result": [1, 2], "ResultPath": "$.result", "OutputPath": "$.result", "End": true},
		"Broken": {"Type": "Fail", "ErrorPath": "$.code", "CausePath": "States.Format(''total {}'', $.total)"}}}'::jsonb AS d;

CREATE FUNCTION pg_temp.test(state text, input jsonb, mock jsonb DEFAULT NULL, context jsonb DEFAULT NULL,
	variables jsonb DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
	SELECT jsonb_pretty(dealix.test_state(d, state, input, mock, context, variables)) FROM pg_temp.definition
$$;

-- Task
SELECT pg_temp.test('Pay', '{"order": {"amount": 7}}', '{"result": {"number": "R1", "more": 1}}',
	'{"Execution": {"Id": "x"}}', '{"owner": "me"}');
SELECT pg_temp.test('Pay', '{"order": {}}', '{"result": 1}', '{"Execution": {"Id": "x"}}', '{"owner": "me"}');

-- Retry and Catch
CREATE FUNCTION pg_temp.fail(error text, retries int DEFAULT 0) RETURNS text
LANGUAGE sql AS $$
	SELECT concat_ws(' ', error, retries, '->', t->>'status', t->>'delay', t->>'next', t->>'output')
	  FROM pg_temp.definition, dealix.test_state(d, 'Pay', '{"order": {"amount": 7}}',
		jsonb_build_object('error', error, 'cause', 'why'),
		jsonb_build_object('Execution', '{"Id": "x"}'::jsonb, 'State', jsonb_build_object('RetryCount', retries)),
		'{"owner": "me"}') t
$$;
SELECT pg_temp.fail('Shop.Busy', n) FROM generate_series(0, 3) n;
SELECT pg_temp.fail(e) FROM unnest(ARRAY['Shop.Declined', 'shop.declined', 'Anything', '', NULL, 'States.Timeout',
	'States.HeartbeatTimeout', 'States.Permissions', 'States.DataLimitExceeded', 'States.Runtime', 'States.ALL']) e;

-- Choice
SELECT pg_temp.test('Decide', '{"total": 101}');
SELECT pg_temp.test('Decide', '{"total": 100}');
SELECT pg_temp.test('Decide', '{}');

-- Wait, Parallel, Map, Pass, Succeed, Fail
SELECT pg_temp.test('Sleep', '{"a": 1}');
SELECT pg_temp.test('Both', '{"a": 1}', '{"result": [1]}');
SELECT pg_temp.test('One', '{"a": 1}');
SELECT pg_temp.test('Each', '{"lines": ["a", "b"]}', '{"result": ["A", "B"]}');
SELECT pg_temp.test('Each', '{"lines": 7}', '{"result": []}');
SELECT pg_temp.test('Two', '{"line": "a"}');
SELECT pg_temp.test('Fine', '{"a": 1}');
SELECT pg_temp.test('Fine', '[]');
SELECT pg_temp.test('Broken', '{"code": "Shop.Negative", "total": -1}');
SELECT pg_temp.test('Broken', '{"total": -1}');

-- The query language SQL
CREATE TEMP TABLE sql_definition AS SELECT '{
	"QueryLanguage": "SQL",
	"StartAt": "Price",
	"States": {
		"Price": {"Type": "Task", "Resource": "sql:shop.price",
			"Arguments": {"sku": "{% input->''sku'' %}", "who": "{% owner %}", "fixed": [1, "{ % }"]},
			"Assign": {"price": "{% result->''price'' %}"},
			"Output": "{% input || result %}",
			"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Check", "Output": "{% error %}", "Assign": {"failed": true}}],
			"Next": "Check"},
		"Check": {"Type": "Choice",
			"Choices": [{"Condition": "{% price::numeric * (input->>''count'')::int > 100 %}", "Next": "Many", "Output": {"dear": "{% price %}"}},
				{"Condition": false, "Next": "Price"}],
			"Default": "Refuse"},
		"Many": {"Type": "Map", "Items": "{% (SELECT jsonb_agg(g * 2) FROM generate_series(1, 3) g) %}",
			"ItemSelector": {"item": "{% context #> ''{Map,Item,Value}'' %}"},
			"ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Pass", "Output": "{% 1 / (input::int) %}", "End": true}}},
			"End": true},
		"Refuse": {"Type": "Fail", "Error": "Shop.Cheap", "Cause": "{% ''only '' || (price #>> ''{}'') %}"}}}'::jsonb AS d;
SELECT dealix.test_state(d, 'Price', '{"sku": "s"}', '{"result": {"price": 5}}', variables => '{"owner": "me"}') FROM sql_definition;
SELECT dealix.test_state(d, 'Price', '{"sku": "s"}', '{"error": "Boom"}', variables => '{"owner": "me"}') FROM sql_definition;
SELECT dealix.test_state(d, 'Price', '{"sku": "s"}', '{"result": 1}') FROM sql_definition;
SELECT dealix.test_state(d, 'Check', '{"count": 30}', variables => '{"price": 5}') FROM sql_definition;
SELECT dealix.test_state(d, 'Check', '{"count": 3}', variables => '{"price": 5}') FROM sql_definition;
SELECT dealix.test_state(d, 'Check', '{"count": "x"}', variables => '{"price": 5}') FROM sql_definition;
SELECT dealix.test_state(d, 'Many', '{}', '{"result": []}') FROM sql_definition;
SELECT dealix.test_state(d, 'One', '2') FROM sql_definition;
SELECT dealix.test_state(d, 'One', '0') FROM sql_definition;
SELECT dealix.test_state(d, 'Refuse', '{}', variables => '{"price": 5}') FROM sql_definition;

-- Wrong calls
SELECT pg_temp.test('Nowhere', '{}');
SELECT pg_temp.test('Pay', '{"order": {"amount": 7}}', NULL, '{"Execution": {"Id": "x"}}', '{"owner": "me"}');
SELECT pg_temp.test('Both', '{}', '{"results": 1}');
SELECT pg_temp.test('Both', '{}', '[]');
SELECT pg_temp.test('Both', NULL);
SELECT dealix.test_state('{"StartAt": "A", "States": {}}', 'A', '{}');
