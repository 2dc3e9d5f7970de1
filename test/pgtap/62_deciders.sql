-- Who decides: persons and agents, whatever roles and gateways they come by; for
-- whom; and whether those who agree suffice.
\ir setup.psql
SELECT no_plan();
RESET SESSION AUTHORIZATION;
CREATE ROLE tap_gov LOGIN;
CREATE ROLE tap_gov_desk LOGIN;
CREATE ROLE tap_gov2 LOGIN;
CREATE ROLE tap_manager;
CREATE ROLE tap_legal;
CREATE ROLE tap_finance;
CREATE ROLE tap_nobody;
CREATE ROLE tap_ann LOGIN IN ROLE tap_manager;
CREATE ROLE tap_ann2 LOGIN IN ROLE tap_manager;
CREATE ROLE tap_bob LOGIN IN ROLE tap_manager;
CREATE ROLE tap_lea LOGIN IN ROLE tap_legal;
CREATE ROLE tap_leo LOGIN IN ROLE tap_legal, tap_finance;
CREATE ROLE tap_fay LOGIN IN ROLE tap_finance;
CREATE ROLE tap_bot LOGIN IN ROLE tap_manager;
CREATE ROLE tap_bot_gov LOGIN;
CREATE ROLE tap_desk LOGIN;
CREATE ROLE tap_out LOGIN;
CREATE ROLE tap_gate LOGIN;
CREATE ROLE tap_gate2 LOGIN;
SELECT dealix.grant_access(r::regrole, a) FROM (VALUES ('tap_gov', 'governor'), ('tap_gov_desk', 'governor'), ('tap_gov2', 'governor'), ('tap_bot_gov', 'governor'),
	('tap_gate2', 'governor'), ('tap_gov', 'application'), ('tap_gov', 'author'), ('tap_ann', 'approver'), ('tap_ann2', 'approver'), ('tap_bob', 'approver'), ('tap_lea', 'approver'), ('tap_leo', 'approver'),
	('tap_fay', 'approver'), ('tap_bot', 'approver'), ('tap_desk', 'approver'), ('tap_out', 'approver'), ('tap_app', 'approver'), ('tap_other', 'approver'),
	('tap_gate', 'gateway'), ('tap_gate2', 'gateway'), ('tap_bob', 'application'), ('tap_bob', 'author')) x(r, a) \g /dev/null
GRANT tap_app TO tap_desk;
GRANT USAGE, CREATE ON SCHEMA t TO PUBLIC;
CREATE TABLE t.r (run uuid, id uuid);
INSERT INTO t.r VALUES (NULL);
GRANT ALL ON t.r TO PUBLIC;

-- As somebody: what comes of a statement in which %L is the approval, or the
-- number and message of its error.
CREATE FUNCTION pg_temp.as(who name, statement text DEFAULT 'SELECT dealix.approve(%L)') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	RESET SESSION AUTHORIZATION;
	EXECUTE format('SET LOCAL SESSION AUTHORIZATION %I', who);
	EXECUTE format(statement, (SELECT id FROM t.r)) INTO answer;
	RESET SESSION AUTHORIZATION;
	RETURN coalesce(nullif(answer, ''), 'null');
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
-- The newest approval that is open, of a run that somebody has started.
CREATE FUNCTION pg_temp.look() RETURNS void LANGUAGE sql AS
$$ UPDATE t.r SET (id, run) = (SELECT intent_id, run_id FROM dealix.intent WHERE status = 1 ORDER BY intent_id DESC LIMIT 1) $$;
CREATE FUNCTION pg_temp.ask(governance jsonb DEFAULT '{}', who name DEFAULT 'tap_app') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET LOCAL SESSION AUTHORIZATION %I', who);
	IF who <> 'tap_app' THEN
		SET LOCAL ROLE tap_app;
	END IF;
	PERFORM t.begin(t.task('approval:pay', jsonb_build_object('Governance', governance)));
	RESET SESSION AUTHORIZATION;
	SET LOCAL SESSION AUTHORIZATION tap_app;
	PERFORM t.pump();
	RESET SESSION AUTHORIZATION;
	PERFORM pg_temp.look();
END $$;
-- What has become of the run, in one word or with its error.
CREATE FUNCTION pg_temp.end() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	SET LOCAL SESSION AUTHORIZATION tap_app;
	PERFORM t.pump();
	SELECT concat_ws(' ', t.status(run), t.error(run)) INTO result FROM t.r;
	RESET SESSION AUTHORIZATION;
	RETURN result;
END $$;
CREATE FUNCTION pg_temp.register(role name, person text) RETURNS text LANGUAGE sql AS
$$ SELECT pg_temp.as('tap_gov', format('SELECT dealix.register_actor(%L, ''human'', %L)', role, person)) $$;
GRANT EXECUTE ON FUNCTION t.begin(jsonb, jsonb), t.task(text, jsonb), t.pump() TO PUBLIC;

-- ---------- who says who is who ----------
SELECT is(left(pg_temp.as('tap_ann', $$SELECT dealix.register_actor('tap_bob', 'human', 'Bob')$$), 5), '42501', 'a governor says who is who');
SELECT is(pg_temp.register('tap_gov_desk', 'Gina'), 'null', 'a person has a second role');
SELECT is(pg_temp.as('tap_gov2', $$SELECT dealix.register_actor('tap_gov', 'human', 'Gina')$$), 'null', 'or a third');
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.register_actor('tap_gov', 'human', 'Somebody else')$$), '42501 nobody says of herself who she is', 'not of herself');
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.register_actor('tap_gov_desk', 'human', 'Somebody else')$$), '42501 nobody says of herself who she is', 'not of another role of hers');
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.unregister_actor('tap_gov_desk')$$), '42501 nobody says of herself who she is', 'nor takes it back');
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.register_actor('tap_bob', 'human', 'Gina')$$), '42501 nobody says of herself who she is', 'nor takes on the rights of another');
SELECT is(pg_temp.as('tap_gov2', $$SELECT dealix.register_actor('tap_bot_gov', 'automated_workflow')$$), 'null', 'an agent');
SELECT is(pg_temp.as('tap_bot_gov', $$SELECT dealix.register_actor('tap_bob', 'human', 'Bob')$$), '42501 only a human says what stands behind a role', 'governs nothing, whatever access it has');
SELECT is(pg_temp.as('tap_gate2', $$SELECT dealix.register_actor('tap_bob', 'human', 'Bob')$$), '42501 only a human says what stands behind a role', 'nor does a gateway');
SELECT is((SELECT string_agg(concat_ws(' ', role, actor_type, person, registered_by), ', ' ORDER BY role::text) FROM dealix.actors),
	'tap_bot_gov automated_workflow tap_gov2, tap_gov human Gina tap_gov2, tap_gov_desk human Gina tap_gov', 'it is on record who has said so');

-- not through somebody else's code
CREATE FUNCTION t.sneak() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$ SELECT dealix.register_actor('tap_bob', 'human', 'Bob') $$;
ALTER FUNCTION t.sneak() OWNER TO tap_gov;
GRANT EXECUTE ON FUNCTION t.sneak() TO PUBLIC;
GRANT tap_gov, tap_lea TO tap_other;
SELECT matches(pg_temp.as('tap_gov2', 'SELECT t.sneak()'), '^42501 only a person who has logged in', 'not through a SECURITY DEFINER function');
SELECT matches(pg_temp.as('tap_other', $$SET LOCAL ROLE tap_gov; SELECT dealix.register_actor('tap_bob', 'human', 'Bob')$$), '^42501 only a person who has logged in', 'not after SET ROLE');
SELECT matches(pg_temp.as('tap_other', $$SET LOCAL ROLE tap_lea; SELECT dealix.delegate('tap_out', now() + interval '1 h', 'x')$$), '^42501 only a person who has logged in', 'nothing is delegated so');
SELECT matches(pg_temp.as('tap_other', $$SET LOCAL ROLE tap_gov; SELECT dealix.reassign_approval(gen_random_uuid(), '{tap_legal}', 'x')$$), '^42501 only a person who has logged in', 'and nobody is put in another''s place');
REVOKE tap_gov, tap_lea FROM tap_other;
CREATE FUNCTION t.spring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM dealix.delegate('tap_out', now() + interval '1 h', 'x'); RETURN NULL; END $$;
CREATE TABLE t.trap (n int);
CREATE TRIGGER trap AFTER INSERT ON t.trap FOR EACH ROW EXECUTE FUNCTION t.spring();
GRANT INSERT ON t.trap TO PUBLIC;
SELECT matches(pg_temp.as('tap_lea', 'INSERT INTO t.trap VALUES (1)'), '^42501 only a person who has logged in', 'not in a trigger');
SET SESSION AUTHORIZATION tap_gov;
SELECT is(t.call('sql:dealix.register_actor', more => '{"Parameters": {"role": "tap_bob", "actor_type": "human", "person": "Bob"}}'), 'FAILED SQL.insufficient_privilege', 'not in a step');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM dealix.actors WHERE role = 'tap_bob'::regrole) + (SELECT count(*) FROM dealix.delegations), 0::bigint, 'nothing of this has come to pass');

-- ---------- a quorum counts persons ----------
CREATE FUNCTION pg_temp.warned(governance jsonb) RETURNS text LANGUAGE sql AS
$$ SELECT coalesce(string_agg(code || ' ' || message, ', '), '') FROM dealix.validate(t.task('approval:pay', jsonb_build_object('Governance', governance))) $$;
SELECT is(pg_temp.warned('{"Approvers": ["tap_manager"], "Quorum": 4}'), '', 'four roles may log in as managers');
SELECT is(pg_temp.register('tap_ann', 'Ann') || pg_temp.register('tap_ann2', 'Ann'), 'nullnull', 'two of them are one person');
SELECT is(pg_temp.warned('{"Approvers": ["tap_manager"], "Quorum": 4}'), 'QUORUM_UNREACHABLE 4 persons have to agree, and 3 persons can log in as one of the approvers', 'who counts once');
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.register_actor('tap_bot', 'executor_system')$$), 'null', 'and one is an agent');
SELECT is(pg_temp.warned('{"Approvers": ["tap_manager"], "Quorum": 3}'), 'QUORUM_UNREACHABLE 3 persons have to agree, and 2 persons can log in as one of the approvers', 'which does not count');
SELECT pg_temp.ask('{"Approvers": ["tap_manager"], "Quorum": 3}') \g /dev/null
SELECT is((SELECT error FROM dealix.run_details ORDER BY created_at DESC LIMIT 1), 'Governance.QuorumUnreachable', 'nor when a run comes there');
-- with nobody named, everybody with the access: of so many roles two are one person, one is an agent
REVOKE EXECUTE ON FUNCTION dealix.approve(uuid, text, text, text) FROM tap_gate, tap_gate2;
CREATE FUNCTION pg_temp.with_access() RETURNS bigint LANGUAGE sql AS
$$ SELECT count(*) FROM pg_roles WHERE rolcanlogin AND has_function_privilege(oid, 'dealix.approve(uuid, text, text, text)', 'EXECUTE') $$;
SELECT is(pg_temp.warned(jsonb_build_object('Quorum', pg_temp.with_access() - 2)), '', 'of all who have the access');
SELECT matches(pg_temp.warned(jsonb_build_object('Quorum', pg_temp.with_access() - 1)), '^QUORUM_UNREACHABLE', 'each person counts once, too');
SELECT dealix.grant_access('tap_gate', 'gateway'), dealix.grant_access('tap_gate2', 'gateway') \g /dev/null
SELECT is(pg_temp.warned('{"Quorum": 1000}'), '', 'behind a gateway there are as many as there have to be');
SELECT is(pg_temp.warned('{"Approvers": ["tap_manager", "tap_gate"], "Quorum": 1000}'), '', 'if it is asked');

SELECT pg_temp.ask('{"Approvers": ["tap_manager"], "Quorum": 2}') \g /dev/null
SELECT is(pg_temp.as('tap_ann'), 'PENDING', 'a person');
SELECT is(pg_temp.as('tap_ann2'), 'DX004 "Ann" has decided about approval ' || id || ' already', 'is one, with whatever role') FROM t.r;
SELECT is(pg_temp.as('tap_bot'), '42501 only humans decide, and role "tap_bot" is not registered as one', 'an agent decides nothing');
SELECT is(pg_temp.as('tap_bob'), 'APPROVED', 'another person');
SELECT is(pg_temp.end(), 'SUCCEEDED', 'and the run goes on');

-- who is registered between two decisions is who she is
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.unregister_actor('tap_ann')$$), 'true', 'a role that is nobody''s');
SELECT pg_temp.ask('{"Approvers": ["tap_manager"], "Quorum": 2}') \g /dev/null
SELECT is(pg_temp.as('tap_ann'), 'PENDING', 'decides as a person of its own name');
SELECT is(pg_temp.register('tap_ann', 'Ann'), 'null', 'and then turns out to be somebody');
SELECT matches(pg_temp.as('tap_ann2'), '^DX004 "Ann" has decided', 'who has decided, then');
SELECT matches(pg_temp.as('tap_ann'), '^DX004 "Ann" has decided', 'with the same role, too');
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.unregister_actor('tap_ann2')$$), 'true', 'a second role');
SELECT is(pg_temp.as('tap_bob', $$SELECT dealix.reject(%L, 'enough')$$), 'REJECTED', 'one rejection is enough');
SELECT pg_temp.end() \g /dev/null
SELECT pg_temp.ask('{"Approvers": ["tap_manager"], "Quorum": 2}') \g /dev/null
SELECT is(pg_temp.as('tap_ann'), 'PENDING', 'who decides as who she is');
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.unregister_actor('tap_ann')$$), 'true', 'and is nobody then');
SELECT matches(pg_temp.as('tap_ann'), '^DX004 "tap_ann" has decided', 'has decided');
SELECT is(pg_temp.register('tap_ann', 'Ann') || pg_temp.register('tap_ann2', 'Ann'), 'nullnull', 'Ann again');
SELECT is(pg_temp.as('tap_bob'), 'APPROVED', 'bob agrees');
SELECT pg_temp.end() \g /dev/null

-- ---------- four eyes are those of two persons ----------
SELECT is(pg_temp.register('tap_desk', 'Ann'), 'null', 'Ann works at a desk, too');
SELECT pg_temp.ask('{}', 'tap_desk') \g /dev/null
SELECT is(pg_temp.as('tap_desk'), '42501 role "tap_desk" must not decide about its own request', 'who has asked does not decide');
SELECT is(pg_temp.as('tap_ann'), '42501 role "tap_ann" must not decide about its own request', 'not with another role either');
SELECT is(pg_temp.as('tap_gate', $$SELECT dealix.approve(%L, on_behalf_of => 'Ann')$$), '42501 "Ann" must not decide about her own request', 'nor by a gateway');
SELECT is(pg_temp.as('tap_bob'), 'APPROVED', 'somebody else does');
SELECT pg_temp.end() \g /dev/null
SET SESSION AUTHORIZATION tap_app;
SELECT dealix.publish('pay', t.task('approval:pay')), dealix.publish('parent', t.task('workflow:pay')) \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT pg_temp.as('tap_desk', $$SET LOCAL ROLE tap_app; SELECT dealix.start('parent')$$) \g /dev/null
SELECT pg_temp.as('tap_app', 'SELECT t.pump()') \g /dev/null
SELECT pg_temp.look() \g /dev/null
SELECT matches(pg_temp.as('tap_ann'), '^42501 .* must not decide', 'who has asked for the run before this one, with another role');
SELECT is(pg_temp.as('tap_bob', $$SELECT dealix.reject(%L, 'no')$$), 'REJECTED', 'no');
SELECT pg_temp.as('tap_app', 'SELECT t.pump()') \g /dev/null
-- what a gateway has started itself nobody decides by it: who has asked is not known
GRANT tap_app TO tap_gate;
SELECT pg_temp.ask('{}', 'tap_gate') \g /dev/null
SELECT is(pg_temp.as('tap_gate', $$SELECT dealix.approve(%L, on_behalf_of => 'carl@example.com')$$), '42501 "carl@example.com" must not decide about her own request', 'what a gateway has asked for itself it does not decide');
SELECT is(pg_temp.as('tap_gate2', $$SELECT dealix.approve(%L, on_behalf_of => 'carl@example.com')$$), 'APPROVED', 'another one does');
SELECT pg_temp.end() \g /dev/null

REVOKE tap_app FROM tap_gate;

-- where governance is required, who is not registered does not decide, and has asked all the same
SET dealix_exec.governance = required;
SELECT is(pg_temp.register('tap_out', 'tap_app'), 'null', 'another role of who owns the run');
SELECT pg_temp.ask('{"Approvers": ["tap_manager"]}') \g /dev/null
SELECT is(pg_temp.as('tap_bob'), '42501 only humans decide, and role "tap_bob" is not registered as one', 'not registered');
GRANT tap_manager TO tap_out;
SELECT is(pg_temp.as('tap_out'), '42501 role "tap_out" must not decide about its own request', 'who has asked with a role that nobody has registered');
SELECT is(pg_temp.as('tap_gate', $$SELECT dealix.approve(%L, on_behalf_of => 'tap_bob')$$), '42501 only humans decide, and "tap_bob" is not known as one', 'a role by a gateway is that role');
SELECT is(pg_temp.warned('{"Approvers": ["tap_manager"], "Quorum": 3}'), 'QUORUM_UNREACHABLE 3 persons have to agree, and 2 persons can log in as one of the approvers', 'a quorum counts who is registered');
SELECT is(pg_temp.as('tap_lea', $$SELECT dealix.delegate('tap_ann', now() + interval '1 h', 'x')$$), '42501 only humans delegate, and role "tap_lea" is not registered as one', 'nor delegates');
SELECT is(pg_temp.as('tap_ann'), 'APPROVED', 'who is registered decides');
RESET dealix_exec.governance;
REVOKE tap_manager FROM tap_out;
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.unregister_actor('tap_out')$$), 'true', 'nobody again');
SELECT pg_temp.end() \g /dev/null

-- ---------- gateways ----------
SELECT pg_temp.ask('{"Approvers": ["tap_manager"], "Quorum": 2}') \g /dev/null
SELECT is(pg_temp.as('tap_gate', 'SELECT count(*) FROM dealix.approvals WHERE id = %L'), '1', 'a gateway sees what its users may be asked');
SELECT is(pg_temp.as('tap_gate'), '42501 role "tap_gate" is a gateway, and has to say for whom it decides', 'and is nobody itself');
SELECT is(pg_temp.as('tap_bob', $$SELECT dealix.approve(%L, on_behalf_of => 'Ann')$$), '42501 role "tap_bob" is no gateway, and decides for itself only', 'who is no gateway speaks for nobody');
SELECT is(left(pg_temp.as('tap_gate', $$SELECT dealix.approve(%L, on_behalf_of => '')$$), 5), '22023', 'nobody is no person');
SELECT is(pg_temp.as('tap_gate', $$SELECT dealix.reject(%L, 'no', on_behalf_of => 'tap_bot')$$), '42501 only humans decide, and "tap_bot" is not known as one', 'an agent is none either');
SELECT is(pg_temp.as('tap_gate', $$SELECT dealix.edit(%L, '{}', on_behalf_of => 'tap_ann')$$), '42501 "tap_ann" is a role, and not the person for whom it is registered', 'a person has one name');
SELECT matches(pg_temp.as('tap_gate', $$SELECT dealix.approve(%L, on_behalf_of => 'tap_lea')$$), '^P0002', 'a person with roles has their rights, and not those of the gateway');
SELECT is(pg_temp.as('tap_gate', $$SELECT dealix.decide(%L, '{"type": "approve"}', 'Ann')$$), 'PENDING', 'one who may');
SELECT matches(pg_temp.as('tap_ann2'), '^DX004 "Ann" has decided', 'has decided, with her roles too');
SELECT matches(pg_temp.as('tap_gate2', $$SELECT dealix.approve(%L, on_behalf_of => 'Ann')$$), '^DX004 "Ann" has decided', 'and by another gateway');
SELECT is(pg_temp.as('tap_bob'), 'APPROVED', 'a second person');
SELECT is(pg_temp.end(), 'SUCCEEDED', 'the run goes on');
SELECT pg_temp.ask('{"Approvers": ["tap_manager"], "Quorum": 1}') \g /dev/null
SELECT is(pg_temp.as('tap_gate', $$SELECT dealix.approve(%L, on_behalf_of => 'tap_bob')$$), 'APPROVED', 'a role that nobody has registered is a person of its name');
SELECT pg_temp.end() \g /dev/null
SELECT is((SELECT h.actor || ' ' || (h.payload ->> 'person') FROM dealix.history_details h JOIN t.r ON h.run_id = r.run WHERE h.event = 'intent_decided'), 'tap_gate tap_bob', 'the history has both');
-- who has a role without the access is not let in by a gateway
SELECT pg_temp.ask() \g /dev/null
SELECT matches(pg_temp.as('tap_gate', $$SELECT dealix.approve(%L, on_behalf_of => 'tap_gov2')$$), '^P0002', 'where everybody with the access is asked, a person with a role needs it');
SELECT is(pg_temp.as('tap_ann'), 'APPROVED', 'a person with two roles');
SELECT pg_temp.end() \g /dev/null
SELECT is((SELECT h.actor || ' ' || (h.payload ->> 'person') FROM dealix.history_details h JOIN t.r ON h.run_id = r.run WHERE h.event = 'intent_decided'), 'tap_ann Ann', 'is named beside the one that she has used');

-- ---------- delegation ----------
SELECT pg_temp.ask('{"Approvers": ["tap_legal"], "Quorum": 2}') \g /dev/null
SELECT matches(pg_temp.as('tap_out'), '^P0002', 'who is not asked');
SELECT is(pg_temp.as('tap_lea', $$SELECT dealix.delegate('tap_lea', now() + interval '1 h', 'x')$$), '22023 decisions cannot be delegated to role "tap_lea"', 'to herself nobody delegates');
SELECT is(pg_temp.as('tap_ann', $$SELECT dealix.delegate('tap_ann2', now() + interval '1 h', 'x')$$), '22023 decisions cannot be delegated to role "tap_ann2"', 'nor to another role of hers');
SELECT is(pg_temp.as('tap_lea', $$SELECT dealix.delegate('tap_bot', now() + interval '1 h', 'x')$$), '22023 decisions cannot be delegated to role "tap_bot"', 'to an agent');
SELECT is(pg_temp.as('tap_lea', $$SELECT dealix.delegate('tap_gate', now() + interval '1 h', 'x')$$), '22023 decisions cannot be delegated to role "tap_gate"', 'to a gateway');
SELECT is(pg_temp.as('tap_lea', $$SELECT dealix.delegate('tap_manager', now() + interval '1 h', 'x')$$), '22023 decisions cannot be delegated to role "tap_manager"', 'to a group');
SELECT is(left(pg_temp.as('tap_lea', $$SELECT dealix.delegate('tap_out', now(), 'x')$$), 5), '22023', 'without an end');
SELECT is(left(pg_temp.as('tap_lea', $$SELECT dealix.delegate('tap_out', 'infinity', 'x')$$), 5), '22023', 'or with one that never comes');
SELECT is(left(pg_temp.as('tap_lea', $$SELECT dealix.delegate('tap_out', now() + interval '1 h', '')$$), 5), '22023', 'without a reason');
SELECT is(left(pg_temp.as('tap_bot', $$SELECT dealix.delegate('tap_out', now() + interval '1 h', 'x')$$), 5), '42501', 'by an agent');
CREATE FUNCTION pg_temp.delegate(one name, other name, lasts interval DEFAULT '1 hour') RETURNS text LANGUAGE sql AS
$$ SELECT left(pg_temp.as(one, format('SELECT dealix.delegate(%L, clock_timestamp() + interval %L, ''holidays'')', other, lasts)), 5) $$;
SELECT matches(pg_temp.delegate('tap_lea', 'tap_out'), '^\d+$', 'a deputy');
SELECT is(pg_temp.as('tap_out', 'SELECT count(*) FROM dealix.approvals WHERE id = %L'), '1', 'sees what she may decide');
SELECT is(pg_temp.as('tap_out'), 'PENDING', 'and decides it');
SELECT matches(pg_temp.as('tap_lea'), '^DX004 "tap_lea" has decided', 'the two are one voice');
SELECT matches(pg_temp.delegate('tap_lea', 'tap_desk'), '^\d+$', 'a second deputy');
SELECT matches(pg_temp.as('tap_desk'), '^DX004 "tap_lea" has decided', 'has the same voice');
SELECT is((SELECT concat_ws(' ', person, approver, for_person, decision) FROM dealix.decision_details d JOIN t.r USING (id)), 'tap_out tap_out tap_lea approve', 'it is on record who has spoken for whom');
SELECT is(pg_temp.as('tap_leo'), 'APPROVED', 'another person is another voice');
SELECT is(pg_temp.end(), 'SUCCEEDED', 'the run goes on');

-- the other way round
SELECT pg_temp.ask('{"Approvers": ["tap_legal"], "Quorum": 2}') \g /dev/null
SELECT is(pg_temp.as('tap_lea'), 'PENDING', 'who has delegated it decides herself');
SELECT matches(pg_temp.as('tap_out'), '^DX004 "tap_lea" has decided', 'then the deputy does not');
SELECT matches(pg_temp.as('tap_gate', $$SELECT dealix.approve(%L, on_behalf_of => 'tap_out')$$), '^DX004 "tap_lea" has decided', 'by no gateway either');
SELECT is(pg_temp.as('tap_leo', $$SELECT dealix.reject(%L, 'no')$$), 'REJECTED', 'no');
SELECT pg_temp.end() \g /dev/null
-- a chain
SELECT matches(pg_temp.delegate('tap_out', 'tap_fay'), '^\d+$', 'the deputy has a deputy');
SELECT pg_temp.ask('{"Approvers": ["tap_legal"]}') \g /dev/null
SELECT matches(pg_temp.as('tap_fay'), '^P0002', 'who has nothing of what was delegated');
SELECT is(pg_temp.as('tap_gate', $$SELECT dealix.approve(%L, on_behalf_of => 'tap_out')$$), 'APPROVED', 'a deputy comes by a gateway');
SELECT pg_temp.end() \g /dev/null
SELECT is((SELECT concat_ws(' ', h.actor, h.payload ->> 'person', h.payload ->> 'for') FROM dealix.history_details h JOIN t.r ON h.run_id = r.run WHERE h.event = 'intent_decided'), 'tap_gate tap_out tap_lea', 'and the history has all three');
-- four eyes
SELECT is(pg_temp.register('tap_app', 'tap_lea'), 'null', 'who has delegated it has asked');
SELECT pg_temp.ask('{"Approvers": ["tap_legal"]}') \g /dev/null
SELECT matches(pg_temp.as('tap_lea'), '^42501 .* must not decide', 'she does not decide');
SELECT matches(pg_temp.as('tap_out'), '^42501 .* must not decide', 'nor does her deputy');
SELECT matches(pg_temp.delegate('tap_leo', 'tap_out'), '^\d+$', 'who is the deputy of another, too');
SELECT is(pg_temp.as('tap_out'), 'APPROVED', 'and decides for that one');
SELECT pg_temp.end() \g /dev/null
SELECT is((SELECT concat_ws(' ', person, for_person) FROM dealix.decision_details d JOIN t.r USING (id)), 'tap_out tap_leo', 'which is on record');
SELECT is(pg_temp.register('tap_app', 'tap_out'), 'null', 'the deputy has asked');
SELECT pg_temp.ask('{"Approvers": ["tap_legal"]}') \g /dev/null
SELECT matches(pg_temp.as('tap_out'), '^42501 .* must not decide', 'and decides for nobody');
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.unregister_actor('tap_app')$$), 'true', 'nobody');
SELECT is(pg_temp.as('tap_leo'), 'APPROVED', 'leo');
SELECT pg_temp.end() \g /dev/null
-- the end of it
SELECT is(pg_temp.as('tap_fay', 'SELECT dealix.revoke_delegation(max(id)) FROM dealix.delegations'), 'false', 'nobody ends what is another''s');
SELECT is(pg_temp.as('tap_leo', 'SELECT dealix.revoke_delegation(max(id)) FROM dealix.delegations'), 'true', 'who has delegated it ends it');
SELECT is(pg_temp.as('tap_leo', 'SELECT dealix.revoke_delegation(max(id)) FROM dealix.delegations'), 'false', 'once');
SELECT pg_temp.ask('{"Approvers": ["tap_finance"]}') \g /dev/null
SELECT matches(pg_temp.as('tap_out'), '^P0002', 'then it is over');
SELECT matches(pg_temp.delegate('tap_fay', 'tap_out', '0.3 s'), '^\d+$', 'a short one');
SELECT is(pg_temp.as('tap_out', 'SELECT count(*) FROM dealix.delegations WHERE lasts AND from_person = ''tap_fay'''), '1', 'lasts');
SELECT pg_sleep(0.35) \g /dev/null
SELECT matches(pg_temp.as('tap_out'), '^P0002', 'until its end');
SELECT is(pg_temp.as('tap_out', 'SELECT count(*) FROM dealix.approvals WHERE id = %L'), '0', 'nor is it to be seen');
SELECT matches(pg_temp.delegate('tap_fay', 'tap_out'), '^\d+$', 'another one');
SELECT is(pg_temp.register('tap_fay', 'Her successor'), 'null', 'of a role that is somebody else''s now');
SELECT matches(pg_temp.as('tap_out'), '^P0002', 'is over');
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.unregister_actor('tap_fay')$$), 'true', 'back');
SELECT is(pg_temp.as('tap_out'), 'APPROVED', 'and lasts again');
SELECT pg_temp.end() \g /dev/null
-- a person with two roles has the rights of both, and so has her deputy
SELECT is(pg_temp.register('tap_desk', 'Dot') || pg_temp.register('tap_fay', 'Dot'), 'nullnull', 'a person with two roles');
SELECT matches(pg_temp.delegate('tap_desk', 'tap_other'), '^\d+$', 'delegates with one');
SELECT pg_temp.ask('{"Approvers": ["tap_finance"]}') \g /dev/null
SELECT is(pg_temp.as('tap_other'), 'APPROVED', 'what she may with the other');
SELECT is(pg_temp.as('tap_fay', $$SELECT dealix.revoke_delegation(id) FROM dealix.delegations WHERE to_role = 'tap_other'::regrole$$), 'null', 'which she does not see with that one');
SELECT is(pg_temp.as('tap_fay', format('SELECT dealix.revoke_delegation(%s)', (SELECT id FROM dealix.delegations WHERE to_role = 'tap_other'::regrole))), 'true', 'and yet may end');
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.unregister_actor('tap_desk')$$) || pg_temp.as('tap_gov', $$SELECT dealix.unregister_actor('tap_fay')$$), 'truetrue', 'two persons again');
SELECT pg_temp.end() \g /dev/null

-- ---------- all of several groups ----------
SET SESSION AUTHORIZATION tap_gov;
SELECT dealix.publish_policy('{"Rules": [
	{"Variable": "$.action", "StringEquals": "both", "Class": "B", "Approvers": ["tap_manager"], "AllOf": [["tap_legal"], ["tap_finance"]]},
	{"Variable": "$.action", "StringEquals": "asks", "Class": "B", "Approvers": ["tap_manager"]},
	{"Variable": "$.action", "StringEquals": "free", "Class": "B", "AllOf": [["tap_legal"], ["tap_finance"]]},
	{"Variable": "$.action", "StringEquals": "three", "Class": "B", "AllOf": [["tap_legal"], ["tap_finance"], ["tap_legal", "tap_finance"], ["tap_legal"]]},
	{"Variable": "$.action", "StringEquals": "none", "Class": "B", "AllOf": [["tap_legal"], ["tap_nobody"]]}]}', 'for the test') \g /dev/null
SET SESSION AUTHORIZATION tap_gov2;
SELECT dealix.release_policy((SELECT max(version) FROM dealix.policies), 'for the test') \g /dev/null
RESET SESSION AUTHORIZATION;
CREATE SEQUENCE t.key;
GRANT USAGE ON SEQUENCE t.key TO PUBLIC;
CREATE FUNCTION pg_temp.propose(action text, governance jsonb DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL SESSION AUTHORIZATION tap_app;
	PERFORM t.begin(t.task('sql:t.do', jsonb_build_object('Parameters', '{"what": "it"}'::jsonb, 'Governance', '{"SideEffect": "internal_write", "Approval": "A1", "Reversibility": "R1", "Sensitivity": "S1", "Tenant": "t", "IdempotencyKey.$": "$.key"}'::jsonb
		|| jsonb_build_object('Action', action) || governance)), jsonb_build_object('key', nextval('t.key')::text));
	PERFORM t.pump();
	RESET SESSION AUTHORIZATION;
	PERFORM pg_temp.look();
END $$;
SELECT pg_temp.propose('both') \g /dev/null
SELECT is(pg_temp.as('tap_lea', 'SELECT count(*) FROM dealix.approvals WHERE id = %L'), '1', 'who is of a group sees it');
SELECT is(pg_temp.as('tap_lea'), 'PENDING', 'and speaks for it');
SELECT is(pg_temp.as('tap_fay'), 'PENDING', 'groups do not stand for the approvers');
SELECT is(pg_temp.as('tap_bob'), 'APPROVED', 'with one of those it suffices');
SELECT is(pg_temp.end(), 'SUCCEEDED', 'and it goes out');
SELECT pg_temp.propose('both') \g /dev/null
SELECT is(pg_temp.as('tap_bob'), 'PENDING', 'approvers do not stand for a group');
SELECT is(pg_temp.as('tap_leo'), 'PENDING', 'who is of both groups speaks for one');
SELECT is(pg_temp.as('tap_lea'), 'APPROVED', 'for whichever is left');
SELECT pg_temp.end() \g /dev/null
SELECT pg_temp.propose('both') \g /dev/null
SELECT is(pg_temp.as('tap_bob') || pg_temp.as('tap_leo'), 'PENDINGPENDING', 'in any order');
SELECT is(pg_temp.as('tap_fay'), 'APPROVED', 'he leaves the one to whom it is');
SELECT pg_temp.end() \g /dev/null
SELECT pg_temp.propose('free') \g /dev/null
SELECT is(pg_temp.as('tap_bob') || pg_temp.as('tap_lea'), 'PENDINGPENDING', 'where everybody may be asked, groups are asked all the same');
SELECT matches(pg_temp.delegate('tap_fay', 'tap_ann'), '^\d+$', 'a deputy of the other group');
SELECT is(pg_temp.as('tap_ann'), 'PENDING', 'who may decide in her own right does so, and speaks for no group');
SELECT is(pg_temp.as('tap_fay'), 'APPROVED', 'for which somebody else speaks');
SELECT pg_temp.end() \g /dev/null
SELECT pg_temp.propose('both') \g /dev/null
SELECT is(pg_temp.as('tap_bob') || pg_temp.as('tap_lea'), 'PENDINGPENDING', 'a manager, and legal');
SELECT matches(pg_temp.delegate('tap_fay', 'tap_out'), '^\d+$', 'a deputy who may nothing herself');
SELECT is(pg_temp.as('tap_out'), 'APPROVED', 'speaks for the group of who has delegated it');
SELECT pg_temp.end() \g /dev/null
SELECT pg_temp.propose('asks', '{"Approvers": ["tap_legal"]}') \g /dev/null
SELECT is(pg_temp.as('tap_bob'), 'PENDING', 'whom the policy asks does not stand for whom the definition asks');
SELECT is(pg_temp.as('tap_lea'), 'APPROVED', 'who decides as well');
SELECT pg_temp.end() \g /dev/null
SELECT pg_temp.propose('asks', '{"Approvers": ["tap_legal"]}') \g /dev/null
SELECT is(pg_temp.as('tap_lea'), 'PENDING', 'and not in place of those');
SELECT is(pg_temp.as('tap_bob', $$SELECT dealix.reject(%L, 'no')$$), 'REJECTED', 'no');
SELECT is(pg_temp.end(), 'FAILED Approval.Rejected', 'and nothing goes out');
SELECT is((SELECT count(*) FROM dealix.intent_key k JOIN t.r ON r.id = k.intent_id), 0::bigint, 'its key is free');
CREATE FUNCTION pg_temp.refused(action text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.propose(action);
	RETURN (SELECT error || ': ' || cause FROM dealix.run_details ORDER BY created_at DESC LIMIT 1);
END $$;
SELECT is(pg_temp.refused('none'), 'Governance.QuorumUnreachable: Nobody of group 1 of AllOf may agree: who owns the run or has asked for it does not decide.', 'a group without anybody');
SELECT is(pg_temp.refused('three'), 'Governance.QuorumUnreachable: 4 groups of AllOf take a person each, and fewer may agree.', 'more groups than persons');

-- ---------- others in their place ----------
SELECT pg_temp.ask('{"Approvers": ["tap_manager"], "Quorum": 2}') \g /dev/null
SELECT is(left(pg_temp.as('tap_bob', $$SELECT dealix.reassign_approval(%L, '{tap_legal}', 'x')$$), 5), '42501', 'an approver does not choose who approves');
SELECT is(pg_temp.as('tap_bot_gov', $$SELECT dealix.reassign_approval(%L, '{tap_legal}', 'x')$$), '42501 only a human reassigns an approval', 'an agent does not');
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.reassign_approval(%L, '{tap_fay}', 'x')$$), '22023 too few persons could decide about approval ' || id || ' then', 'too few') FROM t.r;
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.reassign_approval(%L, '{tap_ann,tap_ann2,tap_bot}', 'x')$$), '22023 too few persons could decide about approval ' || id || ' then', 'one person with two roles, and an agent') FROM t.r;
REVOKE tap_app FROM tap_desk;
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.reassign_approval(%L, '{tap_app,tap_fay}', 'x')$$), '22023 too few persons could decide about approval ' || id || ' then', 'who has asked does not count') FROM t.r;
SELECT is((SELECT approvers::text || (reassigned IS NULL) FROM dealix.approval_details a JOIN t.r USING (id)), '{tap_manager}true', 'nothing has changed');
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.reassign_approval(%L, '{tap_finance}', 'the managers are away')$$), 'null', 'enough');
SELECT is((SELECT concat_ws(' ', approvers, reassigned -> 0 ->> 'by', reassigned -> 0 -> 'from', reassigned -> 0 -> 'to', reassigned -> 0 ->> 'reason') FROM dealix.approval_details a JOIN t.r USING (id)),
	'{tap_finance} tap_gov ["tap_manager"] ["tap_finance"] the managers are away', 'by whom, and why, is to be seen with the approval');
SELECT matches(pg_temp.as('tap_bob'), '^P0002', 'who was asked before does not decide any more');
SELECT is(pg_temp.as('tap_fay') || pg_temp.as('tap_leo'), 'PENDINGAPPROVED', 'who is asked now does');
SELECT is(left(pg_temp.as('tap_gov', $$SELECT dealix.reassign_approval(%L, '{tap_legal}', 'x')$$), 5), 'DX004', 'what is decided is decided');
SELECT pg_temp.end() \g /dev/null

-- ---------- who releases is another person than the author ----------
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.register_actor('tap_bot_gov', 'human', 'tap_gov2')$$), 'null', 'another role of an author whom nobody has registered');
CREATE TEMP TABLE v AS SELECT pg_temp.as('tap_gov2', $$SELECT dealix.publish_policy('{"Rules": []}', 'x')$$)::int AS version;
SET dealix_exec.governance = required;
SELECT matches(pg_temp.as('tap_bot_gov', format('SELECT dealix.release_policy(%s, ''x'')', version)), '^42501 role "tap_bot_gov" has published', 'does not release it') FROM v;
RESET dealix_exec.governance;
SELECT is(pg_temp.as('tap_bot_gov', format('SELECT dealix.release_policy(%s, ''x'')', version)), 'null', 'or, where it is not required,') FROM v;
SELECT is((SELECT overridden FROM dealix.policy_release ORDER BY release_id DESC LIMIT 1), '{four_eyes}', 'on record as who overrides it');

-- ---------- what was said about persons stays on record ----------
SELECT is((SELECT string_agg(concat_ws(' ', actor_type, person, changed_by), ', ' ORDER BY id) FROM dealix.actor_changes WHERE role = 'tap_ann2'::regrole),
	'human Ann tap_gov, tap_gov, human Ann tap_gov', 'said, taken back and said again');
SELECT throws_ok('DELETE FROM dealix.actor_change', '55000', NULL, 'nobody takes it off the record');
SELECT is(pg_temp.as('tap_ann', 'SELECT count(*) FROM dealix.actor_changes'), '0', 'it is for governors and auditors');
SELECT is(pg_temp.as('tap_gov', $$SELECT dealix.unregister_actor('tap_nobody')$$), 'false', 'of a role about which nothing was said');
SELECT is((SELECT count(*) FROM dealix.actor_changes WHERE role = 'tap_nobody'::regrole), 0::bigint, 'there is nothing to take back');

SELECT is_empty('SELECT * FROM dealix.stuck()', 'nothing is stuck');
SELECT * FROM finish();
ROLLBACK;
