#!/bin/bash
# Small defects, each of which a named test has to catch: for each patch in
# test/mutants the sources are built with it, and its test is run.
#
#   scripts/mutants.sh                  all of them
#   MUTANTS='10-* 23-*' scripts/mutants.sh      only these
#
# A patch begins with the lines "Defect: what is wrong" and "Test: SUITE FILE".
# First the tests run without defects, because one that fails anyway catches
# nothing; DX_TESTED=1 says that they have.  Prints a line as soon as a defect is
# tried, and ends with a table and the line "N passed, N failed".
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

passed=0
failed=0
table=

header() { sed -n "s/^$1: //p" "$2" | head -n 1; }

# tell RESULT PATCH SECONDS
tell()
{
	local name test

	name=$(basename "$2" .patch)
	test=$(header Test "$2")
	say "$1: $name by $test ($3 s)"
	table+=$(printf '%-12s %-26s %-24s %5d s  %s' "$1" "$name" "$test" "$3" "$(header Defect "$2")")$'\n'
}

# Do the tests of the patches succeed without defects?
check_tests()
{
	local patch suite file log=$dx_work/tests.log
	local -A files=()

	for patch in "$@"; do
		read -r suite file < <(header Test "$patch")
		case " ${files[$suite]:-} " in
			*" $file "*) ;;
			*) files[$suite]+="$file " ;;
		esac
	done
	for suite in "${!files[@]}"; do
		say "Without defects: $suite ${files[$suite]}"
		DX_OBJECTS=$dx_work/source TESTS=${files[$suite]} "$dx_top/scripts/test.sh" "$suite" >"$log" 2>&1 && continue
		tail -n 40 "$log"
		die "the tests have to succeed before they can catch anything."
	done
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
	# a defect often is that something never comes, or never ends
	if DX_PATIENCE=${DX_PATIENCE:-120} DX_FILE_TIMEOUT=${DX_FILE_TIMEOUT:-900} DX_OBJECTS=$dx_work/source \
		TESTS=$file "$tree/scripts/test.sh" "$suite" >"$log" 2>&1; then
		tell SURVIVED "$1" $((SECONDS - begin))
		failed=$((failed + 1))
	elif grep -qE "^${suite}[ /].* [1-9][0-9]* failed " "$log"; then
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
# For the tests: what comes first in PATH now is the copy, which has no headers.
export PG_CONFIG=$pg_config
mapfile -t patches < <(chosen)
if [ "${DX_TESTED:-0}" != 1 ]; then check_tests "${patches[@]}"; fi
for patch in "${patches[@]}"; do
	try "$patch"
done
say ""
printf '%-12s %-26s %-24s %7s  %s\n' 'Verdict' 'Patch' 'Test' 'Took' 'Defect'
printf '%s' "$table"
say "$passed passed, $failed failed"
if [ "$passed" = 0 ] || [ "$failed" != 0 ]; then exit 1; fi
