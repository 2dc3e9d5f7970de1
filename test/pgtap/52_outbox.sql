-- The outbox: two owners, roles with and without rights on them, and what an
-- acknowledgement does to events that are not on the consumer's list.
\ir setup.psql
SELECT no_plan();

CREATE TEMP TABLE was (id bigint, topic text);
GRANT ALL ON was TO PUBLIC;
RESET SESSION AUTHORIZATION;
CREATE ROLE tap_both LOGIN;
GRANT tap_app, tap_other TO tap_both;
CREATE VIEW t.outbox AS SELECT * FROM dealix.outbox;
GRANT SELECT ON t.outbox TO PUBLIC;
SET SESSION AUTHORIZATION tap_app;
SELECT t.run(t.task('emit:app.one')) \g /dev/null
SELECT t.run(t.task('emit:app.two')) \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_other;
SELECT is_empty($$SELECT * FROM dealix.read_outbox('theirs')$$, 'events of other owners are not on the list');
SELECT is((SELECT dealix.ack('theirs', array_agg(outbox_id)) FROM t.outbox), 0::bigint, 'and are not acknowledged');
SELECT is((SELECT count(*)::int FROM t.outbox), 2, 'nor deleted, though nobody else has read them');
SELECT t.run(t.task('emit:other.one')) \g /dev/null
SELECT is((SELECT dealix.ack('theirs', array_agg(outbox_id)) FROM t.outbox), 1::bigint, 'only its own is');
SELECT is((SELECT string_agg(topic, ',' ORDER BY outbox_id) FROM t.outbox), 'app.one,app.two', 'and goes, for nobody else waits for it');
SELECT dealix.drop_consumer('theirs') \g /dev/null
SELECT is((SELECT count(*)::int FROM t.outbox), 2, 'a consumer that goes takes nothing of others along');

-- ---------- the last consumer goes without having read ----------

RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT is((SELECT count(*)::int FROM dealix.read_outbox('mine', 1)), 1, 'a consumer');
SELECT dealix.drop_consumer('mine') \g /dev/null
SELECT is((SELECT string_agg(topic, ',' ORDER BY id) FROM dealix.read_outbox('next')), 'app.one,app.two', 'what nobody has acknowledged is there for the next one');

-- ---------- a role with rights on both ----------

RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_both;
SELECT is((SELECT string_agg(topic, ',' ORDER BY id) FROM dealix.read_outbox('all')), 'app.one,app.two', 'a role with the rights of both');
SELECT is((SELECT dealix.ack('all', array_agg(id)) FROM dealix.read_outbox('all')), 2::bigint, 'acknowledges');
SELECT is((SELECT count(*)::int FROM t.outbox), 2, 'they wait for the other consumer');
SELECT is_empty($$SELECT * FROM dealix.read_outbox('all')$$, 'and do not come again');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_other;
SELECT t.run(t.task('emit:other.two')) \g /dev/null
SELECT is((SELECT waits_for FROM dealix.outbox_details), '{all}', 'an event of the other owner waits for it');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT is((SELECT string_agg(topic || waits_for::text, ',' ORDER BY id) FROM dealix.outbox_details), 'app.one{next},app.two{next}', 'and these for their owner''s');
SELECT is((SELECT dealix.ack('next', array_agg(outbox_id)) FROM t.outbox), 2::bigint, 'which acknowledges more than it has');
SELECT is((SELECT string_agg(topic, ',') FROM t.outbox), 'other.two', 'what both had is gone, and nothing else');

-- ---------- rights that go and come ----------

RESET SESSION AUTHORIZATION;
REVOKE tap_other FROM tap_both;
SET SESSION AUTHORIZATION tap_both;
SELECT is_empty($$SELECT * FROM dealix.read_outbox('all')$$, 'without the right it is not on the list any more');
SELECT is((SELECT dealix.ack('all', array_agg(outbox_id)) FROM t.outbox), 0::bigint, 'nor acknowledged');
RESET SESSION AUTHORIZATION;
GRANT tap_other TO tap_both;
SET SESSION AUTHORIZATION tap_both;
SELECT is((SELECT string_agg(topic, ',') FROM dealix.read_outbox('all')), 'other.two', 'with it, it is');

-- ---------- a consumer that lost its right holds nothing up for good ----------

RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_other;
INSERT INTO was SELECT id, topic FROM dealix.read_outbox('theirs');
SELECT dealix.ack('theirs', array_agg(id)) FROM was \g /dev/null
SELECT is((SELECT waits_for FROM dealix.outbox_details), '{all}', 'acknowledged by one of two');
RESET SESSION AUTHORIZATION;
REVOKE tap_other FROM tap_both;
SET SESSION AUTHORIZATION tap_other;
SELECT dealix.ack('theirs', '{}') \g /dev/null
SELECT is((SELECT count(*)::int FROM t.outbox), 0, 'it goes with the next acknowledgement');

RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*)::int FROM dealix.outbox_ack), 0, 'nothing is left over');
SET SESSION AUTHORIZATION tap_app;
SELECT * FROM finish();
ROLLBACK;
