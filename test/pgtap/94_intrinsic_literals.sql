-- Calls of intrinsic functions that cannot succeed are found before they run.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.doubt(call text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(pointer || ' ' || code || ' ' || severity || ': ' || message, E'\n')
	FROM dealix.validate(jsonb_build_object('StartAt', 'A', 'States', jsonb_build_object('A',
		jsonb_build_object('Type', 'Pass', 'Parameters', jsonb_build_object('x.$', call), 'End', true))))
$$;
CREATE FUNCTION t.outcome(call text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(t ->> 'error', 'fine') FROM dealix.test_state(jsonb_build_object('StartAt', 'A', 'States', jsonb_build_object('A',
		jsonb_build_object('Type', 'Pass', 'Parameters', jsonb_build_object('x.$', call), 'End', true))), 'A', '{"a": [1], "o": {}, "n": 1, "t": "x"}') t
$$;

CREATE TEMP TABLE bad (call text, message text);
INSERT INTO bad VALUES
	('States.MathAdd(''a'', 1)', 'States.MathAdd always fails: its argument 1 has to be a number'),
	('States.MathAdd($.n, true)', 'States.MathAdd always fails: its argument 2 has to be a number'),
	('States.MathAdd($.n)', 'States.MathAdd always fails: it has 1 arguments and takes 2'),
	('States.MathRandom(1)', 'States.MathRandom always fails: it has 1 arguments and takes at least 2'),
	('States.MathRandom(1, 9, ''s'')', 'States.MathRandom always fails: its argument 3 has to be a number'),
	('States.ArrayLength(''abc'')', 'States.ArrayLength always fails: its argument 1 has to be an array'),
	('States.ArrayContains(1, 1)', 'States.ArrayContains always fails: its argument 1 has to be an array'),
	('States.ArrayGetItem($.a, ''0'')', 'States.ArrayGetItem always fails: its argument 2 has to be a number'),
	('States.ArrayPartition($.a, null)', 'States.ArrayPartition always fails: its argument 2 has to be a number'),
	('States.ArrayRange(1, 9, ''2'')', 'States.ArrayRange always fails: its argument 3 has to be a number'),
	('States.ArrayUnique(false)', 'States.ArrayUnique always fails: its argument 1 has to be an array'),
	('States.Format(1, $.n)', 'States.Format always fails: its argument 1 has to be a text'),
	('States.Hash($.t, 256)', 'States.Hash always fails: its argument 2 has to be a text'),
	('States.JsonMerge($.o, ''{}'', false)', 'States.JsonMerge always fails: its argument 2 has to be an object'),
	('States.StringSplit($.t, 1)', 'States.StringSplit always fails: its argument 2 has to be a text'),
	('States.StringToJson(1)', 'States.StringToJson always fails: its argument 1 has to be a text'),
	('States.Base64Encode(1)', 'States.Base64Encode always fails: its argument 1 has to be a text'),
	('States.Base64Decode(null)', 'States.Base64Decode always fails: its argument 1 has to be a text'),
	('States.Array(States.MathAdd(1, ''1''))', 'States.MathAdd always fails: its argument 2 has to be a number'),
	('States.UUID(1)', 'States.UUID always fails: it has 1 arguments and takes 0');
SELECT is(t.doubt(call), '/States/A/Parameters/x.$ INVALID_INTRINSIC warning: ' || message, call) FROM bad;
SELECT is(t.outcome(call), 'States.IntrinsicFailure', 'it does fail: ' || call) FROM bad;

-- Where data may be right nothing is said, and what is right works.
SELECT is(coalesce(t.doubt(call), t.outcome(call)), 'fine', call) FROM unnest(ARRAY['States.MathAdd($.n, 1)', 'States.Array()', 'States.Array(1, ''a'', null)',
	'States.ArrayContains($.a, ''x'')', 'States.ArrayGetItem($.a, 0)', 'States.Format(''{} {}'', 1, true)', 'States.Hash(1, ''MD5'')', 'States.JsonMerge($.o, $.o, false)',
	'States.MathRandom(1, 9)', 'States.MathRandom(1, 9, 5)', 'States.UUID()', 'States.ArrayLength(States.Array(1))', 'States.JsonToString(1)', 'States.StringToJson(''1'')']) call;
SELECT is(t.doubt('States.MathAdd($.t, 1)'), NULL, 'a path may give anything');

SELECT * FROM finish();
