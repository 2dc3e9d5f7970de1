# What data makes the server refuse while a state is evaluated is the state's
# error, which Retry and Catch take: with workers, and in a database whose
# encoding lacks most characters.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

my $node = dx_node('careful', 'dealix_exec.workers = 2', 'dealix_exec.max_payload = 64kB', 'dealix_exec.max_evaluation = 2MB');

$node->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
dx_shop($node);
dx_shop($node, 'latin');

# ---------- LATIN1 ----------

# In base64 "żółw" (UTF-8), and the same as a \u escape within a string.
dx_sql($node, 'app', q{
	SELECT dealix.publish('decode', '{"StartAt": "A", "States": {
		"A": {"Type": "Pass", "Parameters": {"x.$": "States.Base64Decode($.b)"}, "End": true}}}');
	SELECT dealix.publish('decode_task', '{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key.$": "States.Base64Decode($.b)", "step": "s"},
			"Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2, "IntervalSeconds": 1, "BackoffRate": 1}],
			"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "B"}], "End": true},
		"B": {"Type": "Pass", "InputPath": "$.e", "End": true}}}');
	SELECT dealix.publish('unescape', '{"StartAt": "A", "States": {
		"A": {"Type": "Pass", "Parameters": {"x.$": "States.StringToJson($.s)"}, "End": true}}}');
	SELECT dealix.start('decode', '{"b": "xbzDs8WCdw=="}', 'd1'), dealix.start('decode', '{"b": "YWJj"}', 'd2'),
		dealix.start('decode_task', '{"b": "xbzDs8WCdw=="}', 'd3'), dealix.start('unescape', '{"s": "\"\\\\u017c\""}', 'd4');
}, 'latin');
dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL AND status <> 'INCIDENT'}, 'all runs come to an end', '0', 'latin');
is($node->safe_psql('latin', q{SELECT string_agg(key || ' ' || status, ',' ORDER BY key) FROM dealix.run_details}),
	'd1 FAILED,d2 SUCCEEDED,d3 SUCCEEDED,d4 FAILED', 'a character that the encoding lacks is an error of the state');
is($node->safe_psql('latin', q{SELECT error FROM dealix.run_details WHERE key = 'd1'}), 'SQL.untranslatable_character', 'by the name that the server has for it');
like($node->safe_psql('latin', q{SELECT output ->> 'Error' FROM dealix.run_details WHERE key = 'd3'}), qr/^SQL\.untranslatable_character$/, 'Catch takes it');
is($node->safe_psql('latin', q{SELECT count(*) FROM dealix.history_details WHERE run_id = (SELECT run_id FROM dealix.run_details WHERE key = 'd3') AND payload ? 'retry_at'}),
	'2', 'after Retry');
is($node->safe_psql('latin', 'SELECT count(*) FROM dealix.incident_details'), '0', 'no incident');

# In a compensation: its Retry takes it, and it is on record as its failure.
dx_sql($node, 'app', q{
	CREATE FUNCTION shop.take(b text) RETURNS text LANGUAGE sql AS 'SELECT b';
	SELECT dealix.publish('undone', '{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "sql:shop.take", "Parameters": {"b.$": "$.b"}, "ResultPath": null,
			"Compensate": {"Resource": "sql:shop.book", "Parameters": {"key.$": "States.Base64Decode($.input.b)", "step": "u"},
				"Retry": [{"ErrorEquals": ["SQL.untranslatable_character"], "MaxAttempts": 2, "IntervalSeconds": 1, "BackoffRate": 1}]}, "Next": "F"},
		"F": {"Type": "Fail", "Error": "Enough"}}}');
	SELECT dealix.start('undone', '{"b": "xbzDs8WCdw=="}', 'u1'), dealix.start('undone', '{"b": "YWJj"}', 'u2');
}, 'latin');
dx_poll($node, q{SELECT string_agg(key || ' ' || status, ',' ORDER BY key) FROM dealix.run_details WHERE key IN ('u1', 'u2')}, 'a compensation that cannot be evaluated has failed', 'u1 INCIDENT,u2 FAILED', 'latin');
is($node->safe_psql('latin', q{SELECT string_agg(payload ->> 'error', ',') FROM dealix.history_details
	WHERE run_id = (SELECT run_id FROM dealix.run_details WHERE key = 'u1') AND event = 'compensation_failed'}),
	join(',', ('SQL.untranslatable_character') x 3), 'by name, after its Retry');

# ---------- beside others, at every place where a state is evaluated ----------

my $many = join ', ', map { qq{"m$_": {"x.\$": "\$"}} } 1 .. 500;
my $context = $many =~ s/"\$"/"\$\$.Execution.Input"/gr;

dx_sql($node, 'app', qq{
	SELECT dealix.publish('enter', '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {$many}, "End": true}}}');
	SELECT dealix.publish('exit', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key": "bad exit", "step": "1"},
		"ResultPath": "\$.r", "Assign": {$context}, "Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "B"}], "End": true}, "B": {"Type": "Succeed"}}}');
	SELECT dealix.publish('catch', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:shop.fail_sometimes", "Parameters": {"key": "bad catch", "n": 10},
		"Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"big": {$context}}, "Next": "B"}], "End": true}, "B": {"Type": "Succeed"}}}');
	SELECT dealix.publish('item', '{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "\$.items", "ItemProcessor": {"StartAt": "A", "States": {
		"A": {"Type": "Choice", "Choices": [{"Variable": "\$.bad", "BooleanEquals": true, "Next": "C"}], "Default": "D"},
		"C": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key": "bad item", "step": {$many}}, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "D"}], "Next": "D"},
		"D": {"Type": "Task", "Resource": "sql:shop.book", "Parameters": {"key": "bad item", "step": "end"}, "End": true}}}, "End": true}}}');
	SELECT dealix.publish('signalled', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "signal:go", "ResultSelector": {$many},
		"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}], "End": true}, "B": {"Type": "Succeed"}}}');
	SELECT dealix.publish('acted', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:act", "ResultSelector": {$many},
		"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}], "End": true}, "B": {"Type": "Succeed"}}}');
	SELECT dealix.publish('joined', '{"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [{"StartAt": "X", "States": {"X": {"Type": "Task", "Resource": "signal:go", "End": true}}}],
		"ResultSelector": {$many}, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}], "End": true}, "B": {"Type": "Succeed"}}}');
});
my $big = q{jsonb_build_object('x', repeat('x', 20000))};
dx_sql($node, 'app', qq{
	SELECT dealix.start(w, $big, 'bad ' || w) FROM unnest(ARRAY['enter', 'exit', 'catch', 'signalled', 'acted', 'joined']) w;
	SELECT dealix.start('item', jsonb_build_object('items', (SELECT jsonb_agg(jsonb_build_object('bad', i % 4 = 0, 'x', repeat('x', 2000))) FROM generate_series(1, 12) i)), 'bad item');
	SELECT count(*) FROM dealix.start_many('chain', ARRAY(SELECT jsonb_build_object('key', 'k' || i, 'n', i, 'wait', 0) FROM generate_series(1, 100) i),
		ARRAY(SELECT 'k' || i FROM generate_series(1, 100) i));
});
dx_poll($node, q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for IN ('signal', 'activity')}, 'some wait', '3');
dx_sql($node, 'app', qq{
	SELECT dealix.signal(run_id, 'go', $big) FROM dealix.run_details WHERE key IN ('bad signalled', 'bad joined');
	SELECT dealix.complete((SELECT token FROM dealix.claim('act', 'w', 1)), $big);
});
dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE finished_at IS NULL AND status <> 'INCIDENT'}, 'all runs come to an end', '0', undef, 120);
is($node->safe_psql('postgres', q{SELECT string_agg(key || ' ' || status || coalesce(' ' || error, ''), ', ' ORDER BY key) FROM dealix.run_details WHERE key LIKE 'bad %'}),
	'bad acted SUCCEEDED, bad catch FAILED States.DataLimitExceeded, bad enter FAILED States.DataLimitExceeded, bad exit SUCCEEDED, '
	  . 'bad item SUCCEEDED, bad joined SUCCEEDED, bad signalled SUCCEEDED', 'wherever it was, it is the state\'s error');
is($node->safe_psql('postgres', q{SELECT count(*) FROM shop.ledger WHERE key = 'bad item'}), '12', 'items beside a bad one are done once');
is($node->safe_psql('postgres', q{SELECT count(*) FROM shop.ledger WHERE key = 'bad exit'}), '0', 'an effect whose output cannot be made is not there');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.incident_details'), '0', 'no incident');
dx_ledger_ok($node, 'the others');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.inbox'), '0', 'no message is left');

$node->stop;
done_testing();
