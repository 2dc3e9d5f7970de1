-- Events, several at once, signal_with_start, and the outbox.
\ir setup.psql
SELECT no_plan();

CREATE TEMP TABLE r (run uuid);
INSERT INTO r VALUES (NULL);

-- ---------- events ----------

UPDATE r SET run = t.begin(t.task('event:paid', '{"Parameters": {"correlation_id.$": "$.order"}}'), '{"order": "o1"}');
SELECT is(dealix.publish_event('paid', 'o1'), 0::bigint, 'an event is not kept');
SELECT t.pump() \g /dev/null
SELECT is((SELECT waits_for || ' ' || name FROM dealix.waiting_details w WHERE w.run_id = r.run), 'event paid', 'a run waits for an event') FROM r;
SELECT is(dealix.publish_event('paid', 'o2'), 0::bigint, 'another correlation');
SELECT is(dealix.publish_event('paid'), 0::bigint, 'or none');
SELECT is(dealix.publish_event('shipped', 'o1'), 0::bigint, 'or another name does not reach it');
SELECT is(dealix.publish_event('paid', 'o1', '{"amount": 5}'), 1::bigint, 'its own does');
SELECT is(dealix.publish_event('paid', 'o1', '{"amount": 6}'), 1::bigint, 'twice, as long as it has not gone on');
SELECT is(t.settle(run), 'SUCCEEDED', 'it goes on') FROM r;
SELECT is(t.output(run), '{"amount": 5}', 'with the first one') FROM r;
SELECT is((SELECT count(*)::int FROM dealix.timeline(run) WHERE event = 'message_late'), 1, 'the second is on record as late') FROM r;
SELECT is(dealix.publish_event('paid', 'o1'), 0::bigint, 'nobody waits any more');

SELECT dealix.publish('corr', t.task('event:paid')) \g /dev/null
CREATE TEMP TABLE many AS SELECT dealix.start('corr', correlation_id => 'c' || i % 2) AS run FROM generate_series(1, 6) i;
SELECT t.pump() \g /dev/null
SELECT is(dealix.publish_event('paid', 'c1', '1'), 3::bigint, 'all runs with the correlation of their start');
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*)::int FROM many WHERE t.status(run) = 'SUCCEEDED'), 3, 'go on');
SELECT is(t.status(t.run(t.task('event:paid', '{"TimeoutSeconds": 1}'))), 'FAILED', 'an event that does not come in time');
SELECT is(dealix.publish_event('paid'), 0::bigint, 'leaves nobody waiting');

-- ---------- any and all ----------

UPDATE r SET run = t.begin(t.task('event:paid|refused', '{"Parameters": {"correlation_id": 7}}'));
SELECT t.pump() \g /dev/null
SELECT dealix.publish_event('refused', '7', '"no"') \g /dev/null
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.output(run), '{"name": "refused", "payload": "no"}', 'the first of several events') FROM r;
UPDATE r SET run = t.begin(t.task('event:paid&packed', '{"Parameters": {"correlation_id": "x"}}'));
SELECT t.pump() \g /dev/null
SELECT dealix.publish_event('packed', 'x', '1') \g /dev/null
SELECT t.pump() \g /dev/null
SELECT dealix.publish_event('packed', 'x', '2') \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'RUNNING', 'all of several: one is not enough') FROM r;
SELECT dealix.publish_event('paid', 'x', '3') \g /dev/null
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.output(run), '{"paid": 3, "packed": 1}', 'the first of each name') FROM r;
UPDATE r SET run = t.begin(t.task('signal:yes|no'));
SELECT dealix.signal(run, 'no', '1') FROM r \g /dev/null
SELECT dealix.signal(run, 'yes', '2') FROM r \g /dev/null
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.output(run), '{"name": "no", "payload": 1}', 'the first of several signals') FROM r;
UPDATE r SET run = t.begin(t.task('signal:yes&no'));
SELECT t.pump() \g /dev/null
SELECT dealix.signal(run, 'no', '1') FROM r \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'RUNNING', 'all of several signals') FROM r;
SELECT dealix.signal(run, 'yes', '2') FROM r \g /dev/null
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.output(run), '{"no": 1, "yes": 2}', 'when both are there') FROM r;
SELECT is((SELECT code FROM dealix.validate(t.task('signal:a|b&c'))), 'INVALID_RESOURCE', '| and & do not mix');
SELECT is((SELECT code FROM dealix.validate(t.task('event:a||b'))), 'INVALID_RESOURCE', 'a name is missing');

-- ---------- signal_with_start ----------

SELECT dealix.publish('w', t.task('signal:go')) \g /dev/null
UPDATE r SET run = dealix.signal_with_start('w', 'k', 'go', '1', '{"a": 1}');
SELECT is(dealix.signal_with_start('w', 'k', 'go', '2', '{"a": 2}'), run, 'the same key is the same run, whatever the input') FROM r;
SELECT is(t.settle(run), 'SUCCEEDED', 'it was started and signalled') FROM r;
SELECT is(t.output(run), '1', 'in order') FROM r;
SELECT throws_ok($$SELECT dealix.signal_with_start('w', 'k', 'go')$$, 'DX006', NULL, 'a run that has ended is not started again');

-- ---------- the outbox ----------

SELECT is_empty($$SELECT * FROM dealix.read_outbox('before')$$, 'a consumer that is there before');
SELECT dealix.publish('e', '{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "emit:order.made", "Parameters": {"n": 1}, "ResultPath": "$.sent", "Next": "B"},
	"B": {"Type": "Task", "Resource": "emit:order.sent", "Parameters": {"n": 2}, "ResultPath": null, "End": true}}}') \g /dev/null
UPDATE r SET run = dealix.start('e', correlation_id => 'corr');
SELECT t.settle(run) FROM r \g /dev/null
SELECT is((SELECT string_agg(topic, ',' ORDER BY id) FROM dealix.read_outbox('before')), 'order.made,order.sent', 'a run''s events, in its order');
SELECT is((SELECT string_agg(topic, ',' ORDER BY id) FROM dealix.read_outbox('after')), 'order.made,order.sent', 'a consumer that comes later gets them too');
CREATE TEMP TABLE o AS SELECT * FROM dealix.read_outbox('before');
SELECT is(event - '{id,time}'::text[], jsonb_build_object('specversion', '1.0', 'source', '/dealix/e', 'type', 'order.made', 'subject', run,
	'datacontenttype', 'application/json', 'correlationid', 'corr', 'data', '{"n": 1}'::jsonb), 'a CloudEvents envelope') FROM o, r WHERE topic = 'order.made';
SELECT ok(event ->> 'time' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$' AND event ->> 'id' ~ '^[0-9a-f-]{36}$', 'with id and time') FROM o WHERE topic = 'order.made';
SELECT is(t.output(run) -> 'sent' ->> 'id', event ->> 'id', 'the state knows the id') FROM o, r WHERE topic = 'order.made';
SELECT is(dealix.ack('before', ARRAY[id]), 1::bigint, 'acknowledged') FROM o WHERE topic = 'order.made';
SELECT is(dealix.ack('before', ARRAY[id]), 0::bigint, 'once') FROM o WHERE topic = 'order.made';
SELECT is((SELECT string_agg(topic, ',') FROM dealix.read_outbox('before')), 'order.sent', 'it does not come again');
SELECT is((SELECT count(*)::int FROM dealix.read_outbox('after', 1)), 1, 'for the other consumer it does');
SELECT is((SELECT count(*)::int FROM dealix.outbox_details), 2, 'until both have it');
SELECT dealix.ack('after', array_agg(id)) FROM o \g /dev/null
SELECT is((SELECT string_agg(topic || waits_for::text, ',') FROM dealix.outbox_details), 'order.sent{before}', 'then it is gone');
SELECT is(dealix.drop_consumer('before'), true, 'a consumer that goes');
SELECT is_empty('SELECT * FROM dealix.outbox_details', 'holds up nothing');
SELECT throws_ok($$SELECT dealix.ack('before', '{1}')$$, '42704', NULL, 'and is unknown');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_other;
SELECT dealix.read_outbox('theirs') \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT dealix.start('e') \g /dev/null
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_other;
SELECT is_empty($$SELECT * FROM dealix.read_outbox('theirs')$$, 'another role does not read it');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;

-- an emitted event may ask for an answer
UPDATE r SET run = t.begin(t.task('emit:ask.waitForTaskToken', '{"Parameters": {"reply.$": "$$.Task.Token"}, "TimeoutSeconds": 60}'));
SELECT t.pump() \g /dev/null
SELECT is((SELECT waits_for FROM dealix.waiting_details w WHERE w.run_id = r.run), 'token', 'the run waits for the token') FROM r;
SELECT is(dealix.complete(event -> 'data' ->> 'reply', '"yes"'), 'COMPLETED', 'who has the token answers') FROM dealix.read_outbox('after') WHERE topic = 'ask';
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.output(run), '"yes"', 'and the run goes on') FROM r;
SELECT is(t.error(t.run(t.task('emit:ask.waitForTaskToken', '{"TimeoutSeconds": 1}'))), 'States.Timeout', 'or it gives up');
CREATE FUNCTION t.keep(token text) RETURNS void LANGUAGE sql AS $$INSERT INTO t.effect (what) VALUES (token)$$;
UPDATE r SET run = t.begin(t.task('sql:t.keep.waitForTaskToken', '{"Parameters": {"token.$": "$$.Task.Token"}}'));
SELECT t.pump() \g /dev/null
SELECT is(dealix.complete(what, '"by sql"'), 'COMPLETED', 'a sql: step gives its token away') FROM t.effect;
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.output(run), '"by sql"', 'and waits for the answer') FROM r;

SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');
SELECT * FROM finish();
ROLLBACK;
