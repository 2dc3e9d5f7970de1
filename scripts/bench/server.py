"""The server under measurement: sessions through psql, load through pgbench."""

import glob
import os
import re
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CLOCK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """The measurement is worth nothing; says why."""


class Session:
    """One psql process, so that a query costs no new connection."""

    def __init__(self, database, role="postgres"):
        self.psql = subprocess.Popen(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", role, "-d", database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __call__(self, sql):
        """Executes statements and returns the lines of their results."""
        lines = []
        try:
            self.psql.stdin.write(sql.rstrip().rstrip(";") + ";\n\\echo --done--\n")
            self.psql.stdin.flush()
        except BrokenPipeError:
            pass
        for line in self.psql.stdout:
            line = line.rstrip("\n")
            if line == "--done--":
                return lines
            lines.append(line)
        raise Failed(f"{sql.strip()}\n{self.psql.stderr.read().strip()}")

    def one(self, sql):
        return self(sql)[0]

    def number(self, sql):
        return float(self.one(sql))

    def close(self):
        self.psql.stdin.close()
        self.psql.wait()


def run_sql(database, sql, role="postgres"):
    """In a session of its own: the lines of the results."""
    session = Session(database, role)
    try:
        return session(sql)
    finally:
        session.close()


def poll(question, what, seconds=600, every=0.1):
    """Waits until a function returns true."""
    until = time.monotonic() + seconds
    while not question():
        if time.monotonic() > until:
            raise Failed(f"after {seconds} s still not: {what}")
        time.sleep(every)


class Load:
    """What pgbench measured."""

    def __init__(self, tps, latencies):
        self.tps = tps
        self.latencies = sorted(latencies)

    def quantile(self, q):
        """Latency in ms below which a share q of the transactions lay."""
        if not self.latencies:
            raise Failed("pgbench recorded no latencies")
        return self.latencies[min(int(q * len(self.latencies)), len(self.latencies) - 1)]


def pgbench(database, script, clients, seconds=None, transactions=None, latencies=False, role="bench",
            variables=()):
    """Runs a script of this folder in a closed loop, for a time or a number of transactions each."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)),
                   "-U", role, "-f", os.path.join(HERE, script)]
        command += ["-T", str(seconds)] if transactions is None else ["-t", str(transactions)]
        for variable in variables:
            command += ["-D", variable]
        if latencies:
            command += ["--log", "--log-prefix", os.path.join(folder, "latency")]
        done = subprocess.run(command + [database], capture_output=True, text=True)
        tps = re.search(r"^tps = ([0-9.]+)", done.stdout, re.M)
        failed = re.search(r"aborted|ERROR|number of failed transactions: [1-9]", done.stdout + done.stderr)
        if done.returncode != 0 or tps is None or failed:
            raise Failed(f"pgbench {script}: {done.stderr.strip() or done.stdout.strip()}")
        times = []
        for log in glob.glob(os.path.join(folder, "latency*")):
            with open(log) as lines:
                times += [int(line.split()[2]) / 1000 for line in lines]
        return Load(float(tps.group(1)), times)


def processes(postmaster):
    """Process ids of a server, the postmaster's first."""
    pids = [postmaster]
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(stat) as line:
                fields = line.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == postmaster:
            pids.append(int(stat.split("/")[2]))
    return pids


def cpu_seconds(pids):
    """CPU time that these processes have used so far."""
    used = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as line:
                fields = line.read().rsplit(")", 1)[1].split()
            used += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return used / CLOCK


def private_kb(pid):
    """Memory of a process that is not the server's shared memory, in kB."""
    with open(f"/proc/{pid}/status") as lines:
        for line in lines:
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    raise Failed(f"process {pid} has gone")
