# shellcheck shell=bash
# shellcheck disable=SC2154
# Which compiler, PostgreSQL and test tools the scripts use: those that
# PG_CONFIG names, those of the machine, or the private copy that setup.sh
# makes in the folder .postgres where the machine's cannot be completed.

dx_private=$dx_top/.postgres

# The packages of scripts/packages.txt for this major version of PostgreSQL: of
# the one that PG_CONFIG names or that Debian's packages brought.
wanted_packages()
{
	local major=15 pg=${PG_CONFIG:-/usr/bin/pg_config}

	if command -v "$pg" >/dev/null; then
		major=$("$pg" --version 2>/dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	fi
	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' -e "s/15/${major:-15}/" "$dx_top/scripts/packages.txt"
}

# Names the first thing that is missing of what is used; prints nothing if all
# is there.  By its presence: a PostgreSQL from source is as good as a package.
# With DX_WITHOUT=pg_cron that one may be missing, and what needs it is skipped.
tool_missing()
{
	local pg=${PG_CONFIG:-pg_config} share bin pgxs tests tool extension

	for tool in gcc make patch perl python3 prove pg_prove "$pg"; do
		command -v "$tool" >/dev/null || { echo "$tool"; return; }
	done
	if ! { share=$("$pg" --sharedir) && bin=$("$pg" --bindir) && pgxs=$("$pg" --pgxs); } 2>/dev/null; then
		echo "a $pg that answers"
		return
	fi
	tests=${pgxs%/makefiles/pgxs.mk}/test
	for tool in "$bin/postgres" "$bin/initdb" "$bin/psql" "$bin/pgbench" "$pgxs" \
		"$tests/regress/pg_regress" "$tests/isolation/pg_isolation_regress" \
		"$tests/perl/PostgreSQL/Test/Cluster.pm"; do
		[ -e "$tool" ] || { echo "$tool"; return; }
	done
	for extension in pgtap pg_cron; do
		[ -e "$share/extension/$extension.control" ] || [ "$extension" = "${DX_WITHOUT:-}" ] ||
			{ echo "$share/extension/$extension.control"; return; }
	done
	perl -MIPC::Run -MTest::More -e 1 2>/dev/null || { echo "IPC::Run of Perl"; return; }
	if ! python3 -c 'import psycopg' 2>/dev/null && ! /usr/bin/python3 -c 'import psycopg' 2>/dev/null; then
		echo "psycopg of Python"
		return
	fi
	gcc -E -x c - <<<'#include <stdio.h>' >/dev/null 2>&1 || echo "the C library's headers"
}

# What a private copy is made for; another line makes it stale.
private_stamp()
{
	# shellcheck disable=SC1091
	(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}")
	echo "format 1, $(uname -m)"
	wanted_packages
}

private_valid() { [ -d "$dx_private/root" ] && [ "$(private_stamp)" = "$(cat "$dx_private/wanted" 2>/dev/null)" ]; }

# Has everything that is run from now on use the copy in a folder, before what
# the machine has.
private_use()
{
	local root=$1 dir libraries='' modules=''

	for dir in "$root"/usr/lib/postgresql/*/bin/pg_config; do
		export PG_CONFIG=$dir
	done
	export PATH="$root/usr/bin:$PATH"
	for dir in "$root"/usr/lib/*-linux-gnu* "$root"/lib/*-linux-gnu*; do
		if [ -d "$dir" ]; then libraries+=$dir:; fi
	done
	for dir in "$root"/usr/share/perl5 "$root"/usr/lib/*-linux-gnu*/perl5/* \
		"$root"/usr/lib/*-linux-gnu*/perl/[0-9]*.*[0-9] "$root"/usr/share/perl/[0-9]*.*[0-9]; do
		if [ -d "$dir" ]; then modules+=$dir:; fi
	done
	export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:-}
	export PERL5LIB=$modules${PERL5LIB:-}
	export PYTHONPATH=$root/usr/lib/python3/dist-packages${PYTHONPATH:+:$PYTHONPATH}
	LD_LIBRARY_PATH=${LD_LIBRARY_PATH%:}
	PERL5LIB=${PERL5LIB%:}
	# for a compiler, of the copy or not; as the system's, after -I
	export LIBRARY_PATH=${libraries%:}${LIBRARY_PATH:+:$LIBRARY_PATH}
	if [ -e "$root/usr/include/stdio.h" ]; then
		dir=$(dirname "$(find "$root"/usr/include/*-linux-gnu* -maxdepth 1 -name bits)")
		export C_INCLUDE_PATH=$root/usr/include:$dir${C_INCLUDE_PATH:+:$C_INCLUDE_PATH}
	fi
	hash -r
}

# What the scripts call: sees to it that all is there, and uses it.
tools_prepare()
{
	local root=$dx_private/root

	"$dx_top/scripts/setup.sh"
	server_choose
	if [ -z "$(tool_missing)" ]; then return; fi
	if [ "$(id -u)" = 0 ]; then
		# Servers run as another user, who may not be let into this folder.
		mkdir "$dx_work/tools"
		cp -R "$root/." "$dx_work/tools"
		root=$dx_work/tools
	fi
	private_use "$root"
}
