#!/bin/bash
# Every test there is: pg_regress, isolation, pgTAP and Perl TAP, each on
# private throwaway clusters with a build of its own that checks assertions.
# Ends with the line "N passed, N failed, N skipped".
#
#   scripts/test.sh [regress|isolation|pgtap|tap|asl|fuzz|plans|torture|mutants|versions]...
#                                                         only these suites
#   KEEP=1                                                  keep the work folder
#   TESTS='11_crash 14_*'                                   only these files (by stem)
#   TESTS_TAP='1*'                                          the same, for the suite tap alone
#   PLANS=tiny|huge|scan|NUMBER                             the engine's plans as over such tables
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

suites=${*:-regress isolation pgtap tap asl fuzz plans torture mutants}
# the sample of other versions is one of its own files
if [ $# = 0 ] && [ -z "${TESTS:-}" ]; then suites+=' versions'; fi
mutants_sample='01-* 02-* 03-* 04-* 05-*'
passed=0
failed=0
skipped=0
started=$SECONDS

# tally NAME PASSED FAILED SKIPPED SECONDS
tally()
{
	passed=$((passed + $2))
	failed=$((failed + $3))
	skipped=$((skipped + $4))
	printf '%-40s %5d passed %5d failed %5d skipped  %4d s\n' "$1" "$2" "$3" "$4" "$5"
}

# Stops the cluster of a suite, which should still be there.
suite_stop()
{
	if ! cluster_stop "$1"; then
		say "The server of $1 was gone at the end; the last that it said:"
		tail -n 20 "$dx_work/clusters/$1/log" || true
		failed=$((failed + 1))
	fi
}

# Stems of the files DIR/*.EXT that TESTS selects.
stems()
{
	local file stem pattern patterns

	read -ra patterns <<<"${TESTS:-*}"
	for file in "$1"/*."$2"; do
		[ -e "$file" ] || continue
		stem=$(basename "$file" ".$2")
		for pattern in "${patterns[@]}"; do
			# shellcheck disable=SC2254
			case $stem in
				$pattern) echo "$stem"; break ;;
			esac
		done
	done
}

# ---------- other plans ----------

# With PLANS the engine's statements get the plans that they would have over
# tables of a row, of ten million rows, or of some of each (a number); with "scan"
# they scan, hash and merge, and neither look up by index nor loop.
# What a statement means must not depend on it.
plans_set()
{
	PLANS=$1
	plan_settings=()
	if [ -n "$PLANS" ]; then plan_settings=("autovacuum = off" "jit = off"); fi
	if [ "$PLANS" = scan ]; then plan_settings+=("dealix_exec.scan_plans = on"); fi
}

# plans_pretend [DATABASE]: in databases made from now on, or in this one.
plans_pretend()
{
	if [ -z "$PLANS" ]; then return; fi
	psql_quiet -d "${1:-template1}" -v size="${PLANS/scan/huge}" -f "$dx_top/test/plans/pretend.sql"
}

plans_set "${PLANS:-}"

# Counts a pg_regress run: its lines are TAP since version 16, and end in "ok"
# or "FAILED" before.
count_regress()
{
	awk '
		/^(ok|not ok) [0-9]+/ || /^(test |     )[^ ].*\.\.\. / {
			if ($0 ~ /^ok / || $0 ~ /\.\.\. ok( |$)/) good++; else bad++
		}
		END { print good + 0, bad + 0 }' "$1"
}

# run_regress NAME PROGRAM TEST...
run_regress()
{
	local name=$1 program=$2 status=0 good bad begin=$SECONDS out=$dx_work/out/$1 options=()

	shift 2
	if [ $# = 0 ]; then return; fi
	# Isolation specs create the extension anew for each permutation.
	if [ "$name" = regress ]; then options=(--load-extension=dealix_exec); fi
	# These tests run as the superuser, in one session.
	cluster_create "$name" "max_prepared_transactions = 5" "dealix_exec.superuser_runs = on" "${plan_settings[@]}"
	cluster_start "$name"
	if [ -n "$PLANS" ]; then
		options=(--use-existing)
		psql_quiet -c "CREATE DATABASE \"dx_$name\""
		plans_pretend "dx_$name"
		if [ "$name" = regress ]; then psql_quiet -d "dx_$name" -c "CREATE EXTENSION dealix_exec"; fi
	fi
	(cd "$dx_work/source" && as_server "$program" --inputdir=test --outputdir=. \
		--bindir="$pg_bin" --dbname="dx_$name" \
		"${options[@]}" "$@") >"$out.log" 2>&1 || status=$?
	read -r good bad < <(count_regress "$out.log")
	if [ "$status" != 0 ] && [ "$bad" = 0 ]; then
		bad=1
		cat "$out.log"
	fi
	if [ "$bad" != 0 ]; then
		head -n 400 "$dx_work/source/regression.diffs" 2>/dev/null || true
	fi
	tally "$name" "$good" "$bad" 0 $((SECONDS - begin))
	check_regress_complete "$name" $((good + bad)) $#
	suite_stop "$name"
}

check_regress_complete()
{
	if [ "$2" -lt "$3" ]; then
		say "$1: only $2 of $3 tests ran."
		failed=$((failed + $3 - $2))
	fi
}

# tap_one FILE OUT COMMAND...: runs one TAP file and leaves OUT/FILE.tap, .err
# and .sum (passed, failed, skipped, seconds).
tap_one()
{
	local name=$1 out=$2/$1 status=0 begin=$SECONDS

	shift 2
	timeout -k 10 "${DX_FILE_TIMEOUT:-2400}" "$@" >"$out.tap" 2>"$out.err" </dev/null || status=$?
	perl "$dx_top/scripts/tap_count.pl" "$out.tap" "$status" >"$out.sum"
	echo $((SECONDS - begin)) >>"$out.sum"
}

# Reports the results that tap_one left.
tap_report()
{
	local suite=$1 out=$2 name good bad skip took why

	shift 2
	for name in "$@"; do
		{ read -r good bad skip && IFS= read -r why && read -r took; } <"$out/$name.sum"
		tally "$suite/$name" "$good" "$bad" "$skip" "$took"
		if [ "$bad" != 0 ]; then
			say "--- $suite/$name: $why"
			grep -v '^ok' "$out/$name.tap" | tail -n 60 || true
			tail -n 60 "$out/$name.err"
			tail -n 15 "$dx_work/tap/$name/tmp_check/log/regress_log_$name" 2>/dev/null || true
			say "---"
		elif [ "$skip" != 0 ]; then
			grep -E '# (skip|SKIP)' "$out/$name.tap" | sort | uniq -c | head -n 5 || true
		fi
	done
}

# run_pgtap NAME: the name of the cluster, too
run_pgtap()
{
	local name names suite=$1 out=$dx_work/out/$1

	mapfile -t names < <(stems "$dx_top/test/pgtap" sql)
	if [ ${#names[@]} = 0 ]; then return; fi
	mkdir -p "$out"
	cluster_create "$suite" "shared_preload_libraries = '$pg_preload'" \
		"cron.database_name = 'postgres'" "max_prepared_transactions = 5" "${plan_settings[@]}"
	cluster_start "$suite"
	plans_pretend
	for name in "${names[@]}"; do
		cluster_wait
		psql_quiet -c "CREATE DATABASE \"$name\""
		psql_quiet -d "$name" -c "CREATE EXTENSION dealix_exec; CREATE EXTENSION pgtap"
		(cd "$dx_work/source/test/pgtap" && tap_one "$name" "$out" \
			pg_prove --verbose --psql-bin "$pg_bin/psql" -d "$name" "$name.sql")
		cluster_wait
		psql_quiet -c "DROP DATABASE \"$name\" WITH (FORCE)"
	done
	tap_report "$suite" "$out" "${names[@]}"
	suite_stop "$suite"
}

# Two files at a time: they wait more than they work.
run_tap()
{
	local names out=$dx_work/out/tap

	mapfile -t names < <(TESTS=${TESTS_TAP:-${TESTS:-}} stems "$dx_top/test/t" pl)
	if [ ${#names[@]} = 0 ]; then return; fi
	mkdir -p "$out" "$dx_work/tap"
	chown "$(server_user):" "$dx_work/tap"
	for name in "${names[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n || true; done
		(cd "$dx_work/source" && tap_one "$name" "$out" \
			"${dx_server[@]}" "$dx_work/tap_environment" "$name") &
		dx_pids+=($!)
	done
	wait
	tap_report tap "$out" "${names[@]}"
}

# A script, because timeout cannot run a shell function.
write_tap_environment()
{
	cat >"$dx_work/tap_environment" <<END
#!/bin/bash
# \$1: stem of the file in test/t
set -eu
mkdir -p "$dx_work/tap/\$1"
export TESTDIR="$dx_work/tap/\$1" TESTDATADIR="$dx_work/tap/\$1/tmp_check"
export TESTLOGDIR="$dx_work/tap/\$1/tmp_check/log"
export PATH="$pg_bin:\$PATH" PG_CONFIG="$pg_bin/pg_config" DX_INSTALLED=1
# the private copy has no headers
export DX_BUILD_CONFIG="$pg_config"
export PG_REGRESS="$pg_tests/regress/pg_regress" top_builddir="$dx_work/source"
export PGPORT=65432 LC_ALL=C
# what waits for a server or a session gives up late: the machine may be busy
export PG_TEST_TIMEOUT_DEFAULT=${DX_PATIENCE:-900} PGCTLTIMEOUT=900
unset PGHOST PGUSER PGDATABASE PGOPTIONS PGSERVICE
exec perl -I "$pg_tests/perl" -I test/perl "test/t/\$1.pl"
END
	chmod 755 "$dx_work/tap_environment"
}

# The recorded cases of the language.
run_asl()
{
	local out=$dx_work/out/asl.log good=0 bad=1 skip=0 begin=$SECONDS

	cluster_create asl "shared_preload_libraries = 'dealix_exec'" "${asl_settings[@]}"
	cluster_start asl
	psql_quiet -c "CREATE EXTENSION dealix_exec"
	python3 "$dx_top/scripts/conformance.py" "$dx_top/test/asl" >"$out" 2>&1 || true
	if tail -n 1 "$out" | grep -qE '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$'; then
		read -r good bad skip < <(tail -n 1 "$out" | tr -dc '0-9 \n')
	fi
	if [ "$bad" != 0 ]; then head -n 200 "$out"; fi
	tally asl "$good" "$bad" "$skip" $((SECONDS - begin))
	grep '^Skipped:' "$out" || true
	suite_stop asl
}

# A short run; make fuzz goes on for longer.
run_fuzz()
{
	local out=$dx_work/out/fuzz.log good=1 bad=0 begin=$SECONDS

	cluster_create fuzz "shared_preload_libraries = 'dealix_exec'" "${fuzz_settings[@]}"
	cluster_start fuzz
	psql_quiet -c "CREATE EXTENSION dealix_exec"
	if ! python3 "$dx_top/scripts/fuzz.py" 10 "$dx_top/test/asl" >"$out" 2>&1; then
		good=0
		bad=1
		cut -c 1-2000 "$out" | tail -n 60
	fi
	tally fuzz "$good" "$bad" 0 $((SECONDS - begin))
	say "$(tail -n 1 "$out") ($(head -n 1 "$out"))"
	suite_stop fuzz
}

# A few faults; make torture goes on for longer.
run_torture()
{
	local out=$dx_work/out/torture.log good=0 bad=1 begin=$SECONDS

	cluster_create torture "${torture_settings[@]}"
	cluster_start torture
	torture_run torture 12 9 >"$out" 2>&1 || true
	read -r good bad < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$out" | tail -n 1) || true
	if [ "${bad:-1}" != 0 ]; then tail -n 60 "$out"; fi
	tally torture "${good:-0}" "${bad:-1}" 0 $((SECONDS - begin))
	suite_stop torture
}

# Five defects; make mutants tries all.
run_mutants()
{
	local out=$dx_work/out/mutants.log good=0 bad=1 begin=$SECONDS

	DX_TESTED=1 PG_CONFIG=$pg_config DX_OBJECTS=$dx_work/source MUTANTS=${MUTANTS:-$mutants_sample} \
		"$dx_top/scripts/mutants.sh" >"$out" 2>&1 || true
	read -r good bad < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$out" | tail -n 1) || true
	if [ "${bad:-1}" != 0 ]; then tail -n 40 "$out"; fi
	tally mutants "${good:-0}" "${bad:-1}" 0 $((SECONDS - begin))
}

# A sample of "make test-versions": the newest version and another build without
# warnings, and do what the old one does.
run_versions()
{
	local out=$dx_work/out/versions.log good=0 bad=1 left=0 begin=$SECONDS

	PG_CONFIG=$pg_config PLANS='' SUITES='regress pgtap' TESTS='[a-z]* 42_activities 50_signals' \
		"$dx_top/scripts/versions.sh" 16 18 >"$out" 2>&1 || true
	read -r good bad left < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$out" | tail -n 1) || true
	if [ "${bad:-1}" != 0 ]; then tail -n 80 "$out"; fi
	grep ' is skipped: ' "$out" || true
	tally versions "${good:-0}" "${bad:-1}" "${left:-0}" $((SECONDS - begin))
}

# A sample of "make test-plans": a few files under plans that they never meet.
run_plans()
{
	local plans

	if [ -n "$PLANS" ]; then return; fi
	for plans in scan 1; do
		plans_set "$plans"
		run_regress "isolation_$plans" "$pg_tests/isolation/pg_isolation_regress" \
			activity_limit start_key task_race
		TESTS='35_limits 42_activities 54_children' run_pgtap "pgtap_$plans"
	done
	plans_set ''
}

# What no server may have said in all this.
check_logs()
{
	local bad=$dx_work/out/logs.txt logs

	mapfile -t logs < <(find "$dx_work/clusters" "$dx_work/tap" \
		\( -name log -o -name '*.log' \) -type f ! -name 'regress_log_*' 2>/dev/null)
	if [ ${#logs[@]} = 0 ]; then return; fi
	if log_complaints "${logs[@]}" >"$bad"; then
		say "--- server logs:"
		head -n 40 "$bad"
		tally "server logs" 0 1 0 0
	else
		tally "server logs (${#logs[@]})" 1 0 0 0
	fi
}

work_create test
if [ "${KEEP:-0}" = 1 ]; then
	trap 'dx_work= ; work_remove' EXIT
	say "Everything is kept in $dx_work."
fi
postgres_prepare ASSERTS=1
if [ -n "${SANITIZE:-}" ] && ! grep -aq __ubsan_ "$dx_work/source/dealix_exec.so"; then
	die "the library was not built with the sanitizer."
fi
mkdir -p "$dx_work/out"
chown -R "$(server_user):" "$dx_work/source"
say "PostgreSQL $("$pg_bin/pg_config" --version | sed 's/^PostgreSQL //'), built in $((SECONDS - started)) s."
write_tap_environment

for suite in $suites; do
	case $suite in
		regress)
			mapfile -t tests < <(stems "$dx_top/test/sql" sql)
			run_regress regress "$pg_tests/regress/pg_regress" "${tests[@]}" ;;
		isolation)
			mapfile -t tests < <(stems "$dx_top/test/specs" spec)
			run_regress isolation "$pg_tests/isolation/pg_isolation_regress" "${tests[@]}" ;;
		pgtap) run_pgtap pgtap ;;
		plans) run_plans ;;
		tap) run_tap ;;
		asl) run_asl ;;
		fuzz) run_fuzz ;;
		torture) run_torture ;;
		mutants) run_mutants ;;
		versions) run_versions ;;
		*) die "there is no suite $suite; the suites are regress, isolation, pgtap, tap, asl, fuzz, plans, torture, mutants and versions." ;;
	esac
done
check_logs

say "Took $((SECONDS - started)) s."
say "$passed passed, $failed failed, $skipped skipped"
if [ "$passed" = 0 ] || [ "$failed" != 0 ]; then exit 1; fi
