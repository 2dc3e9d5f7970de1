"""What is done to the server and its clients.  Each takes the torture and says what it did."""

import random
import signal
import time

import psycopg

from cluster import send
from db import LOST, connect

TABLES = ["run", "branch", "inbox", "activity_task", "history_event", "outbox", "outbox_ack", "workflow_slot",
          "branch_result", "event_wait", "intent"]


def one_of(pids):
    return random.choice(pids) if pids else None


def server_killed(torture):
    """SIGKILL of the postmaster and of every process at once."""
    torture.cluster.kill(with_children=True)
    torture.cluster.start()


def postmaster_killed(torture):
    """SIGKILL of the postmaster alone: its children have to notice."""
    torture.cluster.kill(with_children=False)
    torture.cluster.start()


def kill_process(*words):
    def fault(torture):
        pid = one_of(torture.cluster.find(*words))
        return pid is not None and send(pid, signal.SIGKILL)
    return fault


def freeze_process(*words):
    def fault(torture):
        pid = one_of(torture.cluster.find(*words))
        if pid is None or not send(pid, signal.SIGSTOP):
            return False
        time.sleep(random.random() * 2)
        send(pid, signal.SIGCONT)
        return True
    return fault


def sql_fault(statement, role="postgres"):
    def fault(_torture):
        try:
            with connect(role) as db:
                db.execute("SET lock_timeout = '20s'")
                db.execute(statement() if callable(statement) else statement)
        except LOST:
            return True
        except psycopg.DatabaseError as error:
            return error.sqlstate in ("55P03", "40P01", "57014")
        return True
    return fault


def backend(kind, action):
    return sql_fault(f"SELECT {action}(pid) FROM pg_stat_activity WHERE {kind} AND pid <> pg_backend_pid()"
                     " ORDER BY random() LIMIT 1")


def stopped_at_once(torture):
    torture.cluster.pg_ctl("stop", "-m", "immediate")
    torture.cluster.start()


def restarted(torture):
    torture.cluster.pg_ctl("restart", "-m", "fast")


def client_killed(torture):
    torture.kill_client()


WORKER = "backend_type LIKE 'dealix%worker%'"
DISPATCHER = "backend_type LIKE 'dealix%dispatcher%'"
CLIENT = "backend_type = 'client backend'"

# How often, and what.
FAULTS = {
    "server killed": (4, server_killed),
    "postmaster killed": (2, postmaster_killed),
    "worker killed": (4, kill_process("dealix_exec worker")),
    "dispatcher killed": (1, kill_process("dealix_exec dispatcher")),
    "launcher killed": (1, kill_process("dealix_exec launcher")),
    "backend killed": (2, kill_process("postgres: app ", "postgres: manager ")),
    "checkpointer killed": (1, kill_process("checkpointer")),
    "client killed": (6, client_killed),
    "worker terminated": (8, backend(WORKER, "pg_terminate_backend")),
    "dispatcher terminated": (2, backend(DISPATCHER, "pg_terminate_backend")),
    "launcher terminated": (1, backend("backend_type LIKE 'dealix%launcher%'", "pg_terminate_backend")),
    "backend terminated": (4, backend(CLIENT, "pg_terminate_backend")),
    "worker cancelled": (4, backend(WORKER, "pg_cancel_backend")),
    "backend cancelled": (2, backend(CLIENT, "pg_cancel_backend")),
    "stopped at once": (3, stopped_at_once),
    "restarted": (2, restarted),
    "worker frozen": (4, freeze_process("dealix_exec worker")),
    "dispatcher frozen": (2, freeze_process("dealix_exec dispatcher")),
    "backend frozen": (2, freeze_process("postgres: app ", "postgres: manager ")),
    "VACUUM FULL": (3, sql_fault(lambda: f"VACUUM FULL dealix.{random.choice(TABLES)}")),
    "ANALYZE": (2, sql_fault(lambda: f"ANALYZE dealix.{random.choice(TABLES)}")),
    "REINDEX": (1, sql_fault(lambda: f"REINDEX TABLE dealix.{random.choice(TABLES)}")),
    "step replaced": (2, sql_fault("ALTER FUNCTION t.book(text, text) SET search_path = pg_catalog, pg_temp", "app")),
    "limit changed": (2, sql_fault(lambda: f"SELECT dealix.limit_workflow('limited', {random.randint(1, 5)})", "app")),
    "checkpoint": (1, sql_fault("CHECKPOINT")),
}


def choose():
    """(name, fault), by weight."""
    names = list(FAULTS)
    name = random.choices(names, [FAULTS[name][0] for name in names])[0]
    return name, FAULTS[name][1]
