-- max_concurrency of a workflow, and priorities.
\ir setup.psql
RESET SESSION AUTHORIZATION;
SELECT dealix.grant_access('tap_app', 'operator') \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT no_plan();

SELECT dealix.publish('limited', '{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what.$": "$.n"}, "ResultPath": null, "Next": "Go"},
	"Go": {"Type": "Task", "Resource": "signal:go", "End": true}}}') \g /dev/null
SELECT throws_ok($$ SELECT dealix.limit_workflow('nothing', 1) $$, '42704', NULL, 'there has to be such a workflow');
SELECT throws_ok($$ SELECT dealix.limit_workflow('limited', 0) $$, '22023', NULL, 'a limit of 0 is none');
SELECT lives_ok($$ SELECT dealix.limit_workflow('limited', 2) $$, 'its author may limit it');
SET SESSION AUTHORIZATION tap_other;
SELECT throws_ok($$ SELECT dealix.limit_workflow('limited', 9) $$, '42501', NULL, 'another author may not');
SET SESSION AUTHORIZATION tap_app;

CREATE TEMP TABLE r AS SELECT n, dealix.start('limited', jsonb_build_object('n', n::text), priority => CASE n WHEN 5 THEN 10 ELSE 0 END) AS run
	FROM generate_series(1, 5) n;
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*) FROM dealix.waiting_details WHERE waits_for = 'signal'), 2::bigint, 'two are in progress');
SELECT is((SELECT string_agg(name, ',') FROM dealix.waiting_details WHERE waits_for = 'concurrency'), 'limited,limited,limited', 'three wait for their turn');
SELECT ok(EXISTS (SELECT FROM t.effect WHERE what = '5'), 'the one of higher priority went first');
SELECT is((SELECT count(*) FROM dealix.waiting_details WHERE waits_for = 'concurrency' AND until IS NULL), 3::bigint, 'without a timer of their own');
SELECT is((SELECT count(*) FROM dealix.stuck()), 0::bigint, 'nobody is stuck');

CREATE FUNCTION t.let_one_go() RETURNS void LANGUAGE sql AS $$
	SELECT dealix.signal(run_id, 'go') FROM (SELECT run_id FROM dealix.waiting_details WHERE waits_for = 'signal' ORDER BY run_id LIMIT 1) x;
	SELECT t.pump() $$;
SELECT t.let_one_go() \g /dev/null
SELECT is((SELECT count(*) FROM dealix.waiting_details WHERE waits_for = 'signal'), 2::bigint, 'one ends, the next begins at once');
SELECT is(t.effects(), (SELECT string_agg(what, ',' ORDER BY n) FROM (SELECT DISTINCT ON (what) n, what FROM t.effect ORDER BY what, n) x), 'each began once');

SELECT dealix.cancel((SELECT run_id FROM dealix.waiting_details WHERE waits_for = 'concurrency' LIMIT 1)) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*) FROM dealix.run_details WHERE status = 'CANCELLED'), 1::bigint, 'who waits can be cancelled');

SELECT dealix.terminate((SELECT run_id FROM dealix.waiting_details WHERE waits_for = 'signal' LIMIT 1)) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT string_agg(waits_for, ',') FROM dealix.waiting_details), 'signal,signal', 'termination gives the slot back');

SELECT dealix.start('limited', '{"n": "6"}') FROM generate_series(1, 3) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT dealix.limit_workflow('limited', NULL) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*) FROM dealix.waiting_details WHERE waits_for = 'signal'), 5::bigint, 'without the limit all go on');

-- ---------- lowered under what is in progress ----------

CREATE FUNCTION t.in_progress() RETURNS int LANGUAGE sql AS
$$ SELECT count(*)::int FROM dealix.waiting_details WHERE waits_for = 'signal' $$;
SELECT dealix.signal(run_id, 'go') FROM dealix.waiting_details WHERE waits_for = 'signal' \g /dev/null
SELECT t.pump() \g /dev/null
SELECT dealix.limit_workflow('limited', 4) \g /dev/null
SELECT dealix.start('limited', '{"n": "7"}') FROM generate_series(1, 12) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.in_progress(), 4, 'four are in progress');
SELECT dealix.limit_workflow('limited', 2) \g /dev/null
SELECT t.let_one_go() \g /dev/null
SELECT is(t.in_progress(), 3, 'a lower limit: one ends, nobody begins');
SELECT t.let_one_go() \g /dev/null
SELECT is(t.in_progress(), 2, 'another ends, and the limit is reached');
SELECT t.let_one_go() \g /dev/null
SELECT is(t.in_progress(), 2, 'then one begins for one that ends');
SELECT t.let_one_go() \g /dev/null
SELECT is(t.in_progress(), 2, 'and so on');
SELECT dealix.limit_workflow('limited', 3) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.in_progress(), 3, 'raised again, it counts those in progress');
SELECT dealix.limit_workflow('limited', 1) \g /dev/null
SELECT dealix.signal(run_id, 'go') FROM (SELECT run_id FROM dealix.waiting_details WHERE waits_for = 'signal' ORDER BY run_id LIMIT 2) x \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.in_progress(), 1, 'two at once');
SELECT dealix.cancel(run_id) FROM dealix.waiting_details WHERE waits_for = 'signal' \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.in_progress(), 1, 'a cancelled one gives its slot back');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT string_agg(slot || CASE WHEN run_id IS NULL THEN ' free' ELSE ' taken' END, ',') FROM dealix.workflow_slot), '1 taken', 'no slot is left beyond the limit');
SET SESSION AUTHORIZATION tap_app;
SELECT throws_ok($$ SELECT dealix.limit_workflow('limited', -1) $$, '22023', NULL, 'a limit below 0');
SELECT throws_ok($$ SELECT dealix.limit_workflow('limited', 1000000) $$, '22023', NULL, 'a limit beyond reason');

-- What has failed and is redriven is in progress again.
CREATE FUNCTION t.broken() RETURNS void LANGUAGE plpgsql AS $$ BEGIN IF NOT EXISTS (SELECT FROM t.effect WHERE what = 'repaired') THEN RAISE 'broken'; END IF; END $$;
SELECT dealix.publish('failing', '{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.broken", "Parameters": {}, "ResultPath": null, "Next": "Go"},
	"Go": {"Type": "Task", "Resource": "signal:go", "End": true}}}') \g /dev/null
SELECT dealix.limit_workflow('failing', 2) \g /dev/null
CREATE TEMP TABLE f AS SELECT dealix.start('failing') AS run FROM generate_series(1, 4);
SELECT t.pump() \g /dev/null
SELECT is((SELECT string_agg(DISTINCT status, ',') FROM dealix.run_details WHERE workflow = 'failing'), 'FAILED', 'all have failed');
SELECT t.do('repaired') \g /dev/null
SELECT dealix.redrive(run) FROM f \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT string_agg(waits_for, ',' ORDER BY waits_for) FROM dealix.waiting_details WHERE workflow = 'failing'), 'concurrency,concurrency,signal,signal',
	'of those redriven, two are in progress and two wait');
SELECT dealix.signal(run_id, 'go') FROM dealix.waiting_details WHERE waits_for = 'signal' AND workflow = 'failing' \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT string_agg(waits_for, ',') FROM dealix.waiting_details WHERE workflow = 'failing'), 'signal,signal', 'and go on when those have ended');

-- ---------- what a slot costs ----------

SELECT dealix.publish('quick', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "quick"}, "End": true}}}') \g /dev/null
SELECT dealix.limit_workflow('quick', 2) \g /dev/null
RESET SESSION AUTHORIZATION;
CREATE FUNCTION t.slots(name text) RETURNS text LANGUAGE sql SECURITY DEFINER AS
$$ SELECT string_agg(s.slot || ' ' || s.ctid || coalesce(' ' || s.run_id, ''), ', ' ORDER BY s.slot) FROM dealix.workflow_slot s JOIN dealix.workflow w USING (workflow_id) WHERE w.name = slots.name $$;
SET SESSION AUTHORIZATION tap_app;
CREATE TEMP TABLE before AS SELECT t.slots('quick');
SELECT dealix.start('quick') FROM generate_series(1, 20) \g /dev/null
SELECT is(dealix.tick(), 20, 'one slot does for all runs that begin and end in a pass');
SELECT is(t.slots('quick'), (SELECT slots FROM before), 'and has no other version after them');

-- A slot that is given back goes to who begins in the same pass: one update.
SELECT dealix.publish('slow', '{"StartAt": "Go", "States": {"Go": {"Type": "Task", "Resource": "signal:go", "End": true}}}') \g /dev/null
SELECT dealix.limit_workflow('slow', 1) \g /dev/null
CREATE TEMP TABLE s AS SELECT dealix.start('slow') AS run;
SELECT t.pump() \g /dev/null
INSERT INTO s SELECT dealix.start('slow');
SELECT dealix.signal((SELECT run FROM s ORDER BY run LIMIT 1), 'go') \g /dev/null
SELECT dealix.tick() \g /dev/null
SELECT is((SELECT string_agg(w.waits_for, ',') FROM dealix.waiting_details w WHERE w.run_id IN (SELECT run FROM s)), 'signal', 'it is handed on within a pass');
SELECT matches(t.slots('slow'), '^1 \([0-9,]+\) ' || (SELECT max(run::text) FROM s) || '$', 'and the table says to whom');

-- ---------- a slot that nobody was woken for ----------

INSERT INTO s SELECT dealix.start('slow') FROM generate_series(1, 3);
SELECT t.pump() \g /dev/null
SELECT is((SELECT string_agg(waits_for, ',' ORDER BY waits_for) FROM dealix.waiting_details WHERE workflow = 'slow'), 'concurrency,concurrency,concurrency,signal', 'three wait');
SELECT is(dealix.tick(), 0, 'there is nothing to do while nothing happens');
RESET SESSION AUTHORIZATION;
UPDATE dealix.workflow_slot SET run_id = NULL WHERE workflow_id = (SELECT workflow_id FROM dealix.workflow WHERE name = 'slow');
SET SESSION AUTHORIZATION tap_other;
SELECT is(dealix.tick(), 0, 'it is not for those who have no runs');
SET SESSION AUTHORIZATION tap_app;
SELECT is(dealix.tick(), 1, 'a pass that finds nothing due finds it');
SELECT is((SELECT string_agg(waits_for, ',' ORDER BY waits_for) FROM dealix.waiting_details WHERE workflow = 'slow'), 'concurrency,concurrency,signal,signal', 'and no more than it has');
SELECT is(dealix.tick(), 0, 'then there is nothing to do again');
SELECT is((SELECT count(*) FROM dealix.stuck()), 0::bigint, 'and nobody is stuck');

SELECT * FROM finish();
ROLLBACK;
