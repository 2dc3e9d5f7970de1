-- A document that goes through the states of a run is stored once, and everybody
-- reads the whole of it.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.same(doc jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT doc';
CREATE FUNCTION t.put(doc jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT doc || '{"a": 2, "new": [1, {"x": null}], "n": 1.0}' $$;
CREATE FUNCTION t.less(doc jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT doc - 'a' $$;
CREATE FUNCTION t.other(doc jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('text', reverse(doc ->> 'text')) $$;
CREATE FUNCTION t.small(doc jsonb) RETURNS int LANGUAGE sql AS 'SELECT 7';
CREATE FUNCTION t.words(doc jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_array(doc -> 'text', 1) $$;

-- Steps with these functions, one after the other.
CREATE FUNCTION t.steps(VARIADIC names text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('StartAt', 'S1', 'States', jsonb_object_agg('S' || n,
		jsonb_build_object('Type', 'Task', 'Resource', 'sql:t.' || split_part(name, ' ', 1))
		|| CASE WHEN name LIKE '% into' THEN '{"ResultPath": "$.r"}' WHEN name LIKE '% nowhere' THEN '{"ResultPath": null}' ELSE '{}'::jsonb END
		|| CASE WHEN n = cardinality(names) THEN '{"End": true}' ELSE jsonb_build_object('Next', 'S' || n + 1) END))
	FROM unnest(names) WITH ORDINALITY x(name, n) $$;

-- Not the same twice, and nothing for a compressor.
CREATE TABLE t.doc AS SELECT jsonb_build_object('a', 1, 'n', 1, 'half', 1.50, 'list', '[1, 2, {"deep": [1.0]}]'::jsonb, 'none', NULL, 'yes', true,
	'text', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) i)) AS doc;
CREATE TABLE t.gone (n int GENERATED ALWAYS AS IDENTITY, what text, run uuid, output jsonb, results jsonb, stored int);
INSERT INTO t.gone (what, run, output, results, stored)
SELECT what, t.run(definition, doc), output, results, stored FROM t.doc, LATERAL (VALUES
	('unchanged, three times', t.steps('same', 'same', 'same'), doc, jsonb_build_array(doc, doc, doc), 0),
	('beside what steps give', t.steps('small nowhere', 'small nowhere'), doc, '[7, 7]', 0),
	('with what steps give in it', t.steps('small into', 'small into', 'small into'), doc || '{"r": 7}', '[7, 7, 7]', 0),
	('with members that change', t.steps('put', 'same'), t.put(doc), jsonb_build_array(t.put(doc), t.put(doc)), 0),
	('with a member less', t.steps('less', 'same'), t.less(doc), jsonb_build_array(t.less(doc), t.less(doc)), 1),
	('another one, which goes on', t.steps('other', 'same', 'small into'), t.other(doc) || '{"r": 7}', jsonb_build_array(t.other(doc), t.other(doc), 7), 1),
	('another one, and what it came from', t.steps('other into', 'small into'), doc || '{"r": 7}', jsonb_build_array(t.other(doc), 7), 1),
	('as an array', t.steps('words', 'same'), t.words(doc), jsonb_build_array(t.words(doc), t.words(doc)), 1),
	('put anew', t.steps('other', 'less'), t.less(t.other(doc)), jsonb_build_array(t.other(doc), t.less(t.other(doc))), 1)) x (what, definition, output, results, stored);

SELECT is(r.output::text, g.output::text, 'a document ' || g.what || ': the output') FROM t.gone g JOIN dealix.run_details r ON r.run_id = g.run ORDER BY n;
SELECT is(dealix.result(run)::text, output::text, 'for dealix.result, too') FROM t.gone ORDER BY n;
SELECT is((SELECT jsonb_agg(s.output ORDER BY s.seq) FROM dealix.step_details s WHERE s.run_id = g.run)::text, g.results::text, 'a document ' || g.what || ': the results') FROM t.gone g ORDER BY n;
SELECT is((SELECT jsonb_agg(h.payload -> 'output' ORDER BY h.seq) FROM dealix.history_details h WHERE h.run_id = g.run AND h.event = 'step_succeeded')::text, g.results::text, 'and in the history') FROM t.gone g ORDER BY n;
SELECT is((SELECT payload::text FROM dealix.history_details h WHERE h.run_id = g.run AND seq = 1), doc::text, 'beginning with the input') FROM t.gone g, t.doc ORDER BY n;

-- How often a document stands in the tables, besides as the input.
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*)::int FROM dealix.history_event h WHERE h.run_id = g.run AND pg_column_size(h.payload) > 4000)
	+ (SELECT count(*)::int FROM dealix.run r WHERE r.run_id = g.run AND pg_column_size(r.output) > 4000), g.stored, format('a document %s is written %s times more', g.what, g.stored)) FROM t.gone g ORDER BY n;

-- The hash is that of the whole document.
CREATE FUNCTION pg_temp.bytes(what text) RETURNS bytea LANGUAGE sql AS
$$ SELECT CASE WHEN coalesce(what, '') = '' THEN int4send(-1) ELSE int4send(octet_length(what)) || convert_to(what, 'UTF8') END $$;
SELECT is_empty($$SELECT h.run_id, h.seq FROM dealix.history_event h JOIN dealix.history_details v USING (run_id, seq)
	LEFT JOIN dealix.history_event b ON b.run_id = h.run_id AND b.seq = h.seq - 1,
	LATERAL (SELECT CASE h.kind WHEN 3 THEN v.payload -> 'output' ELSE v.payload END AS payload) p
	WHERE h.hash IS DISTINCT FROM sha256('\x00' || pg_temp.bytes('dealix_exec/event/1') || coalesce(b.hash, decode(repeat('00', 32), 'hex'))
		|| uuid_send(h.run_id) || int4send(h.seq) || int2send(h.kind) || int4send(h.branch) || pg_temp.bytes(h.state) || int4send(h.attempt)
		|| pg_temp.bytes(h.actor) || pg_temp.bytes(h.session_actor) || timestamptz_send(h.at)
		|| coalesce(sha256(convert_to(p.payload::text, 'UTF8')), ''))$$, 'hashes are those of whole documents');
SET SESSION AUTHORIZATION tap_app;

-- A run that waits, and one that ends and is undone afterwards.
CREATE TABLE t.late AS SELECT t.begin('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:t.put", "Next": "B", "Compensate": {"Resource": "sql:t.do", "Parameters": {"what": "undo", "detail.$": "$.output.n"}}},
	"B": {"Type": "Task", "Resource": "signal:go", "ResultPath": "$.r", "Next": "C"},
	"C": {"Type": "Task", "Resource": "sql:t.same", "End": true}}}', doc) AS run FROM t.doc;
SELECT t.pump() \g /dev/null
SELECT dealix.signal(run, 'go', '5') FROM t.late \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.output(run)::text, (t.put(doc) || '{"r": 5}')::text, 'a document that has waited') FROM t.late, t.doc;
SELECT is(dealix.compensate(run), true, 'a run that has succeeded is undone') FROM t.late;
SELECT t.pump() \g /dev/null
SELECT is(t.status(run) || coalesce(t.output(run)::text, ', no output'), 'CANCELLED, no output', 'and has no output then') FROM t.late;
SELECT is((SELECT detail::text FROM t.effect), '1.0', 'what is undone is what was done');

-- A message after the end changes nothing of what is stored.
CREATE TABLE t.after AS SELECT run, output FROM t.gone WHERE n = 3;
RESET SESSION AUTHORIZATION;
INSERT INTO dealix.inbox (run_id, sent_at, owner, kind, sender, name, payload) SELECT run, now(), 'tap_app', 1, 'tap_app', 'late', '1' FROM t.after;
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT is((SELECT event FROM dealix.timeline(run) ORDER BY seq DESC LIMIT 1), 'message_late', 'a message comes late') FROM t.after;
SELECT is(t.output(run)::text, output::text, 'and the output stays') FROM t.after;

SELECT * FROM finish();
ROLLBACK;
