# What is stored by number (src/base/catalog.h): columns are where the tables have
# them, and a number that has once been stored means the same for ever.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

my $catalog = slurp_file("$FindBin::Bin/../../src/base/catalog.h");
my $node = dx_node('catalog');
dx_shop($node);

# Columns: those in C and those of the table, by name and number.
my %natts = $catalog =~ /\bNatts_(\w+) = Anum_\w+/g;
my @tables = $catalog =~ /\bNatts_(\w+) =/g;
cmp_ok(scalar @tables, '>=', 3, 'tables are listed');
for my $table (@tables)
{
	my @columns = $catalog =~ /\bAnum_${table}_(\w+)(?: = 1)?,/g;

	is(join("\n", @columns), $node->safe_psql('postgres', qq{
		SELECT attname FROM pg_attribute WHERE attrelid = 'dealix.$table'::regclass AND attnum > 0 ORDER BY attnum}),
		"dealix.$table has its columns in the order of catalog.h");
	like($catalog, qr/\bNatts_$table = Anum_${table}_$columns[-1]\b/, 'and no more');
}

# Numbers: frozen.  To add one is to add it here; to change one breaks every
# database that has stored it.
my %frozen = (
	RUN => 'NONE 0 RUNNING 1 COMPENSATING 2 INCIDENT 3 SUCCEEDED 10 FAILED 11 TIMED_OUT 12 CANCELLED 13 TERMINATED 14',
	PHASE => 'READY 1 RETRY 2 TIMER 3 SIGNAL 4 JOIN 5 UNDO 6 ACTIVITY 7 EVENT 8 CHILD 9 APPROVAL 10 TOKEN 11 SLOT 12',
	MESSAGE => 'SIGNAL 1 CANCEL 2 COMPLETED 3 FAILED 4 EXPIRED 5 EVENT 6 DECIDED 7 CHILD 8 TERMINATE 9 COMPENSATE 10',
	EVENT => 'RUN_STARTED 1 STATE_SUCCEEDED 2 STEP_SUCCEEDED 3 STEP_FAILED 4 WAIT_STARTED 5 SIGNAL_RECEIVED 6 STATE_FAILED 7'
	  . ' STATE_CAUGHT 8 COMPENSATION_STARTED 9 STEP_COMPENSATED 10 COMPENSATION_FAILED 11 RUN_SUCCEEDED 12 RUN_FAILED 13'
	  . ' RUN_TIMED_OUT 14 RUN_CANCELLED 15 RUN_TERMINATED 16 CANCEL_REQUESTED 17 INCIDENT_OPENED 18 RUN_REDRIVEN 19'
	  . ' MESSAGE_LATE 20 BRANCHES_STARTED 21 COMPENSABLE_SUCCEEDED 22 ACTIVITY_SCHEDULED 40 EVENT_RECEIVED 41 CHILD_STARTED 42'
	  . ' INTENT_OPENED 43 INTENT_DECIDED 44 EMITTED 45 RUN_CONTINUED 46 EFFECT_ALLOWED 47 EFFECT_REFUSED 48 EFFECT_SETTLED 49 RUN_REASSIGNED 60',
	INTENT_KIND => 'APPROVAL 1 EFFECT 2',
	INTENT => 'PENDING 1 APPROVED 2 REJECTED 3 EXPIRED 4 WITHDRAWN 5 FORBIDDEN 6 RUNNING 7 DONE 8 FAILED 9 UNKNOWN 10 HALTED 11',
	PIN => 'FUNCTION 1 WORKFLOW 2',
	CLOSE => 'DEFAULT 0 TERMINATE 1 CANCEL 2 ABANDON 3');
my %number = $catalog =~ /^#define N_(\w+)\s+(\d+)/mg;

for my $group (reverse sort keys %frozen)
{
	my %in_c = map { /^${group}_(\w+)$/ ? ($1 => $number{$_}) : () } keys %number;

	is(join(' ', map { "$_ $in_c{$_}" } sort { $in_c{$a} <=> $in_c{$b} } keys %in_c), $frozen{$group}, "numbers of $group");
	delete @number{ map { "${group}_$_" } keys %in_c };
}
is_deeply(\%number, {}, 'and there are no others');

# Statements name them.
my @bare;
for my $file (glob "$FindBin::Bin/../../src/*/*.[ch]")
{
	push @bare, "$file: $1" while slurp_file($file) =~ /("[^"\n]*\b(?:status|final_status|kind|phase|durability|close_policy)(?:::[\w.]+)? (?:=|<>|<=?|>=?|IN \() ?\d[^"\n]*")/g;
}
is_deeply(\@bare, [], 'no statement has a bare number');
is(scalar(() = join('', map { slurp_file($_) } glob "$FindBin::Bin/../../src/*/*.[ch]") =~ /INSERT INTO dealix\.inbox/g), 1, 'there is one door to the inbox');

# What the views say for a number, and which numbers they select.
my $views = join('', map { slurp_file($_) } glob "$FindBin::Bin/../../sql/pieces/*.sql");
my ($waits) = $views =~ /CREATE VIEW dealix\.waiting_details\b.*?CASE b\.phase(.*?) AS waits_for/s;
my %phase = $frozen{PHASE} =~ /(\w+) (\d+)/g;
my %word = (READY => 'turn', TIMER => 'timer', SIGNAL => 'signal', JOIN => 'branches', ACTIVITY => 'activity', EVENT => 'event',
	CHILD => 'child', APPROVAL => 'approval', TOKEN => 'token', SLOT => 'concurrency');
for my $name (sort keys %word)
{
	like($waits, qr/\bWHEN $phase{$name} THEN '$word{$name}'/, "dealix.waiting says $word{$name} for $name");
}
my %event = $frozen{EVENT} =~ /(\w+) (\d+)/g;
my ($steps) = $views =~ /CREATE VIEW dealix\.step_details\b(.*?);\n/s;
like($steps, qr/WHEN $event{STEP_SUCCEEDED} THEN 'SUCCEEDED' WHEN $event{COMPENSABLE_SUCCEEDED} THEN 'SUCCEEDED' WHEN $event{STEP_FAILED} THEN 'FAILED'\s+WHEN $event{STEP_COMPENSATED} THEN 'COMPENSATED'/,
	'dealix.steps says what became of a step');
is(join(',', sort { $a <=> $b } ($steps =~ /ARRAY\[([\d, ]+)\]/)[0] =~ /\d+/g),
	join(',', sort { $a <=> $b } @event{qw(STEP_SUCCEEDED STEP_FAILED STEP_COMPENSATED COMPENSATION_FAILED COMPENSABLE_SUCCEEDED)}), 'and shows these events');

# The words that people see for them.
my $names = sub { return $node->safe_psql('postgres', "SELECT string_agg($_[0](n::int2) || ' ' || n, ' ' ORDER BY n) FROM unnest('{$_[1]}'::int[]) n") };
my $numbers = sub { return join(',', $frozen{ $_[0] } =~ /(\d+)/g) };
is($names->('dealix_internal.status_name', $numbers->('RUN') =~ s/^0,//r), $frozen{RUN} =~ s/^NONE 0 //r, 'status_name has all statuses');
is($names->('dealix_internal.intent_status_name', $numbers->('INTENT')), $frozen{INTENT}, 'intent_status_name has all of intents');
is(uc $names->('dealix_internal.event_name', $numbers->('EVENT') =~ s/\b22,//r), $frozen{EVENT} =~ s/ COMPENSABLE_SUCCEEDED 22//r, 'event_name has all events');
is($node->safe_psql('postgres', 'SELECT dealix_internal.event_name(22::int2)'), 'step_succeeded', 'and that a step can be undone is nobody\'s concern');

# One table of events, in C and in the docs.
my ($table) = slurp_file("$FindBin::Bin/../../src/engine/event_kind.c") =~ /\}\s*events\[\] =\s*\{(.*?)\n\};/s;
my %kind = map { my ($kind, $name, $members) = @$_; ($event{$kind} => [ $name, $members ]) } map { [ /DX_EVENT_(\w+)\] = \{"(\w+)", "([^"]*)"\}/ ] } split /\n/, $table =~ s/^\s*\n//r;
my %said = map { /^\| `(\w+)` \| (\d+) \| (.*) \|$/ ? ($2 => [ $1, $3 ]) : () } split /\n/, slurp_file("$FindBin::Bin/../../docs/sql-reference.md");

is_deeply([ sort { $a <=> $b } keys %kind ], [ sort { $a <=> $b } values %event ], 'each event has a row');
is_deeply({ map { $_ => $said{$_}[0] } keys %kind }, { map { $_ => $kind{$_}[0] } keys %kind }, 'and one in docs/sql-reference.md');
for my $n (grep { $kind{$_}[1] ne '*' && $_ != $event{COMPENSABLE_SUCCEEDED} } sort { $a <=> $b } keys %kind)
{
	is(join(' ', $said{$n}[1] =~ /`(\w+)`/g), $kind{$n}[1], "members of $kind{$n}[0]");
}

$node->stop;
done_testing();
