-- Runs that the data and the clock start: triggers, compensate, schedules.
-- pg_cron itself is for test/t: here its part is played by fire_schedule.
\ir setup.psql
SELECT no_plan();

CREATE TEMP TABLE r (run uuid);
INSERT INTO r VALUES (NULL);

-- ---------- triggers ----------

CREATE TABLE t.orders (id int, ref text, state text);
SELECT dealix.publish('order', '{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what.$": "$.ref"}, "Compensate": {"Resource": "sql:t.do", "Parameters": {"what": "undo"}}, "ResultPath": null, "Next": "B"},
	"B": {"Type": "Task", "Resource": "signal:go", "End": true}}}') \g /dev/null
CREATE TRIGGER start AFTER INSERT ON t.orders FOR EACH ROW EXECUTE FUNCTION dealix.start_run('order', 'id', 'ref');
CREATE TRIGGER undo AFTER DELETE ON t.orders FOR EACH ROW EXECUTE FUNCTION dealix.compensate_run('order', 'id');
CREATE TRIGGER undo_too AFTER UPDATE ON t.orders FOR EACH ROW WHEN (NEW.state = 'void') EXECUTE FUNCTION dealix.compensate_run('order', 'id', 'voided');
INSERT INTO t.orders VALUES (1, 'o1', 'new'), (2, 'o2', 'new'), (NULL, NULL, NULL);
SELECT is((SELECT count(*)::int FROM dealix.run_details WHERE workflow = 'order'), 3, 'a row, a run');
SELECT is((SELECT input::text || correlation_id FROM dealix.run_details WHERE key = '1'), '{"id": 1, "ref": "o1", "state": "new"}o1', 'with the row as input, and columns for key and correlation');
INSERT INTO t.orders VALUES (1, 'o1', 'again');
SELECT is((SELECT count(*)::int FROM dealix.run_details WHERE workflow = 'order'), 3, 'one run for one key');
SAVEPOINT s;
INSERT INTO t.orders VALUES (7, 'o7', 'new');
ROLLBACK TO s;
SELECT is((SELECT count(*)::int FROM dealix.run_details WHERE key = '7'), 0, 'a row that is rolled back starts none');
SELECT t.pump() \g /dev/null
DELETE FROM t.orders WHERE id = 2;
SELECT t.pump() \g /dev/null
SELECT is((SELECT status FROM dealix.run_details WHERE key = '2'), 'CANCELLED', 'a row that goes cancels its run');
SELECT is((SELECT count(*)::int FROM t.effect WHERE what = 'undo'), 1, 'and undoes it');
SELECT dealix.signal(run_id, 'go') FROM dealix.run_details WHERE key = '1' \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT status FROM dealix.run_details WHERE key = '1'), 'SUCCEEDED', 'a run that has succeeded');
UPDATE t.orders SET state = 'void' WHERE id = 1;
SELECT t.pump() \g /dev/null
SELECT is((SELECT status || error || cause FROM dealix.run_details WHERE key = '1'), 'CANCELLEDCompensatedvoided', 'is undone too');
SELECT is((SELECT count(*)::int FROM t.effect WHERE what = 'undo'), 2, 'once');
SELECT is(dealix.compensate(run_id), false, 'and not again') FROM dealix.run_details WHERE key = '1';
CREATE TRIGGER wrong BEFORE INSERT ON t.orders FOR EACH ROW EXECUTE FUNCTION dealix.start_run('order');
SELECT throws_ok('INSERT INTO t.orders VALUES (3)', '0A000', NULL, 'a trigger of another kind is refused');
DROP TRIGGER wrong ON t.orders;
CREATE TRIGGER wrong AFTER INSERT ON t.orders FOR EACH ROW EXECUTE FUNCTION dealix.start_run('order', 'nothing');
SELECT throws_ok('INSERT INTO t.orders VALUES (3)', '42703', NULL, 'a column that does not exist');

-- ---------- schedules ----------

SELECT throws_ok($$SELECT dealix.schedule('s', '* * * * *', 'order')$$, '0A000', 'schedules need the extension pg_cron in this database', 'without pg_cron it says what is missing');
SELECT dealix.publish('job', t.task('signal:go')) \g /dev/null
CREATE FUNCTION t.put(overlap text, catch_up interval DEFAULT '0') RETURNS void LANGUAGE sql AS
$$ SELECT dealix_internal.put_schedule('s', '* * * * *', 'job', '{"a": 1}', overlap, catch_up, '0') $$;
CREATE FUNCTION t.fire(at text) RETURNS text LANGUAGE sql AS $$ SELECT dealix.fire_schedule('s', at::timestamptz) $$;
CREATE FUNCTION t.jobs() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(status, ',' ORDER BY run_id) FROM dealix.run_details WHERE workflow = 'job' $$;
CREATE FUNCTION t.end_jobs() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM t.pump();
	PERFORM dealix.signal(run_id, 'go') FROM dealix.run_details WHERE workflow = 'job' AND status = 'RUNNING';
	PERFORM t.pump();
END $$;
SELECT throws_ok($$SELECT dealix.fire_schedule('s')$$, '42704', NULL, 'no such schedule');
SELECT t.put('skip') \g /dev/null
SELECT is(t.fire('2026-01-01 00:00Z'), 'STARTED', 'it is time');
SELECT is((SELECT key || input::text FROM dealix.run_details WHERE workflow = 'job'), 'schedule:s:2026-01-01T00:00:00.000Z{"a": 1}', 'a run with its input');
SELECT is(t.fire('2026-01-01 00:01Z'), 'SKIPPED', 'skip: not while one goes on');
SELECT t.end_jobs() \g /dev/null
SELECT is(t.fire('2026-01-01 00:02Z'), 'STARTED', 'but then');
SELECT is(t.jobs(), 'SUCCEEDED,RUNNING', 'two runs');
SELECT t.put('buffer_one') \g /dev/null
SELECT is(t.fire('2026-01-01 00:03Z') || t.fire('2026-01-01 00:04Z'), 'BUFFEREDSKIPPED', 'buffer_one: one is kept for later');
SELECT t.end_jobs() \g /dev/null
SELECT is(t.jobs(), 'SUCCEEDED,SUCCEEDED,RUNNING', 'and started when the one before has ended');
SELECT is((SELECT max(key) FROM dealix.run_details WHERE workflow = 'job'), 'schedule:s:2026-01-01T00:03:00.000Z', 'for its time');
SELECT t.put('allow') \g /dev/null
SELECT is(t.fire('2026-01-01 00:05Z'), 'STARTED', 'allow: several at a time');
SELECT t.put('cancel_other') \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.fire('2026-01-01 00:06Z'), 'STARTED', 'cancel_other');
SELECT t.pump() \g /dev/null
SELECT is(t.jobs(), 'SUCCEEDED,SUCCEEDED,CANCELLED,CANCELLED,RUNNING', 'cancels them');
SELECT t.end_jobs() \g /dev/null
SELECT is((SELECT count(*)::int FROM dealix.backfill('s', ARRAY['2025-01-01 00:00Z', '2025-01-02 00:00Z', '2026-01-01 00:00Z']::timestamptz[])), 3, 'backfill');
SELECT is((SELECT count(*)::int FROM dealix.run_details WHERE workflow = 'job'), 7, 'starts what was not started for its time');
SELECT t.end_jobs() \g /dev/null
SELECT t.put('skip', '1 hour') \g /dev/null
SELECT is(dealix.pause_schedule('s'), true, 'pause');
SELECT is(dealix.pause_schedule('s'), false, 'once');
SELECT is(dealix.fire_schedule('s', now() - interval '2 hours') || dealix.fire_schedule('s', now() - interval '1 minute'), 'PAUSEDPAUSED', 'nothing starts');
SELECT is(dealix.resume_schedule('s'), true, 'resume');
SELECT is((SELECT count(*)::int FROM dealix.run_details WHERE workflow = 'job'), 8, 'makes up for what was missed, as far back as catch_up');
SELECT is((SELECT last_outcome || (last_runs -> 0 ->> 'status') || jsonb_array_length(last_runs) FROM dealix.schedule_details), 'CAUGHT_UPRUNNING10', 'dealix.schedules shows it');

-- ---------- one time, one run ----------

SELECT t.end_jobs() \g /dev/null
SELECT t.put('cancel_other') \g /dev/null
SELECT is(t.fire('2027-01-01 00:00:00.734Z'), 'STARTED', 'pg_cron fires some time after the minute began');
SELECT is((SELECT max(key) FROM dealix.run_details WHERE workflow = 'job'), 'schedule:s:2027-01-01T00:00:00.000Z', 'the run is the minute''s');
SELECT is(t.fire('2027-01-01 00:00:59.9Z'), 'STARTED', 'a second fire within the minute');
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*)::int || min(status) FROM dealix.run_details WHERE key LIKE 'schedule:s:2027%'), '1RUNNING', 'starts and cancels nothing');
SELECT is((SELECT count(*)::int FROM dealix.backfill('s', ARRAY['2027-01-01 00:00Z', '2027-01-01 00:00:30Z']::timestamptz[])), 2, 'a backfill of what has run');
SELECT is((SELECT count(*)::int FROM dealix.run_details WHERE key LIKE 'schedule:s:2027%'), 1, 'does not double it');
SELECT t.put('buffer_one') \g /dev/null
SELECT is(t.fire('2027-01-01 00:01Z') || t.fire('2027-01-01 00:01:10Z'), 'BUFFEREDBUFFERED', 'what is kept for later is kept once');
SELECT t.end_jobs() \g /dev/null
SELECT is((SELECT count(*)::int FROM dealix.run_details WHERE key LIKE 'schedule:s:2027%'), 2, 'and starts once');
SELECT is(t.fire('2027-01-01 00:01:20Z'), 'STARTED', 'asked again, that is the answer');
SELECT t.end_jobs() \g /dev/null
SELECT dealix_internal.put_schedule('secs', '30 seconds', 'job', '{}', 'allow', '0', '0') \g /dev/null
SELECT is(dealix.fire_schedule('secs', '2027-01-01 00:00:01Z') || dealix.fire_schedule('secs', '2027-01-01 00:00:31Z') || dealix.fire_schedule('secs', '2027-01-01 00:00:32Z'), 'STARTEDSTARTEDSTARTED', 'a schedule by seconds');
SELECT is((SELECT string_agg(right(key, 13), ' ' ORDER BY key) FROM dealix.run_details WHERE key LIKE 'schedule:secs:%'), '00:00:00.000Z 00:00:30.000Z', 'has a run for each period');
SELECT is(dealix.fire_schedule('secs', '1999-12-31 23:59:31Z'), 'STARTED', 'also before 2000');
SELECT is((SELECT min(key) FROM dealix.run_details WHERE key LIKE 'schedule:secs:%'), 'schedule:secs:1999-12-31T23:59:30.000Z', 'rounded down there, too');
SELECT is(dealix.unschedule('secs'), true, 'gone');

-- ---------- what cannot be ----------

SELECT throws_ok($$SELECT dealix.fire_schedule('s', 'infinity')$$, '22008', NULL, 'no run for ever');
SELECT throws_ok($$SELECT dealix.backfill('s', ARRAY['infinity']::timestamptz[])$$, '22008', NULL, 'nor by a backfill');
SELECT throws_ok($$SELECT dealix.backfill('s', ARRAY['-infinity', now()]::timestamptz[])$$, '22008', NULL, 'nor since ever');
SELECT throws_ok($$SELECT dealix.backfill('s', ARRAY[now(), NULL])$$, '22004', NULL, 'nor for null');
SELECT throws_ok($$SELECT dealix.backfill('s', array_agg('2020-01-01 00:00Z'::timestamptz + i * interval '1 min')) FROM generate_series(1, 10001) i$$, '22023', '10001 times are too many for one backfill', 'nor for too many');
SELECT throws_ok($$SELECT t.put('skip', '300000 years')$$, '22023', 'catch_up is out of range', 'catch_up has a limit');
SELECT throws_ok($$SELECT t.put('skip', '-1 s')$$, '22023', 'catch_up is out of range', 'and is not negative');
SELECT throws_ok($$SELECT dealix_internal.put_schedule('s', '* * * * *', 'job', '{}', 'skip', '0', '31 days')$$, '22023', 'jitter is out of range', 'so jitter');
SELECT is((SELECT DISTINCT zone FROM dealix.schedule_details), coalesce(current_setting('cron.timezone', true), 'GMT'), 'the zone is said');

RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_other;
SELECT is((SELECT count(*)::int FROM dealix.schedule_details), 0, 'not to others');
SELECT throws_ok($$SELECT dealix.fire_schedule('s')$$, '42704', NULL, 'whom it does not obey');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT is(dealix.unschedule('s'), true, 'unschedule');
SELECT is(dealix.unschedule('s'), false, 'once');
SELECT t.end_jobs() \g /dev/null

SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');
SELECT * FROM finish();
ROLLBACK;
