# How the sources look: blanks, line endings and comments everywhere, and the C
# files as "make indent" lays them out.
use strict;
use warnings;

use File::Find;
use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

chdir "$FindBin::Bin/../.." or die;

# What psql printed, and changes to the sources, are as they are.
my $printed = qr{^(expected/|test/asl/|test/mutants/|docs/functions\.md$)};
my @files;

find(
	{
		no_chdir => 1,
		wanted => sub {
			my $file = $File::Find::name =~ s{^\./}{}r;

			$File::Find::prune = 1 if $file =~ m{^(\.\w.*|results|log|tmp_check\w*|output_iso|regression\..*|portlock)$} && $file ne '.ci';
			push @files, $file
			  if -f && $file =~ m{(^|/)([^/]+\.(c|h|sql|psql|spec|pl|pm|sh|py|md|control|list)|Makefile|\.gitignore|\.editorconfig)$}
			  && $file !~ m{^sql/dealix_exec--[^-]*\.sql$} && $file !~ $printed;
		}
	},
	'.');
cmp_ok(scalar @files, '>', 200, 'sources are there');

# Everything, then what is C's alone.
my %bad;
for my $file (sort @files)
{
	my $text = slurp_file($file);
	my $n = 0;

	push @{ $bad{'end lines with a newline alone'} }, $file if $text =~ /\r/;
	push @{ $bad{'end with a newline, and not with empty lines'} }, $file if $text !~ /[^\n]\n\z/;
	for my $line (split /\n/, $text)
	{
		$n++;
		push @{ $bad{'have no blanks at the end of a line'} }, "$file:$n" if $line =~ /[ \t]$/;
		next if $file !~ /\.[ch]$/;
		push @{ $bad{'in C are indented with tabs'} }, "$file:$n" if $line =~ /^\t* {4}/;
		push @{ $bad{'in C have no tab after a blank'} }, "$file:$n" if $line =~ /^[^"]* \t/ && $line !~ /^ \*/;
	}
	next if $file !~ /\.[ch]$/;
	# a comment to the end of the line: outside of strings, characters and comments
	(my $code = $text) =~ s{("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|/\*.*?\*/)}{ $1 =~ tr/\n//cdr }gse;
	push @{ $bad{'in C have comments between /* and */ only'} }, $file if $code =~ m{//};
}
for my $rule (
	'end lines with a newline alone',
	'end with a newline, and not with empty lines',
	'have no blanks at the end of a line',
	'in C are indented with tabs',
	'in C have no tab after a blank',
	'in C have comments between /* and */ only')
{
	is_deeply($bad{$rule} // [], [], "files $rule");
}

# The layout itself: with the program that lays out, where it can be had.
SKIP:
{
	my ($said, $errors) = run_command([ 'scripts/indent.sh', '--check' ]);

	skip 'pg_bsd_indent is not to be had', 1 if $errors =~ /not to be had/;
	is("$said$errors", '', 'C files are as make indent lays them out');
}

# A defect whose patch does not fit is tried by nobody.
SKIP:
{
	skip 'patch is missing', 1 if system('command -v patch >/dev/null') != 0;
	is_deeply([ grep { system("patch -p1 --fuzz=1 --dry-run -s <'$_' >/dev/null 2>&1") != 0 } glob 'test/mutants/*.patch' ],
		[], 'all patches of test/mutants fit');
}

# A type that the list lacks is indented like a variable.
SKIP:
{
	skip 'no library was built here', 1 if !-e 'dealix_exec.so';
	my ($said) = run_command([ 'scripts/typedefs.sh', 'dealix_exec.so' ]);
	my %listed = map { $_ => 1 } split /\n/, slurp_file('scripts/typedefs.list');

	is_deeply([ grep { !$listed{$_} } split /\n/, $said ], [], 'scripts/typedefs.list has all types (scripts/typedefs.sh makes it)');
}

# The upgrade scripts are sources, the install script is not.
SKIP:
{
	skip 'git is missing', 2 if system('command -v git >/dev/null') != 0;
	my $tmp = PostgreSQL::Test::Utils::tempdir();

	system_or_bail('git', 'init', '-q', $tmp);
	system_or_bail('cp', '.gitignore', $tmp);
	is(system("git -C '$tmp' check-ignore -q sql/dealix_exec--0.1.0.sql") >> 8, 0, 'git ignores the install script');
	is(system("git -C '$tmp' check-ignore -q sql/dealix_exec--0.1.0--0.2.0.sql") >> 8, 1, 'and no upgrade script');
}

done_testing();
