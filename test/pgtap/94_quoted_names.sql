-- Names in brackets, with escapes in them.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.pick(path text, input jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT coalesce(r -> 'output' -> 'x', r) FROM dealix.test_state(jsonb_build_object('StartAt', 'A', 'States', jsonb_build_object('A',
		jsonb_build_object('Type', 'Pass', 'Parameters', jsonb_build_object('x.$', path), 'End', true))), 'A', input) r
$$;
CREATE TEMP TABLE n (path text, name text);
INSERT INTO n VALUES
	($p$['a\'b']$p$, $n$a'b$n$), ($p$["a'b"]$p$, $n$a'b$n$), ($p$["a\"b"]$p$, 'a"b'), ($p$['a"b']$p$, 'a"b'),
	($p$["a\u0041"]$p$, 'aA'), ($p$['\ud83d\ude00']$p$, U&'\+01F600'), ($p$['a\\b']$p$, 'a\b'), ($p$['\\']$p$, '\'),
	($p$['a\nb\tc']$p$, E'a\nb\tc'), ($p$['a\/b']$p$, 'a/b'), ($p$['a]b']$p$, 'a]b'), ($p$['a,b)']$p$, 'a,b)'), ($p$['$.a']$p$, '$.a'), ($p$['']$p$, '');
SELECT is(t.pick('$' || path, jsonb_build_object(name, 7)), '7', '$' || path) FROM n;
SELECT is(t.pick('States.MathAdd($' || path || ', 1)', jsonb_build_object(name, 7)), '8', 'as an argument: $' || path) FROM n;

SELECT * FROM finish();
