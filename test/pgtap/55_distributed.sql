-- A Map of mode DISTRIBUTED: each item is a run of its own.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.item(n int) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	PERFORM t.do('item ' || n);
	IF n < 0 THEN PERFORM dealix.raise('Test.Negative', n::text); END IF;
	RETURN to_jsonb(n * 10);
END $$;

-- A Map over $.items, with more members.
CREATE FUNCTION t.distributed(more jsonb DEFAULT '{}', states jsonb DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $f$
	SELECT jsonb_build_object('StartAt', 'M', 'States', jsonb_build_object(
		'M', jsonb_build_object('Type', 'Map', 'ItemsPath', '$.items', 'ItemSelector', '{"n.$": "$$.Map.Item.Value"}'::jsonb,
			'ItemProcessor', jsonb_build_object('ProcessorConfig', '{"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}'::jsonb,
				'StartAt', 'T', 'States', coalesce(states, '{"T": {"Type": "Task", "Resource": "sql:t.item", "End": true}}')),
			'Catch', '[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}]'::jsonb, 'End', true) || more,
		'Caught', '{"Type": "Pass", "OutputPath": "$.error.Error", "End": true}'::jsonb)) $f$;

CREATE FUNCTION t.over(items text, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql AS
$$ SELECT t.run(t.distributed(more), jsonb_build_object('items', items::jsonb)) $$;

-- ---------- outcome ----------

CREATE TEMP TABLE r AS SELECT t.over('[1, 2, 3]') AS run;
SELECT is(t.output(run), '[10, 20, 30]', 'results in the order of the items') FROM r;
SELECT is(t.effects(), 'item 1,item 2,item 3', 'each item once');
SELECT results_eq('SELECT c.item, c.status, c.input, c.output, c.workflow FROM dealix.run_details c JOIN r ON c.parent_run = r.run ORDER BY 1',
	$$ SELECT i - 1, 'SUCCEEDED', jsonb_build_object('n', i), to_jsonb(i * 10), (SELECT workflow FROM dealix.run_details JOIN r ON run = run_id) FROM generate_series(1, 3) i $$,
	'each item is a run with its input and output');
SELECT is(t.output(t.over('[]')), '[]', 'no items, no runs');
SELECT is((SELECT string_agg(DISTINCT t.events(run_id), ';') FROM dealix.run_details JOIN r ON parent_run = run), 'run_started, step_succeeded T, run_succeeded', 'an item''s history');
SELECT is((SELECT t.events(run) FROM r), 'run_started, branches_started M, state_succeeded M, run_succeeded', 'the Map''s');

-- ---------- failures ----------

SELECT is(t.output(t.over('[1, -2, 3]')), '"States.ExceedToleratedFailureThreshold"', 'one failure is one too many, if nothing else is said');
SELECT is(t.output(t.over('[1, -2, 3]', '{"ToleratedFailureCount": 1}')), '[10, 30]', 'a tolerated failure leaves a gap');
SELECT is(t.output(t.over('[-1, -2, 3]', '{"ToleratedFailureCount": 1}')), '"States.ExceedToleratedFailureThreshold"', 'two are too many');
SELECT is(t.output(t.over('[-1, -2, 3, 4]', '{"ToleratedFailurePercentage": 50}')), '[30, 40]', 'half of them');
SELECT is(t.output(t.over('[-1, -2, -3, 4]', '{"ToleratedFailurePercentage": 50}')), '"States.ExceedToleratedFailureThreshold"', 'more than half');
SELECT is(t.output(t.over('[-1, -2]', '{"ToleratedFailurePercentage": 100}')), '[]', 'all of them');

-- ---------- what goes on, stops ----------

CREATE FUNCTION t.waiting_items(more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT t.distributed(more, '{"T": {"Type": "Task", "Resource": "sql:t.item", "Next": "W"}, "W": {"Type": "Task", "Resource": "signal:go", "End": true}}') $$;
CREATE FUNCTION t.items_of(run uuid) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(status, ',' ORDER BY item) FROM dealix.run_details WHERE parent_run = run $$;

SELECT t.forget() \g /dev/null
CREATE TEMP TABLE w AS SELECT t.begin(t.waiting_items('{"MaxConcurrency": 2}'), '{"items": [1, 2, 3, 4, 5]}') AS run;
SELECT t.pump() \g /dev/null
SELECT is(t.effects(), 'item 1,item 2', 'MaxConcurrency: two at a time');
SELECT dealix.signal(run_id, 'go', '"went"') FROM dealix.run_details JOIN w ON parent_run = run WHERE item = 1 \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.effects(), 'item 1,item 2,item 3', 'one ends, the next begins');
SELECT is(t.items_of(run), 'RUNNING,SUCCEEDED,RUNNING', 'three have begun') FROM w;
SELECT is((SELECT count(*) FROM dealix.stuck()), 0::bigint, 'nobody is stuck');
SELECT dealix.cancel(run) FROM w \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.items_of(run), 'CANCELLED,SUCCEEDED,CANCELLED', 'a cancel reaches the items') FROM w;
SELECT is(t.status(run), 'CANCELLED', 'and the Map') FROM w;

TRUNCATE w;
INSERT INTO w SELECT t.begin(t.waiting_items(), '{"items": [1, -2, 3]}');
SELECT t.pump() \g /dev/null
SELECT is(t.output(run), '"States.ExceedToleratedFailureThreshold"', 'the Map has failed') FROM w;
SELECT is(t.items_of(run), 'CANCELLED,FAILED,CANCELLED', 'what was still going on is stopped') FROM w;

TRUNCATE w;
INSERT INTO w SELECT t.begin(t.waiting_items(), '{"items": [1, 2]}');
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT dealix.terminate(run) FROM w \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT is(t.items_of(run), 'TERMINATED,TERMINATED', 'a terminate too') FROM w;

-- ---------- Retry: a visit of its own ----------

CREATE FUNCTION t.second_time(n int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	tries bigint := nextval('t.tries');
BEGIN
	IF tries <= 2 AND n = 2 THEN PERFORM dealix.raise('Test.First'); END IF;
	RETURN tries;
END $$;
SELECT t.forget() \g /dev/null
TRUNCATE w;
INSERT INTO w SELECT t.run(t.distributed('{"Retry": [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "IntervalSeconds": 1, "MaxAttempts": 2}]}',
	'{"T": {"Type": "Task", "Resource": "sql:t.second_time", "End": true}}'), '{"items": [1, 2]}');
SELECT is(t.output(run), '[3, 4]', 'Retry begins the Map anew') FROM w;
SELECT is((SELECT count(*)::int FROM dealix.run_details JOIN w ON parent_run = run), 4, 'with new runs') FROM w;

-- ---------- nested, and within a limit of the workflow ----------

SELECT is(t.output(t.run(t.distributed('{"ItemSelector": {"items.$": "$$.Map.Item.Value"}}', jsonb_build_object('T',
	t.distributed('{"ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": {"Type": "Task", "Resource": "sql:t.item", "End": true}}}}'::jsonb)
		#> '{States,M}' #- '{Catch}')), '{"items": [[1, 2], [3]]}')), '[[10, 20], [30]]', 'a Map in a Map');
SELECT dealix.publish('one at a time', t.distributed()) \g /dev/null
SELECT dealix.limit_workflow('one at a time', 1) \g /dev/null
TRUNCATE w;
INSERT INTO w SELECT dealix.start('one at a time', '{"items": [1, 2, 3]}');
SELECT t.settle(run) FROM w \g /dev/null
SELECT is(t.output(run), '[10, 20, 30]', 'items are within the slot of their Map') FROM w;

-- ---------- batches ----------

CREATE FUNCTION t.batch(input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT input $$;
CREATE FUNCTION t.batched(batcher jsonb) RETURNS jsonb LANGUAGE sql AS
$$ SELECT t.distributed(jsonb_build_object('ItemBatcher', batcher), '{"T": {"Type": "Task", "Resource": "sql:t.batch", "End": true}}') $$;
SELECT is(t.output(t.run(t.batched('{"MaxItemsPerBatch": 2}'), '{"items": [1, 2, 3]}')),
	'[{"Items": [{"n": 1}, {"n": 2}]}, {"Items": [{"n": 3}]}]', 'items of ItemSelector, two to a run');
SELECT is(t.output(t.run(t.batched('{"MaxItemsPerBatchPath": "$.size", "BatchInput": {"fixed": 1, "all.$": "$.size"}}'), '{"size": 5, "items": [1, 2, 3]}')),
	'[{"Items": [{"n": 1}, {"n": 2}, {"n": 3}], "BatchInput": {"all": 5, "fixed": 1}}]', 'with an input of their own');
SELECT is(t.output(t.run(t.batched('{"MaxInputBytesPerBatch": 20}'), '{"items": [1, 2, 33333333333333333, 4]}')),
	'[{"Items": [{"n": 1}, {"n": 2}]}, {"Items": [{"n": 33333333333333333}]}, {"Items": [{"n": 4}]}]', 'or by their size');
SELECT is(t.output(t.run(t.batched('{"MaxItemsPerBatchPath": "$.size"}'), '{"size": 0, "items": [1]}')), NULL, 'a size of 0');
SELECT is((SELECT string_agg(DISTINCT error, ',') FROM dealix.run_details WHERE input = '{"size": 0, "items": [1]}'), 'States.Runtime', 'is an error');

-- ---------- repair ----------

TRUNCATE w;
INSERT INTO w SELECT t.run(t.distributed() #- '{States,M,Catch}' #- '{States,Caught}', '{"items": [-1]}');
SELECT is(t.error(run), 'States.ExceedToleratedFailureThreshold', 'a Map that failed') FROM w;
RESET SESSION AUTHORIZATION;
SELECT throws_ok(format('SELECT dealix.redrive(%L)', run_id), 'DX007', NULL, 'its item cannot be redriven alone') FROM dealix.run_details JOIN w ON parent_run = run;
CREATE OR REPLACE FUNCTION t.item(n int) RETURNS jsonb LANGUAGE sql AS 'SELECT to_jsonb(n)';
SELECT dealix.redrive(run) FROM w \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT t.settle(run) FROM w \g /dev/null
SELECT is(t.output(run), '[-1]', 'but the Map, which begins anew') FROM w;

SELECT * FROM finish();
ROLLBACK;
