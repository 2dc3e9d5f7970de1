-- QueryLanguage SQL: expressions instead of paths.
\ir setup.psql
SELECT no_plan();

-- One state of this language and nothing else.
CREATE FUNCTION t.sql_state(state jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('QueryLanguage', 'SQL', 'StartAt', 'S', 'States', jsonb_build_object('S', '{"End": true}' || state)) $$;
-- What a Pass with this output gives.
CREATE FUNCTION t.eval(expression text, input jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT t.output(t.run(t.sql_state(jsonb_build_object('Type', 'Pass', 'Output', '{% ' || expression || ' %}')), input)) $$;
CREATE FUNCTION t.eval_error(expression text, input jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT t.error(run) || ': ' || t.cause(run) FROM t.run(t.sql_state(jsonb_build_object('Type', 'Pass', 'Output', '{% ' || expression || ' %}')), input) run $$;
CREATE FUNCTION t.problem(definition jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(pointer || ' ' || code, ', ') FROM dealix.validate(definition) $$;

-- ---------- values ----------

SELECT is(t.eval('input'), '{}', 'input is the state''s input');
SELECT is(t.eval('(input->>''n'')::int + 1', '{"n": 41}'), '42', 'a number');
SELECT is(t.eval('upper(input->>''s'')', '{"s": "ada"}'), '"ADA"', 'a text');
SELECT is(t.eval('NULL'), 'null', 'NULL is null');
SELECT is(t.eval('input->''none'''), 'null', 'so is what is not there');
SELECT is(t.eval('ARRAY[1, 2]'), '[1, 2]', 'an array');
SELECT is(t.eval('ROW(1, ''x'')'), '{"f1": 1, "f2": "x"}', 'a row');
SELECT is(t.eval('(SELECT jsonb_agg(x * 10) FROM generate_series(1, 3) x)'), '[10, 20, 30]', 'a subquery');
SELECT is(t.eval('now() IS NOT NULL'), 'true', 'a boolean');
SELECT is(t.eval('context->''State''->>''Name'''), '"S"', 'a part of the context');
SELECT is(t.eval('context->''Execution''->''Input''', '{"n": 1}'), '{"n": 1}', 'the run''s input is one');
SELECT is(t.eval('(SELECT count(*) FROM jsonb_object_keys(context))'), '3', 'the whole context');
SELECT is(t.output(t.run(t.sql_state('{"Type": "Pass", "Output": {"a": ["{% input->''n'' %}", "plain"], "b": {"c": "{% 1 %}"}}}'), '{"n": 7}')),
	'{"a": [7, "plain"], "b": {"c": 1}}', 'expressions anywhere in a template');

-- ---------- fields ----------

CREATE TEMP TABLE r AS SELECT t.run('{"QueryLanguage": "SQL", "StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Arguments": {"what": "{% input->>''name'' %}"}, "Assign": {"did": "{% result %}"}, "Output": "{% input->''n'' %}", "Next": "B"},
	"B": {"Type": "Choice", "Choices": [
		{"Condition": "{% (input)::int > 100 %}", "Next": "Fail"},
		{"Condition": "{% did = ''\"did Ada\"'' %}", "Assign": {"chosen": "{% input %}"}, "Next": "C"}], "Default": "Fail"},
	"C": {"Type": "Wait", "Seconds": "{% 0 %}", "Next": "D"},
	"D": {"Type": "Map", "Items": "{% (SELECT jsonb_agg(i) FROM generate_series(1, chosen::int) i) %}", "MaxConcurrency": "{% 2 %}",
		"ItemSelector": {"i": "{% context->''Map''->''Item''->''Value'' %}", "of": "{% chosen %}"},
		"ItemProcessor": {"StartAt": "E", "States": {"E": {"Type": "Pass", "Output": "{% (input->>''i'') || ''/'' || (input->>''of'') %}", "End": true}}},
		"Output": "{% result %}", "End": true},
	"Fail": {"Type": "Fail", "Error": "{% ''E'' || did::text %}", "Cause": "{% input::text %}"}}}', '{"name": "Ada", "n": 3}') AS run;
SELECT is(t.output(run), '["1/3", "2/3", "3/3"]', 'Arguments, Assign, Output, Condition, Seconds, Items, ItemSelector') FROM r;
SELECT is(t.effects(), 'Ada', 'the step was done');
SELECT is(t.error(t.run('{"QueryLanguage": "SQL", "StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "{% ''E'' || (input->>''n'') %}", "Cause": "why"}}}', '{"n": 1}')), 'E1', 'Error of a Fail');
SELECT is(t.output(t.run('{"QueryLanguage": "SQL", "StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.fail", "Arguments": {}, "Catch": [{"ErrorEquals": ["Test.Failure"], "Assign": {"e": "{% error->''Error'' %}"}, "Output": {"cause": "{% error->''Cause'' %}", "n": "{% input->''n'' %}"}, "Next": "B"}], "End": true},
	"B": {"Type": "Pass", "Output": {"e": "{% e %}", "c": "{% input %}"}, "End": true}}}', '{"n": 1}')), '{"c": {"n": 1, "cause": "because"}, "e": "Test.Failure"}', 'error, in a catcher');
SELECT is(t.error(t.run(t.sql_state('{"Type": "Task", "Resource": "sql:t.fail_times"}'), '{}')), 'SQL.undefined_function', 'without Arguments the input is what the step gets');
SELECT is(t.output(t.run('{"StartAt": "A", "States": {
	"A": {"Type": "Pass", "QueryLanguage": "SQL", "Output": {"n": "{% (input->>''n'')::int * 2 %}"}, "Assign": {"v": "{% 5 %}"}, "Next": "B"},
	"B": {"Type": "Pass", "Parameters": {"n.$": "$.n", "v.$": "$v"}, "End": true}}}', '{"n": 4}')), '{"n": 8, "v": 5}', 'one state of each language');

-- ---------- errors ----------

SELECT matches(t.eval_error('1 / 0'), '^States.QueryEvaluationError: At /States/S/Output: SQL.division_by_zero', 'an error of an expression, with its place');
SELECT matches(t.eval_error('(input->>''n'')::int', '{"n": "x"}'), 'SQL.invalid_text_representation', 'by its name');
SELECT matches(t.eval_error('error'), 'variable "error" has no value here', 'a variable without a value');
SELECT matches(t.eval_error('dealix.tick()'), 'cannot be called from a step', 'no pass within a pass');
SELECT is(t.output(t.run('{"QueryLanguage": "SQL", "StartAt": "A", "States": {
	"A": {"Type": "Pass", "Output": "{% 1 / (input->>''n'')::int %}", "End": true}}}', '{"n": 0}')), NULL, 'a Pass has no Catch');
SELECT is(t.error(t.run('{"QueryLanguage": "SQL", "StartAt": "A", "TimeoutSeconds": 1, "States": {"A": {"Type": "Pass", "Output": "{% pg_sleep(60) %}", "End": true}}}')), 'States.QueryEvaluationError', 'the run''s deadline ends an expression');

-- ---------- refused at publish ----------

SELECT is(t.problem(t.sql_state('{"Type": "Pass", "Output": "{% input.n %}"}')), '/States/S/Output INVALID_EXPRESSION', 'not an expression over the variables');
SELECT is(t.problem(t.sql_state('{"Type": "Pass", "Output": "{% nothing %}"}')), '/States/S/Output UNKNOWN_VARIABLE', 'a variable that nobody sets');
SELECT is(t.problem(t.sql_state('{"Type": "Pass", "Output": "{% 1; SELECT 2 %}"}')), '/States/S/Output INVALID_EXPRESSION', 'two statements');
SELECT is(t.problem(t.sql_state('{"Type": "Pass", "Output": "{% 1) FROM pg_class; -- %}"}')), '/States/S/Output INVALID_EXPRESSION', 'what would end the wrapping');
SELECT is(t.problem(t.sql_state('{"Type": "Pass", "Output": "{% %}"}')), '/States/S/Output INVALID_EXPRESSION', 'nothing');
SELECT is(t.problem(t.sql_state('{"Type": "Pass", "Output": "{% t.no_such_function(input) %}"}')), '/States/S/Output INVALID_EXPRESSION', 'an unknown function');
SELECT isnt(t.problem(t.sql_state('{"Type": "Pass", "Parameters": {"a.$": "$.a"}}')), NULL, 'no fields of JSONPath');
SELECT matches(t.problem('{"QueryLanguage": "JSONata", "StartAt": "S", "States": {"S": {"Type": "Succeed"}}}'), '/QueryLanguage QUERY_LANGUAGE', 'JSONata, by name');

-- ---------- rights ----------

CREATE TABLE t.secret AS SELECT 'of tap_app' AS what;
GRANT USAGE ON SCHEMA t TO tap_other;
SELECT dealix.publish('peek', t.sql_state('{"Type": "Pass", "Output": "{% (SELECT what FROM t.secret) %}"}')) \g /dev/null
SELECT is(t.output(t.run(t.sql_state('{"Type": "Pass", "Output": "{% (SELECT what FROM t.secret) %}"}'))), '"of tap_app"', 'an expression has the rights of the run''s owner');
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA t TO tap_other;
SET SESSION AUTHORIZATION tap_other;
CREATE TEMP TABLE o AS SELECT dealix.start('peek', '{}') AS run;
SELECT t.pump() \g /dev/null
SELECT matches(t.cause(run), 'SQL.insufficient_privilege', 'and not those of its author') FROM o;
SET SESSION AUTHORIZATION tap_app;
SELECT matches(t.eval_error('set_config(''role'', ''tap_other'', false)'), 'States.QueryEvaluationError', 'it cannot change the role');
SELECT is(t.eval('set_config(''tap.left'', ''behind'', false)'), '"behind"', 'a setting');
SELECT isnt(current_setting('tap.left', true), 'behind', 'does not outlive it');

SELECT * FROM finish();
ROLLBACK;
