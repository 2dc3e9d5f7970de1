-- Children: outcome, failure, cancel, terminate, policies, depth, continue_as_new.
\ir setup.psql
SELECT no_plan();

CREATE TEMP TABLE r (run uuid);
INSERT INTO r VALUES (NULL);
CREATE FUNCTION t.child() RETURNS uuid LANGUAGE sql AS $$ SELECT run_id FROM dealix.run_details WHERE workflow = 'child' ORDER BY run_id DESC LIMIT 1 $$;
CREATE FUNCTION t.parent(more jsonb DEFAULT '{}', resource text DEFAULT 'workflow:child') RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
	run uuid;
BEGIN
	PERFORM dealix.publish('parent', t.task(resource, more));
	run := dealix.start('parent', '{"a": 1}', correlation_id => 'corr');
	PERFORM t.pump();
	RETURN run;
END $$;

-- ---------- outcome ----------

SELECT dealix.publish('child', '{"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"got.$": "$.a"}, "End": true}}}') \g /dev/null
UPDATE r SET run = t.parent();
SELECT is(t.settle(run), 'SUCCEEDED', 'a parent waits for its child') FROM r;
SELECT is(t.output(run), '{"got": 1}', 'whose output is its result') FROM r;
SELECT is((SELECT correlation_id FROM dealix.run_details WHERE run_id = t.child()), 'corr', 'the child has the correlation of the parent');
SELECT is((SELECT parent_run FROM dealix.run_details WHERE run_id = t.child()), run, 'and names it') FROM r;
SELECT is(t.error(t.parent('{}', 'workflow:nowhere')), 'Workflow.DoesNotExist', 'a workflow that does not exist');

SELECT dealix.publish('child', '{"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Child.Bad", "Cause": "why"}}}') \g /dev/null
UPDATE r SET run = t.parent();
SELECT is(t.settle(run) || t.error(run) || t.cause(run), 'FAILEDChild.Badwhy', 'a failure is the parent''s, with error and cause') FROM r;

-- ---------- .start ----------

SELECT dealix.publish('child', t.task('signal:go')) \g /dev/null
UPDATE r SET run = t.parent('{}', 'workflow:child.start');
SELECT is(t.status(run), 'SUCCEEDED', '.start does not wait') FROM r;
SELECT is(t.output(run), jsonb_build_object('run_id', t.child()), 'and tells the run') FROM r;
SELECT t.pump() \g /dev/null
SELECT is(t.status(t.child()), 'RUNNING', 'which is left alone');
SELECT dealix.signal(t.child(), 'go') \g /dev/null
SELECT is(t.settle(t.child()), 'SUCCEEDED', 'to its end');
SELECT is((SELECT count(*)::int FROM dealix.timeline(run) WHERE event = 'message_late'), 0, 'of which nobody is told') FROM r;
UPDATE r SET run = t.parent('{"ParentClosePolicy": "terminate"}', 'workflow:child.start');
SELECT t.pump() \g /dev/null
SELECT is(t.status(t.child()), 'TERMINATED', 'unless its policy says otherwise');

-- ---------- cancel and terminate ----------

UPDATE r SET run = t.parent();
SELECT is((SELECT waits_for || ' ' || name FROM dealix.waiting_details w WHERE w.run_id = r.run), 'child child', 'dealix.waiting shows it') FROM r;
SELECT dealix.cancel(run) FROM r \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.status(run) || t.status(t.child()), 'CANCELLEDCANCELLED', 'a cancel goes on to the child') FROM r;
UPDATE r SET run = t.parent('{"ParentClosePolicy": "abandon"}');
SELECT dealix.cancel(run) FROM r \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.status(run) || t.status(t.child()), 'CANCELLEDRUNNING', 'unless the child is to be abandoned') FROM r;
SELECT dealix.signal(t.child(), 'go') \g /dev/null
SELECT t.pump() \g /dev/null
UPDATE r SET run = t.parent();
RESET SESSION AUTHORIZATION;
SELECT dealix.terminate(run) FROM r \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT is(t.status(run) || t.status(t.child()), 'TERMINATEDTERMINATED', 'a terminate too') FROM r;
UPDATE r SET run = t.parent();
RESET SESSION AUTHORIZATION;
SELECT dealix.terminate(t.child(), 'enough') \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run) || t.error(run), 'FAILEDTerminated', 'a child that is terminated is a failure of the parent') FROM r;
UPDATE r SET run = t.parent('{"TimeoutSeconds": 1}');
SELECT is(t.settle(run) || t.error(run), 'FAILEDStates.Timeout', 'a child that takes too long') FROM r;
SELECT t.pump() \g /dev/null
SELECT is(t.status(t.child()), 'CANCELLED', 'is cancelled');

-- ---------- depth ----------

SELECT dealix.publish('child', t.task('workflow:child')) \g /dev/null
RESET SESSION AUTHORIZATION;
SET dealix_exec.max_child_depth = 3;
SET SESSION AUTHORIZATION tap_app;
UPDATE r SET run = t.parent();
SELECT is(t.settle(run) || t.error(run), 'FAILEDStates.Runtime', 'children of children end somewhere') FROM r;
SELECT is((SELECT count(*)::int FROM dealix.run_details WHERE workflow = 'child' AND error = 'States.Runtime'), 3, 'at the depth allowed');
RESET SESSION AUTHORIZATION;
RESET dealix_exec.max_child_depth;
SET SESSION AUTHORIZATION tap_app;

-- ---------- continue_as_new ----------

SELECT dealix.publish('child', '{"StartAt": "C", "States": {
	"C": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 2, "Next": "S"}], "Default": "N"},
	"N": {"Type": "Task", "Resource": "workflow:continue_as_new", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "End": true},
	"S": {"Type": "Task", "Resource": "signal:go", "End": true}}}') \g /dev/null
UPDATE r SET run = t.parent('{"Parameters": {"n": 0}}');
SELECT dealix.signal(run_id, 'go', '"kept"') FROM dealix.run_details WHERE workflow = 'child' AND status = 'RUNNING' \g /dev/null
SELECT is(t.settle(run), 'SUCCEEDED', 'a child that continues as another') FROM r;
SELECT is(t.output(run), '"kept"', 'answers the parent in the end; signals go along') FROM r;
SELECT is((SELECT count(*)::int FROM dealix.history_details WHERE event = 'run_continued'), 3, 'three times');

SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');
SELECT is_empty($$SELECT * FROM dealix.run_details WHERE status = 'RUNNING'$$, 'nor left');
SELECT * FROM finish();
ROLLBACK;
