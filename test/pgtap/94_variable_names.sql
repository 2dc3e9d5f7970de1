-- Variables of expressions have exactly the names that Assign gives them.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.using(name text, expression text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('QueryLanguage', 'SQL', 'StartAt', 'A', 'States', jsonb_build_object(
		'A', jsonb_build_object('Type', 'Pass', 'Assign', jsonb_build_object(name, 'mine'), 'Next', 'B'),
		'B', jsonb_build_object('Type', 'Pass', 'Output', '{% ' || expression || ' %}', 'End', true)))
$$;
CREATE FUNCTION t.problem(name text, expression text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(pointer || ' ' || code || ': ' || message || '. ' || hint, E'\n') FROM dealix.validate(t.using(name, expression))
$$;

SELECT matches(t.problem(name, name), '^/States/B/Output INVALID_EXPRESSION: ' || name || ' is a value of SQL''s own here; the variable is written "' || name || '"',
	name || ' without quotes is refused when there is a variable of that name')
FROM unnest(ARRAY['user', 'current_user', 'session_user', 'current_role', 'current_catalog', 'current_schema',
	'current_date', 'current_time', 'current_timestamp', 'localtime', 'localtimestamp']) name;
SELECT matches(t.problem('user', 'to_jsonb(upper(USER))'), 'the variable is written "user"', 'however it is written, and anywhere in the expression');
SELECT is(t.problem('who', 'to_jsonb(user::text)'), NULL, 'without such a variable it is what SQL says');
SELECT matches(t.problem('orderId', 'orderId'), 'UNKNOWN_VARIABLE.*Write "orderId" in double quotes', 'capitals: the problem says what to write');
SELECT matches(t.problem('order', 'order'), 'INVALID_EXPRESSION.*word of SQL.*double quotes', 'a reserved word: so does this one');
SELECT is(t.problem(name, '"' || name || '"'), NULL, 'in double quotes: ' || name) FROM unnest(ARRAY['user', 'current_date', 'localtime', 'orderId', 'order', 'end']) name;
SELECT is(t.output(t.run(t.using(name, '"' || name || '"'))), '"mine"', 'and it is the variable: ' || name) FROM unnest(ARRAY['user', 'current_date', 'localtime', 'orderId', 'order', 'end']) name;

SELECT * FROM finish();
