# The background processes: they are there when and where they are wanted, gone
# when they are in the way, and lose no work when they end.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'a server cannot be run by root; "make test" uses the user postgres'
  if $> == 0;

# A sweep would hide a lost wake-up: here it comes too late to help.
my $settings = q{
shared_preload_libraries = 'dealix_exec'
max_worker_processes = 12
max_prepared_transactions = 5
dealix_exec.worker_idle_timeout = 10s
restart_after_crash = on
dealix_exec.sweep_interval = 1h
};

my $node = PostgreSQL::Test::Cluster->new('workers');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', $settings);
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE stranger LOGIN CREATEDB');

# ---------- helpers ----------

sub sql
{
	my ($db, $role, $sql) = @_;

	return $node->safe_psql($db, $sql, extra_params => [ '-U', $role ]);
}

# Waits until a query gives this (default t).  A busy machine is not an error: the
# limit is far from it, and far from the sweep that comes once an hour.
sub becomes
{
	my ($db, $sql, $what, $expected, $seconds) = @_;
	my $until = time() + (($seconds // 0) > 300 ? $seconds : 300);
	my $got = '';

	$expected //= 't';
	while (1)
	{
		my $out;

		# A server that restarts refuses the connection while we write to psql.
		my $rc = eval { $node->psql($db, $sql, stdout => \$out) } // -1;

		$got = $rc == 0 ? $out : '(no answer)';
		last if $got eq $expected || time() > $until;
		sleep(0.05);
	}
	is($got, $expected, $what);
	return;
}

# An extension, and the workflow "job", whose only step executes a statement.
sub prepare
{
	my ($db, @roles) = @_;

	$node->safe_psql($db, q{
		CREATE EXTENSION dealix_exec;
		CREATE SCHEMA job;
		CREATE TABLE job.effect (owner name DEFAULT session_user, who name DEFAULT current_user,
			pid int DEFAULT pg_backend_pid(), at timestamptz DEFAULT clock_timestamp());
		CREATE FUNCTION job.run(statement text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE statement; END $$;
		GRANT USAGE ON SCHEMA job TO PUBLIC;
		GRANT INSERT, SELECT ON job.effect TO PUBLIC});
	for my $role (@roles)
	{
		$node->safe_psql($db, "SELECT dealix.grant_access('$role', 'application'), dealix.grant_access('$role', 'author')"
			. ($role eq 'app' ? '' : "; SET SESSION AUTHORIZATION $role; SELECT FROM dealix.trust_author('app'); RESET SESSION AUTHORIZATION"));
	}
	sql($db, $roles[0], q{SELECT dealix.publish('job', '{"StartAt": "Wait", "States": {
		"Wait": {"Type": "Wait", "SecondsPath": "$.wait", "Next": "Run"},
		"Run": {"Type": "Task", "Resource": "sql:job.run", "Parameters": {"statement.$": "$.statement"},
			"ResultPath": null, "End": true}}}')});
	return;
}

sub start
{
	my ($db, $role, $statement, $wait) = @_;

	$wait //= 0;
	return sql($db, $role,
		"SELECT dealix.start('job', jsonb_build_object('wait', $wait, 'statement', \$s\$$statement\$s\$))");
}

sub wait_for_run
{
	my ($db, $role, $run, $what, $expected) = @_;

	is(sql($db, $role, "CALL dealix.wait('$run', '5 minutes')"), $expected // 'SUCCEEDED', $what);
	return;
}

sub run_ok
{
	my ($db, $role, $what) = @_;

	wait_for_run($db, $role, start($db, $role, 'INSERT INTO job.effect DEFAULT VALUES'), $what);
	return;
}

# How many processes of ours a database has, dispatcher and workers.
sub processes
{
	my ($db) = @_;

	return "SELECT count(*) FROM pg_stat_activity WHERE datname = '$db' AND backend_type LIKE 'dealix_exec %'";
}

# A step that would sleep for ten minutes is going on.
sub start_sleeper
{
	my ($db, $role) = @_;
	my $run = start($db, $role, 'SELECT pg_sleep(600)');

	becomes('postgres', sleepers($db), "$db: a step sleeps", '1');
	return $run;
}

sub sleepers
{
	my ($db) = @_;

	return "SELECT count(*) FROM pg_stat_activity WHERE datname = '$db' AND backend_type = 'dealix_exec worker' AND wait_event = 'PgSleep'";
}

# The statement succeeds, and does not wait for a step that sleeps for ten minutes,
# nor for a sweep.
sub quick_ok
{
	my ($db, $role, $sql, $what, $seconds) = @_;
	my $begin = time();
	my ($rc, $out, $err) = $node->psql($db, $sql,
		extra_params => [ '-U', $role ], timeout => 900, on_error_stop => 1);

	is($rc, 0, $what) or diag($err);
	cmp_ok(time() - $begin, '<', $seconds // 300, "$what: at once");
	return;
}

# ---------- they find the databases by themselves ----------

prepare('postgres', 'app', 'other');
run_ok('postgres', 'app', 'a run ends without anybody asking for it');
is(sql('postgres', 'app', 'SELECT DISTINCT owner, who FROM job.effect'), 'app|app',
	'its step ran in a session of its owner');
$node->safe_psql('postgres', 'CREATE DATABASE second');
prepare('second', 'app');
run_ok('second', 'app', 'CREATE EXTENSION in a second database needs no restart');
is($node->safe_psql('postgres', q{SELECT string_agg(kind || ' ' || state, ', ' ORDER BY kind)
	FROM dealix.worker_details WHERE kind <> 'worker'}), 'dispatcher RUNNING, launcher RUNNING',
	'dealix.workers shows launcher and dispatcher');
is($node->safe_psql('postgres', q{SELECT owner, steps > 0 FROM dealix.worker_details WHERE kind = 'worker'}), 'app|t',
	'and the worker');

# ---------- timers ----------

{
	my $begin = time();
	my $run = start('postgres', 'app', 'SELECT 1', 1);

	wait_for_run('postgres', 'app', $run, 'a timer fires');
	cmp_ok(time() - $begin, '>=', 0.9, 'not too early');
	cmp_ok(time() - $begin, '<', 300, 'and not with the sweep');
}

# ---------- waiting ----------

{
	my $run = start_sleeper('postgres', 'app');
	my $waiter = IPC::Run::start(
		[ 'psql', '-XqAt', '-d', $node->connstr('postgres') . ' user=app', '-c',
			"CALL dealix.wait('$run', '1 minute')" ], '>', \my $out, '2>', \my $err);

	becomes('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL dealix.wait%'
		AND wait_event_type IN ('Extension', 'IPC') AND backend_xmin IS NULL AND backend_xid IS NULL},
		'a waiter holds no snapshot', '1');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE a.query LIKE 'CALL dealix.wait%' AND l.locktype <> 'virtualxid'}), '0', 'and no locks');
	$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
	$waiter->finish;
	chomp($out);
	is($out, 'FAILED', 'cancelling a step in its middle is the step\'s error, and wakes the waiter');
	is(sql('postgres', 'app', "SELECT error FROM dealix.run_details WHERE run_id = '$run'"), 'SQL.query_canceled', 'with a name');

	my ($rc, undef, $text) = $node->psql('postgres', '\set VERBOSITY verbose
		CALL dealix.wait(gen_random_uuid())', extra_params => [ '-U', 'app' ], on_error_stop => 1);
	like($text, qr/P0002/, 'waiting for a run that is not there is an error');
	($rc, undef, $text) = $node->psql('postgres', "\\set VERBOSITY verbose
		CALL dealix.wait('$run')", extra_params => [ '-U', 'other' ], on_error_stop => 1);
	like($text, qr/P0002/, 'so is waiting for another owner\'s run');
	is(sql('postgres', 'app', "BEGIN; CALL dealix.wait('$run'); COMMIT"), 'FAILED', 'a wait works in a transaction block, too');
}

# ---------- signals to workers ----------

{
	my ($worker) = $node->safe_psql('postgres', q{SELECT pid FROM dealix.worker_details WHERE state = 'IDLE' LIMIT 1});

	$node->safe_psql('postgres', "SELECT pg_cancel_backend($worker)");
	run_ok('postgres', 'app', 'a run after the worker was cancelled while idle');
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $worker"), '1',
		'cancelling an idle worker does not end it');

	my $run = start('postgres', 'app',
		'INSERT INTO job.effect (owner) VALUES (\'terminated\'); SELECT pg_sleep(CASE WHEN EXISTS (SELECT FROM pg_class WHERE relname = \'hurry\') THEN 0 ELSE 600 END)');
	becomes('postgres', sleepers('postgres'), 'a step sleeps', '1');
	$node->safe_psql('postgres', 'CREATE TABLE public.hurry ()');
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
	wait_for_run('postgres', 'app', $run, 'a run whose worker was terminated in the middle of a step goes on');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM job.effect WHERE owner = 'terminated'}), '1', 'with one effect');

	$node->safe_psql('postgres', 'DROP TABLE public.hurry');
	$run = start('postgres', 'app',
		'INSERT INTO job.effect (owner) VALUES (\'killed\'); SELECT pg_sleep(CASE WHEN EXISTS (SELECT FROM pg_class WHERE relname = \'hurry\') THEN 0 ELSE 600 END)');
	becomes('postgres', sleepers('postgres'), 'a step sleeps', '1');
	$node->safe_psql('postgres', 'CREATE TABLE public.hurry ()');
	my $victim = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
	kill 'KILL', $victim;
	becomes('postgres', "SELECT status FROM dealix.run_details WHERE run_id = '$run'",
		'after kill -9 of a worker the server comes back and the run goes on', 'SUCCEEDED');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM job.effect WHERE owner = 'killed'}), '1', 'with one effect');
}

# ---------- launcher and dispatcher come back ----------

for my $kind ('launcher', 'dispatcher')
{
	my $pid = $node->safe_psql('postgres', "SELECT pid FROM dealix.worker_details WHERE kind = '$kind'");

	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	becomes('postgres', "SELECT count(*) FROM dealix.worker_details WHERE kind = '$kind' AND pid <> $pid AND state = 'RUNNING'",
		"the $kind is started again", '1');
	wait_for_run('postgres', 'app', start('postgres', 'app', 'SELECT 1', 1), "timers work with the new $kind");
}

# ---------- the extension goes ----------

start_sleeper('second', 'app');
quick_ok('second', 'postgres', 'DROP EXTENSION dealix_exec', 'DROP EXTENSION while a step sleeps');
becomes('postgres', processes('second'), 'its processes are gone', '0');
quick_ok('second', 'postgres', 'DROP SCHEMA job CASCADE', 'clean up');
prepare('second', 'app');
run_ok('second', 'app', 'they are back after CREATE EXTENSION');
$node->safe_psql('second', 'BEGIN; DROP EXTENSION dealix_exec; ROLLBACK');
run_ok('second', 'app', 'and after a DROP EXTENSION that was rolled back');
quick_ok('second', 'postgres', 'BEGIN; DROP SCHEMA dealix CASCADE; COMMIT', 'the extension goes with its schema');
becomes('postgres', processes('second'), 'its processes are gone by themselves', '0');
$node->safe_psql('second', 'DROP SCHEMA job CASCADE');
prepare('second', 'app');
run_ok('second', 'app', 'and back again');

# ---------- the database goes ----------

{
	my ($rc, undef, $err) = $node->psql('postgres', 'DROP DATABASE second', extra_params => [ '-U', 'stranger' ]);
	my $before = $node->safe_psql('postgres', "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE datname = 'second'");

	like($err, qr/must be owner/, 'a stranger cannot drop the database');
	is($node->safe_psql('postgres', "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE datname = 'second'"), $before,
		'nor end its processes by trying');
}
start_sleeper('second', 'app');
quick_ok('postgres', 'postgres', 'CREATE DATABASE copy TEMPLATE second', 'CREATE DATABASE from one in which a step sleeps');
becomes('postgres', processes('second'), 'its processes are back', '2');
becomes('copy', q{SELECT held FROM dealix.worker_details WHERE kind = 'dispatcher'}, 'the copy is found and held');
quick_ok('postgres', 'postgres', 'ALTER DATABASE second RENAME TO third', 'ALTER DATABASE RENAME');
becomes('postgres', sleepers('third'), 'its step sleeps again', '1');
{
	my $dir = PostgreSQL::Test::Utils::tempdir_short();

	$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$dir'");
	quick_ok('postgres', 'postgres', 'ALTER DATABASE third SET TABLESPACE elsewhere', 'ALTER DATABASE SET TABLESPACE');
	becomes('postgres', sleepers('third'), 'its step sleeps again', '1');
}
{
	my $session = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('third'), '-c', 'SELECT pg_sleep(600)' ],
		'>', \my $out, '2>', \my $err);

	becomes('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'}, 'somebody is in the database', '1');
	my ($rc, undef, $text) = $node->psql('postgres', 'DROP DATABASE third', timeout => 900);
	like($text, qr/being accessed by other users/, 'then DROP DATABASE fails as it always does');
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'});
	$session->finish;
	becomes('postgres', sleepers('third'), 'and the step sleeps again', '1');
}
$node->safe_psql('postgres', 'CREATE DATABASE unrelated');
quick_ok('postgres', 'postgres', 'DROP DATABASE unrelated', 'DROP DATABASE of an unrelated database');
quick_ok('postgres', 'postgres', 'DROP DATABASE copy', 'DROP DATABASE of a held one');
quick_ok('postgres', 'postgres', 'DROP DATABASE third', 'DROP DATABASE while a step sleeps');
$node->safe_psql('postgres', 'DROP TABLESPACE elsewhere');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dealix_exec %'
	AND datname IS DISTINCT FROM 'postgres' AND backend_type <> 'dealix_exec launcher'}), '0', 'its processes are gone');

# ---------- owners that cannot log in ----------

{
	my $run = start('postgres', 'other', 'SELECT 1', 3);

	becomes('postgres', "SELECT waits_for FROM dealix.waiting_details WHERE run_id = '$run'", 'a run waits for its timer', 'timer');
	$node->safe_psql('postgres', q{ALTER ROLE other NOLOGIN;
		SELECT pg_terminate_backend(pid) FROM dealix.worker_details WHERE owner = 'other'});
	becomes('postgres', q{SELECT last_error FROM dealix.worker_details WHERE state = 'BACKOFF' AND owner = 'other'},
		'dealix.workers says why an owner gets no worker', 'role "other" cannot own a run: it is not permitted to log in');
	run_ok('postgres', 'app', 'other owners do not mind');
	$node->safe_psql('postgres', 'ALTER ROLE other LOGIN');
	becomes('postgres', "SELECT status FROM dealix.run_details WHERE run_id = '$run'", 'the run goes on when it may', 'SUCCEEDED', 70);
}

{
	$node->safe_psql('postgres', q{CREATE ROLE leaver LOGIN; SELECT dealix.grant_access('leaver', 'application'); SET SESSION AUTHORIZATION leaver; SELECT FROM dealix.trust_author('app'); RESET SESSION AUTHORIZATION});
	my $run = start('postgres', 'leaver', 'SELECT 1', 2);

	becomes('postgres', "SELECT waits_for FROM dealix.waiting_details WHERE run_id = '$run'", 'a run waits for its timer', 'timer');
	my ($rc, $out, $err) = $node->psql('postgres', 'DROP ROLE leaver');
	isnt($rc, 0, 'a role that has a run cannot be dropped');
	like($err, qr/cannot be dropped because some objects depend on it/, 'which says so');
	becomes('postgres', "SELECT status FROM dealix.run_details WHERE run_id = '$run'", 'and its run goes on', 'SUCCEEDED');
}

# ---------- prepared transactions ----------

$node->safe_psql('postgres', q{SET SESSION AUTHORIZATION app; BEGIN;
	SELECT dealix.start('job', '{"wait": 0, "statement": "INSERT INTO job.effect (owner) VALUES (''prepared'')"}');
	PREPARE TRANSACTION 'p'});
$node->safe_psql('postgres', q{COMMIT PREPARED 'p'});
becomes('postgres', q{SELECT count(*) FROM job.effect WHERE owner = 'prepared'}, 'COMMIT PREPARED is noticed', '1');

# ---------- the databases setting ----------

$node->append_conf('postgresql.conf', 'dealix_exec.databases = \'elsewhere, "Nowhere"\'');
$node->reload;
becomes('postgres', processes('postgres'), 'a database that is not named loses its processes', '0');
{
	my $run = start('postgres', 'app', 'SELECT 1');

	$node->append_conf('postgresql.conf', q{dealix_exec.databases = '*'});
	$node->reload;
	wait_for_run('postgres', 'app', $run, 'and gets them back when it is');
}

# ---------- more owners than background workers; rings that overflow ----------

$node->append_conf('postgresql.conf', "max_worker_processes = 6\ndealix_exec.ring_size = 16\ndealix_exec.max_rings = 1\n");
$node->restart;
{
	my @owners = map { "owner$_" } 1 .. 9;

	for my $owner (@owners)
	{
		$node->safe_psql('postgres', "CREATE ROLE $owner LOGIN; SELECT dealix.grant_access('$owner', 'application'); SET SESSION AUTHORIZATION $owner; SELECT FROM dealix.trust_author('app'); RESET SESSION AUTHORIZATION");
	}
	for my $owner (@owners)
	{
		sql('postgres', $owner, q{SELECT count(*) FROM dealix.start_many('job', (SELECT array_agg(
			'{"wait": 0, "statement": "INSERT INTO job.effect DEFAULT VALUES"}'::jsonb) FROM generate_series(1, 300)))});
	}
	becomes('postgres', q{SELECT count(*) FROM dealix.run_details WHERE status <> 'SUCCEEDED' AND owner::text LIKE 'owner%'},
		'more owners than background workers: everybody has a turn', '0', 120);
	is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT n::text, ',') FROM
		(SELECT count(*) AS n FROM job.effect WHERE owner LIKE 'owner%' GROUP BY owner) s}), '300', 'each run was run once');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM job.effect WHERE owner LIKE 'owner%' AND owner <> who}), '0',
		'each as its owner');
}

# ---------- no wake-up is lost ----------

{
	my $script = PostgreSQL::Test::Utils::tempdir() . '/loop.sql';

	append_to_file($script, q{SELECT quote_literal(dealix.start('job',
		'{"wait": 0, "statement": "INSERT INTO job.effect (owner) VALUES (''looped'')"}')) AS run \gset
CALL dealix.wait(CAST(:run AS uuid), '10 minutes');
});
	my $clients = IPC::Run::start(
		[ 'pgbench', '-n', '-c', '4', '-t', '200', '-f', $script, '-U', 'app', '-d', 'postgres',
			'-h', $node->host, '-p', $node->port ], '>', \my $out, '2>', \my $err);

	while ($clients->pumpable)
	{
		$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM dealix.worker_details
			WHERE kind = 'worker' AND owner = 'app' ORDER BY random() LIMIT 1});
		sleep(0.1);
		$clients->pump_nb;
	}
	ok($clients->finish, 'four clients start runs and wait for them, while workers are terminated');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM job.effect WHERE owner = 'looped'}), '800', 'each run was run once');
	cmp_ok($node->safe_psql('postgres', q{SELECT extract(epoch FROM max(finished_at - created_at)) FROM dealix.run_details
		WHERE input ->> 'statement' LIKE '%looped%'}), '<', 600, 'none had to wait for a sweep');
}

# ---------- without workers ----------

$node->append_conf('postgresql.conf', 'dealix_exec.workers = 0');
$node->reload;
becomes('postgres', q{SELECT count(*) FROM dealix.worker_details WHERE kind = 'worker' AND pid IS NOT NULL}, 'workers leave when none are wanted', '0', 90);
{
	sql('postgres', 'app', q{SELECT count(*) FROM dealix.start_many('job', (SELECT array_agg(
		'{"wait": 0, "statement": "INSERT INTO job.effect (owner) VALUES (''drained'')"}'::jsonb) FROM generate_series(1, 120)))});
	$node->safe_psql('postgres', q{ALTER ROLE app SET default_transaction_isolation = 'serializable';
		ALTER ROLE app SET default_transaction_read_only = on; ALTER ROLE app SET statement_timeout = '1s';
		ALTER ROLE app SET lock_timeout = '1ms'; ALTER ROLE app SET synchronous_commit = off});
	sql('postgres', 'app', 'CALL dealix.drain()');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM job.effect WHERE owner = 'drained'}), '120', 'dealix.drain() does it instead');
	is($node->safe_psql('postgres', q{SELECT count(DISTINCT xmin::text) > 1 FROM job.effect WHERE owner = 'drained'}), 't', 'in several transactions');

	my $run = $node->safe_psql('postgres', q{SET SESSION AUTHORIZATION app; SET default_transaction_read_only = off;
		SELECT dealix.start('job', '{"wait": 0, "statement": "SELECT pg_sleep(2)"}')});
	sql('postgres', 'app', 'CALL dealix.drain()');
	is($node->safe_psql('postgres', "SELECT status FROM dealix.run_details WHERE run_id = '$run'"), 'SUCCEEDED', 'without the role\'s statement_timeout');
	$node->safe_psql('postgres', 'ALTER ROLE app RESET ALL');

	my ($rc, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; CALL dealix.drain()", extra_params => [ '-U', 'app' ]);
	like($err, qr/25001: .*transaction block.*dealix\.tick\(\)/s, 'dealix.drain() in a transaction block is refused with a hint');
	($rc, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET ROLE app; CALL dealix.drain()");
	like($err, qr/42501/, 'and under SET ROLE');

}
$node->append_conf('postgresql.conf', 'dealix_exec.workers = 2');
$node->reload;

# ---------- without preloading ----------

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
{
	my $run = start('postgres', 'app', 'INSERT INTO job.effect (owner) VALUES (\'alone\')');

	is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.worker_details'), '0', 'without preloading there are no processes');
	is(sql('postgres', 'app', "CALL dealix.wait('$run', '0.2 s')"), 'RUNNING', 'waiting for a run comes to its end');
	sql('postgres', 'app', 'CALL dealix.drain()');
	wait_for_run('postgres', 'app', $run, 'dealix.drain() does the work');

	$run = start('postgres', 'app', 'INSERT INTO job.effect (owner) VALUES (\'alone\')');
	my $waiter = IPC::Run::start(
		[ 'psql', '-XqAt', '-d', $node->connstr('postgres') . ' user=app', '-c',
			"CALL dealix.wait('$run', '1 minute')" ], '>', \my $out, '2>', \my $err);

	becomes('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL dealix.wait%'}, 'somebody waits', '1');
	sql('postgres', 'app', 'CALL dealix.drain()');
	$waiter->finish;
	chomp($out);
	is($out, 'SUCCEEDED', 'and sees the end of the run');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM job.effect WHERE owner = 'alone'}), '2', 'each effect once');
}
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'dealix_exec'");
$node->restart;

# ---------- standby ----------

{
	my $run = start('postgres', 'app', 'INSERT INTO job.effect (owner) VALUES (\'promoted\')', 15);
	my $later = start('postgres', 'app', 'SELECT 1', 3600);

	$node->backup('base');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($node, 'base', has_streaming => 1);
	$standby->start;
	$node->wait_for_catchup($standby);
	is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dealix_exec %'}), '0',
		'a standby has no process of ours');
	is($standby->safe_psql('postgres', "CALL dealix.wait('$later', '0.3 s')"), 'RUNNING', 'but one can wait there');
	$node->stop;
	$standby->promote;
	ok($standby->poll_query_until('postgres', q{SELECT count(*) = 1 FROM dealix.worker_details WHERE kind = 'dispatcher' AND state = 'RUNNING'}),
		'they start by themselves on promotion');
	ok($standby->poll_query_until('postgres', q{SELECT count(*) = 1 FROM job.effect WHERE owner = 'promoted'}),
		'and do what is due');
	$standby->stop;
	unlike(slurp_file($standby->logfile), qr/PANIC|TRAP|WARNING:.*leak|not closed|still referenced/, 'no leak, no crash in the log of the standby');
}

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|WARNING:.*leak|not closed|still referenced|was terminated by signal 11|was terminated by signal 6/,
	'no leak, no crash in the log');

done_testing();
