-- JSONPath as the Amazon States Language uses it: what a path selects, what
-- is missing, and what is refused.

SET client_encoding = 'UTF8';
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on

CREATE TEMP TABLE doc AS SELECT '{
	"book": [
		{"title": "Sayings", "author": "Nigel Rees", "price": 8.95, "tags": ["a"]},
		{"title": "Sword", "author": "Evelyn Waugh", "price": 12.99, "isbn": null},
		{"title": "Moby", "author": "Herman Melville", "price": 8.99, "isbn": "0-553"}],
	"limit": 10, "none": null, "empty": [], "nothing": {},
	"a b": 1, "x.y": 2, "it''s": 3, "größe": 4, "foo@bar": {"baz[[": {"?pretty": 5}},
	"n": [0, 1, 2, 3, 4, 5]}'::jsonb AS input;

-- The value of the path as a member of Parameters.
CREATE FUNCTION pg_temp.path(path text, input jsonb DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	machine jsonb := jsonb_build_object('StartAt', 'S', 'States', jsonb_build_object('S',
		jsonb_build_object('Type', 'Pass', 'End', true, 'Parameters', jsonb_build_object('v.$', path))));
	problem text := (SELECT message FROM dealix.validate(machine));
	result jsonb;
BEGIN
	IF problem IS NOT NULL THEN
		RETURN 'invalid: ' || substring(problem from 'intrinsic function: (.*)');
	END IF;
	result := dealix.test_state(machine, 'S', coalesce(input, (SELECT d.input FROM pg_temp.doc d)), NULL,
		'{"Execution": {"Name": "x"}, "State": {"RetryCount": 0}}', '{"v": {"w": [1, 2]}}');
	RETURN coalesce(result->'output'->>'v', CASE WHEN result->'output' ? 'v' THEN 'null' END,
		concat_ws(': ', result->>'error', regexp_replace(result->>'cause', '^(.*input ).*', '\1...')));
END $$;

-- One value
SELECT p, pg_temp.path(p) FROM unnest(ARRAY[
	'$.limit', '$[''limit'']', '$["limit"]', '$.none', '$.empty', '$.book[0].title', '$.book[-1].title',
	'$.book[(@.length-1)].title', '$[''book''][1][''author'']', '$.a b', '$[''a b'']', '$[''x.y'']',
	'$[''it\''s'']', '$.größe', '$.foo\@bar.baz\[\[.\?pretty', '$[''foo@bar''][''baz[[''][''?pretty'']',
	'$.book.length()', '$.n.max()', '$.n.sum()', '$.book[0][''price'',''title'']',
	'$$.Execution.Name', '$$', '$v', '$v.w[1]', '$v.w']) p;

-- The whole input, whatever it is
SELECT i, pg_temp.path('$', i) FROM unnest('{"1", "\"x\"", "[1]", "null", "{\"a\": 1}"}'::jsonb[]) i;

-- Many values: always an array
SELECT p, pg_temp.path(p) FROM unnest(ARRAY[
	'$.book[*].price', '$.book.*.price', '$..price', '$..book[1].title', '$.n[0,2]', '$.n[1:3]', '$.n[:2]', '$.n[4:]',
	'$.n[-2:]', '$.n[::2]', '$.n[1:99]', '$.n[3:1]', '$.empty[*]', '$.nothing.*', '$.book[*].tags[0]', '$.book[*].missing',
	'$.missing[*]', '$..missing', '$.book[*][''price'',''isbn'']']) p;

-- Filters
SELECT p, pg_temp.path(p) FROM unnest(ARRAY[
	'$.book[?(@.price < 10)].title', '$.book[?(@.price < $.limit)].title', '$.book[?(@.title == ''Moby'')].price',
	'$.book[?(@.title == "Moby")].price', '$.book[?(@.isbn)].title', '$.book[?(!@.isbn)].title',
	'$.book[?(@.isbn == null)].title', '$.book[?(@.price > 8.95 && @.price < 12.99)].title',
	'$.book[?(@.price > 12 || @.title == ''Sayings'')].title', '$.book[?(!(@.price > 9))].title',
	'$.book[?(@.tags[0] == ''a'')].title', '$.book[?(@[''title''] != ''Moby'')].title',
	'$.book[?(@.title in [''Moby'', ''Sword''])].title', '$.book[?(@.author =~ /.*rees/i)].title',
	'$.n[?(@ >= 4)]', '$..[?(@.price == 8.99)].title', '$.book[?(@.title > 5)].title',
	'$.limit[?(@.x)]', '$.book[?(@.price == 8.95 && @.author =~ /Nigel.*/)].title']) p;

-- Nothing there.  An index behind the end is null in a template, as on AWS.
SELECT p, pg_temp.path(p) FROM unnest(ARRAY[
	'$.missing', '$.missing.more', '$.none.more', '$.limit.more', '$.book.title', '$.n.x', '$.n[9]', '$.n[-9]',
	'$.limit[0]', '$$.Missing', '$unknown', '$v.x', '$.book[1].isbn.more']) p;

-- Not a path
SELECT p, pg_temp.path(p) FROM unnest(ARRAY[
	'', '$.', '$..', '$...a', '.a', '..a', 'a', '()', '@.a', '$.a[', '$.a[]', '$.a['']', '$.a[''x]', '$.a[1', '$.a[1,]',
	'$.a[1:2:0]', '$.a[1.5]', '$.a[99999999999]', '$.a b c', '$a b', '$[?(@.a ==)]', '$[?(@.a', '$[?()]', '$[?(@.a = 1)]',
	'$[?(@.a == ''x)]', '$[?(@.a == x''y)]', '$[?(@.a =~ /(/)]', '$.a.nope()', '$1', '$.a]', '$[''a'' ''b'']', '$.a\']) p;
SELECT left(pg_temp.path('$[?' || repeat('(', 10000)), 60), left(pg_temp.path('$' || repeat('.a', 10000)), 60);

-- ---------- Reference paths ----------

CREATE FUNCTION pg_temp.reference(path text) RETURNS text
LANGUAGE sql AS $$
	SELECT coalesce(string_agg(v.message, '; '), 'valid')
	  FROM dealix.validate(jsonb_build_object('StartAt', 'S', 'States', jsonb_build_object(
		'S', jsonb_build_object('Type', 'Wait', 'SecondsPath', path, 'End', true)))) v
$$;

SELECT p, pg_temp.reference(p) FROM unnest(ARRAY[
	'$', '$.a', '$.a.b', '$.a[0]', '$.a[-1].b', '$[''a''][''b*c'']', '$.a\?b', '$$.Execution.Input.x', '$v', '$v.w[0]',
	'$.a[*]', '$.*', '$..a', '$.a[0,1]', '$.a[0:1]', '$[''a'',''b'']', '$.a[?(@.b)]', '$.a.length()', '$.a[(@.length-1)]',
	'$.a@b', '$.a:b', '$.a,b', '$.a?b']) p;

-- ---------- InputPath, OutputPath ----------

CREATE FUNCTION pg_temp.pass(state jsonb, input jsonb) RETURNS text
LANGUAGE sql AS $$
	SELECT coalesce((r->'output')::text, concat_ws(': ', r->>'error', r->>'cause'))
	  FROM dealix.test_state(jsonb_build_object('StartAt', 'S', 'States', jsonb_build_object(
		'S', '{"Type": "Pass", "End": true}' || state)), 'S', input, NULL,
		'{"Execution": {"Name": "x"}}', '{"v": {"w": [1, 2]}}') r
$$;

SELECT s, pg_temp.pass(s, '{"a": {"b": [1, {"c": 2}]}, "d": 3}') FROM unnest(ARRAY[
	'{"InputPath": "$.a.b"}', '{"InputPath": "$.a.b[*].c"}', '{"InputPath": null}', '{"InputPath": "$$.Execution"}',
	'{"InputPath": "$v.w"}', '{"OutputPath": "$.a.b[1]"}', '{"OutputPath": null}',
	'{"InputPath": "$.a", "OutputPath": "$.b[0]"}', '{"InputPath": "$.a", "Parameters": {"x.$": "$.b[0]"}, "OutputPath": "$.x"}',
	'{"InputPath": "$.x"}', '{"InputPath": "$.a.x.y"}', '{"InputPath": "$.a.b[7]"}', '{"OutputPath": "$.x"}',
	'{"InputPath": "$nope"}', '{"InputPath": "$.missing[*]"}']::jsonb[]) s;

-- ---------- ResultPath ----------

SELECT i, p, pg_temp.pass(jsonb_build_object('Result', '{"r": 1}'::jsonb, 'ResultPath', p), i) FROM (VALUES
	('{"a": 1}'::jsonb, '$'), ('{"a": 1}', NULL), ('{"a": 1}', '$.b'), ('{"a": 1}', '$.a'), ('{"a": 1}', '$.b.c.d'),
	('{"a": {"x": 1}}', '$.a.y'), ('{"a": {"x": 1}}', '$[''a''][''y z'']'), ('{"a": [1, 2]}', '$.a[0]'),
	('{"a": [1, {"b": 2}]}', '$.a[1].c'), ('{"a": null}', '$.a.b'), ('[1, 2]', '$[1]'),
	-- nothing to put it into
	('{"a": 1}', '$.a.b'), ('{"a": "x"}', '$.a[0]'), ('{"a": [1]}', '$.a[1]'), ('{"a": [1]}', '$.a.b'), ('{"a": {}}', '$.a[0]'),
	('1', '$.a'), ('"x"', '$.a'), ('[1]', '$.a'), ('{}', '$.a[0]'), ('null', '$.a')) c(i, p);

-- The result goes into the raw input, not into what InputPath selected.
SELECT pg_temp.pass('{"InputPath": "$.a", "ResultPath": "$.copy"}', '{"a": {"b": 1}}');
SELECT pg_temp.pass('{"InputPath": "$.a", "Parameters": {"c.$": "$.b"}, "ResultPath": "$.a.b", "OutputPath": "$.a"}', '{"a": {"b": 1}}');

-- ---------- as AWS takes filters ----------

CREATE FUNCTION pg_temp.filtered(filter text) RETURNS text
LANGUAGE sql AS $$ SELECT pg_temp.pass(jsonb_build_object('Parameters', jsonb_build_object('ids.$', '$.l[?(' || filter || ')].id')),
	'{"l": [{"id": 1, "t": "TOTAL", "x": null}, {"id": 2, "t": "IN PROGRESS", "x": 1}, {"id": 3, "t": "5", "x": false}, {"id": 4, "t": 5}]}') $$;
-- a text without quotes, and null where only existence is asked for
SELECT f, pg_temp.filtered(f) FROM unnest(ARRAY[
	'@.t==TOTAL', '@.t == TOTAL', '@.t == IN PROGRESS', 'TOTAL == @.t', '@.t != TOTAL', '@.t == TOTAL || @.t == IN PROGRESS',
	'@.t in [TOTAL, 5]', '@.t == 5', '@.t == total', '@.x', '!@.x', '!(@.x)', '@.x == null', '@.x != null']) f;
