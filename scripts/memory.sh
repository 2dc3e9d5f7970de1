#!/bin/bash
# Suites on a server that checks its memory: whatever writes past the end of an
# allocation, or trips over an assertion of the server, fails them.
#
#   scripts/memory.sh [SUITE]...     regress, isolation and pgtap without others
#   TESTS=...                        as for scripts/test.sh
#   MEMORY_SERVER=DIR                where the server is kept (/var/tmp/dealix-exec-memory-server)
#
# The server is PostgreSQL from the source package of Debian, configured with
# --enable-cassert; it is built once, in about four minutes on two idle cores.
# Nothing is installed, and apt's own lists are left alone.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

server=${MEMORY_SERVER:-/var/tmp/dealix-exec-memory-server}
suites=("$@")
if [ $# = 0 ]; then suites=(regress isolation pgtap); fi

# Fetches the newest source package of PostgreSQL $2 that is to be had into $1.
fetch_source()
{
	local dir=$1 package=postgresql-$2 version options

	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	cat >"$dir/sources.list" <<-END
		deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
		deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security bookworm-security main
	END
	options=(-q -o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir/cache"
		-o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o "APT::Sandbox::User=$(id -un)")
	apt-get "${options[@]}" update >"$dir/log" 2>&1 || return 1
	# The archive may know a version that its mirrors do not have any more.
	for version in $(apt-cache "${options[@]}" showsrc "$package" | sed -n 's/^Version: //p' | sort -rV); do
		if (cd "$dir" && apt-get "${options[@]}" --download-only source "$package=$version") >>"$dir/log" 2>&1; then
			return 0
		fi
	done
	return 1
}

# Builds it into $server, by way of a folder beside it.
build_server()
{
	local major=$1 work begun=$SECONDS

	work=$(mktemp -d /var/tmp/dealix-exec-source-XXXXXX)
	say "Building a PostgreSQL $major that checks its memory, once ..."
	fetch_source "$work" "$major" || { tail -n 5 "$work/log" >&2; die "the source package postgresql-$major is not to be had."; }
	tar -C "$work" -xf "$work"/postgresql-*.orig.tar.bz2
	(
		cd "$work"/postgresql-*/
		# PostgreSQL generates headers in the outermost make only, and that is to be this one.
		unset MAKELEVEL MAKEFLAGS MFLAGS
		./configure --prefix="$server" --enable-cassert --enable-debug --enable-tap-tests \
			--without-readline --without-zlib --without-icu CFLAGS='-O1 -g1'
		make -s -j"$(nproc)"
		make -s install
		make -s -C src/test/isolation install
	) >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2; die "the server could not be built; see $work/build.log."; }
	borrow_extensions
	touch "$server/complete"
	rm -rf "$work"
	say "Built in $((SECONDS - begun)) s, kept in $server."
}

# What tests use besides, from the PostgreSQL that is there.
borrow_extensions()
{
	local from=$pg_config to=$server/bin/pg_config

	cp -L "$("$from" --sharedir)"/extension/{pgtap,pg_cron}* "$("$to" --sharedir)/extension/"
	cp -L "$("$from" --pkglibdir)/pg_cron.so" "$("$to" --pkglibdir)/"
}

work_create memory
tools_prepare
find_postgres
if [ ! -e "$server/complete" ]; then
	build_server "$("$pg_config" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')"
fi
unset LD_LIBRARY_PATH
PG_CONFIG=$server/bin/pg_config "$dx_top/scripts/test.sh" "${suites[@]}"
