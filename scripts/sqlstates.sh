#!/bin/sh
# Prints src/base/sqlstate_names.h from PostgreSQL's errcodes.txt (argument 1;
# it lies in pg_config --sharedir).  Of several names for one code the first
# counts, as in PL/pgSQL.
set -eu
cat <<'HEAD'
/*
 * Condition names by SQLSTATE, in order of SQLSTATE.
 * Made by scripts/sqlstates.sh from PostgreSQL's errcodes.txt.
 */
HEAD
awk '$1 ~ /^[0-9A-Z][0-9A-Z][0-9A-Z][0-9A-Z][0-9A-Z]$/ && NF >= 4 && !seen[$1]++ {
	printf "{\"%s\", \"%s\"},\n", $1, $4 }' "$1" | LC_ALL=C sort
