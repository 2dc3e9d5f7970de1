"""Connections of the torture's clients: a server that has gone is asked again."""

import random
import time

import psycopg

LOST = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.InternalError_)


def connect(role, **options):
    """A session of this role, in autocommit mode; raises psycopg.OperationalError."""
    return psycopg.connect(dbname="torture", user=role, autocommit=True, connect_timeout=10, **options)


def forever(role, work, pause):
    """Calls work(connection) again and again, over lost connections too; never returns."""
    while True:
        try:
            with connect(role) as db:
                while True:
                    work(db)
                    time.sleep(random.random() * pause)
        except LOST:
            time.sleep(0.1)


def patiently(role, work, seconds=300):
    """The result of work(connection), however often the connection is lost until then."""
    until = time.monotonic() + seconds
    while True:
        try:
            with connect(role) as db:
                return work(db)
        except LOST:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
