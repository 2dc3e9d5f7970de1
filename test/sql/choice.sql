-- Choice: every operator, And, Or, Not, and where a Choice goes.

SET client_encoding = 'UTF8';
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on

-- Does the rule match?
CREATE FUNCTION pg_temp.rule(rule jsonb, input jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	machine jsonb := jsonb_build_object('StartAt', 'S', 'States', jsonb_build_object(
		'S', jsonb_build_object('Type', 'Choice', 'Choices', jsonb_build_array(rule || '{"Next": "T"}'), 'Default', 'F'),
		'T', '{"Type": "Succeed"}'::jsonb, 'F', '{"Type": "Succeed"}'::jsonb));
	problem text := (SELECT string_agg(concat_ws(' ', v.pointer, v.code, v.message), '; ') FROM dealix.validate(machine) v);
	result jsonb;
BEGIN
	IF problem IS NOT NULL THEN
		RETURN problem;
	END IF;
	result := dealix.test_state(machine, 'S', input, NULL, '{"Execution": {"Name": "x"}}', '{"v": {"n": 1}}');
	RETURN coalesce(CASE result->>'next' WHEN 'T' THEN 'yes' WHEN 'F' THEN 'no' END,
		concat_ws(': ', result->>'error', result->>'cause'));
END $$;

-- An operator on many values: those that match.
CREATE FUNCTION pg_temp.matches(operator text, operand jsonb, "values" jsonb) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(v::text, ' ') FILTER (WHERE pg_temp.rule(jsonb_build_object('Variable', '$', operator, operand), v) = 'yes')
	  FROM jsonb_array_elements("values") v
$$;

-- ---------- Comparisons: a value of another type never matches ----------

SELECT o, pg_temp.matches(o, '"b"', '["a", "b", "c", "", "B", "ba", 1, true, null, [], {}, ["b"]]') FROM unnest(ARRAY[
	'StringEquals', 'StringLessThan', 'StringGreaterThan', 'StringLessThanEquals', 'StringGreaterThanEquals']) o;
SELECT o, pg_temp.matches(o, '2', '[1, 2, 2.0, 2e0, 2.5, -3, 1e20, "2", true, null, [2], {}]') FROM unnest(ARRAY[
	'NumericEquals', 'NumericLessThan', 'NumericGreaterThan', 'NumericLessThanEquals', 'NumericGreaterThanEquals']) o;
SELECT o, pg_temp.matches('BooleanEquals', o, '[true, false, "true", 1, null]') FROM unnest('{true, false}'::jsonb[]) o;
SELECT o, pg_temp.matches(o, '"2016-03-14T01:59:00Z"', '["2016-03-14T01:59:00Z", "2016-03-14T02:59:00+01:00",
	"2016-03-14T01:59:00.000Z", "2016-03-14T01:58:59.999Z", "2016-03-14T01:59:01Z", "2016-03-14", "x", 1, null]') FROM unnest(ARRAY[
	'TimestampEquals', 'TimestampLessThan', 'TimestampGreaterThan', 'TimestampLessThanEquals', 'TimestampGreaterThanEquals']) o;

-- Text is compared by its UTF-16 units, numbers by value
SELECT pg_temp.matches('StringLessThan', '"z"', '["ü", "Z", "a", "z", "zz"]'),
	pg_temp.matches('StringGreaterThan', to_jsonb(U&'\FF21'::text), jsonb_build_array('z', U&'\+01F600', U&'\FF22')),
	pg_temp.matches('NumericEquals', '0.1', '[0.1, 0.10, 1e-1, 0.11]'), pg_temp.matches('StringEquals', '""', '["", " "]');

-- ---------- Against another path ----------

SELECT o, i, pg_temp.rule(jsonb_build_object('Variable', '$.a', o, '$.b'), i) FROM (VALUES
	('StringEqualsPath', '{"a": "x", "b": "x"}'::jsonb), ('StringEqualsPath', '{"a": "x", "b": "y"}'),
	('StringEqualsPath', '{"a": "1", "b": 1}'), ('StringEqualsPath', '{"a": 1, "b": 1}'),
	('StringLessThanPath', '{"a": "a", "b": "b"}'), ('StringGreaterThanPath', '{"a": "a", "b": "b"}'),
	('StringLessThanEqualsPath', '{"a": "b", "b": "b"}'), ('StringGreaterThanEqualsPath', '{"a": "b", "b": "b"}'),
	('NumericEqualsPath', '{"a": 1, "b": 1.0}'), ('NumericEqualsPath', '{"a": 1, "b": "1"}'),
	('NumericLessThanPath', '{"a": 1, "b": 2}'), ('NumericGreaterThanPath', '{"a": 1, "b": 2}'),
	('NumericLessThanEqualsPath', '{"a": 2, "b": 2}'), ('NumericGreaterThanEqualsPath', '{"a": 2, "b": 2}'),
	('BooleanEqualsPath', '{"a": true, "b": true}'), ('BooleanEqualsPath', '{"a": true, "b": false}'),
	('TimestampEqualsPath', '{"a": "2016-03-14T01:59:00Z", "b": "2016-03-14T01:59:00.0Z"}'),
	('TimestampEqualsPath', '{"a": "x", "b": "x"}'),
	('TimestampLessThanPath', '{"a": "2016-03-14T01:59:00Z", "b": "2016-03-14T01:59:00.1Z"}'),
	('TimestampGreaterThanPath', '{"a": "2016-03-14T01:59:00Z", "b": "2016-03-14T01:59:00.1Z"}'),
	('TimestampLessThanEqualsPath', '{"a": "2016-03-14T01:59:00Z", "b": "2016-03-14T01:59:00Z"}'),
	('TimestampGreaterThanEqualsPath', '{"a": "2016-03-14T01:59:00Z", "b": "2016-03-14T01:59:00Z"}'),
	('StringEqualsPath', '{"a": "x"}'), ('StringEqualsPath', '{"b": "x"}')) c(o, i);
SELECT pg_temp.rule('{"Variable": "$v.n", "NumericEqualsPath": "$.a"}', '{"a": 1}'),
	pg_temp.rule('{"Variable": "$$.Execution.Name", "StringEquals": "x"}', '{}'),
	pg_temp.rule('{"Variable": "$.a[0].b", "NumericEquals": 1}', '{"a": [{"b": 1}]}');

-- ---------- StringMatches ----------

SELECT p, pg_temp.matches('StringMatches', to_jsonb(p), '["", "a", "ab", "a*b", "a\\b", "axxb", "ab.log", "log", "a?b", "abab", 1, null]')
  FROM unnest(ARRAY['', '*', 'a', 'a*', '*b', 'a*b', 'a\*b', 'a\\b', '*.log', '*log*', 'a?b', '**', '*a*b*', '\a', 'a\\*', 'ab*ab', '[ab]']) p;
SELECT p, pg_temp.rule(jsonb_build_object('Variable', '$', 'StringMatches', p), '"a"') FROM unnest(ARRAY['\a', 'a\']) p;
SELECT pg_temp.matches('StringMatches', to_jsonb(repeat('*a', 30) || 'b'), jsonb_build_array(repeat('a', 10000), repeat('a', 30) || 'b')) IS NOT NULL;

-- ---------- Tests of type ----------

SELECT o, pg_temp.matches(o, 'true', v), pg_temp.matches(o, 'false', v)
  FROM unnest(ARRAY['IsNull', 'IsPresent', 'IsNumeric', 'IsString', 'IsBoolean', 'IsTimestamp']) o,
	(VALUES ('[null, 0, 1.5, "", "x", true, false, [], {}, "2016-03-14T01:59:00Z"]'::jsonb)) c(v);
SELECT o, x, pg_temp.rule(jsonb_build_object('Variable', '$.missing', o, x), '{"a": 1}')
  FROM unnest(ARRAY['IsPresent', 'IsNull', 'IsString', 'IsTimestamp']) o, unnest('{true, false}'::jsonb[]) x;
SELECT pg_temp.rule('{"Variable": "$.a.b.c", "IsPresent": true}', '{"a": null}'),
	pg_temp.rule('{"Variable": "$.a[3]", "IsPresent": true}', '{"a": [1]}'),
	pg_temp.rule('{"Variable": "$.a", "IsPresent": true}', '{"a": null}'),
	pg_temp.rule('{"Variable": "$nope", "IsPresent": false}', '{}');

-- Which texts are timestamps
SELECT t, pg_temp.rule('{"Variable": "$", "IsTimestamp": true}', to_jsonb(t)) FROM unnest(ARRAY[
	'2016-03-14T01:59:00Z', '2016-03-14T01:59:00.5Z', '2016-03-14T01:59:00.123456789Z', '2016-03-14T01:59:00+01:00',
	'2016-03-14T01:59:00-23:59', '2016-02-29T00:00:00Z', '2016-03-14T23:59:59Z', '2016-03-14T01:59:00+18:00',
	'2016-03-14t01:59:00z', '2016-03-14 01:59:00Z', '2016-03-14T01:59:00', '2016-03-14T01:59Z', '2016-03-14', '01:59:00Z', '',
	'2016-03-14T01:59:00z', '2015-02-29T00:00:00Z', '2016-13-01T00:00:00Z', '2016-00-01T00:00:00Z', '2016-01-32T00:00:00Z',
	'2016-01-01T25:00:00Z', '2016-01-01T00:60:00Z', '2016-01-01T00:00:61Z', '2016-03-14T01:59:00.Z', '2016-03-14T01:59:00+1:00',
	'2016-03-14T01:59:00+0100', '2016-03-14T01:59:00Zx', ' 2016-03-14T01:59:00Z', '16-03-14T01:59:00Z', 'now', 'infinity']) t;

-- ---------- And, Or, Not ----------

SELECT r, pg_temp.rule(r, '{"a": 1, "s": "x"}') FROM unnest(ARRAY[
	'{"And": [{"Variable": "$.a", "NumericEquals": 1}, {"Variable": "$.s", "StringEquals": "x"}]}',
	'{"And": [{"Variable": "$.a", "NumericEquals": 1}, {"Variable": "$.s", "StringEquals": "y"}]}',
	'{"Or": [{"Variable": "$.a", "NumericEquals": 2}, {"Variable": "$.s", "StringEquals": "x"}]}',
	'{"Or": [{"Variable": "$.a", "NumericEquals": 2}, {"Variable": "$.s", "StringEquals": "y"}]}',
	'{"Not": {"Variable": "$.a", "NumericEquals": 2}}', '{"Not": {"Variable": "$.a", "NumericEquals": 1}}',
	'{"Not": {"And": [{"Variable": "$.a", "IsNumeric": true}, {"Or": [{"Variable": "$.s", "IsNull": true}, {"Not": {"Variable": "$.s", "IsString": true}}]}]}}',
	'{"And": [{"Variable": "$.a", "NumericEquals": 2}, {"Variable": "$.missing", "IsString": true}]}',
	'{"Or": [{"Variable": "$.a", "NumericEquals": 1}, {"Variable": "$.missing", "IsString": true}]}',
	'{"And": [{"Variable": "$.missing", "IsPresent": true}, {"Variable": "$.missing", "StringEquals": "x"}]}',
	'{"And": [{"Variable": "$.a", "NumericEquals": 1}, {"Variable": "$.missing", "IsString": true}]}']::jsonb[]) r;

-- ---------- Rules that are refused ----------

SELECT r, pg_temp.rule(r, '{}') FROM unnest(ARRAY[
	'{}', '{"Variable": "$.a"}', '{"NumericEquals": 1}', '{"Variable": "$.a", "NumericEquals": "1"}', '{"Variable": "$.a", "StringEquals": 1}',
	'{"Variable": "$.a", "BooleanEquals": "true"}', '{"Variable": "$.a", "IsNull": "x"}', '{"Variable": "$.a", "TimestampEquals": "today"}',
	'{"Variable": "$.a", "StringEqualsPath": "b"}', '{"Variable": "$.a[*]", "IsNull": true}', '{"Variable": "a", "IsNull": true}',
	'{"Variable": 1, "IsNull": true}', '{"Variable": "$.a", "NumericEquals": 1, "NumericLessThan": 2}', '{"Variable": "$.a", "Equals": 1}',
	'{"And": []}', '{"And": {}}', '{"Not": []}', '{"And": [{"Variable": "$.a", "IsNull": true, "Next": "T"}]}',
	'{"And": [{"Variable": "$.a", "IsNull": true}, {"Variable": "$.b", "IsNul": true}, 5]}',
	'{"Variable": "$.a", "IsNull": true, "And": [{"Variable": "$.a", "IsNull": true}]}']::jsonb[]) r;

-- ---------- The state ----------

CREATE FUNCTION pg_temp.choose(state jsonb, input jsonb, variables jsonb DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
	SELECT concat_ws(' ', r->>'next', r->>'output', r->>'variables', r->>'error', r->>'cause')
	  FROM dealix.test_state(jsonb_build_object('StartAt', 'S', 'States', jsonb_build_object(
		'S', '{"Type": "Choice"}' || state, 'A', '{"Type": "Succeed"}'::jsonb, 'B', '{"Type": "Succeed"}'::jsonb,
		'C', '{"Type": "Succeed"}'::jsonb)), 'S', input, NULL, NULL, variables) r
$$;

-- The first rule that matches; its Assign and no other
SELECT i, pg_temp.choose('{
	"InputPath": "$.x", "OutputPath": "$.o", "Assign": {"by": "Default"},
	"Choices": [
		{"Variable": "$.n", "NumericGreaterThan": 5, "Next": "A", "Assign": {"by": "first", "n.$": "$.n", "old.$": "$by"}},
		{"Variable": "$.n", "NumericGreaterThan": 0, "Next": "B"}],
	"Default": "C"}', jsonb_build_object('x', i), '{"by": "nobody", "other": 1}')
  FROM unnest('{"{\"n\": 9, \"o\": 1}", "{\"n\": 2, \"o\": 2}", "{\"n\": 0, \"o\": 3}", "{\"o\": 4}", "{\"n\": 0}"}'::jsonb[]) i;
SELECT pg_temp.choose('{"Choices": [
	{"Variable": "$.n", "NumericEquals": 1, "Next": "A"}, {"Variable": "$.n", "NumericEquals": 3, "Next": "B"},
	{"Variable": "$.n", "NumericEquals": 4, "Next": "C"}]}', '{"n": 2}');

-- Expression mode
SELECT i, pg_temp.choose('{
	"QueryLanguage": "SQL",
	"Choices": [
		{"Condition": "{% (input ->> ''n'')::int > 5 %}", "Next": "A", "Output": {"big": "{% input -> ''n'' %}"}, "Assign": {"seen": "{% old %}"}},
		{"Condition": "{% input -> ''n'' %}", "Next": "B"}],
	"Default": "C", "Output": "default"}', i, '{"old": 1}')
  FROM unnest('{"{\"n\": 9}", "{\"n\": 2}", "{}"}'::jsonb[]) i;
