#!/bin/bash
# Debian 12 machines from nothing, and the first commands of README on each: a
# server that is one minor version behind, with a running cluster and with one
# that is down; without root; with nothing installed.  Needs root, debootstrap
# and Debian's packages.  Each machine is a folder with namespaces of its own, so
# that nothing of it outlives this script.
#
#   scripts/machines.sh [running|down|libpq|empty|user|minimal]...
#   TESTS='...'   the sample of tests (default: a few of each kind; * is all)
#   SUITES='...'  and of suites (default: regress isolation pgtap tap)
#   CACHE=DIR     where the base system is kept (default /var/tmp/dealix-machines)
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/chroot.sh
. "$dx_top/scripts/chroot.sh"

machines=("$@")
if [ $# = 0 ]; then machines=(running down libpq empty user minimal); fi
tests=${TESTS:-choice drain signal_tick 10_calls 50_signals 13_pg_cron 10_crash 24_signature}
suites=${SUITES:-regress isolation pgtap tap}
cache=${CACHE:-/var/tmp/dealix-machines}
security=${SECURITY:-http://deb.debian.org/debian-security}
failed=0
passed=0

# ---------- a machine ----------

base_create()
{
	if [ -e "$cache/base.tar" ]; then return; fi
	say "A base system of Debian 12 ..."
	mkdir -p "$cache"
	debian_create bookworm "$dx_work/base" || die "debootstrap failed."
	tar -C "$dx_work/base" -cf "$cache/base.tar.new" .
	mv "$cache/base.tar.new" "$cache/base.tar"
	rm -rf "$dx_work/base"
}

machine_create()
{
	root=$dx_work/$1
	mkdir -p "$root"
	tar -C "$root" -xf "$cache/base.tar"
	cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
	# packages are fetched once
	mkdir -p "$cache/archives"
	echo "deb $mirror bookworm main" >"$root/etc/apt/sources.list"
	mkdir -p "$root/work/dealix_exec"
	git -c safe.directory='*' -C "$dx_top" ls-files -z --cached --others --exclude-standard |
		(cd "$dx_top" && xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' -) |
		tar -C "$dx_top" --null -T - -cf - | tar -C "$root/work/dealix_exec" --no-same-owner -xf -
	cat "$dx_top/scripts/machines_inside.sh" >"$root/work/inside.sh"
}

# A kind of machine: prepared, used and judged by machines_inside.sh.
machine_run()
{
	local name=$1 status=0 begin=$SECONDS

	say "== $name"
	machine_create "$name"
	inside "$root" /bin/bash /work/inside.sh "$name" "$security" "$suites" "$tests" \
		>"$dx_work/$name.log" 2>&1 || status=$?
	grep -E '^(ok|not ok) ' "$dx_work/$name.log" || true
	passed=$((passed + $(grep -c '^ok ' "$dx_work/$name.log" || true)))
	failed=$((failed + $(grep -c '^not ok ' "$dx_work/$name.log" || true)))
	if [ "$status" != 0 ] || grep -q '^not ok ' "$dx_work/$name.log" || ! grep -q '^ok .* end$' "$dx_work/$name.log"; then
		if ! grep -q '^not ok ' "$dx_work/$name.log"; then failed=$((failed + 1)); fi
		say "--- $name, what it said last ($status):"
		tail -n "${LINES_SHOWN:-80}" "$dx_work/$name.log"
		say "---"
	fi
	say "$name took $((SECONDS - begin)) s."
	rm -rf "$root"
}

[ "$(id -u)" = 0 ] || die "machines are made by root only."
for tool in unshare git; do
	command -v "$tool" >/dev/null || die "$tool is missing."
done
work_create machines
base_create
for machine in "${machines[@]}"; do
	machine_run "$machine"
done
say "Took $SECONDS s."
say "$passed passed, $failed failed"
[ "$failed" = 0 ]
