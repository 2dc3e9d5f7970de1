# shellcheck shell=bash
# shellcheck disable=SC2154
# The private copy: Debian packages, downloaded and unpacked into the folder
# .postgres of the project.  Nothing is installed, so no root is needed, and no
# server, library or program of the machine changes.  PostgreSQL finds its
# files relative to its programs.

# What is of no use there: LLVM (PostgreSQL's JIT, 150 MB), what an installed
# system consists of, and Debian's management of clusters.
private_unwanted='^(libllvm.*|libz3-4|libc6|libc-bin|libgcc-s1|gcc-[0-9]*-base|.*-base|locales|libc-l10n|tzdata|tar|dpkg|debconf|usrmerge|init-system-helpers|sysvinit-utils|adduser|passwd|libpam-modules.*|ucf|sensible-utils|openssl|ssl-cert|netbase|lsb-base|media-types|postgresql-common|postgresql-client-common)$'

# apt-get with folders of its own; DX_LISTS names the folder of package lists,
# none are the machine's.  "Nothing is installed" is what it is told.
private_apt()
{
	local options=(-q -y -c "$build/apt.conf")

	if [ -n "$lists" ]; then options+=(-o "Dir::State::Lists=$lists"); fi
	apt-get "${options[@]}" "$@"
}

private_configure()
{
	mkdir -p "$build/cache/archives/partial" "$build/debs" "$build/root"
	: >"$build/status"
	cat >"$build/apt.conf" <<-END
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear DPkg::Pre-Invoke;
		#clear DPkg::Post-Invoke;
		Dir::Cache "$build/cache";
		Dir::State::status "$build/status";
		Dir::State::extended_states "$build/extended_states";
		APT::Install-Recommends "false";
		APT::Sandbox::User "root";
		APT::Architectures { "$(dpkg --print-architecture)"; };
		Acquire::Languages "none";
		Acquire::Retries "2";
	END
}

# Prints "package version" of all that has to be unpacked: PostgreSQL in any
# case, because its packages have to be of one version, and of the rest what
# the machine lacks.
private_packages()
{
	local package version installed others=() server=() missing

	missing=$(missing_packages)
	while read -r package; do
		case $package in
			postgresql-server-dev-*) server+=("$package" libpq-dev) ;;
			postgresql-*) others+=("$package") ;;
			*) if grep -qx "$package" <<<"$missing"; then others+=("$package"); fi ;;
		esac
	done < <(wanted_packages)
	private_apt -s --no-install-recommends install "${others[@]}" >"$build/solved" 2>>"$log" || return 1
	printf '%s\n' "${server[@]}"
	sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p' "$build/solved" | while read -r package version; do
		if [[ $package =~ $private_unwanted ]]; then continue; fi
		installed=$(dpkg-query -W -f='${db:Status-Status} ${Version}' "$package" 2>/dev/null || true)
		case $package in
			postgresql-* | libpq5) echo "$package" ;;
			lib*)				# also if the machine's is too old for it
				if [[ $installed != installed\ * ]] ||
					dpkg --compare-versions "${installed#installed }" lt "$version"; then
					echo "$package"
				fi ;;
			*) if [[ $installed != installed\ * ]]; then echo "$package"; fi ;;
		esac
	done
}

# Downloads with the machine's package lists or, if that fails because they are
# missing or old, with new ones of its own.
private_download()
{
	local lists packages

	for lists in '' "$build/lists"; do
		if [ -n "$lists" ]; then
			mkdir -p "$lists/partial"
			private_apt update >>"$log" 2>&1 || true
		fi
		if packages=$(private_packages) && [ -n "$packages" ]; then
			say "Downloading $(wc -l <<<"$packages") packages ..."
			# shellcheck disable=SC2086
			if (cd "$build/debs" && private_apt download $packages >>"$log" 2>&1); then return; fi
		fi
	done
	die "the packages $(missing_packages | tr '\n' ' ')are missing, and apt cannot get them (no network?): $(grep '^E:' "$log" | tail -n 1 || echo 'no reason given')"
}

# What package scripts would have done, and what assumes to lie in /usr.
private_relocate()
{
	local link target

	rm -rf "$build"/root/usr/lib/postgresql/*/lib/{llvmjit*,bitcode} "$build"/root/usr/share/{doc,man,locale,lintian}
	# the script of the linker that stands for libc.so
	find "$build/root" -name libc.so -type f -exec sed -i 's|/[^ ]*/\(libc_nonshared\.a\)|\1|' {} +
	find "$build/root" -type l -lname '/*' | while read -r link; do
		target=$(readlink "$link")
		if [ -e "$build/root$target" ]; then
			ln -sfn "$(realpath -s --relative-to="$(dirname "$link")" "$build/root$target")" "$link"
		fi
	done
	chmod -R u+rwX,go+rX "$build/root"
}

# Makes the copy anew.  The argument says why.
private_make()
{
	local build=$dx_private.new package

	command -v dpkg-deb >/dev/null || die "dpkg-deb is missing, which unpacks Debian's packages."
	# one at a time
	exec 8<"$dx_top"
	flock 8
	if private_valid && [ -z "$(private_use "$dx_private/root"; tool_missing)" ]; then return; fi
	if ! rm -rf "$build" || ! mkdir "$build"; then
		die "$1, and $dx_top cannot be written to, so there is no private copy of them either."
	fi
	say "$1: unpacking a private copy into .postgres (once; nothing is installed)."
	private_configure
	private_download
	say "Unpacking ..."
	for package in "$build"/debs/*.deb; do
		dpkg-deb -x "$package" "$build/root" || die "$package cannot be unpacked."
	done
	private_relocate
	private_stamp >"$build/wanted"
	(cd "$build/debs" && ls) >"$build/packages"
	rm -rf "$build"/{debs,cache,lists,status,solved,apt.conf} "$dx_private" ||
		die "$dx_private is another user's: remove it."
	mv "$build" "$dx_private"
	exec 8<&-
}
