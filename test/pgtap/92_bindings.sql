-- What a resource of another system stands for.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.double(input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT to_jsonb((input #>> '{}')::int * 2) $$;
CREATE FUNCTION t.triple(input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT to_jsonb((input #>> '{}')::int * 3) $$;
\set arn 'arn:aws:lambda:eu-central-1:111111111111:function:multiply'
CREATE TEMP TABLE d AS SELECT t.task(:'arn') AS definition;
GRANT SELECT ON d TO PUBLIC;

CREATE FUNCTION t.refusal(definition jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM dealix.publish('unbound', definition);
	RETURN 'it was published';
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END $$;

-- ---------- unbound ----------

SELECT matches(t.refusal(definition), '/States/Only/Resource: .*not bound', 'what is not bound is a problem, with its pointer') FROM d;
SELECT matches(t.refusal(definition), 'dealix\.bind\(''arn:aws:lambda:eu-central-1:111111111111:function:multiply'', ', 'which says how to bind') FROM d;
SELECT is((SELECT string_agg(code, ',') FROM d, dealix.validate(definition)), 'UNBOUND_RESOURCE', 'validate reports it');
SELECT is((SELECT count(*)::int FROM d, dealix.validate(definition, true)), 0, 'as the pure language it is right');

-- ---------- bound ----------

SELECT lives_ok(format('SELECT dealix.bind(%L, ''sql:t.double'')', :'arn'), 'bind');
SELECT results_eq('SELECT uri, target, author::text FROM dealix.bindings', format('VALUES (%L, ''sql:t.double'', ''tap_app'')', :'arn'), 'it shows in the view');
SELECT is((SELECT count(*)::int FROM d, dealix.validate(definition)), 0, 'then the definition is right');
SELECT is(t.output(t.run(definition, '21')), '42', 'and runs unchanged') FROM d;
SELECT is((SELECT bindings FROM dealix.workflow_details), jsonb_build_object(:'arn', 'sql:t.double'), 'the version says what it was bound to');
SELECT is((SELECT definition FROM dealix.workflow_details), definition, 'and has the definition as it was given') FROM d;

-- ---------- a version is immutable ----------

SELECT is(dealix.publish('multiply', definition), 1, 'version 1') FROM d;
SELECT is(dealix.publish('multiply', definition), 1, 'the same again is the same') FROM d;
CREATE TEMP TABLE r AS SELECT dealix.start('multiply', '5') AS old, NULL::uuid AS new;
SELECT dealix.bind(:'arn', 'sql:t.triple') \g /dev/null
UPDATE r SET new = dealix.start('multiply', '5');
SELECT t.settle(old), t.settle(new) FROM r \g /dev/null
SELECT is(t.output(old), '10', 'a later bind does not change a run that goes on') FROM r;
SELECT is(t.output(new), '10', 'nor a version that is published') FROM r;
SELECT is(dealix.publish('multiply', definition), 2, 'the same definition with another binding is another version') FROM d;
CREATE TEMP TABLE r2 AS SELECT dealix.start('multiply', '5') AS run;
SELECT t.settle(run) FROM r2 \g /dev/null
SELECT is(t.output(run), '15', 'which does what it was bound to') FROM r2;

SELECT ok(dealix.unbind(:'arn'), 'unbind');
SELECT ok(NOT dealix.unbind(:'arn'), 'once');
SELECT matches(t.refusal(definition), 'not bound', 'then it is not bound') FROM d;
CREATE TEMP TABLE r3 AS SELECT dealix.start('multiply', '5') AS run;
SELECT t.settle(run) FROM r3 \g /dev/null
SELECT is(t.output(run), '15', 'and published versions keep theirs') FROM r3;

-- ---------- what the binding leads to is checked like any resource ----------

SELECT dealix.bind(:'arn', 'sql:t.none') \g /dev/null
SELECT matches(t.refusal(definition), 'function t\.none does not exist', 'the target is checked at publish') FROM d;
SELECT dealix.bind(:'arn', 'sql:t.do') \g /dev/null
SELECT matches(t.refusal(t.task(:'arn', '{"Parameters": {"FunctionName": "f"}}')), 'cannot be called so', 'with the arguments that the definition gives');
SELECT is(t.call(:'arn', '{}', '{"Parameters": {"what": "bound"}}'), '"did bound"', 'arguments go by name');
SELECT dealix.bind('arn:aws:states:::aws-sdk:s3:putObject', 'sql:t.fail') \g /dev/null
SELECT is(t.call(:'arn', '{}', '{"Parameters": {"what": "undone"}, "Compensate": {"Resource": "arn:aws:states:::aws-sdk:s3:putObject", "Parameters": {}}}'),
	'"did undone"', 'a compensation can be bound too');

-- ---------- tokens ----------

SELECT dealix.bind('arn:aws:states:::sqs:sendMessage.waitForTaskToken', 'sql:t.echo') \g /dev/null
CREATE FUNCTION t.echo(input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT input $$;
SELECT matches(t.call('arn:aws:states:::sqs:sendMessage.waitForTaskToken', '{}', '{"Parameters": {"Token.$": "$$.Task.Token"}}'),
	'"Token": ".{20,}"', 'what stands for a callback sees the token, and answers itself');
SELECT matches(t.call('sql:t.echo', '{}', '{"Parameters": {"Token.$": "$$.Task.Token"}}'), 'FAILED States.Runtime', 'others have no token');

-- ---------- wrong bindings ----------

SELECT throws_ok('SELECT dealix.bind(''sql:t.do'', ''sql:t.do'')', '22023', NULL, 'a resource of ours needs none');
SELECT throws_ok('SELECT dealix.bind(''nonsense'', ''sql:t.do'')', '22023', NULL, 'what is no URI');
SELECT throws_ok('SELECT dealix.bind(''arn:aws'', ''sql:t.do'')', '22023', NULL, 'what is no ARN');
SELECT throws_ok(format('SELECT dealix.bind(%L, ''arn:aws:states:::sqs:sendMessage'')', :'arn'), '22023', NULL, 'a binding leads here at once');
SELECT throws_ok(format('SELECT dealix.bind(%L, ''sql:'')', :'arn'), '22023', NULL, 'a target without a name');
SELECT throws_ok(format('SELECT dealix.bind(%L, '''')', :'arn'), '22023', NULL, 'no target');

-- ---------- whose binding counts ----------

\set shared 'arn:aws:lambda:eu-central-1:111111111111:function:shared'
SELECT dealix.bind(:'shared', 'sql:t.double') \g /dev/null
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA t TO PUBLIC;
SET SESSION AUTHORIZATION tap_other;
SELECT matches(t.refusal(t.task(:'shared')), 'not bound', 'another author''s binding does not count');
SELECT ok(NOT dealix.unbind(:'shared'), 'nor can it be removed');
SELECT dealix.bind(:'shared', 'sql:t.triple') \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.output(t.run(t.task(:'shared'), '7')), '14', 'one''s own is not overruled by another''s');

RESET SESSION AUTHORIZATION;
CREATE ROLE tap_team NOLOGIN;
CREATE ROLE tap_member LOGIN IN ROLE tap_team;
SELECT dealix.grant_access('tap_member', 'application'), dealix.grant_access('tap_member', 'author'), dealix.grant_access('tap_team', 'author') \g /dev/null
SELECT dealix.bind(:'shared', 'sql:t.double') \g /dev/null
SET SESSION AUTHORIZATION tap_member;
SELECT is(t.output(t.run(t.task(:'shared', '{"Comment": "of a member"}'), '7')), '14', 'a binding of the extension''s owner counts for who has none');
SET ROLE tap_team;
SELECT dealix.bind(:'shared', 'sql:t.triple') \g /dev/null
RESET ROLE;
SELECT is((SELECT string_agg(target, ',' ORDER BY target) FROM dealix.bindings WHERE uri = :'shared'), 'sql:t.double,sql:t.double,sql:t.triple,sql:t.triple', 'each has his own');
SELECT dealix.publish('team', t.task(:'shared')) \g /dev/null
SELECT is((SELECT bindings ->> :'shared' FROM dealix.workflow_details WHERE workflow = 'team'), 'sql:t.triple', 'but that of one''s team comes first');

SELECT * FROM finish();
ROLLBACK;
