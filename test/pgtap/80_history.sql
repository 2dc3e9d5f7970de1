-- The history is append-only, for everybody.
\ir setup.psql
SELECT no_plan();
CREATE TEMP TABLE r AS SELECT t.run(t.task('sql:t.do'), '{"what": "x"}') AS run;
RESET SESSION AUTHORIZATION;
CREATE TEMP TABLE before AS SELECT * FROM dealix.history_event;
SELECT cmp_ok((SELECT count(*)::int FROM before), '>', 2, 'there is history');

CREATE FUNCTION pg_temp.refused(who text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	rel text;
	s text;
BEGIN
	FOREACH rel IN ARRAY ARRAY['dealix.history_event', 'dealix.version'] LOOP
		FOREACH s IN ARRAY ARRAY['DELETE FROM ' || rel, 'TRUNCATE ' || rel, 'DELETE FROM ' || rel || ' WHERE false',
			'TRUNCATE ' || rel || ' CASCADE', 'DELETE FROM ONLY ' || rel] LOOP
			RETURN NEXT throws_ok(s, '55000', NULL, who || ': ' || s);
		END LOOP;
	END LOOP;
	RETURN NEXT throws_ok('UPDATE dealix.history_event SET payload = NULL', '55000', NULL, who || ': UPDATE history_event');
	RETURN NEXT throws_ok('UPDATE dealix.version SET version = version + 1', '55000', NULL, who || ': UPDATE version');
	RETURN NEXT throws_ok('INSERT INTO dealix.history_event SELECT * FROM dealix.history_event ON CONFLICT (run_id, seq) DO UPDATE SET payload = NULL', '55000', NULL,
		who || ': INSERT ON CONFLICT DO UPDATE');
END
$$;

SELECT pg_temp.refused('superuser');
SET session_replication_role = replica;
SELECT pg_temp.refused('superuser as replica');
SET session_replication_role = local;
SELECT pg_temp.refused('superuser as local');
RESET session_replication_role;

-- the table's owner, when that is no superuser
CREATE ROLE tap_owner NOLOGIN;
GRANT tap_owner TO CURRENT_USER;
GRANT USAGE ON SCHEMA dealix TO tap_owner;
ALTER TABLE dealix.history_event OWNER TO tap_owner;
ALTER TABLE dealix.version OWNER TO tap_owner;
GRANT EXECUTE ON FUNCTION pg_temp.refused(text) TO tap_owner;
SET ROLE tap_owner;
SELECT throws_ok('DELETE FROM dealix.history_event', '55000', NULL, 'owner: DELETE');
SELECT throws_ok('UPDATE dealix.history_event SET payload = NULL', '55000', NULL, 'owner: UPDATE');
SELECT throws_ok('TRUNCATE dealix.history_event', '55000', NULL, 'owner: TRUNCATE');
SELECT throws_ok('DELETE FROM dealix.version', '55000', NULL, 'owner: DELETE of a version');
RESET ROLE;

SELECT results_eq('SELECT * FROM dealix.history_event ORDER BY run_id, seq', 'SELECT * FROM before ORDER BY run_id, seq', 'nothing has changed');
SELECT is_empty('SELECT run_id FROM dealix.history_event GROUP BY run_id HAVING count(*) <> max(seq) OR min(seq) <> 1 OR count(DISTINCT hash) <> count(*)',
	'every run''s events are numbered without a gap, each with its own hash');

SELECT * FROM finish();
ROLLBACK;
