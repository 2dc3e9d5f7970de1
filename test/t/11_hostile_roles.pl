# An owner whose role has settings that would get in the way loses nothing,
# stops nothing and hijacks nothing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

my $node = dx_node('hostile', 'wal_writer_delay = 10s', 'dealix_exec.worker_idle_timeout = 1000');
dx_shop($node);

# Everything in here shadows something of pg_catalog, and tells on whoever calls it.
$node->safe_psql('postgres', q{
	CREATE SCHEMA evil;
	CREATE TABLE evil.hijacked (what text, by text);
	CREATE FUNCTION evil.tell(what text) RETURNS void LANGUAGE sql SET search_path = pg_catalog AS
		'INSERT INTO evil.hijacked VALUES (what, current_user)';
	CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql SET search_path = pg_catalog AS
		'BEGIN PERFORM evil.tell(''now''); RETURN ''2000-01-01''::timestamptz; END';
	CREATE FUNCTION evil.to_jsonb(x text) RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog AS
		'BEGIN PERFORM evil.tell(''to_jsonb''); RETURN ''666''::jsonb; END';
	CREATE FUNCTION evil.uuid_equal(a uuid, b uuid) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS
		'BEGIN PERFORM evil.tell(''uuid =''); RETURN false; END';
	CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.uuid_equal);
	CREATE FUNCTION evil.int_equal(a int, b int) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS
		'BEGIN PERFORM evil.tell(''int =''); RETURN false; END';
	CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.int_equal);
	CREATE FUNCTION evil.less(a timestamptz, b timestamptz) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS
		'BEGIN PERFORM evil.tell(''timestamptz <=''); RETURN false; END';
	CREATE OPERATOR evil.<= (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.less);
	CREATE TABLE evil.run (LIKE dealix.run);
	CREATE TABLE evil.branch (LIKE dealix.branch);
	GRANT USAGE ON SCHEMA evil TO PUBLIC;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA evil TO PUBLIC;
	GRANT SELECT, INSERT ON evil.hijacked TO PUBLIC;
});

# What a client of that role has to say to get its own statements through.
my $sane = '-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0'
  . ' -c default_transaction_read_only=off -c default_transaction_isolation=read\ committed';

my %settings = (
	synchronous_commit => 'off',
	search_path => 'evil, pg_catalog, public',
	default_transaction_read_only => 'on',
	default_transaction_isolation => "'serializable'",
	statement_timeout => "'1ms'",
	lock_timeout => "'1ms'",
	idle_in_transaction_session_timeout => "'1ms'",
	default_transaction_deferrable => 'on',
	client_min_messages => 'debug5',
	timezone => "'Asia/Kathmandu'",
	datestyle => "'SQL, DMY'",
	intervalstyle => 'sql_standard',
	bytea_output => 'escape',
	extra_float_digits => '-15',
	enable_seqscan => 'off',
	jit_above_cost => '0',
	plan_cache_mode => 'force_generic_plan',
	xmloption => 'document',
	check_function_bodies => 'off',
	exit_on_error => 'on',
	session_replication_role => 'replica',
	row_security => 'off',
	standard_conforming_strings => 'off');

my $n = 0;

for my $name (sort keys %settings)
{
	$node->safe_psql('postgres', "ALTER ROLE app SET $name = $settings{$name}");
	# the next worker is a new session, with the new setting
	dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dealix%worker%' AND usename = 'app'}, "$name: no old worker", '0', undef, 20);
	{
		local $ENV{PGOPTIONS} = $sane;

		$n += 20;
		dx_sql($node, 'app', "SELECT dealix.start('chain', jsonb_build_object('key', 'k' || i, 'n', i, 'wait', 0), 'k' || i)
			FROM generate_series($n + 1, $n + 20) i");
	}
	dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL}, "$name = $settings{$name}: the workers do their work", '0', undef, 30);
	$node->safe_psql('postgres', "ALTER ROLE app RESET $name");
}
dx_ledger_ok($node, 'under hostile settings');
is($node->safe_psql('postgres', 'SELECT DISTINCT what, by FROM evil.hijacked'), '', 'nothing of the engine was hijacked');

# tick and drain in sessions with such settings
for my $name (sort keys %settings)
{
	next if $name =~ /read_only|timeout/;
	$node->safe_psql('postgres', "ALTER ROLE app SET $name = $settings{$name}");
	my ($rc, $out, $err) = dx_try($node, 'app', 'CALL dealix.drain(); SELECT dealix.tick()');
	is($rc, 0, "$name = $settings{$name}: tick and drain work, too") or diag($err);
	$node->safe_psql('postgres', "ALTER ROLE app RESET $name");
}
is($node->safe_psql('postgres', 'SELECT DISTINCT what, by FROM evil.hijacked'), '', 'and nothing was hijacked there');

# ---------- synchronous_commit = off loses no acknowledged run ----------

$node->safe_psql('postgres', 'ALTER ROLE app SET synchronous_commit = off');
dx_sql($node, 'app', q{CREATE TABLE shop.control (x int)});

# A worker's commit would flush what came before it.
sub set_workers
{
	my ($workers) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET dealix_exec.workers = $workers");
	$node->reload;
	dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dealix%worker%'}, 'no worker is left', '0') if $workers == 0;
	return;
}
set_workers(0);
$node->safe_psql('postgres', 'CHECKPOINT');
my @keys = map { "sync$_" } 1 .. 30;
for my $key (@keys)
{
	dx_sql($node, 'app', qq{SELECT dealix.start('parked', '{"key": "$key"}', '$key')});
}
dx_sql($node, 'app', q{INSERT INTO shop.control VALUES (1)});
dx_crash($node);
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details WHERE key LIKE 'sync%'}), scalar @keys,
	'every acknowledged run survives a crash although the role has synchronous_commit = off');
note('the control row, which nobody forced, is ' . ($node->safe_psql('postgres', 'SELECT count(*) FROM shop.control') ? 'there' : 'lost'));

# the same for a signal, and for the end of a run that somebody was told of
set_workers(2);
dx_poll($node, q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for = 'signal' AND name = 'go'}, 'the runs wait', scalar @keys);
set_workers(0);
dx_sql($node, 'app', q{SELECT dealix.signal(run_id, 'go') FROM dealix.run_details WHERE key = 'sync1'});
dx_crash($node);
set_workers(2);
dx_poll($node, q{SELECT status FROM dealix.run_details WHERE key = 'sync1'}, 'an acknowledged signal survives, too', 'SUCCEEDED');
is(dx_sql($node, 'app', q{SELECT count(*) FROM shop.ledger WHERE key = 'sync1'}), '1', 'with its effect once');
dx_sql($node, 'app', q{SELECT dealix.start('slow', '{"key": "told", "seconds": 0}', 'told')});
like(dx_sql($node, 'app', q{SELECT run_id AS r FROM dealix.run_details WHERE key = 'told' \gset
	CALL dealix.wait(:'r')}), qr/SUCCEEDED/, 'a client waits for the end of a run');
my $when = $node->safe_psql('postgres', q{SELECT at FROM shop.ledger WHERE key = 'told'});
dx_crash($node);
is($node->safe_psql('postgres', q{SELECT at FROM shop.ledger WHERE key = 'told'}), $when, 'and what it was told is not done again after a crash');

# and for a tick in such a session
set_workers(0);
dx_sql($node, 'app', q{SELECT dealix.start('slow', '{"key": "ticked", "seconds": 0}', 'ticked')});
dx_sql($node, 'app', q{SELECT dealix.tick()});
$when = $node->safe_psql('postgres', q{SELECT at FROM shop.ledger WHERE key = 'ticked'});
like($when, qr/^20/, 'a tick does the work');
dx_crash($node);
is($node->safe_psql('postgres', q{SELECT at FROM shop.ledger WHERE key = 'ticked'}), $when, 'and a crash does not undo it');
set_workers(2);
$node->safe_psql('postgres', 'ALTER ROLE app RESET synchronous_commit');

# ---------- what a step may not do in a worker ----------

$node->safe_psql('postgres', q{
	CREATE ROLE other LOGIN;
	SELECT dealix.grant_access('other', 'application'), dealix.grant_access('other', 'author');
	GRANT USAGE ON SCHEMA shop TO other;
	SET SESSION AUTHORIZATION other; SELECT FROM dealix.trust_author('app'); RESET SESSION AUTHORIZATION});
dx_sql($node, 'app', q{
	CREATE FUNCTION shop.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		EXECUTE statement;
		RETURN 'done as ' || current_user;
	END $$;
	CREATE FUNCTION shop.look() RETURNS jsonb LANGUAGE sql AS
		$$ SELECT jsonb_build_object('session', session_user, 'current', current_user,
			'runs', (SELECT count(*) FROM dealix.run_details WHERE owner <> current_user::regrole),
			'history', (SELECT count(*) FROM dealix.history_details h JOIN dealix.run_details r USING (run_id) WHERE r.owner <> current_user::regrole),
			'super', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)) $$;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA shop TO other;
	SELECT dealix.publish('attempt', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:shop.attempt", "End": true}}}');
	SELECT dealix.publish('look', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:shop.look", "End": true}}}');
});
dx_sql($node, 'other', q{SELECT dealix.start('look', key => 'look')});
dx_poll($node, q{SELECT output FROM dealix.run_details WHERE key = 'look'}, "a step runs as its owner and sees no other's runs",
	'{"runs": 0, "super": false, "current": "other", "history": 0, "session": "other"}');
my @forbidden = ('RESET ROLE', 'SET ROLE app', 'SET ROLE NONE', 'RESET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION DEFAULT',
	'SET SESSION AUTHORIZATION app', 'SET LOCAL ROLE app', 'COMMIT', 'ROLLBACK', 'SELECT * FROM dealix.run', 'SELECT * FROM dealix.branch',
	"UPDATE dealix.run SET owner = 'other'::regrole", 'DELETE FROM dealix.history_event', 'SELECT dealix.tick()', 'CALL dealix.drain()');
for my $i (0 .. $#forbidden)
{
	(my $json = $forbidden[$i]) =~ s/'/''/g;
	dx_sql($node, 'other', qq{SELECT dealix.start('attempt', '{"statement": "$json"}', 'forbidden$i')});
}
for my $i (0 .. $#forbidden)
{
	dx_poll($node, qq{SELECT status || ' ' || left(error, 4) FROM dealix.run_details WHERE key = 'forbidden$i'}, "a step cannot: $forbidden[$i]", 'FAILED SQL.');
}

# ---------- bad rows and missing roles do not stop the loop ----------

$node->safe_psql('postgres', q{CREATE ROLE leaver LOGIN; SELECT dealix.grant_access('leaver', 'application'); SET SESSION AUTHORIZATION leaver; SELECT FROM dealix.trust_author('app'); RESET SESSION AUTHORIZATION});
dx_sql($node, 'leaver', q{SELECT dealix.start('parked', '{"key": "left"}', 'left')});
$node->safe_psql('postgres', 'ALTER ROLE leaver NOLOGIN');
dx_sql($node, 'app', q{SELECT dealix.start('chain', '{"key": "k1000", "n": 1, "wait": 0}', 'k1000')});
dx_poll($node, q{SELECT status FROM dealix.run_details WHERE key = 'k1000'}, 'an owner that may not log in any more holds nobody else up', 'SUCCEEDED');
$node->safe_psql('postgres', 'ALTER ROLE leaver LOGIN');
dx_sql($node, 'leaver', q{SELECT dealix.cancel(run_id) FROM dealix.run_details WHERE key = 'left'});
dx_poll($node, q{SELECT status FROM dealix.run_details WHERE key = 'left'}, 'and goes on when it may', 'CANCELLED');

$node->stop;
done_testing();
