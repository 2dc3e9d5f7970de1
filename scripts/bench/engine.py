"""Runs of the engine: a database to measure in, a backlog, its drain."""

import os

from server import HERE, Failed, Session, poll, run_sql

BATCH = 10000


class Database:
    """A database of its own with the extension, the schema and no runs."""

    def __init__(self, admin, name):
        self.admin = admin
        self.name = name
        self.used = 0
        admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin(f"CREATE DATABASE {name}")
        with open(os.path.join(HERE, "schema.sql")) as schema:
            run_sql(name, "CREATE EXTENSION dealix_exec;"
                    "SELECT dealix.grant_access('bench', 'application'), dealix.grant_access('bench', 'author');"
                    + schema.read())
        self.sql = Session(name)
        self.await_dispatcher()

    def await_dispatcher(self):
        poll(lambda: self.sql("SELECT 1 FROM dealix.worker_details WHERE kind = 'dispatcher' AND state = 'RUNNING'"),
             f"a dispatcher runs in {self.name}")

    def reconnect(self):
        """After a restart of the server."""
        self.sql = Session(self.name)

    def drop(self):
        self.sql.close()
        self.admin(f"DROP DATABASE {self.name} WITH (FORCE)")

    def workers(self, number):
        """Lets so many workers run, from now on."""
        self.admin(f"ALTER SYSTEM SET dealix_exec.workers = {number}")
        self.admin("SELECT pg_reload_conf()")
        if number == 0:
            poll(lambda: not self.worker_pids(), "no worker runs", every=0.02)

    def worker_pids(self):
        return [int(pid) for pid in
                self.sql("SELECT pid FROM dealix.worker_details WHERE kind = 'worker' AND pid IS NOT NULL")]

    def idle(self):
        """Whether all workers have found that there is nothing to do."""
        states = self.sql("SELECT state FROM dealix.worker_details WHERE kind = 'worker'")
        return bool(states) and all(state == "IDLE" for state in states)

    def backlog(self, workflow, runs, template="jsonb_build_object('n', i)"):
        """Starts runs, numbered on; seconds that it took, on the server's clock."""
        statements = ["SELECT extract(epoch FROM clock_timestamp())"]
        for first in range(self.used + 1, self.used + runs + 1, BATCH):
            last = min(first + BATCH - 1, self.used + runs)
            statements.append(f"SELECT count(*) FROM dealix.start_many('{workflow}', ARRAY("
                              f"SELECT {template} FROM generate_series({first}, {last}) i))")
        statements.append("SELECT extract(epoch FROM clock_timestamp())")
        lines = run_sql(self.name, ";".join(statements), "bench")
        self.used += runs
        return float(lines[-1]) - float(lines[0])

    def work_off(self, workers, done, seconds=1800):
        """Lets workers go until done() holds, then takes them away."""
        self.workers(workers)
        poll(lambda: self.idle() and done(), "the backlog is worked off", seconds)
        self.workers(0)

    def all_ended(self, since="-infinity"):
        """Whether all runs that were started since then have ended."""
        return self.sql.one("SELECT NOT EXISTS (SELECT FROM dealix.run WHERE finished_at IS NULL"
                            f" AND created_at >= '{since}')") == "t"

    def no_branch_due(self):
        return self.sql.one("SELECT NOT EXISTS (SELECT FROM dealix.branch WHERE due_at <= clock_timestamp())") == "t"

    def drain(self, runs, workers, template="jsonb_build_object('n', i)"):
        """A backlog of three-step runs, worked off: a Drain."""
        first = self.used + 1
        mark = self.now()
        before = self.wal()
        started = self.backlog("chain", runs, template)
        self.work_off(workers, lambda: self.all_ended(mark))
        seconds = self.span("chain", mark)
        wal = self.wal() - before
        self.check_chain(runs, first, mark)
        return Drain(runs, seconds, started, wal)

    def now(self):
        return self.sql.one("SELECT clock_timestamp()")

    def span(self, workflow, since="-infinity"):
        """From the first pass to the end of the last run, on the server's clock."""
        return self.sql.number(
            "SELECT extract(epoch FROM max(finished_at) - min(started_at)) FROM dealix.run"
            f" WHERE created_at >= '{since}'"
            f" AND workflow_id = (SELECT workflow_id FROM dealix.workflow WHERE name = '{workflow}')")

    def wal(self):
        return self.sql.number("SELECT pg_current_wal_insert_lsn() - '0/0'")

    def bytes(self):
        """What all tables and indexes of the engine take on disk, as they are."""
        return self.sql.number("SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
                               " WHERE relnamespace = 'dealix'::regnamespace AND relkind = 'r'")

    def runs(self):
        return int(self.sql.one("SELECT count(*) FROM dealix.run"))

    def admit(self, role):
        """Lets one more role start and run the workflows."""
        self.sql(f"SELECT dealix.grant_access('{role}', 'application');"
                 f"SET SESSION AUTHORIZATION {role}; SELECT dealix.trust_author('bench'); RESET SESSION AUTHORIZATION;"
                 f"GRANT USAGE ON SCHEMA bench TO {role}; GRANT INSERT ON ALL TABLES IN SCHEMA bench TO {role}")

    def check_chain(self, runs, first=1, since="-infinity"):
        """Each of so many runs has succeeded, and each effect is there once."""
        self.expect(f"SELECT count(*) = {3 * runs} AND count(DISTINCT (n, step)) = {3 * runs}"
                    f" FROM bench.effect WHERE n >= {first}", f"{3 * runs} effects, each once")
        self.expect(f"SELECT count(*) = {runs} AND bool_and(status = 'SUCCEEDED') FROM dealix.run_details"
                    f" WHERE workflow = 'chain' AND created_at >= '{since}'", f"{runs} runs have succeeded")
        self.expect(f"SELECT count(*) = {5 * runs} FROM dealix.history_event h JOIN dealix.run r USING (run_id)"
                    f" WHERE r.status = 10 AND r.created_at >= '{since}'", f"{5 * runs} events")
        self.check_quiet()

    def check_quiet(self):
        self.expect("SELECT NOT EXISTS (SELECT FROM dealix.stuck())", "nothing is stuck")
        self.expect("SELECT NOT EXISTS (SELECT FROM dealix.incident_details)", "there is no incident")

    def expect(self, query, what):
        if self.sql.one(query) != "t":
            raise Failed(f"{self.name}: it does not hold that {what}")


class Drain:
    """What a drain of three-step runs took."""

    def __init__(self, runs, seconds, start_seconds, wal_bytes):
        self.runs = runs
        self.seconds = seconds
        self.steps_per_s = 3 * runs / seconds
        self.starts_per_s = runs / start_seconds
        self.wal_bytes_per_run = wal_bytes / runs


class HeldSnapshot:
    """A transaction that keeps its snapshot for as long as it is open."""

    def __init__(self, database):
        self.session = Session(database.name)
        self.session("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM dealix.run")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session("ROLLBACK")
        self.session.close()
