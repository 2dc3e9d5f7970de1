-- Limits per owner: nobody is kept waiting by what another owner has.
\ir setup.psql
RESET SESSION AUTHORIZATION;
CREATE ROLE tap_operator LOGIN;
SELECT dealix.grant_access('tap_operator', 'operator') \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT no_plan();

SELECT dealix.publish('shop', '{"StartAt": "Go", "States": {"Go": {"Type": "Task", "Resource": "signal:go", "End": true}}}') \g /dev/null
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA t TO PUBLIC;

-- What each owner has, in progress and waiting for a slot; and what is wrong.
CREATE FUNCTION t.line() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(format('%s %s+%s', owner, going, waiting), ', ' ORDER BY owner) FROM (
		SELECT r.owner::regrole::text AS owner, count(*) FILTER (WHERE b.phase = 4) AS going, count(*) FILTER (WHERE b.phase = 12) AS waiting
		FROM dealix.branch b JOIN dealix.run r USING (run_id) GROUP BY 1) x $$;
CREATE FUNCTION t.wrong() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(what, '; ') FROM (
		SELECT reason AS what FROM dealix_internal.unwakeable
		UNION ALL SELECT format('%s has no slot', b.run_id) FROM dealix.branch b JOIN dealix.run r USING (run_id) JOIN dealix.workflow w USING (workflow_id)
			WHERE b.phase = 4 AND w.max_concurrency IS NOT NULL AND NOT EXISTS (SELECT FROM dealix.workflow_slot s
				WHERE s.run_id = b.run_id AND s.owner = CASE WHEN w.per_owner THEN r.owner::oid ELSE 0 END)
		UNION ALL SELECT format('slots of %s in a set that is not of its limit', name) FROM dealix.workflow w JOIN dealix.workflow_slot s USING (workflow_id)
			WHERE (s.owner <> 0) <> w.per_owner) x $$;
RESET SESSION AUTHORIZATION;
ALTER FUNCTION t.line() OWNER TO CURRENT_USER;
ALTER FUNCTION t.wrong() OWNER TO CURRENT_USER;

-- Passes of both owners until nothing moves.
CREATE PROCEDURE t.both() LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 3 LOOP
		SET SESSION AUTHORIZATION tap_app;
		PERFORM t.pump();
		RESET SESSION AUTHORIZATION;
		SET SESSION AUTHORIZATION tap_other;
		PERFORM t.pump();
		RESET SESSION AUTHORIZATION;
	END LOOP;
END $$;
CREATE PROCEDURE t.go(who text, runs int) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET SESSION AUTHORIZATION %I', who);
	PERFORM dealix.signal(run_id, 'go') FROM (SELECT run_id FROM dealix.waiting_details WHERE waits_for = 'signal' ORDER BY run_id LIMIT runs) x;
	RESET SESSION AUTHORIZATION;
	CALL t.both();
END $$;
CREATE PROCEDURE t.start(who text, workflow text, runs int) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET SESSION AUTHORIZATION %I', who);
	PERFORM dealix.start(workflow) FROM generate_series(1, runs);
	RESET SESSION AUTHORIZATION;
END $$;

-- ---------- workflows ----------

SELECT dealix.limit_workflow('shop', 2, per_owner => true) \g /dev/null
CALL t.start('tap_app', 'shop', 6);
CALL t.start('tap_other', 'shop', 3);
CALL t.both();
SELECT is(t.line(), 'tap_app 2+4, tap_other 2+1', 'each owner has as many in progress as the limit');
SELECT is(t.wrong(), NULL, 'in its own slots');
SELECT is((SELECT string_agg(concat_ws(' ', owner, used, max), ', ' ORDER BY owner::text) FROM dealix.limits WHERE kind = 'workflow'), 'tap_app 2 2, tap_other 2 2', 'operators see who is at the limit');
CALL t.go('tap_other', 2);
SELECT is(t.line(), 'tap_app 2+4, tap_other 1+0', 'what one gives back is not for the other');
CALL t.go('tap_app', 1);
SELECT is(t.line(), 'tap_app 2+3, tap_other 1+0', 'but for the next of the same');
SELECT is((SELECT string_agg(DISTINCT name, ',') FROM dealix.waiting_details WHERE waits_for = 'concurrency'), 'shop', 'who waits says for which workflow');

SELECT dealix.limit_workflow('shop', 1, per_owner => true) \g /dev/null
CALL t.both();
SELECT is(t.line(), 'tap_app 2+3, tap_other 1+0', 'under a lower limit nobody is stopped');
CALL t.go('tap_app', 1);
SELECT is(t.line(), 'tap_app 1+3, tap_other 1+0', 'and nobody begins before there are fewer');
CALL t.go('tap_app', 1);
SELECT is(t.line(), 'tap_app 1+2, tap_other 1+0', 'then the next does');
SELECT dealix.limit_workflow('shop', 2, per_owner => true) \g /dev/null
CALL t.both();
SELECT is(t.line(), 'tap_app 2+1, tap_other 1+0', 'under a higher one more of them');
SELECT is(t.wrong(), NULL, 'all slots are where they belong');

SELECT dealix.limit_workflow('shop', 2) \g /dev/null
CALL t.both();
SELECT is(t.line(), 'tap_app 2+1, tap_other 1+0', 'one limit for all counts what all have');
SELECT is(t.wrong(), NULL, 'in one set');
CALL t.go('tap_app', 1);
SELECT is(t.line(), 'tap_app 1+1, tap_other 1+0', 'three were in progress: none begins');
CALL t.go('tap_other', 1);
SELECT is(t.line(), 'tap_app 2+0', 'two: one does, whatever the other had');
SELECT dealix.limit_workflow('shop', 1, per_owner => true) \g /dev/null
CALL t.start('tap_other', 'shop', 2);
CALL t.both();
SELECT is(t.line(), 'tap_app 2+0, tap_other 1+1', 'and back to each for itself');
SELECT is(t.wrong(), NULL, 'with the slots that they have');

GRANT tap_other TO tap_app;
SELECT dealix.reassign('tap_app', 'tap_other') \g /dev/null
CALL t.both();
SELECT is(t.line(), 'tap_other 3+1', 'runs that change hands take their slots along');
SELECT is(t.wrong(), NULL, 'into the new owner''s set');
CALL t.go('tap_other', 1);
SELECT is(t.line(), 'tap_other 2+1', 'who has more than the limit then waits until there are fewer');
CALL t.go('tap_other', 1);
SELECT is(t.line(), 'tap_other 1+1', 'as many as that');
CALL t.go('tap_other', 1);
CALL t.go('tap_other', 1);
SELECT is(t.line(), NULL, 'in the end all have had their turn');
SELECT is((SELECT count(*) FROM dealix.workflow_slot WHERE run_id IS NOT NULL), 0::bigint, 'and every slot is free');
SELECT dealix.limit_workflow('shop', NULL) \g /dev/null
SELECT is((SELECT count(*) FROM dealix.workflow_slot), 0::bigint, 'no limit, no slots');

-- ---------- activities ----------

SET SESSION AUTHORIZATION tap_app;
SELECT dealix.publish('mail', t.task('activity:mail', '{"TimeoutSeconds": 3600}')) \g /dev/null
SET SESSION AUTHORIZATION tap_other;
SELECT dealix.publish('post', t.task('activity:mail', '{"TimeoutSeconds": 3600}')) \g /dev/null
RESET SESSION AUTHORIZATION;
CALL t.start('tap_app', 'mail', 8);
CALL t.start('tap_other', 'post', 3);
CALL t.both();
CREATE ROLE tap_worker LOGIN;
SELECT dealix.grant_access('tap_worker', 'worker') \g /dev/null
CREATE TABLE t.claimed (token text, owner text);
GRANT ALL ON t.claimed TO tap_worker;
CREATE FUNCTION t.owner_of(run uuid) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT owner::regrole::text FROM dealix.run WHERE run_id = $1 $$;
CREATE FUNCTION t.take(most int) RETURNS text LANGUAGE sql AS $$
	WITH n AS (INSERT INTO t.claimed SELECT token, t.owner_of(run_id) FROM dealix.claim('mail', 'w', most) RETURNING owner)
	SELECT string_agg(format('%s %s', n, owner), ', ' ORDER BY owner) FROM (SELECT count(*) AS n, owner FROM n GROUP BY 2) x $$;
GRANT USAGE ON SCHEMA t TO tap_worker;
CREATE FUNCTION t.done(who text, tasks int) RETURNS void LANGUAGE sql AS $$
	WITH d AS (DELETE FROM t.claimed WHERE token IN (SELECT token FROM t.claimed WHERE owner = who ORDER BY token LIMIT tasks) RETURNING token)
	SELECT dealix.complete(token) FROM d $$;
SELECT dealix.limit_activity('mail', 2, per_owner => true) \g /dev/null
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(10), '2 tap_app, 2 tap_other', 'a worker gets as many tasks of each owner as the limit');
SELECT is(t.take(10), NULL, 'and no more');
SELECT is((SELECT string_agg(concat_ws(' ', owner, used, max), ', ' ORDER BY owner::text) FROM dealix.limits WHERE kind = 'activity'), NULL, 'of whose limits it sees nothing');
SELECT t.done('tap_other', 1) \g /dev/null
SELECT is(t.take(10), '1 tap_other', 'what one gives back is not for the other');
SELECT t.done('tap_other', 2) \g /dev/null
SELECT is(t.take(10), NULL, 'also when that one has no more tasks');
SELECT t.done('tap_app', 1) \g /dev/null
SELECT is(t.take(10), '1 tap_app', 'but for the same');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_operator;
SELECT is((SELECT string_agg(concat_ws(' ', owner, used, max), ', ' ORDER BY owner::text) FROM dealix.limits WHERE kind = 'activity'), 'tap_app 2 2, tap_other 0 2', 'operators see who is at the limit');
SELECT dealix.limit_activity('mail', 2) \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT is((SELECT string_agg(concat_ws(' ', owner, slot, taken), ', ' ORDER BY slot) FROM dealix.activity_slot), '0 1 t, 0 2 t', 'a limit for all counts what they have');
CALL t.start('tap_other', 'post', 3);
CALL t.both();
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(10), NULL, 'so nobody gets more');
RESET SESSION AUTHORIZATION;
SELECT dealix.limit_activity('mail', 2, per_owner => true) \g /dev/null
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(10), '2 tap_other', 'and back: who had nothing does');
SELECT t.done('tap_app', 2) \g /dev/null
SELECT t.done('tap_other', 2) \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM dealix.activity_slot WHERE taken), 0::bigint, 'all slots are given back');

-- A rate: a bucket each.
SELECT dealix.limit_activity('mail', rate => 0.001, per_owner => true) \g /dev/null
CALL t.both();
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(10), '1 tap_app, 1 tap_other', 'a token of each owner''s');
SELECT is(t.take(10), NULL, 'and no more of anybody''s');
RESET SESSION AUTHORIZATION;
SELECT dealix.limit_activity('mail', 3, 1000000, per_owner => true) \g /dev/null
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(10), '3 tap_app', 'with both, what both allow');
RESET SESSION AUTHORIZATION;

-- Runs that change hands take the slots of their tasks along.
SELECT dealix.limit_activity('mail') \g /dev/null
SET SESSION AUTHORIZATION tap_worker;
SELECT t.take(100) \g /dev/null
SELECT t.done('tap_app', 100), t.done('tap_other', 100) \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT dealix.limit_activity('mail', 2, per_owner => true) \g /dev/null
CALL t.start('tap_app', 'mail', 5);
CALL t.both();
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(10), '2 tap_app', 'an owner is at the limit');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT dealix.reassign('tap_app', 'tap_other') \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT is((SELECT string_agg(concat_ws(' ', owner, used, max), ', ' ORDER BY owner::text) FROM dealix.limits WHERE kind = 'activity'), 'tap_other 2 2', 'and so is who has its runs now');
SET SESSION AUTHORIZATION tap_worker;
SELECT is(t.take(10), NULL, 'who gets no more');
SELECT t.done('tap_app', 2) \g /dev/null
SELECT is(t.take(10), '2 tap_other', 'before they are done');
SELECT t.done('tap_other', 2) \g /dev/null
RESET SESSION AUTHORIZATION;

SELECT * FROM finish();
ROLLBACK;
