# docs/language.md: its SQL runs, and gives what stands behind "-- =>"; its table
# of intrinsic functions says what they give.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

my $text = slurp_file("$FindBin::Bin/../../docs/language.md");
my $node = dx_node('language');

# Pieces of SQL, each with the lines that it has to end with.
my @pieces;
my $sql = '';
my @expected;

sub finish_piece
{
	push @pieces, [ $sql, [@expected] ] if @expected;
	$sql = '' if @expected;
	@expected = ();
	return;
}
for my $block ($text =~ /^```sql\n(.*?)^```$/msg)
{
	for my $line (split /\n/, $block)
	{
		if ($line =~ /^-- => ?(.*)$/) { push @expected, $1; }
		else
		{
			finish_piece();
			$sql .= "$line\n";
		}
	}
	finish_piece();
}
push @pieces, [ $sql, [] ];

my $script = join '', map { "$pieces[$_][0]\\echo end of piece $_\n" } 0 .. $#pieces;
my ($out, $err) = ('', '');
my $rc = $node->psql('postgres', $script, stdout => \$out, stderr => \$err, on_error_stop => 1, extra_params => ['-q'], timeout => 1200);
is($rc, 0, 'the SQL of the document runs as it stands there') or diag($err);

my @got = split /^end of piece \d+\n?/m, $out;
for my $i (0 .. $#pieces)
{
	my @wanted = @{ $pieces[$i][1] };
	my @lines = split /\n/, $got[$i] // '';
	my ($what) = reverse grep { /\S/ } split /\n/, $pieces[$i][0];

	next unless @wanted;
	@lines = @lines[ -@wanted .. -1 ] if @lines > @wanted;
	is_deeply(\@lines, \@wanted, $what);
}
cmp_ok(scalar(grep { @{ $_->[1] } } @pieces), '>', 15, 'there are enough examples');

# The table of intrinsic functions.
my ($input) = $text =~ /The examples have the input\n`(.*)`\./;
my @functions = $text =~ /^\| `(States\.[A-Za-z0-9]+\(.*\))` \| (.*) \|$/mg;
cmp_ok(scalar(@functions), '==', 2 * 18, 'all functions are in the table');
while (my ($call, $gives) = splice @functions, 0, 2)
{
	my $definition = encode_json({ StartAt => 'S', States => { S => { Type => 'Pass', End => JSON::PP::true, Parameters => { 'r.$' => $call } } } });
	my $result = $node->safe_psql('postgres', "SELECT dealix.test_state(\$d\$$definition\$d\$, 'S', \$i\$$input\$i\$) #> '{output,r}'");

	if ($gives =~ /^`(.*)`$/) { is($result, $1, $call) }
	else { like($result, qr/^"[0-9a-f-]{36}"$/, $call) }
}

$node->stop;
done_testing();
