-- The way of data through a state: what is evaluated from what, and in which
-- order.

SET client_encoding = 'UTF8';
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on

CREATE FUNCTION pg_temp.try(state jsonb, input jsonb, mock jsonb DEFAULT '{"result": {"r": [1, 2]}}',
	variables jsonb DEFAULT '{"a": 1, "b": 2}') RETURNS text
LANGUAGE sql AS $$
	-- what has not changed is left out
	SELECT concat_ws('; ', 'effective ' || nullif(r->'effective_input', input)::text, 'items ' || (r->>'items'), r->>'until',
		CASE WHEN r ? 'error' THEN 'error ' || concat_ws(': ', coalesce(r->>'error', 'null'), r->>'cause') END,
		'output ' || (r->'output')::text, 'variables ' || nullif(r->'variables', variables)::text)
	  FROM dealix.test_state(jsonb_build_object('StartAt', 'S', 'States', jsonb_build_object(
		'S', CASE WHEN state->>'Type' IN ('Fail', 'Succeed') THEN '{}' ELSE '{"Next": "E"}'::jsonb END || state) ||
		CASE WHEN state->>'Type' IN ('Fail', 'Succeed') THEN '{}' ELSE '{"E": {"Type": "Succeed"}}'::jsonb END),
		'S', input, mock, '{"Execution": {"Name": "x"}}', variables) r
$$;

CREATE FUNCTION pg_temp.task(members jsonb, mock jsonb DEFAULT '{"result": {"r": [1, 2]}}') RETURNS text
LANGUAGE sql AS $$
	SELECT pg_temp.try('{"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:111111111111:function:f"}' || members,
		'{"in": {"x": 5}, "keep": true}', mock)
$$;

-- ---------- Task ----------

SELECT m, pg_temp.task(m) FROM unnest(ARRAY[
	'{}', '{"InputPath": "$.in"}', '{"InputPath": null}', '{"Parameters": {"y.$": "$.in.x"}}', '{"InputPath": "$.in", "Parameters": {"y.$": "$.x", "v.$": "$a"}}',
	'{"ResultSelector": {"first.$": "$.r[0]", "v.$": "$b", "c.$": "$$.Execution.Name"}}', '{"ResultPath": null}', '{"ResultPath": "$.out.r"}', '{"ResultPath": "$.in"}',
	'{"InputPath": "$.in", "ResultSelector": {"n.$": "$.r[1]"}, "ResultPath": "$.in.n", "OutputPath": "$.in"}', '{"OutputPath": null}', '{"OutputPath": "$.r"}',
	-- Assign sees the result as it came, and the variables as they were
	'{"ResultSelector": {"n.$": "$.r[1]"}, "Assign": {"c.$": "$.r"}}', '{"Assign": {"a.$": "$b", "b.$": "$a"}}', '{"ResultPath": null, "Assign": {"a": {"deep.$": "$.r[0]"}}}',
	'{"Parameters": {"v.$": "$a"}, "Assign": {"a": 9}, "ResultSelector": {"v.$": "$a"}}',
	-- faults
	'{"InputPath": "$.no"}', '{"Parameters": {"y.$": "$.no"}}', '{"ResultSelector": {"y.$": "$.no"}}', '{"ResultPath": "$.keep.x"}', '{"OutputPath": "$.no"}',
	'{"Assign": {"y.$": "$.no"}}']::jsonb[]) m;

-- ---------- Catch ----------

SELECT m, c, pg_temp.task(jsonb_build_object('InputPath', '$.in', 'OutputPath', '$.r', 'Catch',
		jsonb_build_array('{"ErrorEquals": ["States.ALL"], "Next": "E"}' || c)), m) FROM unnest(ARRAY[
	'{"error": "E", "cause": "why"}', '{"error": "E", "cause": null}', '{"error": null, "cause": null}', '{"error": "States.Timeout"}']::jsonb[]) m,
	unnest(ARRAY['{}', '{"ResultPath": "$.error"}']::jsonb[]) c;
SELECT c, pg_temp.task(jsonb_build_object('Catch', jsonb_build_array('{"ErrorEquals": ["States.ALL"], "Next": "E"}' || c)), '{"error": "E", "cause": "{\"k\": 1}"}')
  FROM unnest(ARRAY['{"ResultPath": null}', '{"Assign": {"a.$": "$.Error", "old.$": "$a", "k.$": "States.StringToJson($.Cause)"}}',
	'{"ResultPath": "$.keep.x"}', '{"Assign": {"a.$": "$.no"}}']::jsonb[]) c;

-- A fault of the state's own processing can be caught, but not States.Runtime.
SELECT m, pg_temp.task(m || '{"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "E", "ResultPath": "$.e"}]}') FROM unnest(ARRAY[
	'{"ResultPath": "$.keep.x"}', '{"Parameters": {"y.$": "States.MathAdd(1, true)"}}', '{"OutputPath": "$.no"}']::jsonb[]) m;

-- ---------- Pass and Succeed ----------

SELECT s, pg_temp.try('{"Type": "Pass"}' || s, '{"x": 7}', NULL) FROM unnest(ARRAY[
	'{}', '{"Result": 5}', '{"Result": null}', '{"Result": {"a.$": "$.x"}}', '{"Result": [1], "ResultPath": "$.y"}', '{"Parameters": {"z.$": "$.x"}, "ResultPath": "$.y"}',
	'{"Parameters": {"z.$": "$.x"}, "Result": 7}', '{"Assign": {"a.$": "$.x"}}', '{"Result": {"q": 6}, "Assign": {"a.$": "$.q"}}',
	'{"Parameters": {"z.$": "$.x"}, "Assign": {"a.$": "$.z"}}', '{"Assign": {"a": "const", "o": {"b.$": "$b", "l": [{"x.$": "$.x"}]}}}']::jsonb[]) s;
SELECT s, pg_temp.try('{"Type": "Succeed"}' || s, '{"x": {"y": 1}}', NULL) FROM unnest(ARRAY[
	'{}', '{"InputPath": "$.x"}', '{"OutputPath": "$.x.y"}', '{"InputPath": "$.x", "OutputPath": "$.y"}', '{"OutputPath": null}']::jsonb[]) s;

-- ---------- Wait ----------

CREATE FUNCTION pg_temp.wait(state jsonb, input jsonb) RETURNS text
LANGUAGE sql AS $$
	SELECT coalesce(r->>'error' || ': ' || (r->>'cause'), r->>'until')
	  FROM dealix.test_state(jsonb_build_object('StartAt', 'S', 'States', jsonb_build_object(
		'S', '{"Type": "Wait", "End": true}' || state)), 'S', input, NULL, NULL, '{"n": 3}') r
$$;
-- Until when
SELECT s, pg_temp.wait('{"SecondsPath": "$.s"}', jsonb_build_object('s', s))::timestamptz - now()
		BETWEEN make_interval(secs => (s #>> '{}')::int) AND make_interval(secs => (s #>> '{}')::int + 60)
  FROM unnest('{5, 0, "\"7\"", 99999999}'::jsonb[]) s;
SELECT pg_temp.wait('{"Seconds": 3}', '{}')::timestamptz - now() BETWEEN '3 s' AND '1 min',
	pg_temp.wait('{"SecondsPath": "$n"}', '{}')::timestamptz - now() BETWEEN '3 s' AND '1 min';
SELECT s, pg_temp.wait('{"SecondsPath": "$.s"}', jsonb_build_object('s', s)) FROM unnest(ARRAY[
	'1.5', '-1', '100000000', '"x"', 'null', 'true', '[]']::jsonb[]) s;
SELECT pg_temp.wait('{"SecondsPath": "$.s"}', '{}');
SELECT t, pg_temp.wait('{"TimestampPath": "$.t"}', jsonb_build_object('t', t)) FROM unnest(ARRAY[
	'"2016-03-14T01:59:00Z"', '"2016-03-14T01:59:00.25+01:00"', '"2016-03-14"', '"x"', '5', 'null']::jsonb[]) t;
SELECT pg_temp.wait('{"TimestampPath": "$.t"}', '{}'), pg_temp.wait('{"Timestamp": "2016-03-14T01:59:00Z"}', '{}');

-- ---------- Fail ----------

SELECT s, pg_temp.try('{"Type": "Fail"}' || s, '{"e": "E", "c": "C", "n": 5}', NULL) FROM unnest(ARRAY[
	'{}', '{"Error": "E", "Cause": "C"}', '{"Error": "E"}', '{"Cause": "C"}', '{"ErrorPath": "$.e", "CausePath": "$.c"}',
	'{"ErrorPath": "States.Format(''E.{}'', $.n)", "CausePath": "States.JsonToString($)"}', '{"ErrorPath": "$.n"}', '{"ErrorPath": "$.no"}',
	'{"CausePath": "States.Format(''{}'')"}', '{"ErrorPath": "$$.Execution.Name"}', '{"Error": "E", "CausePath": "$b"}']::jsonb[]) s;

-- ---------- Map and Parallel ----------

CREATE FUNCTION pg_temp.map(members jsonb, input jsonb) RETURNS text
LANGUAGE sql AS $$
	SELECT pg_temp.try('{"Type": "Map", "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}}' || members, input,
		'{"result": ["done"]}')
$$;
SELECT m, pg_temp.map(m, '{"l": [1, {"q": 2}], "d": {"l": ["x"], "f": 3}, "none": []}') FROM unnest(ARRAY[
	'{"ItemsPath": "$.l"}', '{"InputPath": "$.d", "ItemsPath": "$.l"}', '{"InputPath": "$.l"}', '{"ItemsPath": "$.none"}',
	'{"InputPath": "$.d", "ItemsPath": "$.l", "ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "f.$": "$.f", "a.$": "$a", "e.$": "$$.Execution.Name"}}',
	'{"ItemsPath": "$.l", "Parameters": {"c.$": "$$.Map", "n.$": "$.none"}}', '{"ItemsPath": "$.l", "ItemSelector": {"fix": 1}}',
	'{"ItemsPath": "$.l", "ItemSelector": {"q.$": "$$.Map.Item.Value.q"}}', '{"ItemsPath": "$.d"}', '{}', '{"ItemsPath": "$.no"}',
	'{"ItemsPath": "$.none", "ResultSelector": {"n.$": "States.ArrayLength($)"}, "ResultPath": "$.none", "OutputPath": "$.none"}']::jsonb[]) m;
SELECT m, pg_temp.try('{"Type": "Parallel", "Branches": [{"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}]}' || m, '{"x": {"y": 1}}', '{"result": [1, 2]}')
  FROM unnest(ARRAY['{}', '{"InputPath": "$.x", "Parameters": {"z.$": "$.y"}}', '{"ResultSelector": {"f.$": "$[0]"}, "ResultPath": "$.r", "Assign": {"a.$": "$[1]"}}']::jsonb[]) m;

-- ---------- Expression mode ----------

SELECT m, pg_temp.task(m || '{"QueryLanguage": "SQL"}') FROM unnest(ARRAY[
	'{}', '{"Arguments": {"y": "{% input -> ''in'' -> ''x'' %}", "l": [1, "{% a %}"]}}', '{"Arguments": 5}', '{"Output": {"r": "{% result -> ''r'' -> 0 %}", "k": "{% input -> ''keep'' %}"}}',
	'{"Assign": {"a": "{% b %}", "b": "{% a %}", "r": "{% result %}"}, "Output": "{% a %}"}', '{"Output": "{% 1/0 %}"}', '{"Arguments": "{% null::int %}"}']::jsonb[]) m;
SELECT pg_temp.task('{"QueryLanguage": "SQL", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "E", "Output": {"e": "{% error -> ''Error'' %}"}, "Assign": {"a": "{% error ->> ''Cause'' %}"}}]}',
	'{"error": "E", "cause": "C"}');
SELECT m, pg_temp.map(m || '{"QueryLanguage": "SQL"}', '[10, 20]') FROM unnest(ARRAY[
	'{}', '{"Items": [1, "{% input -> 0 %}"]}', '{"Items": "{% input -> 0 %}"}', '{"Items": "{% input %}", "ItemSelector": {"i": "{% context -> ''Map'' -> ''Item'' -> ''Index'' %}", "v": "{% context #> ''{Map,Item,Value}'' %}"}}']::jsonb[]) m;
SELECT s, pg_temp.try(s || '{"QueryLanguage": "SQL"}', '{"x": 1}', NULL) FROM unnest(ARRAY[
	'{"Type": "Pass", "Output": {"y": "{% input -> ''x'' %}"}}', '{"Type": "Pass"}', '{"Type": "Succeed", "Output": "{% input -> ''x'' %}"}',
	'{"Type": "Fail", "Error": "{% ''E'' || (input ->> ''x'') %}", "Cause": "{% input %}"}', '{"Type": "Fail", "Error": "E", "Cause": "{% ''why'' %}"}',
	'{"Type": "Wait", "Seconds": "{% -1 %}"}', '{"Type": "Wait", "Timestamp": "{% ''x'' %}"}', '{"Type": "Wait", "Timestamp": "{% ''2016-03-14T01:59:00Z'' %}"}']::jsonb[]) s;
