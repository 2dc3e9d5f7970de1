# Lines of runs that continue as new: what is sent while one hands over to the
# next is received, once and in order, and who stops one stops the line.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

my $node = dx_node('lines', 'dealix_exec.workers = 2');
my $senders = 3;
my $each = 400;
my $total = $senders * $each;

dx_shop($node);
# Takes one message a run and hands over to the next.
dx_sql($node, 'app', q{
	CREATE TABLE shop.got (sender int, n int, run uuid, id int GENERATED ALWAYS AS IDENTITY);
	CREATE FUNCTION shop.take(sender int, n int, run text, count int, until int) RETURNS jsonb
		LANGUAGE sql SET search_path = pg_catalog, pg_temp AS
		'INSERT INTO shop.got (sender, n, run) VALUES (sender, n, run::uuid);
		SELECT pg_catalog.jsonb_build_object(''count'', count + 1, ''until'', until)';
	SELECT dealix.publish('line', '{"StartAt": "Message", "States": {
		"Message": {"Type": "Task", "Resource": "signal:message", "ResultPath": "$.m", "Next": "Take"},
		"Take": {"Type": "Task", "Resource": "sql:shop.take", "Parameters": {"sender.$": "$.m.sender", "n.$": "$.m.n",
			"run.$": "$$.Execution.Id", "count.$": "$.count", "until.$": "$.until"}, "Next": "All"},
		"All": {"Type": "Choice", "Choices": [{"Variable": "$.count", "NumericGreaterThanEqualsPath": "$.until", "Next": "Done"}], "Default": "Again"},
		"Again": {"Type": "Task", "Resource": "workflow:continue_as_new", "End": true},
		"Done": {"Type": "Succeed"}}}');
	SELECT dealix.publish('spin', '{"StartAt": "Count", "States": {
		"Count": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "Again"},
		"Again": {"Type": "Task", "Resource": "workflow:continue_as_new", "End": true}}}');
});

# ---------- many senders ----------

my $dir = PostgreSQL::Test::Utils::tempdir();
my $first = dx_sql($node, 'app', qq{SELECT dealix.start('line', '{"count": 0, "until": $total}', 'the line')});
my @sessions;

for my $sender (1 .. $senders)
{
	# One names the first run, one whatever run has the key, one keys each signal
	# and sends it twice.
	my $run = $sender == 2 ? "(SELECT run_id FROM dealix.run_details WHERE key = 'the line')" : "'$first'";
	my $file = "$dir/sender$sender.sql";

	append_to_file($file, join('', map {
		my $payload = qq{'{"sender": $sender, "n": $_}'};

		$sender == 3 ? "SELECT dealix.signal($run, 'message', $payload, 'k$_'), dealix.signal($run, 'message', $payload, 'k$_');\n"
		  : "SELECT dealix.signal($run, 'message', $payload);\n"
	} 1 .. $each));
	push @sessions, IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') . ' user=app',
			'-f', $file, '-o', "$dir/answers$sender" ], '2>', "$dir/errors$sender");
}
ok($_->finish, 'a sender has sent everything') for @sessions;
is(slurp_file("$dir/errors$_"), '', "nothing was refused to sender $_") for 1 .. $senders;
is(scalar(() = slurp_file("$dir/answers3") =~ /^t\|f$/mg), $each, 'a key counts for the whole line');

dx_poll($node, 'SELECT count(*) FROM shop.got', 'every signal that was accepted was received', $total, undef, 180);
dx_poll($node, "SELECT count(*) FROM dealix.run_details WHERE status = 'RUNNING'", 'the line has come to its end', '0');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT (sender, n)) FROM shop.got'), $total, 'once each');
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT n, lag(n) OVER (PARTITION BY sender ORDER BY id) AS before FROM shop.got) x
	WHERE n < before}), '0', 'in the order of each sender');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT run) FROM shop.got'), $total, 'by as many runs');
is($node->safe_psql('postgres', "SELECT count(*) FROM dealix.history_details WHERE event = 'message_late'"), '0', 'none was late');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.inbox'), '0', 'none is left');
is(dx_sql($node, 'app', "CALL dealix.wait('$first', '10 s')"), 'SUCCEEDED', 'who waits for the first waits for the line');
is(dx_sql($node, 'app', "SELECT dealix.result('$first') ->> 'count'"), $total, 'and gets the result of its end');
is($node->safe_psql('postgres', "SELECT count(*) FROM dealix.run_details WHERE first_run = '$first'"), $total - 1, 'the line can be listed');
is($node->safe_psql('postgres', "SELECT count(*) FROM dealix.run_details a JOIN dealix.run_details b ON b.run_id = a.continued_as"), $total - 1, 'link by link');

# ---------- a message that is committed after the hand-over ----------

my $open = $node->background_psql('postgres', on_error_stop => 1, extra_params => [ '-U', 'app' ]);

$first = dx_sql($node, 'app', q{SELECT dealix.start('line', '{"count": 0, "until": 3}', 'late')});
$open->query_safe("BEGIN");
is($open->query_safe(qq{SELECT dealix.signal('$first', 'message', '{"sender": 9, "n": 2}')}), 't', 'a signal in an open transaction');
dx_sql($node, 'app', qq{SELECT dealix.signal('$first', 'message', '{"sender": 9, "n": 1}')});
dx_poll($node, "SELECT continued_as IS NOT NULL FROM dealix.run_details WHERE run_id = '$first'", 'the run hands over meanwhile');
dx_poll($node, "SELECT count(*) FROM dealix.waiting_details WHERE waits_for = 'signal'", 'and the next one waits', '1');
$open->query_safe('COMMIT');
dx_poll($node, 'SELECT count(*) FROM shop.got WHERE sender = 9', 'the next one receives it', '2');
is($node->safe_psql('postgres', "SELECT count(*) FROM dealix.run_details WHERE key = 'late'"), '1', 'one run has the key');
my $current = $node->safe_psql('postgres', "SELECT run_id FROM dealix.run_details WHERE key = 'late' AND status = 'RUNNING'");
is(dx_sql($node, 'app', q{SELECT dealix.start('line', '{"count": 0, "until": 3}', 'late')}), $current, 'a start said again finds the run that goes on');

$open->query_safe("BEGIN");
is($open->query_safe("SELECT dealix.cancel('$first')"), 't', 'a cancel in an open transaction, by the name of a run that has ended');
dx_sql($node, 'app', qq{SELECT dealix.signal('$current', 'other')});
$open->query_safe('COMMIT');
dx_poll($node, "SELECT status FROM dealix.run_details WHERE run_id = '$current'", 'stops the one that goes on', 'CANCELLED');
$open->quit;

# ---------- runs that never rest ----------

my %answer = (cancel => 'CANCELLED', terminate => 'TERMINATED', compensate => 'CANCELLED');

for my $command (sort keys %answer)
{
	my @lines = split /\n/, dx_sql($node, 'app', "SELECT dealix.start_many('spin', ARRAY(SELECT '{\"n\": 0}'::jsonb FROM generate_series(1, 8)))");
	my $list = join ',', map { "'$_'" } @lines;
	my $role = $command eq 'terminate' ? 'postgres' : 'app';

	dx_poll($node, "SELECT bool_and((SELECT count(*) FROM dealix.run_details r WHERE r.first_run = f) >= 20) FROM unnest(ARRAY[$list]::uuid[]) f",
		"$command: all lines are going round", 't', undef, 120);
	my $sql = join ' ', map { "SELECT dealix.$command('$_');" } @lines;
	my ($rc, $out) = $node->psql('postgres', $sql, extra_params => $command eq 'terminate' ? [] : [ '-U', 'app' ]);

	is($out, join("\n", ('t') x @lines), "$command: all are told so");
	dx_poll($node, "SELECT count(*) FROM dealix.run_details WHERE status = 'RUNNING'", "$command: and all stop", '0', undef, 120);
	is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT status, ',') FROM dealix.run_details WHERE continued_as IS NULL AND first_run IN ($list)"),
		$answer{$command}, "$command: as asked");
}
is($node->safe_psql('postgres', 'SELECT * FROM dealix.stuck()'), '', 'nothing is stuck');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.inbox'), '0', 'no message is left');

$node->stop;
done_testing();
