-- What dealix.validate reports: one wrong definition per rule.

\pset format unaligned
\pset fieldsep ' | '
\pset footer off
SET client_min_messages = warning;

-- What resources stand for is not the subject here.
CREATE SCHEMA shop;
CREATE FUNCTION shop.pay(jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION shop.refund(jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION shop.order(jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';

-- A machine of one state "S" that ends, with a place "E" to go to.
CREATE FUNCTION pg_temp.machine(state jsonb, more jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS $$
	SELECT jsonb_build_object('StartAt', 'S', 'States',
		jsonb_build_object('S', '{"Next": "E"}' || state, 'E', '{"Type": "Succeed"}'::jsonb)) || more
$$;

CREATE FUNCTION pg_temp.task(members jsonb) RETURNS jsonb
LANGUAGE sql AS $$
	SELECT pg_temp.machine('{"Type": "Task", "Resource": "sql:shop.pay"}' || members)
$$;

CREATE FUNCTION pg_temp.sql_task(members jsonb) RETURNS jsonb
LANGUAGE sql AS $$
	SELECT pg_temp.task('{"QueryLanguage": "SQL"}' || members)
$$;

-- A Map over a machine of one state.
CREATE FUNCTION pg_temp.map(members jsonb, config jsonb DEFAULT '{"Mode": "INLINE"}') RETURNS jsonb
LANGUAGE sql AS $$
	SELECT pg_temp.machine(jsonb_build_object('Type', 'Map', 'ItemProcessor',
		jsonb_build_object('ProcessorConfig', config, 'StartAt', 'I', 'States',
			'{"I": {"Type": "Succeed"}}'::jsonb)) || members)
$$;

-- The shape of a machine
SELECT * FROM dealix.validate('"StartAt"');
SELECT * FROM dealix.validate('[]');
SELECT * FROM dealix.validate('null');
SELECT * FROM dealix.validate('{}');
SELECT * FROM dealix.validate('{"StartAt": "A", "States": {}}');
SELECT * FROM dealix.validate('{"StartAt": 1, "States": []}');
SELECT * FROM dealix.validate('{"StartAt": "A", "States": {"A": {"Type": "Succeed"}},
	"Comment": 7, "Version": 1.0, "TimeoutSeconds": 0, "Timeout": 7}');
SELECT * FROM dealix.validate('{"StartAt": "A", "States": {"A": 7}}');
SELECT * FROM dealix.validate('{"StartAt": "A", "States": {"A": {}}}');
SELECT * FROM dealix.validate('{"StartAt": "A", "States": {"A": {"Type": "succeed", "Foo": 1}}}');

-- Transitions
SELECT * FROM dealix.validate('{"StartAt": "Frist", "States": {
	"First": {"Type": "Pass", "Next": "Second"},
	"Second": {"Type": "Pass", "Next": "Thrid"},
	"Third": {"Type": "Succeed"}}}');
SELECT * FROM dealix.validate('{"StartAt": "A", "States": {
	"A": {"Type": "Pass"},
	"B": {"Type": "Pass", "End": true, "Next": "A"},
	"C": {"Type": "Pass", "End": false},
	"D": {"Type": "Pass", "End": "true", "Next": 7}}}');
SELECT * FROM dealix.validate('{"StartAt": "A", "States": {
	"A": {"Type": "Pass", "Next": "A"},
	"B": {"Type": "Pass", "Next": "C"},
	"C": {"Type": "Pass", "Next": "B"}}}');
SELECT * FROM dealix.validate('{"StartAt": "A", "States": {
	"A": {"Type": "Succeed", "Next": "B", "End": true},
	"B": {"Type": "Fail", "Next": "A"}}}');
SELECT * FROM dealix.validate('{"StartAt": "P", "States": {
	"P": {"Type": "Parallel", "End": true, "Branches": [
		{"StartAt": "X", "States": {"X": {"Type": "Pass", "Next": "Y"}}},
		{"StartAt": "Y", "States": {"Y": {"Type": "Pass", "Next": "P"}, "P": {"Type": "Succeed"}}}]}}}');

-- Fields
SELECT * FROM dealix.validate(pg_temp.machine('{"Type": "Wait", "Secnds": 1}'));
SELECT * FROM dealix.validate(pg_temp.machine('{"Type": "Wait", "Seconds": 1, "Resource": "a:b", "comment": "x"}'));
SELECT * FROM dealix.validate(pg_temp.machine('{"Type": "Pass", "Comment": {}}'));
SELECT * FROM dealix.validate('{"StartAt": "F", "States": {"F": {"Type": "Fail",
	"InputPath": "$", "Error": "x", "ErrorPath": "$.x", "Cause": 7}}}');

-- Wait
SELECT v.* FROM (VALUES
	('{"Seconds": 1, "Timestamp": "2026-03-14T01:59:00Z"}'::jsonb),
	('{}'), ('{"Seconds": -1}'), ('{"Seconds": 1.5}'), ('{"Seconds": 100000000}'), ('{"Seconds": "1"}'),
	('{"Seconds": 1e400}'), ('{"SecondsPath": "$.a[*]"}'), ('{"SecondsPath": 1}'),
	('{"Timestamp": "2026-03-14 01:59:00Z"}'), ('{"Timestamp": "tomorrow"}'),
	('{"TimestampPath": "a"}')) w (members),
	dealix.validate(pg_temp.machine('{"Type": "Wait"}' || members)) v;

-- Paths and templates
SELECT v.* FROM (VALUES
	('{"InputPath": "a"}'::jsonb), ('{"InputPath": 7}'), ('{"OutputPath": "$.["}'),
	('{"ResultPath": "$.a[*]"}'), ('{"ResultPath": "$$.a"}'), ('{"ResultPath": "$a.b"}'),
	('{"Parameters": null}'), ('{"Parameters": {"a.$": "b"}}'), ('{"Parameters": {"a.$": 1}}'),
	('{"Parameters": {"a.$": "$.b", "a": 1}}'), ('{"Parameters": {"a.$": "States.Fromat(''x'')"}}'),
	('{"ResultSelector": {"a": [{"b.$": "States.Format(''{}'', "}]}}'),
	('{"Assign": 7}'), ('{"Assign": {"1a": 1, "a-b": 1, "states": 1, "ok.$": "$.a"}}')) w (members),
	dealix.validate(pg_temp.task(members)) v;

-- Retry and Catch
SELECT v.* FROM (VALUES
	('{"Retry": {}}'::jsonb), ('{"Retry": [7]}'), ('{"Retry": [{}]}'), ('{"Retry": [{"ErrorEquals": []}]}'),
	('{"Retry": [{"ErrorEquals": "x"}]}'), ('{"Retry": [{"ErrorEquals": [7, ""]}]}'),
	('{"Retry": [{"ErrorEquals": ["a", "States.ALL"]}]}'),
	('{"Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["a"]}]}'),
	('{"Retry": [{"ErrorEquals": ["States.Timout"]}]}'),
	('{"Retry": [{"ErrorEquals": ["a"], "IntervalSeconds": 0, "MaxAttempts": -1, "BackoffRate": 0.9, "MaxDelaySeconds": 31622400, "JitterStrategy": "full"}]}'),
	('{"Retry": [{"ErrorEquals": ["a"], "IntervalSeconds": 1.5, "MaxAttempts": "3", "BackoffRate": 1e500, "MaxAttemps": 2}]}'),
	('{"Catch": [{"ErrorEquals": ["a"]}]}'), ('{"Catch": [{"ErrorEquals": ["a"], "Next": "N"}]}'),
	('{"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "E", "ResultPath": "x", "Output": 1}, {"ErrorEquals": ["a"], "Next": "E"}]}'),
	('{"Catch": [{"Error Equals": ["a"], "Next": "E"}]}')) w (members),
	dealix.validate(pg_temp.task(members)) v;

-- Choice
SELECT v.* FROM (VALUES
	('{}'::jsonb), ('{"Choices": []}'), ('{"Choices": [7]}'), ('{"Choices": [{"Variable": "$.a", "IsNull": true}]}'),
	('{"Choices": [{"Variable": "$.a", "IsNull": true, "Next": "E"}], "Default": "D"}'),
	('{"Choices": [{"Variable": "$.a", "NumericEquals": "1", "Next": "E"}]}'),
	('{"Choices": [{"Variable": "$.a", "NumericEqual": 1, "Next": "E"}]}'),
	('{"Choices": [{"Variable": "$.a", "NumericEquals": 1, "StringEquals": "1", "Next": "E"}]}'),
	('{"Choices": [{"Variable": "$.a", "Next": "E"}]}'),
	('{"Choices": [{"NumericEquals": 1, "Next": "E"}]}'),
	('{"Choices": [{"And": [], "Next": "E"}]}'), ('{"Choices": [{"Variable": "$.a", "And": [{"Variable": "$.a", "IsNull": true}], "Next": "E"}]}'),
	('{"Choices": [{"Or": [{"Variable": "$.a", "IsNull": true, "a/b": 1}], "Next": "E"}]}'),
	('{"Choices": [{"Not": {"Variable": "$.a", "IsNull": true, "Next": "E"}, "Next": "E"}]}'),
	('{"Choices": [{"Variable": "$.a", "TimestampEquals": "now", "Next": "E"}]}')) w (members),
	dealix.validate(pg_temp.machine('{"Type": "Choice"}' || members) #- '{States,S,Next}') v
 WHERE v.code <> 'UNREACHABLE_STATE';

-- Task
SELECT v.* FROM (VALUES
	('{"Resource": null}'::jsonb), ('{"Resource": ""}'), ('{"Resource": "shop.pay"}'), ('{"Resource": "sql:"}'),
	('{"Resource": "SQL:shop.pay"}'), ('{"Resource": "a b:c"}'), ('{"Resource": "compensate:now"}'),
	('{"Resource": "arn:aws:lambda:us-east-1:123456789012:function:f:"}'),
	('{"Resource": "arn:aws:lambda:us-east-1:123456789012:function:f:$#1"}'),
	('{"Resource": "arn:aws"}'), ('{"Resource": "${f"}'), ('{"Resource": "signal:signed.waitForTaskToken"}'),
	('{"TimeoutSeconds": 0}'), ('{"TimeoutSeconds": 5, "TimeoutSecondsPath": "$.t"}'),
	('{"Resource": "activity:a", "TimeoutSeconds": 5, "HeartbeatSeconds": 5}'), ('{"HeartbeatSeconds": 5}'), ('{"Resource": "signal:a", "HeartbeatSeconds": 5}'),
	('{"Credentials": {"RoleArn": "x"}}'), ('{"Resource": "foo:bar", "Credentials": "x"}'),
	('{"Delivery": "once"}'), ('{"Governance": "A3"}')) w (members),
	dealix.validate(pg_temp.task(members)) v
 WHERE v.code <> 'UNSUPPORTED_RESOURCE';

-- Compensate
SELECT v.* FROM (VALUES
	('{"Compensate": "sql:shop.refund"}'::jsonb), ('{"Compensate": {}}'),
	('{"Compensate": {"Resource": "signal:x"}}'), ('{"Compensate": {"Resource": "workflow:x.start"}}'),
	('{"Resource": "signal:x", "Compensate": {"Resource": "sql:shop.refund"}}'),
	('{"Compensate": {"Resource": "sql:shop.refund", "Arguments": 1, "Catch": [], "TimeoutSeconds": 0, "Retry": [{}]}}')) w (members),
	dealix.validate(pg_temp.task(members)) v
 WHERE v.code <> 'UNSUPPORTED_RESOURCE';

-- Parallel and Map
SELECT v.* FROM (VALUES
	('{}'::jsonb), ('{"Branches": {}}'), ('{"Branches": []}'), ('{"Branches": [7]}'), ('{"Branches": [{}]}'),
	('{"Branches": [{"StartAt": "X", "TimeoutSeconds": 7, "States": {"X": {"Type": "Succeed"}}}]}')) w (members),
	dealix.validate(pg_temp.machine('{"Type": "Parallel"}' || members)) v;
SELECT v.* FROM (VALUES
	('{"ItemProcessor": 7}'::jsonb), ('{"Iterator": {"StartAt": "J", "States": {"J": {"Type": "Succeed"}}}}'),
	('{"ItemsPath": null}'), ('{"ItemsPath": "$.a[*]"}'), ('{"ItemSelector": {}, "Parameters": {}}'),
	('{"MaxConcurrency": -1}'), ('{"MaxConcurrency": 1, "MaxConcurrencyPath": "$.m"}'),
	('{"ToleratedFailurePercentage": 101}'), ('{"ToleratedFailureCount": 1.5}'),
	('{"Label": ""}'), ('{"Label": "a b"}'), ('{"Label": "a/b"}'), ('{"Label": "12345678901234567890123456789012345678901"}'),
	('{"ItemBatcher": {"MaxItemsPerBatch": 1}}'), ('{"ItemBatcher": {}}'), ('{"ItemBatcher": {"MaxItemsPerBatch": 0}}'),
	('{"ItemBatcher": {"MaxItemsPerBatch": 1, "MaxItemsPerBatchPath": "$.n", "MaxInputBytesPerBatch": 300000}}'),
	('{"ItemReader": {"Resource": "arn:aws:states:::s3:getObject"}}'), ('{"ResultWriter": {}}')) w (members),
	dealix.validate(pg_temp.map(members)) v;
SELECT * FROM dealix.validate(pg_temp.machine('{"Type": "Map"}'));
SELECT * FROM dealix.validate(pg_temp.map('{}', '{"Mode": "DISTRIBUTED"}'));
SELECT * FROM dealix.validate(pg_temp.map('{}', '{"Mode": "FAST", "Modes": 1, "ExecutionType": "EXPRESS"}'));
SELECT * FROM dealix.validate('{"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
	{"StartAt": "M1", "States": {"M1": {"Type": "Map", "Label": "m", "End": true,
		"ItemProcessor": {"StartAt": "X", "States": {"X": {"Type": "Succeed"}}}}}},
	{"StartAt": "M2", "States": {"M2": {"Type": "Map", "Label": "m", "End": true,
		"ItemProcessor": {"StartAt": "X", "States": {"X": {"Type": "Succeed"}}}}}}]}}}');

-- Query languages
SELECT * FROM dealix.validate(pg_temp.machine('{"Type": "Pass"}', '{"QueryLanguage": "JSONata"}'));
SELECT * FROM dealix.validate(pg_temp.machine('{"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% 1 %}", "Foo": 1}'));
SELECT * FROM dealix.validate(pg_temp.machine('{"Type": "Pass", "QueryLanguage": "jq"}'));
SELECT v.* FROM (VALUES
	('{"Arguments": {"id": "{% input->''id'' %}"}, "Output": "{% result %}", "Assign": {"a": "{% 1 %}"}, "TimeoutSeconds": "{% 5 %}"}'::jsonb),
	('{"Parameters": {}, "InputPath": "$", "OutputPath": "$", "ResultPath": "$", "ResultSelector": {}}'),
	('{"TimeoutSecondsPath": "$.t"}'), ('{"TimeoutSeconds": "5"}'), ('{"Output": "{% 1"}'), ('{"Output": ["{%  %}"]}'),
	('{"Assign": {"input": 1, "a.$": 1}}'),
	('{"Catch": [{"ErrorEquals": ["a"], "Next": "E", "ResultPath": "$", "Output": "{% error %}"}]}')) w (members),
	dealix.validate(pg_temp.sql_task(members)) v;
SELECT v.* FROM (VALUES
	('{"Choices": [{"Condition": "{% true %}", "Next": "E"}, {"Condition": false, "Next": "E"}]}'::jsonb),
	('{"Choices": [{"Next": "E"}, {"Condition": "true", "Next": "E"}, {"Variable": "$.a", "IsNull": true, "Next": "E"}]}')) w (members),
	dealix.validate(pg_temp.machine('{"Type": "Choice", "QueryLanguage": "SQL"}' || members) #- '{States,S,Next}') v;
SELECT * FROM dealix.validate(pg_temp.map('{"QueryLanguage": "SQL", "Items": 7, "ItemsPath": "$.a"}'));
SELECT * FROM dealix.validate(pg_temp.task('{"Arguments": {}, "Output": 1}'));

-- Pure ASL only
SELECT * FROM dealix.validate(pg_temp.task('{}'), true);
SELECT * FROM dealix.validate(pg_temp.task('{"Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken"}'), true);
SELECT * FROM dealix.validate(pg_temp.task('{"Resource": "foo:bar", "Compensate": {}, "Governance": {}, "Delivery": "x"}'), true);
SELECT * FROM dealix.validate(pg_temp.machine('{"Type": "Pass", "QueryLanguage": "SQL"}'), true);
SELECT * FROM dealix.validate(pg_temp.map('{"ItemReader": {"ReaderConfig": {"MaxItems": 0}}, "ResultWriter": {}}'), true);

-- The rules of AWS's type EXPRESS
SELECT * FROM dealix.validate(pg_temp.task('{"Resource": "arn:aws:states:::states:startExecution.sync:2"}'), true, 'EXPRESS');
SELECT * FROM dealix.validate(pg_temp.map('{}', '{"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}'), true, 'EXPRESS');
SELECT * FROM dealix.validate('{}', true, 'express');

-- Names
SELECT pointer, code, left(message, 60) AS message FROM dealix.validate(jsonb_build_object('StartAt', '', 'States',
	jsonb_build_object('', '{"Type": "Pass", "Next": "a/b~c"}'::jsonb, 'a/b~c',
		'{"Type": "Pass", "Foo/Bar": 1, "Next": "ü"}'::jsonb, 'ü', jsonb_build_object('Type', 'Pass', 'Next', repeat('ä', 81)),
		repeat('ä', 81), '{"Type": "Succeed"}'::jsonb)));
SELECT count(*) FROM dealix.validate(jsonb_build_object('StartAt', repeat('ä', 80), 'States',
	jsonb_build_object(repeat('ä', 80), '{"Type": "Succeed"}'::jsonb)));
SELECT pointer, code, length(message) < 500 FROM dealix.validate(jsonb_build_object('StartAt', repeat('x', 100000), 'States',
	jsonb_build_object('x', jsonb_build_object('Type', repeat('y', 100000), repeat('z', 100000), 1))));

SELECT pointer, code, message FROM dealix.validate('{"StartAt": "a\tb", "States": {"a\tb": {"Type": "Succeed"}}}');

-- Several problems at once, in document order
SELECT * FROM dealix.validate('{"StartAt": "Order", "Comment": 1, "States": {
	"Order": {"Type": "Task", "Resource": "sql:shop.order", "Retry": [{"ErrorEquals": []}], "Next": "Pay"},
	"Pay": {"Type": "Task", "Resorce": "sql:shop.pay", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Undo"}]},
	"Ship": {"Type": "Parallel", "Branches": [{"StartAt": "Pay", "States": {"Pay": {"Type": "Wait"}}}], "End": true},
	"Notify": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsNull": 1, "Next": "Ship"}], "End": true}}}');

-- Limits: too much of everything is a problem or an error, never a crash
CREATE FUNCTION pg_temp.sqlstate_of(definition text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM dealix.validate(definition::jsonb);
	RETURN 'no error';
EXCEPTION WHEN others THEN
	RETURN SQLSTATE;
END $$;
SELECT pg_temp.sqlstate_of(repeat('[', 500000) || repeat(']', 500000));
SELECT pg_temp.sqlstate_of(repeat('{"a":', 200000) || '1' || repeat('}', 200000));
SELECT left(pointer, 30) AS pointer, code, message, hint FROM dealix.validate(pg_temp.machine(jsonb_build_object('Type', 'Pass', 'Result',
	(repeat('[', 254) || repeat(']', 254))::jsonb)));
SELECT count(*) FROM dealix.validate(pg_temp.machine(jsonb_build_object('Type', 'Pass', 'Result',
	(repeat('[', 253) || repeat(']', 253))::jsonb)));
SELECT length(pointer), code FROM dealix.validate(pg_temp.machine(jsonb_build_object('Type', 'Pass', 'Result',
	(repeat('{"a":[', 500) || repeat(']}', 500))::jsonb)));
-- 1 MB of states, each with problems of its own
SELECT code, count(*) FROM dealix.validate((SELECT jsonb_build_object('StartAt', 'S1', 'States', jsonb_object_agg('S' || i,
	jsonb_build_object('Type', 'Pass', 'Next', 'Nowhere at all ' || i, 'Nonsense', i))) FROM generate_series(1, 12000) i))
 GROUP BY code ORDER BY code;
-- and 1 MB without any
SELECT count(*) FROM dealix.validate((SELECT jsonb_build_object('StartAt', 'S1', 'States', jsonb_object_agg('S' || i,
	jsonb_build_object('Type', 'Pass', 'Comment', repeat('x', 40)) ||
	CASE WHEN i = 10000 THEN '{"End": true}' ELSE jsonb_build_object('Next', 'S' || i + 1) END)) FROM generate_series(1, 10000) i));
-- Parallel in Parallel, as deep as allowed and deeper
CREATE FUNCTION pg_temp.nested(levels int) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	machine jsonb := '{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}';
BEGIN
	FOR i IN 1 .. levels LOOP
		machine := jsonb_build_object('StartAt', 'P' || i, 'States', jsonb_build_object('P' || i,
			jsonb_build_object('Type', 'Parallel', 'End', true, 'Branches', jsonb_build_array(machine))));
	END LOOP;
	RETURN machine;
END $$;
SELECT count(*) FROM dealix.validate(pg_temp.nested(60));
SELECT code FROM dealix.validate(pg_temp.nested(70));

DROP SCHEMA shop CASCADE;
