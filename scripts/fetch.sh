# shellcheck shell=bash
# Fetches single Debian packages for the scripts.  Nothing is installed, and no
# root is needed.

# fetch_apt FOLDER WORD...: apt-get with folders of its own, and with the
# machine's package lists unless there are any in FOLDER/lists.
fetch_apt()
{
	local folder=$1 options

	shift
	options=(-q -y -o "Dir::Cache=$folder/cache" -o "APT::Sandbox::User=$(id -un)" -o Acquire::Retries=2
		-o Acquire::Languages=none)
	if [ -d "$folder/lists" ]; then options+=(-o "Dir::State::Lists=$folder/lists"); fi
	apt-get "${options[@]}" "$@" >>"$folder/log" 2>&1
}

# package_fetch PACKAGE INTO: downloads a package, without what it depends on,
# and unpacks it.  With the machine's lists or, where they are missing or old,
# with new ones.  Fails if it is not to be had.
package_fetch()
{
	local folder status=1

	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
	folder=$(mktemp -d)
	mkdir -p "$folder/cache/archives/partial"
	if (cd "$folder" && fetch_apt "$folder" download "$1") ||
		{ mkdir -p "$folder/lists/partial" && fetch_apt "$folder" update &&
			(cd "$folder" && fetch_apt "$folder" download "$1"); }; then
		mkdir -p "$2" && dpkg-deb -x "$folder"/*.deb "$2" && status=0
	fi
	rm -rf "$folder"
	return $status
}
