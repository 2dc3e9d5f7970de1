-- Parallel and Map: branches, their data, their failures.
\ir setup.psql
SELECT no_plan();

-- A machine of one state.
CREATE FUNCTION t.machine(state jsonb) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('StartAt', 'S', 'States', jsonb_build_object('S', '{"End": true}' || state)) $$;
CREATE FUNCTION t.parallel(branches jsonb[], more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
$$ SELECT t.machine(jsonb_build_object('Type', 'Parallel', 'Branches', to_jsonb(branches)) || more) $$;
CREATE FUNCTION t.named(name text, machine jsonb) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('StartAt', name, 'States', jsonb_build_object(name, machine #> '{States,S}')) $$;
CREATE FUNCTION t.doing(what text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
$$ SELECT t.named(what, t.machine(jsonb_build_object('Type', 'Task', 'Resource', 'sql:t.do', 'Parameters', jsonb_build_object('what', what)) || more)) $$;
CREATE FUNCTION t.failing(name text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
$$ SELECT t.named(name, t.machine(jsonb_build_object('Type', 'Task', 'Resource', 'sql:t.fail', 'Parameters', jsonb_build_object('error', name)) || more)) $$;
CREATE FUNCTION t.waiting_for(signal text) RETURNS jsonb LANGUAGE sql AS
$$ SELECT t.named('wait ' || signal, t.machine(jsonb_build_object('Type', 'Task', 'Resource', 'signal:' || signal))) $$;

-- ---------- Parallel ----------

SELECT is(t.output(t.run(t.parallel(ARRAY[t.doing('a'), t.doing('b')]))), '["did a", "did b"]', 'the outputs in the order of the branches');
SELECT is(t.output(t.run(t.parallel(ARRAY[t.named('x', t.machine('{"Type": "Pass", "Parameters": {"x.$": "$.n"}}')), t.named('y', t.machine('{"Type": "Pass"}'))],
	'{"Parameters": {"n.$": "$.m"}, "ResultSelector": {"first.$": "$[0].x", "second.$": "$[1]"}, "ResultPath": "$.p"}'), '{"m": 7}')),
	'{"m": 7, "p": {"first": 7, "second": {"n": 7}}}', 'each has a copy of the effective input; its result goes the way of any result');

-- Slow ones do not hold the others up, and the join waits for all.
SELECT t.forget() \g /dev/null
CREATE TEMP TABLE w AS SELECT t.begin(t.parallel(ARRAY[t.waiting_for('one'), t.doing('meanwhile'), t.waiting_for('two')])) AS run;
SELECT t.pump() \g /dev/null
SELECT is(t.effects(), 'meanwhile', 'a branch that waits holds nobody up');
SELECT is((SELECT string_agg(name, ',' ORDER BY name) FROM dealix.waiting_details WHERE waits_for = 'signal'), 'one,two', 'two wait');
SELECT dealix.signal(run, 'two', '2') FROM w \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'RUNNING', 'one has come') FROM w;
SELECT dealix.signal(run, 'one', '1') FROM w \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.output(run), '[1, "did meanwhile", 2]', 'now all') FROM w;
SELECT is((SELECT count(*) FROM dealix.stuck()), 0::bigint, 'nobody is stuck');

-- ---------- a failure stops the siblings ----------

SELECT is(t.error(t.run(t.parallel(ARRAY[t.doing('a'), t.failing('Test.B'), t.doing('c')]))), 'Test.B', 'the first failure is the Parallel''s');
TRUNCATE w;
CREATE FUNCTION t.caught(branches jsonb[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_set(t.parallel(branches, '{"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "C"}]}'),
		'{States,C}', '{"Type": "Pass", "End": true}') $$;
INSERT INTO w SELECT t.run(t.caught(ARRAY[t.waiting_for('never'), t.failing('Test.B')]), '{"n": 1}');
SELECT is(t.output(run), '{"e": {"Cause": "because", "Error": "Test.B"}, "n": 1}', 'Catch of a Parallel') FROM w;
SELECT is((SELECT count(*)::int FROM dealix.waiting_details JOIN w ON run = run_id), 0, 'who waited is gone') FROM w;

SELECT t.forget() \g /dev/null
SELECT is(t.output(t.run(t.parallel(ARRAY[t.doing('a'), t.named('f', t.machine('{"Type": "Task", "Resource": "sql:t.fail_times", "Parameters": {"times": 2}}'))],
	'{"Retry": [{"ErrorEquals": ["Test.Failure"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 3}]}'))), '["did a", 3]', 'Retry of a Parallel begins all branches anew');
SELECT is(t.effects(), 'a,a,a', 'each time');

-- A catcher within the branch keeps it from the others.
SELECT is(t.output(t.run(t.parallel(ARRAY[t.doing('a'),
	jsonb_set(t.failing('Test.B', '{"Catch": [{"ErrorEquals": ["Test.B"], "ResultPath": null, "Next": "Mended"}]}'), '{States,Mended}', '{"Type": "Pass", "Result": "mended", "End": true}')]))),
	'["did a", "mended"]', 'Catch within a branch');

-- ---------- Map ----------

CREATE FUNCTION t.map(state jsonb, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS
$$ SELECT t.machine(jsonb_build_object('Type', 'Map', 'ItemProcessor', t.named('Item', t.machine(state))) || more) $$;
SELECT is(t.output(t.run(t.map('{"Type": "Pass"}'), '[3, "x", null, {"a": 1}]')), '[3, "x", null, {"a": 1}]', 'the input is the array');
SELECT is(t.output(t.run(t.map('{"Type": "Pass"}'), '[]')), '[]', 'an empty one');
SELECT is(t.error(t.run(t.map('{"Type": "Pass"}'), '{"a": 1}')), 'States.Runtime', 'what is no array');
SELECT is(t.output(t.run(t.map('{"Type": "Pass", "Parameters": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "in.$": "$"}}',
	'{"ItemsPath": "$.list", "ItemSelector": {"factor.$": "$.f", "value.$": "$$.Map.Item.Value.n"}}'), '{"f": 2, "list": [{"n": 1}, {"n": 5}]}')),
	'[{"i": 0, "v": {"n": 1}, "in": {"value": 1, "factor": 2}}, {"i": 1, "v": {"n": 5}, "in": {"value": 5, "factor": 2}}]', 'the item in the context, of ItemSelector and of the states');
SELECT is(t.output(t.run(t.map('{"Type": "Pass"}', '{"ItemsPath": "$.list", "ResultPath": "$.out"}'), '{"list": [1]}')), '{"out": [1], "list": [1]}', 'ResultPath of a Map');
SELECT is(t.output(t.run(t.machine(jsonb_build_object('Type', 'Map', 'ItemsPath', '$.l', 'Parameters', '{"x.$": "$$.Map.Item.Value"}'::jsonb,
	'Iterator', t.named('Item', t.machine('{"Type": "Pass"}')))), '{"l": [1]}')), '[{"x": 1}]', 'Iterator and Parameters, as they were called');
SELECT is(t.output(t.run(t.map(jsonb_build_object('Type', 'Map', 'ItemProcessor',
	t.named('Inner', t.machine('{"Type": "Pass", "Parameters": {"i.$": "$$.Map.Item.Index"}}')))), '[[1, 2], [3]]')), '[[{"i": 0}, {"i": 1}], [{"i": 0}]]', 'a Map in a Map: the inner item');

SELECT t.forget() \g /dev/null
TRUNCATE w;
INSERT INTO w SELECT t.begin(t.map('{"Type": "Task", "Resource": "signal:go"}', '{"MaxConcurrency": 2}'), '[1, 2, 3, 4, 5]');
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*)::int FROM dealix.waiting_details WHERE waits_for = 'signal'), 2, 'MaxConcurrency: two are open');
SELECT dealix.signal(run, 'go', '1') FROM w \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*)::int FROM dealix.waiting_details WHERE waits_for = 'signal'), 2, 'one ends, the next is opened');
SELECT dealix.signal(run, 'go', to_jsonb(n)) FROM w, generate_series(2, 5) n \g /dev/null
SELECT t.settle(run) FROM w \g /dev/null
SELECT is(t.output(run), '[1, 2, 3, 4, 5]', 'until all are done') FROM w;

SELECT is(t.error(t.run(t.map('{"Type": "Task", "Resource": "sql:t.fail", "Parameters": {"error.$": "$"}}'), '["Test.First", "Test.Second"]')), 'Test.First', 'an item''s failure is the Map''s');

-- More than a pass takes: the join finds the results of earlier passes.
SELECT is(jsonb_array_length(t.output(t.run(t.map('{"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "x"}}'),
	(SELECT jsonb_agg(i) FROM generate_series(1, 3000) i)))), 3000, 'three thousand items');

-- ---------- variables ----------

SELECT is(t.output(t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Pass", "Assign": {"outer": 1}, "Next": "P"},
	"P": {"Type": "Parallel", "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "Assign": {"inner.$": "$outer"}, "Next": "C"}, "C": {"Type": "Pass", "Parameters": {"i.$": "$inner", "o.$": "$outer"}, "End": true}}}],
		"Assign": {"after.$": "$[0].i"}, "Next": "D"},
	"D": {"Type": "Pass", "Parameters": {"r.$": "$", "after.$": "$after"}, "End": true}}}')),
	'{"r": [{"i": 1, "o": 1}], "after": 1}', 'a branch sees those from outside, and has its own');

-- ---------- compensation ----------

SELECT t.forget() \g /dev/null
SELECT is(t.error(t.run(jsonb_set(jsonb_set(t.parallel(ARRAY[
		t.doing('a', '{"Compensate": {"Resource": "sql:t.do", "Parameters": {"what": "undo a"}}}'), t.doing('b', '{"Compensate": {"Resource": "sql:t.do", "Parameters": {"what": "undo b"}}}')]) #- '{States,S,End}',
	'{States,S,Next}', '"F"'), '{States,F}', '{"Type": "Fail", "Error": "Test.After"}'))), 'Test.After', 'a failure after the join');
SELECT is(t.effects(), 'a,b,undo b,undo a', 'undoes across branches, in reverse order');

SELECT * FROM finish();
ROLLBACK;
