#!/usr/bin/python3
"""Does the activities of the signature workflow: asks the provider over HTTP.

    worker.py DSN PROVIDER_URL [--crash]

Every request to the provider carries the task's idempotency key: whatever
happens between the request and dealix.complete, the provider sees one request.
With --crash the worker kills itself at exactly that point, once.
"""
import json
import os
import signal
import sys
import urllib.error
import urllib.request

import psycopg

ACTIVITIES = ("send_signature_request", "void_signature_request")


def ask_provider(url, activity, key, body):
    request = urllib.request.Request(
        f"{url}/{activity}", json.dumps(body).encode(),
        {"Content-Type": "application/json", "Idempotency-Key": key})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def do_task(db, url, activity, task, crash):
    token, body, key = task
    try:
        output = ask_provider(url, activity, key, body)
    except (urllib.error.URLError, TimeoutError) as error:
        db.execute("SELECT dealix.fail(%s, 'Provider.Unavailable', %s)", (token, str(error)))
        return
    if crash:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        db.execute("SELECT dealix.complete(%s, %s)", (token, json.dumps(output)))
    except psycopg.Error as error:
        if error.sqlstate != "DX003":   # refused: somebody else has the task by now
            raise


def main():
    dsn, url = sys.argv[1:3]
    crash = "--crash" in sys.argv
    with psycopg.connect(dsn, autocommit=True) as db:
        while True:
            for activity in ACTIVITIES:
                for task in db.execute("SELECT token, input, idempotency_key FROM dealix.claim(%s, %s, 10)",
                                       (activity, f"worker {os.getpid()}")).fetchall():
                    do_task(db, url, activity, task, crash)
            # Two activities, one connection: wait for the one, look for the other now and then.
            db.execute("CALL dealix.wait_for_work(%s, '500 ms')", (ACTIVITIES[0],))


main()
