#!/bin/bash
# Faults of every kind under a mixed load on a private cluster, and a count of
# the effects afterwards:
#
#   ROUNDS=1000 SEED=7 scripts/torture.sh
#
# See scripts/torture/main.py.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

"$dx_top/scripts/setup.sh"
work_create torture
postgres_prepare ASSERTS=1
cluster_create main "${torture_settings[@]}"
cluster_start main
seed=${SEED:-$RANDOM}
say "Seed $seed, ${ROUNDS:-1000} faults."
status=0
torture_run main "${ROUNDS:-1000}" "$seed" || status=1
if log_complaints "$dx_work/clusters/main/log"; then
	say "not ok: the server's log has the complaints above."
	status=1
fi
if [ "${KEEP:-0}" = 1 ] && [ "$status" != 0 ]; then
	trap - EXIT
	say "The server is left running: $pg_bin/psql -h $PGHOST -p $PGPORT -U postgres torture"
fi
exit "$status"
