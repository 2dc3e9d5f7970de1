# Steps that trap their cancel, expressions and paths that take for ever: each
# ends, its outcome is what it should be, and the runs beside it are not hurt.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

dx_skip_root();

my $node = dx_node('endless', 'dealix_exec.workers = 1', 'dealix_exec.evaluation_timeout = 2s');

dx_shop($node);
$node->safe_psql('postgres', q[CREATE ROLE oncall LOGIN; SELECT dealix.grant_access('oncall', 'operator')]);

# It books that it was there, outside of what is rolled back: a sequence.
dx_sql($node, 'app', q[
	CREATE SEQUENCE shop.tries;
	CREATE FUNCTION shop.endless(key text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM nextval('shop.tries');
		LOOP
			BEGIN
				PERFORM pg_sleep(100);
			EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN NULL;
			END;
		END LOOP;
	END $$;
	CREATE FUNCTION shop.endless_value() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM shop.endless('x'); RETURN 1; END $$;
	SELECT dealix.publish('traps', '{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "a"}, "ResultPath": null, "Next": "B"},
		"B": {"Type": "Task", "Resource": "sql:shop.endless", "Parameters": {"key.$": "$.key"}, "TimeoutSeconds": 1,
			"Catch": [{"ErrorEquals": ["States.Timeout"], "ResultPath": null, "Next": "C"}], "End": true},
		"C": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "c"}, "ResultPath": null, "End": true}}}');
	SELECT dealix.publish('traps for ever', '{"StartAt": "B", "States": {
		"B": {"Type": "Task", "Resource": "sql:shop.endless", "Parameters": {"key": "k"},
			"Retry": [{"ErrorEquals": ["SQL.query_canceled"], "MaxAttempts": 0}], "End": true}}}');
	SELECT dealix.publish('run times out', '{"TimeoutSeconds": 2, "StartAt": "B", "States": {
		"B": {"Type": "Task", "Resource": "sql:shop.endless", "Parameters": {"key": "k"}, "End": true}}}');
	SELECT dealix.publish('expression', '{"QueryLanguage": "SQL", "StartAt": "A", "States": {
		"A": {"Type": "Pass", "Output": "{% pg_sleep(100)::text %}", "Next": "B"}, "B": {"Type": "Succeed"}}}');
	SELECT dealix.publish('trapping expression', '{"QueryLanguage": "SQL", "StartAt": "A", "States": {
		"A": {"Type": "Pass", "Output": "{% shop.endless_value() %}", "Next": "B"}, "B": {"Type": "Succeed"}}}');
	SELECT dealix.publish('path', '{"StartAt": "A", "States": {
		"A": {"Type": "Pass", "Parameters": {"x.$": "$..a..a..a..a..a..a..a..z"}, "End": true}}}');
]);

# ---------- a step ----------

my $begun = time();
dx_sql($node, 'app', q[SELECT dealix.start('traps', '{"key": "one"}', 'one')]);
# Runs that share its pass.
dx_sql($node, 'app', q[SELECT count(*) FROM dealix.start_many('chain', ARRAY(SELECT jsonb_build_object('key', 'n' || i, 'n', 1, 'wait', 0) FROM generate_series(1, 20) i))]);
dx_poll($node, q[SELECT status FROM dealix.run_details WHERE key = 'one'], 'a step that traps its cancel has timed out', 'SUCCEEDED');
is(dx_sql($node, 'app', q[SELECT string_agg(step, '' ORDER BY at) FROM shop.ledger WHERE key = 'one']), 'ac',
	'States.Timeout is caught; what was before it is done once');
is(dx_sql($node, 'app', q[SELECT last_value FROM shop.tries]), '1', 'it is not tried again to find that out');
is(dx_sql($node, 'app', q[SELECT count(*) FROM dealix.timeline((SELECT run_id FROM dealix.run_details WHERE key = 'one'))
	WHERE event = 'step_failed' AND detail->>'error' = 'States.Timeout']), '1', 'it stands in the history');
dx_poll($node, q[SELECT count(*) FROM dealix.run_details WHERE workflow = 'chain' AND status = 'SUCCEEDED'], 'the runs beside it end well', '20');
is(dx_sql($node, 'app', q[SELECT count(*), count(DISTINCT (key, step)) FROM shop.ledger WHERE key LIKE 'n%']), '60|60', 'each step once');

dx_sql($node, 'app', q[SELECT dealix.start('run times out', '{}', 'two')]);
dx_poll($node, q[SELECT status FROM dealix.run_details WHERE key = 'two'], 'the deadline of a run ends it as well', 'TIMED_OUT');

# ---------- a cancel from outside ----------

sub step_pid
{
	my ($tries) = @_;

	dx_poll($node, "SELECT last_value >= $tries FROM shop.tries", 'the step goes on');
	return $node->safe_psql('postgres', q[SELECT pid FROM dealix_internal.worker_status() WHERE kind = 'worker']);
}

my $tries = dx_sql($node, 'app', 'SELECT last_value FROM shop.tries');
dx_sql($node, 'app', q[SELECT dealix.start('traps for ever', '{}', 'three')]);
my $pid = step_pid($tries + 1);
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
dx_poll($node, q[SELECT status || ' ' || error FROM dealix.run_details WHERE key = 'three'], 'so does a cancel', 'FAILED SQL.query_canceled');

# ---------- dealix.kill ----------

dx_sql($node, 'app', q[SELECT dealix.start('traps for ever', '{}', 'four')]);
$pid = step_pid($tries + 2);
my $run = dx_sql($node, 'app', q[SELECT run_id FROM dealix.run_details WHERE key = 'four']);
is(dx_sql($node, 'oncall', "SELECT dealix.terminate('$run')"), 't', 'terminate is taken in');
sleep(1);
is(dx_sql($node, 'app', q[SELECT status FROM dealix.run_details WHERE key = 'four']), 'RUNNING', 'but nobody comes to it');
like((dx_try($node, 'app', "SELECT dealix.kill('$run')"))[2], qr/permission denied/, 'kill is for operators');
is(dx_sql($node, 'oncall', "BEGIN; SELECT dealix.kill('$run', 'enough'); ROLLBACK; SELECT 1"), "t\n1", 'a kill that is rolled back');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid"), '1', 'kills nobody');
is(dx_sql($node, 'oncall', "SELECT dealix.kill('$run', 'enough')"), 't', 'one that commits');
dx_poll($node, q[SELECT status FROM dealix.run_details WHERE key = 'four'], 'ends the run', 'TERMINATED');
dx_poll($node, "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", 'and the worker', '0');
is(dx_sql($node, 'app', 'SELECT last_value FROM shop.tries'), $tries + 2, 'the step is not begun again');
is(dx_sql($node, 'oncall', "SELECT dealix.kill('$run')"), 'f', 'there is nothing more to kill');

$node->safe_psql('postgres', q[CREATE FUNCTION public.sleeps() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(600)';
	SELECT dealix.publish('of a superuser', '{"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": "sql:public.sleeps", "End": true}}}');
	SELECT dealix.start('of a superuser', key => 'five')]);
dx_poll($node, q[SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dealix_exec worker' AND usename = 'postgres' AND wait_event = 'PgSleep'], 'a superuser\'s step', '1');
$run = $node->safe_psql('postgres', q[SELECT run_id FROM dealix.run_details WHERE key = 'five']);
like((dx_try($node, 'oncall', "SELECT dealix.kill('$run')"))[2], qr/must be a superuser/, 'an operator does not end a superuser\'s process');
is($node->safe_psql('postgres', "SELECT dealix.kill('$run')"), 't', 'a superuser does');
dx_poll($node, q[SELECT status FROM dealix.run_details WHERE key = 'five'], 'and the run has ended', 'TERMINATED');

# ---------- what the engine evaluates ----------

dx_sql($node, 'app', q[SELECT dealix.start('expression', '{}', 'six')]);
dx_poll($node, q[SELECT status || ' ' || error FROM dealix.run_details WHERE key = 'six'], 'an expression has a time limit', 'FAILED States.QueryEvaluationError');
$tries = dx_sql($node, 'app', 'SELECT last_value FROM shop.tries');
dx_sql($node, 'app', q[SELECT dealix.start('trapping expression', '{}', 'seven')]);
dx_poll($node, q[SELECT status || ' ' || error FROM dealix.run_details WHERE key = 'seven'], 'also one that traps its cancel', 'FAILED States.QueryEvaluationError');
is(dx_sql($node, 'app', 'SELECT last_value FROM shop.tries'), $tries + 1, 'at once');

# nested 120 deep: millions of ways, and nothing at their end
dx_sql($node, 'app', q[SELECT dealix.start('path', ('{"a":' || repeat('{"a":', 120) || '1' || repeat('}', 120) || '}')::jsonb, 'eight')]);
dx_poll($node, q[SELECT status || ' ' || error FROM dealix.run_details WHERE key = 'eight'], 'a path has one', 'FAILED States.Timeout');
like(dx_sql($node, 'app', q[SELECT cause FROM dealix.run_details WHERE key = 'eight']), qr/in state "A" took longer than dealix_exec\.evaluation_timeout/, 'that says so');

# ---------- in a client's session ----------

$node->append_conf('postgresql.conf', 'dealix_exec.workers = 0');
$node->restart;
dx_sql($node, 'app', q[SELECT dealix.start('traps', '{"key": "nine"}', 'nine')]);
$tries = dx_sql($node, 'app', 'SELECT last_value FROM shop.tries');
like((dx_try($node, 'app', 'CALL dealix.drain()'))[2], qr/terminating connection/, 'drain: the session ends at such a step');
dx_sql($node, 'app', 'CALL dealix.drain()');
is(dx_sql($node, 'app', q[SELECT status FROM dealix.run_details WHERE key = 'nine']), 'SUCCEEDED', 'and the next one goes on after it');
is(dx_sql($node, 'app', 'SELECT last_value FROM shop.tries'), $tries + 1, 'without trying it again');

dx_sql($node, 'app', q[SELECT dealix.start('slow', '{"key": "ten", "seconds": 600}', 'ten')]);
like((dx_try($node, 'app', q[SET statement_timeout = '500ms'; SELECT dealix.tick()]))[2], qr/canceling statement due to statement timeout/,
	'tick: a statement_timeout of the client\'s counts');
is(dx_sql($node, 'app', q[SELECT status FROM dealix.run_details WHERE key = 'ten']), 'RUNNING', 'and the run is as it was');
like((dx_try($node, 'app', q[SET statement_timeout = '500ms'; SELECT dealix.tick(); SELECT 1]))[2], qr/statement timeout/, 'each time');
dx_sql($node, 'app', q[SELECT dealix.cancel(run_id) FROM dealix.run_details WHERE key = 'ten'; SELECT dealix.tick()]);

# the first tick of it, with a timeout of its own
dx_sql($node, 'app', q[SELECT dealix.start('traps for ever', '{}', 'eleven')]);
like((dx_try($node, 'app', q[SET statement_timeout = '500ms'; SELECT dealix.tick()]))[2], qr/terminating connection/,
	'also one that the step traps: it ends the session');
dx_sql($node, 'app', 'SELECT dealix.tick()');
is(dx_sql($node, 'app', q[SELECT status || ' ' || error FROM dealix.run_details WHERE key = 'eleven']), 'FAILED SQL.query_canceled', 'and is the step\'s error');

is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.stuck()'), '0', 'nothing is stuck');
is($node->safe_psql('postgres', q[SELECT count(*) FROM dealix.run_details WHERE status = 'INCIDENT']), '0', 'there is no incident');

done_testing();
