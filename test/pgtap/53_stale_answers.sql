-- What answered one state does not answer the next: an event that was published
-- twice is no decision of an approval, no outcome of an activity, no token.
\ir setup.psql
SELECT no_plan();

CREATE FUNCTION t.after_two_events(resource text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	run uuid := t.begin(jsonb_build_object('StartAt', 'E', 'States', jsonb_build_object(
		'E', '{"Type": "Task", "Resource": "event:paid", "ResultPath": null, "Next": "N"}'::jsonb,
		'N', jsonb_build_object('Type', 'Task', 'Resource', resource, 'End', true) || more)));
BEGIN
	PERFORM t.pump();
	FOR i IN 1 .. 3 LOOP
		PERFORM dealix.publish_event('paid', payload => '{"paid": true}');
	END LOOP;
	PERFORM t.pump();
	RETURN (SELECT string_agg(state || ' ' || waits_for, ', ') FROM dealix.waiting_details WHERE run_id = run)
		|| ', late: ' || (SELECT count(*) FROM dealix.timeline(run) WHERE event = 'message_late');
END $$;

SELECT is(t.after_two_events('approval:pay'), 'N approval, late: 2', 'an approval waits for people');
SELECT is((SELECT string_agg(status, ',') FROM dealix.approval_details), 'PENDING', 'and is open');
SELECT is(t.after_two_events('activity:pay'), 'N activity, late: 2', 'an activity waits for its worker');
SELECT is(t.after_two_events('emit:pay.waitForTaskToken', '{"Parameters": {"token.$": "$$.Task.Token"}}'), 'N token, late: 2', 'a token for who has it');
SELECT is(t.after_two_events('event:paid'), 'N event, late: 2', 'the next event is another one');
SELECT is(t.after_two_events('signal:paid'), 'N signal, late: 2', 'a signal is no event');

RESET SESSION AUTHORIZATION;
SELECT is_empty('SELECT * FROM dealix.event_wait w WHERE NOT EXISTS (SELECT FROM dealix.branch b WHERE b.ticket = w.ticket)', 'nobody waits who has gone on');
SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');
SELECT * FROM finish();
ROLLBACK;
