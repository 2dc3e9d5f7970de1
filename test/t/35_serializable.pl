# default_transaction_isolation = serializable for everybody: workers are not
# concerned, sessions that start, signal and tick get serialization failures,
# and the counts are exact.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

my $node = dx_node('serializable', 'dealix_exec.workers = 2', q{default_transaction_isolation = 'serializable'});
dx_shop($node);
dx_sql($node, 'app', q{
	CREATE TABLE shop.counter (id int PRIMARY KEY, n int NOT NULL);
	INSERT INTO shop.counter SELECT i, 0 FROM generate_series(0, 3) i;
	CREATE FUNCTION shop.count(key text, id int) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		seen int;
	BEGIN
		-- Reads what the others write, and writes what the others read.
		SELECT sum(n) INTO seen FROM shop.counter;
		UPDATE shop.counter c SET n = n + 1 WHERE c.id = count.id;
		INSERT INTO shop.ledger (key, step) VALUES (key, 'count');
		RETURN current_setting('transaction_isolation');
	END $$;
	SELECT dealix.publish('count', '{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:shop.count", "Parameters": {"key.$": "$.key", "id.$": "$.id"}, "ResultPath": "$.level", "End": true}}}')});

# Clients with idempotency keys, who try again after a serialization failure.
my ($clients, $each) = (3, 60);
my @clients = map {
	my $client = $_;
	my $pid = fork();

	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		for my $i (1 .. $each)
		{
			my $sql = "SELECT dealix.start('count', '{\"key\": \"c${client}_$i\", \"id\": " . $i % 4 . "}', 'c${client}_$i')";

			until (system('psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', $node->connstr('postgres') . ' user=app', '-c', $sql) == 0)
			{
				sleep(0.02);
			}
		}
		POSIX::_exit(0);
	}
	$pid
} 1 .. $clients;

# Sessions that tick, too; a failure of theirs is an answer.
my $ticks = 0;
my $refused = 0;
my $goes_on = 1;
while ($goes_on)
{
	my ($rc, $out, $err) = dx_try($node, 'app', 'SELECT dealix.tick(10)');

	$ticks++;
	if ($rc != 0)
	{
		$refused++;
		like($err, qr/could not serialize|deadlock detected/, 'a tick fails only for concurrency');
	}
	$goes_on = grep { waitpid($_, POSIX::WNOHANG()) == 0 } @clients;
}
note("$ticks ticks, $refused refused");

my $runs = $clients * $each;
dx_poll($node, 'SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL', 'every run has ended', '0');
is($node->safe_psql('postgres', 'SELECT status, count(*) FROM dealix.run_details GROUP BY 1'), "SUCCEEDED|$runs", 'and succeeded');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT key) FROM shop.ledger'), "$runs|$runs", 'each step had its effect once');
is($node->safe_psql('postgres', 'SELECT sum(n) FROM shop.counter'), $runs, 'no count was lost');
is($node->safe_psql('postgres', q{SELECT count(*) > 0 FROM dealix.run_details WHERE output ->> 'level' = 'read committed'}), 't', 'workers are read committed whatever the default is');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.incident_details'), '0', 'no incident');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.stuck()'), '0', 'nothing is stuck');
$node->stop;
done_testing();
