# A pass holds its locks for pass_max_time: a step that is known to be slow does
# not share a transaction with others, in a worker and in CALL dealix.drain().
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;

dx_skip_root();

my $node = dx_node('slow', 'dealix_exec.workers = 1', 'dealix_exec.pass_max_time = 200ms', 'dealix_exec.worker_idle_timeout = 1h');

$node->safe_psql('postgres', q{
	CREATE EXTENSION dealix_exec;
	CREATE ROLE app LOGIN;
	CREATE ROLE cron LOGIN;
	SELECT dealix.grant_access(role, right_of) FROM unnest(ARRAY['app', 'cron']::regrole[]) role, unnest(ARRAY['author', 'application']) right_of;
	SET SESSION AUTHORIZATION cron; SELECT FROM dealix.trust_author('app'); RESET SESSION AUTHORIZATION;
	CREATE SCHEMA app;
	GRANT ALL ON SCHEMA app TO app, cron;
	CREATE TABLE app.done (n int, step text, owner name DEFAULT current_user, at timestamptz DEFAULT clock_timestamp(),
		xact xid8 DEFAULT pg_current_xact_id());
	GRANT ALL ON app.done TO app, cron;
	CREATE FUNCTION app.work(n int, step text, seconds float8) RETURNS void LANGUAGE sql AS
		'INSERT INTO app.done (n, step) VALUES (n, step); SELECT pg_sleep(seconds)'});

# Workflows of one step and a half: what is quick comes first.
my $publish = join ';', map {
	my ($name, $seconds) = @$_;
	qq{SELECT dealix.publish('$name', '{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:app.work", "Parameters": {"n.\$": "\$.n", "step": "quick", "seconds": 0}, "ResultPath": null, "Next": "B"},
		"B": {"Type": "Task", "Resource": "sql:app.work", "Parameters": {"n.\$": "\$.n", "step": "$name", "seconds": $seconds}, "ResultPath": null,
			"Compensate": {"Resource": "sql:app.work", "Parameters": {"n.\$": "\$.input.n", "step": "undo $name", "seconds": $seconds}}, "Next": "C"},
		"C": {"Type": "Choice", "Choices": [{"Variable": "\$.n", "NumericLessThan": 0, "Next": "F"}], "Default": "D"},
		"D": {"Type": "Succeed"}, "F": {"Type": "Fail", "Error": "App.Negative"}}}')}
} ([ 'quickly', 0 ], [ 'slow', 0.3 ], [ 'middling', 0.06 ]);

# Runs to learn from, and those that count.  Negative ones are compensated.
my $lesson = q{SELECT count(dealix.start(w, '{"n": -1000}')) FROM unnest(ARRAY['slow', 'middling']) w};
my $load = q{SELECT count(dealix.start(CASE WHEN abs(n) % 40 = 0 THEN 'slow' WHEN n % 40 = 20 THEN 'middling' ELSE 'quickly' END,
	jsonb_build_object('n', n))) FROM generate_series(-120, 240) n};

sub check
{
	my ($role) = @_;

	is($node->safe_psql('postgres', "SELECT count(*), count(*) FILTER (WHERE (status = 'SUCCEEDED') = ((input ->> 'n')::int >= 0)) FROM dealix.run_details
		WHERE owner = '$role'::regrole AND finished_at IS NOT NULL"), '363|363', "$role: each run has ended as it should");
	is($node->safe_psql('postgres', "SELECT count(*), count(DISTINCT (n, step)) FROM app.done WHERE owner = '$role' AND n > -1000"),
		(2 * 361 + 120) . '|' . (2 * 361 + 120), "$role: each effect once");
	is($node->safe_psql('postgres', "SELECT xact, array_agg(step) FROM app.done WHERE owner = '$role' AND n > -1000
		GROUP BY xact HAVING bool_or(step LIKE '%slow') AND count(*) > 1 LIMIT 3"), '', "$role: a slow step has a transaction of its own");
	is($node->safe_psql('postgres', "SELECT xact, count(*) FROM app.done WHERE owner = '$role' AND n > -1000 AND step LIKE '%middling'
		GROUP BY xact HAVING count(*) > 3 LIMIT 3"), '', "$role: no pass begins a step for which it has no time left");
	return;
}

dx_sql($node, 'app', "$publish; $lesson");
dx_poll($node, "SELECT count(*) FROM dealix.run_details WHERE finished_at IS NOT NULL", 'the worker has learned', '2');
dx_sql($node, 'app', $load);
dx_poll($node, "SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL", 'the worker has done it all', '0');
check('app');

# Half of the time is for the quick ones: while there were any, the slow ones had no
# more than the other half, and the one that was going on.
is($node->safe_psql('postgres', q{
	WITH r AS (SELECT * FROM dealix.run_details WHERE (input ->> 'n')::int > -1000),
	quick AS (SELECT min(created_at) AS first, max(finished_at) AS last FROM r WHERE workflow = 'quickly' AND (input ->> 'n')::int >= 0)
	SELECT count(*) * 0.3 < 0.5 * extract(epoch FROM last - first) + 2 * 0.3
	FROM quick LEFT JOIN app.done d ON step LIKE '%slow' AND n > -1000 AND d.at < last GROUP BY first, last}), 't', 'quick runs do not wait for the slow ones');

$node->safe_psql('postgres', 'ALTER SYSTEM SET dealix_exec.workers = 0');
$node->reload;
dx_poll($node, q{SELECT count(*) FROM dealix.worker_details WHERE kind = 'worker'}, 'no workers any more', '0');
dx_sql($node, 'cron', "$lesson; CALL dealix.drain(); $load; CALL dealix.drain()");
check('cron');

$node->stop;
done_testing();
