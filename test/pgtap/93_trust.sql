-- Who acts as whom: definitions are looked at without running anything, and
-- names in them mean what they meant when they were published.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.sql_state(expression text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('QueryLanguage', 'SQL', 'StartAt', 'S', 'States', jsonb_build_object('S',
		jsonb_build_object('Type', 'Pass', 'Output', '{% ' || expression || ' %}', 'End', true))) $$;
CREATE FUNCTION t.problem(definition jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(code || ': ' || message, ', ') FROM dealix.validate(definition) $$;
CREATE FUNCTION t.eval(expression text, input jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	run uuid := t.run(t.sql_state(expression), input);
BEGIN
	RETURN coalesce(t.output(run)::text, t.error(run) || ': ' || t.cause(run));
END $$;

-- ---------- traps: each counts how often it was run, and by whom ----------

CREATE SEQUENCE t.sprung;
CREATE FUNCTION t.spring(what text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN PERFORM nextval('t.sprung'); RETURN true; END $$;
CREATE FUNCTION t.sprung() RETURNS bigint LANGUAGE sql AS 'SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM t.sprung';

CREATE DOMAIN t.trap AS text CHECK (t.spring(VALUE));
CREATE TYPE t.pair AS (a t.trap, b int);
CREATE FUNCTION t.constant(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN PERFORM nextval('t.sprung'); RETURN n; END $$;
CREATE FUNCTION t.defaulted(n int DEFAULT t.constant(1)) RETURNS int LANGUAGE sql AS 'SELECT n';
CREATE FUNCTION t.inlined(n int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT t.constant(n)';
CREATE FUNCTION t.add(a jsonb, b int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN PERFORM nextval('t.sprung'); RETURN b; END $$;
CREATE OPERATOR t.+ (LEFTARG = jsonb, RIGHTARG = int, FUNCTION = t.add);
CREATE TYPE t.mood AS ENUM ('low', 'high');
CREATE FUNCTION t.to_mood(n int) RETURNS t.mood IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN PERFORM nextval('t.sprung'); RETURN 'low'; END $$;
CREATE CAST (int AS t.mood) WITH FUNCTION t.to_mood(int) AS IMPLICIT;
CREATE TABLE t.room (a t.trap DEFAULT t.constant(1)::text);
CREATE VIEW t.view AS SELECT 'x'::t.trap AS a FROM t.room WHERE t.constant(1) = 1;
SELECT setval('t.sprung', 1, false) \g /dev/null

-- The same under names that stand in the search_path, before and behind what is built in.
RESET SESSION AUTHORIZATION;
CREATE SCHEMA traps AUTHORIZATION tap_app;
GRANT USAGE ON SCHEMA traps TO PUBLIC;
SET SESSION AUTHORIZATION tap_app;
CREATE DOMAIN traps.trap AS text CHECK (t.spring(VALUE));
CREATE DOMAIN traps.text AS pg_catalog.text CHECK (t.spring(VALUE));
CREATE FUNCTION traps.upper(t jsonb) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN PERFORM nextval('t.sprung'); RETURN 'trapped'; END $$;
CREATE FUNCTION traps.lower(t pg_catalog.text) RETURNS pg_catalog.text IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN PERFORM nextval('t.sprung'); RETURN 'trapped'; END $$;
CREATE OPERATOR traps.+ (LEFTARG = jsonb, RIGHTARG = int, FUNCTION = t.add);
CREATE OPERATOR traps.-> (LEFTARG = jsonb, RIGHTARG = int, FUNCTION = t.add);
CREATE TABLE traps.pg_class (relname text);

CREATE TEMP TABLE hostile (expression text);
INSERT INTO hostile VALUES ($$'x'::t.trap$$), ($$CAST('x' AS t.trap)$$), ($$t.trap 'x'$$), ($$'(x,1)'::t.pair$$),
	($$'{x,y}'::t.trap[]$$), ($$ARRAY['x']::t.trap[]$$), ($$t.constant(1)$$), ($$t.defaulted()$$), ($$t.inlined(1)$$),
	($$(SELECT t.constant(1) LIMIT 1)$$), ($$input OPERATOR(t.+) 1$$), ($$1::t.mood$$), ($$1::int::t.mood$$),
	($$(SELECT count(*) FROM t.view)$$), ($$(SELECT a FROM t.room WHERE a = 'x'::t.trap)$$),
	($$jsonb_populate_record('(x,1)'::t.pair, '{"a": "y"}')$$), ($$CASE WHEN false THEN 1 / t.constant(0) ELSE 1 END$$),
	($$(SELECT x FROM jsonb_to_record('{"x": "y"}') AS r(x t.trap))$$), ($$NULL::t.trap$$), ($$'x' IN ('x'::t.trap)$$),
	($$(WITH w AS (SELECT 'x'::t.trap AS a) SELECT a FROM w)$$), ($$t.constant(n => 1)$$),
	($$trap 'x'$$), ($$'x'::trap$$), ($$'x'::text$$), ($$upper(input)$$), ($$lower('X')$$), ($$input + 1$$), ($$input -> 1$$),
	($$(SELECT relname FROM pg_class LIMIT 1)$$), ($$no_such(1)$$), ($$1; SELECT t.constant(1)$$), ($$1) , t.constant(1), (1$$);
GRANT ALL ON hostile TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA t TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA t TO PUBLIC;
GRANT USAGE ON SEQUENCE t.sprung TO PUBLIC;

-- Everywhere where an expression may stand.
CREATE FUNCTION t.everywhere(expression text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('QueryLanguage', 'SQL', 'StartAt', 'A', 'States', jsonb_build_object(
		'A', jsonb_build_object('Type', 'Task', 'Resource', 'signal:x', 'Arguments', e, 'Output', e, 'Assign', jsonb_build_object('v', e),
			'TimeoutSeconds', e, 'Catch', jsonb_build_array(jsonb_build_object('ErrorEquals', '["States.ALL"]'::jsonb, 'Output', e, 'Next', 'B')), 'Next', 'B'),
		'B', jsonb_build_object('Type', 'Choice', 'Choices', jsonb_build_array(jsonb_build_object('Condition', e, 'Output', e, 'Next', 'C')), 'Default', 'C'),
		'C', jsonb_build_object('Type', 'Wait', 'Seconds', e, 'Next', 'D'),
		'D', jsonb_build_object('Type', 'Fail', 'Error', e, 'Cause', e))) FROM (SELECT '{% ' || expression || ' %}' AS e) x $$;

CREATE TEMP TABLE definition AS
	SELECT row_number() OVER () AS n, 'hostile ' || row_number() OVER () AS name, t.sql_state(expression) AS one, t.everywhere(expression) AS many FROM hostile;
GRANT SELECT ON definition TO PUBLIC;
SELECT setval('t.sprung', 1, false) \g /dev/null

RESET SESSION AUTHORIZATION;
SET search_path = traps, pg_catalog, public;
SELECT count(*) FROM definition, dealix.validate(one) \g /dev/null
SELECT count(*) FROM definition, dealix.validate(many) \g /dev/null
RESET search_path;
SELECT is(t.sprung(), 0::bigint, 'validate has run nothing, wherever the expression stands');

-- publish refuses some; what it accepts it has not run.
SET search_path = traps, pg_catalog, public;
DO $$
DECLARE
	d record;
BEGIN
	FOR d IN SELECT name, one FROM definition LOOP
		BEGIN
			PERFORM dealix.publish(d.name, d.one);
		EXCEPTION WHEN invalid_parameter_value THEN NULL;
		END;
	END LOOP;
END $$;
RESET search_path;
SELECT is(t.sprung(), 0::bigint, 'nor has publish');
SELECT cmp_ok((SELECT count(*) FROM dealix.workflow_details WHERE workflow LIKE 'hostile %'), '>', 15::bigint, 'though most of it can be published');

DO $$
DECLARE
	h record;
BEGIN
	FOR h IN SELECT expression FROM hostile LOOP
		BEGIN
			PERFORM dealix.test_state(t.sql_state(h.expression), 'S', '{}');
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
	END LOOP;
END $$;
SELECT is(t.sprung(), CASE current_setting('dealix_exec.superuser_runs') WHEN 'off' THEN 0 ELSE t.sprung() END, 'nor has test_state, for a superuser');
SELECT is(dealix.test_state('{"StartAt": "S", "States": {"S": {"Type": "Pass", "Parameters": {"a.$": "$.x"}, "End": true}}}', 'S', '{"x": 1}') ->> 'status', 'SUCCEEDED', 'paths are no code: a superuser can test them');
SELECT setval('t.sprung', 1, false) \g /dev/null

-- A step's function: its defaults, and types of its arguments.
SET SESSION AUTHORIZATION tap_app;
CREATE FUNCTION t.step(a t.trap, b int DEFAULT t.constant(1), c t.pair DEFAULT '(x,1)') RETURNS int LANGUAGE sql AS 'SELECT b';
SELECT setval('t.sprung', 1, false) \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT is(t.problem(t.task('sql:t.step', '{"Parameters": {"a": "x"}}')), NULL, 'a step whose arguments are traps');
SELECT dealix.publish('trapped step', t.task('sql:t.step', '{"Parameters": {"a": "x"}}')) \g /dev/null
SELECT is(t.sprung(), 0::bigint, 'is looked at without running them');
SET SESSION AUTHORIZATION tap_app;

-- ---------- what is found without running anything ----------

SELECT is(t.problem(t.sql_state('nothing')), 'UNKNOWN_VARIABLE: there is no variable "nothing"', 'an unknown variable');
SELECT is(t.problem(t.sql_state('(SELECT nothing)')), 'UNKNOWN_VARIABLE: there is no variable "nothing"', 'also in a subquery');
SELECT is(t.problem(t.sql_state('(SELECT x FROM generate_series(1, 2) x ORDER BY x)')), NULL, 'a column is none');
SELECT is(t.problem(t.sql_state('(WITH w AS (SELECT 1 AS a) SELECT a FROM w)')), NULL, 'nor is the name of a WITH query a table');
SELECT matches(t.problem(t.sql_state('input.n')), 'INVALID_EXPRESSION: .*input->''member''', 'a member with a dot');
SELECT matches(t.problem(t.sql_state('t.none(input)')), 'INVALID_EXPRESSION: function t.none does not exist', 'an unknown function');
SELECT matches(t.problem(t.sql_state('sprung()')), 'has to be named with its schema', 'a function without its schema');
SELECT matches(t.problem(t.sql_state('t.spring()')), 'INVALID_EXPRESSION: function t.spring cannot be called with these arguments', 'one with other arguments');
SELECT matches(t.problem(t.sql_state('input::t.none')), 'INVALID_EXPRESSION: type t.none does not exist', 'an unknown type');
SELECT matches(t.problem(t.sql_state('input <<>> 1')), 'INVALID_EXPRESSION: operator <<>> does not exist', 'an unknown operator');
SELECT matches(t.problem(t.sql_state('(SELECT 1 FROM t.none)')), 'INVALID_EXPRESSION: relation t.none does not exist', 'an unknown table');
SELECT matches(t.problem(t.sql_state('(SELECT 1 FROM effect)')), 'it has to be named with its schema', 'a table without its schema');
SELECT matches(t.problem(t.sql_state('1, 2')), 'INVALID_EXPRESSION: it gives 2 values in place of one', 'two values');
SELECT matches(t.problem(t.sql_state('(WITH d AS (DELETE FROM t.effect RETURNING 1) SELECT 1)')), 'cannot change tables', 'a change of a table');
SELECT matches(t.problem(t.sql_state('$1')), 'no parameters', 'a parameter');
SELECT is(t.problem(t.sql_state(e)), NULL, e) FROM unnest(ARRAY['input->>''a''', 'int4(input->''n'')', 'upper(input->>''a'')',
	'extract(year FROM now())', 'percentile_cont(0.5) WITHIN GROUP (ORDER BY 1.0)', 'ARRAY[1,2] || 3', '-1', 'input @? ''$.a''',
	'coalesce(input, ''{}'')', '(input->>''n'')::numeric(10,2)', 'concat(1, 2, 3)', 'format(''%s'', VARIADIC ARRAY[''a''])',
	'make_interval(secs => 3)', '''1 day''::interval', '(SELECT jsonb_object_agg(key, value) FROM jsonb_each(input))',
	'(SELECT sum(n) OVER (PARTITION BY n) FROM t.effect LIMIT 1)', 'row_to_json(ROW(1))', 'EXISTS (SELECT FROM t.effect)',
	'(t.do(''x''))', 'ROW(1, 2)', 'input IS NULL', 'now() AT TIME ZONE ''UTC''', '1 BETWEEN 0 AND 2', '1 IN (1, 2)',
	'1 = ANY (ARRAY[1])', '''a'' LIKE ''b''', 'current_date', '(ROW(1, 2)).f1', '(ARRAY[1])[1]', 'xmlconcat()']) e
	WHERE e <> 'xmlconcat()';

-- ---------- names in expressions mean PostgreSQL's own ----------

SELECT is(t.eval('lower(''X'')'), '"x"', 'a built-in function');
CREATE TEMP TABLE r AS SELECT e, t.begin(t.sql_state(e), '{"a": 1}') AS run FROM unnest(ARRAY['lower(''X'')', 'input -> ''a''', '''x''::text', 'input - 0']) e;
SELECT setval('t.sprung', 1, false) \g /dev/null
SET search_path = traps, pg_catalog, public;
SELECT dealix.tick() \g /dev/null
RESET search_path;
SELECT is((SELECT string_agg(coalesce(t.output(run)::text, t.error(run)), ' ' ORDER BY e COLLATE "C") FROM r), '"x" States.QueryEvaluationError 1 "x"', 'is not shadowed by the search_path of who runs it, nor are operators and types');
SELECT is(t.sprung(), 0::bigint, 'so nothing of it was run');
DROP TABLE r;
CREATE TEMP TABLE pg_class (relname text);
SELECT isnt(t.eval('(SELECT count(*) FROM pg_class)'), '0', 'nor does a temporary table stand before a catalog');
DROP TABLE pg_temp.pg_class;

-- ---------- whom an owner trusts ----------

RESET SESSION AUTHORIZATION;
CREATE ROLE tr_ann LOGIN;
CREATE ROLE tr_bob LOGIN;
CREATE ROLE tr_eve LOGIN;
CREATE ROLE tr_team;
SELECT dealix.grant_access(role, access) FROM unnest('{tr_ann,tr_bob,tr_eve,tr_team}'::regrole[]) role, unnest('{application,author}'::text[]) access \g /dev/null
GRANT USAGE ON SCHEMA t TO tr_ann, tr_bob, tr_eve;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA t TO tr_ann, tr_bob, tr_eve;
GRANT SELECT, INSERT ON t.effect TO tr_ann, tr_bob, tr_eve;
SET SESSION AUTHORIZATION tap_app;
CREATE FUNCTION t.pass() RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"StartAt": "S", "States": {"S": {"Type": "Pass", "Result": 1, "End": true}}}'::jsonb $$;
GRANT EXECUTE ON FUNCTION t.pass() TO PUBLIC;

SET SESSION AUTHORIZATION tr_ann;
SELECT is(dealix.publish('ann''s', t.pass()), 1, 'ann publishes');
SELECT lives_ok($$SELECT dealix.start('ann''s')$$, 'and starts what is hers');
SET SESSION AUTHORIZATION tr_bob;
SELECT throws_ok($$SELECT dealix.start('ann''s')$$, '42501', 'role "tr_bob" does not trust the author of workflow "ann''s"', 'bob does not start it');
SELECT throws_ok($$SELECT dealix.start_many('ann''s', '{"{}"}')$$, '42501', NULL, 'nor many');
SELECT throws_ok($$SELECT dealix.start('ann''s', key => 'k')$$, '42501', NULL, 'nor with a key');
SELECT throws_ok($$SELECT dealix.start('ann''s', version => 1)$$, '42501', NULL, 'nor a version');
SELECT throws_ok($$SELECT dealix.signal_with_start('ann''s', 'k', 'go')$$, '42501', NULL, 'nor by a signal');
SELECT throws_ok($$SELECT dealix.publish('ann''s', t.pass())$$, '42501', NULL, 'and publishes nothing over it');
CREATE TEMP TABLE orders (id text);
CREATE TRIGGER go AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION dealix.start_run('ann''s', 'id');
SELECT throws_ok($$INSERT INTO orders VALUES ('1')$$, '42501', NULL, 'nor by a trigger');
SELECT throws_ok($$SELECT dealix_internal.put_schedule('daily', '0 0 * * *', 'ann''s', '{}', 'skip', '0', '0')$$, '42501', NULL, 'nor makes a schedule');
SELECT dealix.trust_author('tr_ann') \g /dev/null
SELECT dealix_internal.put_schedule('daily', '0 0 * * *', 'ann''s', '{}', 'skip', '0', '0') \g /dev/null
SELECT dealix.distrust_author('tr_ann') \g /dev/null
SELECT throws_ok($$SELECT dealix.fire_schedule('daily')$$, '42501', NULL, 'nor by a schedule');
SELECT throws_ok($$SELECT dealix.backfill('daily', ARRAY['2026-01-01'::timestamptz])$$, '42501', NULL, 'of any time');
SELECT is(dealix.trust_author('tr_ann'), true, 'until he trusts her');
SELECT is(dealix.trust_author('tr_ann'), false, 'once');
SELECT results_eq('SELECT truster::text, author::text FROM dealix.trusted_authors', $$VALUES ('tr_bob', 'tr_ann')$$, 'which a view shows');
SELECT lives_ok($$SELECT dealix.start('ann''s')$$, 'then he starts it');
SELECT lives_ok($$INSERT INTO orders VALUES ('1')$$, 'by a trigger');
SELECT is(dealix.fire_schedule('daily'), 'STARTED', 'by a schedule');
SELECT is(dealix.distrust_author('tr_ann'), true, 'and takes it back');
SELECT throws_ok($$SELECT dealix.start('ann''s')$$, '42501', NULL, 'at once');
SELECT is(dealix.distrust_author('tr_ann'), false, 'there is nothing to take back');
SELECT throws_ok($$SELECT dealix.trust_author(4242424)$$, '42704', NULL, 'no role, no trust');
SAVEPOINT s;
SELECT dealix.trust_author('tr_ann') \g /dev/null
SELECT lives_ok($$SELECT dealix.start('ann''s')$$, 'what is rolled back');
ROLLBACK TO s;
SELECT throws_ok($$SELECT dealix.start('ann''s')$$, '42501', NULL, 'was never said');

-- By membership.
RESET SESSION AUTHORIZATION;
GRANT tr_ann TO tr_bob;
SET SESSION AUTHORIZATION tr_bob;
SELECT lives_ok($$SELECT dealix.start('ann''s')$$, 'a member of the author''s role');
SET SESSION AUTHORIZATION tr_ann;
SELECT dealix.publish('ann''s own', t.pass()) \g /dev/null
RESET SESSION AUTHORIZATION;
REVOKE tr_ann FROM tr_bob;
SET SESSION AUTHORIZATION tr_bob;
SELECT throws_ok($$SELECT dealix.start('ann''s')$$, '42501', NULL, 'as long as it is one');
RESET SESSION AUTHORIZATION;
SET ROLE tr_team;
SELECT dealix.trust_author('tr_ann') \g /dev/null
RESET ROLE;
GRANT tr_team TO tr_bob;
SET SESSION AUTHORIZATION tr_bob;
SELECT lives_ok($$SELECT dealix.start('ann''s')$$, 'whom a group trusts its members trust');
RESET SESSION AUTHORIZATION;
REVOKE tr_team FROM tr_bob;
SELECT dealix.publish('boss''s', t.pass()) \g /dev/null
SET SESSION AUTHORIZATION tr_bob;
SELECT lives_ok($$SELECT dealix.start('boss''s')$$, 'superusers could act as anybody anyway');

-- A step does not trust for its owner.
CREATE TEMP TABLE r AS SELECT t.begin('{"QueryLanguage": "SQL", "StartAt": "S", "States": {"S": {"Type": "Pass", "Output": "{% dealix.trust_author(''tr_eve'') %}", "End": true}}}') AS run;
SELECT t.pump() \g /dev/null
SELECT matches(t.cause(run), 'called from a step', 'a step does not trust for its owner') FROM r;
DROP TABLE r;

-- ---------- children ----------

SET SESSION AUTHORIZATION tr_ann;
CREATE FUNCTION pg_temp.parent(child text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT replace('{"StartAt": "Only", "States": {"Only": {"Type": "Task", "Resource": "workflow:CHILD", "End": true,
		"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]}, "Caught": {"Type": "Pass", "End": true}}}', 'CHILD', child)::jsonb $$;
SELECT dealix.publish('parent', pg_temp.parent('child')) \g /dev/null
SELECT dealix.publish('itself', pg_temp.parent('itself')) \g /dev/null
CREATE TEMP TABLE r AS SELECT dealix.start('parent') AS run;
SELECT is(t.output(run) ->> 'Error', 'Workflow.DoesNotExist', 'a child that does not exist is an error that Catch takes') FROM (SELECT run, t.settle(run) FROM r) x;
DROP TABLE r;

SET SESSION AUTHORIZATION tr_eve;
SELECT is(dealix.publish('child', t.pass()), 1, 'somebody takes the name of a child that was to come');
SET SESSION AUTHORIZATION tr_ann;
CREATE TEMP TABLE r AS SELECT dealix.start('parent') AS run;
SELECT is(t.output(run) ->> 'Error', 'States.Permissions', 'and is not run') FROM (SELECT run, t.settle(run) FROM r) x;
SELECT matches(t.output(run) ->> 'Cause', 'did not exist when version 1 of "parent" was published, and now belongs to role "tr_eve"', 'because of this') FROM r;
DROP TABLE r;
-- Published now, it means eve's; but ann does not trust her.
SELECT is(dealix.publish('parent', pg_temp.parent('child')), 2, 'the same definition means something else now: a new version');
SELECT is(dealix.publish('parent', pg_temp.parent('child')), 2, 'and then no more');
CREATE TEMP TABLE r AS SELECT dealix.start('parent') AS run;
SELECT matches(t.output(run) ->> 'Cause', 'does not trust role "tr_eve"', 'each start of a child asks whom the owner trusts') FROM (SELECT run, t.settle(run) FROM r) x;
DROP TABLE r;
SELECT dealix.trust_author('tr_eve') \g /dev/null
CREATE TEMP TABLE r AS SELECT dealix.start('parent') AS run;
SELECT is(t.output(run), '1', 'trusted, it runs') FROM (SELECT run, t.settle(run) FROM r) x;
DROP TABLE r;
-- Later it is somebody else's, whom the owner trusts as well.
RESET SESSION AUTHORIZATION;
UPDATE dealix.workflow SET author = 'tr_bob' WHERE name = 'child';
SET SESSION AUTHORIZATION tr_ann;
SELECT dealix.trust_author('tr_bob') \g /dev/null
CREATE TEMP TABLE r AS SELECT dealix.start('parent') AS run;
SELECT matches(t.output(run) ->> 'Cause', 'belongs to role "tr_bob", and did to role "tr_eve" when version 2', 'a name that has changed hands') FROM (SELECT run, t.settle(run) FROM r) x;
DROP TABLE r;
SELECT dealix.distrust_author('tr_bob'), dealix.distrust_author('tr_eve') \g /dev/null

-- A compensation by a workflow that is not to be trusted: an incident that says so.
SELECT dealix.publish('undoing', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "a"}, "Compensate": {"Resource": "workflow:child"}, "Next": "F"}, "F": {"Type": "Fail", "Error": "Oops"}}}') \g /dev/null
CREATE TEMP TABLE r AS SELECT dealix.start('undoing') AS run;
SELECT is(t.settle(run), 'INCIDENT', 'a compensation that may not be run stops the run') FROM r;
SELECT is((SELECT error FROM dealix.incident_details JOIN r ON run = run_id), 'States.Permissions', 'by its name');
DROP TABLE r;

-- A run that goes on as another.
SELECT dealix.publish('again', '{"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 0, "Next": "C"}], "Default": "D"},
	"C": {"Type": "Task", "Resource": "workflow:continue_as_new", "Parameters": {"n": 0}, "End": true}, "D": {"Type": "Succeed"}}}') \g /dev/null
SET SESSION AUTHORIZATION tr_bob;
SELECT dealix.trust_author('tr_ann') \g /dev/null
CREATE TEMP TABLE r AS SELECT dealix.start('again', '{"n": 1}') AS run;
SELECT dealix.distrust_author('tr_ann') \g /dev/null
SELECT is(t.settle(run), 'FAILED', 'a run that would go on as another, under an author that is not trusted any more') FROM r;
SELECT is(t.error(run), 'States.Permissions', 'has a named error') FROM r;
DROP TABLE r;

-- ---------- functions ----------

RESET SESSION AUTHORIZATION;
CREATE SCHEMA f;
GRANT ALL ON SCHEMA f TO tr_ann, tr_bob, tr_eve;
SET SESSION AUTHORIZATION tr_ann;
CREATE FUNCTION f.pay(j jsonb) RETURNS text LANGUAGE sql AS $$ SELECT 'ann: all' $$;
CREATE FUNCTION f.bill(amount int, currency text DEFAULT 'EUR') RETURNS text LANGUAGE sql AS $$ SELECT 'ann: ' || amount || currency $$;
CREATE FUNCTION f.gone(amount int) RETURNS text LANGUAGE sql AS $$ SELECT 'ann' $$;
CREATE FUNCTION f.raw(amount int) RETURNS text LANGUAGE sql AS $$ SELECT 'ann: raw' $$;
CREATE FUNCTION f.call(name text, input jsonb DEFAULT '{"amount": 1}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	run uuid := dealix.start(name, input);
BEGIN
	PERFORM t.settle(run);
	RETURN coalesce(t.output(run) #>> '{}', t.error(run));
END $$;
SELECT dealix.publish(n, t.task('sql:f.' || n, '{"Parameters": {"amount.$": "$.amount"}}')) FROM unnest('{pay,bill,gone}'::text[]) n \g /dev/null
SELECT dealix.publish('raw', t.task('sql:f.raw')) \g /dev/null
SELECT is(f.call('pay'), 'ann: all', 'a function of one jsonb');
SELECT is(f.call('bill'), 'ann: 1EUR', 'one with a default');
SELECT is(f.call('raw'), 'ann: raw', 'one whose members are not known at publish');

SET SESSION AUTHORIZATION tr_eve;
CREATE FUNCTION f.pay(amount int) RETURNS text LANGUAGE sql AS $$ SELECT 'eve' $$;
CREATE FUNCTION f.bill(amount int) RETURNS text LANGUAGE sql AS $$ SELECT 'eve' $$;
CREATE FUNCTION f.raw(amount numeric) RETURNS text LANGUAGE sql AS $$ SELECT 'eve' $$;
CREATE FUNCTION f.raw(j jsonb) RETURNS text LANGUAGE sql AS $$ SELECT 'eve' $$;
SET SESSION AUTHORIZATION tr_ann;
SELECT is(f.call('pay'), 'ann: all', 'an overload that fits better does not take the call over');
SELECT is(f.call('bill'), 'ann: 1EUR', 'nor does one that needs no default');
SELECT is(f.call('raw'), 'ann: raw', 'nor one that fits as well');
SELECT is(dealix.publish('pay', t.task('sql:f.pay', '{"Parameters": {"amount.$": "$.amount"}}')), 2, 'the same definition means something else now: a new version');
SELECT is(f.call('pay'), 'eve', 'whoever publishes it means what there is');

CREATE OR REPLACE FUNCTION f.bill(amount int, currency text DEFAULT 'EUR') RETURNS text LANGUAGE sql AS $$ SELECT 'ann: new' $$;
SELECT is(f.call('bill'), 'ann: new', 'its owner replaces a function at any time');
DROP FUNCTION f.gone(int);
CREATE FUNCTION f.gone(amount bigint) RETURNS text LANGUAGE sql AS $$ SELECT 'ann' $$;
SELECT is(f.call('gone'), 'SQL.undefined_function', 'a function that is gone is a named error');
SELECT matches(t.cause(run_id), 'meant f.gone\(integer\), which does not exist any more', 'that says which') FROM dealix.run_details WHERE workflow = 'gone';
SET SESSION AUTHORIZATION tr_eve;
CREATE FUNCTION f.gone(amount int) RETURNS text LANGUAGE sql AS $$ SELECT 'eve' $$;
SET SESSION AUTHORIZATION tr_ann;
SELECT is(f.call('gone'), 'SQL.insufficient_privilege', 'somebody else''s in its place is not called');
SELECT dealix.trust_author('tr_eve') \g /dev/null
SELECT is(f.call('gone'), 'eve', 'unless the owner of the run trusts him');
SELECT dealix.distrust_author('tr_eve') \g /dev/null
RESET SESSION AUTHORIZATION;
ALTER FUNCTION f.bill(int, text) OWNER TO tr_bob;
SET SESSION AUTHORIZATION tr_ann;
SELECT is(f.call('bill'), 'SQL.insufficient_privilege', 'nor is one that was given to somebody else');
RESET SESSION AUTHORIZATION;
ALTER FUNCTION f.bill(int, text) OWNER TO tr_ann;
SET SESSION AUTHORIZATION tr_ann;
SELECT is(f.call('bill'), 'ann: new', 'given back, it is');
RESET SESSION AUTHORIZATION;

-- ---------- roles in tables ----------

SELECT is_empty($$SELECT attrelid::regclass, attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
	WHERE c.relnamespace = 'dealix'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND a.atttypid IN ('regrole'::regtype, 'regrole[]'::regtype, 'oid'::regtype, 'oid[]'::regtype)
		AND NOT EXISTS (SELECT FROM pg_extension e, unnest(e.extconfig, e.extcondition) AS x(relation, condition)
			WHERE e.extname = 'dealix_exec' AND x.relation = c.oid AND a.attname = 'owner' AND x.condition = 'WHERE owner OPERATOR(pg_catalog.=) 0')$$,
	'a column that names a role is of a type that a restore does not fail on, and that no number gets into, or is not in a dump');
SELECT is('tr_ann'::dealix.role::oid, 'tr_ann'::regrole::oid, 'dealix.role: a name is a role');
SELECT is('no such role'::dealix.role::text, 'no such role'::dealix.role::text::dealix.role::text, 'a name that no role has is nobody, and stays it');
SELECT cmp_ok('no such role'::dealix.role::oid::bigint, '<', 16384::bigint, 'below all numbers that roles get');
SELECT is(x::dealix.role::text, x, x || ' as it stands there') FROM unnest('{pg_none,pg_dropped_12345}'::text[]) x;
SELECT isnt('pg_dropped_' || 'tr_ann'::regrole::oid, 'tr_ann', 'the number') UNION ALL
SELECT isnt(('pg_dropped_' || 'tr_ann'::regrole::oid)::dealix.role::oid, 'tr_ann'::regrole::oid, 'of a role is not taken for that role');
CREATE ROLE "Odd ""role" LOGIN;
SELECT is('"Odd ""role"'::dealix.role::text, '"Odd ""role"', 'an odd name');
SELECT cmp_ok(('tr_ann'::regrole::oid::text)::dealix.role::oid::bigint, '<', 16384::bigint, 'a bare number is nobody');

SELECT * FROM finish();
ROLLBACK;
