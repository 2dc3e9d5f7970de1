#!/bin/bash
# Small defects, each of which a named test has to catch: for each patch in
# test/mutants the sources are built with it, and its test is run.
#
#   scripts/mutants.sh                  all of them
#   MUTANTS='10-* 23-*' scripts/mutants.sh      only these
#
# A patch begins with the lines "Defect: what is wrong" and "Test: SUITE FILE".
# Ends with a table and the line "N passed, N failed".
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

passed=0
failed=0

header() { sed -n "s/^$1: //p" "$2" | head -n 1; }

# tell RESULT PATCH SECONDS
tell()
{
	printf '%-12s %-40s %-32s %4d s\n' "$1" "$(basename "$2" .patch)" "$(header Test "$2")" "$3"
}

# The sources with one defect.  Fails if the patch does not fit any more.
make_mutant()
{
	mkdir -p "$2"
	tar -C "$dx_top" --exclude=./.git --exclude='*.o' --exclude='*.so' --exclude='*.d' \
		--exclude=./.postgres -cf - . | tar -C "$2" -xf -
	patch -d "$2" -p1 --fuzz=1 -s <"$1" >"$2.patch.log" 2>&1
}

# try PATCH: builds the defect and runs its test, which has to fail.
try()
{
	local tree=$dx_work/mutant suite file begin=$SECONDS log=$dx_work/mutant.log

	read -r suite file < <(header Test "$1")
	rm -rf "$tree"
	if ! make_mutant "$1" "$tree"; then
		tell 'does not fit' "$1" $((SECONDS - begin))
		cat "$tree.patch.log"
		failed=$((failed + 1))
		return
	fi
	if DX_OBJECTS=$dx_work/source TESTS=$file "$tree/scripts/test.sh" "$suite" >"$log" 2>&1; then
		tell SURVIVED "$1" $((SECONDS - begin))
		failed=$((failed + 1))
	elif grep -qE "^$suite[ /].* [1-9][0-9]* failed " "$log"; then
		tell caught "$1" $((SECONDS - begin))
		passed=$((passed + 1))
	else
		tell 'no verdict' "$1" $((SECONDS - begin))
		tail -n 20 "$log"
		failed=$((failed + 1))
	fi
}

# Patches that MUTANTS selects.
chosen()
{
	local patch pattern patterns

	read -ra patterns <<<"${MUTANTS:-*}"
	for patch in "$dx_top"/test/mutants/*.patch; do
		for pattern in "${patterns[@]}"; do
			# shellcheck disable=SC2254
			case $(basename "$patch" .patch) in
				$pattern) echo "$patch"; break ;;
			esac
		done
	done
}

"$dx_top/scripts/setup.sh"
command -v patch >/dev/null || die "patch is missing."
work_create mutants
postgres_prepare ASSERTS=1
say "What is tried is in test/mutants; the sources without defects are built."
while read -r patch; do
	try "$patch"
done < <(chosen)
say "$passed passed, $failed failed"
if [ "$passed" = 0 ] || [ "$failed" != 0 ]; then exit 1; fi
