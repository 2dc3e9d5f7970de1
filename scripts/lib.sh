# shellcheck shell=bash
# Shell functions that the scripts share: messages, the role that servers run
# under, a private copy of the PostgreSQL installation, and throwaway clusters.
#
# Everything lives in one folder made by work_create; work_remove stops what
# runs there and removes it.  No cluster outside of that folder is looked at.

# The folder of the project.
dx_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dx_script=$(basename "${BASH_SOURCE[1]:-$0}" .sh)
dx_work=
dx_pids=()

umask 022

# Nothing is left in the folder of the project.
export PYTHONDONTWRITEBYTECODE=1

say() { printf '%s\n' "$*"; }

die()
{
	printf '%s: %s\n' "$dx_script" "$*" >&2
	exit 1
}

# ---------- the role that servers run under ----------

# Servers never run as root: root hands them to the user postgres, who may be
# missing where no server is installed.
server_user()
{
	if [ "$(id -u)" != 0 ]; then
		id -un
	elif getent passwd postgres >/dev/null; then
		echo postgres
	else
		echo nobody
	fi
}

# What to put before a command to run it as that role.  Installing a server may
# make the role: then this is called again.
server_choose()
{
	dx_server=()
	if [ "$(id -u)" = 0 ]; then
		dx_server=(runuser -u "$(server_user)" --)
	fi
}
server_choose

as_server() { "${dx_server[@]}" "$@"; }

# shellcheck source=scripts/tools.sh
. "$dx_top/scripts/tools.sh"

# ---------- the folder for everything that is made ----------

# Its path is short because a socket's path has to fit into 107 bytes.
work_create()
{
	dx_work=$(mktemp -d "/tmp/dealix-$1-XXXXXX")
	chmod 711 "$dx_work"
	trap work_remove EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

work_remove()
{
	local status=$? conf

	trap - EXIT
	stop_children
	if [ -n "$dx_work" ]; then
		for conf in "$dx_work"/clusters/*/data/postmaster.pid; do
			[ -e "$conf" ] || continue
			cluster_stop "$(basename "$(dirname "$(dirname "$conf")")")" immediate || true
		done
		rm -rf "$dx_work"
	fi
	exit "$status"
}

# ---------- PostgreSQL ----------

# Sets pg_config, pg_original_bin, pg_tests (the folder of the test programs),
# pg_preload (the libraries to preload: pg_cron where it is there).
# shellcheck disable=SC2034
find_postgres()
{
	local major

	pg_config=${PG_CONFIG:-pg_config}
	command -v "$pg_config" >/dev/null ||
		die "$pg_config is missing: install PostgreSQL's server development files or give PG_CONFIG."
	pg_config=$(command -v "$pg_config")
	major=$("$pg_config" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	if [ "$major" -lt 15 ]; then
		die "PostgreSQL 15 or later is needed, and $pg_config belongs to $major."
	fi
	pg_original_bin=$("$pg_config" --bindir)
	pg_tests=$(cd "$(dirname "$("$pg_config" --pgxs)")/../test" && pwd)
	pg_preload=dealix_exec
	if [ -e "$("$pg_config" --sharedir)/extension/pg_cron.control" ]; then pg_preload+=,pg_cron; fi
}

# A copy of the PostgreSQL installation, so that neither root's rights nor the
# installed extension (which a running server may use) are touched.  Programs
# find their files relative to themselves, so they are copied; the rest is
# linked.  Sets pg_bin.
prefix_create()
{
	local root=$dx_work/pg dir

	for dir in bindir sharedir pkglibdir; do
		dir=$("$pg_config" "--$dir")
		[ -d "$dir" ] || continue
		mkdir -p "$root$dir"
		if [ "$dir" = "$pg_original_bin" ]; then
			cp -RL "$dir/." "$root$dir"
		else
			cp -Rs "$dir/." "$root$dir"
		fi
	done
	# what is installed of us; not by the whole path, where a checkout has our name
	find "$root$("$pg_config" --sharedir)" "$root$("$pg_config" --pkglibdir)" \
		-mindepth 1 -name 'dealix_exec*' -prune -exec rm -rf {} +
	pg_root=$root
	pg_bin=$root$pg_original_bin
}

# A copy of the sources that the servers' role may read and write.
source_copy()
{
	local file generated=()

	mkdir -p "$dx_work/source"
	# an upgrade script is a source, an install script was made
	for file in "$dx_top"/sql/dealix_exec--*.sql; do
		case ${file##*/} in dealix_exec--*--*.sql) ;; *) generated+=("--exclude=./sql/${file##*/}") ;; esac
	done
	tar -C "$dx_top" --exclude=./.git --exclude='*.o' --exclude='*.so' \
		--exclude='*.d' --exclude=./.postgres --exclude=./.postgres.new --exclude=./.versions "${generated[@]}" --exclude=./results \
		--exclude=./tmp_check --exclude=./log -cf - . | tar -C "$dx_work/source" -xf -
	# for the test of the upgrade
	"$dx_top/scripts/release.sh" "$dx_work/source/release"
	if [ -n "${DX_OBJECTS:-}" ]; then
		# Built from the same sources but for a few: make sees which.
		(cd "$DX_OBJECTS" && find . \( -name '*.o' -o -name '*.d' \) -print0 |
			tar --null -T - -cf -) | tar -C "$dx_work/source" -xf -
	fi
}

# Shows how far a build is while a process lives: on a terminal a line that
# changes, otherwise a line now and then.
build_progress()
{
	local source=$dx_work/source all=0 done=0 shown=-1 every=5 i=0

	all=$(find "$source/src" -name '*.c' | wc -l)
	while kill -0 "$1" 2>/dev/null; do
		done=$(find "$source/src" -name '*.o' | wc -l)
		if [ -t 1 ]; then
			printf '\rCompiling: %d of %d files' "$done" "$all"
		elif [ "$done" != "$shown" ] && [ $((i % every)) = 0 ]; then
			shown=$done
			say "Compiling: $done of $all files"
		fi
		i=$((i + 1))
		sleep 1
	done
	if [ -t 1 ]; then printf '\n'; fi
}

# Builds that copy and installs it into the private prefix.  Arguments go to
# make.
build_install()
{
	local source=$dx_work/source builder

	make -C "$source" -s -j2 PG_CONFIG="$pg_config" "$@" >"$dx_work/build.log" 2>&1 &
	builder=$!
	dx_pids+=("$builder")
	build_progress "$builder"
	if ! wait "$builder" ||
		! make -C "$source" -s PG_CONFIG="$pg_config" DESTDIR="$pg_root" "$@" \
			install >>"$dx_work/build.log" 2>&1; then
		tail -n 60 "$dx_work/build.log" >&2
		die "the build failed."
	fi
}

# What runs afterwards: a private copy with a fresh build, or with
# DX_INSTALLED=1 what is installed where PG_CONFIG points.
postgres_prepare()
{
	tools_prepare
	find_postgres
	source_copy
	if [ "${DX_INSTALLED:-0}" = 1 ]; then
		pg_root=
		pg_bin=$pg_original_bin
	else
		prefix_create
		build_install "$@"
	fi
	export PATH="$pg_bin:$PATH"
}

# ---------- clusters ----------

# A port that nobody listens on.  The server uses its own socket folder only,
# so the number matters just to people who would mix clusters up.
free_port()
{
	local port hex

	while :; do
		port=$((50000 + RANDOM % 10000))
		hex=$(printf ':%04X ' "$port")
		if ! cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q "$hex" &&
			[ ! -e "/tmp/.s.PGSQL.$port" ]; then
			echo "$port"
			return
		fi
	done
}

# cluster_create NAME [SETTING...]: a new cluster, not started.
cluster_create()
{
	local dir=$dx_work/clusters/$1 port

	shift
	mkdir -p "$dir/socket"
	chmod 711 "$dx_work/clusters"
	if [ "$(id -u)" = 0 ]; then
		chown -R "$(server_user):" "$dir"
	fi
	chmod 700 "$dir/socket"
	port=$(free_port)
	(cd "$dir" && as_server "$pg_bin/initdb" -D "$dir/data" -U postgres --auth=trust \
		--encoding=UTF8 --no-locale --no-sync) >"$dx_work/initdb.log" 2>&1 ||
		{ cat "$dx_work/initdb.log" >&2; die "initdb failed."; }
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$dir/socket'"
		echo "port = $port"
		echo "fsync = on"
		echo "cron.host = '$dir/socket'"
		echo "log_line_prefix = '%m [%p] %q%u@%d '"
		printf '%s\n' "$@"
	} | as_server tee -a "$dir/data/postgresql.conf" >/dev/null
	echo "$port" >"$dir/port"
}

# For the cases of the language, which are started by a superuser: payloads are limited as on AWS, and workers
# mostly sleep in cases about timeouts.
# shellcheck disable=SC2034
asl_settings=("dealix_exec.max_payload = '256kB'" "dealix_exec.workers = 12"
	"max_worker_processes = 32" "dealix_exec.superuser_runs = on")

# Fuzzing drives its runs by itself, in sessions that roll back.
# shellcheck disable=SC2034
fuzz_settings=("dealix_exec.max_payload = '256kB'" "dealix_exec.workers = 0" "dealix_exec.superuser_runs = on")

# What no server may say: prints such lines of the log files, and succeeds if
# there are any.
log_complaints()
{
	grep -nE 'WARNING: .*(leak|still referenced|still active|not closed|problem in alloc set|bogus aset)|PANIC: |TRAP: |terminated by signal (4|6|7|8|11)|invalid memory alloc|stack smashing|runtime error: ' "$@"
}

cluster_use()
{
	export PGHOST=$dx_work/clusters/$1/socket
	PGPORT=$(cat "$dx_work/clusters/$1/port")
	export PGPORT PGUSER=postgres PGDATABASE=postgres
	unset PGSERVICE PGSERVICEFILE PGPASSFILE PGOPTIONS PGHOSTADDR PGSSLMODE PGAPPNAME
}

# Also waits until crash recovery is over.
cluster_start()
{
	local dir=$dx_work/clusters/$1

	(cd "$dir" && as_server "$pg_bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 900 start) \
		>/dev/null 2>&1 || { tail -n 20 "$dir/log" >&2; die "the server did not start."; }
	cluster_use "$1"
}

# A server that has crashed comes back by itself: waits until it answers.
cluster_wait()
{
	local i

	for ((i = 0; i < 2000; i++)); do
		if "$pg_bin/psql" -XqAt -c 'SELECT 1' >/dev/null 2>&1; then return; fi
		sleep 0.3
	done
	die "the server does not answer."
}

cluster_stop()
{
	local dir=$dx_work/clusters/$1

	(cd "$dir" && as_server "$pg_bin/pg_ctl" -D "$dir/data" -w -t 600 -m "${2:-fast}" stop) \
		>/dev/null 2>&1
}

# The parent of a process; nothing if there is no such process.
parent_of()
{
	local rest

	# pid (name) state ppid ...: the name may have blanks and brackets
	rest=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	rest=${rest##*) ? }
	echo "${rest%% *}"
}

children_of()
{
	local dir

	for dir in /proc/[0-9]*; do
		if [ "$(parent_of "${dir#/proc/}")" = "$1" ]; then
			echo "${dir#/proc/}"
		fi
	done
}

kill_tree()
{
	local child

	for child in $(children_of "$1"); do
		kill_tree "$child"
	done
	kill "$1" 2>/dev/null || true
}

# Ends what this script has started in the background.  The number of a process
# that is over may be another's by now.
stop_children()
{
	local pid

	for pid in "${dx_pids[@]}"; do
		if [ "$(parent_of "$pid")" = "$$" ]; then
			kill_tree "$pid"
		fi
	done
}

# Has this process nothing left but its entry in the process table?
is_dead() { [ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# SIGKILL to the postmaster and to all of its processes at once.
cluster_kill()
{
	local dir=$dx_work/clusters/$1 postmaster victims pid i

	postmaster=$(as_server head -n 1 "$dir/data/postmaster.pid")
	# Stopped, it cannot bear a child that we would overlook.
	kill -STOP "$postmaster"
	mapfile -t victims < <(children_of "$postmaster")
	kill -9 "$postmaster" "${victims[@]}" 2>/dev/null || true
	for pid in "$postmaster" "${victims[@]}"; do
		while ! is_dead "$pid"; do sleep 0.05; done
	done
	# In some containers nobody reaps orphans, and the server takes a dead
	# postmaster for a running one.
	for ((i = 0; i < 60; i++)); do
		[ -d "/proc/$postmaster" ] || return 0
		sleep 0.05
	done
	as_server rm -f "$dir/data/postmaster.pid"
}

psql_quiet() { "$pg_bin/psql" -XqAt -v ON_ERROR_STOP=1 "$@"; }

# ---------- torture ----------

# shellcheck disable=SC2034
torture_settings=("shared_preload_libraries = 'dealix_exec'" "restart_after_crash = on"
	"dealix_exec.sweep_interval = 2" "dealix_exec.workers = 3" "max_worker_processes = 24")

# A Python with psycopg: Debian's, or one that comes first.
python_with_psycopg()
{
	local python

	for python in python3 /usr/bin/python3; do
		if "$python" -c 'import psycopg' 2>/dev/null; then
			command -v "$python"
			return
		fi
	done
	die "python3-psycopg is missing."
}

# torture_run CLUSTER ROUNDS SEED: see scripts/torture/main.py.
torture_run()
{
	local prefix='[]'

	if [ "$(id -u)" = 0 ]; then prefix='["runuser", "-u", "postgres", "--"]'; fi
	{
		psql_quiet -c "CREATE DATABASE torture" &&
			psql_quiet -d torture -c "CREATE EXTENSION dealix_exec" -f "$dx_top/scripts/torture/schema.sql" &&
			psql_quiet -d torture -U app -c "SELECT count(*) FROM dealix.read_outbox('torture')"
	} >/dev/null || die "the load of the torture could not be made."
	TORTURE_FOLDER=$dx_work/clusters/$1 TORTURE_BINDIR=$pg_bin TORTURE_PREFIX=$prefix \
		TORTURE_RECORD=$dx_work/torture.record PYTHONDONTWRITEBYTECODE=1 \
		"$(python_with_psycopg)" "$dx_top/scripts/torture/main.py" "$2" "$3"
}
