-- What scripts/conformance.py needs in the database: the cases, stand-ins for
-- the tasks that they call, and procedures to judge and to start them.

\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;

CREATE SCHEMA conformance;

-- Texts, not jsonb: a case may hold what jsonb cannot.
CREATE TABLE conformance.validation_case (
	id int PRIMARY KEY,
	pure boolean NOT NULL,
	machine_type text NOT NULL,
	definition text NOT NULL,
	problems jsonb
);

CREATE TABLE conformance.execution_case (
	id int PRIMARY KEY,
	definition text NOT NULL,
	input text NOT NULL,
	run_id uuid,
	refusal text
);

-- The n-th attempt at a state, retries included, has the n-th outcome; the
-- last one repeats.
CREATE TABLE conformance.task (
	id int PRIMARY KEY,
	case_id int NOT NULL,
	state text NOT NULL,
	uri text NOT NULL,
	outcomes jsonb NOT NULL
);

CREATE TABLE conformance.setting (folder text NOT NULL);

-- Attempts are counted by a sequence and their inputs go to files, because a
-- failed attempt is rolled back.
CREATE FUNCTION conformance.answer(task int, input jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	n int := nextval(format('conformance.task_%s', task));
	outcomes jsonb := (SELECT t.outcomes FROM conformance.task t WHERE t.id = task);
	outcome jsonb := outcomes -> least(n, jsonb_array_length(outcomes)) - 1;
BEGIN
	EXECUTE format('COPY (SELECT %L) TO %L (FORMAT csv)', input,
		(SELECT folder FROM conformance.setting) || format('/%s.%s', task, n));
	IF outcome IS NULL THEN
		PERFORM dealix.raise('UnexpectedCall', 'The case has no outcome for this state.');
	ELSIF outcome ? 'timeout' THEN
		PERFORM pg_sleep(3600);
	ELSIF outcome ? 'error' THEN
		PERFORM dealix.raise(outcome ->> 'error', outcome ->> 'cause');
	ELSIF outcome ? 'echo' THEN
		RETURN input;
	END IF;
	RETURN outcome -> 'return';
END $$;

CREATE PROCEDURE conformance.validate_all()
LANGUAGE plpgsql AS $$
DECLARE
	c conformance.validation_case;
	found jsonb;
BEGIN
	FOR c IN SELECT * FROM conformance.validation_case ORDER BY id LOOP
		BEGIN
			SELECT coalesce(jsonb_agg(to_jsonb(p)), '[]') INTO found
				FROM dealix.validate(c.definition::jsonb, c.pure, c.machine_type) p WHERE p.severity = 'error';
		EXCEPTION
			-- What is not JSON, or no JSON that jsonb can hold, is invalid as well.
			WHEN invalid_text_representation OR untranslatable_character
				OR statement_too_complex OR program_limit_exceeded THEN
				found := jsonb_build_array(jsonb_build_object('pointer', '',
					'code', SQLSTATE, 'message', SQLERRM));
		END;
		UPDATE conformance.validation_case SET problems = found WHERE id = c.id;
	END LOOP;
END $$;

-- The definition stays as it is: each resource is bound to a function that
-- stands for the state, for as long as it takes to publish.
CREATE FUNCTION conformance.start_one(c conformance.execution_case) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
	workflow text := 'case-' || c.id;
	t conformance.task;
BEGIN
	FOR t IN SELECT * FROM conformance.task WHERE case_id = c.id LOOP
		EXECUTE format('CREATE SEQUENCE conformance.task_%s', t.id);
		EXECUTE format('CREATE FUNCTION conformance.task_%1$s(input jsonb) RETURNS jsonb'
			' LANGUAGE plpgsql AS $f$ BEGIN RETURN conformance.answer(%1$s, input); END $f$', t.id);
		PERFORM dealix.bind(t.uri, format('sql:conformance.task_%s', t.id));
	END LOOP;
	PERFORM dealix.publish(workflow, c.definition::jsonb);
	PERFORM dealix.unbind(task.uri) FROM conformance.task WHERE case_id = c.id;
	RETURN dealix.start(workflow, c.input::jsonb);
END $$;

CREATE PROCEDURE conformance.start_all()
LANGUAGE plpgsql AS $$
DECLARE
	c conformance.execution_case;
	started uuid;
	why text;
	detail text;
BEGIN
	FOR c IN SELECT * FROM conformance.execution_case ORDER BY id LOOP
		started := NULL;
		why := NULL;
		BEGIN
			started := conformance.start_one(c);
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
			why := format('%s (%s)', SQLERRM, detail);
		END;
		UPDATE conformance.execution_case e SET run_id = started, refusal = why
			WHERE e.id = c.id;
		COMMIT;
	END LOOP;
END $$;

-- Names of the outermost states in the order entered.  A state that fails
-- after its step has succeeded, in its output, is entered once.
CREATE FUNCTION conformance.path(run uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
	h record;
	names jsonb := '[]';
	inside text;
	last text;
	last_event text;
BEGIN
	FOR h IN SELECT * FROM dealix.history_details
		WHERE run_id = run AND branch = 0 AND state IS NOT NULL ORDER BY seq
	LOOP
		IF inside IS NULL AND NOT (h.event IN ('state_caught', 'state_failed')
			AND h.state IS NOT DISTINCT FROM last AND last_event = 'step_succeeded')
		THEN
			names := names || to_jsonb(h.state);
			inside := h.state;
		END IF;
		IF h.event IN ('state_succeeded', 'step_succeeded', 'state_caught', 'state_failed') THEN
			inside := NULL;
		END IF;
		last := h.state;
		last_event := h.event;
	END LOOP;
	RETURN names;
END $$;
