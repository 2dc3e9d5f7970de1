-- A definition that cannot run is refused whole, with every problem named.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.refusal(definition jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM dealix.publish('wrong', definition);
	RETURN 'it was published';
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END $$;

SELECT matches(t.refusal('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Nowhere"}}}'), '/States/A/Next.*Nowhere', 'an unknown state in Next');
SELECT matches(t.refusal('{"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}'), '/StartAt', 'an unknown state in StartAt');
SELECT matches(t.refusal('{"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "Island": {"Type": "Succeed"}}}'), 'Island', 'a state that cannot be reached');
SELECT matches(t.refusal('{"StartAt": "A", "States": {"A": {"Type": "Pass"}}}'), '/States/A', 'neither Next nor End');
SELECT matches(t.refusal('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A", "End": true}}}'), '/States/A', 'both Next and End');
SELECT matches(t.refusal(t.task('sql:t.no_such_function')), 'no_such_function', 'an unknown function');
SELECT matches(t.refusal(t.task('sql:nofunction')), 'nofunction', 'a function without its schema');
SELECT matches(t.refusal(t.task('sql:t.do', '{"Parameters": {"wat": 1}}')), '/States/Only', 'wrong argument names');
SELECT matches(t.refusal('{"StartAt": "A", "States": {"A": {"Type": "Sing", "End": true}}}'), 'Sing', 'a type that does not exist');
SELECT matches(t.refusal('{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": "soon", "End": true}}}'), '/States/A/Seconds', 'a wrong type');
SELECT matches(t.refusal('{"StartAt": 1, "States": {"A": {"Type": "Succeed"}}}'), '/StartAt', 'a wrong type at the top');
SELECT matches(t.refusal('{"StartAt": "A", "States": {}}'), 'States', 'no states');
SELECT isnt(t.refusal('{}'), 'it was published', 'nothing at all');
SELECT isnt(t.refusal('[]'), 'it was published', 'an array');
SELECT isnt(t.refusal('null'), 'it was published', 'null');

-- A misspelled member of any object of the language is named, with what was meant.
SELECT matches(t.refusal(replace('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Succeed"}}}', '"Next"', '"next"')::jsonb), 'Did you mean "Next"', 'in a state');
SELECT matches(t.refusal(format('{"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [%s], "Default": "B"}, "B": {"Type": "Succeed"}}}', rule)::jsonb),
	format('Did you mean "%s"', meant), 'in a choice rule: ' || meant)
FROM (VALUES ('{"Variable": "$.a", "NumericEqual": 3, "Next": "B"}', 'NumericEquals'),
	('{"variable": "$.a", "NumericEquals": 3, "Next": "B"}', 'Variable'),
	('{"And": [{"Variable": "$.a", "TimestampLessThanEqual": "2030-01-01T00:00:00Z"}], "Next": "B"}', 'TimestampLessThanEquals'),
	('{"Not": {"Variable": "$.a", "isPresent": true}, "Next": "B"}', 'IsPresent'),
	('{"Or": [{"Variable": "$.a", "StringMatch": "x*"}], "Next": "B"}', 'StringMatches'),
	('{"and": [{"Variable": "$.a", "IsNull": true}], "Next": "B"}', 'And'),
	('{"Variable": "$.a", "IsNull": true, "Assing": {}, "Next": "B"}', 'Assign')) r (rule, meant);
SELECT isnt(t.refusal('"text"'), 'it was published', 'a string');

CREATE TEMP TABLE many AS SELECT t.refusal('{"StartAt": "Nowhere", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.none", "Next": "B"},
	"B": {"Type": "Wait", "Seconds": -1, "Next": "C"},
	"C": {"Type": "Pass"},
	"D": {"Type": "Choice", "Choices": []}}}') AS detail;
SELECT matches(detail, wanted, 'all at once: ' || wanted) FROM many, unnest(ARRAY['/StartAt', 't\.none', '/States/B', '/States/C', '/States/D']) wanted;
SELECT is((SELECT count(*)::int FROM dealix.workflow_details WHERE workflow = 'wrong'), 0, 'nothing of it was stored');
SELECT cmp_ok((SELECT count(*)::int FROM dealix.validate('{"StartAt": "Nowhere", "States": {"A": {"Type": "Pass"}, "B": {"Type": "Pass"}}}')), '>=', 3, 'validate lists them as rows');
SELECT is_empty($$SELECT * FROM dealix.validate('{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}')$$, 'and none for a good one');

-- big and deep
CREATE FUNCTION t.deep(n int) RETURNS jsonb LANGUAGE sql AS $$ SELECT (repeat('{"a":', n) || '1' || repeat('}', n))::jsonb $$;
CREATE FUNCTION t.sqlstate_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END $$;
SELECT matches(t.sqlstate_of($$SELECT dealix.publish('deep', jsonb_build_object('StartAt', 'P', 'States', jsonb_build_object('P',
	jsonb_build_object('Type', 'Pass', 'End', true, 'Result', t.deep(5000)))))$$), '^(22023|54000|54001|DX009)$', 'a definition that is nested too deeply');
SELECT matches(t.sqlstate_of($$SELECT dealix.publish('deep', t.deep(6000))$$), '^(22023|54000|54001|DX009)$', 'or nothing but nested');
SELECT matches(t.sqlstate_of($$SELECT dealix.publish('big', (repeat('[', 500) || (SELECT string_agg('"' || repeat('x', 100) || '"', ',') FROM generate_series(1, 10000)) || repeat(']', 500))::jsonb)$$), '^(22023|54000|54001|DX009)$', 'a megabyte of nested nonsense');
SELECT is((SELECT count(*)::int FROM dealix.workflow_details WHERE workflow IN ('deep', 'big')), 0, 'nothing of it was stored');
SELECT is(t.status(t.run(t.task('sql:t.do', '{"Parameters": {"what": "fine"}}'))), 'SUCCEEDED', 'and the session works on');

SELECT * FROM finish();
ROLLBACK;
