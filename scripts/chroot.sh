# shellcheck shell=bash
# shellcheck disable=SC2154
# Systems of Debian in a folder, and commands inside of one.  Root only.

# shellcheck source=scripts/fetch.sh
. "$dx_top/scripts/fetch.sh"

mirror=${MIRROR:-http://deb.debian.org/debian}

# debian_create RELEASE FOLDER: a smallest system, by the machine's debootstrap
# or by that of Debian's package.
debian_create()
{
	local program=(debootstrap) tools=$dx_top/.tools

	if ! command -v debootstrap >/dev/null; then
		[ -e "$tools/usr/sbin/debootstrap" ] || package_fetch debootstrap "$tools" || return 1
		program=(env "DEBOOTSTRAP_DIR=$tools/usr/share/debootstrap" sh "$tools/usr/sbin/debootstrap")
	fi
	"${program[@]}" --variant=minbase "$1" "$2" "$mirror" >"$dx_work/debootstrap.log" 2>&1 ||
		{ tail -n 20 "$dx_work/debootstrap.log" >&2; return 1; }
	rm -rf "$2"/var/cache/apt/archives/*.deb
}

# Namespaces of its own: processes and mounts end with the command.
inside()
{
	local root=$1

	shift
	unshare --mount --pid --ipc --fork --kill-child -- bash -c '
		root=$1; shift
		mount --make-rprivate /
		mount -t proc proc "$root/proc"
		mount --bind /dev "$root/dev"
		mkdir -p "$root/dev/shm"
		mount -t tmpfs tmpfs "$root/dev/shm"
		exec chroot "$root" /usr/bin/env -i HOME=/root TERM=dumb LANG=C.UTF-8 \
			PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"' - "$root" "$@"
}
