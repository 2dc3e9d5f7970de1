--
-- The extension comes and goes; nothing of it stays behind in a session.
--
SET client_min_messages = warning;
\set SHOW_CONTEXT never
DROP EXTENSION dealix_exec CASCADE;
-- a schema that somebody has prepared is not taken over
CREATE FUNCTION dealix.trap() RETURNS void LANGUAGE sql AS '';
CREATE EXTENSION dealix_exec;
DROP SCHEMA dealix CASCADE;
CREATE SCHEMA dealix;
CREATE TABLE dealix.run (run_id uuid);
CREATE EXTENSION dealix_exec;
DROP SCHEMA dealix CASCADE;
CREATE ROLE regress_dx_trap;
CREATE SCHEMA dealix AUTHORIZATION regress_dx_trap;
CREATE EXTENSION dealix_exec;
DROP SCHEMA dealix;
DROP ROLE regress_dx_trap;
-- nor is it put somewhere else
CREATE EXTENSION dealix_exec SCHEMA public;
CREATE EXTENSION dealix_exec;
CREATE ROLE regress_dx_life LOGIN;
SELECT FROM dealix.grant_access('regress_dx_life', 'application') AS a1, dealix.grant_access('regress_dx_life', 'author') AS a2;
-- one definition ...
SET SESSION AUTHORIZATION regress_dx_life;
SELECT dealix.publish('life', '{"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": "first life", "End": true}}}');
SELECT dealix.start('life') AS run \gset
SELECT dealix.tick();
SELECT dealix.result(:'run');
RESET SESSION AUTHORIZATION;
DROP EXTENSION dealix_exec;
SELECT dealix.tick();
-- ... and another with the same numbers
BEGIN;
CREATE EXTENSION dealix_exec;
SELECT FROM dealix.grant_access('regress_dx_life', 'application') AS a1, dealix.grant_access('regress_dx_life', 'author') AS a2;
SET LOCAL SESSION AUTHORIZATION regress_dx_life;
SELECT dealix.publish('life', '{"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": "second life", "End": true}}}');
SELECT dealix.start('life') AS run \gset
SELECT dealix.tick();
SELECT dealix.result(:'run');
COMMIT;
SELECT status, output FROM dealix.run_details;
-- a creation that is rolled back
BEGIN;
DROP EXTENSION dealix_exec;
CREATE EXTENSION dealix_exec;
SELECT count(*) FROM dealix.run_details;
ROLLBACK;
SELECT status, output FROM dealix.run_details;
-- the version that the control file names
SELECT extversion = (SELECT default_version FROM pg_available_extensions WHERE name = 'dealix_exec') AS current
FROM pg_extension WHERE extname = 'dealix_exec';
DROP EXTENSION dealix_exec;
DROP OWNED BY regress_dx_life;
DROP ROLE regress_dx_life;
CREATE EXTENSION dealix_exec;
