# A restored copy has everything, and is held until somebody says otherwise.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

my $node = dx_node('dump');
dx_shop($node);
$node->safe_psql('postgres', q{CREATE ROLE ops LOGIN; SELECT dealix.grant_access('ops', 'operator')});

# 100 parked runs: 60 wait for a signal, 40 for a timer that is due soon; and
# some that have ended.
dx_sql($node, 'app', q{
	SELECT count(*) FROM dealix.start_many('parked', ARRAY(SELECT jsonb_build_object('key', 'p' || i) FROM generate_series(1, 60) i),
		ARRAY(SELECT 'p' || i FROM generate_series(1, 60) i));
	SELECT count(*) FROM dealix.start_many('chain', ARRAY(SELECT jsonb_build_object('key', 't' || i, 'n', i, 'wait', 30) FROM generate_series(1, 40) i),
		ARRAY(SELECT 't' || i FROM generate_series(1, 40) i));
	SELECT count(*) FROM dealix.start_many('chain', ARRAY(SELECT jsonb_build_object('key', 'e' || i, 'n', i, 'wait', 0) FROM generate_series(1, 20) i),
		ARRAY(SELECT 'e' || i FROM generate_series(1, 20) i));
});
dx_poll($node, q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for IN ('timer', 'signal')}, 'a hundred runs are parked', '100');
dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE key LIKE 'e%' AND finished_at IS NULL}, 'others have ended', '0');

my $dir = PostgreSQL::Test::Utils::tempdir();
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
my $log = -s $node->logfile;
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('copy'), "$dir/dump" ], 'pg_restore into a new database');

for my $table (qw(workflow version run branch history_event message_key inbox))
{
	next if $table =~ /branch|inbox/;
	my $sql = "SELECT count(*), md5(string_agg(x::text, '|' ORDER BY x::text)) FROM dealix.$table x";

	if ($table eq 'run' || $table eq 'history_event')
	{
		# the original goes on meanwhile
		$sql .= " WHERE run_id IN (SELECT run_id FROM dealix.run WHERE key LIKE 'p%' OR key LIKE 'e%')";
	}
	is($node->safe_psql('copy', $sql), $node->safe_psql('postgres', $sql), "dealix.$table is the same in the copy");
}
is($node->safe_psql('copy', q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for IN ('timer', 'signal')}), '100', 'the copy has the parked runs');

# ---------- held ----------

dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE key LIKE 't%' AND finished_at IS NULL}, 'the timers of the original fire', '0');
sleep(3);
is($node->safe_psql('copy', q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for IN ('timer', 'signal')}), '100', 'those of the copy do not: it is held');
is($node->safe_psql('copy', q{SELECT count(*) FROM shop.ledger WHERE key LIKE 't%' AND step IN ('c', 'undo a')}), '0', 'so that nothing is done twice');
is($node->safe_psql('copy', 'SELECT dealix.held()'), 't', 'dealix.held() says so');
is($node->safe_psql('postgres', 'SELECT dealix.held()'), 'f', 'not so in the original');
is($node->safe_psql('copy', q{SELECT dealix.describe(run_id) ->> 'held' FROM dealix.run_details WHERE key = 'p1'}), 'true', 'so does describe');
dx_poll($node, q{SELECT bool_or(held) FROM dealix.worker_details WHERE database = 'copy'}, 'so does dealix.workers', 't', 'copy');
is($node->safe_psql('postgres', q{SELECT bool_or(held) FROM dealix.worker_details WHERE database = 'postgres'}), 'f', 'which knows the difference');
ok($node->wait_for_log(qr/copy.*held|held.*copy/i, $log), 'so does the log');
is(dx_sql($node, 'app', 'SELECT dealix.tick()', 'copy'), '0', 'tick does nothing');
is($node->safe_psql('copy', q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for IN ('timer', 'signal')}), '100', 'really nothing');
my ($rc, $out, $err) = dx_try($node, 'app', 'SELECT dealix.resume_engine()', 'copy');
isnt($rc, 0, 'an application cannot resume it');

# ---------- resumed ----------

is(dx_sql($node, 'ops', 'SELECT dealix.resume_engine()', 'copy'), 't', 'an operator can');
is(dx_sql($node, 'ops', 'SELECT dealix.resume_engine()', 'copy'), 'f', 'once');
dx_sql($node, 'app', q{SELECT count(dealix.signal(run_id, 'go')) FROM dealix.run_details WHERE key LIKE 'p%'}, 'copy');
dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL}, 'the parked runs of the copy finish', '0', 'copy');
is($node->safe_psql('copy', q{SELECT count(*), count(*) FILTER (WHERE status = 'SUCCEEDED') FROM dealix.run_details WHERE key LIKE 'p%'}), '60|60', 'the signals were received');
is($node->safe_psql('copy', q{SELECT count(*) FROM shop.ledger WHERE key LIKE 'p%'}), '60', 'each effect once');
is($node->safe_psql('copy', 'SELECT * FROM dealix.stuck()'), '', 'nothing is stuck');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details WHERE key LIKE 'p%' AND finished_at IS NULL}), '60', 'the original is not concerned');
dx_sql($node, 'app', q{SELECT dealix.start('chain', '{"key": "new", "n": 1, "wait": 0}', 'new')}, 'copy');
dx_poll($node, q{SELECT status FROM dealix.run_details WHERE key = 'new'}, 'new runs run in the copy', 'SUCCEEDED', 'copy');
is(dx_sql($node, 'app', q{SELECT dealix.publish('chain', definition) FROM dealix.workflow_details WHERE workflow = 'slow'}, 'copy'), '2', 'numbers of versions go on');

# ---------- a copy by CREATE DATABASE ... TEMPLATE ----------

$node->safe_psql('copy', 'SELECT 1');
dx_sql($node, 'app', q{SELECT dealix.start('parked', '{"key": "q1"}', 'q1')}, 'copy');
$node->stop;
$node->append_conf('postgresql.conf', "dealix_exec.databases = 'postgres'");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE clone TEMPLATE copy');
is($node->safe_psql('clone', 'SELECT dealix.held()'), 't', 'a clone is held, too');

$node->stop;
done_testing();
