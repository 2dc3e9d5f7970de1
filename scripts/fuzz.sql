-- What scripts/fuzz.py needs in the database.  Everything that a trial does is
-- rolled back; what is kept is how it ended.

\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = error;

CREATE ROLE fuzzer LOGIN;
SELECT dealix.grant_access('fuzzer', 'application'), dealix.grant_access('fuzzer', 'author') \g /dev/null
GRANT pg_read_all_stats TO fuzzer;
GRANT EXECUTE ON FUNCTION pg_log_backend_memory_contexts(int) TO fuzzer;
CREATE SCHEMA fuzz AUTHORIZATION fuzzer;
SET ROLE fuzzer;

CREATE TABLE fuzz.trial (id int PRIMARY KEY, definition text NOT NULL, input text NOT NULL);

CREATE FUNCTION fuzz.echo(input jsonb) RETURNS jsonb LANGUAGE sql RETURN input;
CREATE FUNCTION fuzz.fail(input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	PERFORM dealix.raise(coalesce(input #>> '{}', ''), 'made up');
	RETURN input;
END $$;

-- What no definition and no input may lead to: errors inside of the server,
-- errors without a code of their own, and a hang.
CREATE FUNCTION fuzz.is_bad(code text) RETURNS boolean LANGUAGE sql
RETURN code ~ '^(XX|58|53|P0004)' OR code = '57014';

CREATE FUNCTION fuzz.judge(what text, code text, message text, allowed text) RETURNS text
LANGUAGE sql
RETURN CASE WHEN fuzz.is_bad(code) OR code !~ ('^(' || allowed || ')$')
	THEN format('%s raised %s: %s', what, code, message) END;

-- Each gives what is wrong, or null.
CREATE FUNCTION fuzz.validate(definition jsonb, strict boolean, OUT problems bigint, OUT wrong text)
LANGUAGE plpgsql AS $$
BEGIN
	problems := (SELECT count(*) FROM dealix.validate(definition, strict) WHERE severity = 'error');
EXCEPTION WHEN OTHERS THEN
	wrong := fuzz.judge('validate', SQLSTATE, SQLERRM, '54000|DX009');
END $$;

CREATE FUNCTION fuzz.test_state(definition jsonb, state text, input jsonb, mock jsonb) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM dealix.test_state(definition, state, input, mock);
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN fuzz.judge('test_state of ' || quote_literal(state), SQLSTATE, SQLERRM, '22023|54000|DX009');
END $$;

CREATE FUNCTION fuzz.run(definition jsonb, input jsonb, expected_problems bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	stage text := 'publish';
	ended dealix.run_details;
	undone boolean;
	run uuid;
BEGIN
	BEGIN
		PERFORM dealix.publish('fuzz', definition);
		stage := 'start';
		run := dealix.start('fuzz', input);
		stage := 'tick';
		FOR i IN 1 .. 5 LOOP
			EXIT WHEN dealix.tick(10, '50 ms') = 0;
		END LOOP;
		SELECT * INTO ended FROM dealix.run_details WHERE run_id = run;
		undone := EXISTS (SELECT FROM dealix.history_details
			WHERE run_id = run AND event = 'compensation_started');
		RAISE EXCEPTION 'done' USING ERRCODE = 'FZ000';
	EXCEPTION
		WHEN SQLSTATE 'FZ000' THEN
			IF expected_problems > 0 THEN
				RETURN 'validate reports problems, and publish takes it';
			ELSIF ended.status = 'INCIDENT' AND NOT undone THEN
				RETURN format('the run is an incident: %s: %s', ended.error, ended.cause);
			ELSIF ended.error ~ '^SQL\.(internal_error|data_corrupted)' OR ended.cause ~ 'SQL\.internal_error' THEN
				RETURN format('the run failed: %s: %s', ended.error, ended.cause);
			END IF;
			RETURN NULL;
		WHEN invalid_parameter_value THEN
			IF stage = 'publish' AND expected_problems = 0 THEN
				RETURN 'validate finds it right, and publish refuses it: ' || SQLERRM;
			ELSIF stage = 'publish' THEN
				RETURN NULL;
			END IF;
			RETURN format('%s raised %s: %s', stage, SQLSTATE, SQLERRM);
		WHEN OTHERS THEN
			RETURN fuzz.judge(stage, SQLSTATE, SQLERRM, CASE stage WHEN 'tick' THEN 'none' ELSE '54000|DX009' END);
	END;
END $$;

-- Texts that are no JSON for the server are not our business.
CREATE FUNCTION fuzz.try(trial fuzz.trial) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	definition jsonb;
	input jsonb;
	judged record;
	wrong text;
	state text;
	mock jsonb;
BEGIN
	BEGIN
		definition := trial.definition::jsonb;
		input := trial.input::jsonb;
	EXCEPTION WHEN OTHERS THEN
		RETURN NULL;
	END;
	SELECT * INTO judged FROM fuzz.validate(definition, true);
	wrong := judged.wrong;
	SELECT * INTO judged FROM fuzz.validate(definition, false);
	wrong := coalesce(wrong, judged.wrong);
	IF jsonb_typeof(definition -> 'States') = 'object' THEN
		FOR state IN SELECT * FROM jsonb_object_keys(definition -> 'States') LIMIT 4 LOOP
			FOREACH mock IN ARRAY ARRAY[jsonb_build_object('result', input), '{"error": "E", "cause": "c"}'] LOOP
				wrong := coalesce(wrong, fuzz.test_state(definition, state, input, mock));
			END LOOP;
		END LOOP;
	END IF;
	RETURN coalesce(wrong, fuzz.run(definition, input, judged.problems));
END $$;

-- One row for each trial that went wrong.  The notice names the trial that is
-- about to be tried, for the case that it takes the server down.
CREATE FUNCTION fuzz.try_all() RETURNS TABLE (id int, wrong text)
LANGUAGE plpgsql AS $$
DECLARE
	t fuzz.trial;
BEGIN
	FOR t IN SELECT * FROM fuzz.trial ORDER BY trial.id LOOP
		RAISE INFO 'trial %', t.id;
		wrong := fuzz.try(t);
		IF wrong IS NOT NULL THEN
			id := t.id;
			RETURN NEXT;
		END IF;
	END LOOP;
END $$;

-- Memory of this backend outside of what is a cache by intention.
CREATE FUNCTION fuzz.memory() RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(total_bytes) FROM pg_backend_memory_contexts
	WHERE parent = 'TopMemoryContext' AND name !~ '^(dealix_exec|CacheMemoryContext|PL/pgSQL|SPI|Type|Relcache|Timezones|smgr|LOCALLOCK|RowDescription|MessageContext)'
		OR name = 'TopMemoryContext'
$$;
