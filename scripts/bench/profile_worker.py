"""Where a worker's time goes while it works off a backlog, by phase of a pass."""

import os
import re
import shutil
import subprocess

from engine import Database
from server import Failed, poll

# Name, what it is, and the phase that it is a part of.
PHASES = (
    ("take", "claim: lock runs, load branches and messages", None),
    ("dx_run_advance", "advance: interpret states, call steps", None),
    ("dx_guard", "of that: subtransaction, identity, settings of each step", "dx_run_advance"),
    ("call_body", "of that: the call of the step's function", "dx_guard"),
    ("plpgsql_call_handler", "of that: the function itself", "call_body"),
    ("dx_store_write", "write back", None),
    ("dx_store_history", "of that: history", "dx_store_write"),
    ("dx_events_chain", "of that: the hash chain", "dx_store_history"),
    ("write_runs", "of that: rows of runs", "dx_store_write"),
    ("write_branches", "of that: rows of branches", "dx_store_write"),
    ("dx_frame_commit", "commit", None),
    ("XLogFlush", "of that: the flush", "dx_frame_commit"),
)


def record(report, admin, runs):
    """Profiles the one worker that works off a backlog: the profile's file."""
    data = os.path.join(os.environ["BENCH_WORK"], "perf.data")
    database = Database(admin, "profiled")
    database.workers(0)
    database.backlog("chain", runs)
    database.workers(1)
    poll(database.worker_pids, "a worker runs", 30, 0.005)
    perf = subprocess.Popen(["perf", "record", "-q", "-o", data, "-F", "499", "--call-graph", "dwarf,16384",
                             "-p", str(database.worker_pids()[0])],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    poll(lambda: database.idle() and database.all_ended(), "the backlog is worked off")
    perf.send_signal(2)
    perf.wait()
    database.workers(0)
    database.check_chain(runs)
    report.put(profiled_steps_per_s=3 * runs / database.span("chain"))
    return data


def perf_report(data, *options):
    return subprocess.run(["perf", "report", "-i", data, "--stdio", "-g", "none", *options],
                          capture_output=True, text=True).stdout


def shares(data):
    """Share of the samples below each function, in percent."""
    found = {}
    for line in perf_report(data, "--children", "--sort", "symbol").splitlines():
        match = re.match(r"\s*([0-9.]+)%\s+[0-9.]+%\s+\[.\] (\S+)", line)
        if match:
            found[match.group(2)] = max(float(match.group(1)), found.get(match.group(2), 0))
    return found


def profile(report, admin):
    if shutil.which("perf") is None:
        raise Failed("perf is missing (Debian: linux-perf)")
    data = record(report, admin, int(os.environ.get("PROFILE_RUNS", 40000)))
    share = shares(data)
    depth = {None: -1}
    for name, what, parent in PHASES:
        depth[name] = depth[parent] + 1
        print(f"{share.get(name, 0):5.1f} %  {'  ' * depth[name]}{what} ({name})")
    print("\nBy library:")
    print("\n".join(line for line in perf_report(data, "--no-children", "--sort", "dso").splitlines()
                    if "%" in line))
    print("\nFunctions by their own time:")
    print("\n".join([line for line in perf_report(data, "--no-children", "--sort", "symbol").splitlines()
                     if "%" in line][:40]))
