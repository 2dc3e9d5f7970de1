-- sql: steps: how the input reaches a function and its result comes back.
\ir setup.psql
SELECT no_plan();

-- ---------- the input ----------

CREATE FUNCTION t.whole(input jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT jsonb_build_object(''got'', input)';
CREATE FUNCTION t.whole_unnamed(jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION t.two(a int, b text) RETURNS text LANGUAGE sql AS 'SELECT a || ''/'' || coalesce(b, ''nothing'')';
CREATE FUNCTION t.defaults(a int, b int DEFAULT 10, c int DEFAULT 100) RETURNS int LANGUAGE sql AS 'SELECT a + b + c';
CREATE FUNCTION t.nothing() RETURNS int LANGUAGE sql AS 'SELECT 42';
CREATE FUNCTION t.overloaded(a int) RETURNS text LANGUAGE sql AS 'SELECT ''a''::text';
CREATE FUNCTION t.overloaded(a int, b int) RETURNS text LANGUAGE sql AS 'SELECT ''ab''::text';
CREATE FUNCTION t.overloaded(c text) RETURNS text LANGUAGE sql AS 'SELECT ''c''::text';
CREATE FUNCTION t.all_types(i int, big bigint, n numeric, f double precision, t text, b boolean,
	d date, ts timestamptz, iv interval, u uuid, ia int[], ta text[], j jsonb, js json) RETURNS jsonb
LANGUAGE sql SET timezone = 'UTC' AS $$
	SELECT jsonb_build_array(i, big, n, f, t, b, d, ts AT TIME ZONE 'UTC', iv, u, ia, ta, j, js)
$$;
CREATE TYPE t.color AS ENUM ('red', 'green');
CREATE DOMAIN t.percent AS int CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE t.point AS (x int, y int);
CREATE FUNCTION t.own_types(c t.color, p t.percent, pt t.point, pts t.point[]) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s %s %s', c, p, pt.x + pt.y, pts[2].y)
$$;
CREATE FUNCTION t.strict(a int) RETURNS text STRICT LANGUAGE sql AS 'SELECT ''called''::text';
CREATE FUNCTION t.sum_of(VARIADIC numbers int[]) RETURNS bigint LANGUAGE sql AS 'SELECT sum(n) FROM unnest(numbers) n';
CREATE FUNCTION t."Odd Name"("An Argument" int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1';
CREATE FUNCTION t.inout(INOUT a int, OUT b text) LANGUAGE sql AS 'SELECT a * 2, ''b''::text';

SELECT is(t.call('sql:t.whole', '{"a": 1, "b": [2]}'), '{"got": {"a": 1, "b": [2]}}', 'one jsonb argument takes the whole input');
SELECT is(t.call('sql:t.whole', '[1, 2]'), '{"got": [1, 2]}', 'the whole input may be an array');
SELECT is(t.call('sql:t.whole', 'null'), '{"got": null}', 'the whole input may be null');
SELECT is(t.call('sql:t.whole_unnamed', '"text"'), '"text"', 'an argument without a name takes the whole input');
SELECT is(t.call('sql:t.two', '{"a": 1, "b": "x"}'), '"1/x"', 'members are arguments by name');
SELECT is(t.call('sql:t.two', '{"b": "x", "a": 1}'), '"1/x"', 'their order does not matter');
SELECT is(t.call('sql:t.two', '{"a": "7", "b": 5}'), '"7/5"', 'values are cast to the declared types');
SELECT is(t.call('sql:t.two', '{"a": 1, "b": null}'), '"1/nothing"', 'null is NULL');
SELECT is(t.call('sql:t.defaults', '{"a": 1}'), '111', 'an argument with a default may be missing');
SELECT is(t.call('sql:t.defaults', '{"a": 1, "c": 5}'), '16', 'also in the middle');
SELECT is(t.call('sql:t.nothing', '{"a": 1}'), '42', 'a function without arguments ignores the input');
SELECT is(t.call('sql:t.overloaded', '{"a": 1}'), '"a"', 'overloads are told apart by names: a');
SELECT is(t.call('sql:t.overloaded', '{"a": 1, "b": 2}'), '"ab"', 'overloads are told apart by names: a, b');
SELECT is(t.call('sql:t.overloaded', '{"c": "1"}'), '"c"', 'overloads are told apart by names: c');
SELECT is(t.call('sql:t.all_types', '{"i": 1, "big": 9007199254740993, "n": 1.10, "f": 0.5, "t": "x", "b": true,
	"d": "2026-01-31", "ts": "2026-01-31T12:00:00+02:00", "iv": "1 day", "u": "00000000-0000-0000-0000-000000000001",
	"ia": [1, null, 3], "ta": ["a", "b"], "j": {"k": [1]}, "js": {"z": 1, "a": 2}}'),
	'[1, 9007199254740993, 1.10, 0.5, "x", true, "2026-01-31", "2026-01-31T10:00:00", "1 day", "00000000-0000-0000-0000-000000000001", [1, null, 3], ["a", "b"], {"k": [1]}, {"a": 2, "z": 1}]',
	'every usual type arrives as itself');
SELECT is(t.call('sql:t.all_types', '{"i": null, "big": null, "n": null, "f": null, "t": null, "b": null, "d": null, "ts": null,
	"iv": null, "u": null, "ia": null, "ta": null, "j": null, "js": null}'),
	'[null, null, null, null, null, null, null, null, null, null, null, null, null, null]', 'every type takes null');
SELECT is(t.call('sql:t.own_types', '{"c": "green", "p": 50, "pt": {"x": 1, "y": 2}, "pts": [{"x": 0, "y": 0}, {"x": 0, "y": 9}]}'),
	'"green 50 3 9"', 'enum, domain, composite and array of composite arrive');
SELECT is(t.call('sql:t.strict', '{"a": null}'), 'null', 'a strict function is not called with null');
SELECT is(t.call('sql:t.sum_of', '{"numbers": [1, 2, 3]}'), '6', 'a variadic argument takes an array');
SELECT is(t.call('sql:t."Odd Name"', '{"An Argument": 1}'), '2', 'names are identifiers, quoted or not');

-- ---------- an input that does not fit ----------

SELECT is(t.call('sql:t.two', '{"a": 1}'), 'FAILED SQL.undefined_function', 'a missing argument');
SELECT is(t.call('sql:t.two', '{"a": 1, "b": "x", "c": 2}'), 'FAILED SQL.undefined_function', 'a member that is no argument');
SELECT is(t.call('sql:t.two', '[1, "x"]'), 'FAILED SQL.invalid_parameter_value', 'an array has no names');
SELECT is(t.call('sql:t.two', '{"a": "seven", "b": "x"}'), 'FAILED SQL.invalid_text_representation', 'a value that is none of its type');
SELECT is(t.call('sql:t.two', '{"a": 3000000000, "b": "x"}'), 'FAILED SQL.numeric_value_out_of_range', 'a value out of range');
SELECT is(t.call('sql:t.own_types', '{"c": "blue", "p": 1, "pt": null, "pts": null}'), 'FAILED SQL.invalid_text_representation', 'a value that the enum does not have');
SELECT is(t.call('sql:t.own_types', '{"c": "red", "p": 101, "pt": null, "pts": null}'), 'FAILED SQL.check_violation', 'a value that the domain refuses');

-- ---------- the result ----------

CREATE TABLE t.item (id int, name text);
INSERT INTO t.item VALUES (1, 'one'), (2, NULL);

CREATE FUNCTION t.r_null() RETURNS int LANGUAGE sql AS 'SELECT NULL::int';
CREATE FUNCTION t.r_void() RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION t.r_json() RETURNS json LANGUAGE sql AS $$ SELECT '{"b": 1, "a": [true, null]}'::json $$;
CREATE FUNCTION t.r_json_null() RETURNS jsonb LANGUAGE sql AS $$ SELECT 'null'::jsonb $$;
CREATE FUNCTION t.r_numeric() RETURNS numeric LANGUAGE sql AS 'SELECT 12345678901234567890.5';
CREATE FUNCTION t.r_bool() RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE FUNCTION t.r_date() RETURNS date LANGUAGE sql AS $$ SELECT DATE '2026-02-03' $$;
CREATE FUNCTION t.r_row() RETURNS t.item LANGUAGE sql AS 'SELECT * FROM t.item WHERE id = 1';
CREATE FUNCTION t.r_no_row() RETURNS t.item LANGUAGE sql AS 'SELECT * FROM t.item WHERE id = 99';
CREATE FUNCTION t.r_set() RETURNS SETOF int LANGUAGE sql AS 'SELECT id FROM t.item ORDER BY id';
CREATE FUNCTION t.r_no_set() RETURNS SETOF int LANGUAGE sql AS 'SELECT id FROM t.item WHERE false';
CREATE FUNCTION t.r_null_set() RETURNS SETOF int LANGUAGE sql AS 'SELECT NULL::int';
CREATE FUNCTION t.r_rows() RETURNS SETOF t.item LANGUAGE sql AS 'SELECT * FROM t.item ORDER BY id';
CREATE FUNCTION t.r_table() RETURNS TABLE (a int, b text) LANGUAGE sql AS $$ VALUES (1, 'x'), (2, 'y') $$;
CREATE FUNCTION t.r_array() RETURNS text[] LANGUAGE sql AS $$ SELECT ARRAY['a', NULL, 'c'] $$;
CREATE FUNCTION t.r_enum() RETURNS t.color LANGUAGE sql AS $$ SELECT 'green'::t.color $$;
CREATE FUNCTION t.r_nan() RETURNS double precision LANGUAGE sql AS $$ SELECT 'NaN'::double precision $$;
CREATE PROCEDURE t.procedure() LANGUAGE sql AS '';

SELECT is(t.call('sql:t.r_null'), 'null', 'NULL is null');
SELECT is(t.call('sql:t.r_void'), 'null', 'void is null');
SELECT is(t.call('sql:t.r_json'), '{"a": [true, null], "b": 1}', 'json is itself');
SELECT is(t.call('sql:t.r_json_null'), 'null', 'the JSON null is null');
SELECT is(t.call('sql:t.r_numeric'), '12345678901234567890.5', 'a number keeps its digits');
SELECT is(t.call('sql:t.r_bool'), 'false', 'a boolean is a boolean');
SELECT is(t.call('sql:t.r_date'), '"2026-02-03"', 'a date is a string');
SELECT is(t.call('sql:t.r_row'), '{"id": 1, "name": "one"}', 'a row is an object');
SELECT is(t.call('sql:t.r_no_row'), 'null', 'no row is null');
SELECT is(t.call('sql:t.r_set'), '[1, 2]', 'a set is an array');
SELECT is(t.call('sql:t.r_no_set'), '[]', 'an empty set is an empty array');
SELECT is(t.call('sql:t.r_null_set'), '[null]', 'a set of NULL is an array of null');
SELECT is(t.call('sql:t.r_rows'), '[{"id": 1, "name": "one"}, {"id": 2, "name": null}]', 'a set of rows is an array of objects');
SELECT is(t.call('sql:t.r_table'), '[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]', 'so is a table');
SELECT is(t.call('sql:t.r_array'), '["a", null, "c"]', 'an array is an array');
SELECT is(t.call('sql:t.r_enum'), '"green"', 'an enum is a string');
SELECT is(t.call('sql:t.r_nan'), '"NaN"', 'what JSON has no number for is a string');
SELECT is(t.call('sql:t.inout', '{"a": 21}'), '{"a": 42, "b": "b"}', 'OUT arguments are an object');

-- ---------- the steps of a run see each other's work ----------

SELECT is(t.status(t.run($${"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "a"}, "ResultPath": "$.a", "Next": "B"},
	"B": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what.$": "$.a"}, "ResultPath": "$.b", "Next": "C"},
	"C": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "c", "detail.$": "$"}, "ResultPath": null, "End": true}}}$$)),
	'SUCCEEDED', 'a run of three steps succeeds');
SELECT is(t.effects(), 'a,did a,c', 'each step had its effect once, in order');
SELECT is((SELECT detail FROM t.effect WHERE what = 'c'), '{"a": "did a", "b": "did did a"}', 'results went where ResultPath says');

SELECT * FROM finish();
ROLLBACK;
