#!/bin/bash
# Runs a command with a private throwaway cluster and removes the cluster when
# the command ends:
#
#   scripts/cluster.sh [-c 'SETTING = VALUE']... [COMMAND [ARGUMENT]...]
#
# The command (psql if none is given) finds the server through PGHOST, PGPORT,
# PGUSER and PGDATABASE.  The cluster has the extension of this source folder
# preloaded, together with pg_cron, and created in the database postgres.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

settings=("cron.database_name = 'postgres'")
while [ "${1:-}" = -c ]; do
	settings+=("$2")
	shift 2
done

work_create cluster
postgres_prepare ASSERTS=1
cluster_create main "shared_preload_libraries = '$pg_preload'" "${settings[@]}"
cluster_start main
psql_quiet -c 'CREATE EXTENSION dealix_exec'
if [ $# = 0 ]; then set -- psql; fi
"$@"
