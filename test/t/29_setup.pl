# What scripts/setup.sh decides on machines that differ: a server that is
# installed in an older version, no root, missing package lists, no network, a
# private copy that is there, stale or incomplete.  The real script, with an
# apt-get, a dpkg-query and a sudo that play the machine; what they "download"
# are real packages that are really unpacked.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();
plan skip_all => 'dpkg-deb is missing' if system('command -v dpkg-deb >/dev/null') != 0;

my $top = abs_path("$FindBin::Bin/../..");
my $tmp = abs_path(PostgreSQL::Test::Utils::tempdir());
my ($project, $bin, $machine) = map { "$tmp/$_" } qw(project bin machine);
my @wanted = grep { length } map { s/#.*//r =~ s/\s//gr } split /\n/, slurp_file("$top/scripts/packages.txt");

sub write_file
{
	my ($path, $text, $mode) = @_;

	make_path(dirname($path));
	unlink $path;
	append_to_file($path, $text);
	chmod $mode // 0644, $path;
	return;
}

sub copy_project
{
	remove_tree($project);
	make_path("$project/scripts");
	system("cp $top/scripts/*.sh $top/scripts/packages.txt $project/scripts") == 0 or die;
	return;
}

# ---------- what the packages have in them ----------

my $pg_config = <<'END';
#!/bin/bash
root=${0%/usr/lib/postgresql/*}
case $1 in
	--version) echo 'PostgreSQL 15.9' ;;
	--sharedir) echo "$root/usr/share/postgresql/15" ;;
	--bindir) echo "$root/usr/lib/postgresql/15/bin" ;;
	--pgxs) echo "$root/usr/lib/postgresql/15/lib/pgxs/src/makefiles/pgxs.mk" ;;
esac
END
my $pg = 'usr/lib/postgresql/15';
my %files = (
	'postgresql-15' => { map { ("$pg/bin/$_" => "#!/bin/sh\n") } qw(postgres initdb) },
	'postgresql-client-15' => { map { ("$pg/bin/$_" => "#!/bin/sh\n") } qw(psql pgbench) },
	'postgresql-15-cron' => { 'usr/share/postgresql/15/extension/pg_cron.control' => "\n" },
	'postgresql-15-pgtap' => { 'usr/share/postgresql/15/extension/pgtap.control' => "\n" },
	'postgresql-server-dev-15' => { "$pg/bin/pg_config" => $pg_config, map { ("$pg/lib/pgxs/src/$_" => "\n") }
		  qw(makefiles/pgxs.mk test/regress/pg_regress test/isolation/pg_isolation_regress test/perl/PostgreSQL/Test/Cluster.pm) },
	'libpq5' => { 'usr/lib/x86_64-linux-gnu/libpq.so.5.15' => "new\n" },
	'libpq-dev' => { 'usr/include/postgresql/libpq-fe.h' => "\n" },
	'libipc-run-perl' => { 'usr/share/perl5/IPC/Run.pm' => "package IPC::Run; 1;\n" },
	'libllvm14' => { 'usr/lib/x86_64-linux-gnu/libLLVM-14.so.1' => "\n" },
	'libc6' => { 'usr/lib/x86_64-linux-gnu/libc.so.6' => "\n" },
);
for my $name (keys %files)
{
	write_file("$tmp/deb/$name/$_", $files{$name}{$_}, 0755) for keys %{ $files{$name} };
	write_file("$tmp/deb/$name/DEBIAN/control", "Package: $name\nVersion: 15.9\nArchitecture: all\nMaintainer: Nobody <nobody\@example.com>\nDescription: none\n");
	make_path("$tmp/pool");
	system('dpkg-deb', '-b', '--root-owner-group', "$tmp/deb/$name", "$tmp/pool/${name}_15.9_all.deb") == 0 or die if !-e "$tmp/pool/${name}_15.9_all.deb";
}

# ---------- the machine ----------

# installed: "name version" a line; plan: what a simulation says; lists: is
# there a list of packages?; network: is there any?
write_file("$bin/dpkg-query", <<"END", 0755);
#!/bin/bash
for name; do :; done
version=\$(sed -n "s/^\$name //p" $machine/installed)
if [ -z "\$version" ]; then exit 1; fi
case \$2 in *Version*) echo "installed \$version" ;; *) echo installed ;; esac
END
write_file("$bin/apt-get", <<"END", 0755);
#!/bin/bash
echo "apt-get \$*" >>$machine/calls
lists=$machine/lists
for word; do case \$word in Dir::State::Lists=*) lists=\${word#*=} ;; esac; done
case " \$* " in
	*' update '*) if [ -e $machine/network ]; then echo new >\$lists/list; else echo 'E: no network' >&2; exit 100; fi ;;
	*' download '*) grep -q new \$lists/list || { echo 'E: 404' >&2; exit 100; }
		for name; do if [ -e $tmp/pool/\${name}_15.9_all.deb ]; then cp $tmp/pool/\${name}_15.9_all.deb .; fi; done ;;
	*' -s '*' -c '* | *' -c '*' -s '*) [ -e \$lists/list ] || { echo 'E: Unable to locate package' >&2; exit 100; }
		for name in postgresql-15 postgresql-client-15 postgresql-15-cron postgresql-15-pgtap libpq5 libllvm14 libc6 libipc-run-perl; do
			echo "Inst \$name (15.9 Debian [all])"; done ;;
	*' -s '*) [ -e \$lists/list ] || { echo 'E: Unable to locate package' >&2; exit 100; }
		cat $machine/plan ;;
	*' --download-only '*) grep -q new \$lists/list || { echo 'E: 404' >&2; exit 100; } ;;
	*' install '*) cp -R $tmp/installed/. $machine/root
		for name; do case \$name in -* | install) ;; *) echo "\$name 15.9" >>$machine/installed ;; esac; done ;;
esac
END
# what apt-get installs
for my $name (keys %files)
{
	write_file("$tmp/installed/$_", $files{$name}{$_}, 0755) for keys %{ $files{$name} };
}
write_file("$tmp/installed/pg_prove", "#!/bin/sh\n", 0755);

for my $tool (qw(bash sh cat grep sed tr id dirname basename mktemp rm mkdir mv ls tee head tail env uname wc find xargs chmod readlink realpath ln
	perl prove dpkg dpkg-deb tar flock sleep getent cp true))
{
	my ($path) = grep { -x } map { "$_/$tool" } split /:/, $ENV{PATH};

	symlink $path, "$bin/$tool" if $path && !-e "$bin/$tool";
}
write_file("$bin/$_", "#!/bin/sh\n", 0755) for qw(pg_prove gcc make patch python3);

# machine(installed => [...], plan => ..., lists => old, new or none, network =>, sudo =>)
sub machine
{
	my (%is) = @_;

	remove_tree($machine);
	make_path("$machine/lists", "$machine/root");
	write_file("$machine/installed", join '', map { "$_\n" } @{ $is{installed} // [] }, map { "$_ 1" } grep { !/^postgresql/ } @wanted);
	write_file("$machine/plan", $is{plan} // '');
	write_file("$machine/calls", '');
	$is{lists} //= 'new';
	write_file("$machine/lists/list", "$is{lists}\n") if $is{lists} ne 'none';
	write_file("$machine/network", '') if $is{network} // 1;
	unlink "$bin/sudo";
	write_file("$bin/sudo", <<"END", 0755) if $is{sudo};
#!/bin/bash
# nobody is asked, and only apt-get is done
while :; do case \$1 in -n | env | DEBIAN_FRONTEND=*) shift ;; *) break ;; esac; done
case \$1 in apt-get) exec "\$@" ;; tee) cat >/dev/null; echo "tee \$2" >>$machine/calls ;; esac
END
	return;
}

sub setup
{
	local $ENV{PATH} = "$machine/root/$pg/bin:$bin";
	local %ENV = (PATH => $ENV{PATH}, LC_ALL => 'C', @_);
	my ($out, $err) = run_command([ 'bash', "$project/scripts/setup.sh" ]);

	return ($? >> 8, $out, $err);
}
sub calls { return slurp_file("$machine/calls") }
sub is_private
{
	my ($what) = @_;

	ok(-x "$project/.postgres/root/$pg/bin/initdb" && -e "$project/.postgres/root/usr/lib/x86_64-linux-gnu/libpq.so.5.15", "$what: a private copy is unpacked");
	is(join('', grep { / install / && !/ -s | --download-only / } split /^/, calls()), '', "$what: nothing is installed");
	ok(!-e "$project/.postgres/root/usr/lib/x86_64-linux-gnu/$_", "$what: without $_") for qw(libLLVM-14.so.1 libc.so.6);
	ok(!-e "$project/.postgres.new", "$what: nothing half-made is left");
	return;
}

my @server = ('postgresql-15 15.8', 'postgresql-client-15 15.8', 'libpq5 15.8');
my $adds = join '', map { "Inst $_ (15.9 Debian [all])\n" } grep { /^postgresql/ } @wanted;
my $upgrades = "${adds}Inst postgresql-15 [15.8] (15.9 Debian-Security [amd64])\n";

# ---------- with sudo ----------

copy_project();
machine(sudo => 1, plan => $adds);
my ($rc, $out, $err) = setup();
is($rc, 0, 'nothing of PostgreSQL is there, sudo: works') or diag($out, $err);
like(calls(), qr/^apt-get .*install postgresql-15 .*postgresql-server-dev-15$/m, 'it is installed');
like(calls(), qr{^tee /etc/postgresql-common/createcluster.d/}m, 'and makes no cluster');
ok(!-e "$project/.postgres", 'there is no private copy');
write_file("$machine/calls", '');
($rc, $out) = setup();
is("$rc|$out|" . calls(), '0||', 'the next time nothing is done and nothing said');

for my $change ([ 'the server would be upgraded', $upgrades ],
	[ 'only libpq would be', "${adds}Inst libpq5 [15.8] (15.9 Debian-Security [amd64])\n" ],
	[ 'something else would be', "${adds}Inst libssl3 [3.0.1] (3.0.2 Debian [amd64])\n" ],
	[ 'something would be removed', "${adds}Remv postgresql-15-postgis [3]\n" ])
{
	copy_project();
	machine(sudo => 1, installed => \@server, plan => $change->[1]);
	($rc, $out, $err) = setup();
	is($rc, 0, "$change->[0]: works") or diag($out, $err);
	is_private($change->[0]);
	unlike(calls(), qr/^tee/m, "$change->[0]: nothing of the machine is written");
	like($out, qr/would change packages that are installed: unpacking a private copy into \.postgres/, "$change->[0]: and it says so");
}

# ---------- the copy is used again, or made anew ----------

write_file("$machine/calls", '');
($rc, $out) = setup();
is("$rc|$out|" . calls(), '0||', 'the copy is found the next time');
my $before = (stat "$project/.postgres/root")[1];
append_to_file("$project/scripts/packages.txt", "another-package\n");
append_to_file("$machine/installed", "another-package 1\n");
($rc) = setup();
is($rc, 0, 'another list of packages');
isnt((stat "$project/.postgres/root")[1], $before, 'makes it stale');
$before = (stat "$project/.postgres/root")[1];
unlink "$project/.postgres/root/$pg/bin/initdb";
($rc) = setup();
is($rc, 0, 'a file is missing');
isnt((stat "$project/.postgres/root")[1], $before, 'it is made anew');
make_path("$project/.postgres.new/root");
unlink "$project/.postgres/wanted";
($rc) = setup();
is($rc, 0, 'what an interrupted one left is no obstacle');
is_private('after an interruption');

# What the other scripts run is the copy.
sub chosen
{
	local %ENV = (PATH => $bin, LC_ALL => 'C', @_);
	my ($out, $err) = run_command([ 'bash', '-c', ". $project/scripts/lib.sh; dx_work=$tmp; tools_prepare >&2; command -v \${PG_CONFIG:-pg_config}; echo \${LD_LIBRARY_PATH:-none}" ]);

	return $out;
}
is(chosen(), "$project/.postgres/root/$pg/bin/pg_config\n$project/.postgres/root/usr/lib/x86_64-linux-gnu", 'scripts use the copy and its libpq');

# A machine that has everything by now.
make_path("$machine/root");
system("cp -R $tmp/installed/. $machine/root") == 0 or die;
is(chosen(PATH => "$machine/root/$pg/bin:$bin"), "$machine/root/$pg/bin/pg_config\nnone", 'but what the machine has comes first');
is(chosen(PG_CONFIG => "$machine/root/$pg/bin/pg_config"), "$machine/root/$pg/bin/pg_config\nnone", 'and PG_CONFIG before all');

# ---------- without root ----------

copy_project();
machine();
($rc, $out, $err) = setup();
is($rc, 0, 'no root, no sudo: works') or diag($out, $err);
is_private('no root');
like($out, qr/you are not root .*unpacking a private copy/, 'no root: and it says so');
unlike(calls(), qr/ update /, 'no root: the lists of the machine are good enough');
for my $lists ('old', 'none')
{
	copy_project();
	machine(lists => $lists);
	($rc, $out, $err) = setup();
	is($rc, 0, "no root, package lists: $lists: works") or diag($out, $err);
	like(calls(), qr{-o Dir::State::Lists=\Q$project\E/\S+ update$}m, "package lists: $lists: it fetches some into its own folder");
	is_private("package lists: $lists");
}

# ---------- what cannot be: one sentence ----------

copy_project();
machine(lists => 'old', network => 0);
($rc, $out, $err) = setup();
is($rc, 1, 'no network');
like($err, qr/^setup: the packages postgresql-15 .*are missing, and apt cannot get them \(no network\?\): E: .+\z/, 'is said in a sentence');
ok(!-e "$project/.postgres", 'and no copy is there');

copy_project();
machine(sudo => 1, installed => \@server, plan => $upgrades);
($rc, $out, $err) = setup(PG_CONFIG => "$project/pg_config");
is($rc, 1, 'PG_CONFIG is given, and not complete');
like($err, qr/^setup: PG_CONFIG=\S+ names no complete PostgreSQL .*Without PG_CONFIG a private copy is used\.\z/, 'it is not replaced silently');

copy_project();
machine();
unlink "$bin/apt-get.off";
rename "$bin/apt-get", "$bin/apt-get.off";
($rc, $out, $err) = setup();
is($rc, 1, 'no apt');
like($err, qr/^setup: pg_config is missing, and so is apt: install what stands for the Debian packages .*postgresql-server-dev-15 .*by hand\.\z/, 'says which packages');
rename "$bin/apt-get.off", "$bin/apt-get";

copy_project();
machine();
chmod 0555, $project;
($rc, $out, $err) = setup();
is($rc, 1, 'a folder that cannot be written to');
like($err, qr/cannot be written to, so there is no private copy/, 'is said');
chmod 0755, $project;

done_testing();
