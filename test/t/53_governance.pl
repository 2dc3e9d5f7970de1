# Governed effects survive crashes of the server: an approval lets the effect out
# once, whenever the server dies between the decision and the hand-out; times go
# on; a policy to begin with says what its table of cases says.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

my $n = 30;
my $crashes = 10;
my $node = dx_node('governance');
my $top = "$FindBin::Bin/../..";
dx_shop($node);
$node->safe_psql('postgres', q{
	CREATE ROLE governor LOGIN; CREATE ROLE governor2 LOGIN; CREATE ROLE manager; CREATE ROLE head; CREATE ROLE executive; CREATE ROLE legal;
	CREATE ROLE ann LOGIN IN ROLE manager, head; CREATE ROLE bob LOGIN IN ROLE manager, executive, legal;
	SELECT dealix.grant_access('governor', 'governor'), dealix.grant_access('governor2', 'governor'), dealix.grant_access('ann', 'approver'), dealix.grant_access('bob', 'approver');
});

# ---------- the policy of examples/policy ----------

my $policy = slurp_file("$top/examples/policy/policy.json");
my $cases = slurp_file("$top/examples/policy/cases.json");
is(dx_sql($node, 'governor', "SELECT string_agg(pointer || ' ' || message, ', ') FROM dealix.validate_policy(\$policy\$$policy\$policy\$)"), '', 'examples/policy/policy.json is in order');
is(dx_sql($node, 'governor', "SELECT string_agg(name || ': ' || got::text, E'\\n') FROM dealix.try_policy(\$policy\$$policy\$policy\$, \$cases\$$cases\$cases\$) WHERE NOT passed"), '', 'and says what its cases expect');
cmp_ok(dx_sql($node, 'governor', "SELECT count(*) FROM dealix.try_policy(\$policy\$$policy\$policy\$, \$cases\$$cases\$cases\$)"), '>=', 15, 'of which there are enough');
dx_sql($node, 'governor', "SELECT dealix.publish_policy(\$policy\$$policy\$policy\$, 'to begin with')");
dx_sql($node, 'governor2', q{SELECT dealix.release_policy(1, 'looked at')});

# ---------- crashes between the decision and the hand-out ----------

dx_sql($node, 'app', q{SELECT dealix.publish('outreach', '{"StartAt": "Send", "States": {
	"Send": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "$.key", "step": "sent"}, "ResultPath": null,
		"Governance": {"Action": "outreach_send", "SideEffect": "external_message", "Approval": "A1", "Reversibility": "R2", "Sensitivity": "S1", "Tenant": "acme", "IdempotencyKey.$": "$.key",
			"Evidence": {"rollback": "a correction"}}, "Next": "Task"},
	"Task": {"Type": "Task", "Resource": "activity:mail", "Parameters": {"key.$": "$.key"}, "ResultPath": null, "TimeoutSeconds": 600,
		"Governance": {"Action": "outreach_send", "SideEffect": "external_message", "Approval": "A1", "Reversibility": "R2", "Sensitivity": "S1", "Tenant": "acme", "IdempotencyKey.$": "States.Format(''{}/task'', $.key)",
			"Evidence": {"rollback": "a correction"}}, "End": true}}}')});
is(dx_sql($node, 'governor', q{SELECT string_agg(point, ',') FROM dealix.release_check('outreach', 1) WHERE NOT passed}), '', 'the version is ready');
is(dx_sql($node, 'governor', q{SELECT dealix.release('outreach', 1, 'fine')}), '{}', 'and released');
my $i = 0;
for my $round (1 .. $crashes)
{
	dx_sql($node, 'app', join ';', map { $i++; qq{SELECT dealix.start('outreach', '{"key": "k$i"}', correlation_id => 'c')} } 1 .. $n / $crashes);
	dx_poll($node, q{SELECT count(*) FROM dealix.intents WHERE status = 'PENDING' AND class = 'B'} . ($round == 1 ? '' : ' AND true'), "round $round: people are asked", $n / $crashes) if $round == 1;
	dx_poll($node, qq{SELECT count(*) >= $i FROM dealix.intent_details WHERE state = 'Send'}, "round $round: people are asked");
	# the answer may get lost with the server; the decision does not
	dx_try($node, 'ann', q{SELECT dealix.approve(id) FROM dealix.approvals WHERE status = 'PENDING'});
	sleep(0.004 * ($round - 1));
	dx_crash($node);
}
my $deciding = q{SELECT dealix.approve(id) FROM dealix.approvals WHERE status = 'PENDING'};
dx_try($node, 'ann', $deciding);
dx_poll($node, qq{SELECT count(*) FROM dealix.intent_details WHERE state = 'Send' AND status = 'DONE'}, 'every effect has gone out', $n);
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT key) FROM shop.ledger WHERE step = 'sent'}), "$n|$n", 'once each, counted where it goes');
dx_poll($node, q{SELECT count(*) FROM dealix.intents i JOIN dealix.intent_details d USING (id) WHERE d.state = 'Task' AND i.status IN ('PENDING', 'RUNNING')}, 'the next ones are asked about', $n);
dx_try($node, 'ann', $deciding);
dx_poll($node, q{SELECT count(*) FROM dealix.activities WHERE status = 'QUEUED'}, 'and wait for a worker', $n);
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.activity_task t WHERE NOT EXISTS (SELECT FROM dealix.intent i WHERE i.intent_id = t.intent_id AND i.status = 7)}), '0', 'each under an intent that lets it out');

# ---------- stopped at once ----------

my $halt = dx_sql($node, 'governor', q{SELECT dealix.halt('{"action": "outreach_send"}', 'a complaint')});
dx_crash($node);
is(dx_sql($node, 'app', q{SELECT count(*) FROM dealix.claim('mail', 'w', 100)}), '0', 'what is stopped goes to no worker, after a crash either');
dx_sql($node, 'governor', "SELECT dealix.resume_effects($halt, 'answered')");
is(dx_sql($node, 'app', q{SELECT count(dealix.complete(token)) FROM dealix.claim('mail', 'w', 100)}), $n, 'and then it goes');
dx_poll($node, q{SELECT string_agg(DISTINCT status, ',') FROM dealix.runs}, 'every run has succeeded', 'SUCCEEDED');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.intents WHERE status <> 'DONE'}), '0', 'and every intent is done');

# ---------- times go on ----------

dx_sql($node, 'governor', q{SELECT dealix.publish_policy('{"Rules": [{"Variable": "$.action", "StringEquals": "outreach_send", "Class": "B", "Approvers": ["manager"], "Sla": "PT2S", "Expire": "PT4S",
	"Escalation": [{"At": 0.5, "Notify": ["manager"]}, {"At": 1.0, "Add": ["legal"]}]}]}', 'short times')});
dx_sql($node, 'governor2', q{SELECT dealix.release_policy(2, 'for the test')});
dx_sql($node, 'app', q{SELECT count(*) FROM dealix.read_outbox('listener')});
my $run = dx_sql($node, 'app', q{SELECT dealix.start('outreach', '{"key": "late"}', correlation_id => 'c')});
dx_poll($node, q{SELECT count(*) FROM dealix.approvals WHERE status = 'PENDING'}, 'somebody is asked', '1');
dx_crash($node);
dx_poll($node, "SELECT error FROM dealix.runs WHERE run_id = '$run'", 'nobody decides, and it expires', 'Governance.Expired');
is($node->safe_psql('postgres', q{SELECT status || ' ' || approvers::text || ' ' || escalated FROM dealix.intent_details WHERE key = 'late'}), 'EXPIRED {manager,legal} 2', 'after more people were asked');
is(dx_sql($node, 'app', q{SELECT string_agg(topic, ',' ORDER BY id) FROM dealix.read_outbox('listener')}), 'approval.opened,approval.warned,approval.escalated', 'which the outbox has said');
is($node->safe_psql('postgres', q{SELECT count(*) FROM shop.ledger WHERE key = 'late'}), '0', 'and nothing has gone out');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.stuck()'), '0', 'nothing is stuck');

done_testing();
