# The targets that people meet first say and do what they should.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();
chdir "$FindBin::Bin/../.." or die;

# make as a person would call it, without what this test run has set
delete $ENV{$_} for qw(MAKEFLAGS MAKELEVEL MFLAGS);

my ($out, $err) = run_command([ 'make', 'help' ]);
my @targets = `sed -n 's/^own_targets = //p' Makefile` =~ /([\w-]+)/g;
like($out, qr/^  make $_ /m, "make help explains $_") for @targets, qw(install installcheck clean uninstall);

# nothing installed: one sentence each
{
	local $ENV{PG_CONFIG} = '/nowhere/pg_config';

	($out, $err) = run_command([ 'make', '--no-print-directory' ]);
	like($err, qr/knows no PGXS: install PostgreSQL's server development files/, 'make without PGXS says what is missing');
}

# someone without root and sudo, on a machine without the packages
my $bin = PostgreSQL::Test::Utils::tempdir();
for my $tool (qw(bash cat grep sed tr id dirname basename mktemp rm mkdir tee head env uname make apt-get))
{
	my ($path) = grep { -x } map { "$_/$tool" } split /:/, $ENV{PATH};

	symlink $path, "$bin/$tool" if $path;
}
append_to_file("$bin/dpkg-query", "#!$bin/bash\nexit 1\n");
chmod 0755, "$bin/dpkg-query";
{
	local $ENV{PATH} = $bin;
	local $ENV{PG_CONFIG};

	delete $ENV{PG_CONFIG};
	for my $target (qw(setup test demo))
	{
		($out, $err) = run_command([ 'make', '--no-print-directory', $target ]);
		like($err, qr/^setup: the packages .*postgresql-15 .* are missing, and to install them you have to be root or to have sudo\.$/m, "make $target says what is missing");
	}
}

# The demo, smaller, with what this test run has installed.
{
	local $ENV{DEALS} = 100;
	local $ENV{TRANSFERS} = 400;

	($out, $err) = run_command([ 'make', '--no-print-directory', 'demo' ]);
	is($?, 0, 'make demo succeeds');
	like($out, qr/SIGKILL to every process of the server/, 'it crashes the server');
	is(scalar(() = $out =~ /^  holds /mg), 9, 'all its promises hold');
	unlike($out, qr/BROKEN/, 'none is broken');
	is($err, '', 'and it complains about nothing');
}

done_testing();
