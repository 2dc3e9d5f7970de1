# What a process keeps of definitions: a few hundred bytes for a state that it
# has not executed, no more than dealix_exec.program_cache of what it has, and
# nothing at all of an extension that was dropped.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;

dx_skip_root();

my $node = dx_node('definitions', 'dealix_exec.workers = 0');

dx_shop($node);
$node->safe_psql('postgres', 'GRANT pg_read_all_stats TO app');

# Memory of this session by name; the words of the engine's contexts.
my $kept = q{(SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts WHERE name LIKE 'dealix_exec program' OR name LIKE 'dealix_exec call' OR name LIKE 'dealix_exec expression')};

# ---------- a state that is not executed ----------

dx_sql($node, 'app', q{
	SELECT dealix.publish('wide', jsonb_build_object('StartAt', 'A', 'States', jsonb_object_agg(name, state))) FROM (
		SELECT 'N' || i AS name, jsonb_build_object('Type', 'Task', 'Resource', 'sql:shop.book',
			'Parameters', '{"key.$": "$.key", "step": "n"}'::jsonb, 'ResultPath', '$.n', 'Next', 'N' || i + 1,
			'Retry', '[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}]'::jsonb) AS state FROM generate_series(1, 4000) i
		UNION ALL SELECT 'A', '{"Type": "Pass", "Next": "B"}'
		UNION ALL SELECT 'B', '{"Type": "Choice", "Choices": [{"Variable": "$.long", "IsPresent": true, "Next": "N1"}], "Default": "Z"}'
		UNION ALL SELECT 'N4001', '{"Type": "Pass", "Next": "Z"}'
		UNION ALL SELECT 'Z', '{"Type": "Succeed"}') s});
my ($bytes, $statuses) = split /\|/, dx_sql($node, 'app', qq{
	SELECT dealix.start('wide', '{"key": "k"}') \\g /dev/null
	CALL dealix.drain();
	SELECT $kept / 4000, (SELECT string_agg(status, ',') FROM dealix.run_details)});

is($statuses, 'SUCCEEDED', 'a run goes through three of 4,000 states');
cmp_ok($bytes, '<', 800, "and its session keeps $bytes bytes a state, the definition included");

# ---------- a bound ----------

dx_sql($node, 'app', q{
	SELECT count(dealix.publish('many ' || i, format('{"StartAt": "A", "QueryLanguage": "SQL", "States": {
		"A": {"Type": "Task", "Resource": "sql:shop.book", "Arguments": {"key": "many", "step": "{%% %s %%}"}, "Assign": {"v": "{%% ''v%s'' %%}"}, "Next": "B"},
		"B": {"Type": "Pass", "Output": "{%% v %%}", "End": true}}}', quote_literal('s' || i), i)::jsonb)) FROM generate_series(1, 150) i});
$node->safe_psql('postgres', q{ALTER ROLE app SET dealix_exec.program_cache = '1MB'});
($bytes, $statuses) = split /\|/, dx_sql($node, 'app', qq{
	DO \$\$ BEGIN
		FOR round IN 1 .. 2 LOOP
			FOR i IN 1 .. 150 LOOP
				PERFORM dealix.start('many ' || i, '{}', 'round ' || round);
				PERFORM dealix.tick();
				COMMIT;
			END LOOP;
		END LOOP;
	END \$\$;
	SELECT $kept, (SELECT count(*) FROM dealix.run_details WHERE workflow LIKE 'many %' AND status = 'SUCCEEDED'
		AND output = to_jsonb(replace(workflow, 'many ', 'v')))});
is($statuses, '300', 'what was forgotten is loaded again, with the plans that belong to it');
cmp_ok($bytes, '<=', 1_500_000, "150 workflows take no more than program_cache, roughly ($bytes bytes)");
is(dx_sql($node, 'app', q{SELECT count(DISTINCT step), count(*) FROM shop.ledger WHERE key = 'many'}), '150|300', 'each step was its own');
$node->safe_psql('postgres', q{ALTER ROLE app RESET dealix_exec.program_cache});

# ---------- another extension ----------

# The ids of workflows, versions and runs' states begin anew, and so must all
# that a session knows.  $what: in texts, so that one is told from the other.
sub life
{
	my ($what) = @_;

	return qq{
		SELECT dealix.grant_access('app', 'application'), dealix.grant_access('app', 'author') \\g /dev/null
		SET SESSION AUTHORIZATION app;
		CREATE OR REPLACE FUNCTION shop.say_$what(x text) RETURNS text LANGUAGE sql AS 'SELECT ''called $what''';
		SELECT dealix.publish('w', '{"StartAt": "A", "QueryLanguage": "SQL", "States": {
			"A": {"Type": "Task", "Resource": "sql:shop.say_$what", "Arguments": {"x": "{% ''x'' %}"}, "Assign": {"said": "{% result %}"}, "Next": "B"},
			"B": {"Type": "Choice", "Choices": [{"Condition": "{% ''$what'' = ''old'' %}", "Next": "Old"}], "Default": "New"},
			"Old": {"Type": "Pass", "Output": {"said": "{% said %}", "literal": "{% ''$what'' %}", "state": "Old"}, "End": true},
			"New": {"Type": "Pass", "Output": {"said": "{% said %}", "literal": "{% ''$what'' %}", "state": "New"}, "End": true}}}') \\g /dev/null
		SELECT dealix.limit_workflow('w', 1) \\g /dev/null
		SELECT dealix.start('w', '{}', 'k') AS run \\gset
		SELECT dealix.tick() \\g /dev/null
		SELECT output ->> 'said', output ->> 'literal', output ->> 'state' FROM dealix.run_details WHERE run_id = :'run';
		RESET SESSION AUTHORIZATION;};
}

my $old = 'called old|old|Old';
my $new = 'called new|new|New';
my $anew = 'SET client_min_messages = warning; DROP EXTENSION dealix_exec CASCADE; CREATE EXTENSION dealix_exec;';

is($node->safe_psql('postgres', $anew . life('old') . $anew . life('new')), "$old\n$new",
	'a session that drops the extension and creates it anew follows the new workflow');
is($node->safe_psql('postgres', $anew . life('old') . "BEGIN; $anew" . life('new') . 'COMMIT;'), "$old\n$new", 'in one transaction, too');
is($node->safe_psql('postgres', $anew . life('old') . "BEGIN; $anew" . life('new') . 'ROLLBACK;' . q{
	SET SESSION AUTHORIZATION app;
	SELECT dealix.start('w', '{}', 'k2') AS run \gset
	SELECT dealix.tick() \g /dev/null
	SELECT output ->> 'said', output ->> 'literal', output ->> 'state' FROM dealix.run_details WHERE run_id = :'run'}),
	"$old\n$new\n$old", 'and a rollback brings back the old one');

my $session = $node->background_psql('postgres');

$session->query_safe($anew);
is($session->query_safe(life('old')), $old, 'a session knows a workflow');
$node->safe_psql('postgres', $anew);
is($session->query_safe(life('new')), $new, 'and the one that another session has made of it');
$session->quit;

# ---------- the same with workers ----------

$node->append_conf('postgresql.conf', 'dealix_exec.workers = 2');
$node->reload;
for my $what ('old', 'new')
{
	my $sql = $anew . life($what);

	$sql =~ s/SELECT dealix.tick\(\)/CALL dealix.wait(:'run', '60 s')/;
	is($node->safe_psql('postgres', $sql), $what eq 'old' ? $old : $new, "workers follow the $what workflow");
}

$node->stop;
done_testing();
