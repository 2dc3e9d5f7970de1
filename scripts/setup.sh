#!/bin/bash
# Installs what is missing of scripts/packages.txt; does nothing, not even a
# call of apt, when all is there.  Says in one sentence what it lacks if it
# cannot.  No cluster is created, started, stopped or upgraded.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

policy=/usr/sbin/policy-rc.d
no_cluster=/etc/postgresql-common/createcluster.d/zz-dealix-exec-setup.conf

# What is used, by its presence: a PostgreSQL from source is as good as a
# package.
tools_present()
{
	local pg=${PG_CONFIG:-pg_config} share bin pgxs tests tool

	for tool in gcc make perl python3 prove pg_prove "$pg"; do
		command -v "$tool" >/dev/null || return 1
	done
	share=$("$pg" --sharedir) && bin=$("$pg" --bindir) && pgxs=$("$pg" --pgxs) || return 1
	tests=${pgxs%/makefiles/pgxs.mk}/test
	for tool in "$bin/initdb" "$bin/psql" "$bin/pgbench" "$pgxs" \
		"$share/extension/pg_cron.control" "$share/extension/pgtap.control" \
		"$tests/regress/pg_regress" "$tests/isolation/pg_isolation_regress" \
		"$tests/perl/PostgreSQL/Test/Cluster.pm"; do
		[ -e "$tool" ] || return 1
	done
	perl -MIPC::Run -MTest::More -e 1 2>/dev/null || return 1
	echo '#include <stdio.h>' | gcc -E -x c - >/dev/null 2>&1
}

wanted_packages()
{
	local major=15

	if command -v "${PG_CONFIG:-pg_config}" >/dev/null; then
		major=$("${PG_CONFIG:-pg_config}" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	fi
	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' -e "s/15/$major/" "$dx_top/scripts/packages.txt"
}

missing_packages()
{
	local package

	while read -r package; do
		case $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) in
			installed) ;;
			*) echo "$package" ;;
		esac
	done < <(wanted_packages)
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@"
	elif [ -t 0 ]; then
		sudo env DEBIAN_FRONTEND=noninteractive "$@"
	else
		sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

apt() { as_root apt-get -q -y --no-install-recommends "$@" >>"$log" 2>&1; }

# Package scripts would create and start the cluster "main", and start every
# other one that is down.
services_off()
{
	as_root mkdir -p "$(dirname "$no_cluster")"
	echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\n# dealix_exec setup\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
	fi
}

services_on()
{
	as_root rm -f "$no_cluster"
	if grep -qs '^# dealix_exec setup$' "$policy"; then
		as_root rm -f "$policy"
	fi
	as_root rmdir --ignore-fail-on-non-empty "$(dirname "$no_cluster")" 2>/dev/null || true
	rm -f "$log"
}

refuse_server_upgrade()
{
	local server

	server=$(as_root apt-get -s -y --no-install-recommends install "$@" 2>/dev/null |
		sed -n 's/^Inst \(postgresql-[0-9]*\) \[.*/\1/p' | head -n 1)
	if [ -n "$server" ] && [ -n "$(ls "/etc/postgresql/${server#postgresql-}" 2>/dev/null)" ]; then
		die "the packages $* cannot be installed without upgrading $server, which has a cluster here: upgrade it yourself first."
	fi
}

main()
{
	local missing

	if tools_present; then
		return
	fi
	command -v apt-get >/dev/null ||
		die "apt is missing, so install what stands for the Debian packages" \
			"$(wanted_packages | tr '\n' ' ')by hand."
	mapfile -t missing < <(missing_packages)
	if [ ${#missing[@]} = 0 ]; then
		die "all packages of scripts/packages.txt are installed, but ${PG_CONFIG:-pg_config} does not name a complete PostgreSQL with server development files, pg_cron and pgTAP."
	fi
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null ||
			die "the packages ${missing[*]} are missing, and to install them you have to be root or to have sudo."
		as_root true 2>/dev/null ||
			die "the packages ${missing[*]} are missing, and sudo does not let you install them."
	fi

	log=$(mktemp)
	trap services_on EXIT
	say "Installing ${missing[*]} ..."
	if ! apt install --download-only "${missing[@]}"; then
		apt update || true
		apt install --download-only "${missing[@]}" ||
			die "the packages ${missing[*]} are missing, and apt cannot get them (no network?): $(grep -m 1 '^[EW]:' "$log" || echo 'no reason given')"
	fi
	refuse_server_upgrade "${missing[@]}"
	services_off
	apt install "${missing[@]}" ||
		die "apt could not install ${missing[*]}: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log")"
	hash -r
	tools_present ||
		die "all packages of scripts/packages.txt are installed, but ${PG_CONFIG:-pg_config} does not name a complete PostgreSQL with server development files, pg_cron and pgTAP."
}

main
