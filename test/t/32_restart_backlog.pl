# A server that comes up with a hundred thousand due runs, after a stop and after
# a crash: all end, each step once, and the first does not wait for the last.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;

dx_skip_root();

my $runs = 100_000;
my $node = dx_node('backlog', 'dealix_exec.workers = 0', 'dealix_exec.sweep_interval = 3600', 'shared_buffers = 256MB',
	'max_wal_size = 4GB');
dx_shop($node);
dx_sql($node, 'app', q{
	SELECT dealix.publish('once', '{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "a"}, "ResultPath": null, "End": true}}}')});
for my $batch (0 .. 9)
{
	dx_sql($node, 'app', "SELECT count(*) FROM dealix.start_many('once', ARRAY(
		SELECT jsonb_build_object('key', i) FROM generate_series($batch * $runs / 10 + 1, ($batch + 1) * $runs / 10) i))");
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.run WHERE started_at IS NULL'), $runs, 'the backlog is there, and nobody works on it');

$node->append_conf('postgresql.conf', 'dealix_exec.workers = 2');
$node->restart;
dx_poll($node, 'SELECT count(*) > 2000 FROM dealix.run WHERE finished_at IS NOT NULL', 'after a restart the work begins');
dx_crash($node);
my $up = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $left = $node->safe_psql('postgres', 'SELECT count(*) FROM dealix.run WHERE finished_at IS NULL');
cmp_ok($left, '>', $runs / 2, 'most of it was left when the server crashed');
dx_poll($node, 'SELECT NOT EXISTS (SELECT FROM dealix.run WHERE finished_at IS NULL)', 'every run has ended', 't', undef, 240);
is($node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE status = 10), count(*) FROM dealix.run"), "$runs|$runs", 'and succeeded');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT key) FROM shop.ledger'), "$runs|$runs", 'each step had its effect once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.history_event'), 3 * $runs, 'each history is whole');
is($node->safe_psql('postgres', "
	SELECT first - up < (last - first) / 2 + interval '5 s' FROM (
		SELECT min(finished_at) AS first, max(finished_at) AS last, '$up'::timestamptz AS up
		FROM dealix.run WHERE finished_at > '$up') x"), 't', 'the first did not wait for the last');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.branch'), '0', 'no branch is left');
$node->stop;
done_testing();
