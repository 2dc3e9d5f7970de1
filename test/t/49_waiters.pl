# Many wait for work: each task wakes one of them, and none is left lying
# because the one that was woken has gone.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

my $n = 50;
my $tasks = 30;
my $node = dx_node('waiters', 'max_connections = 120');
my $script = PostgreSQL::Test::Utils::tempdir() . '/worker.sql';
dx_shop($node);
dx_sql($node, 'app', q{
	CREATE TABLE shop.turn (claimed int, pid int DEFAULT pg_backend_pid());
	SELECT dealix.publish('task', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:crowd", "End": true}}}')});

# A worker: waits, claims one task, waits again.
open my $fh, '>', $script or die;
print $fh "CALL dealix.wait_for_work('crowd', '1 hour');\nINSERT INTO shop.turn SELECT count(*) FROM dealix.claim('crowd', 'w', 1);\n" for 1 .. 200;
close $fh;
my @workers = map {
	my $pid = fork();
	if ($pid == 0)
	{
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', '/dev/null';
		exec 'psql', '-XqAt', '-d', $node->connstr('postgres') . ' user=app application_name=crowd', '-f', $script;
	}
	$pid;
} 1 .. $n;

my $waiting = q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crowd' AND query LIKE 'CALL%' AND wait_event_type = 'Extension'};
my $claimed = q{SELECT coalesce(sum(claimed), 0) FROM shop.turn};
dx_poll($node, $waiting, 'they wait', $n);

# ---------- one task, one waiter ----------

for my $task (1 .. $tasks)
{
	dx_sql($node, 'app', q{SELECT dealix.start('task')});
	dx_poll($node, $claimed, "task $task is claimed", $task) if $task % 10 == 0;
}
dx_poll($node, $waiting, 'all wait again', $n);
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM shop.turn'), '<=', 1.5 * $tasks, 'hardly anybody was woken in vain');

# ---------- many at once ----------

dx_sql($node, 'app', "SELECT count(*) FROM dealix.start_many('task', ARRAY(SELECT '1'::jsonb FROM generate_series(1, 100)))");
dx_poll($node, $claimed, 'more tasks than waiters are claimed', $tasks + 100);

# ---------- who was woken goes away ----------

# Stopped processes are woken by tasks, and terminated before they can look.
dx_poll($node, $waiting, 'all wait again', $n);
my @pids = split /\n/, $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = 'crowd' ORDER BY random() LIMIT 40");
kill 'STOP', @pids;
dx_sql($node, 'app', "SELECT count(*) FROM dealix.start_many('task', ARRAY(SELECT '1'::jsonb FROM generate_series(1, 20)))");
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[' . join(',', @pids) . ']) pid');
kill 'CONT', @pids;
dx_poll($node, $claimed, 'the others claim what those were woken for', $tasks + 120);
kill 'KILL', @workers;
waitpid($_, 0) for @workers;
is($node->safe_psql('postgres', 'SELECT count(DISTINCT task_id) FROM dealix.activity_details'), $tasks + 120, 'each task is there once');

$node->stop;
done_testing();
