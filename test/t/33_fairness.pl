# The backlog of one owner does not hold up another owner's run.  Measured in
# runs of the backlog that go by meanwhile, not in time.  Also where only one of
# the owners can have a worker at a time.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;

dx_skip_root();

my $runs = 60_000;
my $node = dx_node('fair', 'dealix_exec.workers = 2', 'dealix_exec.worker_idle_timeout = 1h', 'max_worker_processes = 16');
dx_shop($node);
$node->safe_psql('postgres', q{
	CREATE ROLE guest LOGIN;
	SELECT FROM dealix.grant_access('guest', 'application');
	GRANT USAGE ON SCHEMA shop TO guest;
	GRANT INSERT ON shop.ledger TO guest;
	SET SESSION AUTHORIZATION guest; SELECT FROM dealix.trust_author('app'); RESET SESSION AUTHORIZATION});

sub guest_run
{
	my ($key) = @_;

	return dx_sql($node, 'guest', qq{
		SELECT dealix.start('chain', '{"key": "$key", "n": 1, "wait": 0}') AS run \\gset
		CALL dealix.wait(:'run', '10 minutes')});
}
is(guest_run('first'), 'SUCCEEDED', 'a worker of the guest is there');

dx_sql($node, 'app', "SELECT count(*) FROM dealix.start_many('chain', ARRAY(
	SELECT jsonb_build_object('key', i, 'n', 1, 'wait', 0) FROM generate_series(1, $runs) i))");
dx_poll($node, q{SELECT count(*) > 100 FROM dealix.run WHERE owner = 'app'::regrole AND finished_at IS NOT NULL}, 'the backlog is being worked off');

my $trials = 0;
while ($trials < 15)
{
	is(guest_run("beside$trials"), 'SUCCEEDED', "run $trials of the guest");
	$trials++;
}
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.run WHERE owner = 'app'::regrole AND finished_at IS NULL}), '>', 500,
	'the backlog went on all the time');

# Two workers with a pass of 50 each; a few passes go by while the guest's
# session, its worker and those two share the processors.
my @went_by = split /\n/, $node->safe_psql('postgres', q{
	SELECT (SELECT count(*) FROM dealix.run b WHERE b.owner = 'app'::regrole AND b.finished_at BETWEEN g.created_at AND g.finished_at)
	FROM dealix.run g WHERE g.owner = 'guest'::regrole AND g.input ->> 'key' LIKE 'beside%' ORDER BY 1});
note("runs of the backlog that went by: @went_by");
is(scalar @went_by, $trials, 'all were measured');
cmp_ok($went_by[ $#went_by / 2 ], '<=', 500, 'half of the guest\'s runs took no more than five passes of each worker');
cmp_ok($went_by[-1], '<=', $runs / 8, 'and none of them waited for the backlog');

dx_poll($node, 'SELECT NOT EXISTS (SELECT FROM dealix.run WHERE finished_at IS NULL)', 'every run has ended', 't', undef, 120);
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT (key, step)) FROM shop.ledger'), join('|', (3 * ($runs + 16)) x 2), 'each effect once');
$node->stop;

# ---------- fewer background workers than owners with work ----------

# One process for workers: besides it there are the launcher, the dispatcher and
# the server's own for logical replication.
$node = dx_node('scarce', 'dealix_exec.workers = 1', 'dealix_exec.worker_idle_timeout = 1h', 'max_worker_processes = 4');
dx_shop($node);
$node->safe_psql('postgres', q{
	CREATE ROLE guest LOGIN;
	SELECT FROM dealix.grant_access('guest', 'application');
	GRANT USAGE ON SCHEMA shop TO guest;
	GRANT INSERT ON shop.ledger TO guest;
	SET SESSION AUTHORIZATION guest; SELECT FROM dealix.trust_author('app'); RESET SESSION AUTHORIZATION});
dx_sql($node, 'app', "SELECT count(*) FROM dealix.start_many('slow', ARRAY(
	SELECT jsonb_build_object('key', i, 'seconds', 0.01) FROM generate_series(1, 3000) i))");
dx_poll($node, q{SELECT count(*) > 10 FROM dealix.run WHERE finished_at IS NOT NULL}, 'the only worker works for the backlog');
for my $trial (1 .. 3)
{
	is(guest_run("scarce$trial"), 'SUCCEEDED', "the guest has a turn ($trial)");
}
# A turn is half a second: 50 of these runs.
@went_by = split /\n/, $node->safe_psql('postgres', q{
	SELECT (SELECT count(*) FROM dealix.run b WHERE b.owner = 'app'::regrole AND b.finished_at BETWEEN g.created_at AND g.finished_at)
	FROM dealix.run g WHERE g.owner = 'guest'::regrole ORDER BY 1});
note("runs of the backlog that went by: @went_by");
cmp_ok($went_by[-1], '<=', 200, 'that is not far off');
$node->stop;
done_testing();
