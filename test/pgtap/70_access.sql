-- Who may do what, and what happens to a run when rights or functions change.
\ir setup.psql
SELECT no_plan();
RESET SESSION AUTHORIZATION;

CREATE ROLE tap_nobody LOGIN;
CREATE ROLE tap_operator LOGIN;
CREATE ROLE tap_auditor LOGIN;
CREATE ROLE tap_author LOGIN;
CREATE ROLE tap_member LOGIN IN ROLE tap_app;
SELECT dealix.grant_access('tap_operator', 'operator') \g /dev/null
SELECT dealix.grant_access('tap_auditor', 'auditor') \g /dev/null
SELECT dealix.grant_access('tap_author', 'author') \g /dev/null
SELECT throws_ok('SELECT dealix.grant_access(''tap_nobody'', ''everything'')', '22023', NULL, 'an access that does not exist');
GRANT SELECT ON ALL TABLES IN SCHEMA t TO PUBLIC;

-- ---------- PUBLIC has nothing ----------

SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p, LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
	WHERE p.pronamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace) AND a.grantee = 0$$, 'no function of the schema is granted to PUBLIC');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c, LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
	WHERE c.relnamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace) AND a.grantee = 0$$, 'no table or view is');
SELECT is_empty($$SELECT nspname FROM pg_namespace n, LATERAL aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a
	WHERE nspname IN ('dealix', 'dealix_internal') AND a.grantee = 0$$, 'nor is the schema');
SELECT is_empty($$SELECT c.oid::regclass, r.rolname FROM pg_class c, pg_roles r
	WHERE c.relnamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace) AND c.relkind = 'r' AND r.rolname LIKE 'tap\_%'
		AND has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')$$, 'nobody has a right on the tables');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace)
	AND (obj_description(p.oid, 'pg_proc') IS NULL OR obj_description(p.oid, 'pg_proc') = '')$$, 'every function has a comment');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace) AND c.relkind = 'v'
	AND obj_description(c.oid, 'pg_class') IS NULL$$, 'every view has one');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	WHERE p.pronamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace) AND l.lanname IN ('sql', 'plpgsql') AND p.prosqlbody IS NULL
		AND NOT coalesce(p.proconfig::text LIKE '%search_path=pg_catalog, pg_temp%', false)$$, 'every SQL function has a safe search_path');

SET SESSION AUTHORIZATION tap_nobody;
SELECT throws_ok('SELECT dealix.start(''w'')', '42501', NULL, 'a role without access: no start');
SELECT throws_ok('SELECT * FROM dealix.run_details', '42501', NULL, 'no look');
SELECT throws_ok('SELECT dealix.tick()', '42501', NULL, 'no tick');
RESET SESSION AUTHORIZATION;

-- ---------- each access has its own ----------

SET SESSION AUTHORIZATION tap_app;
CREATE TEMP TABLE r AS SELECT t.begin(t.task('signal:go')) AS run;
SELECT dealix.publish('shared', t.task('sql:t.do', '{"Parameters": {"what": "x"}}')) \g /dev/null
SELECT t.pump() \g /dev/null
GRANT SELECT ON r TO PUBLIC;
SELECT throws_ok(format('SELECT dealix.terminate(%L)', run), '42501', NULL, 'an application does not terminate') FROM r;
SELECT throws_ok('SELECT dealix.resume_engine()', '42501', NULL, 'nor resume the engine');
SELECT throws_ok('SELECT dealix.grant_access(''tap_app'', ''operator'')', '42501', NULL, 'nor give itself rights');

SET SESSION AUTHORIZATION tap_author;
SELECT throws_ok('SELECT dealix.start(''shared'')', '42501', NULL, 'an author does not start');
SELECT throws_ok($$SELECT dealix.publish('shared', '{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}')$$, '42501', NULL, 'nor publish over another''s workflow');
SELECT is(dealix.publish('mine', '{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}'), 1, 'but publishes its own');
SELECT is((SELECT count(*)::int FROM dealix.run_details), 0, 'and sees no runs of others');
SELECT format('SELECT is((SELECT count(*)::int FROM %1$s WHERE run_id = %2$L), 0, ''%1$s shows nothing of another''''s run'')',
	c.oid::regclass, run) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'run_id', r
WHERE c.relnamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace) AND c.relkind = 'v' ORDER BY c.relname \gexec

SET SESSION AUTHORIZATION tap_auditor;
SELECT is((SELECT count(*)::int FROM dealix.run_details JOIN r ON run = run_id), 1, 'an auditor sees the runs of all');
SELECT cmp_ok((SELECT count(*)::int FROM dealix.history_details JOIN r ON run = run_id), '>', 0, 'and their history');
SELECT throws_ok(format('SELECT dealix.cancel(%L)', run), '42501', NULL, 'but touches nothing') FROM r;
SELECT throws_ok('DELETE FROM dealix.history_details', '55000', NULL, 'least of all the history');

SET SESSION AUTHORIZATION tap_operator;
SELECT is((SELECT count(*)::int FROM dealix.run_details JOIN r ON run = run_id), 1, 'an operator sees the runs of all');
SELECT is(dealix.cancel(run, 'ops'), true, 'and can cancel them') FROM r;
SELECT throws_ok('SELECT dealix.start(''shared'')', '42501', NULL, 'but does not start');

SET SESSION AUTHORIZATION tap_member;
SELECT throws_ok('SET ROLE postgres', '42501', NULL, 'a member of the owner''s role');
SELECT is((SELECT count(*)::int FROM dealix.run_details JOIN r ON run = run_id), 1, 'sees its runs');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run), 'CANCELLED', 'the owner''s pass carries it out') FROM r;
SELECT is((SELECT actor FROM dealix.timeline(run) WHERE event = 'cancel_requested'), 'tap_operator', 'the history says who asked') FROM r;

-- ---------- a step has its owner's rights, not its author's ----------

RESET SESSION AUTHORIZATION;
CREATE FUNCTION t.whoami() RETURNS text LANGUAGE sql AS 'SELECT current_user || '' '' || session_user';
GRANT EXECUTE ON FUNCTION t.whoami() TO PUBLIC;
CREATE FUNCTION t.secret() RETURNS text LANGUAGE sql AS 'SELECT ''secret''::text';
REVOKE ALL ON FUNCTION t.secret() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION t.secret() TO tap_author;
SET SESSION AUTHORIZATION tap_author;
SELECT dealix.publish('who', jsonb_build_object('StartAt', 'W', 'States', '{"W": {"Type": "Task", "Resource": "sql:t.whoami", "End": true}}'::jsonb)) \g /dev/null
SELECT dealix.publish('secret', '{"StartAt": "W", "States": {"W": {"Type": "Task", "Resource": "sql:t.secret", "End": true}}}') \g /dev/null
SET SESSION AUTHORIZATION tap_other;
SELECT throws_like($$SELECT dealix.start('who')$$, '%does not trust the author of workflow "who"', 'nobody runs what a stranger publishes');
SELECT dealix.trust_author('tap_author') \g /dev/null
CREATE TEMP TABLE o AS SELECT dealix.start('who') AS who, dealix.start('secret') AS secret;
SELECT dealix.tick() FROM generate_series(1, 3) \g /dev/null
SELECT is((SELECT output FROM dealix.run_details WHERE run_id = who), '"tap_other tap_other"', 'a step runs as the role that started the run') FROM o;
SELECT is((SELECT error FROM dealix.run_details WHERE run_id = secret), 'SQL.insufficient_privilege', 'what the author may call its users may not') FROM o;
SET SESSION AUTHORIZATION tap_author;
SELECT throws_matching($$SELECT dealix.publish('s', '{"StartAt": "W", "States": {"W": {"Type": "Task", "Resource": "sql:pg_catalog.pg_rotate_logfile", "End": true}}}')$$,
	'.', 'an author cannot publish a call that it may not make');

-- tick is for the session user only
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_member;
SET ROLE tap_app;
SELECT throws_ok('SELECT dealix.tick()', '42501', NULL, 'tick refuses when current_user is not session_user');
RESET ROLE;
RESET SESSION AUTHORIZATION;
CREATE FUNCTION t.definer_tick() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT dealix.tick()';
SET SESSION AUTHORIZATION tap_app;
SELECT throws_ok('SELECT t.definer_tick()', '42501', NULL, 'also within a SECURITY DEFINER function');

-- ---------- between publish and run ----------

RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
CREATE FUNCTION t.gone() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION t.replaced() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION t.renamed(a int) RETURNS int LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION t.moved() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT dealix.publish(f, t.task('sql:t.' || f, more)) FROM (VALUES ('gone', '{}'::jsonb), ('replaced', '{}'), ('renamed', '{"Parameters": {"a": 1}}'), ('moved', '{}')) v (f, more) \g /dev/null
SELECT dealix.start(f) FROM unnest(ARRAY['gone', 'replaced', 'renamed', 'moved']) f \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT string_agg(workflow || ' ' || status, ', ' ORDER BY workflow) FROM dealix.run_details WHERE workflow IN ('gone', 'moved', 'renamed', 'replaced')),
	'gone SUCCEEDED, moved SUCCEEDED, renamed SUCCEEDED, replaced SUCCEEDED', 'first all is well');

DROP FUNCTION t.gone();
CREATE OR REPLACE FUNCTION t.replaced() RETURNS int LANGUAGE sql AS 'SELECT 2';
DROP FUNCTION t.renamed(int);
CREATE FUNCTION t.renamed(b int) RETURNS int LANGUAGE sql AS 'SELECT b';
ALTER FUNCTION t.moved() RENAME TO moved_away;
CREATE TEMP TABLE again AS SELECT f, dealix.start(f) AS run FROM unnest(ARRAY['gone', 'replaced', 'renamed', 'moved']) f;
SELECT t.pump() \g /dev/null
SELECT is((SELECT string_agg(f || ' ' || status || coalesce(' ' || error, '') || coalesce(' ' || output::text, ''), ', ' ORDER BY f) FROM again JOIN dealix.run_details ON run = run_id),
	'gone FAILED SQL.undefined_function, moved FAILED SQL.undefined_function, renamed FAILED SQL.undefined_function, replaced SUCCEEDED 2',
	'each gives its named error, and the loop goes on');

RESET SESSION AUTHORIZATION;
CREATE FUNCTION t.lent() RETURNS int LANGUAGE sql AS 'SELECT 1';
SET SESSION AUTHORIZATION tap_other;
SELECT dealix.publish('lent', '{"StartAt": "W", "States": {"W": {"Type": "Task", "Resource": "sql:t.lent", "End": true}}}') \g /dev/null
SELECT dealix.start('lent', key => 'before') \g /dev/null
SELECT dealix.tick() \g /dev/null
RESET SESSION AUTHORIZATION;
REVOKE EXECUTE ON FUNCTION t.lent() FROM PUBLIC;
SET SESSION AUTHORIZATION tap_other;
SELECT dealix.start('lent', key => 'after') \g /dev/null
SELECT dealix.tick() \g /dev/null
SELECT is((SELECT string_agg(key || ' ' || status || coalesce(' ' || error, ''), ', ' ORDER BY key) FROM dealix.run_details WHERE workflow = 'lent'),
	'after FAILED SQL.insufficient_privilege, before SUCCEEDED', 'a right that was revoked is checked at every call');
RESET SESSION AUTHORIZATION;
REVOKE USAGE ON SCHEMA t FROM PUBLIC;
SET SESSION AUTHORIZATION tap_other;
SELECT dealix.start('who', key => 'closed') \g /dev/null
SELECT dealix.tick() \g /dev/null
SELECT is((SELECT status || ' ' || error FROM dealix.run_details WHERE key = 'closed'), 'FAILED SQL.insufficient_privilege', 'so is the right to use the schema');

RESET SESSION AUTHORIZATION;
SELECT * FROM finish();
ROLLBACK;
