#!/bin/bash
# What scripts/machines.sh does inside of a machine that was just born.
#
#   machines_inside.sh KIND SECURITY SUITES TESTS
set -uo pipefail

kind=$1 security=$2 suites=$3 tests=$4
export DEBIAN_FRONTEND=noninteractive
project=/work/dealix_exec
number=0

# check WHAT COMMAND...
check()
{
	local what=$1

	shift
	number=$((number + 1))
	if "$@"; then echo "ok $number - $kind: $what"; else echo "not ok $number - $kind: $what"; fi
}

apt() { apt-get -q -y --no-install-recommends "$@"; }

# What this machine is before anybody comes: from the release itself, which has
# an older PostgreSQL than its security updates.
prepare()
{
	apt update || exit 1
	# nothing that the base has is to be upgraded by what it lacks
	case $kind in
		running | down) apt install git make postgresql-15 postgresql-contrib ;;
		libpq) apt install git make libpq5 libpq-dev python3-psycopg ;;
		minimal) ;;
		*) apt install git make ;;
	esac || exit 1
	case $kind in
		running) pg_ctlcluster 15 main start ;;
		down) pg_ctlcluster 15 main stop 2>/dev/null ;;
	esac
	make_older
	echo "deb $security bookworm-security main" >>/etc/apt/sources.list
	useradd -m -s /bin/bash dev
	chown -R dev: "$project"
	case $kind in
		running | down | empty) chown -R root: "$project"; chmod 700 /work ;;
	esac
	# lists as old as the machine: made before the security updates, or none
	if [ "$kind" = user ]; then rm -rf /var/lib/apt/lists/*; fi
	if [ "$kind" = down ]; then apt update || exit 1; fi
}

# Should the release have caught up with the updates, what is installed only
# says that it is older: to apt and to setup that is the same.
make_older()
{
	local version=/var/lib/dpkg/status

	if [ ! -x /usr/lib/postgresql/15/bin/postgres ] && [ "$kind" != libpq ]; then return; fi
	if ! apt-get -o Dir::Etc::SourceList=/dev/null -q -s install >/dev/null 2>&1; then return; fi
	if [ "$(dpkg-query -W -f='${Version}' libpq5)" != "$(newest libpq5)" ]; then return; fi
	sed -i -e '/^Package: \(postgresql-15\|postgresql-client-15\|libpq5\|libpq-dev\)$/,/^$/s/^Version: 15\./Version: 15.0~/' "$version"
}

newest()
{
	apt-get -q -o Dir::State::Lists=/var/tmp/lists -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::SourceList=<(echo "deb $security bookworm-security main") update >/dev/null 2>&1
	apt-cache -o Dir::State::Lists=/var/tmp/lists show "$1" 2>/dev/null | sed -n 's/^Version: //p' | sort -V | tail -n 1
}

# What must not change: packages and their versions, PostgreSQL's binaries,
# clusters and the postmaster.
packages() { dpkg-query -W -f='${Package} ${Version} ${db:Status-Status}\n' | sort; }
binaries() { find /usr/lib/postgresql /usr/lib/*-linux-gnu/libpq* -type f -exec sha256sum {} + 2>/dev/null | sort; }
clusters()
{
	pg_lsclusters -h 2>/dev/null
	if [ "$kind" = down ]; then (cd /var/lib/postgresql && find . -type f -printf '%p %s %T@\n' | sort); fi
	if [ "$kind" = running ]; then
		head -n 3 /var/lib/postgresql/15/main/postmaster.pid
		runuser -u postgres -- psql -XqAtc "SELECT pg_postmaster_start_time(), version()" postgres
	fi
}
remember()
{
	packages >/tmp/packages.before
	binaries >/tmp/binaries.before
	clusters >/tmp/clusters.before
	find /etc/postgresql* /usr/sbin/policy-rc.d 2>/dev/null | sort >/tmp/etc.before
}
nothing_upgraded() { ! comm -23 /tmp/packages.before <(packages) | grep .; }
nothing_installed() { diff /tmp/packages.before <(packages); }
binaries_same() { ! comm -23 /tmp/binaries.before <(binaries) | grep .; }
clusters_same() { diff /tmp/clusters.before <(clusters); }
etc_same() { diff /tmp/etc.before <(find /etc/postgresql* /usr/sbin/policy-rc.d 2>/dev/null | sort | if [ "$kind" = empty ] || [ "$kind" = minimal ]; then grep -vE '^/etc/postgresql'; else cat; fi); }
no_cluster() { ! pg_lsclusters -h 2>/dev/null | grep .; }
privately() { [ -x "$project"/.postgres/root/usr/lib/postgresql/15/bin/postgres ]; }
not_privately() { [ ! -e "$project"/.postgres ]; }

# As whoever it is, in the project.
person()
{
	if [ "$kind" = user ]; then
		(cd "$project" && runuser -u dev -- env HOME=/home/dev "$@")
	else
		(cd "$project" && "$@")
	fi
}
command_works()
{
	echo "--- $*"
	person "$@" >/tmp/out 2>&1
	local status=$?
	tail -n 60 /tmp/out
	return $status
}
says() { grep -qE "$1" /tmp/out; }
says_not() { ! grep -qE "$1" /tmp/out; }

prepare
remember
if [ "$kind" = minimal ]; then
	# as continuous integration finds it: not even make is there
	check 'what CI needs is installed' command_works scripts/setup.sh
	check 'make is there' command -v make
fi
check 'make demo works' command_works make demo
check 'all promises hold' says 'holds .*stuck'
check 'none is broken' says_not BROKEN
# shellcheck disable=SC2086
if [ "$tests" = '*' ]; then
	check 'make test passes' command_works make test
else
	check 'the tests pass' command_works env TESTS="$tests" scripts/test.sh $suites
fi
check 'and some were run' says '^[1-9][0-9]* passed, 0 failed'
grep -E ' passed,| passed ' /tmp/out
check 'make setup has nothing to do' command_works make setup
check 'and says nothing' test ! -s /tmp/out

check 'no package was upgraded or removed' nothing_upgraded
check 'no binary of PostgreSQL changed' binaries_same
check 'clusters are as they were' clusters_same
check 'so is the configuration' etc_same
case $kind in
	running | down | libpq) check 'there is a private copy' privately ;;
	user) check 'there is a private copy' privately; check 'nothing is installed' nothing_installed ;;
	empty | minimal) check 'no private copy is needed' not_privately; check 'no cluster was made' no_cluster ;;
esac
check 'servers of ours have all ended' bash -c '! find /tmp/dealix-* -maxdepth 0 2>/dev/null | grep .'
check end true
