# Superusers own no runs unless a setting says so, and workers ask whom an owner
# trusts.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;

dx_skip_root();

my $node = dx_node('trust', 'dealix_exec.superuser_runs = off');
dx_shop($node);

sub set_superuser_runs
{
	my ($value) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET dealix_exec.superuser_runs = $value");
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	dx_poll($node, 'SHOW dealix_exec.superuser_runs', "superuser_runs is $value", $value);
	return;
}

# ---------- superusers ----------

my $refused = qr/superuser "postgres" cannot own a run/;
for my $what (
	[ 'start', q{SELECT dealix.start('slow')} ],
	[ 'start_many', q{SELECT dealix.start_many('slow', '{"{}"}')} ],
	[ 'start with a key', q{SELECT dealix.start('slow', key => 'k')} ],
	[ 'signal_with_start', q{SELECT dealix.signal_with_start('parked', 'k', 'go')} ],
	[ 'a trigger', q{CREATE TEMP TABLE o (id int); CREATE TRIGGER s AFTER INSERT ON o FOR EACH ROW EXECUTE FUNCTION dealix.start_run('slow'); INSERT INTO o VALUES (1)} ],
	[ 'a schedule', q{SELECT dealix_internal.put_schedule('s', '* * * * *', 'slow', '{}', 'skip', '0', '0'); SELECT dealix.fire_schedule('s')} ],
	[ 'a backfill', q{SELECT dealix_internal.put_schedule('s', '* * * * *', 'slow', '{}', 'skip', '0', '0'); SELECT dealix.backfill('s', ARRAY[now()])} ])
{
	my ($rc, $out, $err) = dx_try($node, 'postgres', $what->[1]);

	isnt($rc, 0, "$what->[0]: a superuser starts nothing");
	like($err, $refused, "$what->[0]: because of that");
	like($err, qr/HINT: .*superuser_runs = on/, "$what->[0]: and says what would allow it");
}
like((dx_try($node, 'app', 'SET dealix_exec.superuser_runs = on'))[2], qr/cannot be changed/, 'nobody sets it for himself');
is($node->safe_psql('postgres', q{SET ROLE app; SELECT dealix.start('parked', '{"key": "role"}', 'role') IS NOT NULL}), 't', 'a superuser who is an ordinary role starts runs of that role');
is($node->safe_psql('postgres', q{SELECT owner FROM dealix.run_details WHERE key = 'role'}), 'app', 'which it owns');

my ($rc, $out, $err) = dx_try($node, 'postgres', q{SELECT dealix.test_state('{"QueryLanguage": "SQL", "StartAt": "S", "States": {"S": {"Type": "Pass", "Output": "{% 1 %}", "End": true}}}', 'S', '{}')});
like($err, qr/a superuser cannot evaluate the expression at \/States\/S\/Output/, 'nor does a superuser evaluate expressions of a definition');

# Runs from when it was allowed stay where they are.
set_superuser_runs('on');
like((dx_try($node, 'postgres', q{SELECT dealix.start('parked')}))[2], qr/role "postgres" does not trust the author/, 'a superuser, too, says whom it trusts');
$node->safe_psql('postgres', q{SELECT dealix.trust_author('app'); SELECT dealix.start('parked', '{"key": "p1"}', 'p1'); SELECT dealix.start('parked', '{"key": "p2"}', 'p2')});
dx_poll($node, q{SELECT count(*) FROM dealix.waiting_details w JOIN dealix.run_details USING (run_id) WHERE key LIKE 'p_' AND waits_for = 'signal'}, 'a worker advances them', '2');
set_superuser_runs('off');
$node->safe_psql('postgres', q{SELECT dealix.signal(run_id, 'go') FROM dealix.run_details WHERE key = 'p1'});
is($node->safe_psql('postgres', 'SELECT dealix.tick()'), '0', 'off again, tick advances none');
$node->safe_psql('postgres', 'CALL dealix.drain()');
dx_sql($node, 'app', q{SELECT dealix.start('chain', '{"key": "after", "n": 1, "wait": 0}', 'after')});
dx_poll($node, q{SELECT status FROM dealix.run_details WHERE key = 'after'}, 'the runs of others go on', 'SUCCEEDED');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details WHERE key LIKE 'p_' AND status = 'RUNNING'}), '2', 'those of the superuser do not');
is($node->safe_psql('postgres', q{SELECT count(*) FROM shop.ledger WHERE key LIKE 'p_'}), '0', 'nothing of them was executed');
like($node->safe_psql('postgres', q{SELECT problem FROM dealix.owner_details WHERE name = 'postgres'}), qr/it is a superuser/, 'dealix.owners says so');

# Handed over, they go on.
is($node->safe_psql('postgres', q{SELECT dealix.reassign('postgres', 'app')}), '2', 'dealix.reassign hands them over');
dx_poll($node, q{SELECT status FROM dealix.run_details WHERE key = 'p1'}, 'and they go on', 'SUCCEEDED');

# ---------- a stranger's child, in a worker ----------

$node->safe_psql('postgres', q{CREATE ROLE eve LOGIN; SELECT dealix.grant_access('eve', 'author'); GRANT USAGE ON SCHEMA shop TO eve});
dx_sql($node, 'app', q{SELECT dealix.publish('parent', '{"StartAt": "C", "States": {"C": {"Type": "Task", "Resource": "workflow:child", "End": true}}}');
	SELECT dealix.start('parent', '{}', 'c1')});
dx_poll($node, q{SELECT error FROM dealix.run_details WHERE key = 'c1'}, 'a child that does not exist', 'Workflow.DoesNotExist');
dx_sql($node, 'eve', q{SELECT dealix.publish('child', '{"QueryLanguage": "SQL", "StartAt": "C", "States": {"C": {"Type": "Pass", "Output": "{% (SELECT count(*) FROM shop.ledger) %}", "End": true}}}')});
dx_sql($node, 'app', q{SELECT dealix.start('parent', '{}', 'c2')});
dx_poll($node, q{SELECT error FROM dealix.run_details WHERE key = 'c2'}, 'a child that a stranger has published since', 'States.Permissions');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.incident_details}), '0', 'none of it is an incident');

# A schedule whose author is not trusted any more: a buffered start is refused, and no pass fails because of it.
dx_sql($node, 'eve', q{SELECT dealix.publish('wait', '{"StartAt": "W", "States": {"W": {"Type": "Task", "Resource": "signal:go", "End": true}}}')});
dx_sql($node, 'app', q{SELECT dealix.trust_author('eve');
	SELECT dealix_internal.put_schedule('s', '* * * * *', 'wait', '{}', 'buffer_one', '0', '0');
	SELECT dealix.fire_schedule('s', '2026-01-01 00:00'), dealix.fire_schedule('s', '2026-01-01 00:01');
	SELECT dealix.distrust_author('eve');
	SELECT dealix.signal(run_id, 'go') FROM dealix.run_details WHERE workflow = 'wait'});
dx_poll($node, q{SELECT status FROM dealix.run_details WHERE workflow = 'wait'}, 'the run of a schedule ends', 'SUCCEEDED');
is($node->safe_psql('postgres', q{SELECT last_outcome FROM dealix.schedule_details}), 'REFUSED', 'the one that waited for it is refused');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details WHERE workflow = 'wait'}), '1', 'and not started');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.incident_details}), '0', 'without an incident');
is($node->safe_psql('postgres', 'SELECT * FROM dealix.stuck()'), '', 'nothing is stuck');

$node->stop;
done_testing();
