-- Tables.  Nobody reads them directly: people use the views, the engine writes
-- them as the extension's owner.

-- Which database this is.  A copy finds another identity here and is held.
CREATE TABLE dealix.engine (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	system_identifier bigint NOT NULL,
	database_oid bigint NOT NULL,
	recorded_by text NOT NULL,
	recorded_at timestamptz NOT NULL
);

CREATE TABLE dealix.workflow (
	workflow_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text NOT NULL UNIQUE,
	author dealix.role NOT NULL,
	created_at timestamptz NOT NULL,
	max_concurrency int CHECK (max_concurrency > 0),
	per_owner boolean NOT NULL DEFAULT false	-- so many of each owner
);

-- One row for each run of a limited workflow that may be in progress.  Under a
-- limit per owner each owner has a set of them, made when it is needed.
CREATE TABLE dealix.workflow_slot (
	workflow_id int NOT NULL REFERENCES dealix.workflow,
	owner oid NOT NULL DEFAULT 0,	-- whose set; 0: that of all owners
	slot int NOT NULL,
	run_id uuid,
	PRIMARY KEY (workflow_id, owner, slot)
);

-- Nobody has two.
CREATE UNIQUE INDEX workflow_slot_run ON dealix.workflow_slot (run_id);

CREATE TABLE dealix.version (
	version_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	workflow_id int NOT NULL REFERENCES dealix.workflow,
	version int NOT NULL,
	definition jsonb NOT NULL,
	sha256 bytea NOT NULL,
	author text NOT NULL,
	created_at timestamptz NOT NULL,
	bindings jsonb,
	signals text[] NOT NULL,	-- names that its signal: states ask for
	UNIQUE (workflow_id, version)
);

-- What a resource URI of another system stands for; read when a workflow is
-- published, and copied into the version.
CREATE TABLE dealix.binding (
	uri text NOT NULL,
	author dealix.role NOT NULL,
	target text NOT NULL,
	created_at timestamptz NOT NULL,
	PRIMARY KEY (uri, author)
);

-- What the names in a version meant when it was published: kind 1, functions by
-- the types of their arguments; kind 2, workflows; and whose they were.
CREATE TABLE dealix.pin (
	version_id int NOT NULL,
	kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 2),
	target text NOT NULL,
	arguments text NOT NULL,
	owner dealix.role NOT NULL,
	PRIMARY KEY (version_id, kind, target, arguments)
);

-- Whose workflows a role executes, besides its own.
CREATE TABLE dealix.trust (
	truster dealix.role NOT NULL,
	author dealix.role NOT NULL,
	since timestamptz NOT NULL,
	PRIMARY KEY (author, truster)
);

-- Roles that the tables name, for whom DROP ROLE is refused.  The name is for
-- those that are missing where a dump is restored.
CREATE TABLE dealix.known_role (
	role dealix.role PRIMARY KEY,
	name text NOT NULL
);

-- A null takes no room, and most runs have no last_branch, undone_to,
-- final_status, children, redrives: null is 0.
CREATE TABLE dealix.run (
	run_id uuid PRIMARY KEY,
	created_at timestamptz NOT NULL,
	started_at timestamptz,
	finished_at timestamptz,
	deadline timestamptz,
	workflow_id int NOT NULL,
	version_id int NOT NULL,
	owner dealix.role NOT NULL,
	history_seq int NOT NULL DEFAULT 0,
	last_branch int,
	undone_to int,
	status smallint NOT NULL,
	final_status smallint,
	priority smallint NOT NULL DEFAULT 0,
	durability smallint NOT NULL DEFAULT 0,
	key text,
	correlation_id text,
	traceparent text,
	error text,
	cause text,
	chain bytea,
	input jsonb,
	output jsonb,
	requester dealix.role,
	parent_run uuid,
	parent_branch int,
	parent_ticket uuid,
	close_policy smallint NOT NULL DEFAULT 0,
	depth smallint NOT NULL DEFAULT 0,
	children int,
	redrives smallint,
	item int,					-- of a distributed Map: which,
	map_state text,				-- and of which state
	first_run uuid,				-- of its line, if it is not that itself
	continued_as uuid,			-- the run that goes on in its place
	requesters dealix.role[],		-- who else than requester and owner has asked for it
	reassigned boolean,			-- true: to another owner, null: never
	output_of int				-- what output changes, see history_event
);

-- Idempotent start: which run has a key; of a line its last one.  Apart from the
-- runs, which are in order of time.
CREATE TABLE dealix.run_key (
	workflow_id int NOT NULL,
	owner dealix.role NOT NULL,
	key text NOT NULL,
	run_id uuid NOT NULL,
	PRIMARY KEY (workflow_id, key, owner)
);

CREATE INDEX run_parent ON dealix.run (parent_run)
	WHERE parent_run IS NOT NULL;

-- Runs that continue others: the last of a line has its largest run_id.
CREATE INDEX run_line ON dealix.run (first_run, run_id)
	WHERE first_run IS NOT NULL;

-- Lines of control that live.  Of a main branch at its beginning parent, item,
-- attempt and conflicts are null, which is -1, 0, 0, 0.
CREATE TABLE dealix.branch (
	run_id uuid NOT NULL,
	due_at timestamptz,
	entered_at timestamptz,
	owner dealix.role NOT NULL,
	branch int NOT NULL,
	parent int,
	item int,
	attempt int,
	conflicts int,
	phase smallint NOT NULL,
	rank smallint NOT NULL DEFAULT 0,	-- minus the run's priority
	state text,
	wait_for text,
	ticket uuid,
	retries int[],
	counts int[],
	data jsonb,
	kept jsonb,					-- what its state keeps besides: see dx_branch_kept
	variables jsonb,
	suspended boolean,			-- its run is an incident, or waits for a slot
	undone int,					-- in UNDO: the event of the step undone last
	intent uuid,				-- of the effect that it is at
	PRIMARY KEY (run_id, branch),
	-- Every branch that is stored can be woken; see phase.c.  counts of a JOIN
	-- are total, opened, done, failed, limit, tolerated.
	CONSTRAINT branch_wakes CHECK (CASE
		WHEN suspended THEN due_at IS NOT NULL
		WHEN phase IN (1, 2, 3) THEN due_at < 'infinity'									-- READY, RETRY, TIMER
		WHEN phase = 6 THEN due_at < 'infinity' OR (wait_for IS NOT NULL AND ticket IS NOT NULL)	-- UNDO
		WHEN phase = 4 THEN wait_for IS NOT NULL											-- SIGNAL
		WHEN phase = 5 THEN counts IS NOT NULL AND (due_at IS NOT NULL OR					-- JOIN
			(counts[2] > counts[3] + counts[4] AND (counts[2] = counts[1]
				OR (counts[5] > 0 AND counts[2] - counts[3] - counts[4] >= counts[5]))))
		WHEN phase IN (7, 8, 9, 10, 11) THEN wait_for IS NOT NULL AND ticket IS NOT NULL	-- ACTIVITY, EVENT, CHILD, APPROVAL, TOKEN
		WHEN phase = 12 THEN wait_for IS NOT NULL OR due_at < 'infinity'					-- SLOT
		ELSE false END IS TRUE)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000,
	autovacuum_vacuum_cost_delay = 0);

CREATE INDEX branch_due ON dealix.branch (owner, rank, due_at, run_id)
	WHERE due_at IS NOT NULL;

-- The timers of everybody in order, for the dispatcher.  Branches that are READY
-- are not in it: who makes them so says so, and most runs know nothing else.
CREATE INDEX branch_timer ON dealix.branch (due_at)
	WHERE due_at IS NOT NULL AND phase <> 1;

CREATE INDEX branch_slot ON dealix.branch (wait_for, rank, run_id)
	WHERE phase = 12 AND due_at IS NULL;

-- What child branches leave for the join of a Parallel or Map.
CREATE TABLE dealix.branch_result (
	run_id uuid NOT NULL,
	parent int NOT NULL,
	item int NOT NULL,
	output jsonb NOT NULL,
	PRIMARY KEY (run_id, parent, item)
);

-- Messages for runs, not taken in yet.  What is not the answer to a branch is
-- for the line of runs, and stands under the id of its first one.  seen: a pass
-- has had it in hand, and the run does not wait for it; whatever the run does
-- next looks at it again.
CREATE TABLE dealix.inbox (
	inbox_id bigint GENERATED ALWAYS AS IDENTITY,
	run_id uuid NOT NULL,
	sent_at timestamptz NOT NULL,
	owner dealix.role NOT NULL,
	kind smallint NOT NULL,
	sender dealix.role NOT NULL,
	session dealix.role,			-- who had logged in, if not the sender
	branch int,
	attempt int,
	ticket uuid,
	name text,
	payload jsonb,
	seen boolean,				-- null: not yet
	PRIMARY KEY (run_id, inbox_id)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000,
	autovacuum_vacuum_cost_delay = 0);

CREATE INDEX inbox_owner ON dealix.inbox (owner, inbox_id)
	WHERE seen IS NULL;

-- Tasks that are done outside: to be claimed, or with a worker.  activity is
-- null where nobody claims and the answer comes with the task token.  lease is
-- how long a claim lasts without a heartbeat, until_at how long at most.
CREATE TABLE dealix.activity_task (
	task_id uuid NOT NULL,
	run_id uuid NOT NULL,
	created_at timestamptz NOT NULL,
	claimed_at timestamptz,
	heartbeat_at timestamptz,
	expires_at timestamptz,
	until_at timestamptz,
	close_at timestamptz,
	lease interval,
	heartbeat interval,
	start_to_close interval,
	owner dealix.role NOT NULL,
	branch int NOT NULL,
	attempt int NOT NULL,
	slot_id bigint,				-- of its activity's max_in_flight
	rank smallint NOT NULL,	-- minus the run's priority
	token_only boolean NOT NULL,
	cancelled boolean NOT NULL DEFAULT false,
	activity text,
	worker text,
	state text,
	correlation_id text,
	traceparent text,
	input jsonb,
	details jsonb,
	intent_id uuid,				-- of a governed effect
	halted boolean,				-- nobody claims it: see dealix.halt
	PRIMARY KEY (task_id, attempt)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000,
	autovacuum_vacuum_cost_delay = 0, fillfactor = 70);

CREATE INDEX activity_task_queue ON dealix.activity_task (activity, owner, rank, task_id)
	WHERE claimed_at IS NULL AND halted IS NULL;
CREATE INDEX activity_task_intent ON dealix.activity_task (intent_id)
	WHERE intent_id IS NOT NULL;
CREATE INDEX activity_task_expires ON dealix.activity_task (expires_at)
	WHERE expires_at IS NOT NULL;

-- Outcomes of tasks, for a worker who asks again because the answer got lost.
CREATE TABLE dealix.activity_outcome (
	task_id uuid NOT NULL,
	attempt int NOT NULL,
	at timestamptz NOT NULL,
	outcome text NOT NULL,
	owner dealix.role NOT NULL,
	PRIMARY KEY (task_id, attempt)
);

-- Flow control of an activity, if it has any.  Its row is read without a lock;
-- who makes or removes slots or shards has locked it.
CREATE TABLE dealix.activity_limit (
	activity text PRIMARY KEY,
	max_in_flight int CHECK (max_in_flight > 0),
	rate float8 CHECK (rate > 0),
	shards int CHECK (shards BETWEEN 1 AND 16),
	per_owner boolean NOT NULL DEFAULT false	-- for the tasks of each owner
);

-- One row for each task of a limited activity that may be claimed at a time.
-- Room on the page keeps the updates HOT.
CREATE TABLE dealix.activity_slot (
	slot_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	activity text NOT NULL,
	owner oid NOT NULL DEFAULT 0,	-- whose set; 0: that of all owners
	slot int NOT NULL,
	taken boolean NOT NULL DEFAULT false,
	UNIQUE (activity, owner, slot)
) WITH (fillfactor = 20);

-- The claims that a rate allows, in shards, each of which fills by itself.
CREATE TABLE dealix.activity_rate (
	activity text NOT NULL,
	owner oid NOT NULL DEFAULT 0,	-- whose bucket; 0: that of all owners
	shard int NOT NULL,
	tokens float8 NOT NULL,
	filled_at timestamptz NOT NULL,
	PRIMARY KEY (activity, owner, shard)
) WITH (fillfactor = 10);

-- Who waits for which event; "" is no correlation.
CREATE TABLE dealix.event_wait (
	ticket uuid NOT NULL,
	run_id uuid NOT NULL,
	branch int NOT NULL,
	owner dealix.role NOT NULL,
	name text NOT NULL,
	correlation_id text NOT NULL,
	PRIMARY KEY (ticket, name)
);
CREATE INDEX event_wait_name ON dealix.event_wait (name, correlation_id);

-- Policies: immutable versions; the newest release says which is in force.
CREATE TABLE dealix.policy (
	policy_version int PRIMARY KEY,
	document jsonb NOT NULL,
	sha256 bytea NOT NULL,
	comment text NOT NULL,
	author text NOT NULL,
	created_at timestamptz NOT NULL
);

CREATE TABLE dealix.policy_release (
	release_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	policy_version int NOT NULL REFERENCES dealix.policy,
	released_by text NOT NULL,
	session_role text NOT NULL,
	at timestamptz NOT NULL,
	comment text NOT NULL,
	overridden text[] NOT NULL DEFAULT '{}'	-- points of the checklist
);

-- States of versions whose effects go out through the gate.
CREATE TABLE dealix.governed_state (
	version_id int NOT NULL,
	state text NOT NULL,
	action text NOT NULL,
	side_effect smallint NOT NULL CHECK (side_effect BETWEEN 0 AND 3),
	PRIMARY KEY (version_id, state)
);

-- Versions of workflows with external effects take runs after their release.
CREATE TABLE dealix.release (
	version_id int PRIMARY KEY,
	released_by text NOT NULL,
	session_role text NOT NULL,
	at timestamptz NOT NULL,
	comment text NOT NULL,
	checklist jsonb NOT NULL,
	overridden text[] NOT NULL DEFAULT '{}'
);

-- Who stands behind a role.  A role that is not here is a human of its name.
CREATE TABLE dealix.actor (
	role dealix.role PRIMARY KEY,
	actor_type smallint NOT NULL CHECK (actor_type BETWEEN 1 AND 5),
	person text,
	registered_by text NOT NULL,
	registered_at timestamptz NOT NULL,
	CHECK ((actor_type = 1) = (person IS NOT NULL))
);

-- Whatever was said about roles; actor_type is null where it was taken back.
CREATE TABLE dealix.actor_change (
	change_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	role dealix.role NOT NULL,
	actor_type smallint,
	person text,
	changed_by text NOT NULL,
	at timestamptz NOT NULL
);

-- Who decides for somebody else, for a time.
CREATE TABLE dealix.delegation (
	delegation_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	from_person text NOT NULL,
	from_role dealix.role NOT NULL,
	to_role dealix.role NOT NULL,
	reason text NOT NULL,
	created_at timestamptz NOT NULL,
	until_at timestamptz NOT NULL,
	revoked_at timestamptz
);

-- What is stopped: no effect that a row contains goes out.
CREATE TABLE dealix.halt (
	halt_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	scope jsonb NOT NULL,
	reason text NOT NULL,
	halted_by text NOT NULL,
	session_role text NOT NULL,
	at timestamptz NOT NULL,
	ended_at timestamptz,
	ended_by text,
	ended_reason text
);

-- What asks for a decision: an approval: state, or a governed effect before it
-- goes out.  intent_id is the ticket of the branch, so of an activity's task
-- its task_id.  Null: says nothing, or does not apply to an approval.
CREATE TABLE dealix.intent (
	intent_id uuid PRIMARY KEY,
	run_id uuid NOT NULL,
	created_at timestamptz NOT NULL,
	expires_at timestamptz,
	due_at timestamptz,				-- by the SLA
	decided_at timestamptz,
	settled_at timestamptz,			-- the effect has come to an end
	owner dealix.role NOT NULL,
	requester dealix.role NOT NULL,
	requesters dealix.role[],		-- who else has asked for it, and must not decide
	branch int NOT NULL,
	attempt int NOT NULL,
	version int NOT NULL,
	quorum int NOT NULL CHECK (quorum >= 0),
	policy_version int,
	rule int,
	kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 2),
	status smallint NOT NULL CHECK (status BETWEEN 1 AND 11),
	side_effect smallint CHECK (side_effect BETWEEN 0 AND 3),
	approval smallint CHECK (approval BETWEEN 0 AND 3),
	reversibility smallint CHECK (reversibility BETWEEN 0 AND 3),
	sensitivity smallint CHECK (sensitivity BETWEEN 0 AND 3),
	escalated smallint,				-- how many steps of the escalation are done
	class "char" CHECK (class IN ('A', 'B', 'C')),
	name text NOT NULL,				-- of the approval, or the action
	state text NOT NULL,
	workflow text NOT NULL,
	correlation_id text,
	tenant text,
	key text,						-- idempotency key
	summary text,
	reason text,
	floors text[],
	hash bytea NOT NULL,
	approvers text[],
	all_of jsonb,
	escalation jsonb,
	payload jsonb,
	amended jsonb,
	shape jsonb,
	evidence jsonb,
	outcome jsonb,					-- what others with its key get
	reassigned jsonb,				-- who was put in place of whom
	CONSTRAINT intent_payload CHECK (payload IS NOT NULL),
	CONSTRAINT intent_effect CHECK (kind = 1 OR (class IS NOT NULL AND side_effect IS NOT NULL AND approval IS NOT NULL
		AND reversibility IS NOT NULL AND sensitivity IS NOT NULL)),
	CONSTRAINT intent_forbidden CHECK (class <> 'C' OR status = 6)
) WITH (fillfactor = 80);

-- What people are asked about, by action: how many a canary has had.
CREATE INDEX intent_asked ON dealix.intent (name, policy_version, rule)
	WHERE class = 'B';
CREATE INDEX intent_run ON dealix.intent (run_id);

-- Who has an idempotency key of a tenant: an intent that was not refused and
-- has not failed.
CREATE TABLE dealix.intent_key (
	tenant text NOT NULL,
	key text NOT NULL,
	intent_id uuid NOT NULL,
	PRIMARY KEY (tenant, key)
);

-- Branches that wait for what becomes of an intent that has their key.
CREATE TABLE dealix.intent_wait (
	ticket uuid NOT NULL PRIMARY KEY,
	intent_id uuid NOT NULL,
	run_id uuid NOT NULL,
	branch int NOT NULL,
	attempt int NOT NULL,
	owner dealix.role NOT NULL
);

CREATE INDEX intent_wait_intent ON dealix.intent_wait (intent_id);

CREATE TABLE dealix.intent_decision (
	intent_id uuid NOT NULL,
	version int NOT NULL,
	person text NOT NULL,
	approver dealix.role NOT NULL,	-- who had logged in
	on_behalf boolean NOT NULL DEFAULT false,	-- a gateway, for the person
	for_person text,				-- by delegation
	at timestamptz NOT NULL,
	decision text NOT NULL CHECK (decision IN ('approve', 'edit', 'reject')),
	comment text,
	hash bytea NOT NULL,
	PRIMARY KEY (intent_id, version, person)
);

-- A copy of another server has its rows table by table, and each as it is by
-- now; that server has refused what was to be refused.
CREATE FUNCTION dealix_internal.is_replication() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT backend_type LIKE 'logical replication%' FROM pg_stat_activity WHERE pid = pg_backend_pid()
$$;
COMMENT ON FUNCTION dealix_internal.is_replication() IS
'Whether this process is a worker of a subscription, which copies what another server has accepted.';

-- The life of an intent.  The same edges stand in intent.c.
CREATE FUNCTION dealix_internal.intent_edge() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	successors smallint[] := CASE OLD.status
		WHEN 1 THEN '{1,2,3,4,5}'			-- PENDING
		WHEN 2 THEN CASE OLD.kind WHEN 1 THEN '{}' ELSE '{4,5,7,8,9,11}' END	-- APPROVED
		WHEN 7 THEN '{7,8,9,10,11}'		-- RUNNING
		WHEN 10 THEN '{8,9}'				-- UNKNOWN: a person knows
		WHEN 11 THEN '{2,4,5,7,8,9,10,11}'	-- HALTED, which was approved
		ELSE '{}' END;
BEGIN
	IF NEW.status <> ALL (successors) AND NOT dealix_internal.is_replication() THEN
		RAISE EXCEPTION 'intent % is %, and cannot become %', OLD.intent_id,
				dealix_internal.intent_status_name(OLD.status), dealix_internal.intent_status_name(NEW.status)
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'What is decided stays decided; a run that asks again opens a new one.';
	END IF;
	IF (OLD.status <> 1 OR NEW.status <> 1) AND (NEW.payload, NEW.amended, NEW.hash, NEW.version, NEW.tenant, NEW.key, NEW.run_id, NEW.class, NEW.kind, NEW.quorum)
			IS DISTINCT FROM (OLD.payload, OLD.amended, OLD.hash, OLD.version, OLD.tenant, OLD.key, OLD.run_id, OLD.class, OLD.kind, OLD.quorum)
		AND NOT dealix_internal.is_replication() THEN
		RAISE EXCEPTION 'what intent % is about cannot change any more', OLD.intent_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'An approval is good for exactly what was approved.';
	END IF;
	IF NEW.status = 2 AND OLD.status = 1 AND (SELECT count(*) FROM dealix.intent_decision d
			WHERE d.intent_id = NEW.intent_id AND d.version = NEW.version AND d.decision <> 'reject') < NEW.quorum
		AND NOT dealix_internal.is_replication() THEN
		RAISE EXCEPTION 'intent % has not been approved by % persons', OLD.intent_id, NEW.quorum
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'dealix.approve is how a person agrees.';
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION dealix_internal.intent_edge() IS
'Trigger function: refuses to change an intent in a way that its life does not know, whoever tries.';

CREATE TRIGGER intent_edge BEFORE UPDATE ON dealix.intent
	FOR EACH ROW EXECUTE FUNCTION dealix_internal.intent_edge();
ALTER TABLE dealix.intent ENABLE ALWAYS TRIGGER intent_edge;

CREATE FUNCTION dealix_internal.intent_born() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF dealix_internal.is_replication() THEN
		RETURN NEW;
	END IF;
	RAISE EXCEPTION 'an intent of class % begins as PENDING or FORBIDDEN, not as %', coalesce(NEW.class, 'B'),
			dealix_internal.intent_status_name(NEW.status)
		USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Nobody has decided about it yet.';
END
$$;
COMMENT ON FUNCTION dealix_internal.intent_born() IS
'Trigger function: refuses an intent that would be approved without a decision.';

CREATE TRIGGER intent_born BEFORE INSERT ON dealix.intent
	FOR EACH ROW WHEN (NEW.class IS DISTINCT FROM 'A' AND NEW.status NOT IN (1, 6)) EXECUTE FUNCTION dealix_internal.intent_born();
ALTER TABLE dealix.intent ENABLE ALWAYS TRIGGER intent_born;

-- Schedules, and what came of each fire; pg_cron has the clock.
CREATE TABLE dealix.schedule (
	schedule_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	owner dealix.role NOT NULL,
	name text NOT NULL,
	cron text NOT NULL,
	workflow text NOT NULL,
	input jsonb NOT NULL,
	overlap text NOT NULL CHECK (overlap IN ('skip', 'buffer_one', 'allow', 'cancel_other')),
	catch_up interval NOT NULL,
	jitter interval NOT NULL,
	paused boolean NOT NULL DEFAULT false,
	buffered_for timestamptz,
	buffered_by dealix.role[],
	requesters dealix.role[] NOT NULL,
	created_at timestamptz NOT NULL,
	UNIQUE (owner, name)
);

CREATE TABLE dealix.schedule_fire (
	schedule_id int NOT NULL,
	fired_for timestamptz NOT NULL,
	fired_at timestamptz NOT NULL,
	outcome text NOT NULL,
	run_id uuid,
	PRIMARY KEY (schedule_id, fired_for)
);
CREATE INDEX schedule_fire_run ON dealix.schedule_fire (run_id) WHERE run_id IS NOT NULL;

-- What runs emit, until every consumer whose role has the privileges of its
-- owner has acknowledged it; and who has.  Without consumers it waits for the
-- first one.
CREATE TABLE dealix.outbox (
	outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	run_id uuid NOT NULL,
	owner dealix.role NOT NULL,
	at timestamptz NOT NULL,
	topic text NOT NULL,
	event jsonb NOT NULL,
	state text,					-- that emits it; null: the engine
	intent_id uuid,				-- of a governed effect
	halted boolean				-- nobody reads it: see dealix.halt
);
CREATE INDEX outbox_owner ON dealix.outbox (owner, outbox_id);

CREATE TABLE dealix.outbox_consumer (
	consumer_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	role dealix.role NOT NULL,
	name text NOT NULL,
	created_at timestamptz NOT NULL,
	UNIQUE (role, name)
);

CREATE TABLE dealix.outbox_ack (
	consumer_id int NOT NULL,
	outbox_id bigint NOT NULL,
	PRIMARY KEY (consumer_id, outbox_id)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000,
	autovacuum_vacuum_cost_delay = 0);
CREATE INDEX outbox_ack_event ON dealix.outbox_ack (outbox_id);

-- Keys of signals already sent: who asks again, because the answer got lost, is
-- told so after the run's end too.  run_id: the first of the line.
CREATE TABLE dealix.message_key (
	run_id uuid NOT NULL,
	name text NOT NULL,
	key text NOT NULL,
	PRIMARY KEY (run_id, name, key)
);

-- The audit.  actor (current_user) and session_actor (session_user) are text,
-- not roles: they say who it was at that time.  '' is the run's owner, whom
-- run_started names, and the actor: a row without nulls is smaller.  The
-- payload of run_started is the run's input, which is not written twice; the
-- hash covers it.  Of step_succeeded it may be what has to be put on top of
-- another document, by ||, or null for nothing: of the input if payload_of is
-- 1, else of the payload of that event, which is complete.  The hash is that of
-- the document.  So is the output of a run.
CREATE TABLE dealix.history_event (
	run_id uuid NOT NULL,
	at timestamptz NOT NULL,
	seq int NOT NULL,
	branch int NOT NULL,
	attempt int NOT NULL,
	kind smallint NOT NULL,
	actor text NOT NULL,
	session_actor text NOT NULL,
	state text,
	payload jsonb,
	hash bytea NOT NULL,
	payload_of int,
	PRIMARY KEY (run_id, seq)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);

CREATE FUNCTION dealix_internal.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION 'history is append-only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
		USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'What a run did stays as it was written; new facts are new events.';
END
$$;
COMMENT ON FUNCTION dealix_internal.refuse_change() IS
'Trigger function of the append-only tables: refuses the statement with 55000, whoever gives it.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE
	ON dealix.history_event FOR EACH STATEMENT EXECUTE FUNCTION dealix_internal.refuse_change();
ALTER TABLE dealix.history_event ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE
	ON dealix.version FOR EACH STATEMENT EXECUTE FUNCTION dealix_internal.refuse_change();
ALTER TABLE dealix.version ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE
	ON dealix.policy FOR EACH STATEMENT EXECUTE FUNCTION dealix_internal.refuse_change();
ALTER TABLE dealix.policy ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE
	ON dealix.policy_release FOR EACH STATEMENT EXECUTE FUNCTION dealix_internal.refuse_change();
ALTER TABLE dealix.policy_release ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE
	ON dealix.release FOR EACH STATEMENT EXECUTE FUNCTION dealix_internal.refuse_change();
ALTER TABLE dealix.release ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE
	ON dealix.governed_state FOR EACH STATEMENT EXECUTE FUNCTION dealix_internal.refuse_change();
ALTER TABLE dealix.governed_state ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE
	ON dealix.actor_change FOR EACH STATEMENT EXECUTE FUNCTION dealix_internal.refuse_change();
ALTER TABLE dealix.actor_change ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE
	ON dealix.intent_decision FOR EACH STATEMENT EXECUTE FUNCTION dealix_internal.refuse_change();
ALTER TABLE dealix.intent_decision ENABLE ALWAYS TRIGGER append_only;

-- Nothing of a governed state goes out without an intent that is RUNNING, not
-- by hand either.
CREATE FUNCTION dealix_internal.need_intent() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	bad record;
BEGIN
	IF NOT EXISTS (SELECT FROM dealix.governed_state) THEN
		RETURN NULL;
	END IF;
	SELECT n.run_id, n.state INTO bad FROM fresh n JOIN dealix.run r ON r.run_id = n.run_id
	JOIN dealix.governed_state g ON g.version_id = r.version_id AND g.state = n.state
	WHERE NOT EXISTS (SELECT FROM dealix.intent i WHERE i.intent_id = n.intent_id AND i.run_id = n.run_id
		AND i.state = n.state AND i.status IN (7, 8)) LIMIT 1;
	IF FOUND AND NOT dealix_internal.is_replication() THEN
		RAISE EXCEPTION 'state "%" of run % is governed, and has no intent that lets this out', bad.state, bad.run_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'What such a state does goes out by the engine, when its intent is approved.';
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION dealix_internal.need_intent() IS
'Trigger function: refuses tasks and events of governed states whose intent is not RUNNING, whoever writes them.';

CREATE TRIGGER need_intent AFTER INSERT ON dealix.activity_task REFERENCING NEW TABLE AS fresh
	FOR EACH STATEMENT EXECUTE FUNCTION dealix_internal.need_intent();
ALTER TABLE dealix.activity_task ENABLE ALWAYS TRIGGER need_intent;
CREATE TRIGGER need_intent AFTER INSERT ON dealix.outbox REFERENCING NEW TABLE AS fresh
	FOR EACH STATEMENT EXECUTE FUNCTION dealix_internal.need_intent();
ALTER TABLE dealix.outbox ENABLE ALWAYS TRIGGER need_intent;

REVOKE ALL ON ALL TABLES IN SCHEMA dealix FROM PUBLIC;

-- Documents: lz4 is several times as fast as the server's own, and not in every
-- build.
DO $$
DECLARE
	what record;
BEGIN
	FOR what IN SELECT a.attrelid::regclass AS relation, a.attname AS name FROM pg_attribute a
		JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relnamespace = 'dealix'::regnamespace AND c.relkind = 'r'
			AND a.attnum > 0 AND a.atttypid = 'pg_catalog.jsonb'::regtype
	LOOP
		EXECUTE format('ALTER TABLE %s ALTER %I SET COMPRESSION lz4', what.relation, what.name);
	END LOOP;
EXCEPTION WHEN feature_not_supported THEN
	NULL;
END
$$;
