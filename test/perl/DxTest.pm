# What the Perl tests share: a cluster with the extension, an ordinary role with
# a schema whose tables have no unique index (effects are counted), and a crash
# of the whole server.
package DxTest;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(dx_node dx_shop dx_sql dx_try dx_poll dx_crash dx_start_keys
  dx_ledger_ok dx_workers dx_skip_root dx_has_cron);

# Servers never run as root; "make test" runs these files as postgres.
sub dx_skip_root
{
	plan skip_all => 'a server cannot be run by root; "make test" uses the user postgres'
	  if $> == 0;
	return;
}

# Has the PostgreSQL that is tested pg_cron?
sub dx_has_cron
{
	my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
	chomp(my $libraries = `$pg_config --pkglibdir`);
	return -e "$libraries/pg_cron.so";
}

# dx_node($name, @settings): a started cluster with the library preloaded.
sub dx_node
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->append_conf('postgresql.conf', join("\n",
			"shared_preload_libraries = 'dealix_exec'",
			"fsync = on",
			"restart_after_crash = on",
			"max_prepared_transactions = 10",
			"dealix_exec.sweep_interval = 1",
			"dealix_exec.superuser_runs = on",
			@settings) . "\n");
	$node->start;
	return $node;
}

# A session of this role and database; dies on an error.
sub dx_sql
{
	my ($node, $role, $sql, $db) = @_;

	return $node->safe_psql($db // 'postgres', $sql, extra_params => [ '-U', $role ]);
}

# The same, but an error is an answer: (status, output, error).
sub dx_try
{
	my ($node, $role, $sql, $db) = @_;

	# psql may end before it has read anything, when the server goes
	my @answer = eval { $node->psql($db // 'postgres', $sql, extra_params => [ '-U', $role ], on_error_stop => 1) };

	return @answer ? @answer : (2, '', $@);
}

# Waits until a query of the superuser gives this (default t).  How long this may
# take is no matter: a busy machine is not an error.  So it waits for five minutes
# at least, and the last argument is for what takes even longer.
sub dx_poll
{
	my ($node, $sql, $what, $expected, $db, $seconds) = @_;
	my $patience = $ENV{DX_PATIENCE} // 300;
	my $until = time() + (($seconds // 0) > $patience ? $seconds : $patience);
	my $got;

	$expected //= 't';
	while (1)
	{
		# psql ends before it has read anything when the server goes at that moment
		my ($rc, $out) = eval { $node->psql($db // 'postgres', $sql) };

		$got = defined $rc && $rc == 0 ? $out : '(no answer)';
		last if $got eq $expected || time() > $until;
		sleep(0.1);
	}
	is($got, $expected, $what);
	return $got eq $expected;
}

# The role app with access, and the schema shop: steps that leave one row each
# in a ledger without any index.
sub dx_shop
{
	my ($node, $db) = @_;

	$db //= 'postgres';
	$node->safe_psql($db, q{
		CREATE EXTENSION dealix_exec;
		DO $$ BEGIN
			IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN CREATE ROLE app LOGIN; END IF;
		END $$;
		SELECT dealix.grant_access('app', 'application'), dealix.grant_access('app', 'author');
		CREATE SCHEMA shop AUTHORIZATION app;
	});
	dx_sql($node, 'app', q{
		CREATE TABLE shop.ledger (key text, step text, pid int DEFAULT pg_backend_pid(), at timestamptz DEFAULT clock_timestamp());
		CREATE FUNCTION shop.book(key text, step text) RETURNS void
			LANGUAGE sql SET search_path = pg_catalog, pg_temp
			AS 'INSERT INTO shop.ledger (key, step) VALUES (key, step)';
		CREATE FUNCTION shop.book_slowly(key text, step text, seconds float8) RETURNS void
			LANGUAGE sql SET search_path = pg_catalog, pg_temp
			AS 'INSERT INTO shop.ledger (key, step) VALUES (key, step); SELECT pg_sleep(seconds)';
		CREATE FUNCTION shop.fail_sometimes(key text, n int) RETURNS void
			LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
			BEGIN
				INSERT INTO shop.ledger (key, step) VALUES (key, 'c');
				IF n % 10 = 0 THEN PERFORM dealix.raise('Shop.Unlucky', 'every tenth'); END IF;
			END $$;
		SELECT dealix.publish('chain', '{"StartAt": "A", "States": {
			"A": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "a"}, "ResultPath": null,
				"Compensate": {"Resource": "sql:shop.book", "Parameters": {"key.$": "$.input.key", "step": "undo a"}}, "Next": "B"},
			"B": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "b"}, "ResultPath": null,
				"Compensate": {"Resource": "sql:shop.book", "Parameters": {"key.$": "$.input.key", "step": "undo b"}}, "Next": "W"},
			"W": {"Type": "Wait", "SecondsPath": "$.wait", "Next": "C"},
			"C": {"Type": "Task", "Resource": "sql:shop.fail_sometimes", "Parameters": {"key.$": "$.key", "n.$": "$.n"}, "ResultPath": null, "End": true}}}');
		SELECT dealix.publish('slow', '{"StartAt": "A", "States": {
			"A": {"Type": "Task", "Resource": "sql:shop.book_slowly", "Parameters": {"key.$": "$.key", "step": "slow", "seconds.$": "$.seconds"}, "ResultPath": null, "End": true}}}');
		SELECT dealix.publish('parked', '{"StartAt": "S", "States": {
			"S": {"Type": "Task", "Resource": "signal:go", "ResultPath": "$.got", "Next": "B"},
			"B": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "after"}, "ResultPath": null, "End": true}}}');
	}, $db);
	return;
}

# Starts runs of "chain" one by one as app, with keys PREFIX1 ... PREFIXn, from
# a process of its own; what is acknowledged is a line in the file.
sub dx_start_keys
{
	my ($node, $prefix, $n, $file) = @_;
	my $pid = fork();

	die "could not fork: $!" unless defined $pid;
	return $pid if $pid;

	my $connstr = $node->connstr('postgres') . ' user=app';

	open my $ack, '>>', $file or POSIX::_exit(2);
	for my $i (1 .. $n)
	{
		my $sql = "SELECT dealix.start('chain', '{\"key\": \"$prefix$i\", \"n\": $i, \"wait\": 0}', '$prefix$i')";
		my $tries = 0;

		# A lost connection says nothing about the run: ask again with the key.
		while (system('psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $connstr, '-o', '/dev/null', '-c', $sql) != 0)
		{
			POSIX::_exit(1) if ++$tries > 3000;
			sleep(0.1);
		}
		syswrite $ack, "$prefix$i\n";
	}
	POSIX::_exit(0);
}

# SIGKILL to the postmaster and every process of it; then a start.
sub dx_crash
{
	my ($node) = @_;
	my $pidfile = slurp_file($node->data_dir . '/postmaster.pid');
	my ($postmaster) = $pidfile =~ /^(\d+)/;
	my @children;

	# stopped, it cannot bear a child that we would overlook
	kill 'STOP', $postmaster;
	for my $stat (glob '/proc/[0-9]*/stat')
	{
		open my $fh, '<', $stat or next;
		my $line = <$fh> // '';

		push @children, $1 if $line =~ /^(\d+) \(.*\) \S (\d+) / && $2 == $postmaster;
	}
	kill 'KILL', $postmaster, @children;
	$node->kill9;
	while (grep { kill 0, $_ } $postmaster, @children) { sleep(0.05) }
	$node->start;
	return;
}

# Process ids of the engine's workers.
sub dx_workers
{
	my ($node) = @_;

	return split /\n/, $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'dealix%worker%'");
}

# Every run of "chain" has ended as it should, with every effect once.
sub dx_ledger_ok
{
	my ($node, $what, $acknowledged) = @_;

	dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL}, "$what: every run has ended", '0', undef, 900);
	is($node->safe_psql('postgres', q{
		SELECT r.key, r.status, r.error, l.steps FROM dealix.run_details r
		LEFT JOIN (SELECT key, string_agg(step, ',' ORDER BY step) AS steps FROM shop.ledger GROUP BY key) l USING (key)
		WHERE r.workflow = 'chain' AND concat(r.status, ' ', l.steps) <>
			CASE WHEN (r.input ->> 'n')::int % 10 = 0 THEN 'FAILED a,b,undo a,undo b' ELSE 'SUCCEEDED a,b,c' END
		LIMIT 5}), '', "$what: it ended as it should, each effect once");
	is($node->safe_psql('postgres', q{
		SELECT key FROM shop.ledger l WHERE NOT EXISTS (SELECT FROM dealix.run_details r WHERE r.key = l.key) LIMIT 5}),
		'', "$what: no effect without a run");
	is($node->safe_psql('postgres', q{
		SELECT run_id FROM dealix.history_details GROUP BY run_id HAVING count(*) <> max(seq) OR min(seq) <> 1 LIMIT 5}),
		'', "$what: histories have no gaps");
	is($node->safe_psql('postgres', 'SELECT * FROM dealix.stuck() LIMIT 5'), '', "$what: nothing is stuck");
	is($node->safe_psql('postgres', 'SELECT * FROM dealix.incident_details LIMIT 5'), '', "$what: no incident");

	if ($acknowledged)
	{
		my @keys = map { chomp; $_ } do { open my $fh, '<', $acknowledged or die; <$fh> };
		my $list = join ',', map { "'$_'" } @keys;

		cmp_ok(scalar @keys, '>', 0, "$what: some starts were acknowledged");
		is($node->safe_psql('postgres', "SELECT count(*) FROM dealix.run_details WHERE key IN ($list)"),
			scalar @keys, "$what: every acknowledged run is there");
	}
	return;
}

1;
