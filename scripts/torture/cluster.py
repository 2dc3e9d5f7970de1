"""The server under torture, as its operator and as its enemy sees it."""

import glob
import os
import signal
import subprocess
import time

import psycopg

from db import LOST, connect


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            return line.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def stat(pid):
    """State and parent of a process, or nothing."""
    try:
        with open(f"/proc/{pid}/stat") as line:
            fields = line.read().rsplit(")", 1)[1].split()
    except OSError:
        return None, None
    return fields[0], int(fields[1])


def gone(pid):
    return stat(pid)[0] in (None, "Z")


def send(pid, number):
    """False: there is no such process any more."""
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


class Cluster:
    """A data directory with pg_ctl; prefix is what runs a command as the server's role."""

    def __init__(self, folder, bindir, prefix):
        self.folder = folder
        self.bindir = bindir
        self.prefix = prefix

    def pg_ctl(self, *words):
        return subprocess.run([*self.prefix, f"{self.bindir}/pg_ctl", "-D", f"{self.folder}/data",
                               "-l", f"{self.folder}/log", "-w", "-t", "300", *words],
                              cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode

    def postmaster(self):
        with open(f"{self.folder}/data/postmaster.pid") as lines:
            return int(next(lines))

    def children(self, postmaster):
        pids = [int(path.split("/")[2]) for path in glob.glob("/proc/[0-9]*/stat")]
        return [pid for pid in pids if stat(pid)[1] == postmaster]

    def find(self, *words):
        """Processes of the server whose title has one of these words."""
        return [pid for pid in self.children(self.postmaster())
                if any(word in command_line(pid) for word in words)]

    def wait_until_up(self, seconds=300):
        until = time.monotonic() + seconds
        while True:
            try:
                with connect("postgres") as db:
                    return db.execute("SELECT 1").fetchone()
            except LOST:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def forget_pid_file(self, postmaster):
        """In some containers nobody reaps orphans, and the server takes a dead postmaster for a running one."""
        for _ in range(60):
            if stat(postmaster)[0] is None:
                return
            time.sleep(0.05)
        try:
            os.unlink(f"{self.folder}/data/postmaster.pid")
        except FileNotFoundError:
            pass

    def kill(self, with_children):
        """SIGKILL to the postmaster, and at the same time to all of its processes or not."""
        postmaster = self.postmaster()
        send(postmaster, signal.SIGSTOP)
        children = self.children(postmaster)
        for pid in [postmaster, *(children if with_children else [])]:
            send(pid, signal.SIGKILL)
        for pid in children:
            # stopped by us a moment ago, perhaps
            send(pid, signal.SIGCONT)
        until = time.monotonic() + 120
        while not all(gone(pid) for pid in [postmaster, *children]):
            if time.monotonic() > until:
                left = {pid: command_line(pid) for pid in children if not gone(pid)}
                raise AssertionError(f"processes stay without their postmaster: {left}")
            time.sleep(0.05)
        self.forget_pid_file(postmaster)

    def start(self):
        if self.pg_ctl("start") != 0:
            raise AssertionError("the server does not start: see its log")
