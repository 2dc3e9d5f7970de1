-- Background processes: what they do, and how to wait for a run or to advance
-- runs without them.

CREATE FUNCTION dealix_internal.note_install()
RETURNS void
LANGUAGE c STRICT VOLATILE
AS 'MODULE_PATHNAME', 'dx_note_install';

COMMENT ON FUNCTION dealix_internal.note_install() IS
'Tells the launcher, when the transaction commits, to look for the extension in this database. Called by the install script.';

CREATE FUNCTION dealix_internal.worker_status(
	OUT kind text,
	OUT database_id oid,
	OUT owner_id oid,
	OUT pid int,
	OUT state text,
	OUT held boolean,
	OUT started_at timestamptz,
	OUT passes bigint,
	OUT runs bigint,
	OUT steps bigint,
	OUT last_error text)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dx_worker_status';

COMMENT ON FUNCTION dealix_internal.worker_status() IS
'The launcher, the dispatcher of this database and its workers, from shared memory; no rows if the library is not in shared_preload_libraries. The view dealix.workers shows it with names.';

CREATE VIEW dealix.worker_details AS
SELECT s.kind,
       d.datname AS database,
       CASE WHEN s.owner_id IS NOT NULL THEN pg_get_userbyid(s.owner_id) END AS owner,
       s.pid,
       s.state,
       s.held,
       s.started_at,
       s.passes,
       s.runs,
       s.steps,
       s.last_error
  FROM dealix_internal.worker_status() AS s
  LEFT JOIN pg_database AS d ON d.oid = s.database_id;

COMMENT ON VIEW dealix.worker_details IS
'Background processes of this database, and the launcher. A worker in state BACKOFF is an owner for whom none can be started at the moment; last_error says why. held: the database is a copy and waits for dealix.resume_engine().';

CREATE PROCEDURE dealix.wait(
	run_id uuid,
	timeout interval DEFAULT '1 minute',
	INOUT status text DEFAULT NULL)
LANGUAGE c
AS 'MODULE_PATHNAME', 'dx_wait';

COMMENT ON PROCEDURE dealix.wait(uuid, interval, text) IS
'Waits until the run has ended, or is an INCIDENT (then a notice says so), at most for timeout (null: for ever), and returns its status then; RUNNING, say, if the time was over first. Of a run that continued as new, the last run of its line is meant. Outside of a transaction block it commits first and holds no snapshot while it waits; inside of one the run must have been started before, in a transaction that has committed: what this one has started or signalled is an error at once (25001). Woken by the commit that ends the run; without shared_preload_libraries it looks every 10 to 200 milliseconds.';

CREATE PROCEDURE dealix.drain(
	max_time interval DEFAULT NULL)
LANGUAGE c
AS 'MODULE_PATHNAME', 'dx_drain';

COMMENT ON PROCEDURE dealix.drain(interval) IS
'Advances the due runs of the session user, pass by pass with a commit after each, until there is nothing left to do or max_time is over. Works without background workers, from pg_cron for instance: cron.schedule(''dealix'', ''* * * * *'', ''CALL dealix.drain()''). Not inside of a transaction block; use dealix.tick() there.';

REVOKE ALL ON FUNCTION dealix_internal.note_install() FROM PUBLIC;
REVOKE ALL ON FUNCTION dealix_internal.worker_status() FROM PUBLIC;
REVOKE ALL ON PROCEDURE dealix.wait(uuid, interval, text) FROM PUBLIC;
REVOKE ALL ON PROCEDURE dealix.drain(interval) FROM PUBLIC;
REVOKE ALL ON TABLE dealix.worker_details FROM PUBLIC;

SELECT dealix_internal.note_install();
