-- People: who did it, who may decide, and what is left of a right that was taken back.
\ir setup.psql
SELECT no_plan();
RESET SESSION AUTHORIZATION;
CREATE ROLE tap_eve LOGIN;
CREATE ROLE tap_ops LOGIN;
GRANT tap_app TO tap_eve;
SELECT dealix.grant_access('tap_ops', 'operator'), dealix.grant_access('tap_eve', 'application') \g /dev/null
CREATE TEMP TABLE r (run uuid, id uuid);
INSERT INTO r VALUES (NULL);
GRANT ALL ON r TO PUBLIC;

-- ---------- the history has who was acting and who had logged in ----------

CREATE FUNCTION pg_temp.who(run uuid, what text) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(actor || '/' || session_actor, ' ' ORDER BY seq) FROM dealix.timeline(run) WHERE event = what $$;
GRANT EXECUTE ON FUNCTION pg_temp.who(uuid, text) TO PUBLIC;
SET SESSION AUTHORIZATION tap_app;
SELECT dealix.publish('who', t.task('signal:go')) \g /dev/null
RESET SESSION AUTHORIZATION;

SET SESSION AUTHORIZATION tap_eve;
SET ROLE tap_app;
UPDATE r SET run = dealix.start('who');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT is(pg_temp.who(run, 'run_started'), 'tap_app/tap_eve', 'who started a run with the rights of its owner') FROM r;
SELECT is(pg_temp.who(run, 'wait_started'), 'tap_app/tap_app', 'what the run does itself') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_eve;
SET ROLE tap_app;
SELECT dealix.cancel(run, 'no more') FROM r \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(pg_temp.who(run, 'cancel_requested'), 'tap_app/tap_eve', 'who cancelled it') FROM r;

UPDATE r SET run = dealix.start('who');
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_eve;
SET ROLE tap_app;
SELECT dealix.signal(run, 'go') FROM r \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run), 'SUCCEEDED', 'a signal') FROM r;
SELECT is(pg_temp.who(run, 'signal_received'), 'tap_app/tap_eve', 'who sent it') FROM r;

-- through a function that has the rights of its owner
RESET SESSION AUTHORIZATION;
CREATE FUNCTION t.stop(run uuid) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT dealix.terminate(run, ''because'')';
ALTER FUNCTION t.stop(uuid) OWNER TO tap_ops;
GRANT EXECUTE ON FUNCTION t.stop(uuid) TO tap_eve;
SET SESSION AUTHORIZATION tap_app;
UPDATE r SET run = dealix.start('who');
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_eve;
SELECT is(t.stop(run), true, 'a run stopped through a SECURITY DEFINER function') FROM r;
RESET SESSION AUTHORIZATION;
SELECT is(pg_temp.who(run, 'run_terminated'), 'tap_ops/tap_eve', 'has both names') FROM r;

-- redriven
SET SESSION AUTHORIZATION tap_app;
UPDATE r SET run = t.run(t.task('sql:t.fail'));
RESET SESSION AUTHORIZATION;
CREATE FUNCTION t.again(run uuid) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'SELECT dealix.redrive(run)';
ALTER FUNCTION t.again(uuid) OWNER TO tap_ops;
GRANT EXECUTE ON FUNCTION t.again(uuid) TO tap_eve;
SET SESSION AUTHORIZATION tap_eve;
SELECT t.again(run) FROM r \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT is(pg_temp.who(run, 'run_redriven'), 'tap_ops/tap_eve', 'so does a redrive') FROM r;

-- an event
SET SESSION AUTHORIZATION tap_app;
UPDATE r SET run = t.begin(t.task('event:news'));
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_eve;
SET ROLE tap_app;
SELECT is(dealix.publish_event('news'), 1::bigint, 'an event') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(pg_temp.who(run, 'event_received'), 'tap_app/tap_eve', 'who published it') FROM r;

-- a schedule that cancels the run before
SELECT dealix_internal.put_schedule('sched', '* * * * *', 'who', '{}', 'cancel_other', '0', '0') \g /dev/null
SELECT is(dealix.fire_schedule('sched', '2026-01-01 00:00Z'), 'STARTED', 'a schedule fires');
SELECT t.pump() \g /dev/null
UPDATE r SET run = (SELECT last_run FROM dealix.schedule_details WHERE name = 'sched');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_eve;
SET ROLE tap_app;
SELECT is(dealix.fire_schedule('sched', '2026-01-01 00:01Z'), 'STARTED', 'and again, by hand');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT is(pg_temp.who(run, 'cancel_requested'), 'tap_app/tap_eve', 'the run before is cancelled by who fired it, not by the extension''s owner') FROM r;

-- the hash covers both
RESET SESSION AUTHORIZATION;
CREATE FUNCTION pg_temp.bytes(what text) RETURNS bytea LANGUAGE sql AS
$$ SELECT CASE WHEN coalesce(what, '') = '' THEN int4send(-1) ELSE int4send(octet_length(what)) || convert_to(what, 'UTF8') END $$;
SELECT is_empty($$SELECT h.run_id, h.seq FROM dealix.history_event h JOIN dealix.run r USING (run_id)
	LEFT JOIN dealix.history_event b ON b.run_id = h.run_id AND b.seq = h.seq - 1,
	LATERAL (SELECT CASE h.kind WHEN 1 THEN r.input ELSE h.payload END AS payload) p
	WHERE h.hash IS DISTINCT FROM sha256('\x00' || pg_temp.bytes('dealix_exec/event/1') || coalesce(b.hash, decode(repeat('00', 32), 'hex'))
		|| uuid_send(h.run_id) || int4send(h.seq) || int2send(h.kind) || int4send(h.branch) || pg_temp.bytes(h.state) || int4send(h.attempt)
		|| pg_temp.bytes(h.actor) || pg_temp.bytes(h.session_actor) || timestamptz_send(h.at)
		|| coalesce(sha256(convert_to(p.payload::text, 'UTF8')), ''))$$, 'the hash of every event covers both, and all else, as documented');
SELECT is((SELECT count(*)::int FROM dealix.history_details WHERE session_actor IS NULL OR session_actor = ''), 0, 'every event names who had logged in');

-- ---------- who decides is a person who has logged in ----------

RESET SESSION AUTHORIZATION;
CREATE ROLE tap_boss LOGIN;
CREATE ROLE tap_svc LOGIN;
CREATE ROLE tap_chief LOGIN;
SELECT dealix.grant_access(x::regrole, 'approver') FROM unnest('{tap_boss,tap_chief,tap_eve,tap_svc,tap_app,tap_other,tap_ops}'::text[]) x \g /dev/null
SELECT dealix.grant_access('tap_svc', 'application'), dealix.grant_access('tap_svc', 'author'), dealix.grant_access('tap_boss', 'application'), dealix.grant_access('tap_boss', 'author') \g /dev/null
GRANT USAGE ON SCHEMA t TO PUBLIC;
CREATE FUNCTION t.ask(name text DEFAULT 'ask') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE r SET run = dealix.start(name), id = NULL;
	PERFORM t.pump();
	PERFORM t.find();
END $$;
-- The approval that is open, whoever looks.
CREATE FUNCTION t.find() RETURNS void LANGUAGE sql SECURITY DEFINER AS
$$ UPDATE r SET id = (SELECT intent_id FROM dealix.intent WHERE status = 1 ORDER BY intent_id DESC LIMIT 1) $$;
CREATE FUNCTION pg_temp.open() RETURNS text LANGUAGE sql AS
$$ SELECT dealix_internal.intent_status_name(status) FROM dealix.intent JOIN r ON intent_id = id $$;
-- As somebody: what comes of a statement in which %L is the approval.
CREATE FUNCTION pg_temp.say(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
	detail text;
BEGIN
	EXECUTE format(statement, (SELECT id FROM r)) INTO answer;
	RETURN coalesce(answer, 'null');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || detail;
END $$;
SET SESSION AUTHORIZATION tap_app;
SELECT dealix.publish('ask', t.task('approval:pay')) \g /dev/null
SELECT t.ask() \g /dev/null
RESET SESSION AUTHORIZATION;

-- another role
GRANT tap_boss TO tap_other;
SET SESSION AUTHORIZATION tap_other;
SET ROLE tap_boss;
SELECT is(pg_temp.say('SELECT dealix.approve(%L)'), '42501 Role "tap_other" has logged in, and the present role is "tap_boss".', 'not under another role');
SELECT is(pg_temp.say('SELECT dealix.edit(%L, ''{}'')'), '42501 Role "tap_other" has logged in, and the present role is "tap_boss".', 'nor with an edit');
SELECT is(pg_temp.say('SELECT dealix.reject(%L, ''no'')'), '42501 Role "tap_other" has logged in, and the present role is "tap_boss".', 'nor with a rejection');
SELECT is(pg_temp.say($$SELECT dealix.decide(%L, '{"type": "approve"}')$$), '42501 Role "tap_other" has logged in, and the present role is "tap_boss".', 'nor in the form of frameworks');
RESET SESSION AUTHORIZATION;
REVOKE tap_boss FROM tap_other;

-- a function with its owner's rights
CREATE FUNCTION t.sneak(id uuid) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT dealix.approve(id)';
ALTER FUNCTION t.sneak(uuid) OWNER TO tap_chief;
GRANT EXECUTE ON FUNCTION t.sneak(uuid) TO PUBLIC;
SET SESSION AUTHORIZATION tap_boss;
SELECT is(pg_temp.say('SELECT t.sneak(%L)'), '42501 Role "tap_boss" has logged in, and the present role is "tap_chief".', 'nor within a SECURITY DEFINER function');
RESET SESSION AUTHORIZATION;

-- an index expression, which somebody who maintains the table evaluates
GRANT CREATE ON SCHEMA t TO tap_other;
SET SESSION AUTHORIZATION tap_other;
CREATE FUNCTION t.bite(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF current_setting('tap.bite', true) = 'on' THEN
		PERFORM dealix.approve(id) FROM pg_temp.r;
	END IF;
	RETURN n;
END $$;
GRANT EXECUTE ON FUNCTION t.bite(int) TO PUBLIC;
CREATE TABLE t.bait (n int);
INSERT INTO t.bait VALUES (1);
CREATE INDEX bait_n ON t.bait (t.bite(n));
CREATE MATERIALIZED VIEW t.bait_view AS SELECT t.bite(n) FROM t.bait;
RESET SESSION AUTHORIZATION;
CREATE TABLE t.mine (n int);
INSERT INTO t.mine VALUES (1);
CREATE INDEX mine_n ON t.mine (t.bite(n));
SET tap.bite = 'on';
SELECT is(pg_temp.say('REINDEX TABLE t.bait'), '42501 Role "postgres" has logged in, and the present role is "tap_other".', 'nor does REINDEX of another''s table');
SELECT is(pg_temp.say('ANALYZE t.bait'), '42501 Role "postgres" has logged in, and the present role is "tap_other".', 'nor ANALYZE');
SELECT is(pg_temp.say('REFRESH MATERIALIZED VIEW t.bait_view'), '42501 Role "postgres" has logged in, and the present role is "tap_other".', 'nor REFRESH');
SELECT is(pg_temp.say('CLUSTER t.bait USING bait_n'), '42501 Role "postgres" has logged in, and the present role is "tap_other".', 'nor CLUSTER');
SELECT is(pg_temp.say('REINDEX TABLE t.mine'), '42501 This is a security-restricted operation, such as REINDEX or ANALYZE evaluating an expression of an index.', 'nor of one''s own, by a function of somebody else''s');
SELECT is(pg_temp.say('ANALYZE t.mine'), '42501 This is a security-restricted operation, such as REINDEX or ANALYZE evaluating an expression of an index.', 'nor ANALYZE of it');
RESET tap.bite;

-- a trigger of somebody else's, on a table that one writes
SET SESSION AUTHORIZATION tap_other;
CREATE FUNCTION t.spring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM dealix.approve(id) FROM pg_temp.r; RETURN NULL; END $$;
CREATE TABLE t.trap (n int);
CREATE TRIGGER trap AFTER INSERT ON t.trap FOR EACH ROW EXECUTE FUNCTION t.spring();
GRANT INSERT ON t.trap TO PUBLIC;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT is(pg_temp.say('INSERT INTO t.trap VALUES (1)'), '42501 This is a trigger.', 'nor does a trigger');

-- a cursor that is executed when the transaction commits
DECLARE c CURSOR WITH HOLD FOR SELECT dealix.approve(id) FROM r;
SELECT throws_ok('FETCH c', '42501', NULL, 'nor a cursor WITH HOLD');
CLOSE c;

-- a step, an expression, a trial of one state
SELECT dealix.publish('decide', t.task('sql:dealix.approve')) \g /dev/null
SELECT dealix.publish('evaluate', '{"StartAt": "P", "QueryLanguage": "SQL", "States": {"P": {"Type": "Pass", "Output": "{% dealix.approve((input ->> ''id'')::uuid) %}", "End": true}}}') \g /dev/null
CREATE TEMP TABLE w AS SELECT dealix.start('decide', jsonb_build_object('id', id)) AS step, dealix.start('evaluate', jsonb_build_object('id', id)) AS expression FROM r;
SELECT t.pump() \g /dev/null
SELECT is(t.error(step), 'SQL.insufficient_privilege', 'nor a step') FROM w;
SELECT matches(t.cause(step), 'This is a step or an expression of a workflow', 'and it is told so') FROM w;
SELECT matches(t.cause(expression), 'This is a step or an expression of a workflow', 'nor an expression') FROM w;
SELECT matches(dealix.test_state('{"StartAt": "P", "QueryLanguage": "SQL", "States": {"P": {"Type": "Pass", "Output": "{% dealix.approve((input ->> ''id'')::uuid) %}", "End": true}}}', 'P', jsonb_build_object('id', id))::text,
	'only a person who has logged in decides', 'nor the trial of a state') FROM r;
RESET SESSION AUTHORIZATION;
SELECT is(pg_temp.open(), 'PENDING', 'all this has decided nothing');
SET SESSION AUTHORIZATION tap_boss;
SELECT is(pg_temp.say('SELECT dealix.approve(%L)'), 'APPROVED', 'a person has');
RESET SESSION AUTHORIZATION;

-- ---------- who has asked does not decide, however he has asked ----------

GRANT tap_svc TO tap_eve;
CREATE TABLE t.orders (n int);
CREATE FUNCTION t.order(run text DEFAULT NULL) RETURNS void LANGUAGE sql AS 'INSERT INTO t.orders VALUES (1)';
GRANT EXECUTE ON FUNCTION t.order(text) TO PUBLIC;
CREATE FUNCTION t.as_svc() RETURNS uuid LANGUAGE sql SECURITY DEFINER AS 'SELECT dealix.start(''pay'')';
ALTER FUNCTION t.as_svc() OWNER TO tap_svc;
GRANT EXECUTE ON FUNCTION t.as_svc() TO PUBLIC;
SET SESSION AUTHORIZATION tap_svc;
SELECT dealix.publish('pay', t.task('approval:pay')) \g /dev/null
SELECT dealix.publish('parent', t.task('workflow:pay')) \g /dev/null
SELECT dealix.publish('grandparent', t.task('workflow:parent')) \g /dev/null
SELECT dealix.publish('starter', t.task('sql:dealix.start', '{"Parameters": {"workflow": "pay"}}')) \g /dev/null
SELECT dealix.publish('again', '{"StartAt": "C", "States": {
	"C": {"Type": "Choice", "Choices": [{"Variable": "$.again", "IsPresent": true, "Next": "P"}], "Default": "N"},
	"N": {"Type": "Task", "Resource": "workflow:continue_as_new", "Parameters": {"again": true}, "End": true},
	"P": {"Type": "Task", "Resource": "approval:pay", "End": true}}}') \g /dev/null
SELECT dealix.publish('many', '{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "End": true,
	"ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P", "States": {"P": {"Type": "Task", "Resource": "approval:pay", "End": true}}}}}}') \g /dev/null
SELECT dealix.publish('inserter', t.task('sql:t.order')) \g /dev/null
SELECT dealix.publish('scheduler', t.task('sql:dealix_internal.put_schedule', '{"Parameters": {"name": "made", "cron": "* * * * *", "workflow": "pay", "input": {}, "overlap": "allow", "catch_up": "0", "jitter": "0"}}')) \g /dev/null
RESET SESSION AUTHORIZATION;

-- As svc, the owner: passes until the approval is open; how is the statement
-- that eve runs, as svc unless it says otherwise.
CREATE TRIGGER pay AFTER INSERT ON t.orders FOR EACH ROW EXECUTE FUNCTION dealix.start_run('pay');
GRANT ALL ON t.orders TO tap_svc, tap_eve;
CREATE FUNCTION pg_temp.asked(statement text, what text, asks name DEFAULT 'tap_svc') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	before int := (SELECT count(*) FROM dealix.intent);
	denied text;
BEGIN
	SET LOCAL SESSION AUTHORIZATION tap_eve;
	EXECUTE format('SET LOCAL ROLE %I', asks);
	EXECUTE statement;
	RESET SESSION AUTHORIZATION;
	SET LOCAL SESSION AUTHORIZATION tap_eve;
	PERFORM t.pump();
	SET LOCAL SESSION AUTHORIZATION tap_svc;
	PERFORM t.pump();
	RESET SESSION AUTHORIZATION;
	PERFORM t.find();
	RETURN NEXT cmp_ok((SELECT count(*)::int FROM dealix.intent), '>', before, what || ': an approval is open');
	SET LOCAL SESSION AUTHORIZATION tap_eve;
	denied := pg_temp.say('SELECT dealix.approve(%L)');
	RESET SESSION AUTHORIZATION;
	RETURN NEXT is(denied, '42501 Neither who owns the run decides, nor whoever has asked for it or for the run that has started it.', what || ': who asked does not decide');
	SET LOCAL SESSION AUTHORIZATION tap_svc;
	denied := pg_temp.say('SELECT dealix.approve(%L)');
	RESET SESSION AUTHORIZATION;
	RETURN NEXT matches(denied, '^42501', what || ': nor does the owner');
	SET LOCAL SESSION AUTHORIZATION tap_boss;
	RETURN NEXT is(pg_temp.say('SELECT dealix.approve(%L)'), 'APPROVED', what || ': somebody else does');
	RESET SESSION AUTHORIZATION;
	SET LOCAL SESSION AUTHORIZATION tap_svc;
	PERFORM t.pump();
	RESET SESSION AUTHORIZATION;
END $$;

SELECT pg_temp.asked($$SELECT dealix.start('pay')$$, 'start as another role');
SELECT pg_temp.asked($$SELECT dealix.start('pay', '{}', 'key')$$, 'with a key');
SELECT pg_temp.asked($$SELECT dealix.start_many('pay', ARRAY['{}']::jsonb[])$$, 'start_many');
SELECT pg_temp.asked($$SELECT dealix.signal_with_start('pay', 'k2', 'x')$$, 'signal_with_start');
SELECT pg_temp.asked($$SELECT dealix.start('parent')$$, 'a child');
SELECT pg_temp.asked($$SELECT dealix.start('grandparent')$$, 'a child of a child');
SELECT pg_temp.asked($$SELECT dealix.start('starter')$$, 'a step that calls start');
SELECT pg_temp.asked($$SELECT dealix.start('again')$$, 'continue_as_new');
SELECT pg_temp.asked($$SELECT dealix.start('many', '{"items": [1]}')$$, 'an item of a distributed Map');
SELECT pg_temp.asked($$INSERT INTO t.orders VALUES (1)$$, 'a trigger');
SELECT pg_temp.asked($$SELECT dealix.start('inserter')$$, 'a trigger that a step fires');

-- eve's own run, whose step goes through a function with the rights of svc
SET SESSION AUTHORIZATION tap_svc;
SELECT dealix.publish('through', t.task('sql:t.as_svc')) \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT pg_temp.asked($$SELECT t.as_svc()$$, 'a SECURITY DEFINER function', 'tap_eve');
SELECT pg_temp.asked($$SELECT dealix.start('through')$$, 'a step that calls one', 'tap_eve');

-- Schedules: the job of pg_cron fires them as their owner.
CREATE FUNCTION t.fire(name text, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	RESET SESSION AUTHORIZATION;
	SET LOCAL SESSION AUTHORIZATION tap_svc;
	PERFORM dealix.fire_schedule(name, at);
	RESET SESSION AUTHORIZATION;
END $$;
SELECT pg_temp.asked($$SELECT dealix_internal.put_schedule('hers', '* * * * *', 'pay', '{}', 'allow', '0', '0'); SELECT t.fire('hers', '2026-01-01 00:00Z')$$, 'a schedule');
SELECT pg_temp.asked($$SELECT dealix.backfill('hers', ARRAY['2026-01-01 00:01Z']::timestamptz[])$$, 'a backfill');
SET SESSION AUTHORIZATION tap_svc;
SELECT dealix_internal.put_schedule('svc', '* * * * *', 'pay', '{}', 'allow', '1 year', '0') \g /dev/null
SELECT dealix_internal.put_schedule('one', '* * * * *', 'pay', '{}', 'buffer_one', '0', '0') \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT pg_temp.asked($$SELECT dealix.fire_schedule('svc', '2026-01-01 00:00Z')$$, 'another''s schedule, fired by hand');
SELECT pg_temp.asked($$SELECT dealix.start('scheduler'); RESET SESSION AUTHORIZATION; SET LOCAL SESSION AUTHORIZATION tap_svc; SELECT t.pump(); RESET SESSION AUTHORIZATION; SELECT t.fire('made', '2026-01-01 00:00Z')$$,
	'a schedule that a step has made');
SELECT pg_temp.asked($$SELECT dealix_internal.set_schedule_paused('svc', true); SELECT t.fire('svc', now() - interval '1 minute'); SET LOCAL SESSION AUTHORIZATION tap_eve; SET LOCAL ROLE tap_svc; SELECT dealix_internal.set_schedule_paused('svc', false)$$,
	'what was missed, started by who ends the pause');
-- boss keeps one for later; it begins when the other has ended
GRANT tap_svc TO tap_boss;
SET SESSION AUTHORIZATION tap_svc;
SELECT dealix.fire_schedule('one', '2026-01-01 00:00Z') \g /dev/null
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT t.find() \g /dev/null
SET SESSION AUTHORIZATION tap_boss;
SET ROLE tap_svc;
SELECT is(dealix.fire_schedule('one', '2026-01-01 00:01Z'), 'BUFFERED', 'a fire that is kept for later');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT is(pg_temp.say('SELECT dealix.approve(%L)'), 'APPROVED', 'boss has not asked for the run before');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_svc;
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT t.find() \g /dev/null
SET SESSION AUTHORIZATION tap_boss;
SELECT matches(pg_temp.say('SELECT dealix.approve(%L)'), '^42501 Neither', 'but for this one');
RESET SESSION AUTHORIZATION;
REVOKE tap_svc FROM tap_boss;

-- a run that is asked for again
SET SESSION AUTHORIZATION tap_chief;
SELECT is(pg_temp.say('SELECT dealix.reject(%L, ''no'')'), 'REJECTED', 'chief says no');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_svc;
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_ops;
SELECT dealix.redrive(run_id) FROM dealix.approval_details a JOIN r USING (id) \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_svc;
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT t.find() \g /dev/null
SET SESSION AUTHORIZATION tap_ops;
SELECT matches(pg_temp.say('SELECT dealix.approve(%L)'), '^42501 Neither', 'who redrives a run has asked for it, too');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT matches(pg_temp.say('SELECT dealix.approve(%L)'), '^42501 Neither', 'as well as those before');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_chief;
SELECT is(pg_temp.say('SELECT dealix.approve(%L)'), 'APPROVED', 'chief changes his mind');
RESET SESSION AUTHORIZATION;

-- ---------- nobody agrees with what he has not seen ----------

SET SESSION AUTHORIZATION tap_app;
SELECT dealix.publish('two', t.task('approval:pay', '{"Governance": {"Quorum": 2}}')) \g /dev/null
SELECT t.ask('two') \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT is(dealix.edit(id, '{"amount": 1}'), 'PENDING', 'an amended payload') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_chief;
SELECT is(pg_temp.say('SELECT dealix.approve(%L)'), 'DX004 Its payload is version 2.', 'who agrees with it gives its hash');
SELECT is(pg_temp.say('SELECT dealix.edit(%L, ''{"amount": 2}'')'), 'DX004 Its payload is version 2.', 'who amends it as well');
SELECT is(pg_temp.say($$SELECT dealix.decide(%L, '{"type": "approve"}')$$), 'DX004 Its payload is version 2.', 'also in the form of frameworks');
SELECT is(pg_temp.say('SELECT dealix.approve(%L, NULL, ''00'')'), 'DX004 Its hash is ' || (SELECT hash FROM dealix.approval_details a JOIN r USING (id)) || '.', 'and the right one');
SELECT is(dealix.decide(id, jsonb_build_object('type', 'approve', 'hash', upper(hash))), 'APPROVED', 'with it he agrees') FROM dealix.approval_details JOIN r USING (id);
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT t.ask('two') \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT dealix.edit(id, '{"amount": 1}') FROM r \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_chief;
SELECT is(dealix.reject(id, 'neither'), 'REJECTED', 'who rejects need not have seen the amendment') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;

-- ---------- a misspelled word opens nothing ----------

-- Problems of Governance, as pointer and hint.
CREATE FUNCTION t.problems(governance jsonb, resource text DEFAULT 'approval:pay') RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(replace(pointer, '/States/Only/Governance', '') || ' ' || code || coalesce(' ' || substring(hint FROM '"(.*)"'), ''), ', ' ORDER BY pointer), '')
	FROM dealix.validate(t.task(resource, jsonb_build_object('Governance', governance))) $$;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.problems('{"approvers": ["tap_boss"]}'), '/approvers UNKNOWN_FIELD Approvers', 'approvers');
SELECT is(t.problems('{"Quorom": 2}'), '/Quorom UNKNOWN_FIELD Quorum', 'Quorom');
SELECT is(t.problems('{"shape": {}}'), '/shape UNKNOWN_FIELD Shape', 'shape');
SELECT is(t.problems('{"Who": 1}'), '/Who UNKNOWN_FIELD', 'something else');
SELECT is(t.problems('{"Approvers": []}'), '/Approvers WRONG_VALUE Approvers', 'nobody');
SELECT is(t.problems('{"Approvers": ["tap_boss", "tap_boss"]}'), '/Approvers/1 WRONG_VALUE', 'somebody twice');
SELECT is(t.problems('{"Approvers": ["tap_boss", 1, null]}'), '/Approvers/1 WRONG_TYPE, /Approvers/2 WRONG_TYPE', 'no names');
SELECT is(t.problems('{"Approvers": "tap_boss"}'), '/Approvers WRONG_TYPE', 'no array');
SELECT is(t.problems('{"Quorum": 0}') || t.problems('{"Quorum": -1}') || t.problems('{"Quorum": 1001}'), '/Quorum OUT_OF_RANGE/Quorum OUT_OF_RANGE/Quorum OUT_OF_RANGE', 'a quorum out of range');
SELECT is(t.problems('{"Quorum": 1.5}') || t.problems('{"Quorum": "2"}'), '/Quorum WRONG_VALUE/Quorum WRONG_TYPE', 'no whole number');
SELECT is(t.problems('{"Shape": 1}') || t.problems('{"Shape": []}'), '/Shape WRONG_TYPE/Shape WRONG_TYPE', 'no shape');
SELECT is(t.problems('{"Shape": {"properties": {"a": {"maximun": 1, "items": {"Type": "string"}}}}}'), '/Shape/properties/a/items/Type UNKNOWN_FIELD type, /Shape/properties/a/maximun UNKNOWN_FIELD maximum', 'words of a shape, at every depth');
SELECT is(t.problems('{"Shape": {"type": "strng"}}'), '/Shape/type WRONG_VALUE string', 'a type');
SELECT is(t.problems('{"Shape": {"type": ["string", "nul"]}}'), '/Shape/type/1 WRONG_VALUE null', 'one of several');
SELECT is(t.problems('{"Shape": {"type": [], "minimum": "1", "maxLength": -1, "enum": [], "required": "a", "additionalProperties": {}, "items": [], "properties": []}}'),
	'/Shape/additionalProperties WRONG_TYPE, /Shape/enum WRONG_VALUE, /Shape/items WRONG_TYPE, /Shape/maxLength OUT_OF_RANGE, /Shape/minimum WRONG_TYPE, /Shape/properties WRONG_TYPE, /Shape/required WRONG_TYPE, /Shape/type WRONG_VALUE', 'what a word is followed by');
SELECT is(t.problems('{"Shape": {"minimum": 2, "maximum": 1}}'), '/Shape OUT_OF_RANGE', 'bounds that nothing is between');
SELECT is(t.problems('{"Shape": {"type": "object", "required": ["a"], "additionalProperties": false, "properties": {"a": {"type": ["integer", "null"], "minimum": 0, "title": "x"}, "b": {"type": "array", "items": {"enum": [1, "2"]}}}}}'), '', 'a good one');
SELECT is(t.problems('{"Approvers": ["tap_boss"]}', 'signal:x'), ' NO_EFFECT', 'where nobody is asked');
SELECT matches(t.problems('{"Approvers": ["tap_boss"]}', 'sql:t.do'), 'MISSING_FIELD', 'what does something says what it is');
SELECT is(t.problems('{"Approvers": ["tap_boss", "tap_nobody"]}'), '/Approvers/1 UNKNOWN_ROLE', 'a role that does not exist');
SELECT is((SELECT severity FROM dealix.validate(t.task('approval:pay', '{"Governance": {"Approvers": ["tap_nobody"]}}')) WHERE code = 'UNKNOWN_ROLE'), 'warning', 'is a warning: it may be there by then');
SELECT is(t.problems('{"Approvers": ["tap_boss", "tap_chief"], "Quorum": 3}'), '/Quorum QUORUM_UNREACHABLE', 'more than there are');
SELECT is(t.problems('{"Approvers": ["tap_boss", "tap_chief"], "Quorum": 2}'), '', 'as many as there are');
SELECT is(t.problems('{"Approvers": ["pg_monitor"]}'), '/Quorum QUORUM_UNREACHABLE', 'a group without members');
SELECT is(t.problems('{"Quorum": 900}'), '/Quorum QUORUM_UNREACHABLE', 'more than have the access');
RESET SESSION AUTHORIZATION;
CREATE ROLE tap_board;
CREATE ROLE tap_seats IN ROLE tap_board;
GRANT tap_seats TO tap_boss, tap_chief;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.problems('{"Approvers": ["tap_board", "tap_boss"], "Quorum": 2}') || t.problems('{"Approvers": ["tap_board", "tap_boss"], "Quorum": 3}'), '/Quorum QUORUM_UNREACHABLE', 'groups stand for their members, and everybody counts once');

-- and at run time
CREATE FUNCTION t.caught(governance jsonb, error text, input jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT t.status(r) || ' ' || coalesce(t.output(r)::text, t.error(r)) FROM t.run(jsonb_build_object('StartAt', 'A', 'States', jsonb_build_object(
		'A', jsonb_build_object('Type', 'Task', 'Resource', 'approval:pay', 'Governance', governance, 'End', true,
			'Catch', jsonb_build_array(jsonb_build_object('ErrorEquals', jsonb_build_array(error), 'Next', 'C'))),
		'C', '{"Type": "Pass", "OutputPath": "$.Error", "End": true}'::jsonb)), input) r $$;
SELECT is(t.caught('{"Approvers": ["tap_nobody"]}', 'Governance.UnknownRole'), 'SUCCEEDED "Governance.UnknownRole"', 'an unknown role is an error that Catch takes');
SELECT is(t.caught('{"Approvers": ["tap_boss"], "Quorum": 2}', 'Governance.QuorumUnreachable'), 'SUCCEEDED "Governance.QuorumUnreachable"', 'so is a quorum that cannot be reached');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_other;
SELECT is(t.caught('{"Approvers": ["tap_other"]}', 'Governance.QuorumUnreachable'), 'SUCCEEDED "Governance.QuorumUnreachable"', 'and an approver who has asked himself');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.caught('{"Shape": {"required": ["a"]}}', 'Governance.WrongShape'), 'SUCCEEDED "Governance.WrongShape"', 'and a payload that does not have the shape');

-- other objects of ours
SELECT is((SELECT string_agg(code, ',') FROM dealix.validate(t.task('event:news', '{"Parameters": {"corelation": "x"}}'))), 'UNKNOWN_FIELD', 'an event: state waits for nothing that it does not know');
SELECT is_empty($$SELECT * FROM dealix.validate(t.task('event:news', '{"Parameters": {"correlation_id.$": "$.x"}}'))$$, 'but for its correlation');
SELECT throws_ok($$SELECT dealix.test_state(t.task('sql:t.do'), 'Only', '{}', '{"Result": 1}')$$, '22023', NULL, 'a mock');
SELECT throws_ok($$SELECT dealix.test_state(t.task('sql:t.do'), 'Only', '{}', '{"result": 1, "error": "x"}')$$, '22023', NULL, 'a mock that is both');
SELECT t.ask('ask') \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT is(left(pg_temp.say($$SELECT dealix.decide(%L, '{"type": "approve", "hush": "00"}')$$), 5), '22023', 'a decision with a word that is not known');
SELECT is(left(pg_temp.say($$SELECT dealix.decide(%L, '{"type": "approve", "hash": 1}')$$), 5), '22023', 'with a hash that is none');
SELECT is(left(pg_temp.say($$SELECT dealix.decide(%L, '{"type": "approve", "edited_action": {"a": 1}}')$$), 5), '22023', 'an agreement with an amendment');
SELECT is(left(pg_temp.say($$SELECT dealix.decide(%L, '{"type": 1}')$$), 5), '22023', 'a type that is none');
SELECT is(pg_temp.say($$SELECT dealix.decide(%L, '{"type": "approve", "message": null}')$$), 'APPROVED', 'a decision');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;

-- ---------- what is taken back is gone ----------

RESET SESSION AUTHORIZATION;
CREATE ROLE tap_leaver LOGIN;
CREATE ROLE tap_group;
CREATE ROLE tap_heir LOGIN IN ROLE tap_group;
-- Rights that a role has been given itself, as text.
CREATE FUNCTION pg_temp.rights(role regrole) RETURNS int LANGUAGE sql AS $$
	SELECT count(*)::int FROM (SELECT proacl AS acl FROM pg_proc WHERE pronamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace)
		UNION ALL SELECT relacl FROM pg_class WHERE relnamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace)
		UNION ALL SELECT nspacl FROM pg_namespace WHERE nspname IN ('dealix', 'dealix_internal')) o, LATERAL aclexplode(acl) a WHERE a.grantee = role $$;
CREATE FUNCTION pg_temp.may(role regrole) RETURNS regprocedure[] LANGUAGE sql AS $$
	SELECT array_agg(oid::regprocedure ORDER BY oid) FROM pg_proc WHERE pronamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace) AND has_function_privilege(role, oid, 'EXECUTE') $$;
SELECT is(pg_temp.rights('tap_leaver'), 0, 'a role without any right');
CREATE FUNCTION pg_temp.comes_and_goes(accesses text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	a text;
	b text;
BEGIN
	FOREACH a IN ARRAY accesses LOOP
		PERFORM dealix.grant_access('tap_leaver', a);
		PERFORM dealix.revoke_access('tap_leaver', a);
		RETURN NEXT is(pg_temp.rights('tap_leaver'), 0, a || ' comes and goes: nothing is left');
		FOREACH b IN ARRAY accesses LOOP
			CONTINUE WHEN a = b;
			PERFORM dealix.grant_access('tap_leaver', a);
			PERFORM dealix.grant_access('tap_leaver', b);
			PERFORM dealix.revoke_access('tap_leaver', b);
			IF pg_temp.may('tap_leaver') <> ARRAY(SELECT dealix.access_functions(a)) OR NOT has_table_privilege('tap_leaver', 'dealix.runs', 'SELECT') THEN
				RETURN NEXT fail(b || ' goes, and ' || a || ' is not as it was');
			END IF;
			PERFORM dealix.revoke_access('tap_leaver', a);
			IF pg_temp.rights('tap_leaver') <> 0 THEN
				RETURN NEXT fail(a || ' goes after ' || b || ', and something is left');
			END IF;
		END LOOP;
	END LOOP;
END $$;
SELECT pg_temp.comes_and_goes('{application,author,worker,approver,operator,auditor}');
GRANT EXECUTE ON FUNCTION dealix.grant_access(regrole, text) TO tap_leaver WITH GRANT OPTION;
SELECT dealix.grant_access('tap_leaver', 'auditor'), dealix.revoke_access('tap_leaver', 'auditor') \g /dev/null
SELECT is(pg_temp.rights('tap_leaver'), 0, 'with the last access what was given by hand goes too');
SELECT dealix.grant_access('tap_group', 'operator'), dealix.grant_access('tap_heir', 'approver') \g /dev/null
SELECT dealix.revoke_access('tap_group', 'operator') \g /dev/null
SELECT is(pg_temp.may('tap_heir'), ARRAY(SELECT dealix.access_functions('approver')), 'members lose what the group had, and keep what they have themselves');
SELECT dealix.revoke_access('tap_heir', 'approver') \g /dev/null
SET SESSION AUTHORIZATION tap_heir;
SELECT throws_ok('SELECT * FROM dealix.workflow_details', '42501', NULL, 'nor a look at the views');
RESET SESSION AUTHORIZATION;
SELECT throws_ok('SELECT dealix.revoke_access(current_user::regrole, ''operator'')', '0LP01', NULL, 'the extension''s owner keeps what is its own');

SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');
SELECT * FROM finish();
ROLLBACK;
