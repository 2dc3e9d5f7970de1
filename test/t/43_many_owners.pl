# More owners with work than rings and places: each has its turn without a sweep,
# and the dispatcher looks at the tables for what has come due, not for each of
# them.  Timers of many owners, and messages that nobody waits for, cost nothing
# while they wait.
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

my $owners = $ENV{DX_OWNERS} // 150;
my $timers = $ENV{DX_TIMERS} // 2000;
my $signals = $ENV{DX_SIGNALS} // 20000;
my $node = dx_node('owners', 'dealix_exec.sweep_interval = 1h', 'dealix_exec.max_rings = 8', 'track_io_timing = off',
	'autovacuum = off', 'dealix_exec.max_inbox = 1000000');

dx_shop($node);
$node->safe_psql('postgres', qq{
	CREATE ROLE everybody;
	GRANT USAGE ON SCHEMA shop TO everybody;
	GRANT ALL ON shop.ledger TO everybody;
	SELECT dealix.grant_access('everybody', 'application');
	SET SESSION AUTHORIZATION everybody; SELECT FROM dealix.trust_author('app'); RESET SESSION AUTHORIZATION;
	DO \$\$ BEGIN FOR i IN 1 .. greatest($owners, $timers) LOOP EXECUTE format('CREATE ROLE o%s LOGIN IN ROLE everybody', i); END LOOP; END \$\$});
dx_sql($node, 'app', q{SELECT dealix.publish('wait', '{"StartAt": "A", "States": {"A": {"Type": "Wait", "SecondsPath": "$.s", "End": true}}}');
	SELECT dealix.publish('book', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "o"}, "End": true}}}')});

sub looks
{
	return $node->safe_psql('postgres', q{SELECT passes FROM dealix.worker_details WHERE kind = 'dispatcher'});
}

# A run for each of the owners, all of them in one transaction.
sub start_each
{
	my ($n, $sql) = @_;

	$node->safe_psql('postgres', qq{DO \$\$ BEGIN FOR i IN 1 .. $n LOOP
		EXECUTE format('SET LOCAL ROLE o%s', i); PERFORM $sql; RESET ROLE; END LOOP; END \$\$});
	return;
}

# ---------- one run for each of many owners ----------

{
	my $before = looks();
	my $begun = time();

	start_each($owners, q{dealix.start('book', jsonb_build_object('key', 'o' || i))});
	dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL}, 'every owner has its turn', '0', undef, 300);
	note(sprintf '%d owners with one run each: %.1f s, %d looks', $owners, time() - $begun, looks() - $before);
	is($node->safe_psql('postgres', 'SELECT count(DISTINCT key) FROM shop.ledger'), $owners, 'once each');
	cmp_ok(looks() - $before, '<', $owners / 4, 'and the dispatcher did not look at the tables for each');
}

# ---------- timers of many owners, and early signals ----------

# Buffers that looks have touched, of the engine's tables and their indexes.
my $buffers = q{SELECT sum(coalesce(heap_blks_read, 0) + coalesce(heap_blks_hit, 0) + coalesce(idx_blks_read, 0) + coalesce(idx_blks_hit, 0))
	FROM pg_statio_all_tables WHERE schemaname = 'dealix' AND relname IN ('branch', 'inbox', 'activity_task')};

{
	start_each($timers, q{dealix.start('wait', '{"s": 100000}')});
	dx_sql($node, 'app', q{SELECT dealix.start('parked', '{"key": "deaf"}', 'deaf')});
	dx_poll($node, q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for IN ('timer', 'signal')}, 'timers of many owners', $timers + 1, undef, 600);
	dx_sql($node, 'app', qq{SELECT count(dealix.signal(run_id, 'early', '{}')) FROM dealix.run_details, generate_series(1, 1000) WHERE key = 'deaf'})
		for 1 .. $signals / 1000;
	dx_poll($node, q{SELECT count(*) FROM dealix.inbox WHERE seen IS NULL}, 'a pass has seen the early signals', '0', undef, 120);
	is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.inbox'), $signals, 'and left them');
	$node->safe_psql('postgres', 'VACUUM ANALYZE dealix.branch, dealix.inbox');

	# Looks that find nothing: a transaction announces a time at which nothing is.
	# Nobody but the dispatcher reads these tables then.
	dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dealix_exec worker' AND state <> 'idle'}, 'quiet', '0');
	my ($run) = dx_sql($node, 'app', q{SELECT dealix.start('wait', '{"s": 2}')});
	dx_poll($node, qq{SELECT status FROM dealix.run_details WHERE run_id = '$run'}, 'one more timer', 'SUCCEEDED');
	sleep(1.5);
	my ($looks, $used) = (looks(), $node->safe_psql('postgres', $buffers));
	# a look is asked for by an index of nothing: the dispatcher is told of a time
	dx_sql($node, 'app', q{BEGIN; SELECT dealix.start('wait', '{"s": 100000}'); PREPARE TRANSACTION 'x'; ROLLBACK PREPARED 'x'});
	my @runs = map { dx_sql($node, 'app', q{SELECT dealix.start('wait', '{"s": 1}')}) } 1 .. 5;
	dx_poll($node, qq{SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL AND (input ->> 's')::int < 10}, 'timers among many', '0');
	dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dealix_exec worker' AND state <> 'idle'}, 'quiet again', '0');
	sleep(1.5);
	my ($looks2, $used2) = (looks(), $node->safe_psql('postgres', $buffers));

	cmp_ok($looks2, '>', $looks, 'there were looks');
	# passes, scans and starts of five runs are in it, too
	cmp_ok($used2 - $used, '<', 2000, sprintf 'five timers and %d looks among %d timers and %d early signals read %d buffers',
		$looks2 - $looks, $timers, $signals, $used2 - $used);
	note($node->safe_psql('postgres', qq{SELECT 'a timer was late by ' || round(max(extract(epoch FROM finished_at - created_at - interval '1 s')) * 1000) || ' ms at most'
		FROM dealix.run_details WHERE (input ->> 's')::int = 1}));

	# A sweep does not read them either; the timers of all owners it does.
	$node->safe_psql('postgres', q{ALTER SYSTEM SET dealix_exec.sweep_interval = 1; SELECT pg_reload_conf()});
	my $scanned = $node->safe_psql('postgres', q{SELECT idx_tup_read FROM pg_stat_all_indexes WHERE indexrelname = 'inbox_owner'});
	my $before = looks();

	dx_poll($node, "SELECT passes > $before + 3 FROM dealix.worker_details WHERE kind = 'dispatcher'", 'sweeps');
	sleep(1.5);
	cmp_ok($node->safe_psql('postgres', q{SELECT idx_tup_read FROM pg_stat_all_indexes WHERE indexrelname = 'inbox_owner'}) - $scanned, '<', 100,
		'sweeps do not read what was seen');

	# What was left is taken when the run comes to it.
	dx_sql($node, 'app', q{SELECT dealix.signal(run_id, 'go') FROM dealix.run_details WHERE key = 'deaf'});
	dx_poll($node, q{SELECT status FROM dealix.run_details WHERE key = 'deaf'}, 'a run with many messages that it does not want hears the one that it wants', 'SUCCEEDED');
}

is($node->safe_psql('postgres', 'SELECT * FROM dealix.stuck()'), '', 'nothing is stuck');
$node->stop;
done_testing();
