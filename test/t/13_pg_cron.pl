# No library is preloaded but pg_cron's, and that drives everything.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;

dx_skip_root();
plan skip_all => 'pg_cron is not installed' unless dx_has_cron();

my $node = PostgreSQL::Test::Cluster->new('cron');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_cron'\ncron.database_name = 'postgres'\n"
	  . "cron.host = '" . $node->host . "'\n");
$node->start;
dx_shop($node);
$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO app');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dealix%'}), '0', 'there are no background workers of ours');

# From pg_cron 1.5 on, its setting for the zone is for superusers only.
dx_sql($node, 'app', q{SELECT dealix.schedule('yearly', '0 0 1 1 *', 'chain')});
is(dx_sql($node, 'app', q{SELECT zone FROM dealix.schedule_details}),
	$node->safe_psql('postgres', q{SELECT coalesce(current_setting('cron.timezone', true), 'GMT')}), 'everybody reads the zone of a schedule');
dx_sql($node, 'app', q{SELECT dealix.unschedule('yearly')});

# Since pg_cron 1.5 a schedule may be '1 second'; a minute is what every version can.
dx_sql($node, 'app', q{SELECT cron.schedule('dealix', '* * * * *', 'CALL dealix.drain()')});
dx_sql($node, 'app', q{
	SELECT count(*) FROM dealix.start_many('chain', ARRAY(SELECT jsonb_build_object('key', 'k' || i, 'n', i, 'wait', 0) FROM generate_series(1, 500) i),
		ARRAY(SELECT 'k' || i FROM generate_series(1, 500) i))});
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL}), '500', 'runs are started, and nobody advances them');
dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL}, 'until pg_cron does', '0', undef, 100);
dx_ledger_ok($node, 'driven by pg_cron');
dx_poll($node, q{SELECT count(*) > 0 FROM cron.job_run_details WHERE status = 'succeeded' AND command = 'CALL dealix.drain()'}, 'its job succeeded');
is($node->safe_psql('postgres', q{SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'}), '0', 'and never failed');

$node->stop;
done_testing();
