"""What has to hold when everything has ended.  Each check is a query that returns what is wrong."""

# Every run under its key: children and items of a Map carry their parent's.
EFFECTS = """
WITH done AS (
	SELECT r.input ->> 'key' AS key, CASE h.event WHEN 'step_compensated' THEN 'undo ' || h.state ELSE h.state END AS step, count(*) AS n
	FROM dealix.history_details h JOIN dealix.run_details r USING (run_id)
	WHERE h.event IN ('step_succeeded', 'step_compensated') AND h.state IN ('First', 'Badly', 'Left', 'Right', 'Item', 'Part', 'Child', 'Limited')
	GROUP BY 1, 2),
effect AS (SELECT key, step, count(*) AS n FROM t.ledger WHERE key IN (SELECT input ->> 'key' FROM dealix.run_details WHERE workflow = 'all') GROUP BY 1, 2)
SELECT coalesce(d.key, e.key), coalesce(d.step, e.step), 'history ' || coalesce(d.n, 0), 'effects ' || coalesce(e.n, 0)
FROM done d FULL JOIN effect e ON d.key = e.key AND d.step = e.step WHERE d.n IS DISTINCT FROM e.n LIMIT 10"""

# What a run that came to its end by itself has done.
WHOLE = """
SELECT r.run_id, r.status, e.step, coalesce(l.n, 0) FROM dealix.run_details r
CROSS JOIN (VALUES ('First', 1), ('Badly', 1), ('Left', 1), ('Right', 1), ('Item', 3), ('Part', 3), ('Child', 1), ('Limited', 1),
	('undo First', 0), ('undo Badly', 0), ('undo Left', 0)) e (step, n)
LEFT JOIN LATERAL (SELECT count(*) AS n FROM t.ledger l WHERE l.key = r.key AND l.step = e.step) l ON true
WHERE r.workflow = 'all' AND r.item IS NULL AND (r.status = 'SUCCEEDED' OR r.error = 'Torture.Bad')
	AND l.n <> CASE WHEN r.status = 'FAILED' AND e.step LIKE 'undo %' THEN 1 ELSE e.n END LIMIT 10"""

# What is compensable is undone as often as it was done, unless the run was terminated.
UNDONE = """
SELECT r.run_id, r.status, s.step FROM dealix.run_details r CROSS JOIN (VALUES ('First'), ('Badly'), ('Left')) s (step)
WHERE r.workflow = 'all' AND r.item IS NULL AND r.status IN ('FAILED', 'CANCELLED', 'TIMED_OUT')
	AND (SELECT count(*) FROM t.ledger l WHERE l.key = r.key AND l.step = s.step)
		<> (SELECT count(*) FROM t.ledger l WHERE l.key = r.key AND l.step = 'undo ' || s.step) LIMIT 10"""

OUTSIDE = """
SELECT r.run_id, r.status, w.what, count(s.key) FROM dealix.run_details r CROSS JOIN (VALUES ('work'), ('done')) w (what)
LEFT JOIN t.seen s ON s.key = r.key AND s.what = w.what
WHERE r.workflow = 'all' AND r.item IS NULL AND (r.status = 'SUCCEEDED' OR r.error = 'Torture.Bad')
GROUP BY 1, 2, 3 HAVING count(s.key) <> 1 LIMIT 10"""

LEFT_OVER = """
SELECT x.kind, x.run_id FROM (
	SELECT 'branch' AS kind, run_id FROM dealix.branch UNION ALL SELECT 'branch_result', run_id FROM dealix.branch_result
	UNION ALL SELECT 'inbox', run_id FROM dealix.inbox UNION ALL SELECT 'activity_task', run_id FROM dealix.activity_task WHERE NOT cancelled
	UNION ALL SELECT 'event_wait', run_id FROM dealix.event_wait UNION ALL SELECT 'intent', run_id FROM dealix.intent WHERE status = 1
	UNION ALL SELECT 'workflow_slot', run_id FROM dealix.workflow_slot WHERE run_id IS NOT NULL) x
JOIN dealix.run r USING (run_id) WHERE r.finished_at IS NOT NULL LIMIT 10"""

# docs/security.md says what is under the hash.
CHAIN = """
SELECT h.run_id, h.seq FROM dealix.history_event h JOIN dealix.run r USING (run_id)
LEFT JOIN dealix.history_event b ON b.run_id = h.run_id AND b.seq = h.seq - 1,
LATERAL (SELECT CASE h.kind WHEN 1 THEN r.input ELSE h.payload END AS payload) p
WHERE h.hash IS DISTINCT FROM sha256('\\x00' || t.bytes('dealix_exec/event/1') || coalesce(b.hash, decode(repeat('00', 32), 'hex'))
	|| uuid_send(h.run_id) || int4send(h.seq) || int2send(h.kind) || int4send(h.branch) || t.bytes(h.state) || int4send(h.attempt)
	|| t.bytes(h.actor) || t.bytes(h.session_actor) || timestamptz_send(h.at)
	|| coalesce(sha256(convert_to(p.payload::text, 'UTF8')), '')) LIMIT 10"""

CHECKS = {
    "each effect is in the history, and each step of the history has its effect": EFFECTS,
    "a run that ended by itself has each effect once": WHOLE,
    "what failed or was cancelled is undone as often as it was done": UNDONE,
    "what was done outside in one transaction is there once": OUTSIDE,
    "nothing is left of runs that have ended": LEFT_OVER,
    "no slot is taken": "SELECT * FROM dealix.workflow_slot WHERE run_id IS NOT NULL LIMIT 10",
    "nothing is stuck": "SELECT * FROM dealix.stuck() LIMIT 10",
    "no incident is open": "SELECT run_id, error, cause FROM dealix.incident_details LIMIT 10",
    "a key has one run": "SELECT key, count(*) FROM dealix.run_details WHERE workflow = 'all' AND key IS NOT NULL"
                         " GROUP BY 1 HAVING count(*) > 1 LIMIT 10",
    "each hash covers its event and the hash before": CHAIN,
    "the head of a chain is the hash of the last event": "SELECT r.run_id FROM dealix.run r JOIN dealix.history_event h"
                                                         " ON h.run_id = r.run_id AND h.seq = r.history_seq WHERE h.hash <> r.chain LIMIT 10",
    "histories have no gap": "SELECT run_id FROM dealix.history_details GROUP BY run_id HAVING count(*) <> max(seq) OR min(seq) <> 1 LIMIT 10",
    "a distributed Map has its items once": "SELECT parent_run, item, count(*) FROM dealix.run_details WHERE item IS NOT NULL"
                                            " GROUP BY 1, 2 HAVING count(*) > 1 LIMIT 10",
    "no item of a line is taken twice": "SELECT key, count(*) FROM t.ledger WHERE step = 'Booked' AND key <> 'stop'"
                                        " GROUP BY 1 HAVING count(*) > 1 LIMIT 10",
}


def facts(path):
    """What clients had on record: {kind: [words]}."""
    found = {}
    with open(path) as lines:
        for line in lines:
            words = line.split()
            if len(words) >= 2 and line.endswith("\n"):
                found.setdefault(words[0], []).append(words[1])
    return found


def acknowledged(db, path):
    """Starts and signals that were acknowledged and are not there."""
    record = facts(path)
    for kind, sql in (("start", "SELECT k FROM unnest(%s::text[]) k WHERE NOT EXISTS (SELECT FROM dealix.run_details r WHERE r.key = k)"),
                      ("item", "SELECT k FROM unnest(%s::text[]) k WHERE NOT EXISTS (SELECT FROM t.ledger l"
                               " WHERE l.key = k AND l.step = 'Booked')")):
        for row in db.execute(sql + " LIMIT 10", [record.get(kind, [])]).fetchall():
            yield f"{kind} {row[0]} was acknowledged and is lost"


def failures(db, path):
    """[(what should hold, rows that show that it does not)]"""
    found = [(what, rows) for what, sql in CHECKS.items() if (rows := db.execute(sql).fetchall())]
    lost = list(acknowledged(db, path))
    if lost:
        found.append(("nothing that was acknowledged is lost", lost))
    return found
