#!/bin/bash
# The main job on a private throwaway cluster: deals to be signed and transfers
# between accounts, with a crash of the whole server half-way.  Exits non-zero
# if anything of what is promised does not hold.
#
#   KEEP=1                   leave the cluster running for a look around
#   DEALS=1000 TRANSFERS=5000   how much
#   SIGN_WITHIN=20           seconds that a deal waits for its signature
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

deals=${DEALS:-1000}
transfers=${TRANSFERS:-5000}
total=$((deals + transfers))
limit=${LIMIT:-300}				# seconds in which no run ends: then it gives up
if [ "$transfers" -gt 5000 ]; then die "there are suspense accounts for 5000 transfers."; fi

heading() { printf '\n== %s\n' "$*"; }

shop() { psql_quiet -U shop -d demo "$@"; }

progress_counts()
{
	shop -F ' ' -c "
		SELECT count(*) FILTER (WHERE finished_at IS NOT NULL),
			count(*) FILTER (WHERE workflow = 'sign'),
			count(*) FILTER (WHERE workflow = 'transfer')
		FROM dealix.run_details" 2>/dev/null
}

# show ENDED TEXT: a bar on a terminal; otherwise a line, every two seconds
last_line=-2
show()
{
	local width=40 filled

	if [ -t 1 ]; then
		filled=$((width * $1 / total))
		printf '\r[%-*s] %5d of %d ended  %-34s' "$width" \
			"$(printf '%*s' "$filled" '' | tr ' ' '#')" "$1" "$total" "$2"
	elif [ $((SECONDS - last_line)) -ge 2 ]; then
		last_line=$SECONDS
		printf '%5d of %d ended  %s\n' "$1" "$total" "$2"
	fi
}

# work_until COUNT: shows progress until so many runs have ended
work_until()
{
	local ended=0 signing=0 moving=0 before=-1 give_up=0

	while :; do
		read -r ended signing moving < <(progress_counts) || true
		show "$ended" "(started: $signing deals, $moving transfers)"
		if [ "$ended" -ge "$1" ]; then break; fi
		if [ "$ended" != "$before" ]; then
			before=$ended
			give_up=$((SECONDS + limit))
		fi
		if [ "$SECONDS" -ge "$give_up" ]; then
			printf '\n'
			psql -X -U shop -d demo -c "SELECT workflow, status, count(*) FROM dealix.run_details GROUP BY 1, 2" \
				-c "SELECT * FROM dealix.waiting_details LIMIT 10" -c "SELECT * FROM dealix.stuck() LIMIT 10" || true
			die "for $limit seconds no run has ended; $ended of $total have."
		fi
		sleep 0.2
	done
	if [ -t 1 ]; then printf '\n'; fi
}

check_promises()
{
	local broken=0 last=0 number what count

	while IFS='|' read -r number what count; do
		last=$number
		if [ "$count" = 0 ]; then
			printf '  holds         %s\n' "$what"
		else
			printf '  BROKEN (%s)  %s\n' "$count" "$what"
			broken=$((broken + 1))
		fi
	done < <(shop -v deals="$deals" -v transfers="$transfers" -v balance="$balance" \
		-f "$dx_top/scripts/demo/checks.sql" || true)
	if [ "$last" -lt 9 ]; then
		printf '  BROKEN        the checks did not come to their end\n'
		broken=$((broken + 1))
	fi
	return "$broken"
}

heading "Build, install, a private cluster (a minute or two)"
work_create demo
postgres_prepare ASSERTS=
say "Creating the cluster ..."
cluster_create main "shared_preload_libraries = 'dealix_exec,pg_cron'" \
	"cron.database_name = 'demo'"
cluster_start main

say "Filling its tables ..."
# Everything is done by the ordinary role shop; a superuser only lets it in.
psql_quiet -c "CREATE ROLE shop LOGIN" -c "CREATE DATABASE demo OWNER shop"
psql_quiet -d demo -c "CREATE EXTENSION dealix_exec" \
	-c "SELECT dealix.grant_access('shop', 'author')" \
	-c "SELECT dealix.grant_access('shop', 'application')" >/dev/null
pgbench -q -i -s 1 -U shop demo >/dev/null 2>&1
shop -f "$dx_top/scripts/demo/schema.sql"
shop -c "INSERT INTO demo.deal SELECT i, 'customer ' || i, 100 + i FROM generate_series(1, $deals) i" \
	-c "INSERT INTO demo.closed_account SELECT generate_series(90001, 94999)"
psql_quiet -d demo -c "ANALYZE demo.deal, demo.signature_request, demo.crm_event, demo.closed_account, pgbench_accounts"
balance=$(shop -c "SELECT sum(abalance) FROM pgbench_accounts")
for workflow in sign transfer; do
	version=$(shop -v definition="$(sed "s/\"TimeoutSeconds\": 20/\"TimeoutSeconds\": ${SIGN_WITHIN:-20}/" "$dx_top/scripts/demo/workflows/$workflow.json")" \
		-v name="$workflow" <<<"SELECT dealix.publish(:'name', :'definition')")
	say "Workflow $workflow is published as version $version."
done

heading "$deals deals, $transfers transfers"
began=$SECONDS
export PGUSER=shop PGDATABASE=demo
"$dx_top/scripts/demo/submit.sh" "$deals" "$transfers" 30 &
submitter=$!
"$dx_top/scripts/demo/provider.sh" &
dx_pids+=("$submitter" $!)
work_until $((total / 2))

heading "Half of them have ended: SIGKILL to every process of the server"
cluster_kill main
say "Killed.  Starting it again ..."
cluster_start main
export PGUSER=shop PGDATABASE=demo
say "Recovered; nobody has told the engine anything."
work_until "$total"
wait "$submitter" || die "the client could not start its runs."

heading "What happened ($((SECONDS - began)) s)"
psql -X -v ON_ERROR_STOP=1 -P pager=off -f "$dx_top/scripts/demo/report.sql"
heading "What was promised"
status=0
check_promises || status=1

if [ "${KEEP:-0}" = 1 ]; then
	stop_children
	trap - EXIT
	heading "The cluster is left running"
	libraries=
	if [ -n "${LD_LIBRARY_PATH:-}" ]; then libraries="env LD_LIBRARY_PATH=$LD_LIBRARY_PATH "; fi
	say "Look around:  $libraries$pg_bin/psql -h $PGHOST -p $PGPORT -U shop demo"
	stop="$libraries$pg_bin/pg_ctl -D $dx_work/clusters/main/data -m fast stop"
	if [ "$(id -u)" = 0 ]; then stop="runuser -u $(server_user) -- $stop"; fi
	say "End it:       $stop && rm -rf $dx_work"
fi
exit "$status"
