-- What defects have shown that no other test looks at; see test/mutants.
\ir setup.psql
SELECT no_plan();

CREATE TEMP TABLE r (run uuid);
INSERT INTO r VALUES (NULL);

-- ---------- the token of an attempt before ----------

CREATE TEMP TABLE first AS SELECT * FROM dealix.claim('nothing', 'w');
CREATE TEMP TABLE second AS SELECT * FROM dealix.claim('nothing', 'w');
UPDATE r SET run = t.begin(t.task('activity:mail', '{"Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1, "JitterStrategy": "NONE"}]}'));
SELECT t.pump() \g /dev/null
INSERT INTO first SELECT * FROM dealix.claim('mail', 'w1');
SELECT dealix.fail(token, 'Busy') FROM first \g /dev/null
SELECT t.pump() \g /dev/null
SELECT pg_sleep(1.05) \g /dev/null
SELECT t.pump() \g /dev/null
INSERT INTO second SELECT * FROM dealix.claim('mail', 'w2');
SELECT is((SELECT attempt FROM second), 2, 'another worker has the second attempt');
SELECT is((SELECT array_agg(o) FROM dealix.complete_many(ARRAY[f.token], ARRAY['"stale"'::jsonb]) o), ARRAY['FAILED'],
	'who completes the first one is told what became of it') FROM first f;
SELECT is((SELECT array_agg(o) FROM dealix.complete_many(ARRAY[split_part(f.token, '.', 1) || '.3'], ARRAY['"early"'::jsonb]) o), ARRAY['REFUSED'],
	'an attempt that there was not is refused') FROM first f;
SELECT is((SELECT status FROM dealix.activity_details), 'CLAIMED', 'and the second one is where it was');

-- ---------- the latest heartbeat ----------

SELECT dealix.heartbeat(token, '"some"'), dealix.heartbeat(token, '"more"'), dealix.heartbeat(token) FROM second \g /dev/null
SELECT is((SELECT details FROM dealix.activity_details), '"more"', 'what was told last counts, and one that tells nothing leaves it');
SELECT is(dealix.complete(token, '"fresh"'), 'COMPLETED', 'who has it completes it') FROM second;
SELECT is(t.settle(run), 'SUCCEEDED', 'the run goes on') FROM r;
SELECT is(t.output(run), '"fresh"', 'with that result') FROM r;

-- ---------- States.Timeout stands for a missing heartbeat, too ----------

UPDATE r SET run = t.begin('{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "activity:beats", "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "B"}], "End": true},
	"B": {"Type": "Pass", "Result": "caught", "End": true}}}');
SELECT t.pump() \g /dev/null
SELECT dealix.fail(token, 'States.HeartbeatTimeout') FROM dealix.claim('beats', 'w') \g /dev/null
SELECT is(t.settle(run), 'SUCCEEDED', 'it is caught') FROM r;
SELECT is(t.output(run), '"caught"', 'as a timeout') FROM r;

SELECT * FROM finish();
ROLLBACK;
