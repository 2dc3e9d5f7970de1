# A pass takes as many runs as it has room for, not as many as there are.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;

dx_skip_root();

my $node = dx_node('large', 'dealix_exec.workers = 1', 'dealix_exec.pass_max_time = 10min', 'dealix_exec.pass_max_runs = 50');

dx_shop($node);
dx_sql($node, 'app', q{
	SELECT dealix.publish('large', '{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "a"}, "ResultPath": null, "Next": "W"},
		"W": {"Type": "Wait", "Seconds": 1, "Next": "B"},
		"B": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "b"}, "ResultPath": null, "End": true}}}');
	SELECT count(dealix.start('large', jsonb_build_object('key', i, 'load', repeat('x', 4000000)))) FROM generate_series(1, 30) i;
});
dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE status = 'SUCCEEDED'}, 'large runs end', '30', undef, 300);
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT (key, step)) FROM shop.ledger}), '60|60', 'each step once');

# 30 of them are 120 MB, a pass has room for 32 MB and one run.
for my $step ('a', 'b')
{
	cmp_ok($node->safe_psql('postgres', qq{SELECT max(n) FROM (SELECT count(*) AS n FROM shop.ledger WHERE step = '$step' GROUP BY xmin::text) p}),
		'<=', 9, "step $step: a pass takes no more of them than it has room for");
}
is($node->safe_psql('postgres', 'SELECT * FROM dealix.stuck()'), '', 'nothing is stuck');
$node->stop;
done_testing();
