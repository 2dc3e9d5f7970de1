# Workers that die with run ids in hand: what they had is found again without
# waiting for the sweep, and no effect happens twice.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

my $node = dx_node('death', 'dealix_exec.workers = 2', 'dealix_exec.ring_size = 64', 'dealix_exec.pass_max_runs = 20',
	'dealix_exec.sweep_interval = 3600');
dx_shop($node);

# Steps that take a little, so that a worker is always in the middle of a pass.
dx_sql($node, 'app', q{
	SELECT count(*) FROM dealix.start_many('slow', ARRAY(
		SELECT jsonb_build_object('key', 'k' || i, 'seconds', 0.004) FROM generate_series(1, 1500) i))});

my %killed;
my $in_hand = 0;
for my $round (1 .. 12)
{
	last if $node->safe_psql('postgres', 'SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL') == 0;
	# The last runs may end between the two looks.
	last unless dx_poll($node, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'dealix%worker%' AND wait_event = 'PgSleep')
		OR NOT EXISTS (SELECT FROM dealix.run_details WHERE finished_at IS NULL)},
		"round $round: a worker is in a step, or there is no more work");
	for my $pid (dx_workers($node))
	{
		$in_hand++ if $node->safe_psql('postgres', "SELECT wait_event = 'PgSleep' AND pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $pid") eq 't';
		$killed{$pid} = 1;
	}
	sleep(0.3);
}
cmp_ok($in_hand, '>=', 5, 'workers were terminated in the middle of a pass');
cmp_ok(scalar keys %killed, '>=', 5, 'and others came in their place');

dx_poll($node, 'SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL', 'every run has ended', '0', undef, 120);
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details WHERE status = 'SUCCEEDED'}), '1500', 'and succeeded');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT key) FROM shop.ledger}), '1500|1500', 'each step had its effect once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.stuck()'), '0', 'nothing is stuck');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.incident_details'), '0', 'no incident');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.branch'), '0', 'no branch is left');
is($node->safe_psql('postgres', 'SELECT run_id FROM dealix.history_details GROUP BY run_id HAVING count(*) <> max(seq) OR count(*) <> 3 LIMIT 5'),
	'', 'each history is whole');
$node->stop;
done_testing();
