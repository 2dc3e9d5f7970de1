-- How large and how deep data may be, and what happens beyond.
\ir setup.psql
SELECT no_plan();
RESET SESSION AUTHORIZATION;
SELECT is(current_setting('dealix_exec.max_depth'), '256', 'the default of max_depth');
SET dealix_exec.max_payload = '256kB';
SET SESSION AUTHORIZATION tap_app;

CREATE FUNCTION t.echo(input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT input $$;
CREATE FUNCTION t.large(bytes int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM t.do('large');
	RETURN repeat('x', bytes - 2);
END $$;
CREATE FUNCTION t.nested(levels int) RETURNS jsonb LANGUAGE sql AS
$$ SELECT (repeat('[', levels) || repeat(']', levels))::jsonb $$;

-- ---------- what has to work ----------

CREATE TEMP TABLE r AS SELECT t.run(t.task('sql:t.echo', '{"ResultPath": "$.b", "OutputPath": "$.b"}'), jsonb_build_object('a', repeat('x', 262144 - 8))) AS run;
SELECT is(length(t.output(run)::text), 262145, 'an input of 256 kB to the byte, through a step (one blank is put in by jsonb)') FROM r;
SELECT is(t.output(t.run(t.task('sql:t.echo'), t.nested(200))), t.nested(200), '200 levels of nesting');
SELECT is(t.output(t.run(t.task('sql:t.echo'), t.nested(256))), t.nested(256), 'as many as the limit says');
SELECT is(length(t.output(t.run(t.task('sql:t.large', '{"Parameters": {"bytes": 262144}}'))) #>> '{}'), 262142, 'a result of 256 kB');
SELECT is(length(t.output(t.run(('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Assign": {"v.$": "$.a"}, "Next": "B"}, "B": {"Type": "Pass", "Parameters": {"x.$": "$v"}, "OutputPath": "$.x", "End": true}}}')::jsonb,
	jsonb_build_object('a', repeat('x', 250000)))) #>> '{}'), 250000, 'and a variable of that size');

-- Umlauts are counted as the bytes that they are.
SELECT lives_ok($$ SELECT t.begin(t.task('sql:t.echo'), to_jsonb(repeat('é', 131071))) $$, '131,071 letters of two bytes');
SELECT throws_ok($$ SELECT t.begin(t.task('sql:t.echo'), to_jsonb(repeat('é', 131072))) $$, 'DX009', NULL, 'one more is too much');

-- ---------- what is refused ----------

SELECT throws_ok($$ SELECT dealix.publish('e', t.task('sql:t.echo')), dealix.start('e', to_jsonb(repeat('x', 262143))) $$, 'DX009', 'the input is too large: 262145 bytes', 'a larger input');
SELECT throws_ok($$ SELECT dealix.start('e', t.nested(257)) $$, 'DX009', 'the input is nested too deeply', 'a deeper input');
SELECT throws_ok($$ SELECT dealix.start_many('e', ARRAY['1', t.nested(257)]) $$, 'DX009', NULL, 'one of many');
CREATE TEMP TABLE w AS SELECT t.begin(t.task('signal:go')) AS run;
SELECT t.pump() \g /dev/null
SELECT throws_ok(format('SELECT dealix.signal(%L, ''go'', to_jsonb(repeat(''x'', 262143)))', run), 'DX009', NULL, 'a larger signal') FROM w;
SELECT throws_ok(format('SELECT dealix.signal(%L, ''go'', t.nested(257))', run), 'DX009', NULL, 'a deeper signal') FROM w;
SELECT is(t.status(run), 'RUNNING', 'which leaves the run as it was') FROM w;

-- ---------- what states produce ----------

SELECT is(t.call('sql:t.large', '{"bytes": 262145}'), 'FAILED States.DataLimitExceeded', 'a larger result of a step');
SELECT is(t.effects(), 'large', 'the one before took effect, and that of the step with too large a result is rolled back');
SELECT is(t.call('sql:t.nested', '{"levels": 257}'), 'FAILED States.DataLimitExceeded', 'a deeper result');
SELECT is(t.error(t.run('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"a.$": "$", "b.$": "$"}, "End": true}}}', to_jsonb(repeat('x', 140000)))),
	'States.DataLimitExceeded', 'a larger output of a Pass');
SELECT is(t.error(t.run('{"StartAt": "A", "States": {"A": {"Type": "Parallel", "End": true, "Branches": [
	{"StartAt": "B", "States": {"B": {"Type": "Pass", "End": true}}}, {"StartAt": "C", "States": {"C": {"Type": "Pass", "End": true}}}]}}}', to_jsonb(repeat('x', 140000)))),
	'States.DataLimitExceeded', 'a larger output of a Parallel');
SELECT is(t.output(t.run('{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:t.large", "End": true,
	"Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "B"}]}, "B": {"Type": "Pass", "OutputPath": "$.Error", "End": true}}}', '{"bytes": 262145}')),
	'"States.DataLimitExceeded"', 'can be caught by name');

SELECT is(t.error(t.run(t.task('sql:t.echo', '{"Parameters": {"a.$": "$", "b.$": "$"}}'), to_jsonb(repeat('x', 140000)))), 'States.DataLimitExceeded', 'a larger effective input of a Task');

-- A loop that doubles what it has ends before the server does.
SELECT is(t.error(t.run('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Assign": {"v.$": "$"}, "Next": "B"},
	"B": {"Type": "Pass", "Assign": {"v.$": "States.Array($v, $v)"}, "Next": "C"},
	"C": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Next": "D"}], "Default": "B"},
	"D": {"Type": "Succeed"}}}', '"xxxxxxxxxxxxxxxxxxxx"')), 'States.DataLimitExceeded', 'variables are limited too');

SELECT * FROM finish();
ROLLBACK;
