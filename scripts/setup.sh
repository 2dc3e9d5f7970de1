#!/bin/bash
# Sees to it that what scripts/packages.txt lists is there; does nothing, not
# even a call of apt, when it is.  As root, or with a sudo that asks for no
# password, it installs what is missing, unless that would change a package that
# is installed: then, and without root, it unpacks a private copy into the folder
# .postgres (see private.sh).  Says in one sentence what it lacks if it cannot.
# No cluster is created, started, stopped or upgraded.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/private.sh
. "$dx_top/scripts/private.sh"

policy=/usr/sbin/policy-rc.d
no_cluster=/etc/postgresql-common/createcluster.d/zz-dealix-exec-setup.conf
log=
services=on

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
	else
		sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

may_install() { [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && as_root true 2>/dev/null; }; }

apt() { as_root apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" >>"$log" 2>&1; }

# Package scripts would create and start the cluster "main", and start every
# other one that is down.
services_off()
{
	services=off
	as_root mkdir -p "$(dirname "$no_cluster")"
	echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\n# dealix_exec setup\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
	fi
}

services_on()
{
	rm -f "$log"
	if [ "$services" = on ]; then return; fi
	as_root rm -f "$no_cluster"
	if grep -qs '^# dealix_exec setup$' "$policy"; then
		as_root rm -f "$policy"
	fi
	as_root rmdir --ignore-fail-on-non-empty "$(dirname "$no_cluster")" 2>/dev/null || true
}

# Can these be installed so that what is installed stays as it is?  A package
# that would change is "Inst NAME [OLD VERSION] ..." or "Remv NAME ...".
# 2 if apt does not say, for instance because its lists are missing.
adds_only()
{
	local plan

	plan=$(as_root apt-get -s -y --no-install-recommends install "$@" 2>>"$log") || return 2
	! grep -qE '^(Inst [^ ]+ \[|Remv )' <<<"$plan"
}

# Prints those of the arguments that can be installed with nothing else changed:
# all, only the others than PostgreSQL's, or only PostgreSQL's.  2 as above.
installable()
{
	local package status=0 postgres=() others=()

	for package in "$@"; do
		case $package in
			postgresql*) postgres+=("$package") ;;
			*) others+=("$package") ;;
		esac
	done
	adds_only "$@" || status=$?
	if [ "$status" = 0 ]; then
		printf '%s\n' "$@"
	elif [ ${#postgres[@]} = 0 ] || [ ${#others[@]} = 0 ]; then
		return "$status"
	elif adds_only "${others[@]}"; then
		printf '%s\n' "${others[@]}"
	elif adds_only "${postgres[@]}"; then
		printf '%s\n' "${postgres[@]}"
	else
		return "$status"
	fi
}

# Installs what it can of the arguments.
install_some()
{
	local names status=0 some=()

	names=$(installable "$@") || status=$?
	read -r -d '' -a some <<<"$names" || true
	if [ "$status" = 2 ] || { [ -n "$names" ] && ! apt install --download-only "${some[@]}"; }; then
		# perhaps the machine's lists are missing or old
		say "Fetching new package lists ..."
		apt update || true
		names=$(installable "$@") || true
		read -r -d '' -a some <<<"$names" || true
	fi
	if [ -z "$names" ]; then return; fi
	say "Installing ${some[*]} ..."
	apt install --download-only "${some[@]}" ||
		die "the packages ${some[*]} are missing, and apt cannot get them (no network?): $(grep -m 1 '^[EW]:' "$log" || echo 'no reason given')"
	services_off
	apt install "${some[@]}" ||
		die "apt could not install ${some[*]}: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log")"
	hash -r
}

complete()
{
	[ -z "$(tool_missing)" ] ||
		{ private_valid && [ -z "$(private_use "$dx_private/root"; tool_missing)" ]; }
}

main()
{
	local missing why

	if [ -z "$(tool_missing)" ]; then return; fi
	if [ -z "${PG_CONFIG:-}" ] && complete; then return; fi
	command -v apt-get >/dev/null ||
		die "$(tool_missing) is missing, and so is apt: install what stands for the Debian packages" \
			"$(wanted_packages | tr '\n' ' ')by hand."
	say "Looking for what is missing ($(tool_missing)) ..."
	log=$(mktemp)
	trap services_on EXIT
	mapfile -t missing < <(missing_packages)
	why="you are not root and sudo does not let you install ${missing[*]}"
	if [ ${#missing[@]} != 0 ] && may_install; then
		install_some "${missing[@]}"
		if [ -z "$(tool_missing)" ]; then return; fi
		mapfile -t missing < <(missing_packages)
		why="installing ${missing[*]} would change packages that are installed"
	fi
	if [ ${#missing[@]} = 0 ]; then
		why="all packages of scripts/packages.txt are installed, but $(tool_missing) is missing"
	fi
	if [ -n "${PG_CONFIG:-}" ]; then
		die "PG_CONFIG=$PG_CONFIG names no complete PostgreSQL with server development files, pg_cron and pgTAP ($(tool_missing) is missing), and $why. Without PG_CONFIG a private copy is used."
	fi
	private_make "$why"
	complete ||
		die "$why, and in the private copy $(private_use "$dx_private/root"; tool_missing) is missing."
}

main
