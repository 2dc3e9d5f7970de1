# What is acknowledged is on the synchronous standby, whatever the role has set
# synchronous_commit to; a server that sets remote_apply gets it from workers
# too; and a copy that came by logical replication goes on behind its numbers.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

my $node = dx_node('primary', 'wal_level = logical', 'max_wal_senders = 6', 'max_replication_slots = 6',
	'hot_standby = on', 'dealix_exec.workers = 2', 'max_connections = 60');

# dx_node has no replication in pg_hba.conf.
append_to_file($node->data_dir . '/pg_hba.conf', "local replication all trust\n");
$node->reload;
dx_shop($node);
$node->safe_psql('postgres', q{
	CREATE ROLE boss LOGIN; SELECT dealix.grant_access('boss', 'approver');
	SELECT dealix.grant_access('app', 'operator');
});
dx_sql($node, 'app', q{
	SELECT dealix.publish('act', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:work", "End": true}}}'),
		dealix.publish('ask', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "approval:pay", "End": true}}}'),
		dealix.publish('event', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "event:e", "End": true}}}');
	SELECT count(*) FROM dealix.start_many('act', ARRAY(SELECT '{}'::jsonb FROM generate_series(1, 20)));
	SELECT count(*) FROM dealix.start_many('parked', ARRAY(SELECT '{"key": "p"}'::jsonb FROM generate_series(1, 20)));
	SELECT dealix.start('ask'), dealix.start('event'), dealix.start('event');
	SELECT dealix_internal.put_schedule('s', '* * * * *', 'parked', '{"key": "s"}', 'buffer_one', '0', '0');
	SELECT dealix_internal.put_schedule('u', '* * * * *', 'parked', '{"key": "u"}', 'allow', '0', '0');
	SELECT dealix_internal.put_schedule('t', '* * * * *', 'parked', '{"key": "t"}', 'allow', '0', '0');
	SELECT dealix.fire_schedule('s', '2030-01-01 00:00+00');
});
dx_poll($node, q{SELECT count(*) FROM dealix.waiting_details}, 'all runs wait', '44');

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "cluster_name = 'standby'\nsynchronous_commit = on\n");
$standby->start;
dx_poll($node, 'SELECT count(*) FROM pg_stat_replication', 'a standby is there', '1');
$node->safe_psql('postgres', q{ALTER SYSTEM SET synchronous_standby_names = 'standby'; ALTER SYSTEM SET dealix_exec.workers = 0});
$node->reload;
dx_poll($node, q{SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'}, 'a synchronous one', '1');
dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dealix%worker%'}, 'and no worker', '0');

# ---------- what answers waits for the standby ----------

sub call
{
	my ($name, $role, $sql) = @_;

	local $ENV{PGAPPNAME} = "call $name";
	my $call = { name => $name, out => '', err => '' };
	$call->{handle} = IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d',
			$node->connstr('postgres') . " user=$role", '-c', $sql ], '>', \$call->{out}, '2>', \$call->{err});
	return $call;
}

sub run_of { my ($n) = @_; return "(SELECT run_id FROM dealix.run_details WHERE workflow = 'parked' ORDER BY run_id OFFSET $n LIMIT 1)" }

for my $level (qw(local off remote_write))
{
	my %n = (local => 0, off => 5, remote_write => 10);
	my $n = $n{$level};
	my $minute = $n + 1;

	$node->safe_psql('postgres', qq{SET synchronous_commit = local; ALTER ROLE app SET synchronous_commit = $level; ALTER ROLE boss SET synchronous_commit = $level});
	my $token = dx_sql($node, 'app', q{SET synchronous_commit = on; SELECT token FROM dealix.claim('work', 'w', 1)});
	my $other = dx_sql($node, 'app', q{SET synchronous_commit = on; SELECT token FROM dealix.claim('work', 'w', 1)});
	my $intent = $node->safe_psql('postgres', q{SELECT id FROM dealix.approval_details WHERE status = 'PENDING' LIMIT 1});
	$standby->stop('immediate');
	my @calls = (
		call("start", 'app', q{SELECT dealix.start('parked', '{"key": "x"}')}),
		call("keyed", 'app', qq{SELECT dealix.start('parked', '{"key": "x"}', 'key $level')}),
		call("many", 'app', q{SELECT dealix.start_many('parked', ARRAY['{"key": "x"}']::jsonb[])}),
		call("signal", 'app', "SELECT dealix.signal(" . run_of($n) . ", 'go')"),
		call("cancel", 'app', "SELECT dealix.cancel(" . run_of($n + 1) . ")"),
		call("terminate", 'app', "SELECT dealix.terminate(" . run_of($n + 2) . ")"),
		call("claim", 'app', q{SELECT token FROM dealix.claim('work', 'w', 1)}),
		call("complete", 'app', "SELECT dealix.complete('$token', '1')"),
		call("fail", 'app', "SELECT dealix.fail('$other', 'E')"),
		call("fire", 'app', qq{SELECT dealix.fire_schedule('t', '2030-01-01 00:00+00'::timestamptz + '$minute min')}),
		call("backfill", 'app', qq{SELECT dealix.backfill('u', ARRAY['2031-01-01 00:00+00'::timestamptz + '$minute min'])}),
		call("publish", 'app', qq{SELECT dealix.publish('new $level', '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}')}),
	);
	# what only one of a kind can do
	push @calls, call('buffer', 'app', q{SELECT dealix.fire_schedule('s', '2030-01-01 00:10+00')}),
	  call('event', 'app', q{SELECT dealix.publish_event('e', NULL, '1')}),
	  call('approve', 'boss', "SELECT dealix.approve('$intent')")
	  if $level eq 'local';

	dx_poll($node, q{SELECT string_agg(application_name, ',' ORDER BY application_name) FROM pg_stat_activity
		WHERE wait_event = 'SyncRep' AND application_name LIKE 'call %'}, "$level: every answer waits for the standby",
		join(',', map { "call $_" } sort map { $_->{name} } @calls));
	$standby->start;
	for my $call (@calls)
	{
		$call->{handle}->finish;
		is($call->{err}, '', "$level: $call->{name} succeeds with it");
	}
}
dx_poll($node, q{SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'}, 'the standby is back', '1');

# ---------- a server with remote_apply ----------

$node->safe_psql('postgres', q{ALTER ROLE app SET synchronous_commit = on; ALTER SYSTEM SET synchronous_commit = 'remote_apply'; ALTER SYSTEM SET dealix_exec.workers = 2});
$node->reload;
dx_poll($node, 'SHOW synchronous_commit', 'the server says remote_apply', 'remote_apply');
my $slow = dx_sql($node, 'app', q{SELECT dealix.start('slow', '{"key": "applied", "seconds": 1.5}')});
dx_poll($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND backend_type LIKE 'dealix%worker%'}, 'a worker is in a step');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
my $start = call('apply', 'app', q{SELECT dealix.start('parked', '{"key": "x"}')});
dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'call apply'},
	'a start waits until it is applied, although the role says on', '1');
dx_poll($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type LIKE 'dealix%worker%'},
	'and so does a worker that ends a run');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$start->{handle}->finish;
dx_poll($node, "SELECT status FROM dealix.run_details WHERE run_id = '$slow'", 'the run ends', 'SUCCEEDED');
$node->safe_psql('postgres', q{ALTER SYSTEM RESET synchronous_standby_names; ALTER SYSTEM RESET synchronous_commit; ALTER ROLE app RESET synchronous_commit});
$node->reload;
$standby->stop;

# ---------- a copy by logical replication ----------

my $new = dx_node('new', 'dealix_exec.workers = 2');
$new->safe_psql('postgres', q{CREATE ROLE app LOGIN; CREATE ROLE boss LOGIN; CREATE EXTENSION dealix_exec;
	SELECT dealix.grant_access('app', 'application'), dealix.grant_access('app', 'author'), dealix.grant_access('app', 'operator');
	CREATE SCHEMA shop AUTHORIZATION app});
$new->safe_psql('postgres', q{TRUNCATE dealix.engine});
my @tables = split /\n/, $node->safe_psql('postgres',
	q{SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'dealix' ORDER BY 1});
my $roles = $node->safe_psql('postgres', q{SELECT string_agg(oid || ' ' || rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolname IN ('app', 'boss')});
dx_sql($new, 'app', q{CREATE TABLE shop.ledger (key text, step text, pid int DEFAULT pg_backend_pid(), at timestamptz DEFAULT clock_timestamp());
	CREATE FUNCTION shop.book(key text, step text) RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp
		AS 'INSERT INTO shop.ledger (key, step) VALUES (key, step)'});
$node->safe_psql('postgres', 'CREATE PUBLICATION everything FOR TABLE ' . join(', ', @tables));
my $connstr = join ' ', 'host=' . $node->host, 'port=' . $node->port, 'dbname=postgres user=postgres';
$new->safe_psql('postgres', "CREATE SUBSCRIPTION moves CONNECTION '$connstr' PUBLICATION everything");
dx_poll($new, q{SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel}, 'the tables are copied');
$node->wait_for_catchup('moves');
$node->stop;
$new->safe_psql('postgres', 'ALTER SUBSCRIPTION moves DISABLE; ALTER SUBSCRIPTION moves SET (slot_name = NONE); DROP SUBSCRIPTION moves');
is($new->safe_psql('postgres', 'SELECT dealix.held()'), 't', 'the copy is held');
my $outside = $new->safe_psql('postgres', q{SELECT max(inbox_id) FROM dealix.inbox}) || 0;
is($new->safe_psql('postgres', 'SELECT dealix.resume_engine()'), 't', 'until it is told to go on');
my @behind;
for my $row (split /\n/, $new->safe_psql('postgres', q{
	SELECT format('%s,%I,%s', c.oid::regclass, a.attname, pg_get_serial_sequence(c.oid::regclass::text, a.attname))
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relnamespace = 'dealix'::regnamespace AND a.attidentity <> ''}))
{
	my ($table, $column, $sequence) = split /,/, $row;

	push @behind, $sequence if $new->safe_psql('postgres', "SELECT (SELECT max($column) FROM $table) > (SELECT last_value FROM $sequence)") eq 't';
}
is_deeply(\@behind, [],
	'no sequence is behind its table');
dx_sql($new, 'app', q{SELECT dealix.publish('another', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key": "new", "step": "1"}, "End": true}}}')});
my $run = dx_sql($new, 'app', q{SELECT dealix.start('another')});
dx_sql($new, 'app', qq{SELECT dealix.signal(run_id, 'go') FROM dealix.run_details WHERE workflow = 'parked' AND status = 'RUNNING'});
is(dx_sql($new, 'app', "CALL dealix.wait('$run', '60 s')"), 'SUCCEEDED', 'a new workflow gets a number of its own');
dx_poll($new, q{SELECT count(*) FROM dealix.run_details WHERE workflow = 'parked' AND status = 'RUNNING' AND key IS DISTINCT FROM 'schedule:s:2030-01-01T00:10:00.000Z'}, 'parked runs go on', '0');
is($new->safe_psql('postgres', 'SELECT count(*) FROM dealix.incident_details'), '0', 'no incident');
$new->stop;
done_testing();
