#!/bin/bash
# Makes docs/functions.md from the comments in the database.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
"$top/scripts/cluster.sh" psql -Xq -v ON_ERROR_STOP=1 -f "$top/scripts/reference.sql" |
	sed -e "/^Compiling: /d" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' >"$top/docs/functions.md.new"
mv "$top/docs/functions.md.new" "$top/docs/functions.md"
