-- A step that fails now and then: Retry with growing pauses, and Catch for what
-- does not get better.  Run with psql as a superuser in an empty database:
--
--	psql -f examples/retry.sql

CREATE EXTENSION dealix_exec;
CREATE ROLE example LOGIN;
SELECT dealix.grant_access('example', 'author'), dealix.grant_access('example', 'application');
CREATE SCHEMA example AUTHORIZATION example;
SET SESSION AUTHORIZATION example;

-- Fails on its first two tries.  A sequence is not rolled back with the step.
CREATE SEQUENCE example.tries;
CREATE FUNCTION example.flaky() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	try bigint := nextval('example.tries');
BEGIN
	IF try < 3 THEN PERFORM dealix.raise('Example.Busy', 'try ' || try); END IF;
	RETURN try;
END $$;
CREATE FUNCTION example.hopeless() RETURNS void LANGUAGE sql AS
$$ SELECT dealix.raise('Example.Closed', 'for good') $$;

SELECT dealix.publish('retry', '{
  "StartAt": "Flaky",
  "States": {
    "Flaky": {
      "Type": "Task", "Resource": "sql:example.flaky", "ResultPath": "$.tries",
      "Retry": [{"ErrorEquals": ["Example.Busy"], "IntervalSeconds": 1, "BackoffRate": 1.5, "MaxAttempts": 5}],
      "Next": "Hopeless"
    },
    "Hopeless": {
      "Type": "Task", "Resource": "sql:example.hopeless",
      "Catch": [{"ErrorEquals": ["Example.Closed"], "ResultPath": "$.why", "Next": "Live with it"}],
      "End": true
    },
    "Live with it": {"Type": "Succeed"}
  }
}');

SELECT dealix.start('retry') AS run \gset
CALL dealix.drain();
SELECT pg_sleep(1.1);
CALL dealix.drain();
SELECT pg_sleep(1.6);
CALL dealix.drain();
CALL dealix.wait(:'run', '10 s');

-- The flaky step took three tries; the other's error is in the output.
SELECT dealix.result(:'run');
SELECT event, state, attempt FROM dealix.timeline(:'run');
