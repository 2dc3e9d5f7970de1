-- Payload templates and the intrinsic functions in them.

SET client_encoding = 'UTF8';
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on

CREATE FUNCTION pg_temp.template(template jsonb, input jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	machine jsonb := jsonb_build_object('StartAt', 'S', 'States', jsonb_build_object('S',
		jsonb_build_object('Type', 'Pass', 'End', true, 'Parameters', template)));
	problem text := (SELECT string_agg(concat_ws(' ', v.pointer, v.code, v.message), '; ') FROM dealix.validate(machine) v WHERE v.severity = 'error');
	result jsonb;
BEGIN
	IF problem IS NOT NULL THEN
		RETURN problem;
	END IF;
	result := dealix.test_state(machine, 'S', input, NULL, '{"Execution": {"Name": "x"}}', '{"v": [1, 2]}');
	RETURN coalesce((result->'output')::text, concat_ws(': ', result->>'error', result->>'cause'));
END $$;

CREATE TEMP TABLE doc AS SELECT '{
	"i": 7, "f": 2.5, "big": 12345678901, "s": "text", "t": true, "null": null, "list": [1, 2, 3, 4, 5], "none": [],
	"o": {"a": 1, "b": {"c": [true, null], "d": "x"}}, "json": "{\"k\": [1, 2.50, \"\\u00fc\"]}", "quote": "say \"hi\""}'::jsonb AS input;

-- What one expression yields; errors without what is the same in all of them.
CREATE FUNCTION pg_temp.call(expression text) RETURNS text
LANGUAGE sql AS $$
	SELECT regexp_replace(regexp_replace(
			pg_temp.template(jsonb_build_object('v.$', expression), d.input), '^{"v": (.*)}$', '\1'),
		'The function .* had the following error: |^.*INVALID_INTRINSIC.*intrinsic function: | could not be found in the input .*', '', 'g')
	  FROM pg_temp.doc d
$$;

-- ---------- Templates ----------

SELECT t, pg_temp.template(t, '{"a": 1, "b": {"c": [true, null]}}') FROM unnest(ARRAY[
	'{}', '[]', '{"x": 1, "y": [null, "$.a"]}', '{"x.$": "$.a"}', '{"x": {"y": [{"z.$": "$.b.c"}, 2]}}', '[{"x.$": "$.a"}, "$.a"]',
	'{"x.$": "$"}', '{"x.$": "$$.Execution.Name", "y.$": "$v[1]"}', '{"x.$": "States.Array($.a, ''$.a'')"}', '{".$": "$.a"}',
	'{"x": "{% 1 %}"}', '"x"', '5', '{"x.$": "$.b.c[*]"}', '{"bb.$": "$.a", "b": 0, "ccc": 1, "a.$": "$.a"}',
	-- wrong
	'{"x.$": 5}', '{"x.$": null}', '{"x.$": {}}', '{"x.$": "a"}', '{"x.$": "$.a", "x": 1}', '{"x": [{"y.$": "$["}], "z.$": "f()"}',
	'{"x": {"y.$": "$.missing"}}']::jsonb[]) t;

-- ---------- Texts ----------

SELECT c, pg_temp.call(c) FROM unnest(ARRAY[
	'States.Format(''Hello {}, {}'', $.s, 5)', 'States.Format(''{} {} {} {}'', $.i, $.f, $.t, $.null)',
	'States.Format(''{}'', $.o)', 'States.Format(''{}'', $.list)', 'States.Format(''none'')', 'States.Format($.s)',
	'States.Format(''it\''s \{\} \\ {}'', ''{}'')', 'States.Format(''größe {}'', ''ü'')', 'States.Format(''{}'', -1.50)',
	'States.Format(''{}'')', 'States.Format(''none'', 1)', 'States.Format(''{'')', 'States.Format(''}'')', 'States.Format(''{a}'', 1)',
	'States.Format($.i)', 'States.Format()']) c;
SELECT c, pg_temp.call(c) FROM unnest(ARRAY[
	'States.StringToJson($.json)', 'States.StringToJson(''[1, "a"]'')', 'States.StringToJson(''5'')', 'States.StringToJson('''')',
	'States.StringToJson(''{"a": 1, "a": 2}'')', 'States.StringToJson($.s)', 'States.StringToJson(''1 2'')', 'States.StringToJson($.i)',
	'States.StringToJson(''{"a": }'')', 'States.StringToJson(''[1,]'')', 'States.StringToJson(''01'')', 'States.StringToJson()',
	'States.JsonToString($.o)', 'States.JsonToString($.quote)', 'States.JsonToString($.list)', 'States.JsonToString($.null)',
	'States.JsonToString($.f)', 'States.JsonToString(''x'')', 'States.JsonToString()', 'States.JsonToString($.i, $.i)']) c;
SELECT c, pg_temp.call(c) FROM unnest(ARRAY[
	'States.StringSplit(''1,2,3'', '','')', 'States.StringSplit(''This.is+a,test=string'', ''.+,='')', 'States.StringSplit('',a,,b,'', '','')',
	'States.StringSplit(''abc'', '''')', 'States.StringSplit('''', '','')', 'States.StringSplit($.i, '','')', 'States.StringSplit($.s)',
	'States.Base64Encode(''Data to encode'')', 'States.Base64Encode('''')', 'States.Base64Encode(''ü'')', 'States.Base64Encode($.i)',
	'States.Base64Decode(''RGF0YSB0byBlbmNvZGU='')', 'States.Base64Decode(''w7w'')', 'States.Base64Decode(''AAAA'')',
	'States.Base64Decode($.o)']) c;
SELECT length(pg_temp.template('{"v.$": "States.Base64Encode($)"}', to_jsonb(repeat('x', 10000)))),
	pg_temp.template('{"v.$": "States.Base64Encode($)"}', to_jsonb(repeat('x', 10001)));
SELECT c, pg_temp.call(c) FROM unnest(ARRAY[
	'States.Hash(''input data'', ''MD5'')', 'States.Hash(''input data'', ''SHA-1'')', 'States.Hash(''input data'', ''SHA-256'')',
	'States.Hash(''input data'', ''SHA-384'')', 'States.Hash(''input data'', ''SHA-512'')', 'States.Hash('''', ''MD5'')',
	'States.Hash($.i, ''MD5'')', 'States.Hash(''7'', ''MD5'')', 'States.Hash(''input data'', ''sha-1'')', 'States.Hash(''x'', ''CRC'')',
	'States.Hash(''x'', $.i)', 'States.Hash(''x'')']) c;
SELECT pg_temp.call('States.UUID()') ~ '^"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"$',
	pg_temp.call('States.UUID()') <> pg_temp.call('States.UUID()'), pg_temp.call('States.UUID(1)');

-- ---------- Arrays ----------

SELECT c, pg_temp.call(c) FROM unnest(ARRAY[
	'States.Array()', 'States.Array(1, ''a'', true, false, null, -2.5, 1e3)', 'States.Array($.list, $.o.b)', 'States.Array($.list[*])',
	'States.ArrayPartition($.list, 2)', 'States.ArrayPartition($.list, 9)', 'States.ArrayPartition($.none, 1)', 'States.ArrayPartition($.list, 2.9)',
	'States.ArrayPartition($.list, 0)', 'States.ArrayPartition($.list, -1)', 'States.ArrayPartition($.s, 1)', 'States.ArrayPartition($.list, ''1'')',
	'States.ArrayContains($.list, 3)', 'States.ArrayContains($.list, 9)', 'States.ArrayContains($.list, 3.0)', 'States.ArrayContains($.o.b.c, null)',
	'States.ArrayContains(States.Array($.o), $.o)', 'States.ArrayContains($.s, ''t'')',
	'States.ArrayGetItem($.list, 0)', 'States.ArrayGetItem($.list, 4)', 'States.ArrayGetItem($.list, 5)', 'States.ArrayGetItem($.list, -1)',
	'States.ArrayGetItem($.o, 0)', 'States.ArrayLength($.list)', 'States.ArrayLength($.none)', 'States.ArrayLength($.s)', 'States.ArrayLength()',
	'States.ArrayUnique(States.Array(1, ''1'', 1, null, null, $.o, $.o, 1.0))', 'States.ArrayUnique($.none)', 'States.ArrayUnique($.s)']) c;
SELECT c, pg_temp.call(c) FROM unnest(ARRAY[
	'States.ArrayRange(1, 9, 2)', 'States.ArrayRange(9, 1, -3)', 'States.ArrayRange(1, 1, 1)', 'States.ArrayRange(-2, 2, 2)',
	'States.ArrayRange(2, 1, 1)', 'States.ArrayRange(1.9, 4.9, 1.9)', 'States.ArrayRange(1, 9, 0)', 'States.ArrayRange(1, 1001, 1)',
	'States.ArrayRange(1, 99999999999, 1)', 'States.ArrayRange(1, ''2'', 1)', 'States.ArrayRange(1, 2)',
	'States.ArrayLength(States.ArrayRange(1, 1000, 1))']) c;

-- ---------- Objects and numbers ----------

SELECT c, pg_temp.call(c) FROM unnest(ARRAY[
	'States.JsonMerge($.o, States.StringToJson(''{"b": {"e": 1}, "z": 2}''), false)',
	'States.JsonMerge($.o, States.StringToJson(''{"b": {"e": 1}, "z": 2}''), true)',
	'States.JsonMerge($.o, $.list, false)', 'States.JsonMerge($.s, $.o, false)', 'States.JsonMerge($.o, $.o)',
	'States.MathAdd(111, -1)', 'States.MathAdd(1.4, 1.5)', 'States.MathAdd($.i, $.i)', 'States.MathAdd(2147483647, 0)',
	'States.MathAdd(2147483647, 1)', 'States.MathAdd($.big, 1)', 'States.MathAdd(''1'', 1)', 'States.MathAdd(1)',
	'States.MathRandom(1, 1000, 5)', 'States.MathRandom(1, 1000, 5)', 'States.MathRandom(1, 2)', 'States.MathRandom(1, 1)', 'States.MathRandom(2, 1)',
	'States.MathRandom(''a'', 1)', 'States.MathRandom(1)']) c;
SELECT bool_and((r #>> '{}')::int BETWEEN -5 AND 4), count(DISTINCT r) > 1
  FROM (SELECT pg_temp.call('States.MathRandom(-5, 5)')::jsonb r FROM generate_series(1, 50)) x;

-- ---------- The form of a call ----------

SELECT c, pg_temp.call(c) FROM unnest(ARRAY[
	'States.Array( 1 , States.Array( $.i , ''a'' ) )', 'States.Array($.o[''a''], $.list[0], $$.Execution.Name, $v)',
	'States.Array($.list[?(@ > 3)], $.o.b[''c'',''d''])', 'States.Array($.list[(@.length-1)])', 'States.Array(''a, b)'', ''('')',
	'States.Array($.missing)', 'States.Array($.list[9])', 'States.Array($nope)', 'States.Array(States.ArrayGetItem($.list, 9))',
	-- not a call
	'States.Nothing()', 'States.array(1)', 'States.Array', 'States.Array(', 'States.Array(1', 'States.Array(1))', 'States.Array(1,)',
	'States.Array(,)', 'States.Array(1 2)', 'States.Array(01)', 'States.Array(.5)', 'States.Array(1.)', 'States.Array(abc)',
	'States.Array("a")', 'States.Array(''a)', 'States.Array(''\n'')', 'States.Array(''\"'')', 'States.Array(''\u0041'')', 'States.Array($.a[)',
	'States.Array (1)', ' States.Array(1)', 'States.Array(1) ', 'Array(1)', 'States.Array(nul)', 'States.Array({})']) c;
SELECT pg_temp.call(repeat('States.Array(', 10) || '1' || repeat(')', 10)),
	pg_temp.call(repeat('States.Array(', 5000) || '1' || repeat(')', 5000));

-- The whole text of an error
SELECT pg_temp.template('{"v.$": "States.Array(States.ArrayLength($.s), 1)"}', '{"s": "x"}');
SELECT pg_temp.template('{"v.$": "States.Array($.missing)"}', '{"s": "x"}');
