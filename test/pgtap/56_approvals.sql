-- Approvals: approve, edit, reject, decide; quorum, roles, expiry, one's own request.
\ir setup.psql
SELECT no_plan();

RESET SESSION AUTHORIZATION;
CREATE ROLE tap_boss LOGIN;
CREATE ROLE tap_chief LOGIN;
CREATE ROLE tap_managers;
GRANT tap_managers TO tap_boss, tap_chief;
SELECT dealix.grant_access('tap_boss', 'approver'), dealix.grant_access('tap_chief', 'approver'), dealix.grant_access('tap_app', 'approver'),
	dealix.grant_access('tap_other', 'approver') \g /dev/null
CREATE TEMP TABLE r (run uuid, id uuid);
INSERT INTO r VALUES (NULL);
GRANT ALL ON r TO PUBLIC;
GRANT USAGE ON SCHEMA t TO PUBLIC;
SET SESSION AUTHORIZATION tap_app;

CREATE FUNCTION t.ask(more jsonb DEFAULT '{}', input jsonb DEFAULT '{"amount": 5}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE r SET run = t.begin(t.task('approval:pay', more), input);
	PERFORM t.pump();
	UPDATE r SET id = (SELECT a.id FROM dealix.approval_details a WHERE a.run_id = run AND a.status = 'PENDING');
END $$;

-- ---------- approve ----------

SELECT t.ask() \g /dev/null
SELECT is((SELECT waits_for || ' ' || name FROM dealix.waiting_details w WHERE w.run_id = r.run), 'approval pay', 'a run waits for a decision') FROM r;
SELECT is_empty('SELECT * FROM dealix.stuck()', 'that is not being stuck');
SELECT is((SELECT name || status || payload::text || quorum || agreed FROM dealix.approval_details a WHERE a.id = r.id), 'payPENDING{"amount": 5}10', 'dealix.approvals shows it') FROM r;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), '42501', NULL, 'nobody approves what he asks for') FROM r;
RESET SESSION AUTHORIZATION;
GRANT tap_boss TO tap_app;
SET SESSION AUTHORIZATION tap_app;
SET ROLE tap_boss;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), '42501', NULL, 'not under another role either') FROM r;
RESET SESSION AUTHORIZATION;
REVOKE tap_boss FROM tap_app;
SET SESSION AUTHORIZATION tap_boss;
SELECT is(dealix.approve(id, 'fine'), 'APPROVED', 'somebody else does') FROM r;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), 'DX004', NULL, 'once') FROM r;
SELECT throws_ok(format('SELECT dealix.reject(%L, ''no'')', id), 'DX004', NULL, 'whatever it is') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run), 'SUCCEEDED', 'the run goes on') FROM r;
SELECT is(t.output(run) - 'id' - 'hash', '{"decision": "approve", "comment": "fine", "payload": {"amount": 5}, "approvers": ["tap_boss"]}', 'with what was decided, and by whom') FROM r;
SELECT is((SELECT actor FROM dealix.timeline(run) WHERE event = 'intent_decided'), 'tap_boss', 'the history says who') FROM r;
SELECT throws_ok($$SELECT dealix.approve('00000000-0000-7000-8000-000000000000')$$, 'P0002', NULL, 'an approval that does not exist');

-- ---------- edit ----------

SELECT t.ask('{"Governance": {"Shape": {"type": "object", "required": ["amount"], "additionalProperties": false, "properties": {"amount": {"type": "integer", "minimum": 1, "maximum": 10}}}}}') \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT throws_ok(format('SELECT dealix.edit(%L, ''{"amount": 11}'')', id), '22023', NULL, 'more than the shape allows') FROM r;
SELECT throws_ok(format('SELECT dealix.edit(%L, ''{"amount": 1.5}'')', id), '22023', NULL, 'not an integer') FROM r;
SELECT throws_ok(format('SELECT dealix.edit(%L, ''{}'')', id), '22023', NULL, 'a member is missing') FROM r;
SELECT throws_ok(format('SELECT dealix.edit(%L, ''{"amount": 1, "x": 1}'')', id), '22023', NULL, 'one too many') FROM r;
SELECT is(dealix.edit(id, '{"amount": 3}', 'less'), 'APPROVED', 'an edit') FROM r;
SELECT is((SELECT payload::text || amended::text FROM dealix.approval_details a WHERE a.id = r.id), '{"amount": 5}{"amount": 3}', 'the original is kept beside it') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.output(run) ->> 'decision' || (t.output(run) -> 'payload')::text, 'edit{"amount": 3}', 'the run gets the amended one') FROM r;

-- ---------- reject ----------

SELECT t.ask('{"Retry": [{"ErrorEquals": ["States.ALL"]}]}') \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT is(dealix.reject(id, 'too much'), 'REJECTED', 'a rejection') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run) || t.error(run) || t.cause(run), 'FAILEDApproval.Rejectedtoo much', 'fails the state, without Retry, with the reason') FROM r;
SELECT is((SELECT count(*)::int FROM dealix.waiting_details w WHERE w.run_id = r.run), 0, 'nothing runnable is left') FROM r;
SELECT is((SELECT detail ? 'payload' FROM dealix.timeline(run) WHERE event = 'intent_decided'), false, 'the history says why without the payload') FROM r;
RESET SESSION AUTHORIZATION;
SELECT throws_ok(format('UPDATE dealix.intent SET status = 2 WHERE intent_id = %L', id), '55000', NULL, 'not even the tables'' owner undoes it') FROM r;
SET SESSION AUTHORIZATION tap_app;

-- ---------- roles and quorum ----------

SELECT t.ask('{"Governance": {"Approvers": ["tap_managers"], "Quorum": 2}}') \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_other;
SELECT is((SELECT count(*)::int FROM dealix.approval_details a WHERE a.id = r.id), 0, 'who is not asked does not see it') FROM r;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), 'P0002', NULL, 'nor decides it') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT is((SELECT count(*)::int FROM dealix.approval_details a WHERE a.id = r.id), 1, 'who is asked sees it') FROM r;
SELECT is(dealix.approve(id), 'PENDING', 'one of two') FROM r;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), 'DX004', NULL, 'the same one again does not count') FROM r;
SELECT is((SELECT agreed FROM dealix.approval_details a WHERE a.id = r.id), 1, 'one has agreed') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_chief;
SELECT is(dealix.edit(id, '{"amount": 4}'), 'PENDING', 'an amended payload has to be agreed with anew') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT throws_ok(format('SELECT dealix.approve(%L, NULL, ''00'')', id), 'DX004', NULL, 'who has not seen it agrees with nothing') FROM r;
SELECT is(dealix.approve(r.id, NULL, a.hash), 'APPROVED', 'the hash binds the decision to what was seen') FROM r, dealix.approval_details a WHERE a.id = r.id;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.output(run) -> 'approvers', '["tap_chief", "tap_boss"]', 'both agreed with it') FROM r;
SELECT is(t.error(t.run(t.task('approval:pay', '{"Governance": {"Approvers": ["nobody_at_all"]}}'))), 'Governance.UnknownRole', 'a role that does not exist');

SELECT is((SELECT string_agg(pointer, ' ' ORDER BY pointer) FROM dealix.validate(t.task('approval:pay', '{"Governance": {"Approvers": "me", "Quorum": 0, "Shape": 1}}'))),
	'/States/Only/Governance/Approvers /States/Only/Governance/Quorum /States/Only/Governance/Shape', 'what cannot be decided is refused');

-- ---------- expiry and cancel ----------

SELECT t.ask('{"TimeoutSeconds": 1}') \g /dev/null
SELECT pg_sleep(1.1) \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), 'DX004', NULL, 'too late, before anybody has noticed') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run) || t.error(run), 'FAILEDStates.Timeout', 'nobody decided in time') FROM r;
SELECT is((SELECT status FROM dealix.approval_details a WHERE a.id = r.id), 'EXPIRED', 'it is expired') FROM r;
SELECT t.ask() \g /dev/null
SELECT dealix.cancel(run) FROM r \g /dev/null
SELECT t.settle(run) FROM r \g /dev/null
SELECT is((SELECT status FROM dealix.approval_details a WHERE a.id = r.id), 'WITHDRAWN', 'a cancel withdraws it') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), 'DX004', NULL, 'and nobody approves it any more') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;

-- ---------- LangChain's wire shape ----------

SELECT t.ask('{}', '{"name": "pay", "args": {"amount": 5}}') \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT throws_ok(format('SELECT dealix.decide(%L, ''{"type": "shrug"}'')', id), '22023', NULL, 'an unknown type') FROM r;
SELECT is(dealix.decide(id, '{"type": "edit", "edited_action": {"name": "pay", "args": {"amount": 2}}}'), 'APPROVED', 'edit') FROM r;
SELECT is((SELECT amended FROM dealix.approval_details a WHERE a.id = r.id), '{"name": "pay", "args": {"amount": 2}}', 'an action') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT t.ask() \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT is(dealix.decide(id, '{"type": "edit", "edited_action": {"name": "pay", "args": {"amount": 2}}}'), 'APPROVED', 'edit') FROM r;
SELECT is((SELECT amended FROM dealix.approval_details a WHERE a.id = r.id), '{"amount": 2}', 'of a payload that is just the arguments') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT t.ask() \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT is(dealix.decide(id, '{"type": "approve"}'), 'APPROVED', 'approve') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT t.ask() \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT is(dealix.decide(id, '{"type": "reject", "message": "never"}'), 'REJECTED', 'reject') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run) || t.cause(run), 'FAILEDnever', 'with the message') FROM r;

-- ---------- many in one transaction ----------

SELECT dealix.publish('many', t.task('approval:many')) \g /dev/null
SELECT count(dealix.start('many')) FROM generate_series(1, 5000) \g /dev/null
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_boss;
SELECT is((SELECT count(dealix.approve(id))::int FROM dealix.approval_details WHERE name = 'many' AND status = 'PENDING'), 5000, '5,000 decisions in one transaction');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT is((SELECT count(*)::int FROM dealix.run_details WHERE workflow = 'many' AND status = 'SUCCEEDED'), 5000, 'are applied');

SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');
SELECT * FROM finish();
ROLLBACK;
