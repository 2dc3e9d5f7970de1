# Indents C files as PostgreSQL does: with pg_bsd_indent, the options of
# src/tools/pgindent in PostgreSQL's sources, and what it does before and after.
#
#   perl indent.pl [--check] PG_BSD_INDENT TYPEDEFS FILE...
#
# With --check no file changes: prints the names of those that would, with what
# would change, and fails if there are any.
use strict;
use warnings;

use File::Copy qw(copy);
use File::Temp;

my @options = qw(-bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4
  -l79 -lp -lpl -nip -npro -sac -tpg -ts4);
my $check = @ARGV && $ARGV[0] eq '--check' ? shift @ARGV : '';
my ($indent, $typedefs, @files) = @ARGV;
my $folder = File::Temp->newdir;
my $bad = 0;

sub get
{
	my ($file) = @_;

	open my $in, '<', $file or die "$file: $!\n";
	local $/;
	return scalar <$in>;
}

sub put
{
	my ($file, $text) = @_;

	open my $out, '>', $file or die "$file: $!\n";
	print $out $text;
	close $out or die "$file: $!\n";
	return;
}

sub indented
{
	my ($file) = @_;
	my $text = get($file);

	# Comments that begin with dashes stay as they are.
	$text =~ s{/\* +---}{/*---X_X}g;
	put("$folder/in.c", $text);
	my $said = `\Q$indent\E @options -U\Q$typedefs\E $folder/in.c $folder/out.c 2>&1`;
	die "$file: $said\n" if $? != 0 || length $said;
	$text = get("$folder/out.c");
	$text =~ s{/\*---X_X}{/* ---}g;
	# comments on one line, and functions that return pointers
	$text =~ s{\*/(/\*.*\*/)$}{*/\t$1}gm;
	$text =~ s{^([A-Za-z_]\S*)[ \t]+\*$}{$1 *}gm;
	return $text;
}

for my $file (@files)
{
	my $text = eval { indented($file) };

	if (!defined $text)
	{
		print STDERR $@;
		$bad++;
		next;
	}
	next if $text eq get($file);
	if (!$check)
	{
		put($file, $text);
		print "$file\n";
		next;
	}
	$bad++;
	put("$folder/wanted.c", $text);
	print "$file is not indented:\n";
	system 'diff', '-u', '--label', $file, '--label', 'make indent', $file, "$folder/wanted.c";
}
exit($bad ? 1 : 0);
