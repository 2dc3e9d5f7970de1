-- Lines of runs that continue as new: key, messages, outcome.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.line(after jsonb DEFAULT '{"Type": "Succeed"}') RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('StartAt', 'M', 'States',
	'{"M": {"Type": "Task", "Resource": "signal:more", "ResultPath": "$.m", "Next": "C"},
	"C": {"Type": "Choice", "Choices": [{"Variable": "$.m", "IsString": true, "Next": "E"}], "Default": "N"},
	"N": {"Type": "Task", "Resource": "workflow:continue_as_new", "Parameters": {"n.$": "$.m"}, "End": true}}'::jsonb
	|| jsonb_build_object('E', after)) $$;
SELECT dealix.publish('line', t.line()) \g /dev/null
CREATE FUNCTION t.last(run uuid) RETURNS uuid LANGUAGE sql AS
$$ SELECT run_id FROM dealix.run_details WHERE first_run = run OR run_id = run ORDER BY run_id DESC LIMIT 1 $$;
CREATE TEMP TABLE r (run uuid);

-- ---------- the key moves on ----------

INSERT INTO r SELECT dealix.start('line', '{"n": 0}', 'k');
SELECT t.pump() \g /dev/null
SELECT is(dealix.signal(run, 'more', '1', 's1'), true, 'a signal to the first run') FROM r;
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*)::int FROM dealix.run_details WHERE key = 'k'), 1, 'one run has the key');
SELECT is((SELECT run_id FROM dealix.run_details WHERE key = 'k'), t.last(run), 'the one that goes on') FROM r;
SELECT is((SELECT continued_as FROM dealix.run_details WHERE run_id = run), t.last(run), 'continued_as names the next') FROM r;
SELECT is((SELECT first_run FROM dealix.run_details WHERE key = 'k'), run, 'first_run the first') FROM r;
SELECT is((SELECT first_run FROM dealix.run_details WHERE run_id = run), NULL, 'which has none itself') FROM r;
SELECT is(dealix.start('line', '{"n": 0}', 'k'), t.last(run), 'the start said again finds the line') FROM r;
SELECT throws_ok($$SELECT dealix.start('line', '{"n": 1}', 'k')$$, '23505', NULL, 'with the input of a later run it is another start');
SELECT is(dealix.signal_with_start('line', 'k', 'more', '2', '{"n": 0}', 's2'), t.last(run), 'signal_with_start finds the line, too') FROM r;
SELECT is(dealix.signal(run, 'more', '2', 's2'), false, 'a key of a signal counts for the line') FROM r;
SELECT t.pump() \g /dev/null
SELECT is(dealix.signal(run, 'more', '1', 's1'), false, 'also one of a run before') FROM r;
SELECT is(dealix.signal(t.last(run), 'more', '1', 's1'), false, 'whichever run is named') FROM r;
SELECT is((SELECT count(*)::int FROM dealix.run_details WHERE first_run = run), 2, 'each number was taken once') FROM r;
SELECT is(dealix.result(run), NULL, 'the line goes on') FROM r;
SELECT is(dealix.signal_with_start('line', 'k', 'more', '"end"', '{"n": 0}', 's3'), t.last(run), 'what ends it') FROM r;
SELECT t.pump() \g /dev/null
SELECT is(t.status(t.last(run)), 'SUCCEEDED', 'ends its last run') FROM r;
SELECT is(dealix.result(run), '{"m": "end", "n": 2}', 'whose output is the result of the line') FROM r;
SELECT is(dealix.result(t.last(run)), '{"m": "end", "n": 2}', 'and its own') FROM r;
SELECT is(dealix.signal(run, 'more', '1', 's1'), false, 'a signal said again after the end') FROM r;
SELECT is(dealix.start('line', '{"n": 0}', 'k'), t.last(run), 'so a start') FROM r;
SELECT is(dealix.cancel(run), false, 'nothing to cancel') FROM r;

-- ---------- early signals of other names go along, and are no work ----------

UPDATE r SET run = dealix.start('line', '{"n": 0}');
SELECT dealix.signal(run, 'unasked') FROM r \g /dev/null
SELECT t.pump() \g /dev/null
SELECT dealix.signal(run, 'more', '1') FROM r \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(dealix.tick(), 0, 'a signal that nobody asks for is no work');
SELECT is((SELECT count(*)::int FROM dealix.history_details WHERE event = 'message_late'), 0, 'nor late');
SELECT dealix.signal(run, 'more', '"end"') FROM r \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*)::int FROM dealix.history_details h WHERE event = 'message_late' AND h.run_id = t.last(run)), 1, 'until the line ends') FROM r;

-- ---------- who stops a run stops its line ----------

SELECT dealix.publish('undo', t.line()
	|| jsonb_build_object('StartAt', 'A')
	|| jsonb_build_object('States', t.line() -> 'States' || '{"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what.$": "$.n"},
		"ResultPath": null, "Compensate": {"Resource": "sql:t.do", "Parameters": {"what": "undo"}}, "Next": "M"}}')) \g /dev/null
CREATE FUNCTION t.stop(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	run uuid := dealix.start('undo', '{"n": "0"}');
	told boolean;
BEGIN
	PERFORM t.pump();
	PERFORM dealix.signal(run, 'more', '1');
	PERFORM t.pump();
	EXECUTE format('SELECT dealix.%I($1, $2)', command) INTO told USING run, 'because';
	PERFORM t.settle(t.last(run));
	RETURN concat_ws(' ', told, t.status(run), t.status(t.last(run)));
END $$;
SELECT is(t.stop('cancel'), 't SUCCEEDED CANCELLED', 'cancel by the name of a run that has handed over');
SELECT is(t.stop('compensate'), 't SUCCEEDED CANCELLED', 'compensate');
RESET SESSION AUTHORIZATION;
SELECT dealix.grant_access('tap_app', 'operator') \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.stop('terminate'), 't SUCCEEDED TERMINATED', 'terminate');

-- ---------- a child that continues, and is no longer wanted ----------

SELECT dealix.publish('parent', t.task('workflow:line', '{"TimeoutSeconds": 1, "Parameters": {"n": 0}}')) \g /dev/null
UPDATE r SET run = dealix.start('parent');
SELECT t.pump() \g /dev/null
SELECT dealix.signal(run_id, 'more', '1') FROM dealix.run_details WHERE workflow = 'line' AND status = 'RUNNING' \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is_empty('SELECT * FROM dealix.stuck()', 'the parent waits for the line');
SELECT is(t.settle(run), 'FAILED', 'until its time is over') FROM r;
SELECT t.pump() \g /dev/null
SELECT is((SELECT string_agg(status, ' ' ORDER BY run_id) FROM dealix.run_details WHERE parent_run = run), 'SUCCEEDED CANCELLED', 'the run that goes on is cancelled') FROM r;

-- ---------- a run of a schedule that continues still is the schedule's ----------

SELECT dealix_internal.put_schedule('s', '* * * * *', 'line', '{"n": 0}', 'skip', '0', '0') \g /dev/null
SELECT is(dealix.fire_schedule('s', '2030-01-01 00:00+00'), 'STARTED', 'a schedule fires');
SELECT t.pump() \g /dev/null
SELECT dealix.signal(last_run, 'more', '1') FROM dealix.schedule_details \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(dealix.fire_schedule('s', '2030-01-01 00:01+00'), 'SKIPPED', 'and skips while the line goes on');

SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');
SELECT * FROM finish();
ROLLBACK;
