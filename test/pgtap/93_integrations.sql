-- The integrations of AWS that name in a parameter what they call.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.twice(n int) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('n', 2 * n) $$;
CREATE FUNCTION t.same(input jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT input';
CREATE FUNCTION t.task_of(resource text, parameters jsonb, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
$$ SELECT t.task(resource, jsonb_build_object('Parameters', parameters) || more) $$;
CREATE FUNCTION t.refusal(definition jsonb) RETURNS text LANGUAGE sql AS
$$ SELECT coalesce(string_agg(pointer || ' ' || code || ' ' || message || ' ' || coalesce(hint, ''), '; '), 'none') FROM dealix.validate(definition) WHERE severity = 'error' $$;

-- ---------- lambda:invoke ----------

\set invoke 'arn:aws:states:::lambda:invoke'
\set twice 'arn:aws:lambda:eu-central-1:111111111111:function:twice'
SELECT matches(t.refusal(t.task_of(:'invoke', format('{"FunctionName": "%s"}', :'twice')::jsonb)),
	'/States/Only/Resource UNBOUND_RESOURCE .*function:twice" is not bound.*dealix\.bind\(''arn:aws:lambda:eu-central-1:111111111111:function:twice''',
	'the function has to be bound');
SELECT dealix.bind(:'twice', 'sql:t.twice') \g /dev/null
SELECT is(t.output(t.run(t.task_of(:'invoke', format('{"FunctionName": "%s", "Payload": {"n.$": "$.n"}}', :'twice')::jsonb), '{"n": 21}'))::jsonb,
	'{"ExecutedVersion": "$LATEST", "Payload": {"n": 42}, "StatusCode": 200}', 'it gets the Payload, and its result is the Payload');
SELECT is(t.output(t.run(t.task_of(:'invoke', format('{"FunctionName": "%s", "Payload": {"n.$": "$.n"}}', name)::jsonb,
	'{"ResultSelector": {"got.$": "$.Payload.n"}, "OutputPath": "$.got"}'), '{"n": 4}')), '8', 'as ResultSelector and OutputPath expect it: ' || name)
FROM (VALUES (:'twice'), (:'twice' || ':$LATEST')) n (name);
SELECT dealix.bind('arn:aws:lambda:::function:same', 'sql:t.same') \g /dev/null
SELECT is(t.output(t.run(t.task_of(:'invoke', '{"FunctionName": "same", "Payload.$": "$"}'), '[1, 2]'))::jsonb -> 'Payload', '[1, 2]', 'a plain name, and a Payload from a path');
SELECT is(t.output(t.run(t.task_of(:'invoke', '{"FunctionName": "same:$LATEST"}'), '7'))::jsonb -> 'Payload', '{}', 'no Payload is an empty object');
SELECT dealix.bind('arn:aws:lambda::111111111111:function:same', 'activity:same') \g /dev/null
SELECT dealix.publish('done outside', t.task_of(:'invoke', '{"FunctionName": "111111111111:function:same", "Payload": {"a": 1}}')) \g /dev/null
CREATE TEMP TABLE a AS SELECT dealix.start('done outside', '{}') AS run;
SELECT t.pump() \g /dev/null
CREATE TEMP TABLE c AS SELECT * FROM dealix.claim('same', 'w');
SELECT is((SELECT input FROM c), '{"a": 1}', 'an activity gets the Payload');
SELECT dealix.complete(token, '"done"') FROM c \g /dev/null
SELECT t.settle(run) FROM a \g /dev/null
SELECT is(t.output(run)::jsonb -> 'Payload', '"done"', 'and its answer is the Payload') FROM a;
SELECT dealix.bind('arn:aws:lambda:::function:asks', 'sql:t.same.waitForTaskToken') \g /dev/null
SELECT dealix.publish('asks', t.task_of('arn:aws:states:::lambda:invoke.waitForTaskToken', '{"FunctionName": "asks", "Payload": {"token.$": "$$.Task.Token"}}')) \g /dev/null
CREATE TEMP TABLE w AS SELECT dealix.start('asks', '{}') AS run;
SELECT t.pump() \g /dev/null
SELECT is((SELECT waits_for FROM dealix.waiting_details JOIN w ON run = run_id), 'token', 'with a token it waits for the answer');

-- A whole Resource that is bound stands for every function, and does all of it itself.
SELECT dealix.bind(:'invoke', 'sql:t.same') \g /dev/null
SELECT is(t.output(t.run(t.task_of(:'invoke', '{"FunctionName.$": "$.f", "Payload": 1}'), '{"f": "any"}'))::jsonb, '{"Payload": 1, "FunctionName": "any"}', 'a bound Resource gets all parameters');
SELECT is(t.output(t.run(t.task_of(:'invoke', format('{"FunctionName": "%s", "Payload": {"n": 1}}', :'twice')::jsonb)))::jsonb -> 'Payload', '{"n": 2}', 'a function that is bound by its name goes before');
SELECT dealix.unbind(:'invoke') \g /dev/null
SELECT matches(t.refusal(t.task_of(:'invoke', '{"FunctionName.$": "$.f"}')), 'UNBOUND_RESOURCE resource "arn:aws:states:::lambda:invoke"', 'a name that only the run knows needs it');

-- ---------- states:startExecution ----------

\set start 'arn:aws:states:::states:startExecution'
\set machine 'arn:aws:states:eu-central-1:111111111111:stateMachine:child'
SELECT dealix.publish('child', '{"StartAt": "A", "States": {
	"A": {"Type": "Choice", "Choices": [{"Variable": "$.bad", "IsPresent": true, "Next": "F"}], "Default": "P"},
	"P": {"Type": "Pass", "Parameters": {"got.$": "$"}, "End": true}, "F": {"Type": "Fail", "Error": "My.Error", "Cause": "mine"}}}') \g /dev/null
SELECT matches(t.refusal(t.task_of(:'start', format('{"StateMachineArn": "%s"}', :'machine')::jsonb)), 'UNBOUND_RESOURCE .*stateMachine:child', 'the state machine has to be bound');
SELECT dealix.bind(:'machine', 'sql:t.same') \g /dev/null
SELECT matches(t.refusal(t.task_of(:'start', format('{"StateMachineArn": "%s"}', :'machine')::jsonb)), 'something else than a workflow', 'to a workflow');
SELECT dealix.bind(:'machine', 'workflow:child') \g /dev/null
CREATE FUNCTION t.starts(suffix text, input text, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql AS
$$ SELECT t.run(t.task_of('arn:aws:states:::states:startExecution' || suffix,
	format('{"StateMachineArn": "arn:aws:states:eu-central-1:111111111111:stateMachine:child"%s}', input)::jsonb, more), '{"x": 5}') $$;
CREATE TEMP TABLE o (kind text, run uuid);
INSERT INTO o VALUES ('plain', t.starts('', ', "Input": {"a.$": "$.x"}, "Name": "n"'));
INSERT INTO o VALUES ('sync', t.starts('.sync', ', "Input": {"a.$": "$.x"}'));
INSERT INTO o VALUES ('sync2', t.starts('.sync:2', ', "Input.$": "$"'));
INSERT INTO o VALUES ('none', t.starts('.sync:2', ''));
INSERT INTO o VALUES ('bad', t.starts('.sync', ', "Input": {"bad": 1}'));
CREATE TEMP TABLE result AS SELECT kind, run, t.output(run)::jsonb AS output, (SELECT run_id FROM dealix.run_details WHERE parent_run = run) AS child FROM o;
SELECT is((SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(output) k), '{ExecutionArn,StartDate}', 'startExecution says what it has started') FROM result WHERE kind = 'plain';
SELECT is(output ->> 'ExecutionArn', child::text, 'which is the child: ' || kind) FROM result WHERE kind IN ('sync', 'sync2', 'none');
SELECT is((SELECT input FROM dealix.run_details WHERE run_id = (result.output ->> 'ExecutionArn')::uuid), '{"a": 5}', 'with its Input: plain') FROM result WHERE kind = 'plain';
SELECT is((SELECT input FROM dealix.run_details WHERE run_id = child), CASE kind WHEN 'sync2' THEN '{"x": 5}' WHEN 'none' THEN '{}' WHEN 'bad' THEN '{"bad": 1}' ELSE '{"a": 5}' END::jsonb,
	'with its Input: ' || kind) FROM result WHERE kind <> 'plain';
SELECT is((SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(output) k),
	'{ExecutionArn,Input,InputDetails,Name,Output,OutputDetails,StartDate,StateMachineArn,Status,StopDate}', 'the result has the members that AWS gives: ' || kind)
FROM result WHERE kind IN ('sync', 'sync2');
SELECT is(output -> 'Output', to_jsonb('{"got":{"a":5}}'::text), '.sync gives Output as a text') FROM result WHERE kind = 'sync';
SELECT is(output -> 'Input', to_jsonb('{"a":5}'::text), 'and Input too') FROM result WHERE kind = 'sync';
SELECT is(output -> 'Output', '{"got": {"x": 5}}', '.sync:2 as JSON') FROM result WHERE kind = 'sync2';
SELECT is((output ->> 'Status') || ' ' || (output ->> 'StateMachineArn'), 'SUCCEEDED ' || :'machine', 'and how it ended') FROM result WHERE kind = 'sync2';
SELECT is(t.error(run), 'States.TaskFailed', 'a child that fails is a task that failed') FROM result WHERE kind = 'bad';
SELECT is((t.cause(run)::jsonb) - '{ExecutionArn,Name,StartDate,StopDate,StateMachineArn}'::text[],
	'{"Cause": "mine", "Error": "My.Error", "Input": "{\"bad\":1}", "InputDetails": {"Included": true}, "Status": "FAILED"}', 'with all that is known as its cause') FROM result WHERE kind = 'bad';

-- With a token the child is started, and whoever has the token answers.
SELECT dealix.publish('asks back', t.task_of('arn:aws:states:::states:startExecution.waitForTaskToken',
	format('{"StateMachineArn": "%s", "Input": {"token.$": "$$.Task.Token", "x.$": "$.x"}}', :'machine')::jsonb,
	'{"TimeoutSeconds": 600, "HeartbeatSeconds": 300, "ResultSelector": {"answer.$": "$"}, "Retry": [{"ErrorEquals": ["Try.Again"], "IntervalSeconds": 1, "MaxAttempts": 1}]}')) \g /dev/null
CREATE TEMP TABLE k AS SELECT dealix.start('asks back', '{"x": 5}') AS run;
CREATE FUNCTION t.token_of(parent uuid) RETURNS TABLE (token text, status text, x jsonb) LANGUAGE sql AS
$$ SELECT input ->> 'token', status, input -> 'x' FROM dealix.run_details WHERE parent_run = parent ORDER BY run_id DESC LIMIT 1 $$;
SELECT t.pump() \g /dev/null
SELECT is((SELECT waits_for FROM dealix.waiting_details WHERE run_id = run), 'token', 'the parent waits for the token') FROM k;
SELECT is((SELECT x::text || ' ' || status FROM t.token_of(run)), '5 SUCCEEDED', 'also when the child has ended') FROM k;
SELECT dealix.fail((SELECT token FROM t.token_of(run)), 'Try.Again', 'not yet') FROM k \g /dev/null
SELECT t.pump() \g /dev/null
SELECT pg_sleep(1.1) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*) FROM dealix.run_details WHERE parent_run = run), 2::bigint, 'another attempt starts another run') FROM k;
SELECT dealix.complete((SELECT token FROM t.token_of(run)), '"yes"') FROM k \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.status(run) || ' ' || t.output(run)::text, 'SUCCEEDED {"answer": "yes"}', 'the answer is the result') FROM k;
SELECT dealix.limit_workflow('asks back', 1), dealix.limit_workflow('child', 1) \g /dev/null
SELECT dealix.start('asks back', '{"x": 6}') \g /dev/null
SELECT t.pump() \g /dev/null
SELECT dealix.start('asks back', '{"x": 7}') \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*) FROM dealix.waiting_details WHERE waits_for = 'token'), 3::bigint, 'it keeps no slot while it waits for another run''s answer');
SELECT matches(t.refusal(t.task('workflow:child.waitForTaskToken')), 'it waits for an answer anyway', 'a resource of ours says how it waits');

SELECT * FROM finish();
ROLLBACK;
