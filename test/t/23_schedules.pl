# Schedules by the clock of the real pg_cron.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;

dx_skip_root();
plan skip_all => 'pg_cron is not installed' unless dx_has_cron();

my $node = PostgreSQL::Test::Cluster->new('schedules');
$node->init;
$node->append_conf('postgresql.conf', join("\n",
		"shared_preload_libraries = 'dealix_exec,pg_cron'",
		"cron.database_name = 'postgres'",
		"cron.host = '" . $node->host . "'",
		'dealix_exec.sweep_interval = 1') . "\n");
$node->start;
dx_shop($node);
$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO app');
dx_sql($node, 'app', q{
	SELECT dealix.publish('job', '{"StartAt": "B", "States": {"B": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key": "job", "step": "done"}, "End": true}}}');
});

my ($rc, undef, $err) = dx_try($node, 'app', q{SELECT dealix.schedule('s', 'every now and then', 'job')});
isnt($rc, 0, 'what pg_cron does not understand');
like($err, qr/invalid schedule/, 'is its error');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.schedule_details'), '0', 'and makes no schedule');
($rc, undef, $err) = dx_try($node, 'app', q{SELECT dealix.schedule('s', '* * * * *', 'nothing')});
like($err, qr/there is no workflow nothing/, 'nor does an unknown workflow');
($rc, undef, $err) = dx_try($node, 'app', q{SELECT dealix.schedule('s', '* * * * *', 'job', overlap => 'perhaps')});
like($err, qr/overlap 'perhaps' is not known/, 'nor an unknown overlap');

dx_sql($node, 'app', q{SELECT dealix.schedule('s', '* * * * *', 'job')});
is($node->safe_psql('postgres', q{SELECT username, command FROM cron.job}), q{app|SELECT dealix.fire_schedule('s')}, 'a job of pg_cron, of the caller');
dx_poll($node, q{SELECT count(*) > 0 FROM shop.ledger WHERE key = 'job'}, 'it starts a run when it is time', 't', undef, 100);
is($node->safe_psql('postgres', q{SELECT last_outcome || (last_runs -> 0 ->> 'status') FROM dealix.schedule_details}), 'STARTEDSUCCEEDED', 'dealix.schedules shows its outcome');
dx_sql($node, 'app', q{SELECT dealix.schedule('s', '0 0 1 1 *', 'job')});
is($node->safe_psql('postgres', q{SELECT count(*), max(schedule) FROM cron.job}), '1|0 0 1 1 *', 'the same name again changes it');
is(dx_sql($node, 'app', q{SELECT dealix.unschedule('s')}), 't', 'unschedule');
is($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM cron.job) + (SELECT count(*) FROM dealix.schedule_details)}), '0', 'takes the job away');

$node->stop;
done_testing();
