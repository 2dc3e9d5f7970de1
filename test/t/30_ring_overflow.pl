# More work than a wake-up ring holds: nothing is lost and nothing waits for the
# sweep, which these servers do once an hour.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;
use Time::HiRes qw(time);

dx_skip_root();

my $node = dx_node('ring', 'dealix_exec.workers = 0', 'dealix_exec.ring_size = 16',
	'dealix_exec.sweep_interval = 3600', 'dealix_exec.worker_idle_timeout = 1h');
dx_shop($node);

my $runs = 0;

# So many runs, each started by a transaction of its own.
sub single_starts
{
	my ($n, $wait) = @_;

	return join '', map {
		$runs++;
		"SELECT dealix.start('chain', '{\"key\": \"k$runs\", \"n\": $runs, \"wait\": $wait}', 'k$runs');\n"
	} 1 .. $n;
}

# So many runs, started by one transaction.
sub start_together
{
	my ($n, $wait) = @_;
	my ($first, $last) = ($runs + 1, $runs += $n);

	return "SELECT count(*) FROM dealix.start_many('chain', ARRAY(SELECT jsonb_build_object('key', 'k' || i, 'n', i, 'wait', $wait)"
	  . " FROM generate_series($first, $last) i), ARRAY(SELECT 'k' || i FROM generate_series($first, $last) i));\n";
}

sub workers
{
	my ($n) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET dealix_exec.workers = $n");
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	return;
}

# ---------- a backlog that was there before the workers ----------

dx_sql($node, 'app', single_starts(200, 0));
dx_sql($node, 'app', start_together(2000, 0));
workers(2);
dx_ledger_ok($node, 'a backlog');

# ---------- more than the ring holds, while the workers work ----------

my @clients = map {
	my $script = '';

	$script .= single_starts(40, 0) . start_together(100, 0) for 1 .. 5;
	my ($out, $err) = ('', '');
	IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') . ' user=app' ],
		'<', \$script, '>', \$out, '2>', \$err)
} 1 .. 3;
ok($_->finish, 'a client has started its runs') for @clients;
dx_ledger_ok($node, 'overflow under load');

# ---------- timers of more runs than the ring holds, due together ----------

my $began = time();
dx_sql($node, 'app', start_together(500, 2));
dx_ledger_ok($node, 'timers');
cmp_ok(time() - $began, '<', 1200, 'timers did not wait for the sweep');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM dealix.run_details WHERE input ->> 'wait' = '2' AND finished_at < created_at + interval '2 s'}), '0', 'and none was early');

# ---------- signals for more runs than the ring holds ----------

dx_sql($node, 'app', "SELECT count(*) FROM dealix.start_many('parked', ARRAY(SELECT jsonb_build_object('key', 's' || i) FROM generate_series(1, 500) i))");
dx_poll($node, q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for = 'signal'}, 'all wait for their signal', '500');
dx_sql($node, 'app', q{SELECT count(dealix.signal(run_id, 'go')) FROM dealix.waiting_details WHERE waits_for = 'signal'});
dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE workflow = 'parked' AND status = 'SUCCEEDED'}, 'all have got it', '500');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT key) FROM shop.ledger WHERE step = 'after'}), '500|500', 'each once');

is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details WHERE workflow = 'chain'}), $runs, 'all runs');
# A machine on which all this takes longer has more of everything else, too.
my ($looks, $seconds) = split /\|/, $node->safe_psql('postgres', q{
	SELECT sum(passes), extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::int FROM dealix.worker_details WHERE kind = 'dispatcher'});
note("$looks looks in $seconds s");
cmp_ok($looks, '<', 100 + $seconds, 'the dispatcher has hardly looked at the tables');
$node->stop;
done_testing();
