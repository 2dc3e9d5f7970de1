"""What a process keeps of definitions, and the first pass over a large one."""

import measures
from server import Failed, Session

WIDE = """
SELECT dealix.publish('wide', jsonb_build_object('StartAt', 'A', 'States', jsonb_object_agg(name, state))) FROM (
	SELECT 'N' || i AS name, jsonb_build_object('Type', 'Task', 'Resource', 'activity:never',
		'Parameters', '{"n.$": "$.n", "step": 1}'::jsonb, 'ResultPath', '$.r', 'Next', 'N' || i + 1,
		'Retry', '[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}]'::jsonb) AS state FROM generate_series(1, 9996) i
	UNION ALL SELECT 'A', '{"Type": "Pass", "Next": "B"}'
	UNION ALL SELECT 'B', '{"Type": "Choice", "Choices": [{"Variable": "$.long", "IsPresent": true, "Next": "N1"}], "Default": "Z"}'
	UNION ALL SELECT 'N9997', '{"Type": "Pass", "Next": "Z"}'
	UNION ALL SELECT 'Z', '{"Type": "Succeed"}') s
"""

MANY = """
SELECT count(dealix.publish('many' || i, '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"},
	"B": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsPresent": true, "Next": "C"}], "Default": "C"},
	"C": {"Type": "Succeed"}}}')) FROM generate_series(1, 1000) i
"""

KEPT = "SELECT sum(total_bytes) / 1024.0 FROM pg_backend_memory_contexts"


def grown(database, start):
    """kB by which a session has grown with these runs, and ms of its passes."""
    session = Session(database.name, "bench")
    session("SELECT dealix.start('chain', '{\"n\": 0}')")
    session("CALL dealix.drain()")
    before = session.number(KEPT)
    session(start)
    began = session.number("SELECT extract(epoch FROM clock_timestamp())")
    session("CALL dealix.drain()")
    took = session.number("SELECT extract(epoch FROM clock_timestamp())") - began
    after = session.number(KEPT)
    session.close()
    return after - before, 1000 * took


def definitions(report, admin):
    report.say("what a session keeps of definitions")

    def measure(database):
        database.workers(0)
        database.sql("GRANT pg_read_all_stats TO bench")
        author = Session(database.name, "bench")
        author(WIDE)
        author(MANY)
        author.close()
        wide, first = grown(database, "SELECT dealix.start('wide', '{}')")
        many, _ = grown(database, "SELECT count(dealix.start('many' || i, '{}')) FROM generate_series(1, 1000) i")
        if database.sql.one("SELECT count(*) FILTER (WHERE status = 'SUCCEEDED') = 1001 FROM dealix.run_details"
                            " WHERE workflow = 'wide' OR workflow LIKE 'many%'") != "t":
            raise Failed("not all runs have succeeded")
        return wide, first, many

    wide, first, many = measures.fresh(admin, "definitions", measure)
    report.put(unused_state_bytes=1024 * wide / 10000, first_pass_10000_states_ms=first, workflow_kb=many / 1000)
