"""The measurements with a million runs, and those that have a target of their own."""

import os
import statistics
import subprocess

from engine import Database
from measures import QUICK, REPEAT, RUNS, drain, fresh
from server import Failed, poll, private_kb

MILLION = int(os.environ["MILLION"])


def beside(report, admin, prepare):
    """Ratio of a drain in a database that prepare() has filled to one in an empty one."""

    def measure(database):
        prepare(database)
        database.sql("VACUUM (ANALYZE)")
        database.sql("CHECKPOINT")
        ratios = []
        for _ in range(REPEAT):
            before = drain(admin, RUNS, 2).steps_per_s
            filled = database.drain(RUNS, 2).steps_per_s
            ratios.append(2 * filled / (before + drain(admin, RUNS, 2).steps_per_s))
        return statistics.median(ratios)

    return fresh(admin, "filled", measure)


def parked(report, admin):
    report.say(f"the drain beside {MILLION} parked runs")

    def prepare(database):
        database.backlog("parked", MILLION)
        database.work_off(2, database.no_branch_due)
        database.expect(f"SELECT count(*) = {MILLION} FROM dealix.branch WHERE due_at > now()", "all runs are parked")

    report.put(parked_1m_ratio=beside(report, admin, prepare))


def finished(report, admin):
    report.say(f"the drain beside {MILLION} finished runs")

    def prepare(database):
        all_runs = database.drain(MILLION, 2)
        report.put(drain_1m_steps_per_s=all_runs.steps_per_s, bytes_per_run_1m=database.bytes() / MILLION)

    report.put(finished_1m_ratio=beside(report, admin, prepare))


def memory(report, admin):
    """A worker's own memory after ten thousand runs and after a million."""
    database = Database(admin, "memory")
    admin("ALTER SYSTEM SET dealix_exec.worker_idle_timeout = '1h'")
    database.workers(1)
    runs = 0
    pid = None
    for goal in sorted({10000, MILLION // 10, MILLION // 2, MILLION}):
        while runs < goal:
            batch = min(goal - runs, 50000)
            database.backlog("chain", batch)
            poll(lambda: database.idle() and database.no_branch_due(), "the runs have ended")
            runs += batch
        pids = database.worker_pids()
        if pid is not None and pids != [pid]:
            raise Failed("the worker has changed")
        pid = pids[0]
        report.put(**{f"worker_kb_after_{goal}": private_kb(pid)})
    values = list(report.values.values())
    report.put(memory_ratio=values[-1] / values[0])
    database.expect(f"SELECT count(*) = {3 * runs} FROM bench.effect", f"{3 * runs} effects")
    database.drop()


def restart(report, admin):
    """A server that comes up with a backlog of a million due runs."""
    database = Database(admin, "restarted")
    database.workers(0)
    report.say(f"starting {MILLION} runs")
    database.backlog("chain", MILLION)
    admin("ALTER SYSTEM SET dealix_exec.workers = 2")
    database.sql.close()
    admin.close()
    report.say("restart of the server")
    subprocess.run([os.environ["BENCH_RESTART"]], check=True, stdout=subprocess.DEVNULL)
    database.reconnect()
    up = database.sql.one("SELECT pg_postmaster_start_time()")
    poll(lambda: database.idle() and database.all_ended(), "the backlog is worked off", 3600, 1)
    database.check_chain(MILLION)
    report.put(restart_first_run_ms=database.sql.number(
        f"SELECT 1000 * extract(epoch FROM min(started_at) - '{up}') FROM dealix.run"),
        restart_steps_per_s=3 * MILLION / database.span("chain"))
