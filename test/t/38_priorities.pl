# Priorities within an owner: what is urgent goes before all that waits already,
# in the tables and in the wake-up ring.  Measured in runs that go by meanwhile.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;

dx_skip_root();

my $node = dx_node('priorities', 'dealix_exec.workers = 0', 'dealix_exec.sweep_interval = 3600', 'dealix_exec.worker_idle_timeout = 1h');
dx_shop($node);
dx_sql($node, 'app', q{
	SELECT dealix.publish('once', '{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "a"}, "ResultPath": null, "End": true}}}');
	SELECT dealix.publish('timed', '{"StartAt": "W", "States": {
		"W": {"Type": "Wait", "Seconds": 2, "Next": "A"},
		"A": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "timed"}, "ResultPath": null, "End": true}}}');
	SELECT dealix.publish('parent', '{"StartAt": "P", "States": {
		"P": {"Type": "Task", "Resource": "workflow:once", "Parameters": {"key": "child"}, "ResultPath": null, "Next": "A"},
		"A": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "after"}, "ResultPath": null, "End": true}}}')});

sub workers
{
	my ($n) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET dealix_exec.workers = $n");
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	return;
}

sub backlog
{
	my ($n) = @_;

	dx_sql($node, 'app', "SELECT count(*) FROM dealix.start_many('slow', ARRAY(
		SELECT jsonb_build_object('key', 'backlog', 'seconds', 0.005) FROM generate_series(1, $n) i))");
	return;
}

# How many steps of the backlog lie between a time and the step with this key.
sub went_by
{
	my ($key, $since) = @_;

	return $node->safe_psql('postgres', "SELECT count(*) FROM shop.ledger b, (SELECT max(at) AS at FROM shop.ledger WHERE key = '$key') u
		WHERE b.key = 'backlog' AND b.at BETWEEN $since AND u.at");
}

# ---------- more than the notes of a transaction and the ring hold ----------

dx_sql($node, 'app', q{
	SELECT dealix.start('once', jsonb_build_object('key', p::text), priority => p)
	FROM (SELECT (i * 7919) % 21 - 10 AS p FROM generate_series(1, 3000) i) x});
workers(1);
dx_poll($node, 'SELECT count(*) FROM dealix.run WHERE finished_at IS NULL', 'all runs have ended', '0');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM (SELECT key::int AS p, lag(key::int) OVER (ORDER BY at) AS before FROM shop.ledger) x WHERE p > before}),
	'0', 'in the order of their priorities');

# ---------- beside runs that fill the ring ----------

my $parked = dx_sql($node, 'app', q{SELECT dealix.start('parked', '{"key": "signalled"}', priority => 5)});
dx_poll($node, q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for = 'signal'}, 'one waits for its signal', '1');
backlog(1500);
dx_sql($node, 'app', q{SELECT dealix.start('timed', '{"key": "timed"}', priority => 5)});
dx_poll($node, q{SELECT count(*) > 20 FROM shop.ledger WHERE key = 'backlog'}, 'the backlog is being worked off');

my $urgent = dx_sql($node, 'app', q{SELECT dealix.start('once', '{"key": "urgent"}', priority => 5)});
my $parent = dx_sql($node, 'app', q{SELECT dealix.start('parent', '{"key": "parent"}', priority => 5)});
my $signalled_at = dx_sql($node, 'app', qq{
	SELECT clock_timestamp() AS at \\gset
	SELECT dealix.signal('$parked', 'go') \\g /dev/null
	SELECT :'at'});
dx_poll($node, q{SELECT count(*) FROM dealix.run WHERE priority = 5 AND finished_at IS NULL}, 'what is urgent has ended', '0');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.run WHERE finished_at IS NULL'), '>', 500, 'most of the backlog has not');
# A pass of 200 ms has at most 40 such steps.
cmp_ok(went_by('urgent', "(SELECT created_at FROM dealix.run WHERE run_id = '$urgent')"), '<=', 100, 'a start waited for the pass that was going on');
cmp_ok(went_by('parent', "(SELECT created_at FROM dealix.run WHERE run_id = '$parent')"), '<=', 250, 'so did a parent and its child, each time');
cmp_ok(went_by('signalled', "'$signalled_at'"), '<=', 100, 'and a signal');
cmp_ok(went_by('timed', "(SELECT r.created_at + interval '2 s' FROM dealix.run r JOIN dealix.workflow USING (workflow_id) WHERE name = 'timed')"), '<=', 100, 'and a timer');
$node->stop;
done_testing();
