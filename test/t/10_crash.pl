# Whatever is killed, and however: every acknowledged run ends as it should, and
# every effect happens once.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

my $node = dx_node('crash', 'dealix_exec.workers = 2');
dx_shop($node);

my $dir = PostgreSQL::Test::Utils::tempdir();
my $ack = "$dir/acknowledged";
my @clients = map { dx_start_keys($node, $_, 400, $ack) } qw(x y);

# How many runs there are shows that the clients get on with it.
sub wait_for_more
{
	my ($what) = @_;
	my ($rc, $before) = $node->psql('postgres', 'SELECT count(*) FROM dealix.run_details');

	return dx_poll($node, "SELECT count(*) > $before + 20 OR count(*) = 800 FROM dealix.run_details", "runs are started $what");
}

wait_for_more('at the beginning');
dx_crash($node);
wait_for_more('after SIGKILL to all processes of the server');

$node->stop('immediate');
$node->start;
wait_for_more('after pg_ctl stop -m immediate');

# kill -9 of one process makes the postmaster restart all of them
dx_poll($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type LIKE 'dealix%worker%'}, 'there are workers');
my ($worker) = dx_workers($node);
is(kill('KILL', $worker), 1, 'a worker is killed');
sleep(1);
wait_for_more('after kill -9 of a worker');

my $backend = IPC::Run::start(
	[ 'psql', '-XqAt', '-d', $node->connstr('postgres') . ' user=app', '-c',
		q{BEGIN; SELECT dealix.start('chain', '{"key": "never", "n": 1, "wait": 0}', 'never'), pg_sleep(600); COMMIT} ],
	'>', \my $out, '2>', \my $err);
dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'BEGIN; SELECT dealix.start%' AND usename = 'app' AND wait_event = 'PgSleep'},
	'a backend is in start', '1');
is(kill('KILL', $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'BEGIN; SELECT dealix.start%' AND usename = 'app'})),
	1, 'a backend in start is killed');
$backend->finish;
sleep(1);
wait_for_more('after kill -9 of a backend in start');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details WHERE key = 'never'}), '0', 'its run was never started');

for my $client (@clients)
{
	waitpid $client, 0;
	is($?, 0, 'a client has started all its runs');
}
dx_ledger_ok($node, 'after all crashes', $ack);
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details}), '800', 'and there are no runs but those');

# ---------- in the middle of a step ----------

sub start_slow
{
	my ($key, $seconds) = @_;

	dx_sql($node, 'app', qq{SELECT dealix.start('slow', '{"key": "$key", "seconds": $seconds}', '$key')});
	dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dealix%worker%' AND wait_event = 'PgSleep'},
		"$key: a worker is in the middle of the step", '1');
	return $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'dealix%worker%' AND wait_event = 'PgSleep'});
}

my %ways = (
	'worker-terminated' => sub { $node->safe_psql('postgres', "SELECT pg_terminate_backend($_[0])") },
	'worker-killed' => sub { kill 'KILL', $_[0]; sleep(1) },
	'server-crashed' => sub { dx_crash($node) },
	'server-stopped' => sub { $node->restart },);

for my $way (sort keys %ways)
{
	my $pid = start_slow($way, 4);

	$ways{$way}->($pid);
	dx_poll($node, "SELECT status FROM dealix.run_details WHERE key = '$way'", "$way: the run ends as it should", 'SUCCEEDED');
	is($node->safe_psql('postgres', "SELECT count(*) FROM shop.ledger WHERE key = '$way'"), '1', "$way: the step had its effect once");
}

# A cancel of the statement belongs to the step: it is an error like another.
my $pid = start_slow('statement-cancelled', 60);
is($node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)"), 't', 'the statement of a step is cancelled');
dx_poll($node, "SELECT status || ' ' || error FROM dealix.run_details WHERE key = 'statement-cancelled'", 'the step has failed', 'FAILED SQL.query_canceled');
is($node->safe_psql('postgres', "SELECT count(*) FROM shop.ledger WHERE key = 'statement-cancelled'"), '0', 'without an effect');

is($node->safe_psql('postgres', 'SELECT * FROM dealix.stuck()'), '', 'nothing is stuck');
$node->stop;
done_testing();
