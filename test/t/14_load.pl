# Two workers and two sessions that tick advance the same owner's runs: nothing
# is done twice, nothing is forgotten.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

my $node = dx_node('load', 'dealix_exec.workers = 2', 'dealix_exec.pass_max_runs = 10');
dx_shop($node);

my $script = PostgreSQL::Test::Utils::tempdir() . '/tick.sql';
PostgreSQL::Test::Utils::append_to_file($script, 'SELECT dealix.tick(7) \watch 0.005' . "\n");
my @tickers = map {
	IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') . ' user=app', '-f', $script, '-o', '/dev/null' ])
} 1 .. 2;

my $runs = 4000;
for my $batch (0 .. 9)
{
	dx_sql($node, 'app', "SELECT count(*) FROM dealix.start_many('chain',
		ARRAY(SELECT jsonb_build_object('key', 'k' || i, 'n', i, 'wait', i % 2) FROM generate_series($batch * 400 + 1, $batch * 400 + 400) i),
		ARRAY(SELECT 'k' || i FROM generate_series($batch * 400 + 1, $batch * 400 + 400) i))");
}
dx_ledger_ok($node, 'under load');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.run_details'), $runs, 'all runs');
is($node->safe_psql('postgres', 'SELECT count(*) FROM shop.ledger'), $runs * 3 + $runs / 10, 'all effects, not one more');
cmp_ok($node->safe_psql('postgres', 'SELECT count(DISTINCT pid) FROM shop.ledger'), '>=', 3, 'workers and ticks took part');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT key FROM shop.ledger GROUP BY key HAVING count(DISTINCT pid) > 1) x}), '>', 0, 'and shared single runs');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.branch'), '0', 'no branch is left');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.inbox'), '0', 'no message is left');

$_->kill_kill for @tickers;
$node->stop;
done_testing();
