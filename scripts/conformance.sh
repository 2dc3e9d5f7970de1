#!/bin/bash
# Runs folders of language cases on a private cluster with real workers:
#
#   CASES='FOLDER...' scripts/conformance.sh
#
# Without CASES it runs those in test/asl.  See scripts/conformance.py.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

read -ra folders <<<"${CASES:-$dx_top/test/asl}"
for folder in "${folders[@]}"; do
	[ -d "$folder" ] || die "there is no folder $folder."
done
settings=()
for setting in "${asl_settings[@]}"; do
	settings+=(-c "$setting")
done
exec "$dx_top/scripts/cluster.sh" "${settings[@]}" \
	python3 "$dx_top/scripts/conformance.py" "${folders[@]}"
