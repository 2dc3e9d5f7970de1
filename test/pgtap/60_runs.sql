-- Starting runs, looking at them, and the versions that they are pinned to.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.pass(result text) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('StartAt', 'P', 'States', jsonb_build_object('P', jsonb_build_object('Type', 'Pass', 'Result', result, 'End', true))) $$;

-- ---------- versions ----------

SELECT is(dealix.publish('w', t.pass('one')), 1, 'the first version is 1');
SELECT is(dealix.publish('w', t.pass('one')), 1, 'the same definition again is the same version');
SELECT is(dealix.publish('w', t.pass('two')), 2, 'another definition is another version');
SELECT is(dealix.publish('w', t.pass('one')), 3, 'to go back to an old definition is a step forward');
SELECT is(dealix.publish('w', t.pass('two')), 4, 'and so is the way back');
SELECT results_eq('SELECT version FROM dealix.workflow_details WHERE workflow = ''w'' ORDER BY version', ARRAY[1, 2, 3, 4], 'dealix.workflows shows all versions');
CREATE TEMP TABLE r AS SELECT dealix.start('w') AS run;
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.output(run), '"two"', 'a run is of the latest version') FROM r;
UPDATE r SET run = dealix.start('w', version => 1);
SELECT dealix.publish('w', t.pass('three')) \g /dev/null
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.output(run), '"one"', 'or of the one that was asked for') FROM r;
UPDATE r SET run = dealix.start('w');
SELECT dealix.publish('w', t.pass('four')) \g /dev/null
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.output(run), '"three"', 'and stays with it') FROM r;
SELECT throws_ok('SELECT dealix.start(''w'', version => 9)', '42704', NULL, 'there is no version 9');
SELECT throws_ok('SELECT dealix.start(''nobody'')', '42704', NULL, 'there is no such workflow');
SELECT throws_ok('SELECT dealix.start(NULL)', '22004', NULL, 'the name is needed');
SELECT throws_ok('SELECT dealix.publish(NULL, ''{}'')', '22004', NULL, 'here, too');
SELECT throws_ok('SELECT dealix.publish(''w'', NULL)', '22004', NULL, 'and the definition');

-- ---------- idempotent start ----------

CREATE TEMP TABLE k AS SELECT dealix.start('w', '{"a": 1}', 'key') AS run;
SELECT is(dealix.start('w', '{"a": 1}', 'key'), run, 'the same key and input is the same run') FROM k;
SELECT is(dealix.start('w', '{"a":1.0}', 'key'), run, 'the input is compared by value') FROM k;
SELECT t.settle(run) FROM k \g /dev/null
SELECT is(dealix.start('w', '{"a": 1}', 'key'), run, 'also after the run has ended') FROM k;
SELECT throws_ok('SELECT dealix.start(''w'', ''{"a": 2}'', ''key'')', '23505', NULL, 'the same key and another input is an error');
SELECT isnt(dealix.start('w', '{"a": 1}', 'key2'), run, 'another key is another run') FROM k;
SELECT isnt(dealix.start('w', '{"a": 1}'), dealix.start('w', '{"a": 1}'), 'without a key each call is a run');
SELECT dealix.publish('v', t.pass('v')) \g /dev/null
SELECT isnt(dealix.start('v', '{"a": 1}', 'key'), run, 'a key belongs to a workflow') FROM k;
CREATE FUNCTION t.uuid_version(u uuid) RETURNS text LANGUAGE sql AS $$ SELECT substr(u::text, 15, 1) $$;
SELECT is(t.uuid_version(run), '7', 'a run id is a UUIDv7') FROM k;

-- ---------- many ----------

CREATE TEMP TABLE many AS SELECT * FROM dealix.start_many('w', ARRAY(SELECT jsonb_build_object('i', i) FROM generate_series(1, 5) i),
	ARRAY(SELECT 'm' || i FROM generate_series(1, 5) i)) WITH ORDINALITY AS m (run, i);
SELECT results_eq('SELECT (input ->> ''i'')::bigint FROM many JOIN dealix.run_details ON run_id = run ORDER BY i', 'SELECT i FROM many ORDER BY i', 'start_many gives the ids in the order of the inputs');
SELECT results_eq($$SELECT * FROM dealix.start_many('w', ARRAY(SELECT jsonb_build_object('i', i) FROM generate_series(1, 6) i),
	ARRAY(SELECT 'm' || i FROM generate_series(1, 6) i)) LIMIT 5$$, 'SELECT run FROM many ORDER BY i', 'it is idempotent, too');
SELECT is((SELECT count(*)::int FROM dealix.run_details WHERE key LIKE 'm_'), 6, 'and started what was new');
SELECT is_empty('SELECT * FROM dealix.start_many(''w'', ''{}'')', 'nothing to start');
SELECT throws_ok('SELECT * FROM dealix.start_many(''w'', ARRAY[''1'', ''2'']::jsonb[], ARRAY[''a''])', '2202E', NULL, 'as many keys as inputs');
SELECT is((SELECT count(DISTINCT r)::int FROM dealix.start_many('w', ARRAY['1', '1']::jsonb[], ARRAY['dup', 'dup']) r), 1, 'a key twice in one call is one run');
SELECT throws_ok('SELECT * FROM dealix.start_many(''w'', ARRAY[''1'', ''2'']::jsonb[], ARRAY[''dup2'', ''dup2''])', '23505', NULL, 'unless the inputs differ');

-- ---------- looking ----------

CREATE TEMP TABLE d AS SELECT dealix.start('w', '{"x": 1}', 'look', correlation_id => 'c-1',
	traceparent => '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01') AS run;
SELECT is(dealix.result(run), NULL, 'there is no result while the run goes on') FROM d;
SELECT t.settle(run) FROM d \g /dev/null
SELECT is(dealix.result(run), '"four"', 'then it is the output') FROM d;
SELECT is(jsonb_typeof(dealix.describe(run)), 'object', 'describe gives an object') FROM d;
SELECT is(dealix.describe(run) ->> 'status', 'SUCCEEDED', 'with the status') FROM d;
SELECT is((SELECT (key, correlation_id, input, output, workflow, version, status)::text FROM dealix.run_details WHERE run_id = run),
	'(look,c-1,"{""x"": 1}","""four""",w,6,SUCCEEDED)', 'dealix.runs has it all') FROM d;
SELECT is((SELECT array_agg(seq ORDER BY seq) FROM dealix.timeline(run)), ARRAY[1, 2, 3], 'its events are numbered') FROM d;
SELECT is(t.events(run), 'run_started, state_succeeded P, run_succeeded', 'from its start to its end') FROM d;
UPDATE d SET run = t.run(t.task('sql:t.fail'));
SELECT throws_ok(format('SELECT dealix.result(%L)', run), 'DX002', NULL, 'the result of a run that failed is an error') FROM d;
SELECT throws_matching(format('SELECT dealix.result(%L)', run), 'FAILED.*Test.Failure', 'which names the run''s own') FROM d;
SELECT throws_ok('SELECT dealix.result(''00000000-0000-7000-8000-000000000000'')', 'P0002', NULL, 'no run, no result');
SELECT throws_ok('SELECT dealix.describe(''00000000-0000-7000-8000-000000000000'')', 'P0002', NULL, 'no run, no description');

-- ---------- limits of what is taken in ----------

SELECT throws_ok($$SELECT dealix.start('w', (repeat('[', 5000) || repeat(']', 5000))::jsonb)$$, 'DX009', NULL, 'an input that is nested too deeply');
SELECT throws_ok($$SELECT dealix.start('w', durability => 'maybe')$$, '22023', NULL, 'a durability that does not exist');
SELECT lives_ok($$SELECT dealix.start('w', durability => 'async')$$, 'one that does');

SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');

SELECT * FROM finish();
ROLLBACK;
