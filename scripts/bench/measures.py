"""The measurements that fit into two minutes."""

import os
import statistics
import subprocess
import time

from engine import Database, HeldSnapshot
from server import HERE, Failed, cpu_seconds, pgbench, poll, processes, run_sql

QUICK = os.environ.get("QUICK", "0") not in ("", "0")
RUNS = int(os.environ.get("RUNS") or (30000 if QUICK else 60000))
REPEAT = 1 if QUICK else 3


def seconds(quick, full):
    return quick if QUICK else full


def around(baseline, measure):
    """measure() between two baselines: (what it gives, mean of the baselines)."""
    before = baseline()
    result = measure()
    return result, (before + baseline()) / 2


def fresh(admin, name, measure):
    """measure(database) in a database without runs, which is dropped afterwards."""
    database = Database(admin, name)
    try:
        return measure(database)
    finally:
        database.drop()


def drain(admin, runs, workers, name="drained"):
    return fresh(admin, name, lambda database: database.drain(runs, workers))


def median_drain(admin, runs, workers):
    return statistics.median(drain(admin, runs, workers).steps_per_s for _ in range(REPEAT))


def baseline_step(home):
    """The transaction per step, hand-written: steps per second."""
    return pgbench(home.name, "baseline_step.sql", 8, seconds(2, 8)).tps


def drains(report, admin, home):
    """Throughput with one and two workers, and what a run leaves behind."""
    report.say(f"drain of {RUNS} runs of three steps, one INSERT each")
    pgbench(home.name, "baseline_step.sql", 8, 1)
    one, base_one = around(lambda: baseline_step(home), lambda: median_drain(admin, RUNS, 1))
    report.put(drain_1w_steps_per_s=one, drain_1w_ratio=one / base_one)

    sizes = []
    all_drains = []

    def two_workers():
        for _ in range(REPEAT):
            fresh(admin, "drained", lambda database: (all_drains.append(database.drain(RUNS, 2)),
                                                      sizes.append(database.bytes() / RUNS)))
        return statistics.median(d.steps_per_s for d in all_drains)

    two, base_two = around(lambda: baseline_step(home), two_workers)
    report.put(drain_2w_steps_per_s=two, baseline_step_tps=base_two, drain_2w_ratio=two / base_two,
               start_many_per_s=statistics.median(d.starts_per_s for d in all_drains),
               bytes_per_run=statistics.median(sizes),
               wal_bytes_per_run=statistics.median(d.wal_bytes_per_run for d in all_drains))


def held_snapshot(report, admin):
    """The drain while a transaction keeps all dead rows from being removed."""
    report.say("the same drain under a snapshot that is held open")

    def held(runs):
        def measure(database):
            with HeldSnapshot(database):
                return database.drain(runs, 2).steps_per_s
        return fresh(admin, "held", measure)

    free, under, long = [], [], []
    for _ in range(2 if QUICK else 4):
        free.append(drain(admin, RUNS, 2).steps_per_s)
        under.append(held(RUNS))
    for _ in range(REPEAT):
        long.append(held(RUNS * 2 if QUICK else RUNS * 5))
        free.append(drain(admin, RUNS, 2).steps_per_s)
    report.put(held_xmin_ratio=statistics.mean(under) / statistics.mean(free),
               held_xmin_long_ratio=statistics.mean(long) / statistics.mean(free))


def latency(report, home):
    """start, then CALL wait, on one connection; three steps in between."""
    report.say("latency from start to the end of a run of three steps")
    home.workers(2)
    took = seconds(2, 10)
    pgbench(home.name, "start_wait.sql", 8, 1)

    def base(clients):
        return lambda: pgbench(home.name, "baseline_insert.sql", clients, seconds(1, 5), latencies=True).quantile(0.5)

    one, base_one = around(base(1), lambda: pgbench(home.name, "start_wait.sql", 1, took, latencies=True))
    eight, base_eight = around(base(8), lambda: pgbench(home.name, "start_wait.sql", 8, took, latencies=True))
    home.workers(0)
    report.put(latency_p50_ms=one.quantile(0.5), latency_p99_ms=one.quantile(0.99), baseline_insert_ms=base_one,
               latency_p50_ratio=one.quantile(0.5) / base_one, latency_p99_ratio=one.quantile(0.99) / base_one,
               latency_8c_p50_ms=eight.quantile(0.5), latency_8c_p99_ms=eight.quantile(0.99),
               baseline_insert_8c_ms=base_eight, runs_8c_per_s=eight.tps)
    home.expect("SELECT (SELECT count(*) FROM bench.effect) = 3 * count(*) AND bool_and(status = 'SUCCEEDED')"
                " FROM dealix.run_details", "every run has succeeded with three effects")


def starts(report, home):
    """One start per transaction, nobody working them off meanwhile."""
    report.say("start alone")
    took = seconds(3, 8)
    before = home.runs()
    start, base = around(lambda: pgbench(home.name, "baseline_insert.sql", 8, seconds(2, 5)).tps,
                         lambda: pgbench(home.name, "start.sql", 8, took, latencies=True))
    if home.runs() - before != len(start.latencies):
        raise Failed(f"{len(start.latencies)} starts were acknowledged, and {home.runs() - before} runs are there")
    # Whoever measures next does not want them to be worked off meanwhile.
    home.work_off(2, home.all_ended)
    report.put(start_per_s=start.tps, baseline_insert_tps=base, start_ratio=start.tps / base)


def fan_out(report, admin):
    """Map, Parallel, and states without steps."""
    report.say("a Map of 10,000 items, Parallels of 20 branches, Pass and Choice alone")
    fresh(admin, "fanned", lambda database: map_items(report, database))
    fresh(admin, "fanned", lambda database: parallels(report, database))
    fresh(admin, "fanned", lambda database: pure_states(report, database))


def map_items(report, database):
    items = 10000
    took = []
    for _ in range(REPEAT):
        database.sql("TRUNCATE bench.effect")
        began = database.sql.one("SELECT clock_timestamp()")
        database.backlog("map", 1, f"jsonb_build_object('items', (SELECT jsonb_agg(n) FROM generate_series(1, {items}) n))")
        database.work_off(2, database.all_ended)
        database.expect(f"SELECT count(*) = {items} AND count(DISTINCT n) = {items} FROM bench.effect",
                        f"each of {items} items was worked on once")
        took.append(database.sql.number("SELECT extract(epoch FROM finished_at - started_at) FROM dealix.run"
                                        f" WHERE created_at >= '{began}'"))
    database.check_quiet()
    report.put(map_10k_items_per_s=items / statistics.median(took))


def parallels(report, database):
    runs = 500 if QUICK else 2000
    database.backlog("parallel", runs)
    database.work_off(2, database.all_ended)
    database.expect(f"SELECT count(*) = {20 * runs} AND count(DISTINCT (n, step)) = {20 * runs} FROM bench.effect",
                    f"each of {20 * runs} branches was worked on once")
    database.check_quiet()
    report.put(parallel_20_branches_per_s=20 * runs / database.span("parallel"))


def pure_states(report, database):
    runs = 1000 if QUICK else 4000
    database.backlog("states", runs, "jsonb_build_object('i', 0)")
    database.work_off(2, database.all_ended)
    states = database.sql.number("SELECT count(*) FROM dealix.history_details WHERE event = 'state_succeeded'")
    if states != 101 * runs:
        raise Failed(f"{runs} runs took {states} states instead of {101 * runs}")
    database.check_quiet()
    report.put(states_per_s=states / database.span("states"))


def signals(report, admin):
    """Eight clients signal one waiting run each per transaction; two workers take the signals in."""
    report.say("signals")
    runs = 8000 if QUICK else 40000

    def measure(database):
        database.backlog("signalled", runs)
        database.work_off(2, database.no_branch_due)
        database.sql("CREATE TABLE bench.target AS SELECT row_number() OVER () + 7 AS n, run_id FROM dealix.run;"
                     "ALTER TABLE bench.target ADD PRIMARY KEY (n); GRANT SELECT ON bench.target TO bench;"
                     "VACUUM ANALYZE bench.target")
        database.workers(2)
        pgbench(database.name, "signal.sql", 8, transactions=runs // 8, variables=["i=0"])
        poll(database.all_ended, "all runs have got their signal")
        database.workers(0)
        database.expect(f"SELECT count(*) = {runs} AND count(DISTINCT n) = {runs} FROM bench.effect",
                        f"each of {runs} signals had its effect once")
        database.check_quiet()
        return database.sql.number("SELECT count(*) / extract(epoch FROM max(finished_at) - (SELECT min((payload ->> 'sent_at')::timestamptz)"
                                   " FROM dealix.history_details WHERE event = 'signal_received')) FROM dealix.run")

    report.put(signals_per_s=fresh(admin, "signalled", measure))


def activities(report, admin):
    """Eight clients claim and complete, one task a time and twenty; two workers go on with the runs."""
    report.say("activities")

    def measure(batch, runs):
        def in_database(database):
            database.backlog("outside", runs)
            database.work_off(2, database.no_branch_due)
            database.workers(2)
            rounds = runs // 8 // batch
            load = pgbench(database.name, "activity.sql", 8, transactions=rounds, variables=[f"batch={batch}"])
            left = database.sql.number("SELECT count(*) FROM dealix.activity_task")
            while not database.all_ended():
                pgbench(database.name, "activity.sql", 1, transactions=10, variables=["batch=100"])
            database.workers(0)
            database.expect(f"SELECT count(*) = {runs} AND count(DISTINCT n) = {runs} FROM bench.effect",
                            f"each of {runs} tasks was completed once")
            database.check_quiet()
            return load.tps * (runs - left) / (8 * rounds)

        return fresh(admin, "outside", in_database)

    report.put(activities_per_s=measure(1, 4000 if QUICK else 20000),
               activities_batch_per_s=measure(20, 16000 if QUICK else 80000))


def crowd(report, admin):
    """One and 500 workers that wait for work: how soon a task is claimed, and how many are woken for it."""
    report.say("workers that wait")
    tasks = 40 if QUICK else 200

    def measure(waiting):
        def in_database(database):
            database.workers(1)
            load = subprocess.Popen(["pgbench", "-n", "-c", str(waiting), "-j", "2", "-t", "100000", "-U", "bench", "-f",
                                     os.path.join(HERE, "wait_and_claim.sql"), database.name],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                poll(lambda: database.sql.number("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL dealix.wait_for%'"
                                                 " AND wait_event_type = 'Extension'") == waiting, "all workers wait")
                for task in range(tasks):
                    run_sql(database.name, f"SELECT dealix.start('outside', '{{\"n\": {task}}}')", "bench")
                    time.sleep(0.05)
                poll(lambda: database.sql.number("SELECT coalesce(sum(claimed), 0) FROM bench.turn") == tasks, "all tasks are claimed")
            finally:
                load.terminate()
                load.wait()
            database.workers(0)
            return (database.sql.number("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FROM bench.turn WHERE claimed = 1"),
                    database.sql.number("SELECT count(*) FROM bench.turn") / tasks)

        return fresh(admin, "crowd", in_database)

    one, _ = measure(1)
    many, woken = measure(500)
    report.put(wait_1_p50_ms=one, wait_500_p50_ms=many, wait_500_p50_ratio=many / one, wait_500_woken_per_task=woken)


def fairness(report, admin):
    """start and wait of one owner, alone and beside a backlog of another."""
    report.say("an owner beside the backlog of another")

    def measure(database):
        def run_other(took):
            return pgbench(database.name, "start_wait.sql", 1, took, latencies=True, role="other")

        database.admit("other")
        database.workers(2)
        run_other(1)
        alone = run_other(2)
        database.workers(0)
        runs = 60000 if QUICK else 120000
        while True:
            database.backlog("chain", runs)
            database.workers(2)
            poll(lambda: len(database.worker_pids()) >= 2, "workers run", every=0.02)
            beside = run_other(2)
            if not database.all_ended():
                break
            # A fast machine: what it was measured beside has to last.
            database.workers(0)
            runs *= 2
        poll(database.all_ended, "the backlog is worked off")
        database.workers(0)
        database.check_quiet()
        return alone, beside

    alone, beside = fresh(admin, "fair", measure)
    report.put(fair_alone_p50_ms=alone.quantile(0.5), fair_beside_p50_ms=beside.quantile(0.5),
               fair_beside_p99_ms=beside.quantile(0.99))


def worker_start(report, admin):
    """From a start when no worker runs to the first pass."""
    report.say("start-up of the first worker")

    def measure(database):
        database.workers(1)
        admin("ALTER SYSTEM SET dealix_exec.worker_idle_timeout = '100ms'")
        admin("SELECT pg_reload_conf()")
        times = []
        for _ in range(5 if QUICK else 20):
            poll(lambda: not database.worker_pids(), "the worker has left")
            database.backlog("chain", 1)
            poll(database.all_ended, "the run has ended", every=0.05)
            times.append(database.sql.number("SELECT 1000 * extract(epoch FROM started_at - created_at)"
                                             " FROM dealix.run ORDER BY created_at DESC LIMIT 1"))
        admin("ALTER SYSTEM RESET dealix_exec.worker_idle_timeout")
        database.workers(0)
        return statistics.median(times)

    report.put(worker_start_ms=fresh(admin, "started", measure))


def idle(report, admin):
    """A server that has nothing to do, with workers in waiting."""
    took = seconds(5, 30)
    report.say(f"{took} seconds of nothing")

    def measure(database):
        database.workers(2)
        database.backlog("chain", 1000)
        poll(lambda: database.idle() and database.all_ended(), "the runs have ended")
        database.sql.close()
        admin("ALTER SYSTEM SET autovacuum = off")
        admin("SELECT pg_reload_conf()")
        admin("CHECKPOINT")
        time.sleep(1.5)
        transactions = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'idle'"
        pids = processes(int(admin.one("SELECT pg_read_file('postmaster.pid')")))
        before, cpu = admin.number(transactions), cpu_seconds(pids)
        time.sleep(took)
        used = cpu_seconds(pids) - cpu
        count = admin.number(transactions) - before
        admin("ALTER SYSTEM RESET autovacuum")
        admin("ALTER SYSTEM SET dealix_exec.workers = 0")
        admin("SELECT pg_reload_conf()")
        return count / took, 100 * used / took

    tps, cpu = fresh(admin, "idle", measure)
    report.put(idle_tps=tps, idle_cpu_percent=cpu)
