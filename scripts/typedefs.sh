#!/bin/bash
# Makes scripts/typedefs.list: the names of types in the debug information of
# the library that the sources use, as PostgreSQL makes its own list.
#
#   scripts/typedefs.sh                  builds the library and writes the list
#   scripts/typedefs.sh LIBRARY          only prints the list of a library
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# A word of ours that is a type in one place only, and a member in many, is
# indented wrongly where it is a member.
not_types='^(text|type)$'

typedefs_of()
{
	objdump --dwarf=info "$1" | awk '
		/DW_TAG_/ { typedef = /DW_TAG_typedef/ }
		typedef && /DW_AT_name/ { print $NF; typedef = 0 }' |
		grep -vE "$not_types" | LC_ALL=C sort -u |
		grep -Fxf <(find "$dx_top/src" -name '*.[ch]' -exec grep -ohE '[A-Za-z_][A-Za-z0-9_]*' {} + | LC_ALL=C sort -u)
}

if [ $# != 0 ]; then
	typedefs_of "$1"
	exit
fi
work_create typedefs
postgres_prepare ASSERTS=1
typedefs_of "$dx_work/source/dealix_exec.so" >"$dx_work/typedefs.list"
{ cat "$dx_work/typedefs.list"; echo bool; } | LC_ALL=C sort -u >"$dx_top/scripts/typedefs.list"
say "$(wc -l <"$dx_top/scripts/typedefs.list") types."
