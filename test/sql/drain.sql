--
-- Without background workers: tick and drain do everything.
--
SET client_min_messages = warning;
-- the server may have workers; here they stand aside
LOAD 'dealix_exec';
ALTER SYSTEM SET dealix_exec.workers = 0;
SELECT pg_reload_conf();
SELECT pg_sleep(0.2);
CREATE ROLE regress_dx_drain LOGIN;
SELECT FROM dealix.grant_access('regress_dx_drain', 'application') AS a1, dealix.grant_access('regress_dx_drain', 'author') AS a2;
CREATE SCHEMA regress_drain AUTHORIZATION regress_dx_drain;
SET SESSION AUTHORIZATION regress_dx_drain;
CREATE TABLE regress_drain.effect (what text, xid xid8 DEFAULT pg_current_xact_id());
CREATE FUNCTION regress_drain.do(what text) RETURNS void LANGUAGE sql AS 'INSERT INTO regress_drain.effect (what) VALUES (what)';
CREATE FUNCTION regress_drain.deny() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM dealix.raise(''Denied'', ''no''); END';
SELECT dealix.publish('drain', '{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:regress_drain.do", "Parameters": {"what": "a"}, "ResultPath": null, "Next": "W"},
	"W": {"Type": "Wait", "SecondsPath": "$.wait", "Next": "B"},
	"B": {"Type": "Task", "Resource": "sql:regress_drain.do", "Parameters": {"what": "b"}, "ResultPath": null, "End": true}}}');
SELECT dealix.publish('deny', '{"StartAt": "D", "States": {"D": {"Type": "Task", "Resource": "sql:regress_drain.deny", "End": true}}}');
-- nothing to do
SELECT dealix.tick();
CALL dealix.drain();
-- one pass, in the caller's transaction
SELECT count(*) FROM dealix.start_many('drain', ARRAY(SELECT jsonb_build_object('wait', 0, 'i', i) FROM generate_series(1, 3) i));
BEGIN;
SELECT dealix.tick();
SELECT status, count(*) FROM dealix.run_details GROUP BY status;
ROLLBACK;
SELECT status, count(*) FROM dealix.run_details GROUP BY status;
SELECT count(*) AS effects FROM regress_drain.effect;
SELECT dealix.tick(max_runs => 1);
SELECT status, count(*) FROM dealix.run_details GROUP BY status ORDER BY status;
-- passes with a commit after each
CALL dealix.drain();
SELECT status, count(*) FROM dealix.run_details GROUP BY status;
SELECT what, count(*) FROM regress_drain.effect GROUP BY what ORDER BY what;
SELECT count(*) FROM dealix.start_many('drain', ARRAY(SELECT jsonb_build_object('wait', 0, 'i', i) FROM generate_series(1, 300) i));
CALL dealix.drain('1 minute');
SELECT status, count(*) FROM dealix.run_details GROUP BY status;
SELECT what, count(*), count(DISTINCT xid) > 1 AS several_transactions FROM regress_drain.effect GROUP BY what ORDER BY what;
-- drain commits, so it cannot be called where that is not possible
BEGIN;
CALL dealix.drain();
ROLLBACK;
-- what is not due stays
SELECT dealix.start('drain', '{"wait": 3600}', 'later') IS NOT NULL AS started;
CALL dealix.drain();
SELECT status FROM dealix.run_details WHERE key = 'later';
SELECT workflow, state, waits_for, name, until > now() + interval '50 min' AS for_long FROM dealix.waiting_details;
-- what fails does not stop the loop
SELECT count(*) FROM (SELECT dealix.start(CASE i % 2 WHEN 0 THEN 'deny' ELSE 'drain' END, '{"wait": 0}', 'mixed-' || i) FROM generate_series(1, 4) i) x;
CALL dealix.drain();
SELECT key, status, error, cause FROM dealix.run_details WHERE key LIKE 'mixed-%' ORDER BY key;
-- wait for a run that has ended, and for one that has not
SELECT run_id AS done FROM dealix.run_details WHERE key = 'mixed-1' \gset
SELECT run_id AS later FROM dealix.run_details WHERE key = 'later' \gset
CALL dealix.wait(:'done');
CALL dealix.wait(:'later', '10 ms');
CALL dealix.wait('00000000-0000-7000-8000-000000000000', '10 ms');
-- arguments out of range
SELECT dealix.tick(max_runs => 0);
SELECT dealix.tick(max_runs => -1);
SELECT dealix.tick(max_time => '-1 s');
SELECT * FROM dealix.stuck();
RESET SESSION AUTHORIZATION;
DROP SCHEMA regress_drain CASCADE;
SELECT dealix.reassign('regress_dx_drain', current_user::regrole) >= 0 AS handed_over;
DROP OWNED BY regress_dx_drain;
DROP ROLE regress_dx_drain;
ALTER SYSTEM RESET dealix_exec.workers;
SELECT pg_reload_conf();
