#!/bin/bash
# Indents the C sources as PostgreSQL does (make indent).
#
#   scripts/indent.sh [FILE]...          these files, or all
#   scripts/indent.sh --check [FILE]...  only says which are not indented
#   PG_BSD_INDENT=PROGRAM                pg_bsd_indent; without it that of the
#                                        machine, or Debian's package, unpacked
#                                        into the folder .tools
#
# Ends with 3 if the program is not to be had.  GNU indent is another program.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/fetch.sh
. "$dx_top/scripts/fetch.sh"

check=()
if [ "${1:-}" = --check ]; then
	check=(--check)
	shift
fi
cd "$dx_top"
files=("$@")
if [ $# = 0 ]; then
	# a table that another script makes is none of ours to lay out
	mapfile -t files < <(find src -name '*.[ch]' ! -name sqlstate_names.h | LC_ALL=C sort)
fi
program=${PG_BSD_INDENT:-$(command -v pg_bsd_indent || true)}
if [ -z "$program" ]; then
	program=$dx_top/.tools/usr/bin/pg_bsd_indent
	if [ ! -x "$program" ] && ! package_fetch pg-bsd-indent "$dx_top/.tools"; then
		say "pg_bsd_indent is missing, and Debian's package pg-bsd-indent is not to be had." >&2
		exit 3
	fi
fi
exec perl scripts/indent.pl "${check[@]}" "$program" scripts/typedefs.list "${files[@]}"
