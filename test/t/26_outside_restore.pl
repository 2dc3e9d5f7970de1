# Runs that wait for the world outside survive dump and restore; the copy hands
# out nothing until it is resumed, and goes on then.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

my $node = dx_node('restore');
dx_shop($node);
$node->safe_psql('postgres', q{
	CREATE ROLE ops LOGIN; CREATE ROLE boss LOGIN;
	SELECT dealix.grant_access('ops', 'operator'), dealix.grant_access('boss', 'approver');
});
my @kinds = ('activity:queued', 'activity:claimed', 'event:paid', 'approval:ask', 'workflow:child', 'emit:told.waitForTaskToken', 'signal:a&b');
for my $kind (@kinds)
{
	my ($name) = $kind =~ /:(\w+)/;

	dx_sql($node, 'app', qq{
		SELECT dealix.publish('child', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "signal:go", "End": true}}}');
		SELECT dealix.publish('$name!', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "$kind", "TimeoutSeconds": 86400, "End": true}}}');
		SELECT dealix.start('$name!', '{}', '$name', correlation_id => 'c')});
}
my $parked = q{SELECT string_agg(waits_for, ',' ORDER BY waits_for) FROM dealix.waiting_details WHERE waits_for <> 'turn' AND workflow <> 'each'};
dx_poll($node, $parked, 'runs wait for all kinds of things', 'activity,activity,approval,child,event,signal,signal,token');
# 2.5 claims a second in two shards, one of them used
dx_sql($node, 'ops', q{SELECT dealix.limit_activity('claimed', 2, 2.5), dealix.limit_activity('queued', 1)});
my $old = dx_sql($node, 'app', q{SELECT token FROM dealix.claim('claimed', 'w', 1, '20 s')});

# limits per owner, of a workflow and of an activity, used up
dx_sql($node, 'app', q{
	SELECT dealix.publish('each', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "signal:on", "Next": "B"}, "B": {"Type": "Task", "Resource": "activity:each", "End": true}}}')});
dx_sql($node, 'ops', q{SELECT dealix.limit_workflow('each', 3, per_owner => true), dealix.limit_activity('each', 1, 1000, per_owner => true)});
dx_sql($node, 'app', q{SELECT count(dealix.start('each', '{}', 'each' || n)) FROM generate_series(1, 5) n});
dx_poll($node, q{SELECT string_agg(waits_for, ',' ORDER BY waits_for) FROM dealix.waiting_details WHERE workflow = 'each'}, 'three of five are in progress', 'concurrency,concurrency,signal,signal,signal');
dx_sql($node, 'app', q{SELECT dealix.signal(run_id, 'on') FROM (SELECT run_id FROM dealix.waiting_details WHERE waits_for = 'signal' AND workflow = 'each' LIMIT 2) x});
dx_poll($node, q{SELECT string_agg(waits_for, ',' ORDER BY waits_for) FROM dealix.waiting_details WHERE workflow = 'each'}, 'two of them have tasks', 'activity,activity,concurrency,concurrency,signal');
my $each = dx_sql($node, 'app', q{SELECT token FROM dealix.claim('each', 'w', 2, '1 day')});
unlike($each, qr/\n/, 'one of which is claimed');

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('copy'), $dump ], 'pg_restore');
is($node->safe_psql('copy', $parked), 'activity,activity,approval,child,event,signal,signal,token', 'the copy has them');
my $slots = q{SELECT string_agg(concat_ws(' ', activity, slot, taken), ',' ORDER BY activity, slot) FROM dealix.activity_slot WHERE activity <> 'each'};
is($node->safe_psql('copy', $slots), 'claimed 1 t,claimed 2 f,queued 1 f', 'the slots of limited activities with them');
is($node->safe_psql('copy', q{SELECT string_agg(concat_ws(' ', l.activity, max_in_flight, rate, (SELECT count(*) FROM dealix.activity_rate r WHERE r.activity = l.activity)), ',' ORDER BY activity) FROM dealix.activity_limit l WHERE activity <> 'each'}),
	'claimed 2 2.5 2,queued 1 0', 'and the limits');
my (undef, undef, $err) = dx_try($node, 'app', q{SELECT * FROM dealix.claim('queued', 'w')}, 'copy');
like($err, qr/this database is held, because it is a copy/, 'it hands out nothing');
is(dx_sql($node, 'ops', 'SELECT dealix.resume_engine()', 'copy'), 't', 'until it is resumed');

is(dx_sql($node, 'app', q{SELECT count(*) FROM dealix.claim('each', 'w', 2)}, 'copy'), '0', 'a limit per owner counts what was claimed in the original');
is($node->safe_psql('copy', q{SELECT string_agg(concat_ws(' ', kind, owner, used, max), ', ' ORDER BY kind) FROM dealix.limits WHERE name = 'each'}),
	'activity app 1 1, workflow app 3 3', 'and the runs that are in progress');
dx_sql($node, 'app', qq{SELECT dealix.complete('$each')}, 'copy');
is(dx_sql($node, 'app', q{SELECT count(dealix.complete(token)) FROM dealix.claim('each', 'w', 2)}, 'copy'), '1', 'it gives its slot back there');
dx_poll($node, q{SELECT string_agg(waits_for, ',' ORDER BY waits_for) FROM dealix.waiting_details WHERE workflow = 'each'}, 'and the next two begin', 'signal,signal,signal', 'copy');
dx_sql($node, 'app', q{SELECT dealix.signal(run_id, 'on') FROM dealix.waiting_details WHERE workflow = 'each'}, 'copy');
for (1 .. 3)
{
	dx_poll($node, q{SELECT (count(*) > 0)::text FROM dealix.activity_details WHERE activity = 'each' AND status = 'QUEUED'}, 'a task comes', 'true', 'copy');
	is(dx_sql($node, 'app', q{SELECT count(dealix.complete(token)) FROM dealix.claim('each', 'w', 2)}, 'copy'), '1', 'one at a time');
}

# the lease of the worker that is the original's ends here, and the run has no Retry
dx_poll($node, q{SELECT error FROM dealix.run_details WHERE key = 'claimed'}, 'a lease from before ends', 'States.Timeout', 'copy');
(undef, undef, $err) = dx_try($node, 'app', "SELECT dealix.complete('$old')", 'copy');
like($err, qr/is refused/, 'with its token');
is($node->safe_psql('copy', $slots), 'claimed 1 f,claimed 2 f,queued 1 f', 'and its slot is free');
is(dx_sql($node, 'app', q{SELECT dealix.complete(token, '1') FROM dealix.claim('queued', 'w')}, 'copy'), 'COMPLETED', 'a task is done');
is($node->safe_psql('copy', $slots), 'claimed 1 f,claimed 2 f,queued 1 f', 'under its limit, and gives its slot back');
is(dx_sql($node, 'app', q{SELECT dealix.publish_event('paid', 'c')}, 'copy'), '1', 'an event comes');
is(dx_sql($node, 'boss', q{SELECT dealix.approve(id) FROM dealix.approval_details WHERE status = 'PENDING'}, 'copy'), 'APPROVED', 'somebody decides');
dx_sql($node, 'app', q{SELECT dealix.signal(run_id, 'go') FROM dealix.run_details WHERE workflow = 'child'}, 'copy');
dx_sql($node, 'app', q{SELECT dealix.complete(task_id || '.1') FROM dealix.activity_details WHERE status = 'TOKEN'}, 'copy');
dx_sql($node, 'app', q{SELECT dealix.signal(run_id, s) FROM dealix.run_details, unnest(ARRAY['a', 'b']) s WHERE key = 'a'}, 'copy');
is(dx_sql($node, 'app', q{SELECT count(*) FROM dealix.read_outbox('c')}, 'copy'), '1', 'the outbox has what it had');
dx_poll($node, q{SELECT string_agg(DISTINCT status, ',' ORDER BY status) FROM dealix.run_details WHERE key <> 'claimed' OR key IS NULL}, 'all the others succeed', 'SUCCEEDED', 'copy');
is($node->safe_psql('copy', 'SELECT count(*) FROM dealix.stuck()'), '0', 'nothing is stuck');
dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL AND workflow <> 'each'}, 'in the original all but the one with the lease wait', '7');

$node->stop;
done_testing();
