"""Measures the engine beside pgbench, in one run on one server.

Every figure of the engine has its baseline measured right before and right
after it, and is compared with the mean of the two.  Ends with lines
name=value; they also go to a file, if RESULTS names a folder.
"""

import os
import sys

import definitions
import large
import measures
import profile_worker
import scaling
from engine import Database
from report import Report
from server import Failed, Session

QUICK = os.environ.get("QUICK", "0") not in ("", "0")


def everything(report, admin):
    home = Database(admin, "home")
    home.workers(0)
    measures.drains(report, admin, home)
    measures.held_snapshot(report, admin)
    measures.latency(report, home)
    measures.starts(report, home)
    measures.fan_out(report, admin)
    measures.signals(report, admin)
    measures.activities(report, admin)
    measures.crowd(report, admin)
    measures.fairness(report, admin)
    measures.worker_start(report, admin)
    definitions.definitions(report, admin)
    scaling.documents(report, admin)
    measures.idle(report, admin)
    if not QUICK:
        million(report, admin)


def million(report, admin):
    large.parked(report, admin)
    large.finished(report, admin)


SUITES = {"all": everything, "million": million, "memory": large.memory, "restart": large.restart, "scaling": scaling.scaling,
          "profile": profile_worker.profile}


def main():
    suite = sys.argv[1] if len(sys.argv) > 1 else "all"
    if suite not in SUITES:
        print(f"bench: there is no {suite}; there are {', '.join(SUITES)}.", file=sys.stderr)
        return 2
    admin = Session("postgres")
    admin("CREATE ROLE bench LOGIN; CREATE ROLE other LOGIN")
    report = Report(suite, QUICK, admin)
    try:
        SUITES[suite](report, admin)
    except Failed as why:
        print(f"bench: {why}", file=sys.stderr)
        return 1
    report.finish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
