-- Limits: what is too much is refused, or is the state's error.
\ir setup.psql
SELECT no_plan();

CREATE TEMP TABLE r (run uuid);
INSERT INTO r VALUES (NULL);

-- ---------- events of a run ----------

RESET SESSION AUTHORIZATION;
SET dealix_exec.max_events = 200;
SET dealix_exec.warn_events = 100;
SET SESSION AUTHORIZATION tap_app;
SELECT dealix.publish('round', '{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "once"}, "Compensate": {"Resource": "sql:t.do", "Parameters": {"what": "undo"}}, "ResultPath": null, "Next": "B"},
	"B": {"Type": "Pass", "Next": "C"}, "D": {"Type": "Succeed"},
	"C": {"Type": "Choice", "Choices": [{"Variable": "$.never", "IsPresent": true, "Next": "D"}], "Default": "B"}}}') \g /dev/null
UPDATE r SET run = dealix.start('round');
SELECT is(t.settle(run), 'FAILED', 'a run that goes round comes to an end') FROM r;
SELECT is(t.error(run), 'Limit.Events', 'by a name') FROM r;
SELECT matches(t.cause(run), 'has 200 events.*continue_as_new', 'that says what to do') FROM r;
SELECT is(t.effects(), 'once,undo', 'and is compensated');
SELECT t.forget() \g /dev/null
SELECT dealix.publish('many', '{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "Iterator": {"StartAt": "P", "States": {
	"P": {"Type": "Pass", "End": true}}}, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "E"}], "End": true}, "E": {"Type": "Succeed"}}}') \g /dev/null
UPDATE r SET run = dealix.start('many', jsonb_build_object('items', (SELECT jsonb_agg(i) FROM generate_series(1, 300) i)));
SELECT is(t.settle(run) || ' ' || t.error(run), 'FAILED Limit.Events', 'in many branches, too; nothing catches it') FROM r;
SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is left of it');
SELECT is((SELECT count(*)::int FROM dealix.waiting_details), 0, 'no branch');
RESET SESSION AUTHORIZATION;
RESET dealix_exec.max_events;
RESET dealix_exec.warn_events;
SET SESSION AUTHORIZATION tap_app;

-- ---------- definitions ----------

CREATE FUNCTION t.chain(n int) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('StartAt', 's1', 'States',
	jsonb_object_agg('s' || i, jsonb_build_object('Type', 'Pass') || CASE WHEN i = n THEN '{"End": true}'::jsonb ELSE jsonb_build_object('Next', 's' || i + 1) END)) FROM generate_series(1, n) i $$;
RESET SESSION AUTHORIZATION;
SET dealix_exec.max_states = 10;
SET SESSION AUTHORIZATION tap_app;
SELECT lives_ok($$SELECT dealix.publish('states', t.chain(10))$$, 'ten states');
SELECT throws_ok($$SELECT dealix.publish('states', t.chain(11))$$, 'DX009', 'the definition has 11 states', 'and one more');
RESET SESSION AUTHORIZATION;
RESET dealix_exec.max_states;
SET dealix_exec.max_definition = 1;
SET SESSION AUTHORIZATION tap_app;
SELECT throws_like($$SELECT dealix.publish('states', t.chain(100))$$, 'the definition is too large: % bytes', 'a definition has a size');
RESET SESSION AUTHORIZATION;
RESET dealix_exec.max_definition;
SET SESSION AUTHORIZATION tap_app;
SELECT throws_ok(format($$SELECT dealix.publish('x', t.task(%L))$$, 'signal:' || repeat('x', 513)), '22023', NULL, 'a name in a resource');
SELECT throws_ok(format($$SELECT dealix.publish('x', t.task(%L))$$, 'event:' || repeat('x', 513)), '22023', NULL, 'of an event');
SELECT throws_ok(format($$SELECT dealix.publish('x', t.task(%L))$$, 'activity:' || repeat('x', 513)), '22023', NULL, 'of an activity');

-- ---------- texts that people write ----------

SELECT dealix.publish('w', t.task('signal:go')) \g /dev/null
UPDATE r SET run = dealix.start('w');
SELECT throws_ok(format('SELECT dealix.cancel(%L, repeat(''x'', 32769))', run), 'DX009', 'the reason is too large: 32769 bytes', 'a reason') FROM r;
SELECT throws_ok(format('SELECT dealix.compensate(%L, repeat(''x'', 32769))', run), 'DX009', NULL, 'of a compensation') FROM r;
SELECT throws_ok(format('SELECT dealix.signal(%L, repeat(''x'', 513))', run), '22023', NULL, 'the name of a signal') FROM r;
SELECT throws_ok(format('SELECT dealix.signal(%L, ''go'', ''1'', repeat(''x'', 513))', run), '22023', NULL, 'its key') FROM r;
SELECT throws_ok($$SELECT dealix.publish_event('e', repeat('x', 12000), '1')$$, '22023', NULL, 'a correlation');
SELECT throws_ok($$SELECT dealix.start('w', '1', repeat('x', 513))$$, '22023', NULL, 'a key');
SELECT throws_ok($$SELECT dealix.start('w', '1', '')$$, '22023', NULL, 'that is empty');
SELECT throws_ok($$SELECT dealix.start('w', '1', NULL, repeat('x', 12000))$$, '22023', NULL, 'a correlation id');
SELECT throws_ok($$SELECT dealix.start_many('w', ARRAY['1', '2']::jsonb[], ARRAY['a', ''])$$, '22023', NULL, 'one of many keys');

-- ---------- the same by a trigger ----------

CREATE TABLE t.rows (key text, correlation text);
CREATE TRIGGER start AFTER INSERT ON t.rows FOR EACH ROW EXECUTE FUNCTION dealix.start_run('w', 'key', 'correlation');
SELECT throws_ok($$INSERT INTO t.rows VALUES ('', 'c')$$, '22023', NULL, 'an empty key is no key');
SELECT throws_ok($$INSERT INTO t.rows VALUES (repeat('x', 513), 'c')$$, '22023', NULL, 'nor is a long one');
SELECT throws_ok($$INSERT INTO t.rows VALUES ('k', repeat('x', 12000))$$, '22023', NULL, 'a long correlation id');
SELECT lives_ok($$INSERT INTO t.rows VALUES (repeat('x', 512), repeat('y', 512))$$, 'what fits is taken');

-- ---------- a correlation out of the data ----------

CREATE FUNCTION t.caught(more jsonb, resource text DEFAULT 'sql:t.do') RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('StartAt', 'Only', 'States', jsonb_build_object(
	'Only', jsonb_build_object('Type', 'Task', 'Resource', resource, 'End', true, 'Catch', '[{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]'::jsonb) || more,
	'Caught', '{"Type": "Pass", "Parameters": {"error.$": "$.Error", "bytes.$": "States.Hash($.Cause, ''MD5'')"}, "End": true}'::jsonb)) $$;
UPDATE r SET run = t.run(t.caught('{"Parameters": {"correlation_id.$": "$.c"}}', 'event:e'), jsonb_build_object('c', repeat('x', 12000)));
SELECT is(t.output(run) ->> 'error', 'States.DataLimitExceeded', 'is an error of the state, which Catch takes') FROM r;

-- ---------- texts of errors ----------

CREATE FUNCTION t.long(n int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', repeat('é', n) USING DETAIL = repeat('d', n), HINT = repeat('h', n); END $$;
UPDATE r SET run = t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.long", "Parameters": {"n.$": "$.n"}, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}], "End": true},
	"B": {"Type": "Succeed"}}}', '{"n": 6000000}');
SELECT is(t.status(run), 'SUCCEEDED', 'an error text of megabytes is caught') FROM r;
SELECT cmp_ok(octet_length(t.output(run) ->> 'Cause'), '<=', 32768, 'cut') FROM r;
SELECT matches(t.output(run) ->> 'Cause', '^é{200}', 'at a character') FROM r;
UPDATE r SET run = t.run('{"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "E", "CausePath": "$.c"}}}', jsonb_build_object('c', repeat('c', 100000)));
SELECT cmp_ok(octet_length(t.cause(run)), '<=', 32768, 'of a Fail, too') FROM r;
SELECT cmp_ok((SELECT max(octet_length(payload ->> 'cause')) FROM dealix.history_details), '<=', 32768, 'also in the history');

-- ---------- data before it is there ----------

RESET SESSION AUTHORIZATION;
SET dealix_exec.max_payload = 64;
SET dealix_exec.max_evaluation = 2048;
SET SESSION AUTHORIZATION tap_app;
CREATE FUNCTION t.fault(state jsonb, input jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	run uuid := t.run(jsonb_build_object('StartAt', 'A', 'States', jsonb_build_object('A', state || '{"End": true}')), input);
BEGIN
	RETURN concat_ws(' ', t.status(run), t.error(run));
END $$;
SELECT is(t.fault(jsonb_build_object('Type', 'Pass', 'Parameters', (SELECT jsonb_object_agg('m' || i, '{"x.$": "$"}'::jsonb) FROM generate_series(1, 1000) i)),
	to_jsonb(repeat('x', 50000))), 'FAILED States.DataLimitExceeded', 'a template that multiplies its input');
SELECT is(t.fault(jsonb_build_object('Type', 'Pass', 'Parameters', jsonb_build_object('x.$', 'States.Format(''' || repeat('{}', 1000) || '''' || repeat(', $', 1000) || ')')),
	to_jsonb(repeat('x', 50000))), 'FAILED States.DataLimitExceeded', 'a text that does');
SELECT is(t.fault(jsonb_build_object('Type', 'Pass', 'Parameters', jsonb_build_object('x.$', 'States.Array(' || (SELECT string_agg('States.JsonToString($)', ', ') FROM generate_series(1, 1000)) || ')')),
	jsonb_build_array(repeat('x', 50000))), 'FAILED States.DataLimitExceeded', 'functions that do');
SELECT is(t.fault('{"Type": "Pass"}', to_jsonb(repeat('x', 50000))), 'SUCCEEDED', 'what fits goes through');
SELECT is(t.status(t.run(t.caught(jsonb_build_object('Parameters', jsonb_build_object('what', 'x', 'detail', (SELECT jsonb_object_agg('m' || i, '{"x.$": "$"}'::jsonb) FROM generate_series(1, 1000) i)))),
	jsonb_build_object('x', repeat('x', 50000)))), 'SUCCEEDED', 'Catch takes it');
SELECT is((SELECT count(*)::int FROM dealix.incident_details), 0, 'no incident');
RESET SESSION AUTHORIZATION;
RESET dealix_exec.max_payload;
RESET dealix_exec.max_evaluation;
SET SESSION AUTHORIZATION tap_app;

-- ---------- what the server refuses ----------

SELECT is(t.fault('{"Type": "Wait", "SecondsPath": "$.s"}', '{"s": 1e400}'), 'FAILED ' || split_part(t.fault('{"Type": "Wait", "SecondsPath": "$.s"}', '{"s": 1e400}'), ' ', 2), 'a number out of range is an error of the state');
SELECT matches(t.fault(state, input), '^(FAILED|SUCCEEDED)', 'no incident: ' || state::text)
FROM (VALUES
	('{"Type": "Wait", "SecondsPath": "$.s"}'::jsonb, '{"s": 1e100000}'::jsonb),
	('{"Type": "Wait", "TimestampPath": "$.s"}', '{"s": "9999999-01-01T00:00:00Z"}'),
	('{"Type": "Wait", "TimestampPath": "$.s"}', '{"s": "294277-01-01T00:00:00Z"}'),
	('{"Type": "Pass", "Parameters": {"x.$": "States.MathAdd($.s, $.s)"}}', '{"s": 1e100000}'),
	('{"Type": "Pass", "Parameters": {"x.$": "States.MathRandom($.s, $.s)"}}', '{"s": -1e100000}'),
	('{"Type": "Pass", "Parameters": {"x.$": "States.ArrayRange($.s, $.s, $.s)"}}', '{"s": 1e100000}'),
	('{"Type": "Pass", "Parameters": {"x.$": "States.ArrayGetItem($.a, $.s)"}}', '{"a": [1], "s": 1e100000}'),
	('{"Type": "Pass", "Parameters": {"x.$": "States.ArrayPartition($.a, $.s)"}}', '{"a": [1], "s": 1e100000}'),
	('{"Type": "Pass", "Parameters": {"x.$": "States.Format(''{}'', $.s)"}}', '{"s": 1e100000}'),
	('{"Type": "Pass", "Parameters": {"x.$": "States.JsonToString($.s)"}}', '{"s": 1e131071}'),
	('{"Type": "Pass", "Parameters": {"x.$": "States.StringToJson($.s)"}}', '{"s": "1e999999"}'),
	('{"Type": "Pass", "Parameters": {"x.$": "States.StringToJson($.s)"}}', '{"s": "\"\\u0000\""}'),
	('{"Type": "Pass", "Parameters": {"x.$": "States.StringToJson($.s)"}}', jsonb_build_object('s', repeat('[', 200000))),
	('{"Type": "Pass", "Parameters": {"x.$": "States.Base64Decode($.s)"}}', '{"s": "AAAA"}'),
	('{"Type": "Pass", "Parameters": {"x.$": "States.Base64Decode($.s)"}}', '{"s": "/////w=="}'),
	('{"Type": "Map", "ItemsPath": "$.a", "MaxConcurrencyPath": "$.s", "Iterator": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}}', '{"a": [1], "s": 1e100000}'),
	('{"Type": "Task", "Resource": "signal:x", "TimeoutSecondsPath": "$.s"}', '{"s": 1e100000}')
) v(state, input);
SELECT is((SELECT count(*)::int FROM dealix.incident_details), 0, 'none of that was an incident');

SELECT * FROM finish();
ROLLBACK;
