"""Torture: a mixed load with every kind of state, and faults, one after the other, at random times.

    main.py ROUNDS SEED

The environment has TORTURE_FOLDER (of the cluster), TORTURE_BINDIR, TORTURE_PREFIX (a JSON array: what runs a command
as the server's role) and TORTURE_RECORD (a file for what was acknowledged).  Exits with 1 when something that has to
hold does not.  The seed chooses the faults; when they hit is up to the machine.
"""

import collections
import json
import multiprocessing
import os
import random
import signal
import sys
import time

import checks
import faults
import load
from cluster import Cluster
from db import patiently

PATIENCE = 180					# seconds without any progress


class Torture:
    def __init__(self):
        self.cluster = Cluster(os.environ["TORTURE_FOLDER"], os.environ["TORTURE_BINDIR"],
                               json.loads(os.environ["TORTURE_PREFIX"]))
        self.record = os.environ["TORTURE_RECORD"]
        self.clients = {}

    def start_client(self, number):
        process = multiprocessing.Process(target=quietly, args=(load.CLIENTS[number], self.record), daemon=True)
        process.start()
        self.clients[number] = process

    def keep_clients(self):
        for number, process in list(self.clients.items()):
            if not process.is_alive():
                if process.exitcode not in (-signal.SIGKILL, -signal.SIGTERM):
                    raise AssertionError(f"a client ended by itself: {load.CLIENTS[number].__name__}")
                self.start_client(number)

    def kill_client(self):
        os.kill(random.choice(list(self.clients.values())).pid, signal.SIGKILL)

    def stop_clients(self, names):
        for number, process in list(self.clients.items()):
            if load.CLIENTS[number].__name__ in names:
                process.terminate()
                process.join()
                del self.clients[number]


def quietly(client, record):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    random.seed()
    client(record)


def unfinished(db):
    """Counts of what has to move on until everything has ended."""
    return db.execute("SELECT (SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL),"
                      " (SELECT count(*) FROM dealix.history_event), (SELECT count(*) FROM dealix.inbox),"
                      " (SELECT count(*) FROM dealix.outbox)").fetchone()


def wait_for_end(torture):
    """Until all have ended; the lines of successors get their last item."""
    seen = None
    since = time.monotonic()
    while True:
        torture.keep_clients()
        now = patiently("postgres", unfinished)
        if now[0] == 0 and now[2] == 0 and now[3] == 0:
            return True
        if now != seen:
            seen, since = now, time.monotonic()
        if time.monotonic() - since > PATIENCE:
            return False
        time.sleep(0.5)


def stop_lines(db):
    db.execute("SET ROLE app")
    for (run,) in db.execute("SELECT run_id FROM dealix.run_details WHERE workflow = 'line' AND finished_at IS NULL").fetchall():
        db.execute("SELECT dealix.signal(%s, 'item', '\"stop\"')", [run])


def show_what_is_left(db):
    for row in db.execute("SELECT r.workflow, r.status, w.state, w.waits_for, w.until, w.awaited, r.run_id FROM dealix.run_details r"
                          " LEFT JOIN dealix.waiting_details w USING (run_id) WHERE r.finished_at IS NULL LIMIT 20").fetchall():
        print("  not ended:", *row)
    for row in db.execute("SELECT kind, owner::text, pid, state, last_error FROM dealix.worker_details").fetchall():
        print("  process:", *row)


def inflict(torture, rounds):
    count = collections.Counter()
    for number in range(rounds):
        torture.keep_clients()
        time.sleep(random.random() * 1.2)
        name, fault = faults.choose()
        if fault(torture) is False:
            name = "nothing to hit"
        count[name] += 1
        torture.cluster.wait_until_up()
        if (number + 1) % 25 == 0:
            runs = patiently("postgres", lambda db: db.execute(
                "SELECT count(*), count(*) FILTER (WHERE finished_at IS NULL) FROM dealix.run_details").fetchone())
            print(f"{number + 1:5} faults, {runs[0]} runs, {runs[1]} of them go on", flush=True)
    return count


def main():
    rounds, seed = int(sys.argv[1]), int(sys.argv[2])
    random.seed(seed)
    torture = Torture()
    for number in range(len(load.CLIENTS)):
        torture.start_client(number)
    time.sleep(3)
    count = inflict(torture, rounds)
    torture.stop_clients(("starter", "liner"))
    ended = False
    for _ in range(3):
        # Twice more: what a line took last may have been the item before.
        patiently("postgres", stop_lines)
        ended = wait_for_end(torture)
        if ended:
            break
    if not ended:
        patiently("postgres", show_what_is_left)
    torture.stop_clients([client.__name__ for client in load.CLIENTS])
    found = patiently("postgres", lambda db: checks.failures(db, torture.record))
    for name, n in sorted(count.items()):
        print(f"{n:5}  {name}")
    runs = patiently("postgres", lambda db: db.execute(
        "SELECT string_agg(n || ' ' || status, ', ') FROM (SELECT status, count(*) AS n FROM dealix.run_details GROUP BY 1 ORDER BY 1) s").fetchone()[0])
    record = checks.facts(torture.record)
    print(f"Runs: {runs}.  Acknowledged: {len(record.get('start', []))} starts, {len(record.get('item', []))} items."
          f"  Redriven because their process was killed again and again: {len(record.get('incident', []))}.")
    for what, rows in found:
        print(f"BROKEN: {what}")
        for row in rows:
            print("   ", row)
    print(f"{len(checks.CHECKS) + 1 - len(found)} passed, {len(found) + (not ended)} failed")
    return 0 if ended and not found else 1


if __name__ == "__main__":
    sys.exit(main())
