# What README and the documents show can be pasted into psql as it comes: in a
# terminal of 80 columns and 24 lines, with readline's bracketed paste, which
# hands a whole block to psql as one line, and with the pager that psql has by
# default.  Every block works, and no output is wider than the terminal.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

dx_skip_root();
plan skip_all => 'IO::Pty is not installed' if !eval { require IO::Pty; 1 };

# Debian links psql with libedit, and its wrapper puts readline in its place.
my ($readline) = grep { -e } map { glob "$_/libreadline.so.[0-9]" } split(/:/, $ENV{LD_LIBRARY_PATH} // ''), '/lib/*', '/usr/lib/*', '/lib64', '/usr/lib64';

my $top = "$FindBin::Bin/../..";
my $tmp = PostgreSQL::Test::Utils::tempdir();
my $bare = PostgreSQL::Test::Cluster->new('bare');
my $preloaded = dx_node('preloaded');
my $limit = 180;

$bare->init;
$bare->start;

# a pager that leaves a trace, and never gives the terminal back by itself
append_to_file("$tmp/pager", "#!/bin/sh\necho pager >>$tmp/paged\nexec cat\n");
chmod 0755, "$tmp/pager";

sub blocks
{
	my ($file) = @_;

	return slurp_file("$top/$file") =~ /^```sql\n(.*?)^```$/msg;
}

# Pastes blocks into a psql, one after another; returns what the terminal showed
# and, for each block, the lines of its results.
sub paste
{
	my ($node, $db, @blocks) = @_;
	my ($in, $screen) = ('', '');
	my $log = "$tmp/$db.log";
	my @results;
	local $ENV{TERM} = 'xterm';
	local $ENV{HOME} = $tmp;
	local $ENV{INPUTRC} = '/dev/null';
	local $ENV{PSQL_HISTORY} = '/dev/null';
	local $ENV{PSQL_PAGER} = "$tmp/pager";
	local $ENV{COLUMNS};
	local $ENV{LINES};
	delete @ENV{qw(COLUMNS LINES PAGER LESS)};

	unlink $log, "$tmp/paged";
	my $preload = $readline ? "LD_PRELOAD=$readline " : '';
	my $psql = IPC::Run::start(
		[ 'sh', '-c', 'stty rows 24 cols 80; exec env ' . $preload . 'psql -L "$0" -d "$1"', $log, $node->connstr($db) ],
		'<pty<', \$in, '>pty>', \$screen, IPC::Run::timeout($limit * (1 + @blocks)));
	my $until = sub {
		my ($pattern, $what) = @_;
		my $end = time() + $limit;

		while ($screen !~ $pattern)
		{
			die "$what did not come:\n$screen" if time() > $end;
			$psql->pump;
		}
	};

	$until->(qr/=# /, 'the prompt');
	for my $i (0 .. $#blocks)
	{
		my $before = -s $log // 0;
		(my $text = $blocks[$i]) =~ tr/\n/\r/;

		$in .= "\e[200~$text\e[201~\r";
		# a person looks before he goes on
		$in .= "SELECT 'end of ' || 'block $i';\r";
		$until->(qr/end of block $i/, "the end of block $i");
		my $written = slurp_file($log);
		$written = substr $written, $before;
		# the log has the statements too
		$written =~ s/^\*+ QUERY \*+\n.*?^\*+\n//msg;
		$written =~ s/^ +\?column\? +\n-+\n end of block $i.*//ms;
		push @results, [ grep { length } split /\n/, $written ];
	}
	$in .= "\\q\r";
	eval { $psql->finish };
	return ($screen, @results);
}

# The cells of a line of results, as unaligned output has them.
sub cells
{
	my ($line) = @_;

	return join '|', map { s/^\s+|\s+$//gr } split /\|/, $line, -1;
}

sub paste_document
{
	my ($node, $file, $what, @roles) = @_;
	my @blocks = blocks($file);
	(my $db = "$file $what") =~ s/\W+/_/g;

	cmp_ok(scalar(@blocks), '>', 0, "$file has something to paste");
	unlike(join("\n", @blocks), qr/\\[a-z]/, "$file: no commands of psql in what is pasted");
	$node->safe_psql('postgres', qq{CREATE DATABASE "$db"});
	my ($screen, @results) = eval { paste($node, $db, @blocks) };
	is($@, '', "$file, $what: every block is carried out");
	$screen //= '';
	is(join("\n", $screen =~ /^((?:ERROR|FATAL|invalid command|unrecognized).*?)\r?$/mg), '', "$file, $what: no error");
	like($screen, qr/\e\[\?2004h/, "$file, $what: bracketed paste was on") if $readline;
	ok(!-e "$tmp/paged", "$file, $what: nothing went to the pager");
	my @wide = grep { length > 80 } map { @$_ } @results;
	is(join("\n", @wide), '', "$file, $what: no output is wider than the terminal");
	$node->safe_psql('postgres', qq{DROP DATABASE "$db" WITH (FORCE)});
	$node->safe_psql('postgres', "DROP ROLE IF EXISTS $_") for qw(shop billing oncall desk);
	return join "\n", map { map { cells($_) } @$_ } @results;
}

for my $run ([ $bare, 'nothing preloaded' ], [ $preloaded, 'with background workers' ])
{
	my ($node, $what) = @$run;
	my $out = paste_document($node, 'README.md', $what);

	like($out, qr/^order 1\|SUCCEEDED\|\|"paid"$/m, "README.md: the first order is paid, $what");
	like($out, qr/^order 2\|FAILED\|Shop.CardDeclined\|$/m, "README.md: the second is not, $what");
	like($out, qr/^lamp\|9$/m, "README.md: one lamp is sold, $what");
	like($out, qr/^\d+\|step_compensated\|Reserve\|/m, "README.md: the other went back, $what");
	$out = paste_document($node, 'docs/sql-reference.md', $what);
	like($out, qr/^\{"id": 1, "answer": \{"text": "yes"\}\}$/m, "docs/sql-reference.md: the letter is answered, $what");
	paste_document($node, 'docs/operations.md', $what);
	paste_document($node, 'docs/security.md', $what);
}

# Its results stand in the text.
my $out = paste_document($preloaded, 'docs/language.md', 'with background workers');
my $at = 0;
my @missing;
for my $line (map { /^-- => (.*)$/mg } blocks('docs/language.md'))
{
	my $found = index $out, "\n$line\n", $at;

	if ($found < 0) { push @missing, $line; }
	else { $at = $found + length $line; }
}
is(join("\n", @missing), '', 'docs/language.md: every result is shown, in order');

# Blocks that could be pasted, but are not marked as SQL, are few and known.
my @unmarked;
for my $file (glob "$top/docs/*.md")
{
	my @fences = slurp_file($file) =~ /^(```.*)$/mg;

	push @unmarked, map { "$file: $_" } grep { !/^```(sql|sh|json|psql|text)$/ } @fences[ grep { $_ % 2 == 0 } 0 .. $#fences ];
}
is("@unmarked", '', 'every block says what it is');

$bare->stop;
$preloaded->stop;
done_testing();
