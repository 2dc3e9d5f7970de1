# A worker that has run many runs is not larger than after few.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

my $node = dx_node('memory', 'dealix_exec.workers = 1', 'dealix_exec.worker_idle_timeout = 1h', 'shared_buffers = 128MB');
dx_shop($node);
my $runs = 0;

sub run_more
{
	my ($n) = @_;

	dx_sql($node, 'app', "SELECT count(*) FROM dealix.start_many('chain', ARRAY(
		SELECT jsonb_build_object('key', i, 'n', i, 'wait', i % 2) FROM generate_series($runs + 1, $runs + $n) i))");
	$runs += $n;
	return dx_poll($node, 'SELECT NOT EXISTS (SELECT FROM dealix.run WHERE finished_at IS NULL)', "$runs runs have ended", 't', undef, 120);
}

# What the worker has in its memory contexts, by its own account in the log.
sub worker_bytes
{
	my ($pid) = @_;
	my $from = -s $node->logfile;

	is($node->safe_psql('postgres', "SELECT pg_log_backend_memory_contexts($pid)"), 't', 'the worker is asked');
	for (1 .. 100)
	{
		my ($total) = slurp_file($node->logfile, $from) =~ /Grand total: (\d+) bytes in \d+ blocks/;

		return $total if defined $total;
		Time::HiRes::sleep(0.1);
	}
	die 'the worker did not answer';
}

run_more(500);
my ($pid) = dx_workers($node);
my $small = worker_bytes($pid);
run_more(10_000);
my $large = worker_bytes($pid);

note("$small bytes after 500 runs, $large after $runs");
is(join(' ', dx_workers($node)), $pid, 'it is the same worker');
cmp_ok($large, '<=', $small + 64 * 1024, 'it has not grown');
$node->stop;
done_testing();
