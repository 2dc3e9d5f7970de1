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

# The demo, smaller, with what this test run has installed.
# but for the ports that tests beside this one have taken
sub files { return join '', sort `find . -type f ! -path './.git/*' ! -path './portlock/*'` }
my $before = files();
{
	local $ENV{DEALS} = 100;
	local $ENV{TRANSFERS} = 400;

	($out, $err) = run_command([ 'make', '--no-print-directory', 'demo' ]);
	is($?, 0, 'make demo succeeds');
	like($out, qr/SIGKILL to every process of the server/, 'it crashes the server');
	is(scalar(() = $out =~ /^  holds /mg), 9, 'all its promises hold');
	unlike($out, qr/BROKEN/, 'none is broken');
	is($err, '', 'and it complains about nothing');
	is(files(), $before, 'and leaves nothing in the folder of the project');
}

# On a machine so slow that signatures come when the time of their deals is up:
# what was promised is decided by recorded times.
{
	local $ENV{DEALS} = 200;
	local $ENV{TRANSFERS} = 100;
	local $ENV{SIGN_WITHIN} = 1;

	($out, $err) = run_command([ 'make', '--no-print-directory', 'demo' ]);
	is($?, 0, 'make demo succeeds when signatures are late') or diag($out, $err);
	is(scalar(() = $out =~ /^  holds /mg), 9, 'all its promises hold');
	unlike($out, qr/BROKEN/, 'none is broken');
	like($out, qr/^\d+ of the signers who answer came too late/m, 'and it says how many were late');
}

done_testing();
