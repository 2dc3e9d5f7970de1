-- Governed effects: nothing of them goes out without the decision that the policy
-- asks for.
\ir setup.psql
RESET SESSION AUTHORIZATION;
CREATE ROLE tap_gov LOGIN;
CREATE ROLE tap_gov2 LOGIN;
CREATE ROLE tap_manager;
CREATE ROLE tap_legal;
CREATE ROLE tap_ann LOGIN IN ROLE tap_manager;
CREATE ROLE tap_ann2 LOGIN IN ROLE tap_manager, tap_legal;
CREATE ROLE tap_bob LOGIN IN ROLE tap_manager, tap_legal;
CREATE ROLE tap_bot LOGIN IN ROLE tap_manager;
CREATE ROLE tap_gate LOGIN;
CREATE ROLE tap_gate2 LOGIN;
CREATE ROLE tap_worker LOGIN;
GRANT tap_app TO tap_worker;
SELECT dealix.grant_access(r::regrole, a) FROM (VALUES ('tap_gov', 'governor'), ('tap_gov2', 'governor'), ('tap_ann', 'approver'), ('tap_ann2', 'approver'),
	('tap_bob', 'approver'), ('tap_bot', 'approver'), ('tap_gate', 'gateway'), ('tap_gate2', 'gateway'), ('tap_worker', 'worker'), ('tap_app', 'approver')) x(r, a) \g /dev/null
GRANT tap_manager TO tap_app;
SET SESSION AUTHORIZATION tap_app;
SELECT no_plan();

-- A workflow of one effect.  classes: members of Governance besides.
CREATE FUNCTION t.effect(governance jsonb, resource text DEFAULT 'sql:t.do', more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('StartAt', 'Send', 'States', jsonb_build_object('Send', jsonb_build_object('Type', 'Task', 'Resource', resource,
		'Parameters', '{"what.$": "$.what"}'::jsonb, 'End', true,
		'Governance', '{"Action": "outreach_send", "SideEffect": "external_message", "Approval": "A1", "Reversibility": "R2", "Sensitivity": "S2", "Tenant.$": "$.tenant", "IdempotencyKey.$": "$.key"}'::jsonb || governance) || more))
$$;
CREATE FUNCTION t.publish_effect(name text, governance jsonb, resource text DEFAULT 'sql:t.do', more jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS
$$ SELECT dealix.publish(name, t.effect(governance, resource, more)) $$;
CREATE FUNCTION t.go(workflow text, key text, tenant text DEFAULT 'acme', what text DEFAULT 'mail') RETURNS uuid LANGUAGE sql AS
$$ SELECT dealix.start(workflow, jsonb_build_object('what', what, 'key', workflow || ' ' || key, 'tenant', tenant), correlation_id => 'c') $$;
CREATE FUNCTION t.problems(definition jsonb) RETURNS text LANGUAGE sql AS
$$ SELECT coalesce(string_agg(pointer || ' ' || code, ', ' ORDER BY pointer, message), '') FROM dealix.validate(definition) WHERE severity = 'error' $$;
GRANT ALL ON ALL TABLES IN SCHEMA t TO tap_worker;
RESET SESSION AUTHORIZATION;
CREATE FUNCTION t.pending() RETURNS uuid LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT intent_id FROM dealix.intent WHERE status = 1 ORDER BY created_at DESC LIMIT 1 $$;
GRANT EXECUTE ON FUNCTION t.pending() TO PUBLIC;
-- Each part looks at its own intents only.
CREATE TABLE t.mark (at timestamptz);
INSERT INTO t.mark VALUES (clock_timestamp());
GRANT SELECT ON t.mark TO PUBLIC;
CREATE FUNCTION t.intents() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT coalesce(string_agg(concat_ws(' ', class, status, array_to_string(floors, '+')), ', ' ORDER BY created_at, id), '') FROM dealix.intent_details, t.mark WHERE created_at > at $$;
CREATE FUNCTION t.clean() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE t.mark SET at = clock_timestamp(); DELETE FROM t.effect;
END $$;
GRANT EXECUTE ON FUNCTION t.clean(), t.intents() TO PUBLIC;

-- ---------- at publish ----------
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.problems(t.effect('{}')), '', 'a governed effect is published');
SELECT is(t.problems(t.effect('{"Acton": "x"}')), '/States/Send/Governance/Acton UNKNOWN_FIELD', 'a member that is misspelled is a problem');
SELECT is(t.problems(t.effect('{"SideEffect": "external_mesage"}')), '/States/Send/Governance/SideEffect WRONG_VALUE', 'so is a class');
SELECT is(t.problems(t.effect('{}') #- '{States,Send,Governance,Approval}'), '/States/Send/Governance MISSING_FIELD', 'or one that is forgotten');
SELECT is(t.problems(t.effect('{}') #- '{States,Send,Governance,Action}'), '/States/Send/Governance MISSING_FIELD', 'no action');
SELECT is(t.problems(t.effect('{}') #- '{States,Send,Governance,Tenant.$}' #- '{States,Send,Governance,IdempotencyKey.$}'), '/States/Send/Governance MISSING_FIELD', 'no tenant');
SELECT is(t.problems(t.effect('{"Reversibility": "R3"}')), '/States/Send/Governance CONFLICTING_FIELDS', 'R3 takes A2');
SELECT is(t.problems(t.effect('{"SideEffect": "internal_write"}', more => '{"Compensate": {"Resource": "activity:mail"}}')), '/States/Send/Governance CONFLICTING_FIELDS', 'an effect that hides in the compensation');
SELECT is(t.problems(t.effect('{"Evidence": {"a.$": "$.b", "x": 1}, "Summary.$": "States.Format(''{}'', $.what)", "Shape": {"type": "object"}, "OnDuplicate": "fail", "Approvers": ["tap_manager"], "Quorum": 2}')), '', 'everything there is');
SELECT is(t.problems('{"StartAt": "A", "Governance": {"SideEffect": "internal_write", "Tenant": "acme", "Approval": "A0", "Reversibility": "R0", "Sensitivity": "S0"}, "States": {"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "x"}, "End": true}}}'),
	'/Governance MISSING_FIELD', 'a default at the top makes every Task an effect');
SELECT is(t.problems('{"StartAt": "A", "Governance": {"SideEfect": "none"}, "States": {"A": {"Type": "Succeed"}}}'), '/Governance/SideEfect UNKNOWN_FIELD', 'and is checked');
SELECT is(t.problems('{"StartAt": "A", "Governance": {"SideEffect": "none"}, "States": {"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "x"}, "End": true}}}'), '', 'none is said once for all');
RESET SESSION AUTHORIZATION;
SET dealix_exec.governance = required;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.problems('{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "x"}, "End": true}}}'), '/States/A MISSING_FIELD', 'where governance is required, a Task that forgets it is refused');
RESET SESSION AUTHORIZATION;
SET dealix_exec.governance = declared;
SET SESSION AUTHORIZATION tap_app;
SELECT throws_ok('SET dealix_exec.governance = off', '42501', NULL, 'no author sets that');

-- ---------- the release gate ----------
SELECT t.publish_effect('send', '{}') \g /dev/null
SELECT throws_ok($$SELECT t.go('send', '1')$$, 'DX010', NULL, 'a version with external effects takes no run before its release');
SELECT throws_ok($$SELECT dealix.release('send', 1, 'mine')$$, '42501', NULL, 'which is not the author''s to give');
SET SESSION AUTHORIZATION tap_gov;
SELECT is((SELECT string_agg(point, ',' ORDER BY point) FROM dealix.release_check('send', 1) WHERE NOT passed), 'compensation,policy', 'the checklist says what is open');
SELECT is(dealix.release('send', 1, 'for the test'), '{compensation,policy}', 'what is overridden is said');
SELECT throws_ok($$SELECT dealix.release('send', 1, 'again')$$, '55000', NULL, 'once');
SELECT throws_ok($$SELECT dealix.release('send', 7, 'x')$$, '42704', NULL, 'there is such a version');
SELECT throws_ok($$SELECT dealix.release('send', 1, '')$$, '22023', NULL, 'a comment is given');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT released_by || ' ' || overridden::text FROM dealix.release), 'tap_gov {compensation,policy}', 'and on record');

-- ---------- without a policy ----------
SET SESSION AUTHORIZATION tap_app;
CREATE TEMP TABLE r (run uuid, id uuid);
GRANT ALL ON r TO PUBLIC;
INSERT INTO r SELECT t.go('send', '1');
SELECT t.pump() \g /dev/null
SELECT is(t.intents(), 'B PENDING no_rule', 'what no rule matches is decided by people');
SELECT is(t.effects(), '', 'and has not gone out');
UPDATE r SET id = t.pending();
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), '42501', NULL, 'who asks does not decide') FROM r;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_bob;
SELECT is(dealix.approve(id, 'fine'), 'APPROVED', 'somebody else does') FROM r;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run), 'SUCCEEDED', 'and the run goes on') FROM r;
SELECT is(t.effects(), 'mail', 'it has gone out, once');
SELECT is(t.intents(), 'B DONE no_rule', 'which the intent says');
SELECT is((SELECT string_agg(event, ',' ORDER BY seq) FROM dealix.timeline(run)), 'run_started,intent_opened,intent_decided,effect_allowed,step_succeeded,run_succeeded', 'and the history') FROM r;

-- ---------- a policy ----------
SET SESSION AUTHORIZATION tap_gov;
CREATE TEMP TABLE p AS SELECT '{"Actions": {"sign": {"SideEffect": "external_commitment", "Approval": "A2", "Reversibility": "R3"}},
	"Rules": [
	{"Variable": "$.action", "StringEquals": "crm_upsert", "Class": "A"},
	{"And": [{"Variable": "$.action", "StringEquals": "outreach_send"}, {"Variable": "$.payload.what", "StringMatches": "harmless*"}], "Class": "B", "Approvers": ["tap_manager"]},
	{"Variable": "$.action", "StringEquals": "outreach_send", "Class": "B", "Approvers": ["tap_manager"], "Quorum": 2, "Sla": "PT1H", "Expire": "PT2H", "Escalation": [{"At": 0.75, "Notify": ["tap_manager"]}, {"At": 1, "Add": ["tap_legal"]}]},
	{"Variable": "$.action", "StringEquals": "both", "Class": "B", "Approvers": ["tap_manager", "tap_legal"], "AllOf": [["tap_manager"], ["tap_legal"]], "Quorum": 2},
	{"Variable": "$.action", "StringEquals": "price", "Class": "A", "Canary": 1},
	{"Variable": "$.action", "StringMatches": "any*", "Class": "A"},
	{"Variable": "$.action", "StringEquals": "forbidden_thing", "Class": "C"}]}'::jsonb AS document;
SELECT is_empty($$SELECT * FROM dealix.validate_policy((SELECT document FROM p)) WHERE severity = 'error'$$, 'a policy is in order');
CREATE TEMP TABLE v AS SELECT dealix.publish_policy(document, 'first') AS version FROM p;
SELECT is((SELECT version FROM v), (SELECT max(version) FROM dealix.policies), 'and has a number');
SELECT is((SELECT count(*) FROM dealix.policies WHERE in_force), 0::bigint, 'nothing is in force that nobody has released');
SET SESSION AUTHORIZATION tap_gov2;
SELECT lives_ok($$SELECT dealix.release_policy((SELECT max(version) FROM dealix.policies), 'looked at')$$, 'somebody else than its author releases it');
SELECT is((SELECT released_by FROM dealix.policies WHERE in_force), 'tap_gov2', 'and it is in force');
SET SESSION AUTHORIZATION tap_app;
SELECT is_empty('TABLE dealix.policies', 'which is not for everybody to see');
SELECT throws_ok($$SELECT dealix.publish_policy('{"Rules": []}', 'x')$$, '42501', NULL, 'nor to change');
RESET SESSION AUTHORIZATION;
SELECT throws_ok($$UPDATE dealix.policy SET document = '{}'$$, '55000', NULL, 'nobody changes a version of it');
SELECT throws_ok($$DELETE FROM dealix.policy_release$$, '55000', NULL, 'or who has released it');

-- every hole
CREATE FUNCTION t.hole(document jsonb) RETURNS text LANGUAGE sql AS
$$ SELECT coalesce(string_agg(pointer || ' ' || code || coalesce(' ' || substring(hint FROM 'mean "(.*)"'), ''), ', ' ORDER BY pointer), '') FROM dealix.validate_policy(document) WHERE severity = 'error' $$;
SELECT is(t.hole('{"Rules": [{"Class": "A"}]}'), '/Rules/0 MISSING_FIELD', 'a rule without a test');
SELECT is(t.hole('{"Rules": [{"Variable": "$.action", "StringEquals": "x"}]}'), '/Rules/0 MISSING_FIELD', 'one that says nothing');
SELECT is(t.hole('{"Rules": [{"Variable": "$.action", "StringEquals": "x", "Clas": "B", "Class": "A"}]}'), '/Rules/0/Clas UNKNOWN_FIELD Class', 'a member that is misspelled');
SELECT is(t.hole('{"Rules": [{"And": [{"Variable": "$.action", "StringEqual": "x"}], "Class": "A"}]}'), '/Rules/0/And/0 MISSING_FIELD, /Rules/0/And/0/StringEqual UNKNOWN_FIELD StringEquals', 'inside of And, too');
SELECT is(t.hole('{"Rules": [{"Variable": "$.action", "StringEquals": "x", "Class": "D"}]}'), '/Rules/0/Class WRONG_VALUE', 'a class that is none');
SELECT is(t.hole('{"Rules": [{"Variable": "$.action", "StringEquals": "x", "Class": "B", "Sla": "24h"}]}'), '/Rules/0/Sla WRONG_VALUE', 'a time that is none');
SELECT is(t.hole('{"Rules": [{"Variable": "$.action", "StringEquals": "x", "Class": "B", "Sla": "PT1H", "Escalation": [{"At": 1, "Notfy": ["a"]}]}]}'), '/Rules/0/Escalation/0 MISSING_FIELD, /Rules/0/Escalation/0/Notfy UNKNOWN_FIELD Notify', 'a step of an escalation');
SELECT is(t.hole('{"Rules": [{"Variable": "$.action", "StringEquals": "x", "Class": "C", "Approvers": ["tap_manager"]}]}'), '/Rules/0/Approvers NO_EFFECT', 'nobody approves what is forbidden');
SELECT is(t.hole('{"Actions": {"x": {"SideEffekt": "none"}}, "Rules": []}'), '/Actions/x/SideEffekt UNKNOWN_FIELD SideEffect', 'actions are checked');
SELECT is(t.hole('{"Rule": []}'), '/Rule UNKNOWN_FIELD Rules, Rules MISSING_FIELD', 'the document itself') WHERE false;
SELECT throws_ok($$SELECT dealix.publish_policy('{"Rules": [{"Class": "A"}]}', 'x')$$, '22023', NULL, 'what is wrong is refused whole');

-- the floors
CREATE FUNCTION t.tried(ask jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', got ->> 'Class', got ->> 'Rule', got ->> 'Quorum', (SELECT string_agg(f, '+') FROM jsonb_array_elements_text(got -> 'Floors') f))
	FROM dealix.try_policy((SELECT document FROM p), jsonb_build_array(jsonb_build_object('Ask', '{"tenant": "t"}'::jsonb || ask)))
$$;
SELECT is(t.tried('{"action": "crm_upsert"}'), 'A 0 0', 'automatic');
SELECT is(t.tried('{}'), 'C 0 empty_action', 'no action');
SELECT is(t.tried('{"action": "crm_upsert", "tenant": null}'), 'C 0 tenant_missing', 'no tenant');
SELECT is(t.tried('{"action": "crm_upsert", "run_tenant": "other"}'), 'C 0 other_tenant', 'another tenant');
SELECT is(t.tried('{"action": "crm_upsert", "reversibility": "R3", "approval": "A1"}'), 'C 0 r3_below_a2', 'what cannot be undone');
SELECT is(t.tried('{"action": "crm_upsert", "side_effect": "external_message", "correlated": false}'), 'C 0 no_correlation', 'no correlation id');
SELECT is(t.tried('{"action": "crm_upsert", "side_effect": "external_message", "synchronous": false}'), 'C 0 durability', 'a commit that may get lost');
SELECT is(t.tried('{"action": "crm_upsert", "actor_type": "observer_agent"}'), 'C 0 observer', 'an observer');
SELECT is(t.tried('{"action": "crm_upsert", "actor_type": "recommender_agent"}'), 'B 0 1 recommender', 'who only recommends');
SELECT is(t.tried('{"action": "anything", "side_effect": "external_message"}'), 'B 5 1 external_unnamed', 'an external effect by a rule that does not name it');
SELECT is(t.tried('{"action": "anything", "reversibility": "R2"}'), 'B 5 1 external_unnamed', 'or a costly one');
SELECT is(t.tried('{"action": "anything"}'), 'A 5 0', 'what stays inside may be');
SELECT is(t.tried('{"action": "crm_upsert", "approval": "A1"}'), 'B 0 1 approvers', 'a class of approval takes a person');
SELECT is(t.tried('{"action": "crm_upsert", "approval": "A3"}'), 'B 0 2 approvers+approvers', 'or two');
SELECT is(t.tried('{"action": "unheard_of"}'), 'B 1 no_rule', 'no rule');
SELECT is(t.tried('{"action": "outreach_send"}'), 'B 1 rule_failed', 'a rule that cannot be evaluated lets nothing out');
SELECT is(t.tried('{"action": "sign", "side_effect": "none"}'), 'B 2 no_rule+approvers', 'classes that are lowered are what the policy says');
SELECT is(t.tried('{"action": "forbidden_thing"}'), 'C 6 0', 'forbidden');
SELECT throws_ok($$SELECT * FROM dealix.try_policy((SELECT document FROM p), '[{"Ask": {"acton": "x"}}]')$$, '22023', NULL, 'a case is checked');

-- ---------- two of them, in order of the rules ----------
SELECT t.clean() \g /dev/null
SET SESSION AUTHORIZATION tap_app;
UPDATE r SET run = t.go('send', '2'), id = NULL;
SELECT t.pump() \g /dev/null
UPDATE r SET id = t.pending();
SELECT is(t.intents(), 'B PENDING', 'by the rule that matches first');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT rule || ' ' || quorum || ' ' || approvers::text FROM dealix.intent_details ORDER BY created_at DESC LIMIT 1), '2 2 {tap_manager}', 'as it says');
SET SESSION AUTHORIZATION tap_bob;
SELECT is(dealix.approve(id), 'PENDING', 'one is not two') FROM r;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), 'DX004', NULL, 'nor is one twice') FROM r;
SET SESSION AUTHORIZATION tap_gov;
SELECT dealix.register_actor('tap_ann', 'human', 'Ann'), dealix.register_actor('tap_ann2', 'human', 'Ann'), dealix.register_actor('tap_bot', 'executor_system') \g /dev/null
SELECT throws_ok($$SELECT dealix.register_actor('tap_gov', 'human', 'me')$$, '42501', NULL, 'nobody says of herself who she is');
SELECT throws_ok($$SELECT dealix.register_actor('tap_bob', 'humn', 'x')$$, '22023', NULL, 'a type that is none');
SELECT throws_ok($$SELECT dealix.register_actor('tap_bob', 'human')$$, '22023', NULL, 'a human is a person');
SET SESSION AUTHORIZATION tap_bot;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), '42501', NULL, 'an agent decides nothing') FROM r;
SET SESSION AUTHORIZATION tap_ann;
SELECT is(dealix.approve(id), 'APPROVED', 'a second person') FROM r;
SET SESSION AUTHORIZATION tap_app;
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.effects(), 'mail', 'and it goes');

-- one person with two roles
SELECT t.clean() \g /dev/null
UPDATE r SET run = t.go('send', '3'), id = NULL;
SELECT t.pump() \g /dev/null
UPDATE r SET id = t.pending();
SET SESSION AUTHORIZATION tap_ann;
SELECT is(dealix.approve(id), 'PENDING', 'a person') FROM r;
SET SESSION AUTHORIZATION tap_ann2;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), 'DX004', NULL, 'is one, with whatever role') FROM r;
SET SESSION AUTHORIZATION tap_gate;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), '42501', NULL, 'a gateway is nobody') FROM r;
SELECT throws_ok(format('SELECT dealix.approve(%L, on_behalf_of => ''Ann'')', id), 'DX004', NULL, 'and who comes by it is who she is') FROM r;
SELECT throws_ok(format('SELECT dealix.approve(%L, on_behalf_of => ''carl@example.com'')', id), 'P0002', NULL, 'nobody approves by the rights of a gateway that has none') FROM r;
SELECT throws_ok(format('SELECT dealix.approve(%L, on_behalf_of => ''tap_bot'')', id), '42501', NULL, 'an agent by a gateway is an agent') FROM r;
RESET SESSION AUTHORIZATION;
GRANT tap_manager TO tap_gate, tap_gate2;
SET SESSION AUTHORIZATION tap_gate;
SELECT throws_ok(format('SELECT dealix.approve(%L, on_behalf_of => ''tap_app'')', id), '42501', NULL, 'who has asked does not come by a gateway') FROM r;
SELECT is(dealix.edit(id, '{"what": "another mail"}', 'shorter', on_behalf_of => 'carl@example.com'), 'PENDING', 'who is known to the application only, by the gateway''s') FROM r;
SET SESSION AUTHORIZATION tap_gate2;
SELECT throws_ok(format('SELECT dealix.approve(%L, hash => %L, on_behalf_of => ''carl@example.com'')', id, (SELECT hash FROM dealix.approval_details a WHERE a.id = r.id)), 'DX004', NULL, 'once, by whatever gateway') FROM r;
SET SESSION AUTHORIZATION tap_bob;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), 'DX004', NULL, 'what was amended since it was looked at is not agreed with blindly') FROM r;
SELECT is(dealix.approve(id, hash => (SELECT hash FROM dealix.approval_details a WHERE a.id = r.id)), 'APPROVED', 'with what was seen') FROM r;
SET SESSION AUTHORIZATION tap_app;
SELECT t.settle(run) FROM r \g /dev/null
SELECT is(t.effects(), 'another mail', 'what goes out is what was agreed with');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT string_agg(concat_ws(' ', person, approver, CASE WHEN on_behalf THEN 'behalf' END, decision, version), ', ' ORDER BY at) FROM dealix.decision_details d, r WHERE d.id = r.id),
	'Ann tap_ann approve 1, carl@example.com tap_gate behalf edit 2, tap_bob tap_bob approve 2', 'it is on record who it was');

-- all of several groups
SET SESSION AUTHORIZATION tap_app;
SELECT t.publish_effect('both', '{"Action": "both", "SideEffect": "internal_write"}') \g /dev/null
SELECT t.clean() \g /dev/null
UPDATE r SET run = t.go('both', '1'), id = NULL;
SELECT t.pump() \g /dev/null
UPDATE r SET id = t.pending();
SET SESSION AUTHORIZATION tap_ann;
SELECT is(dealix.approve(id), 'PENDING', 'a manager, who is also of the legal department') FROM r;
SET SESSION AUTHORIZATION tap_gate;
SELECT is(dealix.approve(id, on_behalf_of => 'dora'), 'APPROVED', 'speaks for the one while another speaks for the other') FROM r;

-- delegation
SELECT t.clean() \g /dev/null
SET SESSION AUTHORIZATION tap_app;
UPDATE r SET run = t.go('send', '4'), id = NULL;
SELECT t.pump() \g /dev/null
UPDATE r SET id = t.pending();
RESET SESSION AUTHORIZATION;
CREATE ROLE tap_deputy LOGIN;
CREATE ROLE tap_deputy2 LOGIN;
SELECT dealix.grant_access('tap_deputy', 'approver'), dealix.grant_access('tap_deputy2', 'approver') \g /dev/null
SET SESSION AUTHORIZATION tap_deputy;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), 'P0002', NULL, 'who is no approver') FROM r;
SET SESSION AUTHORIZATION tap_bob;
SELECT throws_ok($$SELECT dealix.delegate('tap_deputy', now() - interval '1 s', 'x')$$, '22023', NULL, 'a delegation has an end that comes');
SELECT throws_ok($$SELECT dealix.delegate('tap_bob', now() + interval '1 h', 'x')$$, '22023', NULL, 'and is to somebody else');
SELECT isnt(dealix.delegate('tap_deputy', now() + interval '1 h', 'holidays'), NULL, 'decides for who has delegated it');
SET SESSION AUTHORIZATION tap_deputy;
SELECT dealix.delegate('tap_deputy2', now() + interval '1 h', 'on') \g /dev/null
SET SESSION AUTHORIZATION tap_deputy2;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), 'P0002', NULL, 'but not on') FROM r;
SET SESSION AUTHORIZATION tap_deputy;
SELECT is(dealix.approve(id), 'PENDING', 'as one voice') FROM r;
SET SESSION AUTHORIZATION tap_bob;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), 'DX004', NULL, 'which is that of who has delegated it') FROM r;

-- who has asked by another role of hers
SET SESSION AUTHORIZATION tap_gov;
SELECT dealix.register_actor('tap_app', 'human', 'Ann') \g /dev/null
SET SESSION AUTHORIZATION tap_ann;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), '42501', NULL, 'who has asked with another role is who has asked') FROM r;
SET SESSION AUTHORIZATION tap_gov;
SELECT dealix.unregister_actor('tap_app') \g /dev/null

-- others in their place
SELECT throws_ok(format('SELECT dealix.reassign_approval(%L, ''{nobody_at_all}'', ''x'')', id), '42704', NULL, 'a role that does not exist is asked by nobody') FROM r;
SELECT lives_ok(format('SELECT dealix.reassign_approval(%L, ''{tap_legal}'', ''all managers are away'')', id), 'others are asked') FROM r;
RESET SESSION AUTHORIZATION;
SELECT is((SELECT approvers::text || ' ' || (reassigned -> 0 ->> 'by') FROM dealix.intent_details i, r WHERE i.id = r.id), '{tap_legal} tap_gov', 'and it is on record who has said so');

-- ---------- refused: nothing is left that could go out ----------
SELECT t.clean() \g /dev/null
SET SESSION AUTHORIZATION tap_app;
UPDATE r SET run = t.go('send', '5'), id = NULL;
SELECT t.pump() \g /dev/null
UPDATE r SET id = t.pending();
SET SESSION AUTHORIZATION tap_bob;
SELECT is(dealix.reject(id, 'not like this'), 'REJECTED', 'rejected') FROM r;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run) || ' ' || t.error(run), 'FAILED Approval.Rejected', 'the state fails') FROM r;
SELECT is(t.effects(), '', 'and nothing has gone out');
SELECT is((SELECT count(*) FROM dealix.history_details h, r WHERE h.run_id = r.run AND h.event IN ('intent_opened', 'intent_decided', 'effect_refused') AND h.payload::text ~ 'mail'), 0::bigint, 'the history does not say what it was');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM dealix.intent_key k, r WHERE k.intent_id = r.id), 0::bigint, 'its key is free');
SELECT throws_ok(format($$UPDATE dealix.intent SET status = 2 WHERE intent_id = %L$$, id), '55000', NULL, 'nobody makes it approved by hand') FROM r;
SELECT throws_ok(format($$UPDATE dealix.intent SET status = 7 WHERE intent_id = %L$$, id), '55000', NULL, 'or lets it out') FROM r;
SELECT throws_ok($$INSERT INTO dealix.intent SELECT (jsonb_populate_record(i, jsonb_build_object('intent_id', gen_random_uuid(), 'status', 2))).* FROM dealix.intent i WHERE class = 'B'$$, '55000', NULL, 'or makes another one that is approved');
SET SESSION AUTHORIZATION tap_app;
UPDATE r SET run = t.go('send', '5'), id = NULL;
SELECT t.pump() \g /dev/null
SELECT is(t.intents(), 'B REJECTED, B PENDING', 'who asks again with the same key is asked about anew');

-- cancelled while it waits
UPDATE r SET id = t.pending();
SELECT dealix.cancel(run) FROM r \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.intents(), 'B REJECTED, B WITHDRAWN', 'what nobody waits for is withdrawn');
SET SESSION AUTHORIZATION tap_bob;
SELECT throws_ok(format('SELECT dealix.approve(%L)', id), 'DX004', NULL, 'and not decided any more') FROM r;

-- ---------- idempotency ----------
SELECT t.clean() \g /dev/null
SET SESSION AUTHORIZATION tap_app;
CREATE TEMP TABLE three AS SELECT t.go('send', 'same', what => 'harmless ' || i) AS run FROM generate_series(1, 3) i;
SELECT t.go('send', 'same', 'other tenant', 'harmless x') \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.intents(), 'B PENDING, B PENDING', 'of one key of a tenant there is one, at the same moment too');
RESET SESSION AUTHORIZATION;
SELECT is_empty($$SELECT * FROM dealix.stuck()$$, 'who waits for another''s answer is not stuck');
SET SESSION AUTHORIZATION tap_bob;
SELECT string_agg(dealix.approve(a.id), ',') FROM dealix.approval_details a, t.mark WHERE status = 'PENDING' AND a.created_at > mark.at \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT is((SELECT string_agg(DISTINCT t.status(run) || t.output(run)::text, ',') FROM three), 'SUCCEEDED"did harmless 1"', 'the others have what came of the first');
SELECT is(t.effects(), 'harmless 1,harmless x', 'which went out once');
SELECT t.publish_effect('once', '{"OnDuplicate": "fail", "SideEffect": "internal_write"}') \g /dev/null
SELECT t.go('once', 'same') \g /dev/null
SELECT t.pump() \g /dev/null
UPDATE r SET run = t.go('once', 'same');
SELECT t.pump() \g /dev/null
SELECT is(t.status(run) || ' ' || t.error(run), 'FAILED Governance.Duplicate', 'or an error, if the state says so') FROM r;

-- ---------- by hand ----------
SELECT t.publish_effect('task', '{}', 'activity:mail') \g /dev/null
SET SESSION AUTHORIZATION tap_gov;
SELECT dealix.release('task', 1, 'x') \g /dev/null
SET SESSION AUTHORIZATION tap_app;
UPDATE r SET run = t.go('task', 'hand', what => 'harmless'), id = NULL;
SELECT t.pump() \g /dev/null
UPDATE r SET id = t.pending();
RESET SESSION AUTHORIZATION;
SELECT throws_ok(format($$INSERT INTO dealix.activity_task (task_id, run_id, created_at, owner, branch, attempt, rank, token_only, activity, state, input)
	VALUES (gen_random_uuid(), %L, now(), 'tap_app'::regrole, 0, 1, 0, false, 'mail', 'Send', '{}')$$, run), '55000', NULL, 'no task of a governed state without its intent, by nobody''s hand') FROM r;
SELECT throws_ok(format($$INSERT INTO dealix.activity_task (task_id, run_id, created_at, owner, branch, attempt, rank, token_only, activity, state, input, intent_id)
	VALUES (gen_random_uuid(), %L, now(), 'tap_app'::regrole, 0, 1, 0, false, 'mail', 'Send', '{}', %L)$$, run, id), '55000', NULL, 'nor with one that is not approved') FROM r;
SELECT throws_ok(format($$INSERT INTO dealix.outbox (run_id, owner, at, topic, event, state) VALUES (%L, 'tap_app'::regrole, now(), 'x', '{}', 'Send')$$, run), '55000', NULL, 'nor an event') FROM r;
SELECT throws_ok(format($$UPDATE dealix.intent SET status = 2, decided_at = now() WHERE intent_id = %L$$, id), '55000', NULL, 'approved is what persons have approved') FROM r;
SELECT throws_ok($$DELETE FROM dealix.intent_decision$$, '55000', NULL, 'who has said what stays');

-- ---------- halted ----------
SET SESSION AUTHORIZATION tap_bob;
SELECT is(dealix.approve(id), 'APPROVED', 'approved') FROM r;
SET SESSION AUTHORIZATION tap_app;
SELECT throws_ok($$SELECT dealix.halt('{}', 'x')$$, '42501', NULL, 'not everybody stops everything');
SET SESSION AUTHORIZATION tap_gov;
SELECT throws_ok($$SELECT dealix.halt('{"acton": "x"}', 'x')$$, '22023', NULL, 'a scope is checked');
CREATE TEMP TABLE h AS SELECT dealix.halt('{"action": "outreach_send"}', 'a complaint') AS halt;
GRANT SELECT ON h TO PUBLIC;
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT is(t.intents() ~ 'B HALTED', true, 'what is approved and not out stays in');
SET SESSION AUTHORIZATION tap_worker;
SELECT is_empty($$SELECT * FROM dealix.claim('mail', 'w')$$, 'no worker gets it');
SET SESSION AUTHORIZATION tap_gov;
SELECT is((SELECT held_back FROM dealix.halts WHERE ended_at IS NULL), 1::bigint, 'it is listed');
RESET SESSION AUTHORIZATION;
SELECT is_empty($$SELECT * FROM dealix.stuck()$$, 'and nothing is lost');
SET SESSION AUTHORIZATION tap_gov;
SELECT is(dealix.resume_effects(halt, 'answered'), 1::bigint, 'until a person lets it go on') FROM h;
SELECT throws_ok(format('SELECT dealix.resume_effects(%s, ''again'')', halt), 'P0002', NULL, 'once') FROM h;
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SET SESSION AUTHORIZATION tap_gov;
TRUNCATE h;
INSERT INTO h SELECT dealix.halt('{"tenant": "acme"}', 'another one');
SET SESSION AUTHORIZATION tap_worker;
SELECT is_empty($$SELECT * FROM dealix.claim('mail', 'w')$$, 'what waits for a worker is stopped, too');
SET SESSION AUTHORIZATION tap_gov;
SELECT dealix.resume_effects(halt, 'answered') FROM h \g /dev/null
SET SESSION AUTHORIZATION tap_worker;
CREATE TEMP TABLE claimed AS SELECT token, idempotency_key FROM dealix.claim('mail', 'w');
SELECT is((SELECT count(*) FROM claimed), 1::bigint, 'and goes on');
SELECT is(dealix.complete(token, '"sent"'), 'COMPLETED', 'it is done') FROM claimed;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run), 'SUCCEEDED', 'the run ends') FROM r;
SELECT is(t.intents() ~ 'B DONE$', true, 'and the intent');

-- ---------- at most once: a person knows ----------
SELECT t.publish_effect('careful', '{}', 'activity:mail', '{"Delivery": "at_most_once", "TimeoutSeconds": 1}') \g /dev/null
SET SESSION AUTHORIZATION tap_gov;
SELECT dealix.release('careful', 1, 'x') \g /dev/null
SET SESSION AUTHORIZATION tap_app;
UPDATE r SET run = t.go('careful', 'amo', what => 'harmless'), id = NULL;
SELECT t.pump() \g /dev/null
UPDATE r SET id = t.pending();
SET SESSION AUTHORIZATION tap_bob;
SELECT dealix.approve(id) FROM r \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SET SESSION AUTHORIZATION tap_worker;
SELECT count(*) FROM dealix.claim('mail', 'w') \g /dev/null
SELECT pg_sleep(1.1) \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT t.pump() \g /dev/null
SELECT is(t.status(run), 'INCIDENT', 'a claim that was lost is a person''s to look at') FROM r;
SELECT is(t.intents() ~ 'B UNKNOWN$', true, 'nobody knows whether it went out');
SELECT throws_ok(format('SELECT dealix.resolve(%L, true, ''"sent"'', ''x'')', id), '42501', NULL, 'the application does not say so itself') FROM r;
SET SESSION AUTHORIZATION tap_gov;
SELECT lives_ok(format('SELECT dealix.resolve(%L, true, ''"it was sent"'', ''the provider says so'')', id), 'a governor does') FROM r;
SELECT throws_ok(format('SELECT dealix.resolve(%L, false, ''null'', ''x'')', id), 'DX004', NULL, 'once') FROM r;
SET SESSION AUTHORIZATION tap_app;
SELECT is(t.settle(run) || t.output(run)::text, 'SUCCEEDED"it was sent"', 'and the run goes on with it') FROM r;
SELECT is((SELECT actor || ' ' || (payload ->> 'status') FROM dealix.history_details h, r WHERE h.run_id = r.run AND event = 'effect_settled'), 'tap_gov DONE', 'the history says who');

-- ---------- a class that is lowered ----------
SELECT t.publish_effect('sign', '{"Action": "sign", "SideEffect": "none", "Approval": "A0", "Reversibility": "R0", "Sensitivity": "S0"}') \g /dev/null
SELECT t.clean() \g /dev/null
UPDATE r SET run = t.go('sign', '1');
SELECT t.pump() \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT is((SELECT concat_ws(' ', class, status, side_effect, approval, reversibility, quorum) FROM dealix.intent_details ORDER BY created_at DESC LIMIT 1), 'B PENDING external_commitment A2 R3 2', 'an author who lowers it has not');
SET SESSION AUTHORIZATION tap_app;

-- the first ones of a rule
SELECT t.publish_effect('price', '{"Action": "price", "SideEffect": "internal_write", "Approval": "A0", "Reversibility": "R0"}') \g /dev/null
SELECT t.clean() \g /dev/null
SELECT t.go('price', i::text) FROM generate_series(1, 2) i \g /dev/null
SELECT t.pump() \g /dev/null
SELECT t.go('price', '3') \g /dev/null
SELECT t.pump() \g /dev/null
SELECT is(t.intents() ~ 'B PENDING canary', true, 'the first one under a rule is decided');
SELECT is(t.intents() ~ 'A DONE$', true, 'those after it are not');

-- another tenant than the run's
SELECT dealix.publish('tenants', '{"StartAt": "A", "Governance": {"Tenant.$": "$.tenant"}, "States": {"A": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "x"},
	"Governance": {"Action": "crm_upsert", "SideEffect": "internal_write", "Approval": "A0", "Reversibility": "R0", "Sensitivity": "S0", "Tenant.$": "$.victim"}, "End": true}}}') \g /dev/null
SELECT t.clean() \g /dev/null
UPDATE r SET run = dealix.start('tenants', '{"tenant": "acme", "victim": "initech"}');
SELECT t.pump() \g /dev/null
SELECT is(t.intents() || ' ' || t.error(run), 'C FORBIDDEN other_tenant Governance.Forbidden', 'an effect for another tenant is forbidden') FROM r;

-- ---------- the pack of evidence ----------
RESET SESSION AUTHORIZATION;
CREATE TEMP TABLE e AS SELECT dealix.evidence(i.run_id) AS pack, i.run_id FROM dealix.intent_details i WHERE i.key = 'send 3' ORDER BY created_at LIMIT 1;
SELECT is(pack #>> '{definition,workflow}' || ' ' || (pack #>> '{intents,0,action}') || ' ' || (pack #>> '{intents,0,rule}') || ' ' || jsonb_array_length(pack #> '{intents,0,decisions}'),
	'send outreach_send 2 3', 'it has the definition, the rule and the decisions') FROM e;
SELECT is(pack #>> '{intents,0,policy_rule,Quorum}', '2', 'and what the rule said') FROM e;
SELECT is(jsonb_array_length(pack -> 'history'), (SELECT count(*)::int FROM dealix.history h WHERE h.run_id = e.run_id), 'and the history, with hashes') FROM e;
SELECT is(pack ->> 'sha256', encode(sha256(convert_to((pack - 'sha256')::text, 'UTF8')), 'hex'), 'a hash is over all of it') FROM e;
SELECT is(pack::text ~ 'another mail', false, 'payloads are not in it') FROM e;
SET SESSION AUTHORIZATION tap_other;
SELECT throws_ok(format('SELECT dealix.evidence(%L)', (SELECT run FROM r)), 'P0002', NULL, 'nobody gets that of another''s run');
SET SESSION AUTHORIZATION tap_app;

SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');
SELECT * FROM finish();
ROLLBACK;
