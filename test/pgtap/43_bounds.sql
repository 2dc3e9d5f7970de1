-- What is counted by data has a bound, or room: names of events, attempts.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.names(n int) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(to_hex(i), '&' ORDER BY i) FROM generate_series(1, n) i $$;

-- ---------- names that a state waits for ----------
SELECT results_eq($$ SELECT pointer, code FROM dealix.validate(t.task('event:' || t.names(65))) $$,
	$$ VALUES ('/States/Only/Resource', 'INVALID_RESOURCE') $$, 'an event of 65 names is a problem');
SELECT results_eq($$ SELECT pointer, code FROM dealix.validate(t.task('signal:' || t.names(65))) $$,
	$$ VALUES ('/States/Only/Resource', 'INVALID_RESOURCE') $$, 'and so is a signal');
SELECT is_empty($$ SELECT * FROM dealix.validate(t.task('event:' || t.names(64))) $$, '64 are none');

-- What was published before there was a bound goes on: its 84 waits once went
-- past an array.
SELECT dealix.publish('wide', t.task('event:' || t.names(2))) \g /dev/null
RESET SESSION AUTHORIZATION;
INSERT INTO dealix.version (workflow_id, version, definition, sha256, author, created_at, signals)
	SELECT workflow_id, 2, t.task('event:' || t.names(84)), sha256, author, created_at, signals
	FROM dealix.version v WHERE v.workflow_id = (SELECT workflow_id FROM dealix.workflow WHERE name = 'wide');
SET SESSION AUTHORIZATION tap_app;
SELECT count(dealix.start('wide', '{}', version => 2)) FROM generate_series(1, 5) \g /dev/null
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*)::int FROM dealix.event_wait), 5 * 84, 'five runs wait for 84 events each');
SET SESSION AUTHORIZATION tap_app;
SELECT count(dealix.publish_event(to_hex(i))) FROM generate_series(1, 84) i \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*)::int FROM dealix.run_details WHERE workflow = 'wide' AND status = 'SUCCEEDED'), 5, 'and have them all');

-- ---------- attempts ----------
-- The number that is hashed is the number that is stored.
SELECT t.begin(t.task('sql:t.fail', '{"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 3, "JitterStrategy": "NONE"}]}')) AS run \gset
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
UPDATE dealix.branch SET attempt = 70000 WHERE run_id = :'run';
SET SESSION AUTHORIZATION tap_app;
SELECT t.settle(:'run') \g /dev/null
SELECT is((SELECT max(attempt) FROM dealix.history_details WHERE run_id = :'run'), 70003, 'attempts are counted beyond 32,767');
RESET SESSION AUTHORIZATION;
CREATE FUNCTION pg_temp.bytes(what text) RETURNS bytea LANGUAGE sql AS
$$ SELECT CASE WHEN coalesce(what, '') = '' THEN int4send(-1) ELSE int4send(octet_length(what)) || convert_to(what, 'UTF8') END $$;
SELECT is_empty($$SELECT h.run_id, h.seq FROM dealix.history_event h JOIN dealix.run r USING (run_id)
	LEFT JOIN dealix.history_event b ON b.run_id = h.run_id AND b.seq = h.seq - 1,
	LATERAL (SELECT CASE h.kind WHEN 1 THEN r.input ELSE h.payload END AS payload) p
	WHERE h.hash IS DISTINCT FROM sha256('\x00' || pg_temp.bytes('dealix_exec/event/1') || coalesce(b.hash, decode(repeat('00', 32), 'hex'))
		|| uuid_send(h.run_id) || int4send(h.seq) || int2send(h.kind) || int4send(h.branch) || pg_temp.bytes(h.state) || int4send(h.attempt)
		|| pg_temp.bytes(h.actor) || pg_temp.bytes(h.session_actor) || timestamptz_send(h.at)
		|| coalesce(sha256(convert_to(p.payload::text, 'UTF8')), ''))$$, 'and every hash is over what is stored');

SELECT * FROM finish();
ROLLBACK;
