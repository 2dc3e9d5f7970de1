# What people look at fits a page: each view of the schema, with rows in it as an
# application has them.  What is wider has a view of its own beside it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

my $wide = 130;
my $node = dx_node('views');
dx_shop($node);
$node->safe_psql('postgres', q{
	CREATE ROLE manager LOGIN;
	CREATE ROLE gone LOGIN;
	SELECT dealix.grant_access('manager', 'approver'), dealix.grant_access('app', 'operator'), dealix.grant_access('gone', 'application'), dealix.grant_access('gone', 'author');
	SELECT dealix.limit_activity('send_message', 5, 10);
});
dx_sql($node, 'app', q{
	SELECT dealix.trust_author('gone');
	SELECT dealix.bind('arn:aws:lambda:eu-west-1:123456789012:function:send', 'activity:send_message');
	SELECT dealix.publish('partner_approval', '{"StartAt": "Send", "States": {
		"Send": {"Type": "Task", "Resource": "activity:send_message", "Delivery": "at_most_once", "TimeoutSeconds": 1, "Next": "Decide"},
		"Decide": {"Type": "Task", "Resource": "approval:partner_terms", "End": true}}}');
	SELECT dealix.publish('ask', '{"StartAt": "Decide", "States": {"Decide": {"Type": "Task", "Resource": "approval:partner_terms", "TimeoutSeconds": 86400, "End": true}}}');
	SELECT dealix.publish('tell', '{"StartAt": "Emit", "States": {"Emit": {"Type": "Task", "Resource": "emit:partner.approved", "Next": "Wait"}, "Wait": {"Type": "Task", "Resource": "signal:terms_signed", "End": true}}}');
	SELECT dealix.start('chain', '{"key": "k", "n": 10, "wait": 0}', key => '2026-11 partner 17');
	SELECT dealix.start('partner_approval', key => '2026-11 partner 18'), dealix.start('partner_approval', key => '2026-11 partner 19');
	SELECT dealix.start('ask'), dealix.start('tell');
	SELECT dealix.signal(dealix.start('tell'), 'terms_lost');
});
$node->safe_psql('postgres', q{
	INSERT INTO dealix.schedule (owner, name, cron, workflow, input, overlap, catch_up, jitter, requesters, created_at)
	SELECT 'app'::regrole, 'nightly report', '0 3 * * 1-5', 'tell', '{}', 'skip', '0', '0', ARRAY['app'::regrole]::dealix.role[], now();
});
dx_poll($node, q{SELECT count(*) FROM dealix.activities WHERE status = 'QUEUED'}, 'tasks are there', '2');
dx_sql($node, 'app', q{SELECT FROM dealix.claim('send_message', 'worker-1@host17', 1)});
dx_poll($node, q{SELECT count(*) FROM dealix.incidents}, 'one of them is an incident', '1');

# What is governed, and who governs.
$node->safe_psql('postgres', q{
	CREATE ROLE governor LOGIN; CREATE ROLE deputy LOGIN;
	SELECT dealix.grant_access('governor', 'governor');
});
dx_sql($node, 'governor', q{
	SELECT dealix.publish_policy('{"Rules": [{"Variable": "$.action", "StringEquals": "outreach_send", "Class": "B"}]}', 'what we have agreed upon');
	SELECT dealix.release_policy(1, 'for now');
	SELECT dealix.register_actor('manager', 'human', 'ann@example.com');
	SELECT dealix.halt('{"action": "outreach_send", "tenant": "acme"}', 'a complaint');
});
dx_sql($node, 'app', q{
	SELECT dealix.publish('outreach', '{"StartAt": "Send", "States": {"Send": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key": "k", "step": "sent"}, "ResultPath": null,
		"Governance": {"Action": "outreach_send", "SideEffect": "internal_write", "Approval": "A1", "Reversibility": "R1", "Sensitivity": "S1", "Tenant": "acme"}, "End": true}}}');
	SELECT dealix.start('outreach');
});
dx_poll($node, q{SELECT count(*) FROM dealix.intents WHERE status = 'PENDING'}, 'an effect waits', '1');
dx_sql($node, 'manager', q{
	SELECT dealix.approve(id) FROM dealix.approvals WHERE name = 'outreach_send';
	SELECT dealix.delegate('deputy', now() + interval '7 days', 'holidays until the end of the week');
});

# Whose runs are held.
dx_sql($node, 'gone', q{SELECT dealix.publish('orphan', '{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 86400, "End": true}}}'); SELECT dealix.start('orphan')});
$node->safe_psql('postgres', 'ALTER ROLE gone NOLOGIN');

my @views = split /\n/, $node->safe_psql('postgres', q{SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace = 'dealix'::regnamespace ORDER BY 1});
my @lists = grep { !/_details$/ } @views;
my @details = grep { /_details$/ } @views;
cmp_ok(scalar @lists, '>=', 16, 'there are views to look at');
for my $view (@lists)
{
	my ($rc, $out) = $node->psql('postgres', "TABLE dealix.$view", extra_params => [ '-A', '-t' ]);

	isnt($out, '', "dealix.$view has a row");
	# as psql shows it to a person
	my $page = `psql -X -P pager=off -P border=1 -d '@{[ $node->connstr('postgres') ]}' -c 'TABLE dealix.$view'`;
	my ($longest) = sort { $b <=> $a } map { length } split /\n/, $page;
	cmp_ok($longest, '<=', $wide, "and fits $wide columns");
}
for my $view (@details)
{
	my ($stem) = $view =~ /^(.+)_details$/;
	my @of = grep { $_ eq $stem || $_ eq "${stem}s" || $_ eq "${stem}_events" || s/ies$/y/r eq $stem } @lists;

	is(scalar @of, 1, "dealix.$view is beside one of them");
	is($node->safe_psql('postgres', qq{SELECT count(*) FROM pg_attribute l WHERE l.attrelid = 'dealix.$of[0]'::regclass AND l.attnum > 0
		AND NOT EXISTS (SELECT FROM pg_attribute w WHERE w.attrelid = 'dealix.$view'::regclass AND w.attname = l.attname)}), '0', 'and has all that stands there');
}

done_testing();
