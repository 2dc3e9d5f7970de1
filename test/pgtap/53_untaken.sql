-- Signals that nobody takes are seen, and waiting in vain is said at once.
\ir setup.psql
SELECT no_plan();

CREATE TEMP TABLE r (run uuid);

-- ---------- dealix.signals ----------

SELECT dealix.publish('w', '{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "signal:approved|rejected", "Next": "B"},
	"B": {"Type": "Parallel", "Branches": [{"StartAt": "C", "States": {"C": {"Type": "Task", "Resource": "signal:paid&sent", "End": true}}}], "End": true}}}') \g /dev/null
INSERT INTO r SELECT dealix.start('w');
SELECT t.pump() \g /dev/null
SELECT is(dealix.signal(run, 'aproved', '{"by": "me"}'), true, 'a misspelled signal is kept') FROM r;
SELECT is(dealix.signal(run, 'paid'), true, 'an early one, too') FROM r;
SELECT t.pump() \g /dev/null
SELECT results_eq($$SELECT signal, expected, payload::text, owner::text, workflow, version, age >= '0' FROM dealix.signal_details ORDER BY signal$$,
	$$VALUES ('aproved', false, '{"by": "me"}', 'tap_app', 'w', 1, true), ('paid', true, 'null', 'tap_app', 'w', 1, true)$$, 'what nobody has taken is seen');
SELECT is((SELECT DISTINCT asks_for FROM dealix.signal_details), '{approved,paid,rejected,sent}', 'and what the states ask for');
SELECT is((SELECT DISTINCT run_id FROM dealix.signal_details), run, 'by the run that could take it') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_other;
SELECT is_empty('SELECT * FROM dealix.signal_details', 'not to others');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;

SELECT dealix.signal(run, 'approved') FROM r \g /dev/null
SELECT dealix.signal(run, 'sent') FROM r \g /dev/null
SELECT is(t.settle(run), 'SUCCEEDED', 'the run takes what it asks for') FROM r;
SELECT is_empty('SELECT * FROM dealix.signal_details', 'nothing is left');
SELECT is((SELECT count(*)::int FROM dealix.history_details WHERE event = 'message_late' AND payload ->> 'message' = 'aproved'), 1, 'what nobody asked for is on record');

-- ---------- names through a binding ----------

SELECT dealix.bind('arn:aws:states:::sqs:x', 'signal:bound') \g /dev/null
SELECT dealix.publish('b', t.task('arn:aws:states:::sqs:x')) \g /dev/null
UPDATE r SET run = dealix.start('b');
SELECT dealix.signal(run, 'bound') FROM r \g /dev/null
SELECT is((SELECT expected FROM dealix.signal_details), true, 'a bound resource asks for its signal');
SELECT is(t.settle(run), 'SUCCEEDED', 'and takes it') FROM r;

-- ---------- an error that no driver retries ----------

SELECT throws_ok(format('SELECT dealix.signal(%L, ''bound'')', run), 'DX006', format('run %s has ended: it is SUCCEEDED', run), 'a run that has ended') FROM r;

-- ---------- waiting for what cannot come ----------

UPDATE r SET run = dealix.start('w');
SELECT throws_like(format('CALL dealix.wait(%L)', run), 'this transaction cannot wait for run%', 'a run of this transaction') FROM r;
SELECT throws_ok(format('CALL dealix.wait(%L)', run), '25001', NULL, 'at once') FROM r;
SELECT t.pump() \g /dev/null
SELECT dealix.signal(run, 'approved'), dealix.signal(run, 'paid'), dealix.signal(run, 'sent') FROM r \g /dev/null
SELECT is(t.settle(run), 'SUCCEEDED', 'advanced here') FROM r;
SELECT lives_ok(format('CALL dealix.wait(%L)', run), 'it has ended, and needs no wait') FROM r;

SELECT * FROM finish();
ROLLBACK;
