# The tables that grow with time can be partitioned by run_id, which is time:
# the keys have it in them, rows find their partitions, and every statement of the
# engine works on runs of several partitions in one pass.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

my $node = dx_node('partitions', "dealix_exec.workers = 0\n");
dx_shop($node);

# The partitioned table takes the place of the plain one, under the views.
$node->safe_psql('postgres', q{
	CREATE FUNCTION pg_temp.partition(name text) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		v record;
	BEGIN
		EXECUTE format('ALTER TABLE dealix.%1$I RENAME TO %2$I', name, name || '_plain');
		EXECUTE format('CREATE TABLE dealix.%1$I (LIKE dealix.%2$I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES) PARTITION BY RANGE (run_id)', name, name || '_plain');
		EXECUTE format('CREATE TABLE dealix.%1$I PARTITION OF dealix.%2$I DEFAULT', name || '_late', name);
		FOR v IN SELECT DISTINCT r.ev_class::regclass AS view, pg_get_viewdef(r.ev_class) AS def
			FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
			WHERE d.refobjid = format('dealix.%I', name || '_plain')::regclass
		LOOP
			EXECUTE format('CREATE OR REPLACE VIEW %s WITH (security_barrier) AS %s', v.view, replace(v.def, name || '_plain', name));
		END LOOP;
		EXECUTE format('REVOKE ALL ON dealix.%I FROM PUBLIC', name);
	END $$;
	SELECT pg_temp.partition(t) FROM unnest(ARRAY['run', 'history_event', 'branch', 'message_key']) t;
	CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE
		ON dealix.history_event FOR EACH STATEMENT EXECUTE FUNCTION dealix_internal.refuse_change();
});

# Every row from here on is before the boundary, or every one behind it.
sub boundary
{
	my ($name, $from) = @_;
	my $to = $node->safe_psql('postgres', q{SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint + 1), 12, '0') || '00000000000000000000')::uuid});

	$node->safe_psql('postgres', qq{
		BEGIN;
		ALTER TABLE dealix.$_ DETACH PARTITION dealix.${_}_late;
		CREATE TABLE dealix.${_}_$name PARTITION OF dealix.$_ FOR VALUES FROM ($from) TO ('$to');
		INSERT INTO dealix.$_ SELECT * FROM dealix.${_}_late;
		TRUNCATE dealix.${_}_late;
		ALTER TABLE dealix.$_ ATTACH PARTITION dealix.${_}_late DEFAULT;
		COMMIT;
	}) for qw(run history_event branch message_key);
	$node->safe_psql('postgres', 'SELECT pg_sleep(0.01)');
	return "'$to'";
}

dx_sql($node, 'app', q{
	CREATE FUNCTION shop.twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
	CREATE FUNCTION shop.fails() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
	SELECT dealix.publish('fan', '{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2,
		"ItemProcessor": {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "sql:shop.twice", "Parameters": {"n.$": "$"}, "Next": "W"},
			"W": {"Type": "Wait", "Seconds": 0, "End": true}}}, "ResultPath": "$.twice", "Next": "S"},
		"S": {"Type": "Task", "Resource": "signal:go", "ResultPath": "$.signal", "End": true}}}');
	SELECT dealix.publish('undo', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:shop.twice", "Parameters": {"n": 1}, "ResultPath": null,
			"Compensate": {"Resource": "sql:shop.twice", "Parameters": {"n": 2}}, "Next": "B"},
		"B": {"Type": "Task", "Resource": "sql:shop.fails", "Parameters": {}, "End": true}}}');
	SELECT dealix.publish('line', '{"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 0, "Next": "P"}], "Default": "E"},
		"P": {"Type": "Task", "Resource": "sql:shop.twice", "Parameters": {"n.$": "$.n"}, "ResultPath": null, "Next": "D"},
		"D": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, -1)"}, "Next": "N"},
		"N": {"Type": "Task", "Resource": "workflow:continue_as_new", "End": true},
		"E": {"Type": "Succeed"}}}');
});

my $start = q{
	SELECT count(*) FROM dealix.start_many('fan', ARRAY(SELECT '{"items": [1, 2, 3]}'::jsonb FROM generate_series(1, 20)));
	SELECT dealix.start('fan', '{"items": []}', key => 'KEY fan');
	SELECT count(*) FROM dealix.start_many('undo', ARRAY(SELECT '{}'::jsonb FROM generate_series(1, 5)));
	SELECT dealix.start('line', '{"n": 3}', key => 'KEY line');
	SELECT count(*) FROM dealix.start_many('line', ARRAY['{"n": 1}', '{"n": 1}', '{"n": 2}']::jsonb[], ARRAY['KEY a', NULL, 'KEY b']);
};

my $from = 'MINVALUE';
for my $part (qw(p1 p2 p3))
{
	(my $sql = $start) =~ s/KEY/$part/g;

	dx_sql($node, 'app', $sql);
	$from = boundary($part, $from);
}
my $parts = q{SELECT string_agg(DISTINCT tableoid::regclass::text, ' ' ORDER BY tableoid::regclass::text) FROM dealix.};
is($node->safe_psql('postgres', $parts . 'run'), 'dealix.run_p1 dealix.run_p2 dealix.run_p3', 'runs stand in three partitions');

# One pass after the other, each over runs of all of them.
dx_sql($node, 'app', 'CALL dealix.drain()');
is($node->safe_psql('postgres', $parts . q{history_event}), 'dealix.history_event_late dealix.history_event_p1 dealix.history_event_p2 dealix.history_event_p3',
	'and so do their events, and runs that went on in the place of others');
dx_sql($node, 'app', q{SELECT dealix.signal(run_id, 'go', to_jsonb(i), 'once') FROM dealix.run_details, generate_series(1, 2) i WHERE workflow = 'fan'});
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.message_key'), 63, 'each message once');
dx_sql($node, 'app', 'CALL dealix.drain()');

is($node->safe_psql('postgres', q{SELECT workflow, status, error, count(*) FROM dealix.run_details GROUP BY 1, 2, 3 ORDER BY 1, 2}),
	"fan|SUCCEEDED||63\nline|SUCCEEDED||33\nundo|FAILED|SQL.raise_exception|15", 'every run has come to its end');
is($node->safe_psql('postgres', q{SELECT DISTINCT output -> 'twice', output -> 'signal' FROM dealix.run_details WHERE workflow = 'fan' ORDER BY 1}),
	"[]|1\n[2, 4, 6]|1", 'with the right output');
is($node->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE seq = n) FROM (SELECT seq, row_number() OVER (PARTITION BY run_id ORDER BY seq) AS n FROM dealix.history_details) h}) =~ s/(\d+)\|\1/same/r,
	'same', 'no event is missing');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.history_details WHERE event = 'step_compensated'}), 15, 'what failed is undone');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ONLY dealix.branch_late') + $node->safe_psql('postgres', 'SELECT count(*) FROM dealix.branch'), 0, 'nothing is left of their branches');

# Keys are of no partition.
is(dx_sql($node, 'app', q{SELECT count(DISTINCT dealix.start('fan', '{"items": []}', key => p || ' fan')) FROM unnest(ARRAY['p1', 'p2', 'p3']) p}), 3, 'a key that is asked for again has its run');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details WHERE workflow = 'fan'}), 63, 'and no other');
is(dx_sql($node, 'app', q{SELECT r.continued_as IS NULL, r.first_run IS NOT NULL FROM dealix.run_details r WHERE run_id = dealix.find_run('line', 'p1 line')}), 't|t', 'that of a line is with its last run');
my ($code, $out, $err) = $node->psql('postgres', q{UPDATE dealix.history_event SET attempt = 7});
like($err, qr/append-only/, 'the history stays append-only');

# A partition whose columns stand elsewhere is refused before anything is written.
$node->safe_psql('postgres', q{
	ALTER TABLE dealix.run DETACH PARTITION dealix.run_late;
	DO $$ BEGIN EXECUTE (SELECT format('CREATE TABLE dealix.odd (%s)', string_agg(format('%I %s%s', attname, format_type(atttypid, atttypmod),
		CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END), ', ' ORDER BY attnum DESC))
		FROM pg_attribute WHERE attrelid = 'dealix.run_late'::regclass AND attnum > 0); END $$;
	ALTER TABLE dealix.run ATTACH PARTITION dealix.odd DEFAULT;
});
($code, $out, $err) = dx_try($node, 'app', q{SELECT dealix.start('undo')});
like($err, qr/the columns of partition "odd" are not those of "run"/, 'a partition with other columns is refused');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.odd'), 0, 'and nothing is in it');

done_testing();
