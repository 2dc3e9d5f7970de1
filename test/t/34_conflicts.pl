# Steps that lock the same rows in opposite order, from two workers and from
# sessions that tick: deadlocks cost no attempt, no effect and no run.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;

dx_skip_root();

my $batch = 600;
my $runs = 0;
my $node = dx_node('conflicts', 'dealix_exec.workers = 2', 'deadlock_timeout = 20ms', 'log_lock_waits = off');
dx_shop($node);
dx_sql($node, 'app', q{
	CREATE TABLE shop.account (id int PRIMARY KEY, balance int NOT NULL, changes int NOT NULL DEFAULT 0);
	INSERT INTO shop.account SELECT i, 0 FROM generate_series(1, 4) i;
	CREATE FUNCTION shop.move(key text, a int, b int) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		UPDATE shop.account SET balance = balance - 1, changes = changes + 1 WHERE id = a;
		PERFORM pg_sleep(0.001);
		UPDATE shop.account SET balance = balance + 1, changes = changes + 1 WHERE id = b;
		INSERT INTO shop.ledger (key, step) VALUES (key, 'move');
	END $$;
	SELECT dealix.publish('move', '{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:shop.move", "Parameters": {"key.$": "$.key", "a.$": "$.a", "b.$": "$.b"}, "ResultPath": null, "Next": "B"},
		"B": {"Type": "Task", "Resource": "sql:shop.move", "Parameters": {"key.$": "$.key", "a.$": "$.b", "b.$": "$.a"}, "ResultPath": null, "End": true}}}')});

# A ticker ends with its statement when the deadlock detector chooses it outside
# of a step: it is started again.
my $ticker = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') . ' user=app' ],
	'<', \"SELECT dealix.tick(5) \\watch 0.02\n", '>', \my $out, '2>', \my $err);

# How often they meet is the machine's affair: as many as it takes.
my $deadlocks = 0;
while ($deadlocks <= 10 && $runs < 50 * $batch)
{
	my ($first, $last) = ($runs + 1, $runs + $batch);

	dx_sql($node, 'app', "SELECT count(*) FROM dealix.start_many('move', ARRAY(
		SELECT jsonb_build_object('key', i, 'a', 1 + i % 4, 'b', 1 + (i + 1 + i / 4 % 3) % 4) FROM generate_series($first, $last) i))");
	$runs = $last;
	dx_poll($node, 'SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL', 'every run has ended', '0', undef, 180);
	$deadlocks = $node->safe_psql('postgres', q{SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'});
}
$ticker->kill_kill;

is($node->safe_psql('postgres', "SELECT status, count(*) FROM dealix.run_details GROUP BY 1"), "SUCCEEDED|$runs", 'and succeeded');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT key) FROM shop.ledger'), 2 * $runs . "|$runs", 'each step had its effect once');
is($node->safe_psql('postgres', 'SELECT sum(changes), sum(balance), max(abs(balance)) FROM shop.account'), 4 * $runs . '|0|0', 'each change was made once');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.history_details WHERE event = 'step_failed'}), '0', 'no attempt was used up');
cmp_ok($deadlocks, '>', 10, 'there were deadlocks');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.incident_details'), '0', 'no incident');
$node->stop;
done_testing();
