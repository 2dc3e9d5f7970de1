# A decision that is made in time and committed too late is none.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;

dx_skip_root();

my $seconds = 10;
my $node = dx_node('late');
dx_shop($node);
$node->safe_psql('postgres', q{CREATE ROLE boss LOGIN; SELECT dealix.grant_access('boss', 'approver')});
dx_sql($node, 'app', qq{SELECT dealix.publish('pay', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "approval:pay",
	"TimeoutSeconds": $seconds, "End": true}}}')});

my $run = dx_sql($node, 'app', q{SELECT dealix.start('pay')});
dx_poll($node, q{SELECT count(*) FROM dealix.intent WHERE status = 1}, 'the run asks', '1');
my $id = $node->safe_psql('postgres', 'SELECT intent_id FROM dealix.intent');
my ($rc, $out, $err) = dx_try($node, 'boss', "BEGIN;\nSELECT dealix.approve('$id');\nSELECT pg_sleep($seconds + 1);\nCOMMIT;");
like($out, qr/APPROVED/, 'boss approves in time');
like($err, qr/was not committed in time/, 'and commits too late');
dx_poll($node, "SELECT status || ' ' || error FROM dealix.run_details WHERE run_id = '$run'", 'the run goes on without it', 'FAILED States.Timeout');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.intent_decision'), '0', 'nobody has decided');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.history_details WHERE event IN ('intent_decided', 'message_late')}), '0', 'the history knows of no decision');
is($node->safe_psql('postgres', 'SELECT * FROM dealix.stuck()'), '', 'nothing is stuck');

done_testing();
