INSERT INTO bench.baseline_row (at, payload) VALUES (clock_timestamp(), '{"n": 1}');
