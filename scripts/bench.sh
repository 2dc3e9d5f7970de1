#!/bin/bash
# Measures on a private throwaway cluster, with an optimized build and every
# commit flushed; each figure beside its pgbench baseline of the same run.  Ends
# with name=value lines.
#
#   scripts/bench.sh [all|million|memory|restart|scaling|profile]
#   RESULTS=DIR  write them into a file there too (see bench/table.py)
#   QUICK=1      the same figures, but those with a million runs, in two minutes
#   RUNS=N       how many runs a drain has (60,000, or 30,000 if QUICK)
#   MILLION=N    how many runs stand for a million
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# A quarter of the memory, as the manual advises, within reason.
shared_buffers()
{
	awk '/^MemTotal:/ { mb = int($2 / 4096); if (mb > 2048) mb = 2048; print mb "MB" }' /proc/meminfo
}

# What the program calls to restart the server.
write_restart()
{
	cat >"$dx_work/restart" <<END
#!/bin/bash
cd "$dx_work/clusters/main"
exec ${dx_server[*]} "$pg_bin/pg_ctl" -D data -l log -w -t 600 -m fast restart
END
	chmod 755 "$dx_work/restart"
}

work_create bench
# shellcheck disable=SC2119
postgres_prepare
cluster_create main "shared_preload_libraries = 'dealix_exec'" "shared_buffers = $(shared_buffers)" \
	"synchronous_commit = on" "max_wal_size = 8GB" "checkpoint_timeout = 30min" "max_worker_processes = 32" "max_connections = 600"
cluster_start main
write_restart
export BENCH_WORK=$dx_work BENCH_RESTART=$dx_work/restart
export BENCH_RESULTS=${RESULTS:-}
export QUICK=${QUICK:-0} MILLION=${MILLION:-1000000}
# Not in the foreground, so that a signal ends it and the server at once.
python3 "$dx_top/scripts/bench/main.py" "$@" &
dx_pids+=($!)
wait $!
if grep -nE 'WARNING: .*(leak|still referenced)|PANIC: |TRAP: |terminated by signal' "$dx_work/clusters/main/log"; then
	die "the server's log has what it should not have."
fi
