# max_concurrency with workers: never more than the limit, slots of who dies or
# is killed come back, and neither a held snapshot nor a long queue costs more.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

my $node = dx_node('concurrency', 'dealix_exec.workers = 4', 'dealix_exec.sweep_interval = 3600', 'dealix_exec.worker_idle_timeout = 1h');
dx_shop($node);
dx_sql($node, 'app', q{
	CREATE TABLE shop.span (pid int, since timestamptz, until timestamptz);
	CREATE FUNCTION shop.take_time(seconds float8) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE since timestamptz := clock_timestamp();
	BEGIN
		PERFORM pg_sleep(seconds);
		INSERT INTO shop.span VALUES (pg_backend_pid(), since, clock_timestamp());
	END $$;
	SELECT dealix.publish('timed', '{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:shop.take_time", "ResultPath": null, "End": true}}}');
	SELECT dealix.publish('quick', '{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key": "k", "step": "quick"}, "ResultPath": null, "End": true}}}');
	SELECT dealix.limit_workflow('timed', 2), dealix.limit_workflow('quick', 3), dealix.limit_workflow('parked', 2)});

sub start
{
	my ($workflow, $n, $input) = @_;

	dx_sql($node, 'app', "SELECT count(*) FROM dealix.start_many('$workflow', ARRAY(SELECT '$input'::jsonb FROM generate_series(1, $n)))");
	return;
}

sub stat_of
{
	my ($sql) = @_;

	# what a process has counted is there a second later at most
	sleep(1.5);
	return $node->safe_psql('postgres', $sql);
}

my $taken = 'SELECT count(*) FROM dealix.workflow_slot WHERE run_id IS NOT NULL';
my $open = 'SELECT count(*) FROM dealix.run WHERE finished_at IS NULL';

# ---------- the limit ----------

start('timed', 150, '{"seconds": 0.01}');
dx_poll($node, $open, 'all limited runs have ended', '0');
is($node->safe_psql('postgres', q{
	SELECT max((SELECT count(*) FROM shop.span o WHERE o.since <= s.since AND o.until > s.since)) <= 2 FROM shop.span s}),
	't', 'never more than two at a time');
is($node->safe_psql('postgres', $taken), '0', 'all slots are free');

# ---------- a held snapshot ----------

# A prepared transaction holds the horizon as an old snapshot does.
$node->safe_psql('postgres', q{BEGIN; CREATE TABLE shop.held (); PREPARE TRANSACTION 'held'});
my $reads = q{SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE indexrelname IN ('workflow_slot_pkey', 'branch_slot')};
my $before = stat_of($reads);
start('quick', 2000, '{}');
dx_poll($node, $open, 'under a held snapshot all have ended', '0');
cmp_ok(stat_of($reads) - $before, '<', 400_000, 'without wading through what is dead');
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'held'});

# ---------- workers that die ----------

start('timed', 150, '{"seconds": 0.01}');
for my $round (1 .. 5)
{
	last if $node->safe_psql('postgres', $open) eq '0';
	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'dealix%worker%'");
	sleep(0.2);
}
dx_poll($node, 'SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL', 'those of killed workers end too', '0');
is($node->safe_psql('postgres', $taken), '0', 'and no slot is lost');

# ---------- who waits ----------

start('parked', 500, '{"key": "p"}');
dx_poll($node, q{SELECT count(*) FROM dealix.branch WHERE phase = 12 AND due_at IS NULL}, 'they wait without a timer', '498');
my $passes = q{SELECT (SELECT coalesce(sum(passes), 0) FROM dealix.worker_details WHERE kind = 'worker')};
my $quiet = stat_of($passes);
sleep(2);
is($node->safe_psql('postgres', $passes), $quiet, 'and nobody looks after them while nothing happens');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.stuck()'), '0', 'they are not stuck');

dx_crash($node);
is($node->safe_psql('postgres', $taken), '2', 'after a crash the slots are with who had them');
dx_sql($node, 'app', q{SELECT count(dealix.signal(run_id, 'go')) FROM dealix.waiting_details WHERE waits_for = 'signal'});
dx_poll($node, q{SELECT count(*) FILTER (WHERE phase = 4), count(*) FILTER (WHERE phase = 12) FROM dealix.branch}, 'and go to the next', '2|496');

# A slot that nobody was woken for.
$node->safe_psql('postgres', 'ALTER SYSTEM SET dealix_exec.sweep_interval = 1');
$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
$node->safe_psql('postgres', q{UPDATE dealix.workflow_slot SET run_id = NULL WHERE run_id =
	(SELECT run_id FROM dealix.branch WHERE phase = 4 ORDER BY run_id LIMIT 1)});
dx_poll($node, q{SELECT count(*) FILTER (WHERE phase = 4), count(*) FILTER (WHERE phase = 12) FROM dealix.branch}, 'the sweep finds it', '3|495', undef, 10);

dx_sql($node, 'app', q{SELECT dealix.limit_workflow('parked', NULL)});
dx_poll($node, q{SELECT count(*) FROM dealix.branch WHERE phase = 12}, 'without the limit nobody waits', '0');
$node->stop;
done_testing();
