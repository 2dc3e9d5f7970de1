"""The clients of the torture, each a process of its own that may be killed at any time."""

import json
import os
import random
import uuid

import psycopg

from db import forever

MOST_UNFINISHED = 250


class Ledger:
    """Acknowledged facts, a line each, written before anything else is done."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def note(self, *words):
        os.write(self.fd, (" ".join(words) + "\n").encode())


def unfinished(db):
    return db.execute("SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL").fetchone()[0]


def starter(path):
    """Starts runs by the one and by the many; what was acknowledged is on record."""
    ledger = Ledger(path)

    def work(db):
        if unfinished(db) > MOST_UNFINISHED:
            return
        keys = [str(uuid.uuid4()) for _ in range(random.choice([1, 1, 1, 10]))]
        inputs = [json.dumps({"key": key, "n": random.randrange(8), "wait": random.choice([0, 0, 1, 2])})
                  for key in keys]
        durability = random.choice(["sync", "sync", "sync", "async"])
        if len(keys) == 1:
            db.execute("SELECT dealix.start('all', %s::jsonb, %s, priority => %s, durability => %s)",
                       [inputs[0], keys[0], random.choice([0, 0, 0, 5, -5]), durability])
        else:
            db.execute("SELECT count(*) FROM dealix.start_many('all', %s::text[]::jsonb[], %s, durability => %s)",
                       [inputs, keys, durability])
        if durability == "sync":
            for key in keys:
                ledger.note("start", key)
    forever("app", work, 0.2)


def helper(_path):
    """Sends the signals and events that somebody waits for."""
    def work(db):
        db.execute("SELECT dealix.signal(run_id, 'go', key => 'go') FROM dealix.waiting_details"
                   " WHERE waits_for = 'signal' AND workflow = 'all' LIMIT 50")
        for (key,) in db.execute("SELECT r.input ->> 'key' FROM dealix.waiting_details w JOIN dealix.run_details r USING (run_id)"
                                 " WHERE w.waits_for = 'event' LIMIT 50").fetchall():
            db.execute("SELECT dealix.publish_event('paid', %s, '{}')", [key])
    forever("app", lambda db: ignore(work, db), 0.2)


def ignore(work, db):
    """Errors of the API are answers: the run may have ended, the token be refused."""
    try:
        work(db)
    except psycopg.errors.OperationalError:
        raise
    except psycopg.DatabaseError as error:
        if error.sqlstate is None or error.sqlstate[:2] in ("57", "08", "XX"):
            raise


def liner(path):
    """A line of successors that takes items in: each item that was accepted is taken once."""
    ledger = Ledger(path)

    def work(db):
        key = "line " + str(os.getpid() % 4)
        item = str(uuid.uuid4())
        db.execute("SELECT dealix.signal_with_start('line', %s, 'item', to_jsonb(%s::text), jsonb_build_object('key', %s::text),"
                   " signal_key => %s)", [key, item, key, item])
        ledger.note("item", item)
    forever("app", lambda db: ignore(work, db), 0.3)


class ChangedMind(Exception):
    """The worker rolls back what it has done."""


def worker(_path):
    """Has its effect and completes the task in one transaction: exactly once."""
    def one(db, token, key):
        with db.transaction():
            db.execute("SELECT dealix.complete(%s, '1')", [token])
            db.execute("INSERT INTO t.seen VALUES (%s, 'work')", [key])
            if random.random() < 0.05:
                raise ChangedMind

    def work(db):
        db.execute("CALL dealix.wait_for_work('work', '1 s')")
        for token, key in db.execute("SELECT token, input ->> 'key' FROM dealix.claim('work', 'torture', 5)").fetchall():
            try:
                ignore(lambda db: one(db, token, key), db)
            except ChangedMind:
                pass
    forever("app", lambda db: ignore(work, db), 0.1)


def approver(_path):
    """Agrees, mostly."""
    def work(db):
        for number, digest in db.execute("SELECT id, hash FROM dealix.approval_details WHERE status = 'PENDING' LIMIT 20").fetchall():
            if random.random() < 0.1:
                ignore(lambda db: db.execute("SELECT dealix.reject(%s, 'no', %s)", [number, digest]), db)
            else:
                ignore(lambda db: db.execute("SELECT dealix.approve(%s, 'yes', %s)", [number, digest]), db)
    forever("manager", work, 0.3)


def consumer(_path):
    """Reads the outbox, answers requests with their token, and acknowledges: all in one transaction."""
    def answer(db, token):
        with db.transaction():
            db.execute("SELECT dealix.complete(%s, '1')", [token])

    def work(db):
        with db.transaction():
            rows = db.execute("SELECT id, topic, event #>> '{data,key}', event #>> '{data,token}'"
                              " FROM dealix.read_outbox('torture', 50)").fetchall()
            for _number, topic, key, token in rows:
                if topic == "done":
                    db.execute("INSERT INTO t.seen VALUES (%s, 'done')", [key])
                else:
                    ignore(lambda db: answer(db, token), db)
            db.execute("SELECT dealix.ack('torture', %s)", [[row[0] for row in rows]])
    forever("app", work, 0.2)


def stopper(path):
    """Cancels and terminates, and brings back what ended as an incident because its process was killed too often."""
    ledger = Ledger(path)

    def work(db):
        for run, cause in db.execute("SELECT run_id::text, coalesce(cause, '') FROM dealix.incident_details LIMIT 20").fetchall():
            ledger.note("incident", run, cause.replace("\n", " "))
            ignore(lambda db: db.execute("SELECT dealix.redrive(%s)", [run]), db)
        if random.random() < 0.3:
            for (run,) in db.execute("SELECT run_id FROM dealix.run_details WHERE workflow = 'all' AND finished_at IS NULL"
                                     " AND random() < 0.02 LIMIT 1").fetchall():
                what = random.choice(["cancel", "cancel", "terminate"])
                ignore(lambda db: db.execute(f"SELECT dealix.{what}(%s, 'torture')", [run]), db)
    forever("ops", work, 0.5)


CLIENTS = [starter, starter, helper, liner, liner, worker, worker, approver, consumer, stopper]
