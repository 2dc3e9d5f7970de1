\set n random(1, 50000)
BEGIN;
SELECT step FROM bench.state WHERE n = :n FOR UPDATE;
INSERT INTO bench.baseline_effect (n, step) VALUES (:n, 'a');
UPDATE bench.state SET step = 'b', changed_at = clock_timestamp() WHERE n = :n;
INSERT INTO bench.baseline_audit (n, at, event, payload) VALUES (:n, clock_timestamp(), 'step_succeeded', '{"output": null}');
END;
