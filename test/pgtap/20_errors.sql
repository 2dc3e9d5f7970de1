-- sql: steps that go wrong: the names of errors, and what a step may not do.
\ir setup.psql
SELECT no_plan();

CREATE TABLE t.uniq (k int PRIMARY KEY CHECK (k > 0));
CREATE FUNCTION t.put(k int) RETURNS void LANGUAGE sql AS 'INSERT INTO t.uniq VALUES (k)';
CREATE FUNCTION t.divide(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a / b';
CREATE FUNCTION t.complain() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no way' USING DETAIL = 'none', HINT = 'try'; END $$;
CREATE FUNCTION t.own_code() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = 'ZZ123'; END $$;
CREATE FUNCTION t.half_done() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM t.do('half');
	PERFORM dealix.raise('Half', 'after an effect');
END $$;

-- ---------- names ----------

SELECT is(t.call('sql:t.put', '{"k": 1}'), 'null', 'a step');
SELECT is(t.call('sql:t.put', '{"k": 1}'), 'FAILED SQL.unique_violation', 'the error is named for its SQLSTATE');
SELECT is(t.call('sql:t.put', '{"k": -1}'), 'FAILED SQL.check_violation', 'another');
SELECT is(t.call('sql:t.divide', '{"a": 1, "b": 0}'), 'FAILED SQL.division_by_zero', 'and another');
SELECT is(t.call('sql:t.complain'), 'FAILED SQL.raise_exception', 'RAISE EXCEPTION');
SELECT matches(t.call('sql:t.own_code'), '^FAILED SQL\..*', 'a SQLSTATE without a name has one all the same');
SELECT is(t.call('sql:t.fail', '{"error": "Shop.OutOfStock"}'), 'FAILED Shop.OutOfStock', 'dealix.raise gives the name');

CREATE TEMP TABLE r AS SELECT t.run(t.task('sql:t.fail'), '{"error": "Shop.OutOfStock", "cause": "none left"}') AS run;
SELECT is(t.cause(run), 'none left', 'and the cause') FROM r;
UPDATE r SET run = t.run(t.task('sql:t.fail'), '{"error": "X", "cause": null}');
SELECT is(t.error(run), 'X', 'a cause may be NULL') FROM r;
UPDATE r SET run = t.run(t.task('sql:t.complain'));
SELECT matches(t.cause(run), 'no way.*none.*try', 'message, detail and hint are the cause') FROM r;
SELECT throws_like('SELECT dealix.raise(NULL)', '%', 'dealix.raise wants a name');
SELECT throws_ok($$SELECT dealix.raise('A', 'b')$$, 'DX001', 'A', 'outside of a step it is an ordinary error');

-- ---------- what matches ----------

CREATE FUNCTION t.caught(error text, catcher text) RETURNS text LANGUAGE sql AS $$
	SELECT t.status(t.run(jsonb_build_object('StartAt', 'A', 'States', jsonb_build_object(
		'A', jsonb_build_object('Type', 'Task', 'Resource', 'sql:t.fail', 'Parameters', jsonb_build_object('error', error),
			'Catch', jsonb_build_array(jsonb_build_object('ErrorEquals', jsonb_build_array(catcher), 'Next', 'B')),
			'End', true),
		'B', '{"Type": "Succeed"}'::jsonb))))
$$;
SELECT is(t.caught('Mine', 'Mine'), 'SUCCEEDED', 'an error is caught by its name');
SELECT is(t.caught('Mine', 'Yours'), 'FAILED', 'and not by another');
SELECT is(t.caught('Mine', 'States.TaskFailed'), 'SUCCEEDED', 'States.TaskFailed catches what a step raises');
SELECT is(t.caught('Mine', 'States.ALL'), 'SUCCEEDED', 'States.ALL catches everything');
SELECT is(t.output(t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.divide", "Catch": [{"ErrorEquals": ["SQL.division_by_zero"], "ResultPath": "$.e", "Next": "B"}], "End": true},
	"B": {"Type": "Pass", "End": true}}}', '{"a": 1, "b": 0}')) #>> '{e,Error}', 'SQL.division_by_zero', 'a SQL error is caught by its name and handed on');

-- ---------- a step is all or nothing ----------

SELECT t.forget() \g /dev/null
SELECT is(t.status(t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "before"}, "Next": "B"},
	"B": {"Type": "Task", "Resource": "sql:t.half_done", "Catch": [{"ErrorEquals": ["Half"], "Next": "C"}], "End": true},
	"C": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "after"}, "End": true}}}')), 'SUCCEEDED', 'a step fails half-way');
SELECT is(t.effects(), 'before,after', 'and leaves nothing behind; the steps around it stay');

-- ---------- time ----------

CREATE FUNCTION t.sleep(seconds float8) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN PERFORM t.do('asleep'); PERFORM pg_sleep(seconds); RETURN 'slept'; END $$;
CREATE FUNCTION t.sleep_stubbornly(seconds float8) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		PERFORM pg_sleep(seconds);
	EXCEPTION WHEN query_canceled THEN
		NULL;
	END;
	RETURN 'ignored it';
END $$;

CREATE TEMP TABLE clock AS SELECT clock_timestamp() AS began;
SELECT is(t.call('sql:t.sleep', '{"seconds": 600}', '{"TimeoutSeconds": 1}'), 'FAILED States.Timeout', 'a step past its TimeoutSeconds');
SELECT cmp_ok(clock_timestamp() - began, '<', interval '500 s', 'is stopped') FROM clock;
SELECT is(t.effects(), 'before,after', 'and leaves nothing behind');
SELECT is(t.call('sql:t.sleep', '{"seconds": 0.1}', '{"TimeoutSeconds": 60}'), '"slept"', 'a step within its TimeoutSeconds');
SELECT is(t.call('sql:t.sleep_stubbornly', '{"seconds": 30}', '{"TimeoutSeconds": 1}'), 'FAILED States.Timeout', 'a step that swallows the cancel times out all the same');
SELECT is(t.call('sql:t.sleep', '{"seconds": 0.1}', '{"TimeoutSeconds": 60}'), '"slept"', 'and the next one is not hit by it');
SELECT lives_ok('SELECT pg_sleep(1.2)', 'nor is the session afterwards');

-- ---------- what a step may not do ----------

CREATE FUNCTION t.execute(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN current_user || '/' || session_user;
END $$;
CREATE PROCEDURE t.commits() LANGUAGE plpgsql AS 'BEGIN COMMIT; END';

SELECT is(t.call('sql:t.execute', '{"statement": "SELECT 1"}'), '"tap_app/tap_app"', 'a step runs as the owner');
SELECT is(t.call('sql:t.execute', jsonb_build_object('statement', s)), 'FAILED ' || error, s)
FROM (VALUES
	('COMMIT', 'SQL.feature_not_supported'),
	('CALL t.commits()', 'SQL.invalid_transaction_termination')) AS v (s, error);
SELECT matches(t.call('sql:t.execute', jsonb_build_object('statement', s)), '^FAILED SQL\.', s)
FROM (VALUES
	('ROLLBACK'), ('SAVEPOINT s'), ('PREPARE TRANSACTION ''x'''),
	('RESET ROLE'), ('SET ROLE postgres'), ('SET ROLE tap_app'), ('SET ROLE none'), ('SET LOCAL ROLE postgres'),
	('RESET SESSION AUTHORIZATION'), ('SET SESSION AUTHORIZATION DEFAULT'),
	('SET SESSION AUTHORIZATION postgres'), ('SET LOCAL SESSION AUTHORIZATION tap_other'),
	('SELECT set_config(''role'', ''postgres'', false)'),
	('SELECT set_config(''session_authorization'', ''postgres'', true)')) AS v (s);
SELECT is(current_user || '/' || session_user, 'tap_app/tap_app', 'the session is who it was');

-- ---------- what a step sets does not outlive it ----------

CREATE FUNCTION t.settings() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', current_setting('work_mem'), current_setting('search_path'),
		current_setting('statement_timeout'), nullif(current_setting('tap.mine', true), ''), current_setting('timezone'))
$$;
CREATE FUNCTION t.change_settings() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	SET work_mem = '123MB';
	SET search_path = pg_temp, t;
	SET statement_timeout = 12345;
	SET LOCAL timezone = 'Asia/Kathmandu';
	PERFORM set_config('tap.mine', 'set', false);
	RETURN t.settings();
END $$;
CREATE FUNCTION t.change_and_fail() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM t.change_settings();
	PERFORM dealix.raise('Changed');
END $$;
CREATE TEMP TABLE before AS SELECT t.settings() AS settings;
CREATE TEMP TABLE after AS SELECT t.output(t.run('{"StartAt": "Before", "States": {
	"Before": {"Type": "Task", "Resource": "sql:t.settings", "ResultPath": "$.before", "Next": "Change"},
	"Change": {"Type": "Task", "Resource": "sql:t.change_settings", "ResultPath": "$.within", "Next": "Fail"},
	"Fail": {"Type": "Task", "Resource": "sql:t.change_and_fail", "Catch": [{"ErrorEquals": ["Changed"], "ResultPath": "$.error", "Next": "After"}], "Next": "After"},
	"After": {"Type": "Task", "Resource": "sql:t.settings", "ResultPath": "$.after", "End": true}}}')) AS output;
SELECT matches(output ->> 'within', '^123MB pg_temp, t 12345ms set Asia/Kathmandu$', 'settings hold within the step') FROM after;
SELECT is(output ->> 'after', output ->> 'before', 'and not in the next one') FROM after;
SELECT is(rtrim(t.settings()), rtrim(settings), 'nor in the session') FROM before;

-- ---------- deferred constraints belong to the step ----------

CREATE TABLE t.parent (id int PRIMARY KEY);
CREATE TABLE t.child (parent int REFERENCES t.parent DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION t.orphan() RETURNS void LANGUAGE sql AS 'INSERT INTO t.child VALUES (1)';
CREATE FUNCTION t.late_parent() RETURNS void LANGUAGE sql AS 'INSERT INTO t.child VALUES (2); INSERT INTO t.parent VALUES (2)';

CREATE FUNCTION t.note_deferred() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM t.do('deferred trigger as ' || current_user); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER noted AFTER INSERT ON t.parent DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION t.note_deferred();

SELECT t.forget() \g /dev/null
SELECT is(t.call('sql:t.orphan'), 'FAILED SQL.foreign_key_violation', 'a deferred constraint fails the step that broke it');
SELECT is(t.call('sql:t.late_parent'), 'null', 'it is checked at the end of the step');
SELECT is(t.effects(), 'deferred trigger as tap_app', 'a deferred trigger runs as the owner');
SELECT is(t.status(t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.orphan", "Catch": [{"ErrorEquals": ["SQL.foreign_key_violation"], "Next": "B"}], "End": true},
	"B": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "went on"}, "End": true}}}')), 'SUCCEEDED', 'and can be caught');
SELECT is((SELECT count(*)::int FROM t.child), 1, 'the orphan is gone');

SELECT * FROM finish();
ROLLBACK;
