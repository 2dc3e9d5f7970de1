-- The load of the torture: every kind of state, effects in a table without a
-- unique index, so that an effect that is there twice is seen.
CREATE ROLE app LOGIN;
CREATE ROLE manager LOGIN;
CREATE ROLE ops LOGIN;
SELECT dealix.grant_access('app', 'application'), dealix.grant_access('app', 'author'),
	dealix.grant_access('manager', 'approver'), dealix.grant_access('ops', 'operator');
CREATE SCHEMA t AUTHORIZATION app;
SET SESSION AUTHORIZATION app;

CREATE TABLE t.ledger (key text NOT NULL, step text NOT NULL, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE t.seen (key text NOT NULL, what text NOT NULL);
CREATE FUNCTION t.book(key text, step text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS 'INSERT INTO t.ledger (key, step) VALUES (key, step)';
-- Every fifth attempt fails, after its effect.
CREATE FUNCTION t.book_badly(key text, step text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO t.ledger (key, step) VALUES (key, step);
	IF random() < 0.2 THEN PERFORM dealix.raise('Torture.Unlucky', 'again'); END IF;
END $$;
CREATE FUNCTION t.book_slowly(key text, step text, seconds float8) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO t.ledger (key, step) VALUES (key, step);
	PERFORM pg_sleep(seconds);
END $$;

SELECT dealix.publish('child', '{"StartAt": "Child", "States": {
	"Child": {"Type": "Task", "Resource": "sql:t.book", "Parameters": {"key.$": "$.key", "step": "Child"}, "ResultPath": null, "Next": "Rest"},
	"Rest": {"Type": "Wait", "Seconds": 0, "End": true}}}');
SELECT dealix.publish('limited', '{"StartAt": "Limited", "States": {
	"Limited": {"Type": "Task", "Resource": "sql:t.book_slowly", "Parameters": {"key.$": "$.key", "step": "Limited", "seconds": 0.01}, "ResultPath": null, "Next": "Pause"},
	"Pause": {"Type": "Wait", "Seconds": 1, "End": true}}}');
SELECT dealix.limit_workflow('limited', 3);
SELECT dealix.publish('line', '{"StartAt": "Take", "States": {
	"Take": {"Type": "Task", "Resource": "signal:item", "TimeoutSeconds": 3600, "ResultPath": "$.item", "Next": "Booked"},
	"Booked": {"Type": "Task", "Resource": "sql:t.book", "Parameters": {"key.$": "$.item", "step": "Booked"}, "ResultPath": null, "Next": "Last"},
	"Last": {"Type": "Choice", "Choices": [{"Variable": "$.item", "StringEquals": "stop", "Next": "Done"}], "Default": "Again"},
	"Again": {"Type": "Task", "Resource": "workflow:continue_as_new", "Parameters": {"key.$": "$.key"}, "End": true},
	"Done": {"Type": "Succeed"}}}');
SELECT dealix.publish('all', '{"StartAt": "Begin", "States": {
	"Begin": {"Type": "Pass", "Parameters": {"key.$": "$.key", "n.$": "$.n", "wait.$": "$.wait", "items": [1, 2, 3]}, "Next": "First"},
	"First": {"Type": "Task", "Resource": "sql:t.book", "Parameters": {"key.$": "$.key", "step": "First"}, "ResultPath": null,
		"Compensate": {"Resource": "sql:t.book", "Parameters": {"key.$": "$.input.key", "step": "undo First"}}, "Next": "Badly"},
	"Badly": {"Type": "Task", "Resource": "sql:t.book_badly", "Parameters": {"key.$": "$.key", "step": "Badly"}, "ResultPath": null,
		"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": 50, "MaxDelaySeconds": 1}],
		"Compensate": {"Resource": "sql:t.book", "Parameters": {"key.$": "$.input.key", "step": "undo Badly"}}, "Next": "Wait"},
	"Wait": {"Type": "Wait", "SecondsPath": "$.wait", "Next": "Both"},
	"Both": {"Type": "Parallel", "ResultPath": null, "Next": "Each", "Branches": [
		{"StartAt": "Left", "States": {"Left": {"Type": "Task", "Resource": "sql:t.book", "Parameters": {"key.$": "$.key", "step": "Left"}, "ResultPath": null,
			"Compensate": {"Resource": "sql:t.book", "Parameters": {"key.$": "$.input.key", "step": "undo Left"}}, "End": true}}},
		{"StartAt": "Go", "States": {"Go": {"Type": "Task", "Resource": "signal:go", "ResultPath": "$.go", "Next": "Right"},
			"Right": {"Type": "Task", "Resource": "sql:t.book", "Parameters": {"key.$": "$.key", "step": "Right"}, "ResultPath": null, "End": true}}}]},
	"Each": {"Type": "Map", "ItemsPath": "$.items", "ItemSelector": {"key.$": "$.key"}, "MaxConcurrency": 2, "ResultPath": null, "Next": "Apart", "ItemProcessor": {
		"StartAt": "Item", "States": {"Item": {"Type": "Task", "Resource": "sql:t.book", "Parameters": {"key.$": "$.key", "step": "Item"}, "ResultPath": null, "End": true}}}},
	"Apart": {"Type": "Map", "ItemsPath": "$.items", "ItemSelector": {"key.$": "$.key"}, "ResultPath": null, "Next": "Work", "ItemProcessor": {
		"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
		"StartAt": "Part", "States": {"Part": {"Type": "Task", "Resource": "sql:t.book", "Parameters": {"key.$": "$.key", "step": "Part"}, "ResultPath": null, "End": true}}}},
	"Work": {"Type": "Task", "Resource": "activity:work", "HeartbeatSeconds": 3, "ResultPath": null,
		"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": 1000}], "Next": "Event"},
	"Event": {"Type": "Task", "Resource": "event:paid", "Parameters": {"correlation_id.$": "$.key"}, "ResultPath": null, "Next": "Ask"},
	"Ask": {"Type": "Task", "Resource": "approval:go", "Parameters": {"key.$": "$.key"}, "ResultPath": null, "Governance": {"Approvers": ["manager"]},
		"Catch": [{"ErrorEquals": ["Approval.Rejected"], "ResultPath": null, "Next": "Token"}], "Next": "Token"},
	"Token": {"Type": "Task", "Resource": "emit:request.waitForTaskToken", "Parameters": {"key.$": "$.key", "token.$": "$$.Task.Token"}, "ResultPath": null, "Next": "Family"},
	"Family": {"Type": "Task", "Resource": "workflow:child", "Parameters": {"key.$": "$.key"}, "ResultPath": null, "Next": "Narrow"},
	"Narrow": {"Type": "Task", "Resource": "workflow:limited", "Parameters": {"key.$": "$.key"}, "ResultPath": null, "Next": "Tell"},
	"Tell": {"Type": "Task", "Resource": "emit:done", "Parameters": {"key.$": "$.key"}, "ResultPath": null, "Next": "How"},
	"How": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 0, "Next": "Bad"}], "Default": "Good"},
	"Good": {"Type": "Succeed"},
	"Bad": {"Type": "Fail", "Error": "Torture.Bad", "Cause": "as it should"}}}');

-- For the checks: a text as it stands under the hash.
CREATE FUNCTION t.bytes(what text) RETURNS bytea LANGUAGE sql AS
$$ SELECT CASE WHEN coalesce(what, '') = '' THEN int4send(-1) ELSE int4send(octet_length(what)) || convert_to(what, 'UTF8') END $$;
