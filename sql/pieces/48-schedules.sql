-- From the data and from the clock.

CREATE FUNCTION dealix.compensate(run_id uuid, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_compensate';
COMMENT ON FUNCTION dealix.compensate(uuid, text) IS
'Undoes a run: one that goes on is cancelled, one that has SUCCEEDED is compensated and ends CANCELLED. Returns false when it has ended otherwise, or there is nothing to undo. Errors: P0002 no such run.';

CREATE FUNCTION dealix.start_run() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_start_run';
COMMENT ON FUNCTION dealix.start_run() IS
'Trigger function: AFTER INSERT OR UPDATE ... FOR EACH ROW EXECUTE FUNCTION dealix.start_run(workflow [, key column [, correlation_id column]]). Starts a run with the row as input, owned by the role that writes the row; a row with a key that has a run starts none.';

CREATE FUNCTION dealix.compensate_run() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_compensate_run';
COMMENT ON FUNCTION dealix.compensate_run() IS
'Trigger function: AFTER UPDATE OR DELETE ... FOR EACH ROW EXECUTE FUNCTION dealix.compensate_run(workflow, key column [, reason]). Undoes the run that the role which writes the row has started with that key, as dealix.compensate does; no such run: nothing happens.';

CREATE FUNCTION dealix_internal.put_schedule(name text, cron text, workflow text, input jsonb, overlap text, catch_up interval, jitter interval) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_schedule_put';
COMMENT ON FUNCTION dealix_internal.put_schedule(text, text, text, jsonb, text, interval, interval) IS
'Stores a schedule of the current user without a job of pg_cron; dealix.schedule does both.';

CREATE FUNCTION dealix_internal.drop_schedule(name text) RETURNS boolean
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_schedule_drop';
COMMENT ON FUNCTION dealix_internal.drop_schedule(text) IS
'Removes a schedule of the current user without the job of pg_cron; dealix.unschedule does both.';

CREATE FUNCTION dealix_internal.set_schedule_paused(name text, paused boolean) RETURNS boolean
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_schedule_pause';
COMMENT ON FUNCTION dealix_internal.set_schedule_paused(text, boolean) IS
'What dealix.pause_schedule and dealix.resume_schedule call.';

CREATE FUNCTION dealix.fire_schedule(name text, at timestamptz DEFAULT NULL) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_fire_schedule';
COMMENT ON FUNCTION dealix.fire_schedule(text, timestamptz) IS
'What the job of pg_cron calls when it is time (at: default now): starts a run of the current user''s schedule, or does what its overlap says. at counts by the minute (of a schedule like ''30 seconds'' by its period): a time that has had its run, by pg_cron, by hand or by a backfill, starts no other, and what came of it is returned again. Returns STARTED, SKIPPED, BUFFERED, PAUSED, HELD, CAUGHT_UP or BACKFILLED. Errors: 42704 no such schedule, 22008 a time that is not finite.';

CREATE FUNCTION dealix.backfill(name text, times timestamptz[]) RETURNS SETOF uuid
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_backfill';
COMMENT ON FUNCTION dealix.backfill(text, timestamptz[]) IS
'Starts a run of a schedule for each of these times, whatever its overlap says, and returns their run_ids in the same order. A time that has had its run gives that one; times count by the minute, as with dealix.fire_schedule. At most 10,000 times a call. Errors: 42704 no such schedule, 22008 a time that is not finite, 22023 too many times.';

CREATE FUNCTION dealix_internal.require_cron() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
		RAISE feature_not_supported USING MESSAGE = 'schedules need the extension pg_cron in this database',
			DETAIL = 'pg_cron keeps its jobs in one database of a server, the one that cron.database_name names.',
			HINT = format('Install it (on Debian: apt-get install postgresql-%s-cron), put shared_preload_libraries = ''dealix_exec,pg_cron'' and cron.database_name = %L into postgresql.conf, restart, CREATE EXTENSION pg_cron, and GRANT USAGE ON SCHEMA cron to the roles that schedule.',
				current_setting('server_version_num')::int / 10000, current_database());
	END IF;
END
$$;
COMMENT ON FUNCTION dealix_internal.require_cron() IS
'Raises an error that says how to install pg_cron, if it is not in this database.';

CREATE FUNCTION dealix.schedule(name text, cron text, workflow text, input jsonb DEFAULT '{}', overlap text DEFAULT 'skip',
	catch_up interval DEFAULT '0', jitter interval DEFAULT '0') RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	job bigint;
BEGIN
	PERFORM dealix_internal.require_cron();
	IF name IS NULL OR cron IS NULL OR workflow IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'name, cron and workflow must not be null';
	ELSIF overlap IS NULL OR overlap NOT IN ('skip', 'buffer_one', 'allow', 'cancel_other') THEN
		RAISE invalid_parameter_value USING MESSAGE = format('overlap %s is not known', quote_nullable(overlap)),
			HINT = 'It is skip, buffer_one, allow or cancel_other.';
	ELSIF NOT EXISTS (SELECT FROM dealix.workflow_details w WHERE w.workflow = schedule.workflow) THEN
		RAISE undefined_object USING MESSAGE = format('there is no workflow %s', quote_ident(schedule.workflow)),
			HINT = 'Publish it with dealix.publish(name, definition).';
	END IF;
	PERFORM dealix_internal.put_schedule(name, cron, workflow, coalesce(input, 'null'), overlap,
		coalesce(catch_up, '0'), coalesce(jitter, '0'));
	EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job
		USING 'dealix:' || name, cron, format('SELECT dealix.fire_schedule(%L)', name);
	RETURN job;
END
$$;
COMMENT ON FUNCTION dealix.schedule(text, text, text, jsonb, text, interval, interval) IS
'Starts a run of a workflow whenever pg_cron''s schedule cron says so, owned by the current user; returns the job of pg_cron. The same name again changes it. overlap: what happens when the run before still goes on: skip, buffer_one (start one when it has ended), allow, cancel_other. catch_up: how far back dealix.resume_schedule makes up for what was missed during a pause. jitter: a random delay of each run up to this. cron is read in the zone that dealix.schedules shows: GMT, or pg_cron''s setting cron.timezone where it has one (from 1.5 on). Errors: 0A000 without pg_cron, 42704 no such workflow, 42501 the current user does not trust the workflow''s author (dealix.trust_author), 22023 catch_up or jitter out of range.';

CREATE FUNCTION dealix.unschedule(name text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT dealix_internal.drop_schedule(name) THEN
		RETURN false;
	END IF;
	IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
		EXECUTE 'SELECT cron.unschedule($1)' USING 'dealix:' || name;
	END IF;
	RETURN true;
END
$$;
COMMENT ON FUNCTION dealix.unschedule(text) IS
'Removes a schedule of the current user and its job; its runs stay. Returns false when there is none.';

CREATE FUNCTION dealix.pause_schedule(name text) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS 'SELECT dealix_internal.set_schedule_paused(name, true)';
COMMENT ON FUNCTION dealix.pause_schedule(text) IS
'From now on a schedule starts nothing; what it misses is noted. Returns false when it is paused already. Errors: 42704 no such schedule.';

CREATE FUNCTION dealix.resume_schedule(name text) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS 'SELECT dealix_internal.set_schedule_paused(name, false)';
COMMENT ON FUNCTION dealix.resume_schedule(text) IS
'Ends a pause, and starts the runs that were missed, as far back as the schedule''s catch_up. Returns false when it is not paused. Errors: 42704 no such schedule.';

-- From 1.5 on only superusers may read pg_cron's setting.
CREATE FUNCTION dealix_internal.cron_zone() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN coalesce(current_setting('cron.timezone', true), 'GMT');
EXCEPTION WHEN insufficient_privilege THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION dealix_internal.cron_zone() IS
'The time zone in which pg_cron reads schedules; null if the extension''s owner may not know.';

CREATE VIEW dealix.schedule_details WITH (security_barrier) AS
SELECT s.name, s.cron, s.workflow, s.input, s.overlap, s.catch_up, s.jitter, s.paused, s.owner::regrole AS owner, s.created_at,
	f.fired_at AS last_fired_at, f.outcome AS last_outcome, f.run_id AS last_run,
	(SELECT jsonb_agg(jsonb_build_object('for', l.fired_for, 'outcome', l.outcome,
			'run_id', l.run_id, 'status', dealix_internal.status_name(r.status)) ORDER BY l.fired_for DESC)
	 FROM (SELECT * FROM dealix.schedule_fire x WHERE x.schedule_id = s.schedule_id
		ORDER BY x.fired_for DESC LIMIT 10) l
	 LEFT JOIN dealix.run r ON r.run_id = l.run_id) AS last_runs,
	dealix_internal.cron_zone() AS zone
FROM dealix.schedule s
LEFT JOIN LATERAL (SELECT * FROM dealix.schedule_fire x WHERE x.schedule_id = s.schedule_id
	ORDER BY x.fired_for DESC LIMIT 1) f ON true
WHERE dealix_internal.run_visible(s.owner);
COMMENT ON VIEW dealix.schedule_details IS 'Schedules, and what came of their last fires. zone: in which pg_cron reads cron.';
