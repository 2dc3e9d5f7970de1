#!/bin/bash
# Feeds mutated definitions and inputs to a private cluster for some time:
#
#   SECONDS_OF_FUZZING=60 scripts/fuzz.sh
#
# SEED=n repeats a run.  See scripts/fuzz.py for what makes it fail; a
# complaint in the server's log does, too.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

work_create fuzz
postgres_prepare ASSERTS=1
cluster_create fuzz "${fuzz_settings[@]}"
cluster_start fuzz
psql_quiet -c "CREATE EXTENSION dealix_exec"
status=0
python3 "$dx_top/scripts/fuzz.py" "${SECONDS_OF_FUZZING:-60}" "$dx_top/test/asl" || status=1
if log_complaints "$dx_work/clusters/fuzz/log"; then
	say "not ok: the server's log has the complaints above."
	status=1
fi
exit "$status"
