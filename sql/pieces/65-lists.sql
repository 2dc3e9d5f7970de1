-- What people look at, as wide as a page.  Beside each of these is a view with
-- everything: dealix.run_details beside dealix.runs, and so on.

CREATE VIEW dealix.runs WITH (security_barrier) AS
SELECT run_id, workflow, status, key, error
FROM dealix.run_details;
COMMENT ON VIEW dealix.runs IS 'As wide as a page; dealix.run_details has everything, and says what it is.';

CREATE VIEW dealix.history WITH (security_barrier) AS
SELECT run_id, seq, at::timestamptz(0) AS at, event, state, attempt
FROM dealix.history_details;
COMMENT ON VIEW dealix.history IS 'As wide as a page; dealix.history_details has everything, and says what it is.';

CREATE VIEW dealix.steps WITH (security_barrier) AS
SELECT run_id, seq, state, status, finished_at::timestamptz(0) AS finished_at, error
FROM dealix.step_details;
COMMENT ON VIEW dealix.steps IS 'As wide as a page; dealix.step_details has everything, and says what it is.';

CREATE VIEW dealix.waiting WITH (security_barrier) AS
SELECT run_id, workflow, state, waits_for, name, until::timestamptz(0) AS until
FROM dealix.waiting_details;
COMMENT ON VIEW dealix.waiting IS 'As wide as a page; dealix.waiting_details has everything, and says what it is.';

CREATE VIEW dealix.signals WITH (security_barrier) AS
SELECT run_id, workflow, signal, sender, sent_at::timestamptz(0) AS sent_at, expected
FROM dealix.signal_details;
COMMENT ON VIEW dealix.signals IS 'As wide as a page; dealix.signal_details has everything, and says what it is.';

CREATE VIEW dealix.incidents WITH (security_barrier) AS
SELECT run_id, workflow, owner, opened_at::timestamptz(0) AS opened_at, error
FROM dealix.incident_details;
COMMENT ON VIEW dealix.incidents IS 'As wide as a page; dealix.incident_details has everything, and says what it is.';

CREATE VIEW dealix.activities WITH (security_barrier) AS
SELECT task_id, activity, state, status, worker, deadline::timestamptz(0) AS deadline
FROM dealix.activity_details;
COMMENT ON VIEW dealix.activities IS 'As wide as a page; dealix.activity_details has everything, and says what it is.';

CREATE VIEW dealix.approvals WITH (security_barrier) AS
SELECT id, name, status, workflow, quorum, agreed, expires_at::timestamptz(0) AS expires_at
FROM dealix.approval_details;
COMMENT ON VIEW dealix.approvals IS 'As wide as a page; dealix.approval_details has everything, and says what it is.';

CREATE VIEW dealix.schedules WITH (security_barrier) AS
SELECT name, cron, workflow, paused, owner, last_fired_at::timestamptz(0) AS last_fired_at, last_outcome
FROM dealix.schedule_details;
COMMENT ON VIEW dealix.schedules IS 'As wide as a page; dealix.schedule_details has everything, and says what it is.';

CREATE VIEW dealix.outbox_events WITH (security_barrier) AS
SELECT id, topic, run_id, owner, at::timestamptz(0) AS at
FROM dealix.outbox_details;
COMMENT ON VIEW dealix.outbox_events IS 'As wide as a page; dealix.outbox_details has everything, and says what it is.';

CREATE VIEW dealix.workers WITH (security_barrier) AS
SELECT kind, database, owner, pid, state, held, started_at::timestamptz(0) AS started_at, passes, runs, steps
FROM dealix.worker_details;
COMMENT ON VIEW dealix.workers IS 'As wide as a page; dealix.worker_details has everything, and says what it is.';

CREATE VIEW dealix.workflows WITH (security_barrier) AS
SELECT workflow, version, author, created_at::timestamptz(0) AS created_at, owner
FROM dealix.workflow_details;
COMMENT ON VIEW dealix.workflows IS 'As wide as a page; dealix.workflow_details has everything, and says what it is.';

CREATE VIEW dealix.owners WITH (security_barrier) AS
SELECT role, live_runs, workflows, schedules, problem
FROM dealix.owner_details;
COMMENT ON VIEW dealix.owners IS 'As wide as a page; dealix.owner_details has everything, and says what it is.';
