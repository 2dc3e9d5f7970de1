# What HACKING.md says that a change consists of: the files are there, and what
# neither the compiler nor another test would miss is looked for here.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

chdir "$FindBin::Bin/../.." or die;

my $page = slurp_file('HACKING.md');
my (@named, @missing);
push @named, grep { !/--/ } $1 while $page =~ /`((?:src|sql|test|scripts|docs|expected)\/[\w.\/-]+\w)`/g;
cmp_ok(scalar @named, '>', 30, 'HACKING.md names files');
is_deeply([ grep { !-e } @named ], [], 'and they are there');
for my $change ('an intrinsic function', 'a column to runs', 'a phase')
{
	my ($section) = $page =~ /^## Add \Q$change\E\n(.*?)(?=^## )/ms;

	cmp_ok(scalar(() = ($section // '') =~ /^\| `(?:src|sql|test|expected|docs|scripts)\//mg), '>=', 4, "it says what belongs to $change");
}

# Intrinsic functions: each is explained, tested and fuzzed.
my $table = slurp_file('src/asl/intrinsic.c');
my %function = $table =~ /^\t\{"(States\.\w+)", -?\d+, -?\d+, (dx_fn_\w+)\}/mg;
cmp_ok(scalar keys %function, '>=', 18, 'intrinsic functions are listed');
for my $file ('docs/language.md', 'test/sql/intrinsics.sql', 'scripts/fuzz.py')
{
	my $text = slurp_file($file);

	is_deeply([ grep { $text !~ /\Q$_\E\(/ } sort keys %function ], [], "$file has all of them");
}
my %listed = map { $_ => 1 } values %function;
is_deeply([ grep { !$listed{$_} } map { slurp_file($_) =~ /^extern bool (dx_fn_\w+)\(/mg } glob('src/asl/*.h') ],
	[], 'and what is declared is listed');

# Phases: each has a name, edges, something that wakes it, and a word for people.
my %phase = slurp_file('src/base/catalog.h') =~ /^#define N_PHASE_(\w+)\s+(\d+)/mg;
my $edges = slurp_file('src/engine/phase.c');
my ($wakes) = slurp_file('sql/pieces/10-tables.sql') =~ /CONSTRAINT branch_wakes CHECK(.*?)ELSE false END/s;
my ($waiting) = slurp_file('sql/pieces/50-views.sql') =~ /CREATE VIEW dealix\.waiting_details\b.*?CASE b\.phase(.*?) AS waits_for/s;
cmp_ok(scalar keys %phase, '>=', 12, 'phases are listed');
is_deeply([ grep { $edges !~ /^\t\[DX_PHASE_$_\] = \{"$_"/m } sort keys %phase ], [], 'src/engine/phase.c has the edges of all');
is_deeply([ grep { $edges !~ /\bEDGE\(DX_PHASE_$_\)/ } sort keys %phase ], [], 'and none that nothing leads to');
is_deeply([ grep { $wakes !~ /\bphase (?:= $phase{$_}\b|IN \([\d, ]*\b$phase{$_}\b[\d, ]*\))/ } sort keys %phase ],
	[], 'the constraint branch_wakes has all');
is_deeply([ grep { $_ ne 'UNDO' && $waiting !~ /\bWHEN $phase{$_} THEN/ } sort keys %phase ], [], 'and dealix.waiting');

done_testing();
