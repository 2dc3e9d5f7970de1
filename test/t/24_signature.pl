# The example examples/signature: a worker that is killed in the middle of a
# call, a webhook that comes twice, a second role that approves.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();
my ($python) = grep { system("$_ -c 'import psycopg' 2>/dev/null") == 0 } 'python3', '/usr/bin/python3';
plan skip_all => 'python3-psycopg is not installed' if !$python;

my $example = "$FindBin::Bin/../../examples/signature";
my $node = dx_node('signature');
my $log = PostgreSQL::Test::Utils::tempdir() . '/calls.log';
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $url = "http://127.0.0.1:$port";
my @pids;

sub background
{
	my $pid = fork();

	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		exec $python, @_ or POSIX::_exit(1);
	}
	push @pids, $pid;
	return $pid;
}
sub connstr { return $node->connstr('postgres') . " user=$_[0]" }
sub worker { return background("$example/worker.py", connstr('signer'), $url, @_) }
sub calls { return -e $log ? slurp_file($log) : '' }
sub answer
{
	my ($request, $answer) = @_;

	return system($python, '-c', 'import sys, urllib.request; urllib.request.urlopen(urllib.request.Request(sys.argv[1], b"", method="POST"))',
		"$url/answer/$request/$answer");
}
sub deal_poll { return dx_poll($node, "SELECT status FROM dealix.run_details WHERE key = '$_[0]'", $_[2], $_[1]) }
sub approve
{
	my ($deal) = @_;
	my $mine = "FROM dealix.approval_details WHERE status = 'PENDING' AND (payload ->> 'deal')::int = $deal";

	dx_poll($node, "SELECT count(*) $mine", "deal $deal waits for legal", '1');
	return dx_sql($node, 'legal', "SELECT dealix.approve(id) $mine");
}

$node->safe_psql('postgres', 'CREATE EXTENSION dealix_exec');
$node->safe_psql('postgres', slurp_file("$example/schema.sql"));
my $definition = slurp_file("$example/workflow.json");
dx_sql($node, 'sales', "SELECT dealix.publish('signature', \$def\$$definition\$def\$)");
background("$example/provider.py", $port, $log, connstr('provider'));

# ---------- killed in the middle of a call ----------

dx_sql($node, 'sales', q{INSERT INTO sales.deal VALUES (1, 'ann', 100)});
is(approve(1), 'APPROVED', 'legal approves');
my $first = worker('--crash');
waitpid($first, 0);
is($? & 127, 9, 'the worker is killed after the provider has the request, before it is completed');
worker();
my $requested = q{SELECT detail #>> '{output,request}' FROM dealix.run_details r, dealix.timeline(r.run_id) t WHERE r.key = '%s' AND t.state = 'Send' AND t.event = 'step_succeeded'};
dx_poll($node, q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for = 'signal'}, 'another worker completes it', '1');
my @sent = calls() =~ /^send_signature_request (\S+)$/mg;
is(scalar @sent, 2, 'the provider was called twice');
is($sent[0], $sent[1], 'with one key');
is($node->safe_psql('postgres', sprintf $requested, 1), $sent[0], 'so there is one request');
is(answer($sent[0], 'signed'), 0, 'the signer signs, and the webhook is called twice');
deal_poll(1, 'SUCCEEDED', 'the run ends');
is($node->safe_psql('postgres', 'SELECT state FROM sales.deal WHERE deal = 1'), 'signed', 'the deal is signed');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.history_details WHERE event = 'signal_received'}), '1', 'by one signal');

# ---------- rejected ----------

dx_sql($node, 'sales', q{INSERT INTO sales.deal VALUES (2, 'bob', 200)});
dx_poll($node, q{SELECT count(*) FROM dealix.approval_details WHERE status = 'PENDING'}, 'another deal', '1');
my (undef, undef, $err) = dx_try($node, 'sales', q{SELECT dealix.approve(id) FROM dealix.approval_details WHERE status = 'PENDING'});
like($err, qr/permission denied|there is no approval/, 'sales does not approve it');
is(dx_sql($node, 'legal', q{SELECT dealix.decide(id, '{"type": "reject", "message": "too risky"}') FROM dealix.approval_details WHERE status = 'PENDING'}), 'REJECTED', 'legal rejects it');
deal_poll(2, 'FAILED', 'it fails');
is($node->safe_psql('postgres', q{SELECT error || ': ' || cause FROM dealix.run_details WHERE key = '2'}), 'Approval.Rejected: too risky', 'with the reason');

# ---------- declined ----------

dx_sql($node, 'sales', q{INSERT INTO sales.deal VALUES (3, 'eve', 300)});
is(approve(3), 'APPROVED', 'a third one');
dx_poll($node, q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for = 'signal'}, 'is sent', '1');
my $request = $node->safe_psql('postgres', sprintf $requested, 3);
is(answer($request, 'declined'), 0, 'and declined');
deal_poll(3, 'FAILED', 'so the run fails');
like(calls(), qr/^void_signature_request /m, 'the request is voided at the provider');
is($node->safe_psql('postgres', q{SELECT error FROM dealix.run_details WHERE key = '3'}), 'Sales.Declined', 'and says why');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.stuck()'), '0', 'nothing is stuck');

kill 'TERM', @pids;
waitpid($_, 0) for @pids;
$node->stop;
done_testing();
