"""What was measured: lines for people while it goes on, name=value at the end."""

import os
import platform
import subprocess
import time

# What DESIGN asks of each figure: at least (>=) or at most (<=).
BUDGETS = {
    "drain_2w_steps_per_s": (">=", 30000),
    "drain_2w_ratio": (">=", 6),
    "latency_p50_ratio": ("<=", 6),
    "latency_p99_ratio": ("<=", 15),
    "start_ratio": (">=", 0.7),
    "start_many_per_s": (">=", 40000),
    "bytes_per_run": ("<=", 1400),
    "wal_bytes_per_run": ("<=", 3000),
    "parked_1m_ratio": (">=", 0.9),
    "finished_1m_ratio": (">=", 0.9),
    "held_xmin_ratio": (">=", 0.9),
    "unused_state_bytes": ("<=", 600),
    "workflow_kb": ("<=", 40),
    "payload_10kb_ratio": (">=", 0.5),
    "payload_10kb_bytes_ratio": ("<=", 2),
    "payload_100kb_start_mb_per_s": (">=", 150),
    "wait_500_p50_ratio": ("<=", 3),
    "wait_500_woken_per_task": ("<=", 1.5),
}


def shown(value):
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.3f}"


class Report:
    def __init__(self, suite, quick, admin):
        self.suite = suite
        self.quick = quick
        self.values = {}
        self.began = time.monotonic()
        self.when = time.strftime("%Y%m%d-%H%M%S")
        self.head = [f"{suite}{' (quick)' if quick else ''}, {time.strftime('%Y-%m-%d %H:%M:%S')}",
                     f"{os.cpu_count()} CPUs, {platform.machine()}, Linux {platform.release()},"
                     f" load {os.getloadavg()[0]:.2f} at the beginning",
                     "PostgreSQL " + admin.one("SHOW server_version") + ", "
                     + ", ".join(f"{name} {admin.one('SHOW ' + name)}" for name in
                                 ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers")),
                     "commit " + commit()]
        for line in self.head:
            print(line)

    def say(self, text):
        print(f"[{time.monotonic() - self.began:5.0f} s] {text}", flush=True)

    def put(self, **values):
        """Records figures, and shows each with its budget if it has one."""
        for name, value in values.items():
            self.values[name] = value
            self.say(f"{name} = {shown(value)}{self.verdict(name)}")

    def verdict(self, name):
        if name not in BUDGETS:
            return ""
        sign, budget = BUDGETS[name]
        met = self.values[name] >= budget if sign == ">=" else self.values[name] <= budget
        if met:
            return f"  (budget {sign} {budget}: met)"
        share = abs(self.values[name] - budget) / budget
        return f"  (budget {sign} {budget}: MISSED by {100 * share:.0f} %)"

    def finish(self):
        lines = [f"{name}={shown(value)}" for name, value in self.values.items()]
        missed = [name for name in self.values if "MISSED" in self.verdict(name)]
        print(f"Took {time.monotonic() - self.began:.0f} s; load {os.getloadavg()[0]:.2f} at the end.")
        if missed:
            print("Budgets missed: " + ", ".join(missed))
        folder = os.environ.get("BENCH_RESULTS")
        if folder:
            os.makedirs(folder, exist_ok=True)
            path = os.path.join(folder, f"{self.suite}{'-quick' if self.quick else ''}-{self.when}.txt")
            with open(path, "w") as file:
                file.writelines(f"# {line}\n" for line in self.head)
                file.writelines(line + "\n" for line in lines)
            print(f"Written to {path}")
        print("Figures:")
        print("\n".join(lines))


def commit():
    """The commit of the sources, and whether they differ from it."""
    folder = os.path.dirname(os.path.abspath(__file__))
    try:
        return subprocess.run(["git", "-c", "safe.directory=*", "-C", folder, "describe", "--always", "--dirty"],
                              capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
