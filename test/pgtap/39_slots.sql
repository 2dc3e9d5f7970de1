-- Slots of limited workflows: families of runs do not wait for their own slots,
-- an incident has none, nobody has two, and whatever happens they are whole.
\ir setup.psql
RESET SESSION AUTHORIZATION;
SELECT dealix.grant_access('tap_app', 'operator') \g /dev/null

-- What is wrong with slots: taken by who is not in progress, twice by one, more
-- in progress than the limit, or not as many as the limit.
CREATE FUNCTION t.wrong() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(what, '; ') FROM (
		SELECT format('%s has a slot and is %s', s.run_id, coalesce(dealix_internal.status_name(r.status), 'nowhere')) AS what
			FROM dealix.workflow_slot s LEFT JOIN dealix.run r USING (run_id) WHERE s.run_id IS NOT NULL AND coalesce(r.status, 0) NOT IN (1, 2)
		UNION ALL SELECT format('%s has %s slots', run_id, count(*)) FROM dealix.workflow_slot WHERE run_id IS NOT NULL GROUP BY run_id HAVING count(*) > 1
		UNION ALL SELECT format('%s has %s slots of %s', name, count(slot), max_concurrency) FROM dealix.workflow w JOIN dealix.workflow_slot USING (workflow_id)
			GROUP BY name, max_concurrency HAVING count(slot) <> max_concurrency
		UNION ALL SELECT format('%s goes on in %s without a slot', b.run_id, b.state) FROM dealix.branch b JOIN dealix.run r USING (run_id) JOIN dealix.workflow w USING (workflow_id)
			WHERE w.max_concurrency IS NOT NULL AND r.status = 1 AND r.map_state IS NULL AND b.phase = 4
				AND NOT EXISTS (SELECT FROM dealix.workflow_slot s WHERE s.run_id = b.run_id)
				AND NOT EXISTS (SELECT FROM dealix.branch c WHERE c.run_id = b.run_id AND c.phase IN (9, 12))
		UNION ALL SELECT reason FROM dealix_internal.unwakeable) x $$;
GRANT EXECUTE ON FUNCTION t.wrong() TO tap_app;
SET SESSION AUTHORIZATION tap_app;
SELECT no_plan();

-- Passes of one step each, as many as it takes.
CREATE TABLE t.found (wrong text);
CREATE FUNCTION t.crawl(most int DEFAULT 2000) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	quiet boolean := false;
BEGIN
	FOR i IN 1 .. most LOOP
		IF dealix.tick(1, '1 us') = 0 THEN
			IF quiet THEN
				INSERT INTO t.found SELECT t.wrong();
				RETURN i;
			END IF;
			-- What another transaction seemed to have is looked at a moment later.
			PERFORM pg_sleep(0.25);
			quiet := true;
			CONTINUE;
		END IF;
		quiet := false;
		IF i % 5 = 0 THEN INSERT INTO t.found SELECT t.wrong(); END IF;
	END LOOP;
	RETURN NULL;
END $$;

-- ---------- families ----------

SELECT dealix.publish('leaf', '{"StartAt": "Done", "States": {"Done": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "leaf"}, "End": true}}}') \g /dev/null
SELECT dealix.publish('ping', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "workflow:leaf", "End": true}}}') \g /dev/null
SELECT dealix.publish('tree', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "workflow:leaf", "End": true}}}') \g /dev/null
SELECT dealix.publish('tree', '{"StartAt": "Last", "States": {
	"Last": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 0, "Next": "Done"}], "Default": "Child"},
	"Child": {"Type": "Parallel", "Branches": [
		{"StartAt": "One", "States": {"One": {"Type": "Task", "Resource": "workflow:tree", "Parameters": {"n.$": "States.MathAdd($.n, -1)"}, "End": true}}},
		{"StartAt": "Two", "States": {"Two": {"Type": "Task", "Resource": "workflow:tree", "Parameters": {"n.$": "States.MathAdd($.n, -1)"}, "End": true}}}], "Next": "Done"},
	"Done": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "tree"}, "End": true}}}') \g /dev/null
SELECT dealix.publish('pong', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "workflow:leaf", "End": true}}}') \g /dev/null
SELECT dealix.publish('ping', '{"StartAt": "PA", "States": {
	"PA": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 0, "Next": "PD"}], "Default": "PC"},
	"PC": {"Type": "Task", "Resource": "workflow:pong", "Parameters": {"n.$": "States.MathAdd($.n, -1)"}, "Next": "PD"},
	"PD": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "ping"}, "End": true}}}') \g /dev/null
SELECT dealix.publish('pong', '{"StartAt": "PA", "States": {
	"PA": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 0, "Next": "PD"}], "Default": "PC"},
	"PC": {"Type": "Task", "Resource": "workflow:ping", "Parameters": {"n.$": "States.MathAdd($.n, -1)"}, "TimeoutSeconds": 600, "Next": "PD"},
	"PD": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "pong"}, "End": true}}}') \g /dev/null
SELECT dealix.publish('spread', '{"StartAt": "Leaf", "States": {"Leaf": {"Type": "Pass", "End": true}}}') \g /dev/null
SELECT dealix.publish('spread', '{"StartAt": "First", "States": {
	"First": {"Type": "Choice", "Choices": [{"Variable": "$.leaf", "IsPresent": true, "Next": "Leaf"}], "Default": "M"},
	"Leaf": {"Type": "Pass", "End": true},
	"M": {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {
		"I": {"Type": "Task", "Resource": "workflow:spread", "Parameters": {"leaf": true}, "End": true}}}, "End": true}}}') \g /dev/null
SELECT dealix.publish('undone', '{"StartAt": "A", "States": {
	"A": {"Type": "Choice", "Choices": [{"Variable": "$.undo", "IsPresent": true, "Next": "U"}], "Default": "B"},
	"U": {"Type": "Pass", "End": true},
	"B": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "b"}, "Compensate": {"Resource": "sql:t.do", "Parameters": {"what": "undo b"}}, "Next": "C"},
	"C": {"Type": "Fail", "Error": "E"}}}') \g /dev/null
SELECT dealix.publish('undone', '{"StartAt": "A", "States": {
	"A": {"Type": "Choice", "Choices": [{"Variable": "$.undo", "IsPresent": true, "Next": "U"}], "Default": "B"},
	"U": {"Type": "Pass", "End": true},
	"B": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "b"}, "Compensate": {"Resource": "workflow:undone", "Parameters": {"undo": true}}, "Next": "C"},
	"C": {"Type": "Fail", "Error": "E"}}}') \g /dev/null
SELECT dealix.publish('mixed', '{"StartAt": "F", "States": {
	"F": {"Type": "Choice", "Choices": [{"Variable": "$.leaf", "IsPresent": true, "Next": "L"}], "Default": "P"},
	"L": {"Type": "Wait", "Seconds": 1, "End": true},
	"P": {"Type": "Parallel", "Branches": [
		{"StartAt": "C", "States": {"C": {"Type": "Task", "Resource": "workflow:mixed", "Parameters": {"leaf": true}, "End": true}}},
		{"StartAt": "T", "States": {"T": {"Type": "Wait", "Seconds": 1, "Next": "T2"}, "T2": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "mixed"}, "Next": "S"},
			"S": {"Type": "Task", "Resource": "signal:go", "End": true}}}], "End": true}}}') \g /dev/null
SELECT dealix.limit_workflow(w, 1) FROM unnest(ARRAY['tree', 'ping', 'pong', 'spread', 'undone', 'mixed']) w \g /dev/null

CREATE TABLE t.family AS SELECT 'tree' AS name, dealix.start('tree', '{"n": 3}') AS run UNION ALL SELECT 'ping', dealix.start('ping', '{"n": 6}')
	UNION ALL SELECT 'ping', dealix.start('ping', '{"n": 5}') UNION ALL SELECT 'spread', dealix.start('spread', '{"items": [1, 2, 3, 4]}')
	UNION ALL SELECT 'undone', dealix.start('undone', '{}') UNION ALL SELECT 'mixed', dealix.start('mixed', '{}');
SELECT t.crawl() \g /dev/null
SELECT pg_sleep(1.1), t.crawl() \g /dev/null
SELECT dealix.signal(run, 'go') FROM t.family WHERE name = 'mixed' \g /dev/null
SELECT t.crawl(), pg_sleep(1), t.crawl() \g /dev/null
SELECT is(t.status(run), CASE name WHEN 'undone' THEN 'FAILED' ELSE 'SUCCEEDED' END, format('a family of %s comes to its end with one slot', name)) FROM t.family;
SELECT is((SELECT count(*) FROM t.effect WHERE what = 'tree'), 15::bigint, 'each of its members has done its part once');
SELECT is((SELECT string_agg(DISTINCT wrong, '; ') FROM t.found), NULL, 'slots were whole after every step');

-- ---------- whoever waits for a child can be stopped, and has its deadline ----------

SELECT dealix.publish('stop', '{"StartAt": "F", "States": {
	"F": {"Type": "Choice", "Choices": [{"Variable": "$.leaf", "IsPresent": true, "Next": "L"}], "Default": "C"},
	"L": {"Type": "Task", "Resource": "signal:go", "End": true},
	"C": {"Type": "Task", "Resource": "workflow:stop", "Parameters": {"leaf": true}, "End": true}}, "TimeoutSeconds": 2}') \g /dev/null
SELECT dealix.limit_workflow('stop', 1) \g /dev/null
CREATE TABLE t.stop AS SELECT n, dealix.start('stop', '{}') AS run FROM generate_series(1, 3) n;
SELECT t.crawl(), dealix.cancel((SELECT run FROM t.stop WHERE n = 1)), dealix.terminate((SELECT run FROM t.stop WHERE n = 2)), t.crawl() \g /dev/null
SELECT is((SELECT string_agg(t.status(run), ',' ORDER BY n) FROM t.stop), 'CANCELLED,TERMINATED,RUNNING', 'one is cancelled, one is terminated');
SELECT pg_sleep(2.2), t.crawl() \g /dev/null
SELECT is((SELECT t.status(run) FROM t.stop WHERE n = 3), 'TIMED_OUT', 'one comes to its deadline');
SELECT is((SELECT string_agg(DISTINCT wrong, '; ') FROM t.found), NULL, 'slots are whole');

-- ---------- incidents ----------

SELECT dealix.publish('odd', '{"StartAt": "A", "States": {
	"A": {"Type": "Task", "Resource": "signal:go", "Next": "B"}, "B": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "odd"}, "End": true}}}') \g /dev/null
SELECT dealix.limit_workflow('odd', 2) \g /dev/null
RESET SESSION AUTHORIZATION;
-- What the engine cannot read is an incident of the run.
CREATE FUNCTION t.break(run uuid) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ UPDATE dealix.branch SET state = 'Nowhere', due_at = coalesce(due_at, clock_timestamp()) WHERE run_id = run AND branch >= 0 $$;
CREATE FUNCTION t.mend(run uuid) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ UPDATE dealix.branch SET state = CASE WHEN phase = 4 THEN 'A' END WHERE run_id = run AND state = 'Nowhere' $$;
GRANT EXECUTE ON FUNCTION t.break(uuid), t.mend(uuid) TO tap_app;
SET SESSION AUTHORIZATION tap_app;
RESET SESSION AUTHORIZATION;
CREATE FUNCTION t.left_of(run uuid) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(string_agg(what, ',' ORDER BY what), '') FROM (SELECT DISTINCT what FROM (
		SELECT run_id, 'branch' AS what FROM dealix.branch UNION ALL SELECT run_id, 'result' FROM dealix.branch_result
		UNION ALL SELECT run_id, 'message' FROM dealix.inbox UNION ALL SELECT run_id, 'task' FROM dealix.activity_task
		UNION ALL SELECT run_id, 'event' FROM dealix.event_wait UNION ALL SELECT run_id, 'slot' FROM dealix.workflow_slot) x WHERE run_id = run) y $$;
GRANT EXECUTE ON FUNCTION t.left_of(uuid) TO tap_app;
SET SESSION AUTHORIZATION tap_app;
CREATE TABLE t.odd AS SELECT n, dealix.start('odd', '{}') AS run FROM generate_series(1, 4) n;
SELECT t.crawl() \g /dev/null
SELECT t.break(run) FROM t.odd WHERE n IN (1, 3) \g /dev/null
SELECT t.crawl() \g /dev/null
SELECT is((SELECT string_agg(t.status(run), ',' ORDER BY n) FROM t.odd), 'INCIDENT,RUNNING,INCIDENT,RUNNING', 'one in progress and one that waits are incidents');
SELECT is((SELECT string_agg(waits_for, ',' ORDER BY o.n) FROM dealix.waiting_details JOIN t.odd o ON run = run_id WHERE n IN (2, 4)), 'signal,signal', 'their place is taken by who waits');
SELECT is(t.wrong(), NULL, 'an incident has no slot');
SELECT t.mend(run), dealix.redrive(run) FROM t.odd WHERE n IN (1, 3) \g /dev/null
SELECT t.crawl() \g /dev/null
SELECT is((SELECT count(*) FROM dealix.waiting_details WHERE workflow = 'odd' AND waits_for = 'concurrency'), 2::bigint, 'redriven, they wait for one');
SELECT dealix.signal(run, 'go') FROM t.odd \g /dev/null
SELECT t.crawl() \g /dev/null
SELECT is((SELECT string_agg(t.status(run), ',' ORDER BY n) FROM t.odd), 'SUCCEEDED,SUCCEEDED,SUCCEEDED,SUCCEEDED', 'and all come to their end');

-- An incident that a pass comes to: a compensation that fails.
SELECT dealix.publish('undoable', '{"StartAt": "B", "States": {
	"B": {"Type": "Task", "Resource": "sql:t.do", "Parameters": {"what": "b"}, "Compensate": {"Resource": "sql:t.fail", "Parameters": {}}, "Next": "C"},
	"C": {"Type": "Fail", "Error": "E"}}}') \g /dev/null
SELECT dealix.limit_workflow('undoable', 1) \g /dev/null
CREATE TABLE t.undoable AS SELECT n, dealix.start('undoable', '{}') AS run FROM generate_series(1, 2) n;
SELECT t.crawl() \g /dev/null
SELECT is((SELECT string_agg(t.status(run), ',') FROM t.undoable), 'INCIDENT,INCIDENT', 'the slot of one whose compensation fails goes to the next');
SELECT is((SELECT string_agg(t.left_of(run), ';') FROM t.undoable), 'branch;branch', 'and neither has one');
SELECT is(t.wrong(), NULL, 'slots are whole then');
SELECT dealix.terminate(run) FROM t.undoable \g /dev/null

-- A message to an incident that cannot be read is kept, and is no work: nobody goes round in circles.
CREATE TABLE t.unread AS SELECT dealix.start('odd', '{}') AS run;
SELECT t.crawl(), t.break(run), dealix.cancel(run), t.crawl() FROM t.unread \g /dev/null
SELECT is((SELECT t.status(run) FROM t.unread), 'INCIDENT', 'a cancel does not help who cannot be read');
SELECT dealix.cancel(run), dealix.signal(run, 'go') FROM t.unread \g /dev/null
SELECT isnt(t.crawl(100), NULL, 'nor is it tried for ever');
SELECT t.mend(run), dealix.redrive(run) FROM t.unread \g /dev/null
SELECT t.crawl(100) \g /dev/null
SELECT is((SELECT t.status(run) FROM t.unread), 'CANCELLED', 'mended and redriven, it is cancelled');

-- One that was only woken for a free slot, and cannot be read, leaves it to the next.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION t.only_woken(run uuid) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ UPDATE dealix.workflow_slot SET run_id = NULL WHERE run_id = run $$;
GRANT EXECUTE ON FUNCTION t.only_woken(uuid) TO tap_app;
SET SESSION AUTHORIZATION tap_app;
CREATE TABLE t.turn AS SELECT n, dealix.start('odd', '{}') AS run FROM generate_series(1, 4) n;
SELECT t.crawl() \g /dev/null
-- One pass at a time, and none that looks for slots: until the run is there.
CREATE PROCEDURE t.until(which int, wanted text) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 50 LOOP
		EXIT WHEN (SELECT t.status(run) FROM t.turn WHERE n = which) = wanted;
		PERFORM dealix.tick(1, '1 us');
	END LOOP;
END $$;
SELECT dealix.signal(run, 'go') FROM t.turn WHERE n = 1 \g /dev/null
CALL t.until(1, 'SUCCEEDED');
SELECT t.only_woken(run), t.break(run) FROM t.turn WHERE n = 3 \g /dev/null
CALL t.until(3, 'INCIDENT');
SELECT is((SELECT t.status(run) FROM t.turn WHERE n = 3) || coalesce(': ' || t.wrong(), ''), 'INCIDENT', 'an incident that was woken for a slot lets the next have it');
SELECT dealix.terminate(run) FROM t.turn \g /dev/null
SELECT t.crawl() \g /dev/null

-- To terminate it nobody has to read it.
CREATE TABLE t.unread_too AS SELECT dealix.start('odd', '{}') AS run;
SELECT t.crawl(), t.break(run), dealix.cancel(run), t.crawl() FROM t.unread_too \g /dev/null
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION dealix.terminate(uuid, text) TO tap_other;
CREATE TABLE t.unread_id AS TABLE t.unread_too;
GRANT SELECT ON t.unread_id TO tap_other;
SET SESSION AUTHORIZATION tap_other;
SELECT throws_like(format('SELECT dealix.terminate(%L)', run), 'there is no run %', 'not by who may not see it') FROM t.unread_id;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION tap_app;
SELECT is((SELECT dealix.terminate(run, 'beyond repair') || ' ' || t.status(run) FROM t.unread_too), 'true TERMINATED', 'an incident that cannot be read is terminated');
SELECT is((SELECT dealix.terminate(run) FROM t.unread_too), false, 'once');
SELECT is((SELECT string_agg(payload ->> 'reason', ',') FROM dealix.history_details JOIN t.unread_too ON run = run_id WHERE event = 'run_terminated'), 'beyond repair', 'which stands in its history');
SELECT is(t.left_of(run), '', 'and nothing is left of it') FROM t.unread_too;
SELECT dealix.publish('much', '{"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
	{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:much", "End": true}}},
	{"StartAt": "B", "States": {"B": {"Type": "Task", "Resource": "event:much", "Parameters": {"correlation_id": "x"}, "End": true}}},
	{"StartAt": "C", "States": {"C": {"Type": "Task", "Resource": "workflow:odd", "End": true}}},
	{"StartAt": "D", "States": {"D": {"Type": "Pass", "End": true}}},
	{"StartAt": "E", "States": {"E": {"Type": "Task", "Resource": "signal:go", "End": true}}}]}}}') \g /dev/null
CREATE TABLE t.much AS SELECT dealix.start('much', '{}') AS run;
SELECT t.crawl() \g /dev/null
SELECT isnt(t.left_of(run), '', 'one that waits for much') FROM t.much;
SELECT t.break(run) FROM t.much \g /dev/null
SELECT is((SELECT dealix.terminate(run) || ' ' || t.status(run) FROM t.much), 'true TERMINATED', 'also one that is no incident yet');
SELECT t.crawl() \g /dev/null
SELECT is(t.left_of(run), '', 'nothing waits for it any more') FROM t.much;
SELECT is((SELECT t.status(run_id) FROM dealix.run_details JOIN t.much ON parent_run = run), 'TERMINATED', 'its child ends with it');
SELECT is(t.wrong(), NULL, 'slots are whole');

-- ---------- a walk at random ----------

CREATE FUNCTION t.walk(steps int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r uuid;
	dice float8;
	wrong text;
BEGIN
	FOR i IN 1 .. steps LOOP
		dice := random();
		SELECT run_id INTO r FROM dealix.run_details WHERE workflow IN ('odd', 'stop') AND status NOT IN ('SUCCEEDED', 'CANCELLED', 'TERMINATED') ORDER BY random() LIMIT 1;
		BEGIN
			IF dice < 0.25 OR r IS NULL THEN
				PERFORM dealix.start(CASE WHEN dice < 0.15 THEN 'odd' ELSE 'stop' END, '{}', priority => (random() * 3)::int);
			ELSIF dice < 0.4 THEN PERFORM dealix.signal(r, 'go');
			ELSIF dice < 0.45 THEN PERFORM dealix.cancel(r);
			ELSIF dice < 0.5 THEN PERFORM dealix.terminate(r);
			ELSIF dice < 0.6 THEN PERFORM t.break(r) WHERE (SELECT workflow FROM dealix.run_details WHERE run_id = r) = 'odd';
			ELSIF dice < 0.75 THEN PERFORM t.mend(r); PERFORM dealix.redrive(r);
			ELSE PERFORM dealix.tick((random() * 5)::int + 1, CASE WHEN random() < 0.5 THEN '1 us' ELSE '100 ms' END::interval);
			END IF;
		EXCEPTION WHEN OTHERS THEN IF SQLSTATE NOT LIKE 'DX%' AND SQLSTATE <> 'XX001' THEN RAISE; END IF;
		END;
		PERFORM dealix.tick(1, '1 us');
		wrong := t.wrong();
		-- What another transaction seemed to have is looked at a moment later.
		FOR again IN 1 .. 8 LOOP
			EXIT WHEN wrong IS NULL;
			PERFORM pg_sleep(0.25), dealix.tick(1, '1 us');
			wrong := t.wrong();
		END LOOP;
		IF wrong IS NOT NULL THEN RETURN format('step %s, %s: %s', i, dice, wrong); END IF;
	END LOOP;
	RETURN NULL;
END $$;
SELECT setseed(0.5) \g /dev/null
SELECT is(t.walk(400), NULL, 'slots are whole at every step of a walk');
-- Whoever is left comes to an end.
SELECT t.mend(run_id) FROM dealix.run_details WHERE status IN ('INCIDENT', 'RUNNING') \g /dev/null
SELECT dealix.redrive(run_id) FROM dealix.run_details WHERE status = 'INCIDENT' \g /dev/null
SELECT dealix.cancel(run_id) FROM dealix.run_details WHERE status = 'RUNNING' \g /dev/null
SELECT t.crawl() \g /dev/null
SELECT is((SELECT string_agg(DISTINCT status, ',') FROM dealix.run_details WHERE status IN ('RUNNING', 'COMPENSATING', 'INCIDENT')), NULL, 'then all can be brought to an end');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM dealix.workflow_slot WHERE run_id IS NOT NULL), 0::bigint, 'and every slot is free');
SELECT is((SELECT string_agg(workflow || ' ' || n, ', ' ORDER BY workflow) FROM (SELECT w.name AS workflow, count(*) AS n FROM dealix.workflow_slot s JOIN dealix.workflow w USING (workflow_id)
	WHERE w.name IN ('odd', 'stop') GROUP BY 1) x), 'odd 2, stop 1', 'and there');

SELECT * FROM finish();
ROLLBACK;
