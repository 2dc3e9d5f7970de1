# Whatever is due is due for the dispatcher's clock.  With a sweep once in an hour
# nothing here happens at all unless its time was announced and looked at.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

dx_skip_root();

my $node = dx_node('due', 'dealix_exec.sweep_interval = 1h', 'dealix_exec.outcome_retention = 1min');
dx_shop($node);
dx_sql($node, 'app', q{
	SELECT dealix.publish('lease', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:lg",
		"TimeoutSeconds": 3600, "End": true}}}');
	SELECT dealix.publish('beat', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:hb",
		"TimeoutSeconds": 3600, "HeartbeatSeconds": 1, "End": true}}}');
	SELECT dealix.publish('pickup', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:nobody",
		"ScheduleToStartSeconds": 1, "End": true}}}');
	SELECT dealix.publish('closing', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:cl",
		"ScheduleToCloseSeconds": 1, "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}], "End": true}}}');
	SELECT dealix.publish('token', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:shop.book.waitForTaskToken",
		"Parameters": {"key": "t", "step.$": "$$.Task.Token"}, "HeartbeatSeconds": 1, "End": true}}}');
	SELECT dealix.publish('people', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "approval:pay", "TimeoutSeconds": 1, "End": true}}}');
	SELECT dealix.publish('event', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "event:never", "TimeoutSeconds": 1, "End": true}}}');
	SELECT dealix.publish('signal', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "signal:never", "TimeoutSeconds": 1, "End": true}}}');
	SELECT dealix.publish('whole', '{"StartAt": "A", "TimeoutSeconds": 1, "States": {"A": {"Type": "Task", "Resource": "signal:never", "End": true}}}');
	SELECT dealix.publish('fork', '{"StartAt": "P", "TimeoutSeconds": 1, "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
		{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "signal:never", "End": true}}}]}}}');
	SELECT dealix.publish('child', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "workflow:signal", "TimeoutSeconds": 1, "End": true}}}');
	SELECT dealix.publish('retry', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:shop.fail_sometimes",
		"Parameters": {"key": "r", "n": 10}, "Retry": [{"ErrorEquals": ["Shop.Unlucky"], "IntervalSeconds": 1, "MaxAttempts": 1}], "End": true}}}');
	SELECT dealix.publish('wait', '{"StartAt": "A", "States": {"A": {"Type": "Wait", "SecondsPath": "$.s", "End": true}}}');
});
dx_sql($node, 'postgres', q{SELECT dealix.limit_activity('one', max_in_flight => 1), dealix.limit_activity('slowly', rate => 1)});
dx_sql($node, 'app', q{
	SELECT dealix.publish('one', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:one", "TimeoutSeconds": 3600, "End": true}}}');
	SELECT dealix.publish('slowly', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:slowly", "TimeoutSeconds": 3600, "End": true}}}');
});

sub start
{
	my ($workflow, $input) = @_;

	$input //= '{}';
	return dx_sql($node, 'app', "SELECT dealix.start('$workflow', '$input')");
}

sub ended
{
	my ($run) = @_;

	return "SELECT status || ' ' || coalesce(error, '') FROM dealix.run_details WHERE run_id = '$run'";
}

# How much later than it was due a run has ended, by the times that it recorded.
sub late
{
	my ($run, $due, $what) = @_;
	my $ms = $node->safe_psql('postgres', qq{SELECT round(extract(epoch FROM finished_at - ($due)) * 1000)
		FROM dealix.run_details r WHERE run_id = '$run'});

	cmp_ok($ms, '>=', 0, "$what: not too early ($ms ms after its time)");
	note("$what: $ms ms late");
	return $ms;
}

# ---------- timers that a state sets for itself ----------

for my $case ([ 'pickup', 'FAILED States.Timeout' ], [ 'people', 'FAILED States.Timeout' ],
	[ 'event', 'FAILED States.Timeout' ], [ 'signal', 'FAILED States.Timeout' ],
	[ 'whole', 'TIMED_OUT States.Timeout' ], [ 'fork', 'TIMED_OUT States.Timeout' ],
	[ 'child', 'FAILED States.Timeout' ], [ 'retry', 'FAILED Shop.Unlucky' ])
{
	my ($workflow, $end) = @$case;
	my $run = start($workflow);

	dx_poll($node, ended($run), "$workflow: its time comes without a sweep", $end);
	late($run, "r.created_at + '1 s'", $workflow);
}

# a wait that was announced when it was over already: the commit came late
{
	my $run = dx_sql($node, 'app', q{BEGIN; SELECT dealix.start('wait', '{"s": 1}'); SELECT dealix.tick() IS NULL; SELECT pg_sleep(2); COMMIT});

	($run) = split /\n/, $run;
	dx_poll($node, ended($run), 'a timer whose transaction commits after its time', 'SUCCEEDED ');
}

# ---------- leases ----------

sub claim
{
	my ($activity, $lease) = @_;
	my $until = time() + 60;
	my $token = '';

	while ($token eq '' && time() < $until)
	{
		$token = dx_sql($node, 'app', "SELECT token FROM dealix.claim('$activity', 'w', 1" . ($lease ? ", '$lease'" : '') . ')');
		sleep(0.05) if $token eq '';
	}
	isnt($token, '', "$activity: a task is claimed");
	return $token;
}

{
	my $run = start('lease');

	claim('lg', '2 s');
	my $due = $node->safe_psql('postgres', q{SELECT expires_at FROM dealix.activity_task});
	dx_poll($node, ended($run), 'the lease of a claim ends at its time', 'FAILED States.Timeout');
	late($run, "'$due'::timestamptz", 'lease of a claim');
}
{
	my $run = start('beat');
	my $token = claim('hb');

	for (1 .. 4)
	{
		sleep(0.4);
		dx_sql($node, 'app', "SELECT dealix.heartbeat('$token')");
	}
	my $due = $node->safe_psql('postgres', q{SELECT heartbeat_at + lease FROM dealix.activity_task});
	dx_poll($node, ended($run), 'a lease that heartbeats have moved ends at its time', 'FAILED States.Timeout');
	late($run, "'$due'::timestamptz", 'lease after heartbeats');
}
{
	my $run = start('closing');

	claim('cl', '1 h');
	dx_poll($node, ended($run), 'ScheduleToCloseSeconds of a claimed task', 'FAILED States.Timeout');
}
{
	my $run = start('token');

	dx_poll($node, ended($run), 'the heartbeat of a token', 'FAILED States.Timeout');
}

# a lease that ends while somebody else has the task locked
{
	my $run = start('lease');

	claim('lg', '1 s');
	my $locker = $node->background_psql('postgres', on_error_stop => 1);
	$locker->query_safe('BEGIN; SELECT count(*) FROM (SELECT FROM dealix.activity_task FOR UPDATE) t');
	sleep(2);
	$locker->query_safe('ROLLBACK');
	dx_poll($node, ended($run), 'a lease whose row was locked at its time', 'FAILED States.Timeout');
	$locker->quit;
}

# a task that the run has given up is forgotten in the end
{
	my $run = start('lease');
	my $token = claim('lg', '1 s');

	dx_sql($node, 'app', "SELECT dealix.cancel('$run')");
	dx_poll($node, ended($run), 'cancelled', 'CANCELLED Cancelled');
	dx_poll($node, q{SELECT count(*) FROM dealix.activity_task}, 'its task goes with the lease', '0');
}

# ---------- who waits for work ----------

# A worker that waits, in the background: prints what it got and when.
sub waiter
{
	my ($activity) = @_;
	my ($out, $err) = ('', '');

	return IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') . ' user=app', '-c',
			"CALL dealix.wait_for_work('$activity', '3 min')", '-c', 'SELECT extract(epoch FROM clock_timestamp())' ],
		'>', \$out, '2>', \$err), \$out;
}

{
	my @runs = (start('one'), start('one'));

	claim('one', '3 s');
	my $due = $node->safe_psql('postgres', q{SELECT extract(epoch FROM expires_at) FROM dealix.activity_task WHERE claimed_at IS NOT NULL});
	my ($waiter, $out) = waiter('one');
	$waiter->finish;
	like($$out, qr/^t$/m, 'a slot that an ended lease gives back wakes who waits for work');
	my ($at) = $$out =~ /^([\d.]+)$/m;
	cmp_ok($at, '>=', $due, 'not before');
	note(sprintf 'max_in_flight: %.0f ms late', ($at - $due) * 1000);
	dx_sql($node, 'app', "SELECT dealix.cancel('$_')") for @runs;
}
{
	my @runs = (start('slowly'), start('slowly'));

	claim('slowly', '1 h');
	my ($waiter, $out) = waiter('slowly');
	$waiter->finish;
	like($$out, qr/^t$/m, 'the next token of a rate wakes who waits for work');
	dx_sql($node, 'app', "SELECT dealix.cancel('$_')") for @runs;
}

# ---------- outcomes ----------

{
	my $run = start('lease');
	my $token = claim('lg');

	dx_sql($node, 'app', "SELECT dealix.complete('$token', '1')");
	dx_poll($node, ended($run), 'completed', 'SUCCEEDED ');
	is(dx_sql($node, 'app', "SELECT dealix.complete('$token', '1')"), 'COMPLETED', 'said again');
	$node->safe_psql('postgres', q{UPDATE dealix.activity_outcome SET at = at - interval '61 s'});
	my ($rc, undef, $err) = dx_try($node, 'app', "SELECT dealix.complete('$token', '1')");
	isnt($rc, 0, 'after outcome_retention it is refused');
	like($err, qr/refused/, 'and says so');
	$node->safe_psql('postgres', q{ALTER SYSTEM SET dealix_exec.sweep_interval = 1; SELECT pg_reload_conf()});
	dx_poll($node, q{SELECT count(*) FROM dealix.activity_outcome WHERE at < now() - interval '1 min'}, 'a sweep forgets it', '0');
}

is($node->safe_psql('postgres', 'SELECT * FROM dealix.stuck()'), '', 'nothing is stuck');
$node->stop;
done_testing();
