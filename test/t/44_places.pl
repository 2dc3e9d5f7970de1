# Places of background workers: with more databases than places they take turns,
# nobody's backlog keeps another role waiting, and caps hold.
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

# What of our processes is there, by kind.
my $ours = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dealix_exec %s'};

# ---------- 12 databases, max_worker_processes as it is by default ----------

{
	my $node = dx_node('databases', 'max_worker_processes = 8', 'dealix_exec.sweep_interval = 1h');

	$node->safe_psql('postgres', 'CREATE ROLE app LOGIN');
	for my $i (1 .. 12)
	{
		$node->safe_psql('postgres', "CREATE DATABASE d$i");
		$node->safe_psql("d$i", q{CREATE EXTENSION dealix_exec;
			SELECT dealix.grant_access('app', 'application'), dealix.grant_access('app', 'author')});
		dx_sql($node, 'app', q{SELECT dealix.publish('wait', '{"StartAt": "A", "States": {
			"A": {"Type": "Wait", "SecondsPath": "$.s", "End": true}}}')}, "d$i");
	}

	# Starts in all of them, at once and with timers, and twice: the second time
	# their dispatchers rest.
	for my $round (1, 2)
	{
		dx_sql($node, 'app', q{SELECT dealix.start('wait', '{"s": 0}'), dealix.start('wait', '{"s": 2}')}, "d$_") for 1 .. 12;
		dx_poll($node, q{SELECT count(*) FILTER (WHERE status <> 'SUCCEEDED') FROM dealix.run_details},
			"round $round: every run of d$_ ends", '0', "d$_", 120) for 1 .. 12;
	}
	cmp_ok($node->safe_psql('postgres', sprintf $ours, 'dispatcher'), '<=', 3, 'half of the places at most are for dispatchers');
	like(slurp_file($node->logfile), qr/take turns.*Raise max_worker_processes/s, 'the log says what to raise');
	is(() = slurp_file($node->logfile) =~ /take turns/g, 1, 'once');

	# Who rests says so, and comes back for a signal, a timer, DROP DATABASE.
	dx_poll($node, q{SELECT state IN ('RESTING', 'RUNNING') FROM dealix.worker_details WHERE kind = 'dispatcher'}, 'dealix.workers tells whether it rests', 't', 'd1');
	is((dx_try($node, 'postgres', 'DROP DATABASE d12'))[0], 0, 'a database whose dispatcher rests can be dropped');
	is((dx_try($node, 'postgres', 'ALTER DATABASE d11 RENAME TO e11'))[0], 0, 'or renamed');
	dx_sql($node, 'app', q{SELECT dealix.start('wait', '{"s": 1}')}, 'e11');
	dx_poll($node, q{SELECT count(*) FILTER (WHERE status <> 'SUCCEEDED') FROM dealix.run_details}, 'and goes on', '0', 'e11');
	$node->stop;
}

# ---------- two roles with endless backlogs, four workers each ----------

{
	my $node = dx_node('roles', 'max_worker_processes = 8', 'dealix_exec.workers = 4',
		'dealix_exec.sweep_interval = 1h', 'dealix_exec.pass_max_time = 100ms', 'dealix_exec.worker_idle_timeout = 500ms');

	dx_shop($node);
	$node->safe_psql('postgres', q{
		CREATE ROLE greedy LOGIN; CREATE ROLE gluttonous LOGIN; CREATE ROLE third LOGIN;
		SELECT dealix.grant_access(r::regrole, 'application'), dealix.grant_access(r::regrole, 'author') FROM unnest(ARRAY['greedy', 'gluttonous', 'third']) r;
		GRANT USAGE ON SCHEMA shop TO PUBLIC;
		GRANT ALL ON shop.ledger TO PUBLIC});
	dx_sql($node, $_, q{SELECT FROM dealix.trust_author('app')}) for 'greedy', 'gluttonous', 'third';
	dx_sql($node, $_, q{SELECT count(*) FROM (SELECT dealix.start('slow', '{"key": "backlog", "seconds": 0.02}') FROM generate_series(1, 20000)) s})
		for 'greedy', 'gluttonous';
	dx_poll($node, (sprintf $ours, 'worker') =~ s/count\(\*\)/count(*) >= 3/r, 'they have all places but the one that is kept');
	dx_poll($node, q{SELECT count(*) < 5 FROM dealix.worker_details WHERE kind = 'worker'}, 'one place is kept');

	for my $i (1 .. 5)
	{
		my $run = dx_sql($node, 'third', qq{SELECT dealix.start('slow', '{"key": "third $i", "seconds": 0}')});

		dx_poll($node, "SELECT status FROM dealix.run_details WHERE run_id = '$run'", "the third role is served ($i)", 'SUCCEEDED', undef, 180);
		my $passes = $node->safe_psql('postgres', qq{SELECT count(DISTINCT l.xmin::text) FROM shop.ledger l, dealix.run_details r
			WHERE r.run_id = '$run' AND l.at BETWEEN r.created_at AND r.finished_at AND l.key = 'backlog'});
		cmp_ok($passes, '<', 200, "within a bounded number of passes of the others ($passes)");
	}
	is($node->safe_psql('postgres', q{SELECT count(*) > 0 FROM dealix.run_details WHERE finished_at IS NULL}), 't', 'whose backlogs go on');

	# ---------- a cap for all, and settings reach a busy worker ----------

	$node->safe_psql('postgres', 'ALTER SYSTEM SET dealix_exec.max_workers = 2');
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	dx_poll($node, (sprintf $ours, 'worker') =~ s/count\(\*\)/count(*) <= 2/r, 'max_workers caps all workers together');
	$node->safe_psql('postgres', 'ALTER SYSTEM SET dealix_exec.workers = 0');
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	dx_poll($node, sprintf($ours, 'worker'), 'workers = 0 ends busy workers', '0');
	is($node->safe_psql('postgres', q{SELECT count(*) > 0 FROM dealix.run_details WHERE finished_at IS NULL}), 't', 'in the middle of their backlogs');
	my $done = $node->safe_psql('postgres', 'SELECT count(*) FROM shop.ledger');
	sleep(1);
	is($node->safe_psql('postgres', 'SELECT count(*) FROM shop.ledger'), $done, 'and nothing goes on');
	$node->safe_psql('postgres', 'ALTER SYSTEM SET dealix_exec.workers = 1');
	$node->safe_psql('postgres', 'ALTER SYSTEM RESET dealix_exec.max_workers');
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	dx_poll($node, "SELECT count(*) > $done FROM shop.ledger", 'until there may be workers again');

	# pass_max_runs reaches a worker that never waits
	$node->safe_psql('postgres', 'ALTER SYSTEM SET dealix_exec.pass_max_runs = 1');
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	dx_poll($node, q{SELECT max(n) = 1 FROM (SELECT count(*) AS n FROM (SELECT xmin, at FROM shop.ledger ORDER BY at DESC LIMIT 10) l GROUP BY xmin::text) p},
		'pass_max_runs reaches a busy worker');
	$node->stop;
}

done_testing();
