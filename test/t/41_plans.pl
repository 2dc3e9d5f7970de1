# Statements of the engine mean the same under every plan: a slot is handed to
# one run when the statistics say that nobody waits, and where a LIMIT or a lock
# must happen once, the statement says so.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

# ---------- what the statements say ----------

# The SQL of C files: string literals between DxStatement or #define and the end
# of it, put together; what is between them (names of macros) becomes a blank.
sub statements_of
{
	my ($file) = @_;
	my $text = slurp_file($file);
	my @found;

	$text =~ s{/\*.*?\*/}{}gs;
	while ($text =~ /DxStatement (\w+) = \{(.*?)\n\};|^#define (\w+)(?:\([^)]*\))?((?:[^\n]*\\\n)*[^\n]*\n)/gsm)
	{
		my ($name, $body) = defined $1 ? ($1, $2) : ($3, $4);

		push @found, [ "$file: $name", join(' ', $body =~ /"((?:[^"\\]|\\.)*)"/g) ];
	}
	return @found;
}

# A statement that locks may stand alone, or in a CTE that is MATERIALIZED, or
# in ARRAY(...): whatever else is around it may execute it several times.
sub locks_more_than_once
{
	my ($sql) = @_;

	while ($sql =~ /FOR (?:NO KEY )?(?:UPDATE|SHARE)\b/g)
	{
		my $depth = 0;

		for (my $at = pos($sql) - 1; $at >= 0; $at--)
		{
			my $char = substr($sql, $at, 1);

			$depth++ if $char eq ')';
			next unless $char eq '(' && $depth-- == 0;
			return 1 unless substr($sql, 0, $at) =~ /(?:AS MATERIALIZED|ARRAY) *$/;
			last;
		}
	}
	return 0;
}

ok(locks_more_than_once('UPDATE t SET a = 1 FROM (SELECT b FROM t LIMIT $1 FOR UPDATE SKIP LOCKED) f WHERE t.b = f.b'),
	'a subquery that locks is found');
ok(!locks_more_than_once('WITH f AS MATERIALIZED (SELECT b FROM t LIMIT $1 FOR UPDATE) DELETE FROM t USING f WHERE t.b = f.b'),
	'a materialized one is not');

my $top = "$FindBin::Bin/../..";
my @statements = map { statements_of($_) } glob("$top/src/*/*.c $top/src/*/*.h");
my @wrong = grep { locks_more_than_once($_->[1]) } @statements;

cmp_ok(scalar(grep { $_->[1] =~ /FOR UPDATE/ } @statements), '>=', 15, 'statements that lock have been read');
is(join("\n", map { $_->[0] } @wrong), '', 'no statement of the engine locks in a subquery that a plan may repeat');
for my $piece (glob "$top/sql/pieces/*.sql")
{
	my $text = slurp_file($piece);

	$text =~ s/--[^\n]*//g;
	ok(!locks_more_than_once($text), "nor does $piece");
}

# ---------- a slot is handed to one ----------

# While the statistics of the branches said that there is one row or none, the
# end of a run woke all 499 that waited, and their ids went past an array.
my $node = dx_node('plans', 'dealix_exec.workers = 0', 'dealix_exec.databases = \'\'', 'autovacuum = off');

dx_shop($node);
$node->safe_psql('postgres', q{
	SELECT dealix.limit_workflow('parked', 1);
	SET SESSION AUTHORIZATION app;
	SELECT count(*) FROM dealix.start_many('parked', ARRAY(SELECT '{"key": "k"}'::jsonb FROM generate_series(1, 500)));
	CALL dealix.drain()});
dx_poll($node, q{SELECT count(*) FROM dealix.branch WHERE phase = 12}, '499 runs wait for the one slot', '499');

for my $rows (0, 1, 10_000_000)
{
	my $before = $node->safe_psql('postgres', q{SELECT count(*) FROM dealix.branch WHERE phase = 12 AND due_at IS NOT NULL});

	$node->safe_psql('postgres', qq{
		UPDATE pg_class SET reltuples = $rows, relpages = pg_relation_size(oid) / 8192 WHERE oid = 'dealix.branch'::regclass;
		SELECT dealix.signal(run_id, 'go') FROM dealix.branch WHERE phase = 4});
	# a session without plans
	dx_sql($node, 'app', 'SELECT dealix.tick(1)');
	my $woken = $node->safe_psql('postgres', q{SELECT count(*) FROM dealix.branch WHERE phase = 12 AND due_at IS NOT NULL}) - $before;

	cmp_ok($woken, '<=', 4, "with $rows rows in the statistics the end of a run wakes whom there is a slot for ($woken)");
	dx_sql($node, 'app', 'CALL dealix.drain()');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.branch WHERE phase = 4}), '1', 'and the next one has it');
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.stuck()'), '0', 'nothing is stuck');

# ---------- a limit that is lowered, and raised again beside a pass ----------

# The pass must not take away slots that the change of the limit counts on.
$node->safe_psql('postgres', q{SELECT dealix.limit_workflow('parked', 3)});
dx_sql($node, 'app', 'CALL dealix.drain()');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.workflow_slot WHERE run_id IS NOT NULL'), '3', 'three runs have slots');
$node->safe_psql('postgres', q{SELECT dealix.limit_workflow('parked', 1)});

my $changer = $node->background_psql('postgres');

$changer->query_safe('BEGIN');
$changer->query_safe(q{SELECT dealix.limit_workflow('parked', 3)});
$node->safe_psql('postgres', q{SELECT dealix.signal(b.run_id, 'go') FROM dealix.branch b JOIN dealix.workflow_slot s USING (run_id) WHERE b.phase = 4 AND s.slot = 3});
dx_sql($node, 'app', 'SELECT dealix.tick(1)');
$changer->query_safe('COMMIT');
$changer->quit;
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.workflow_slot'), '3', 'a workflow of limit 3 has three slots');

$node->stop;
done_testing();
