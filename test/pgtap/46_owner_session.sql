-- Nothing of a definition is evaluated outside of a session of the run's owner,
-- whatever operators, approvers and workers call.
\ir setup.psql
SELECT no_plan();

-- The author's code says in whose session it runs.
CREATE TABLE t.seen (what text, session name, who name);
GRANT SELECT, INSERT ON t.seen TO PUBLIC;
CREATE FUNCTION t.spy(what text, value int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO t.seen VALUES (what, session_user, current_user);
	RETURN value;
END $$;
-- A domain whose check tells, too.
CREATE FUNCTION t.told(value int) RETURNS boolean LANGUAGE sql AS 'SELECT t.spy(''domain'', 1) = 1';
CREATE DOMAIN t.nosy AS int CHECK (t.told(VALUE));
CREATE FUNCTION t.nosy_step(n t.nosy) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION t.nosy_undo(n t.nosy) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION t.strangers() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(DISTINCT what || ' as ' || session || '/' || who, ', '), 'nobody') FROM t.seen
	WHERE session <> 'tap_app' OR who <> 'tap_app' $$;

RESET SESSION AUTHORIZATION;
CREATE ROLE tap_op LOGIN;
SELECT dealix.grant_access('tap_op', 'operator'), dealix.grant_access('tap_op', 'approver'), dealix.grant_access('tap_op', 'worker'),
	dealix.grant_access('tap_op', 'author'), dealix.grant_access('tap_app', 'operator') \g /dev/null
CREATE TABLE t.r (run uuid);
INSERT INTO t.r VALUES (NULL);
GRANT ALL ON t.r TO PUBLIC;
SET SESSION AUTHORIZATION tap_app;

SELECT dealix.publish('spied_child', '{"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": "signal:never", "End": true}}}') \g /dev/null

-- An incident with a branch in every kind of wait: each has a timer that the
-- author's code sets.
CREATE FUNCTION t.spied() RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('QueryLanguage', 'SQL', 'StartAt', 'Before', 'States', jsonb_build_object(
		'Before', '{"Type": "Task", "Resource": "sql:t.nosy_step", "Arguments": {"n": "{% t.spy(''arguments'', 1) %}"},
			"Compensate": {"Resource": "sql:t.nosy_undo", "Arguments": {"n": "{% t.spy(''undo'', 1) %}"}}, "Next": "P"}'::jsonb,
		'P', jsonb_build_object('Type', 'Parallel', 'End', true, 'Output', '{% t.spy(''joined'', 1) %}', 'Branches',
			jsonb_build_array('{"StartAt": "Once", "States": {"Once": {"Type": "Task", "Resource": "activity:once", "Delivery": "at_most_once",
				"TimeoutSeconds": "{% t.spy(''once'', 1) %}", "Output": "{% t.spy(''once output'', 1) %}", "End": true}}}'::jsonb)
			|| (SELECT jsonb_agg(jsonb_build_object('StartAt', name, 'States', jsonb_build_object(name, jsonb_build_object(
				'Type', 'Task', 'Resource', resource, 'TimeoutSeconds', format('{%% t.spy(%L, 3600) %%}', name),
				'Output', format('{%% t.spy(%L, 1) %%}', name || ' output'),
				'Retry', '[{"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1, "IntervalSeconds": 1}]'::jsonb,
				'Catch', jsonb_build_array(jsonb_build_object('ErrorEquals', '["Some.Error"]'::jsonb, 'Output', format('{%% t.spy(%L, 1) %%}', name || ' catch'), 'Next', name || ' done')),
				'End', true), name || ' done', '{"Type": "Succeed"}'::jsonb)))
				FROM (VALUES ('activity', 'activity:mail'), ('event', 'event:arrival'), ('child', 'workflow:spied_child'), ('approval', 'approval:pay'),
					('signal', 'signal:go'), ('token', 'sql:t.do.waitForTaskToken')) v (name, resource) WHERE name <> 'token')))) $$;

-- begins one and brings it to its incident
CREATE FUNCTION t.incident() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	begun uuid := t.begin(t.spied());
BEGIN
	UPDATE t.r SET run = begun;
	PERFORM t.pump();
	PERFORM dealix.claim('once', 'w', 1, '1 hour');
	PERFORM pg_sleep(1.1);
	RETURN t.settle(begun);
END $$;

SELECT is(t.incident(), 'INCIDENT', 'an incident, with branches that wait for everything');
SELECT is((SELECT count(DISTINCT what) FROM t.seen), 8::bigint, 'the author''s code has run');
SELECT is(t.strangers(), 'nobody', 'in the owner''s session');
TRUNCATE t.seen;

-- ---------- redrive ----------

SET SESSION AUTHORIZATION tap_op;
SELECT lives_ok(format('SELECT dealix.redrive(%L)', run), 'redrive') FROM t.r;
SELECT is_empty('SELECT * FROM t.seen', 'has run nothing');
RESET SESSION AUTHORIZATION;
SELECT is_empty('SELECT * FROM dealix.stuck()', 'all of it can be woken');
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT is((SELECT string_agg(DISTINCT what, ' ' ORDER BY what) FROM t.seen), 'approval child event once signal', 'the owner''s pass sets the timers anew');
SELECT is(t.strangers(), 'nobody', 'in the owner''s session');
SELECT is((SELECT count(*) FROM dealix.waiting_details WHERE run_id = run AND until > now() + interval '30 min'), 4::bigint, 'and they count from now') FROM t.r;

-- ---------- what answers ----------

SET SESSION AUTHORIZATION tap_op;
SELECT lives_ok(format('SELECT dealix.signal(%L, %L)', run, 'go'), 'signal') FROM t.r;
SELECT lives_ok($$SELECT dealix.publish_event('arrival', payload => '{}')$$, 'publish_event');
SELECT lives_ok(format('SELECT dealix.approve(%L)', id), 'approve') FROM dealix.approval_details, t.r WHERE run_id = run AND status = 'PENDING';
SELECT lives_ok($$SELECT dealix.complete(token, '{}') FROM dealix.claim('mail', 'op')$$, 'claim and complete');
SELECT lives_ok($$SELECT dealix.fail(token, 'Some.Error') FROM dealix.claim('once', 'op')$$, 'claim and fail');
SELECT is(t.strangers(), 'nobody', 'none of them runs a thing');
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run), 'FAILED', 'the run fails, and is undone') FROM t.r;
SELECT is((SELECT count(*) > 0 FROM t.seen WHERE what = 'undo'), true, 'by the author''s code');
SELECT is(t.strangers(), 'nobody', 'in the owner''s session');

-- ---------- what stops ----------

SELECT is(t.incident(), 'INCIDENT', 'another incident');
TRUNCATE t.seen;
SET SESSION AUTHORIZATION tap_op;
SELECT lives_ok(format('SELECT dealix.terminate(%L)', run), 'terminate') FROM t.r;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.incident(), 'INCIDENT', 'and another');
TRUNCATE t.seen;
SET SESSION AUTHORIZATION tap_op;
SELECT lives_ok(format('SELECT dealix.cancel(%L)', run), 'cancel') FROM t.r;
SELECT is_empty('SELECT * FROM t.seen', 'nothing has run');
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run), 'CANCELLED', 'it is cancelled') FROM t.r;
SELECT is(t.strangers(), 'nobody', 'in the owner''s session');
UPDATE t.r SET run = t.run('{"QueryLanguage": "SQL", "StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:t.fail",
	"Arguments": {"error": "Test.Failure"}, "TimeoutSeconds": "{% t.spy(''failed'', 60) %}", "End": true}}}');
TRUNCATE t.seen;
SET SESSION AUTHORIZATION tap_op;
SELECT lives_ok(format('SELECT dealix.redrive(%L)', run), 'redrive of a failed run') FROM t.r;
SELECT lives_ok(format('SELECT dealix.compensate(%L)', run), 'compensate') FROM t.r;
SELECT is_empty('SELECT * FROM t.seen', 'nothing has run');

-- ---------- another role's session ----------

SET SESSION AUTHORIZATION tap_app;
SELECT t.begin(t.spied()) \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT is(dealix.tick(), 0, 'a superuser''s tick advances no run of others');
GRANT tap_app TO tap_op;
SET SESSION AUTHORIZATION tap_op;
SELECT is(dealix.tick(), 0, 'nor does that of a member of the owner''s role');
SET ROLE tap_app;
SELECT throws_ok('SELECT dealix.tick()', '42501', NULL, 'not even as that role');
RESET ROLE;
SELECT is(t.strangers(), 'nobody', 'nobody has run anything');

SELECT * FROM finish();
ROLLBACK;
