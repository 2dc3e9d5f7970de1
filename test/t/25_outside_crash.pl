# What crosses the border of a run survives crashes of the server: activities,
# children, events that are emitted, with workers that go on in between.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

dx_skip_root();

my $n = 300;
my $node = dx_node('outside');
my $receiver = PostgreSQL::Test::Utils::tempdir() . '/receiver';
dx_shop($node);
dx_sql($node, 'app', q{
	SELECT dealix.publish('child', '{"StartAt": "B", "States": {"B": {"Type": "Task", "Resource": "sql:shop.book",
		"Parameters": {"key.$": "$.key", "step": "child"}, "ResultPath": null, "End": true}}}');
	SELECT dealix.publish('family', '{"StartAt": "S", "States": {
		"S": {"Type": "Task", "Resource": "activity:send", "HeartbeatSeconds": 2, "ResultPath": "$.sent",
			"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 20, "BackoffRate": 1.0}], "Next": "C"},
		"C": {"Type": "Task", "Resource": "workflow:child", "Parameters": {"key.$": "$.key"}, "ResultPath": null, "Next": "E"},
		"E": {"Type": "Task", "Resource": "emit:done", "Parameters": {"key.$": "$.key"}, "ResultPath": null, "End": true}}}');
});

# A worker: claims, has an effect that is not in the database, completes.  What
# it cannot complete it gives up.
sub worker
{
	my $pid = fork();

	return $pid if $pid;
	while (1)
	{
		my $tasks = '';

		system('psql', '-XqAt', '-d', $node->connstr('postgres') . ' user=app', '-o', "$receiver.$$", '-c', q{CALL dealix.wait_for_work('send', '1 s')}, '-c',
			q{SELECT token, idempotency_key FROM dealix.claim('send', 'w', 5)}) == 0 or do { sleep(0.2); next };
		open my $fh, '<', "$receiver.$$" or next;
		for my $task (grep { /^[0-9a-f-]{36}\./ } <$fh>)
		{
			chomp $task;
			my ($token, $key) = split /\|/, $task;

			open my $out, '>>', $receiver or POSIX::_exit(1);
			syswrite $out, "$key\n";
			system('psql', '-XqAt', '-d', $node->connstr('postgres') . ' user=app', '-o', '/dev/null', '-c', "SELECT dealix.complete('$token', '\"sent\"')");
		}
	}
}

open STDERR, '>', "$receiver.err";
my @workers = map { worker() } 1 .. 2;
dx_sql($node, 'app', qq{SELECT count(*) FROM dealix.start_many('family', ARRAY(SELECT jsonb_build_object('key', 'k' || i) FROM generate_series(1, $n) i))});
for my $round (1 .. 2)
{
	sleep(2);
	dx_crash($node);
}
dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL}, 'every run has ended', '0', undef, 150);
kill 'KILL', @workers;
waitpid($_, 0) for @workers;
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT workflow || ' ' || status, ', ') FROM dealix.run_details}), 'child SUCCEEDED, family SUCCEEDED', 'as it should');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details WHERE workflow = 'child'}), $n, 'one child each');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT key) FROM shop.ledger WHERE step = 'child'}), "$n|$n", 'whose effect is there once');
is(dx_sql($node, 'app', qq{SELECT count(*), count(DISTINCT event #>> '{data,key}'), count(DISTINCT event ->> 'id') FROM dealix.read_outbox('all', 10000)}), "$n|$n|$n", 'one event each');
my %calls;
$calls{$_}++ for split /\n/, slurp_file($receiver);
is(scalar keys %calls, $n, 'the receiver saw one key for each run, in however many attempts');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.activity_details'), '0', 'no task is left');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.stuck()'), '0', 'nothing is stuck');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.incident_details'), '0', 'no incident');

$node->stop;
done_testing();
