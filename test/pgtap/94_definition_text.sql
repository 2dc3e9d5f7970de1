-- Definitions as text: what jsonb would pass over in silence.
\ir setup.psql
SELECT no_plan();

\set good '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'
SELECT is(dealix.publish_text('text', :'good'), 1, 'a text is published');
SELECT is(dealix.publish('text', :'good'), 1, 'and is the same definition as its jsonb; an untyped literal still means jsonb');
SELECT is((SELECT count(*)::int FROM dealix.validate_text(:'good')), 0, 'it has no problems');

CREATE FUNCTION t.twice(definition text) RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(pointer || ' ' || code || ' ' || coalesce((regexp_match(message, 'line \d+, column \d+'))[1], '')) FROM dealix.validate_text(definition)
$$;
SELECT is(t.twice(E'{"StartAt": "A", "States": {\n"A": {"Type": "Pass", "End": true},\n  "A": {"Type": "Succeed"}}}'),
	ARRAY['/States/A DUPLICATE_MEMBER line 3, column 3'], 'a state that is there twice, with its pointer and its place');
SELECT is(t.twice('{"StartAt": "A", "StartAt": "A", "States": {"A": {"Type": "Pass", "End": true, "Result": {"a~/b": [1, {"x": 1, "y": 2, "x": 1}]}}}}'),
	ARRAY['/States/A/Result/a~0~1b/1/x DUPLICATE_MEMBER line 1, column 120', '/StartAt DUPLICATE_MEMBER line 1, column 18'], 'anywhere in the text, also with the same value');
SELECT is(t.twice('{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true, "\u0045nd": true}}}'),
	ARRAY['/States/A/End DUPLICATE_MEMBER line 1, column 64'], 'names are compared as they are meant, not as they are written');
SELECT is(t.twice('{"StartAt": "A", "States": {"A": {"Type": "Succeed", "Comment": "c", "Comment": "c", "Comment": "c"}}}'),
	ARRAY['/States/A/Comment DUPLICATE_MEMBER line 1, column 70', '/States/A/Comment DUPLICATE_MEMBER line 1, column 86'], 'each time too often');
SELECT is((SELECT count(*)::int FROM dealix.validate_text('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Ende": true, "Type": "Pass"}}}')
	WHERE code IN ('UNKNOWN_FIELD', 'DUPLICATE_MEMBER')), 2, 'beside the other problems');
SELECT is((SELECT count(*)::int FROM dealix.validate('{"StartAt": "A", "States": {"A": {"Type": "Succeed", "Type": "Succeed"}}}')), 0, 'jsonb cannot know it');

SELECT is(t.twice(E'{"StartAt": "A",\n "States": {"A" {}}}'), ARRAY[' INVALID_JSON line 2, column 17'], 'no JSON: where');
SELECT is(t.twice('{"StartAt": "A"'), ARRAY[' INVALID_JSON line 1, column 16'], 'too short');
SELECT is(t.twice('{} {}'), ARRAY[' INVALID_JSON line 1, column 4'], 'too long');
SELECT is(t.twice(''), ARRAY[' INVALID_JSON line 1, column 1'], 'empty');
SELECT is(t.twice(repeat('[', 2000)), ARRAY[' INVALID_JSON line 1, column 1002'], 'too deep');
SELECT is((SELECT count(*)::int FROM dealix.validate_text('7')), (SELECT count(*)::int FROM dealix.validate('7')), 'what is no object');

CREATE FUNCTION t.refused(definition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM dealix.publish_text('twice', definition);
	RETURN 'it was published';
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END $$;
SELECT matches(t.refused('{"StartAt": "A", "States": {"A": {"Type": "Succeed", "Type": "Succeed"}}}'), '^/States/A/Type: "Type" is given more than once', 'publish_text refuses it');
SELECT matches(t.refused('{'), '^/: the text is no JSON', 'and what is no JSON');
SELECT is((SELECT count(*)::int FROM dealix.workflow_details WHERE workflow = 'twice'), 0, 'nothing is stored');
SELECT throws_ok('SELECT dealix.publish_text(''x'', NULL)', '22004', NULL, 'null is refused');
SELECT ok(dealix.publish_text('many', (SELECT '{"StartAt": "s1", "States": {' || string_agg(format('"s%s": {"Type": "Pass", %s}', n, CASE n WHEN 2000 THEN '"End": true' ELSE format('"Next": "s%s"', n + 1) END), ', ') || '}}' FROM generate_series(1, 2000) n)) = 1, 'many members');

-- ---------- rights ----------

SELECT ok(has_function_privilege('tap_app', 'dealix.publish_text(text, text)', 'EXECUTE') = has_function_privilege('tap_app', 'dealix.publish(text, jsonb)', 'EXECUTE'), 'who may publish may publish texts');
SELECT ok(NOT EXISTS (SELECT FROM pg_proc p, aclexplode(p.proacl) a WHERE p.proname IN ('publish_text', 'validate_text') AND a.grantee = 0), 'nothing for everybody');

SELECT * FROM finish();
