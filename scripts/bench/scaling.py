"""How the drain of three-step runs depends on workers, passes, payloads and the backlog."""

from engine import Database
from measures import QUICK, baseline_step, fresh


def drained(admin, runs, workers, padding=0):
    """Drains runs whose input has so many bytes of padding: (steps/s, bytes, WAL bytes a run)."""

    def measure(database):
        template = "jsonb_build_object('n', i)"
        if padding:
            # Random text: a repeated one would be compressed to nothing.
            database.sql("CREATE TABLE bench.padding AS SELECT string_agg(md5(i::text), '') AS text"
                         f" FROM generate_series(1, {padding // 32}) i; GRANT SELECT ON bench.padding TO bench")
            template = "jsonb_build_object('n', i, 'padding', (SELECT text FROM bench.padding))"
        drain = database.drain(runs, workers, template)
        return drain.steps_per_s, database.bytes() / runs, drain.wal_bytes_per_run, drain.starts_per_s

    return fresh(admin, "scaled", measure)


def documents(report, admin):
    """Runs that carry a document through their three steps, beside runs with ten bytes."""
    report.say("documents of 10 and of 100 kB")
    runs = 3000 if QUICK else 10000
    before = drained(admin, runs, 2)[0]
    speed, size, _, _ = drained(admin, runs, 2, 10240)
    small = (before + drained(admin, runs, 2)[0]) / 2
    report.put(payload_10kb_ratio=speed / small, payload_10kb_bytes_ratio=size / 10240,
               payload_100kb_start_mb_per_s=drained(admin, runs // 10, 2, 102400)[3] * 0.1024)


def scaling(report, admin):
    home = Database(admin, "home")
    home.workers(0)
    runs = 20000 if QUICK else 60000
    report.put(baseline_step_tps=baseline_step(home))
    for workers in (1, 2, 3, 4):
        report.put(**{f"workers_{workers}_steps_per_s": drained(admin, runs, workers)[0]})
    for size in (1, 5, 20, 50, 200):
        admin(f"ALTER SYSTEM SET dealix_exec.pass_max_runs = {size}")
        few = runs if size > 5 else runs // 5
        report.put(**{f"pass_{size}_steps_per_s": drained(admin, few, 2)[0]})
    admin("ALTER SYSTEM RESET dealix_exec.pass_max_runs")
    for kb in (1, 10, 100):
        speed, size, wal, _ = drained(admin, max(runs // 5 // kb, 200), 2, kb * 1024)
        report.put(**{f"payload_{kb}kb_steps_per_s": speed, f"payload_{kb}kb_bytes_per_run": size,
                      f"payload_{kb}kb_wal_bytes_per_run": wal})
    for backlog in (1000, 10000, 100000) + (() if QUICK else (1000000,)):
        report.put(**{f"backlog_{backlog}_steps_per_s": drained(admin, backlog, 2)[0]})
    report.put(baseline_step_after_tps=baseline_step(home))
