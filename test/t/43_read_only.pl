# In a read-only transaction, and on a hot standby, whatever would write is
# refused as INSERT is: 25006, and nothing was done.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;

dx_skip_root();

my $node = dx_node('read_only', 'dealix_exec.workers = 0', 'wal_level = replica', 'max_wal_senders = 3', 'hot_standby = on');

dx_shop($node);
dx_sql($node, 'app', q{
	SELECT dealix.publish('task', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:a", "End": true}}}');
	SELECT dealix.publish('asks', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "approval:a", "End": true}}}');
	SELECT dealix.start('parked', '{"key": "k"}', 'p'), dealix.start('task', '{}', 't'), dealix.start('asks', '{}', 'a');
	CALL dealix.drain();
	SELECT dealix.start('chain', '{"key": "due", "n": 1, "wait": 0}', 'due')});
my $run = $node->safe_psql('postgres', q{SELECT run_id FROM dealix.run_details WHERE key = 'p'});

my @writes = (
	q{SELECT dealix.start('chain', '{"key": "x", "n": 1, "wait": 0}')},
	q{SELECT dealix.start('chain', '{"key": "x", "n": 1, "wait": 0}', 'a key')},
	q{SELECT dealix.start_many('chain', ARRAY['{"key": "x", "n": 1, "wait": 0}']::jsonb[])},
	q{SELECT dealix.start_many('chain', ARRAY['{"key": "x", "n": 1, "wait": 0}']::jsonb[], ARRAY['m'])},
	qq{SELECT dealix.signal('$run', 'go')},
	qq{SELECT dealix.cancel('$run')},
	q{SELECT dealix.signal_with_start('parked', 'swk', 'go', '{"key": "x"}')},
	q{SELECT dealix.tick()},
	q{SELECT * FROM dealix.claim('a', 'w')},
	q{SELECT dealix.publish('other', '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}')},
	q{SELECT dealix.limit_workflow('chain', 3)});
my $count = q{SELECT count(*) FROM dealix.run_details};
my $before = $node->safe_psql('postgres', $count);

for my $write (@writes)
{
	my ($rc, $out, $err) = dx_try($node, 'app', "\\set VERBOSITY verbose\nBEGIN READ ONLY;\n$write;\nCOMMIT;");

	like($err, qr/ERROR:  25006/, "read only: $write");
}
is($node->safe_psql('postgres', $count), $before, 'nothing has started');

# Also in a session that has started runs before, and has nothing left to look up.
for my $start ($writes[0], $writes[2])
{
	my ($rc, $out, $err) = dx_try($node, 'app', "\\set VERBOSITY verbose\n$start;\n$start;\nBEGIN READ ONLY;\n$start;\nCOMMIT;");

	like($err, qr/ERROR:  25006/, "read only after others: $start");
	$before += 2;
}
is($node->safe_psql('postgres', $count), $before, 'which have started, and no more');

$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');

$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
for my $write (@writes)
{
	my ($rc, $out, $err) = dx_try($standby, 'app', "\\set VERBOSITY verbose\n$write;");

	like($err, qr/ERROR:  25006/, "standby: $write");
}
is($standby->safe_psql('postgres', $count), $before, 'and the standby shows what there is');
$standby->stop;
$node->stop;
done_testing();
