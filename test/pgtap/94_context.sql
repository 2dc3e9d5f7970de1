-- The Context Object, as it is in each kind of state and integration.
\ir setup.psql
RESET SESSION AUTHORIZATION;
SELECT dealix.grant_access('tap_app', 'operator') \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT no_plan();

CREATE FUNCTION t.same(input jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT input';
CREATE FUNCTION t.keys(j jsonb) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(k || CASE jsonb_typeof(v) WHEN 'object' THEN '(' || (SELECT string_agg(n, ' ' ORDER BY n) FROM jsonb_object_keys(v) n) || ')' ELSE '' END, ' ' ORDER BY k) FROM jsonb_each(coalesce(j -> 'input', j)) AS e (k, v) $$;
-- What the call of a resource is given as "$$".
CREATE FUNCTION t.seen_by(resource text, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE plpgsql AS $f$
DECLARE
	run uuid;
BEGIN
	PERFORM dealix.publish('context ' || resource, t.task(resource, jsonb_build_object('Parameters', '{"input.$": "$$"}'::jsonb) || more));
	run := dealix.start('context ' || resource, '{"a": 1}', 'key of ' || resource || CASE WHEN more <> '{}' THEN ' with more' ELSE '' END);
	PERFORM t.pump();
	RETURN run;
END $f$;

-- ---------- in each integration ----------

\set plain 'Execution(Id Input Name RedriveCount RoleArn StartTime) State(EnteredTime Name RetryCount) StateMachine(Id Name)'
\set token 'Execution(Id Input Name RedriveCount RoleArn StartTime) State(EnteredTime Name RetryCount) StateMachine(Id Name) Task(Token)'
SELECT is(t.keys(t.output(t.seen_by('sql:t.same'))), :'plain', 'a function');
SELECT dealix.publish('child', '{"StartAt": "P", "States": {"P": {"Type": "Pass", "OutputPath": "$.input", "End": true}}}') \g /dev/null
SELECT is(t.keys(t.output(t.seen_by('workflow:child'))), :'plain', 'a child that is waited for has no token');
CREATE TEMP TABLE o AS SELECT t.seen_by('workflow:child.start') AS run;
SELECT is(t.keys((SELECT input -> 'input' FROM dealix.run_details WHERE parent_run = run)), :'plain', 'nor has one that is only started') FROM o;
SELECT t.seen_by('activity:seen') \g /dev/null
SELECT is(t.keys(input -> 'input'), :'token', 'an activity, with its token') FROM dealix.claim('seen', 'w');
SELECT t.seen_by('activity:seen_too.waitForTaskToken') \g /dev/null
SELECT is(t.keys(input -> 'input'), :'token', 'also one that is answered by the token') FROM dealix.claim('seen_too', 'w');
CREATE TABLE t.kept (input jsonb);
CREATE FUNCTION t.keep(input jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO t.kept VALUES (input)';
SELECT t.seen_by('sql:t.keep.waitForTaskToken') \g /dev/null
SELECT is(t.keys(input), :'token', 'a function whose state waits for a token') FROM t.kept;
SELECT t.seen_by('emit:seen.waitForTaskToken') \g /dev/null
SELECT is(t.keys((SELECT event -> 'data' -> 'input' FROM dealix.read_outbox('c'))), :'token', 'an event that is answered');
\set machine 'arn:aws:states:eu-central-1:111111111111:stateMachine:child'
SELECT dealix.bind(:'machine', 'workflow:child') \g /dev/null
CREATE FUNCTION t.started_by(suffix text) RETURNS text LANGUAGE plpgsql AS $f$
DECLARE
	run uuid;
BEGIN
	PERFORM dealix.publish('starts', t.task('arn:aws:states:::states:startExecution' || suffix,
		'{"Parameters": {"StateMachineArn": "arn:aws:states:eu-central-1:111111111111:stateMachine:child", "Input": {"input.$": "$$"}}}'));
	run := dealix.start('starts', '{}');
	PERFORM t.pump();
	RETURN (SELECT t.keys(input -> 'input') FROM dealix.run_details WHERE parent_run = run);
END $f$;
SELECT is(t.started_by(suffix), CASE WHEN suffix = '.waitForTaskToken' THEN :'token' ELSE :'plain' END, 'startExecution' || suffix)
FROM (VALUES (''), ('.sync'), ('.sync:2'), ('.waitForTaskToken')) s (suffix);
SELECT matches(t.error(t.seen_by(resource, '{"Parameters": {"input.$": "$$.Task.Token"}}')), 'States.(ParameterPathFailure|Runtime)', 'no token is an error of the state: ' || resource)
FROM (VALUES ('sql:t.same'), ('workflow:child')) r (resource);

-- ---------- what stands in it ----------

CREATE TEMP TABLE s AS SELECT dealix.find_run('context sql:t.same', 'key of sql:t.same') AS run;
CREATE FUNCTION t.seen(run uuid) RETURNS jsonb LANGUAGE sql AS $$ SELECT t.output(run) -> 'input' $$;
SELECT is(t.seen(run) #>> '{Execution,Id}', run::text, 'the id of the run') FROM s;
SELECT is(t.seen(run) #>> '{Execution,Name}', 'key of sql:t.same', 'its key') FROM s;
SELECT is(t.seen(run) #> '{Execution,Input}', '{"a": 1}', 'its input') FROM s;
SELECT is(t.seen(run) #>> '{Execution,RoleArn}', 'tap_app', 'whose it is') FROM s;
SELECT matches(t.seen(run) #>> '{Execution,StartTime}', '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$', 'when it was started') FROM s;
SELECT is(t.seen(run) -> 'StateMachine' ->> 'Name', 'context sql:t.same', 'the workflow') FROM s;

-- ---------- in other states ----------

SELECT is(t.keys(t.output(t.run('{"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"c.$": "$$"}, "OutputPath": "$.c", "End": true}}}', '{}'))),
	'Execution(Id Input Name RedriveCount RoleArn StartTime) State(EnteredTime Name) StateMachine(Id Name)', 'a state that cannot be retried has no RetryCount');
SELECT is(t.output(t.run('{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.i", "ItemSelector": {"k.$": "$$.Map.Item", "s.$": "$$.State.Name"},
	"ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"k.$": "$.k", "s.$": "$.s", "in.$": "$$.Map.Item.Index", "now.$": "$$.State.Name"}, "End": true}}}, "End": true}}}', '{"i": ["x", "y"]}')),
	'[{"k": {"Index": 0, "Value": "x"}, "s": "M", "in": 0, "now": "P"}, {"k": {"Index": 1, "Value": "y"}, "s": "M", "in": 1, "now": "P"}]', 'the item, for the Map and within it');
SELECT is(t.output(t.run('{"StartAt": "L", "States": {"L": {"Type": "Parallel", "ResultSelector": {"r.$": "$[0]", "n.$": "$$.State.Name"}, "Branches": [
	{"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"n.$": "$$.State.Name", "i.$": "$$.Execution.Input.i"}, "End": true}}}], "End": true}}}', '{"i": 7}')),
	'{"n": "L", "r": {"n": "P", "i": 7}}', 'a branch of a Parallel sees its own state, ResultSelector the Parallel''s');
CREATE TEMP TABLE d AS SELECT t.run('{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.i", "ItemSelector": {"k.$": "$$.Map.Item.Value", "run.$": "$$.Execution.Id"},
	"ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"outer.$": "$.run", "run.$": "$$.Execution.Id", "in.$": "$$.Execution.Input.k"}, "End": true}}}, "End": true}}}', '{"i": ["x"]}') AS run;
SELECT is(t.output(run) #>> '{0,outer}', run::text, 'ItemSelector of a distributed Map is the parent''s') FROM d;
SELECT is(t.output(d.run) #>> '{0,run}', (SELECT run_id::text FROM dealix.run_details WHERE parent_run = d.run), 'the item is a run of its own') FROM d;
SELECT is(t.output(run) #>> '{0,in}', 'x', 'with the item as its input') FROM d;

-- ---------- redriven ----------

SELECT dealix.publish('again', '{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "sql:t.fail_times", "Parameters": {"times": 1}, "ResultSelector": {"c.$": "$$.Execution"}, "OutputPath": "$.c", "End": true}}}') \g /dev/null
SELECT t.forget() \g /dev/null
CREATE TEMP TABLE g AS SELECT dealix.start('again', '{}') AS run;
SELECT t.pump() \g /dev/null
SELECT dealix.redrive(run) FROM g \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.keys(t.output(run) - 'Input'), 'Id Name RedriveCount RedriveTime RoleArn StartTime', 'who was redriven knows when') FROM g;
SELECT is(t.output(run) ->> 'RedriveCount', '1', 'and how often') FROM g;
SELECT is(t.output(run) ->> 'RedriveTime', (SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') FROM dealix.history_details WHERE run_id = run AND event = 'run_redriven'), 'as it stands in the history') FROM g;

SELECT * FROM finish();
ROLLBACK;
