-- Activities: claim, heartbeat, complete, fail; timeouts; tokens that are refused.
\ir setup.psql
SELECT no_plan();

CREATE TEMP TABLE r (run uuid);
INSERT INTO r VALUES (NULL);
CREATE TEMP TABLE c AS SELECT * FROM dealix.claim('nothing', 'w');

CREATE FUNCTION t.claim(activity text, lease interval DEFAULT NULL, max int DEFAULT 1) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM c;
	INSERT INTO c SELECT * FROM dealix.claim(activity, 'w1', max, lease);
	RETURN (SELECT string_agg(token, ' ') FROM c);
END $$;

-- ---------- the plain way ----------

UPDATE r SET run = t.begin(t.task('activity:mail', '{"Parameters": {"to.$": "$.to"}, "ResultPath": "$.sent"}'), '{"to": "me"}');
SELECT is_empty($$SELECT * FROM dealix.claim('mail', 'w1')$$, 'nothing before the run has come to it');
SELECT t.pump() \g /dev/null
SELECT is((SELECT waits_for || ' ' || name FROM dealix.waiting_details w WHERE w.run_id = r.run), 'activity mail', 'dealix.waiting shows it') FROM r;
SELECT is((SELECT status || ' ' || activity FROM dealix.activity_details a WHERE a.run_id = r.run), 'QUEUED mail', 'dealix.activities too') FROM r;
SELECT is_empty('SELECT * FROM dealix.stuck()', 'waiting for a worker is not being stuck');
SELECT is_empty($$SELECT * FROM dealix.claim('other', 'w1')$$, 'another activity has no work');
SELECT isnt(t.claim('mail', '1 minute'), NULL, 'a worker claims it');
SELECT is(input, '{"to": "me"}', 'and gets the effective input') FROM c;
SELECT is(attempt, 1, 'the attempt') FROM c;
SELECT is(state, 'Only', 'the state') FROM c;
SELECT is(c.run_id, r.run, 'the run') FROM c, r;
SELECT ok(deadline BETWEEN now() + interval '50 s' AND clock_timestamp() + interval '60 s', 'until when it has it') FROM c;
SELECT is(c.token, c.task || '.1', 'and a token of task and attempt') FROM c;
SELECT is_empty($$SELECT * FROM dealix.claim('mail', 'w2')$$, 'nobody else gets it');
SELECT is(dealix.heartbeat(token, '{"at": 1}'), true, 'a heartbeat') FROM c;
SELECT is((SELECT details FROM dealix.activity_details a WHERE a.run_id = r.run), '{"at": 1}', 'whose details are seen') FROM r;
SELECT is(dealix.complete(token, '"ok"'), 'COMPLETED', 'it completes') FROM c;
SELECT is(dealix.complete(token, '"again"'), 'COMPLETED', 'said again, it is told the outcome') FROM c;
SELECT is(dealix.fail(token, 'Late'), 'COMPLETED', 'also if it says something else then') FROM c;
SELECT is(t.settle(run), 'SUCCEEDED', 'the run goes on') FROM r;
SELECT is(t.output(run), '{"to": "me", "sent": "ok"}', 'with the first output') FROM r;
SELECT is(dealix.complete(token), 'COMPLETED', 'the outcome is known after the end of the run') FROM c;
SELECT is(t.events(run), 'run_started, activity_scheduled Only, step_succeeded Only, run_succeeded', 'the history') FROM r;
SELECT is_empty('SELECT * FROM dealix.activity_details', 'nothing is left behind');

-- ---------- failures and Retry ----------

CREATE FUNCTION t.caught(more jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('StartAt', 'A', 'States', jsonb_build_object(
		'A', '{"Type": "Task", "Resource": "activity:mail", "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "B"}], "Next": "B"}'::jsonb || more,
		'B', '{"Type": "Succeed"}'::jsonb)) $$;
UPDATE r SET run = t.begin(t.caught('{"Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 2, "JitterStrategy": "NONE"}]}'));
SELECT t.pump() \g /dev/null
CREATE TEMP TABLE keys (key text, token text);
SELECT t.claim('mail') \g /dev/null
INSERT INTO keys SELECT idempotency_key, token FROM c;
SELECT dealix.heartbeat(token, '"half"') FROM c \g /dev/null
SELECT is(dealix.fail(token, 'Busy', 'come back'), 'FAILED', 'a worker fails') FROM c;
SELECT is(dealix.fail(token, 'Busy', 'come back'), 'FAILED', 'and is told so again') FROM c;
SELECT t.pump() \g /dev/null
SELECT is((SELECT waits_for FROM dealix.waiting_details w WHERE w.run_id = r.run), 'retry', 'Retry waits') FROM r;
SELECT pg_sleep(1.05) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(dealix.complete(token), 'FAILED', 'the old token has its outcome') FROM c;
SELECT t.claim('mail') \g /dev/null
SELECT is(attempt, 2, 'the second attempt') FROM c;
SELECT is(details, '"half"', 'is told of the last heartbeat') FROM c;
SELECT is(idempotency_key, (SELECT key FROM keys), 'and has the same idempotency key') FROM c;
SELECT isnt(token, (SELECT token FROM keys), 'with another token') FROM c;
SELECT is(dealix.fail(token, 'Busy', 'no use', false), 'FAILED', 'a failure that must not be retried') FROM c;
SELECT is(t.settle(run), 'SUCCEEDED', 'goes to Catch') FROM r;
SELECT is(t.output(run) -> 'e', '{"Error": "Busy", "Cause": "no use"}', 'with error and cause') FROM r;

-- a redrive is another attempt at the same task
UPDATE r SET run = t.begin(t.task('activity:mail'));
SELECT t.pump() \g /dev/null
SELECT t.claim('mail') \g /dev/null
CREATE TEMP TABLE before AS SELECT * FROM c;
SELECT dealix.fail(token, 'E') FROM c \g /dev/null
SELECT is(t.settle(run), 'FAILED', 'a task that has failed') FROM r;
RESET SESSION AUTHORIZATION;
SELECT dealix.redrive(run) FROM r \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT t.claim('mail') \g /dev/null
SELECT is(c.idempotency_key || c.attempt, b.idempotency_key || '2', 'keeps its key when the run is redriven') FROM c, before b;
SELECT dealix.complete(token) FROM c \g /dev/null
SELECT is(t.settle(run), 'SUCCEEDED', 'and completes') FROM r;

-- ---------- tokens that are refused ----------

SELECT throws_ok('SELECT dealix.complete(''nonsense'')', '22023', NULL, 'what is no token');
SELECT throws_ok('SELECT dealix.complete(''00000000-0000-7000-8000-000000000000.1'')', 'DX003', NULL, 'a token of no task');
SELECT throws_ok('SELECT dealix.heartbeat(''00000000-0000-7000-8000-000000000000.1'')', 'DX003', NULL, 'for a heartbeat too');
UPDATE r SET run = t.begin(t.caught('{"Retry": [{"ErrorEquals": ["States.HeartbeatTimeout"], "IntervalSeconds": 1, "MaxAttempts": 1, "JitterStrategy": "NONE"}]}'));
SELECT t.pump() \g /dev/null
SELECT throws_ok(format('SELECT dealix.complete(%L)', task_id || '.1'), 'DX003', NULL, 'a token that nobody has claimed') FROM dealix.activity_details;
SELECT t.claim('mail', '3 s') \g /dev/null
INSERT INTO keys SELECT idempotency_key, token FROM c;
SELECT dealix.heartbeat(token) FROM c \g /dev/null
SELECT pg_sleep(3.1) \g /dev/null
SELECT throws_ok(format('SELECT dealix.complete(%L)', token), 'DX003', NULL, 'a lease that is over, before anybody has noticed') FROM c;
SELECT throws_ok(format('SELECT dealix.heartbeat(%L)', token), 'DX003', NULL, 'cannot be renewed') FROM c;
SELECT t.pump() \g /dev/null
SELECT pg_sleep(1.05) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT throws_ok(format('SELECT dealix.complete(%L)', token), 'DX003', NULL, 'nor completed after the next attempt has begun') FROM c;
SELECT t.claim('mail') \g /dev/null
SELECT is(attempt, 2, 'the task goes to the next worker') FROM c;
SELECT is(count(DISTINCT key)::int, 2, 'under its key') FROM (SELECT key FROM keys UNION ALL SELECT idempotency_key FROM c) k;
SELECT throws_ok(format('SELECT dealix.complete(%L)', k.token), 'DX003', NULL, 'the old token stays refused') FROM keys k, c WHERE k.key = c.idempotency_key;
SELECT is(dealix.complete(token, '1'), 'COMPLETED', 'the new one is good') FROM c;
SELECT is(t.settle(run), 'SUCCEEDED', 'and the run ends once') FROM r;

-- ---------- the four timeouts ----------

CREATE FUNCTION t.timeout(more jsonb, claims boolean, beats int DEFAULT 0) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	run uuid := t.begin(t.task('activity:slow', more));
BEGIN
	PERFORM t.pump();
	IF claims THEN
		PERFORM t.claim('slow');
		FOR i IN 1 .. beats LOOP
			PERFORM pg_sleep(1.5);
			PERFORM t.pump();
			PERFORM dealix.heartbeat(token) FROM c;
		END LOOP;
	END IF;
	PERFORM t.settle(run);
	RETURN t.error(run) || ': ' || (regexp_match(t.cause(run), 'schedule_to_start|schedule_to_close|start_to_close|heartbeat|ScheduleToCloseSeconds'))[1];
END $$;
SELECT is(t.timeout('{"ScheduleToStartSeconds": 1}', false), 'States.Timeout: schedule_to_start', 'nobody claims it in time');
SELECT is(t.timeout('{"TimeoutSeconds": 1}', true), 'States.Timeout: start_to_close', 'the attempt takes too long');
SELECT is(t.timeout('{"TimeoutSeconds": 3, "HeartbeatSeconds": 1}', true), 'States.Timeout: heartbeat', 'no heartbeat in time is recorded as AWS does');
SELECT is(t.timeout('{"TimeoutSeconds": 8, "HeartbeatSeconds": 5}', true, 4), 'States.Timeout: start_to_close', 'heartbeats renew the lease, but not for ever');
SELECT is(t.timeout('{"ScheduleToCloseSeconds": 1, "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 9}]}', true), 'States.Timeout: schedule_to_close', 'all attempts together');
SELECT is(t.timeout('{"ScheduleToStartSeconds": 1, "ScheduleToCloseSeconds": 2, "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 9, "IntervalSeconds": 2, "JitterStrategy": "NONE"}]}', false),
	'States.Timeout: ScheduleToCloseSeconds', 'also while Retry waits');

-- ---------- at most once ----------

UPDATE r SET run = t.begin(t.task('activity:once', '{"Delivery": "at_most_once", "TimeoutSeconds": 3, "Retry": [{"ErrorEquals": ["States.ALL"]}]}'));
SELECT t.pump() \g /dev/null
SELECT t.claim('once') \g /dev/null
SELECT pg_sleep(3.1) \g /dev/null
SELECT is(t.settle(run), 'INCIDENT', 'an outcome that is not known is an incident, not another attempt') FROM r;
SELECT is_empty($$SELECT * FROM dealix.claim('once', 'w2')$$, 'nobody gets it');
SELECT throws_ok(format('SELECT dealix.complete(%L)', token), 'DX003', NULL, 'and the worker comes too late') FROM c;
RESET SESSION AUTHORIZATION;
SELECT dealix.redrive(run) FROM r \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT t.claim('once') \g /dev/null
SELECT is(attempt, 2, 'redrive hands it out again') FROM c;
SELECT is(dealix.fail(token, 'Known'), 'FAILED', 'a failure is an outcome that is known') FROM c;
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'RUNNING', 'and retried') FROM r;
SELECT dealix.cancel(run) FROM r \g /dev/null
SELECT is(t.settle(run), 'CANCELLED', 'or not') FROM r;

-- what comes for an incident waits for the redrive, and stands in nobody's way
UPDATE r SET run = t.begin('{"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
	{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:once", "Delivery": "at_most_once", "TimeoutSeconds": 1, "End": true}}},
	{"StartAt": "B", "States": {"B": {"Type": "Task", "Resource": "activity:mail", "End": true}}}]}}}');
SELECT t.pump() \g /dev/null
SELECT t.claim('once') \g /dev/null
SELECT t.claim('mail') \g /dev/null
SELECT pg_sleep(1.1) \g /dev/null
SELECT is(t.settle(run), 'INCIDENT', 'an incident in one branch') FROM r;
SELECT is(dealix.complete(token, '"kept"'), 'COMPLETED', 'does not refuse what completes in another') FROM c;
SELECT is(dealix.tick(), 0, 'it is left for later');
CREATE TEMP TABLE other AS SELECT t.begin(t.task('signal:go')) AS run;
SELECT t.pump() \g /dev/null
SELECT dealix.signal(run, 'go') FROM other \g /dev/null
SELECT is(dealix.tick(1), 1, 'and other runs go on');
RESET SESSION AUTHORIZATION;
SELECT dealix.redrive(run) FROM r \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT t.claim('once') \g /dev/null
SELECT dealix.complete(token, '"again"') FROM c \g /dev/null
SELECT is(t.settle(run), 'SUCCEEDED', 'redrive takes it in') FROM r;
SELECT is(t.output(run), '["again", "kept"]', 'with its output') FROM r;

-- ---------- cancel ----------

UPDATE r SET run = t.begin(t.task('activity:mail'));
SELECT t.pump() \g /dev/null
SELECT dealix.cancel(run) FROM r \g /dev/null
SELECT is(t.settle(run), 'CANCELLED', 'a cancel') FROM r;
SELECT is_empty('SELECT * FROM dealix.activity_details', 'takes back what nobody has claimed');
UPDATE r SET run = t.begin(t.task('activity:mail'));
SELECT t.pump() \g /dev/null
SELECT t.claim('mail') \g /dev/null
SELECT dealix.cancel(run) FROM r \g /dev/null
SELECT is(t.settle(run), 'CANCELLED', 'a cancel of what is claimed does not wait for the worker') FROM r;
SELECT is((SELECT status FROM dealix.activity_details), 'CANCELLED', 'who is told');
SELECT is(dealix.heartbeat(token), false, 'at the next heartbeat') FROM c;
SELECT throws_ok(format('SELECT dealix.complete(%L)', token), 'DX003', NULL, 'it cannot complete any more') FROM c;
SELECT is(dealix.fail(token, 'Stopped'), 'CANCELLED', 'but answer') FROM c;
SELECT is_empty('SELECT * FROM dealix.activity_details', 'and is out of it');

-- ---------- many at once ----------

UPDATE r SET run = t.begin('{"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "activity:mail", "End": true}}}}}}', '[1, 2, 3, 4, 5]');
SELECT t.pump() \g /dev/null
SELECT t.claim('mail', NULL, 10) \g /dev/null
SELECT is(count(*)::int, 5, 'all items of a Map are claimed together') FROM c;
SELECT is((SELECT array_agg(o) FROM dealix.complete_many((SELECT array_agg(token ORDER BY token) FROM c) || ARRAY['00000000-0000-7000-8000-000000000000.1'],
	(SELECT array_agg(to_jsonb((input::text)::int * 10) ORDER BY token) FROM c) || 'null'::jsonb) o),
	ARRAY['COMPLETED', 'COMPLETED', 'COMPLETED', 'COMPLETED', 'COMPLETED', 'REFUSED'], 'and completed together; the one that is not good is named');
SELECT is(t.settle(run), 'SUCCEEDED', 'the Map ends') FROM r;
SELECT is(t.output(run), '[10, 20, 30, 40, 50]', 'with all results in order') FROM r;

-- a failing item takes the others back
UPDATE r SET run = t.begin('{"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "activity:mail", "End": true}}}}}}', '[1, 2, 3]');
SELECT t.pump() \g /dev/null
SELECT t.claim('mail') \g /dev/null
SELECT dealix.fail(token, 'E') FROM c \g /dev/null
SELECT is(t.settle(run), 'FAILED', 'a failed item') FROM r;
SELECT is_empty('SELECT * FROM dealix.activity_details', 'takes the tasks of the others back');

-- ---------- task tokens ----------

UPDATE r SET run = t.begin(t.task('activity:mail.waitForTaskToken', '{"Parameters": {"reply.$": "$$.Task.Token"}}'));
SELECT t.pump() \g /dev/null
SELECT t.claim('mail', '1 s') \g /dev/null
SELECT is(input ->> 'reply', token, 'the token is in the context') FROM c;
SELECT pg_sleep(1.1) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(dealix.complete(input ->> 'reply', '"answered"'), 'COMPLETED', 'whoever has it answers, whenever') FROM c;
SELECT is(t.settle(run), 'SUCCEEDED', 'and the run goes on') FROM r;
SELECT is(t.output(run), '"answered"', 'with the answer') FROM r;

-- ---------- limits ----------

RESET SESSION AUTHORIZATION;
SELECT dealix.limit_activity('mail', max_in_flight => 2) \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT t.begin(t.task('activity:mail')) FROM generate_series(1, 5) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT t.claim('mail', NULL, 10) \g /dev/null
SELECT is(count(*)::int, 2, 'not more in flight than allowed') FROM c;
SELECT is_empty($$SELECT * FROM dealix.claim('mail', 'w2', 10)$$, 'for nobody');
SELECT dealix.complete(token) FROM c LIMIT 1 \g /dev/null
SELECT is(count(*)::int, 1, 'one completed, one more') FROM dealix.claim('mail', 'w2', 10);
RESET SESSION AUTHORIZATION;
SELECT dealix.limit_activity('mail', rate => 0.2) \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT is(count(*)::int, 1, 'a rate') FROM dealix.claim('mail', 'w2', 10);
SELECT is_empty($$SELECT * FROM dealix.claim('mail', 'w2', 10)$$, 'is not exceeded');
SELECT pg_sleep(5.1) \g /dev/null
SELECT is(count(*)::int, 1, 'but used') FROM dealix.claim('mail', 'w2', 10);
RESET SESSION AUTHORIZATION;
SELECT dealix.limit_activity('mail', rate => 10) \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT t.begin(t.task('activity:mail')) FROM generate_series(1, 4) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(count(*)::int, 4, 'all that a rate allows are returned') FROM dealix.claim('mail', 'w2', 10);
SELECT throws_ok($$SELECT dealix.limit_activity('mail')$$, '42501', NULL, 'limits are for operators');

RESET SESSION AUTHORIZATION;
SELECT throws_ok(format('SELECT dealix.limit_activity(%s)', a), '22023', NULL, 'refused: ' || left(a, 30))
FROM unnest(ARRAY['''bad'', 0', '''bad'', -1', '''bad'', 100001', '''bad'', 2147483647', '''bad'', rate => 0', '''bad'', rate => -1',
	'''bad'', rate => ''NaN''', '''bad'', rate => ''Infinity''', '''bad'', rate => ''-Infinity''', '''bad'', rate => 1e300',
	'''bad'', rate => 1e-300', '''bad'', 5, 0', ''''', 5', format('%L, 5', repeat('x', 513))]) a;
SELECT throws_ok('SELECT dealix.limit_activity(NULL, 5)', '22004', NULL, 'which activity');
SELECT is_empty($$SELECT FROM dealix.activity_limit WHERE activity = 'bad'$$, 'what is refused limits nothing');
SELECT lives_ok(format('SELECT dealix.limit_activity(''edge'', %s)', a), 'good: ' || a)
FROM unnest(ARRAY['1, 1e-9', '1, 1e9', '100000', 'NULL, 0.5', 'NULL, NULL']) a;

-- Limits are for operators, and these tests for workers.
CREATE TABLE t.had (n int GENERATED ALWAYS AS IDENTITY, token text, run uuid);
GRANT ALL ON t.had TO tap_app;
CREATE FUNCTION t.limit(activity text, max_in_flight int DEFAULT NULL, rate float8 DEFAULT NULL) RETURNS void
	LANGUAGE sql SECURITY DEFINER AS 'SELECT dealix.limit_activity(activity, max_in_flight, rate)';
CREATE FUNCTION t.slots(activity text) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
	SELECT count(*) FILTER (WHERE taken) || ' of ' || count(*) FROM dealix.activity_slot s WHERE s.activity = slots.activity $$;
SET SESSION AUTHORIZATION tap_app;
CREATE FUNCTION t.take(activity text, max int DEFAULT 10, lease interval DEFAULT NULL) RETURNS int LANGUAGE sql AS $$
	WITH h AS (INSERT INTO t.had (token, run) SELECT token, run_id FROM dealix.claim(activity, 'w', max, lease) RETURNING 1) SELECT count(*)::int FROM h $$;
CREATE FUNCTION t.next() RETURNS text LANGUAGE sql AS 'DELETE FROM t.had WHERE n = (SELECT min(n) FROM t.had) RETURNING token';

-- lowered under what is in flight
SELECT t.begin(t.task('activity:slot')) FROM generate_series(1, 60) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT t.limit('slot', 3) \g /dev/null
SELECT is(t.take('slot'), 3, 'three in flight');
SELECT t.limit('slot', 2) \g /dev/null
SELECT is(t.take('slot'), 0, 'the limit is lowered');
SELECT dealix.complete(t.next()) \g /dev/null
SELECT is(t.take('slot'), 0, 'as many as the new limit are still in flight');
SELECT dealix.complete(t.next()) \g /dev/null
SELECT is(t.take('slot'), 1, 'one less: one more');
SELECT is(t.take('slot'), 0, 'and no other');
SELECT t.limit('slot', 5) \g /dev/null
SELECT is(t.take('slot'), 3, 'raised again: up to five');
SELECT t.limit('slot', 1) \g /dev/null
SELECT dealix.complete(t.next()) FROM generate_series(1, 4) \g /dev/null
SELECT is(t.take('slot'), 0, 'one of five is left, and fills a limit of one');
SELECT dealix.complete(t.next()) \g /dev/null
SELECT is(t.take('slot'), 1, 'when it is done there is room');
SELECT is(t.slots('slot'), '1 of 1', 'slots beyond the limit are gone');

-- taken away and set again
SELECT t.limit('slot', 2) \g /dev/null
SELECT is(t.take('slot'), 1, 'two in flight');
SELECT t.limit('slot') \g /dev/null
SELECT is(t.take('slot', 1), 1, 'no limit, one more');
SELECT t.limit('slot', 2) \g /dev/null
SELECT is(t.take('slot'), 0, 'a limit that is set again counts the two of before');
SELECT dealix.complete(t.next()) \g /dev/null
SELECT is(t.take('slot'), 1, 'one of them is done');
SELECT t.limit('slot', 1) \g /dev/null
SELECT is(t.take('slot'), 0, 'set again and lower');
SELECT dealix.complete(t.next()) FROM generate_series(1, 3) \g /dev/null
SELECT is(split_part(t.slots('slot'), ' ', 1), '0', 'all are done');

-- every way for a slot to come back
SELECT is(t.take('slot'), 1, 'the slot is taken');
SELECT dealix.fail(t.next(), 'E') \g /dev/null
SELECT is(t.take('slot', lease => '3 s'), 1, 'it comes back by a failure');
SELECT is(t.take('slot'), 0, 'the lease goes on');
SELECT pg_sleep(3.1) \g /dev/null
SELECT t.pump() \g /dev/null
DELETE FROM t.had;
SELECT is(t.take('slot'), 1, 'by the end of a lease');
SELECT dealix.cancel(run) FROM t.had \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.take('slot'), 0, 'what is cancelled is in flight until the worker says');
SELECT dealix.fail(t.next(), 'Stopped') \g /dev/null
SELECT is(t.take('slot', lease => '3 s'), 1, 'by the answer to a cancellation');
SELECT dealix.cancel(run) FROM t.had \g /dev/null
SELECT t.pump() \g /dev/null
SELECT pg_sleep(3.1) \g /dev/null
SELECT t.pump() \g /dev/null
DELETE FROM t.had;
SELECT is(t.take('slot'), 1, 'or by the end of its lease');
SELECT dealix.complete_many(ARRAY[t.next()], ARRAY['1'::jsonb]) \g /dev/null
SELECT is(t.take('slot'), 1, 'by complete_many');
SAVEPOINT before;
SELECT dealix.complete(t.next()) \g /dev/null
SELECT is(t.take('slot'), 1, 'by a completion');
ROLLBACK TO before;
SELECT is(t.take('slot'), 0, 'which is rolled back');
SELECT dealix.complete(t.next()) \g /dev/null
SAVEPOINT before;
SELECT is(t.take('slot'), 1, 'taken');
ROLLBACK TO before;
SELECT is(t.take('slot'), 1, 'and by a claim that is rolled back');
SELECT dealix.complete(t.next()) \g /dev/null
SELECT is(t.slots('slot'), '0 of 1', 'it is there');

-- nobody comes back for a task whose token was handed on
SELECT t.limit('ask', 1) \g /dev/null
SELECT t.begin(t.task('activity:ask.waitForTaskToken')) \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.take('ask'), 1, 'a task whose answer needs no claim');
SELECT is((SELECT deadline FROM dealix.activity_details WHERE activity = 'ask'), NULL, 'waits for ever');
SELECT dealix.cancel(run) FROM t.had \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT status FROM dealix.activity_details WHERE activity = 'ask' AND deadline < now() + '10 min'), 'CANCELLED', 'but not when it is cancelled');
DELETE FROM t.had;

-- rates
SELECT t.limit('slot', 5, 0.001) \g /dev/null
SELECT is(t.take('slot'), 1, 'a rate below the max_in_flight');
SELECT t.limit('slot', 4, 0.001) \g /dev/null
SELECT is(t.take('slot'), 0, 'goes on when it is set again');
SELECT t.limit('slot', 4, 1000) \g /dev/null
SELECT is(t.take('slot'), 3, 'another one begins anew, and the max_in_flight counts');
SELECT t.limit('slot', NULL, 0.001) \g /dev/null
SELECT is(t.take('slot'), 1, 'only a rate');
SELECT is(t.take('slot'), 0, 'is a limit too');
SELECT t.limit('slot', NULL, 1.5) \g /dev/null
SELECT is(t.take('slot'), 1, 'a burst is not more than a second''s worth');
SELECT t.limit('slot', NULL, 20) \g /dev/null
SELECT ok(t.take('slot', 7) = 7 AND t.take('slot', 2) = 2, 'shards make no difference to who is alone');
SELECT pg_sleep(0.5) \g /dev/null
SELECT t.limit('slot') \g /dev/null
SELECT ok(t.take('slot') > 0, 'without limits there is none');

-- ---------- whose tasks ----------

UPDATE r SET run = t.begin(t.task('activity:private'));
SELECT t.pump() \g /dev/null
SET SESSION AUTHORIZATION tap_other;
SELECT is_empty($$SELECT * FROM dealix.claim('private', 'w')$$, 'another role does not get the task');
SELECT is_empty($$SELECT * FROM dealix.activity_details WHERE activity = 'private'$$, 'nor sees it');
RESET SESSION AUTHORIZATION;
GRANT ALL ON c TO tap_other;
SELECT dealix.grant_access('tap_other', 'worker') \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT t.claim('private') \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT dealix.revoke_access('tap_other', 'worker') \g /dev/null
SELECT dealix.grant_access('tap_other', 'application') \g /dev/null
SET SESSION AUTHORIZATION tap_other;
SELECT throws_ok(format('SELECT dealix.complete(%L)', token), 'DX003', NULL, 'a token is not a right') FROM c;
RESET SESSION AUTHORIZATION;
SELECT dealix.grant_access('tap_other', 'worker') \g /dev/null
SET SESSION AUTHORIZATION tap_other;
SELECT is(dealix.complete(token), 'COMPLETED', 'a role with the access worker has it') FROM c;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run), 'SUCCEEDED', 'and the run ends') FROM r;

SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');
RESET SESSION AUTHORIZATION;
DELETE FROM dealix.activity_task;
SELECT isnt_empty('SELECT * FROM dealix.stuck()', 'a task that is lost would be noticed');

SELECT * FROM finish();
ROLLBACK;
