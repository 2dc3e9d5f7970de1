-- What is measured: steps of the user's, and the tables of the baselines.
-- Effects have no index: they are counted, not prevented.
CREATE SCHEMA bench AUTHORIZATION bench;
SET ROLE bench;

CREATE TABLE bench.effect (n bigint, step text);
CREATE TABLE bench.turn (claimed int, ms float8);

CREATE FUNCTION bench.book(n bigint, step text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO bench.effect (n, step) VALUES (book.n, book.step);
END $$;

CREATE TABLE bench.state (n bigint PRIMARY KEY, step text NOT NULL, changed_at timestamptz NOT NULL);
INSERT INTO bench.state SELECT n, 'a', now() FROM generate_series(1, 50000) n;
CREATE TABLE bench.baseline_effect (n bigint, step text);
CREATE TABLE bench.baseline_audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n bigint NOT NULL,
	at timestamptz NOT NULL, event text NOT NULL, payload jsonb);
CREATE TABLE bench.baseline_row (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, payload jsonb);

-- Three steps, one INSERT each.
SELECT dealix.publish('chain', '{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "sql:bench.book", "Parameters": {"n.$": "$.n", "step": "a"}, "ResultPath": null, "Next": "B"},
	"B": {"Type": "Task", "Resource": "sql:bench.book", "Parameters": {"n.$": "$.n", "step": "b"}, "ResultPath": null, "Next": "C"},
	"C": {"Type": "Task", "Resource": "sql:bench.book", "Parameters": {"n.$": "$.n", "step": "c"}, "ResultPath": null, "End": true}}}');

-- Parked until next year.
SELECT dealix.publish('parked', '{"StartAt": "W", "States": {
	"W": {"Type": "Wait", "Seconds": 31536000, "Next": "A"},
	"A": {"Type": "Task", "Resource": "sql:bench.book", "Parameters": {"n.$": "$.n", "step": "a"}, "ResultPath": null, "End": true}}}');

-- Waits for a signal.
SELECT dealix.publish('signalled', '{"StartAt": "S", "States": {
	"S": {"Type": "Task", "Resource": "signal:go", "ResultPath": null, "Next": "A"},
	"A": {"Type": "Task", "Resource": "sql:bench.book", "Parameters": {"n.$": "$.n", "step": "a"}, "ResultPath": null, "End": true}}}');

-- Done outside of the database.
SELECT dealix.publish('outside', '{"StartAt": "T", "States": {
	"T": {"Type": "Task", "Resource": "activity:bench", "ResultPath": null, "Next": "A"},
	"A": {"Type": "Task", "Resource": "sql:bench.book", "Parameters": {"n.$": "$.n", "step": "a"}, "ResultPath": null, "End": true}}}');

-- A hundred states and no step: Pass and Choice in turn.
SELECT dealix.publish('states', '{"StartAt": "Count", "States": {
	"Count": {"Type": "Pass", "Parameters": {"i.$": "States.MathAdd($.i, 1)"}, "Next": "More"},
	"More": {"Type": "Choice", "Choices": [{"Variable": "$.i", "NumericLessThan": 50, "Next": "Count"}], "Default": "Done"},
	"Done": {"Type": "Succeed"}}}');

-- As many items as the input has, one INSERT each.
SELECT dealix.publish('map', '{"StartAt": "M", "States": {
	"M": {"Type": "Map", "ItemsPath": "$.items", "ItemSelector": {"n.$": "$$.Map.Item.Value"}, "ResultPath": null, "End": true,
		"ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "A", "States": {
			"A": {"Type": "Task", "Resource": "sql:bench.book", "Parameters": {"n.$": "$.n", "step": "a"}, "End": true}}}}}}');

-- Twenty branches, one INSERT each.
SELECT dealix.publish('parallel', jsonb_build_object('StartAt', 'P', 'States', jsonb_build_object(
	'P', jsonb_build_object('Type', 'Parallel', 'ResultPath', NULL, 'End', true, 'Branches', (
		SELECT jsonb_agg(jsonb_build_object('StartAt', 'A' || i, 'States', jsonb_build_object('A' || i,
			jsonb_build_object('Type', 'Task', 'Resource', 'sql:bench.book', 'End', true,
				'Parameters', jsonb_build_object('n.$', '$.n', 'step', 'p' || i)))))
		FROM generate_series(1, 20) i)))));
