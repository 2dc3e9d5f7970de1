# A step that ends the process it runs in, or the whole server, becomes an
# incident after three deaths; every other run ends as it should.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

my $node = dx_node('poison', 'dealix_exec.workers = 2');
my $file = $node->data_dir . '/dealix_exec.poison';
my $others = 50;

dx_shop($node);
$node->safe_psql('postgres', q{
	CREATE ROLE boss LOGIN SUPERUSER;
	GRANT USAGE ON SCHEMA shop TO boss;
	GRANT INSERT, SELECT ON shop.ledger TO boss;
	SET SESSION AUTHORIZATION boss; SELECT FROM dealix.trust_author('app'); RESET SESSION AUTHORIZATION;
});
dx_sql($node, 'boss', q{
	CREATE FUNCTION shop.killed(key text) RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO shop.ledger (key, step) VALUES (key, 'boom');
			EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'kill -9 ' || pg_backend_pid());
			PERFORM pg_sleep(60);
		END $$;
	CREATE FUNCTION shop.quit(key text) RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO shop.ledger (key, step) VALUES (key, 'boom');
			EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'kill -3 ' || pg_backend_pid());
			PERFORM pg_sleep(60);
		END $$;
	CREATE FUNCTION shop.terminated(key text) RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO shop.ledger (key, step) VALUES (key, 'boom');
			PERFORM pg_terminate_backend(pg_backend_pid());
			PERFORM pg_sleep(60);
		END $$;
	SELECT dealix.publish(name, jsonb_build_object('StartAt', 'Before', 'States', jsonb_build_object(
		'Before', '{"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "a"}, "ResultPath": null, "Next": "Boom"}'::jsonb,
		'Boom', jsonb_build_object('Type', 'Task', 'Resource', 'sql:shop.' || name, 'Parameters', '{"key.$": "$.key"}'::jsonb,
			'ResultPath', NULL, 'End', true))))
	FROM unnest(ARRAY['killed', 'quit', 'terminated']) AS name;
});

# How often the log says this.
sub said
{
	my ($pattern) = @_;
	my $count = () = slurp_file($node->logfile) =~ /$pattern/g;

	return $count;
}

# While the server restarts after a crash there is nobody to talk to.
sub patiently
{
	my ($role, $sql) = @_;

	for (1 .. 6000)
	{
		my ($rc, $out) = dx_try($node, $role, $sql);

		return $out if $rc == 0;
		sleep(0.1);
	}
	die "no answer: $sql";
}

# ---------- the poison: one run of it among others of the same owner ----------

my %signs = (
	killed => qr/was terminated by signal 9/,
	quit => qr/dealix_exec worker.*exited with exit code 2/,
	terminated => qr/terminating background worker "dealix_exec worker/,);

for my $way (qw(killed quit terminated))
{
	my $before = said($signs{$way});

	# In one transaction: the first death may come right after it.
	patiently('boss', qq{
		BEGIN;
		SELECT dealix.start_many('chain', array_agg(jsonb_build_object('key', '$way' || n, 'n', 1, 'wait', 0) ORDER BY n), array_agg('$way' || n ORDER BY n))
			FROM generate_series(1, $others / 2) n;
		SELECT dealix.start('$way', '{"key": "$way"}', '$way');
		SELECT dealix.start_many('chain', array_agg(jsonb_build_object('key', '$way' || n, 'n', 1, 'wait', 0) ORDER BY n), array_agg('$way' || n ORDER BY n))
			FROM generate_series($others / 2 + 1, $others) n;
		COMMIT;
	});
	dx_poll($node, "SELECT status FROM dealix.run_details WHERE key = '$way'", "$way: the run becomes an incident", 'INCIDENT');
	is(said($signs{$way}) - $before, 3, "$way: after three deaths");
	dx_poll($node, "SELECT count(*) FROM dealix.run_details WHERE key ~ '^$way\[0-9]' AND status = 'SUCCEEDED'", "$way: the others succeed", $others);
	is(patiently('postgres', "SELECT count(*), count(DISTINCT key), count(DISTINCT step) FROM shop.ledger WHERE key ~ '^$way\[0-9]'"),
		3 * $others . "|$others|3", "$way: each effect of theirs once");
	is(patiently('postgres', "SELECT count(*) FROM shop.ledger WHERE key = '$way'"), '0', "$way: it has had no effect");
	like(patiently('postgres', "SELECT error || ' ' || cause FROM dealix.run_details WHERE key = '$way'"),
		qr/^States\.Runtime The worker died 3 times in a row .*"Boom"/, "$way: the incident says where");
}

# ---------- redrive: three more tries, and an end when the step is repaired ----------

my $before = said($signs{terminated});

patiently('boss', q{SELECT dealix.redrive(run_id) FROM dealix.run_details WHERE key = 'terminated'});
dx_poll($node, q{SELECT count(*) FROM dealix.timeline((SELECT run_id FROM dealix.run_details WHERE key = 'terminated')) WHERE event = 'incident_opened'},
	'redriven without a repair it is an incident again', '2');
is(said($signs{terminated}) - $before, 3, 'after three more deaths');

for my $way (qw(killed quit terminated))
{
	patiently('boss', qq{
		CREATE OR REPLACE FUNCTION shop.$way(key text) RETURNS void LANGUAGE sql
			AS 'INSERT INTO shop.ledger (key, step) VALUES (key, ''repaired'')';
		SELECT dealix.redrive(run_id) FROM dealix.run_details WHERE key = '$way'});
	dx_poll($node, "SELECT status FROM dealix.run_details WHERE key = '$way'", "$way: repaired and redriven it succeeds", 'SUCCEEDED');
	is(patiently('postgres', "SELECT string_agg(step, ',' ORDER BY at) FROM shop.ledger WHERE key = '$way'"),
		'a,repaired', "$way: each effect once");
}

# ---------- what is not the run's doing ----------

sub start_slow
{
	my ($key, $seconds) = @_;

	dx_sql($node, 'app', qq{SELECT dealix.start('slow', '{"key": "$key", "seconds": $seconds}', '$key')});
	return;
}

sub in_step
{
	my ($what) = @_;

	dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dealix%worker%' AND wait_event = 'PgSleep'},
		"$what: a worker is in the middle of the step", '1');
	return;
}

sub terminate_worker
{
	return $node->safe_psql('postgres', q{
		SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'dealix%worker%' AND wait_event = 'PgSleep'});
}

my @ways = (
	[ 'pg_ctl stop -m fast' => 4, sub { $node->restart } ],
	[ 'pg_ctl stop -m immediate' => 4, sub { $node->stop('immediate'); $node->start } ],
	[ 'a copy of the database' => 4,
		sub { dx_sql($node, 'postgres', $_, 'template1') for 'CREATE DATABASE copy TEMPLATE postgres', 'DROP DATABASE copy' } ],
	[ 'SIGKILL to the whole server' => 4, sub { dx_crash($node) } ],
	[ 'a termination by an administrator' => 2, sub { terminate_worker() } ],
	[ 'a crash of another process' => 4,
		sub {
			my $crashes = said($signs{killed});

			dx_try($node, 'boss', q{COPY (SELECT pg_backend_pid()) TO PROGRAM 'read pid; kill -9 $pid'});
			for (1 .. 6000) { last if said($signs{killed}) > $crashes; sleep(0.1) }
		} ],);

for my $way (@ways)
{
	my ($what, $times, $code) = @$way;

	start_slow($what, 8);
	for (1 .. $times)
	{
		in_step($what);
		$code->();
	}
	dx_poll($node, "SELECT status FROM dealix.run_details WHERE key = '$what'", "$what, $times times, makes no incident", 'SUCCEEDED');
	is($node->safe_psql('postgres', "SELECT count(*) FROM shop.ledger WHERE key = '$what'"), '1', "$what: the step had its effect once");
}

# A suspect that got through a pass is none any more: two and two deaths are not
# four.
dx_sql($node, 'app', q{
	SELECT dealix.publish('twice', '{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:shop.book_slowly", "Parameters": {"key.$": "$.key", "step": "1", "seconds": 8}, "ResultPath": null, "Next": "W"},
		"W": {"Type": "Wait", "Seconds": 1, "Next": "B"},
		"B": {"Type": "Task", "Resource": "sql:shop.book_slowly", "Parameters": {"key.$": "$.key", "step": "2", "seconds": 8}, "ResultPath": null, "End": true}}}');
	SELECT dealix.start('twice', '{"key": "forgotten"}', 'forgotten')});
for my $step (1 .. 2)
{
	for (1 .. 2) { in_step("forgotten, step $step"); terminate_worker() }
	dx_poll($node, "SELECT count(*) FROM shop.ledger WHERE key = 'forgotten'", "two deaths do not stop step $step", $step);
}
dx_poll($node, q{SELECT status FROM dealix.run_details WHERE key = 'forgotten'}, 'the count starts anew with every pass', 'SUCCEEDED');
is(said(qr/is an incident/), 4, 'the incidents were those of the poison');

# ---------- the file ----------

sub runs_go_on
{
	my ($what) = @_;

	dx_sql($node, 'app', qq{SELECT dealix.start('chain', '{"key": "$what", "n": 1, "wait": 0}', '$what')});
	dx_poll($node, "SELECT status FROM dealix.run_details WHERE key = '$what'", "$what: runs go on", 'SUCCEEDED');
	return;
}

my $size = -s $file;
my %damage = (
	'a file with wrong contents' => [ sub { open my $fh, '+<', $file or die; syswrite $fh, 'x' x 4096; close $fh }, qr/has the wrong contents and is made anew/ ],
	'a file with wrong size' => [ sub { truncate $file, 1000 or die }, qr/has the wrong size and is made anew/ ],
	'no file' => [ sub { unlink $file or die }, undef ],);

for my $what (sort keys %damage)
{
	my ($code, $says) = @{ $damage{$what} };
	my $said = $says ? said($says) : 0;

	$node->stop;
	$code->();
	$node->start;
	is(-s $file, $size, "$what: it is there with its size");
	is(said($says) - $said, 1, "$what: the log says so") if $says;
	runs_go_on($what);
}

$node->stop;
unlink $file or die;
mkdir $file or die;
$node->start;
is(said(qr/could not open file "dealix_exec.poison"/), 1, 'a file that cannot be opened: the log says so once');
runs_go_on('a file that cannot be opened');
rmdir $file or die;

is($node->safe_psql('postgres', 'SELECT * FROM dealix.stuck()'), '', 'nothing is stuck');
$node->stop;
done_testing();
