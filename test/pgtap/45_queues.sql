-- The line of tasks over all owners, leases that end, and tasks taken away.
\ir setup.psql
SELECT no_plan();

RESET SESSION AUTHORIZATION;
CREATE ROLE tap_worker LOGIN;
CREATE ROLE tap_operator LOGIN;
SELECT dealix.grant_access('tap_worker', 'worker'), dealix.grant_access('tap_operator', 'operator') \g /dev/null

-- A run of the role, as important as said.
CREATE PROCEDURE t.line(who text, names text[], important int[]) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET SESSION AUTHORIZATION %I', who);
	PERFORM dealix.publish('line of ' || who, t.task('activity:line', '{"TimeoutSeconds": 3600}'));
	FOR i IN 1 .. cardinality(names) LOOP
		PERFORM dealix.start('line of ' || who, to_jsonb(names[i]), priority => important[i]);
		PERFORM t.pump();
	END LOOP;
	RESET SESSION AUTHORIZATION;
END $$;
CREATE FUNCTION t.take(max int) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(input #>> '{}', ',' ORDER BY n) FROM dealix.claim('line', 'w', max) WITH ORDINALITY c (token, input, run_id, state, deadline, correlation_id, traceparent, details, idempotency_key, attempt, task, n) $$;

CALL t.line('tap_app', '{a1,a2,a3}', '{0,0,0}');
CALL t.line('tap_other', '{o1,o2}', '{0,5}');
CALL t.line('tap_app', '{a4,a5}', '{0,9}');
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(1), 'a5', 'the most important one of all owners');
SELECT is(t.take(1), 'o2', 'then the other owner''s');
SELECT is(t.take(4), 'a1,a2,a3,o1', 'then by age, several at once');
RESET SESSION AUTHORIZATION;
CALL t.line('tap_other', '{o3}', '{7}');
CALL t.line('tap_app', '{a6}', '{8}');
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(10), 'a6,o3,a4', 'what comes in later and is more important, at once');
RESET SESSION AUTHORIZATION;
-- Whichever of the two roles is the older one, its less important tasks wait.
CALL t.line('tap_other', '{p1}', '{9}');
CALL t.line('tap_app', '{b1}', '{5}');
CALL t.line('tap_other', '{p2}', '{0}');
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(10), 'p1,b1,p2', 'in turn, where one owner has the first and the last');
RESET SESSION AUTHORIZATION;
CALL t.line('tap_app', '{b2}', '{9}');
CALL t.line('tap_other', '{p3}', '{5}');
CALL t.line('tap_app', '{b3}', '{0}');
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(10), 'b2,p3,b3', 'and where the other one has');
RESET SESSION AUTHORIZATION;
CALL t.line('tap_other', '{p4}', '{1}');
CALL t.line('tap_app', '{b4}', '{6}');
CALL t.line('tap_other', '{p5}', '{3}');
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(1), 'b4', 'one at a time, the most important of all first');
SELECT is(t.take(10), 'p5,p4', 'then the rest');
RESET SESSION AUTHORIZATION;
CALL t.line('tap_app', '{b5}', '{1}');
CALL t.line('tap_other', '{p6}', '{6}');
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(1), 'p6', 'whoever it belongs to');
SELECT is(t.take(10), 'b5', 'then what is left');
RESET SESSION AUTHORIZATION;
CALL t.line('tap_other', '{o4}', '{0}');
CALL t.line('tap_app', '{a7,a8}', '{0,0}');
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.take(1), 'a7', 'a role without rights on the other has a line of its own');
RESET SESSION AUTHORIZATION;
CALL t.line('tap_app', '{a9}', '{1}');
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.take(1), 'a9', 'in which the important one goes first as well, at once');
RESET SESSION AUTHORIZATION;
SELECT dealix.limit_activity('line', 10) \g /dev/null
CALL t.line('tap_other', '{o5}', '{3}');
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(10), 'o5,o4,a8', 'the same under a limit');
RESET SESSION AUTHORIZATION;

-- ---------- leases ----------

SET SESSION AUTHORIZATION tap_worker;
SELECT throws_ok($$SELECT * FROM dealix.claim('line', 'w', 1, '100 years')$$, '22023', 'lease must not be longer than 86400 s', 'a lease of 100 years is refused');
SELECT throws_ok($$SELECT * FROM dealix.claim('line', 'w', 1, '86401 s')$$, '22023', 'lease must not be longer than 86400 s', 'and one that is a second too long');
SELECT lives_ok($$SELECT * FROM dealix.claim('line', 'w', 1, '1 day')$$, 'one of a day is not');

-- ---------- taken away ----------

SELECT throws_ok($$SELECT dealix.release_task(gen_random_uuid())$$, '42501', NULL, 'workers take nothing away');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
CREATE TEMP TABLE r AS SELECT t.begin(t.task('activity:taken', '{"Retry": [{"ErrorEquals": ["States.HeartbeatTimeout"], "MaxAttempts": 1, "IntervalSeconds": 1}]}')) AS run;
SELECT t.pump() \g /dev/null
CREATE TEMP TABLE c AS SELECT * FROM dealix.claim('taken', 'lazy worker');
GRANT ALL ON c, r TO PUBLIC;
RESET SESSION AUTHORIZATION;
SELECT dealix.limit_activity('taken', 1) \g /dev/null
SET SESSION AUTHORIZATION tap_operator;
SELECT is((SELECT owner || ' ' || worker || ' ' || status FROM dealix.activity_details WHERE activity = 'taken'), 'tap_app lazy worker CLAIMED', 'operators see who has what');
SELECT is((SELECT dealix.release_task(task, 'asleep') FROM c), true, 'and take it away');
SELECT is((SELECT dealix.release_task(task, 'asleep') FROM c), false, 'once');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT throws_ok($$SELECT dealix.complete(token) FROM c$$, 'DX003', NULL, 'what the worker says is refused');
SELECT t.pump() \g /dev/null
SELECT pg_sleep(1.2) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*)::int FROM dealix.timeline(run) t WHERE t::text LIKE '%tap_operator%took%lazy worker%asleep%'), 1, 'the history says who and why') FROM r;
CREATE TEMP TABLE second AS SELECT * FROM dealix.claim('taken', 'w');
SELECT is((SELECT attempt FROM second), 2, 'the next attempt is claimed');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_operator;
SELECT is((SELECT dealix.release_task(task) FROM c), true, 'taken away as well, without a reason');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*)::int FROM dealix.activity_slot WHERE activity = 'taken' AND taken), 0, 'its slot is free');
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run, '1 minute'), 'FAILED', 'without a Retry the state fails') FROM r;
SELECT is(t.error(run), 'States.Timeout', 'as one whose lease is over') FROM r;

SELECT * FROM finish();
ROLLBACK;
