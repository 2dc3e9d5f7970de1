# What the documents show runs as it stands there, and they leave nothing out.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

my $top = "$FindBin::Bin/../..";
my $bare = PostgreSQL::Test::Cluster->new('bare');
my $preloaded = dx_node('preloaded');

$bare->init;
$bare->start;

# The blocks of a language, in order.
sub blocks
{
	my ($file, $language) = @_;
	my $text = slurp_file("$top/$file");

	return $text =~ /^```$language\n(.*?)^```$/msg;
}

# Runs all SQL of a document in a new database and returns what it prints.
sub run_document
{
	my ($node, $file, $what, $before) = @_;
	(my $db = $file) =~ s/\W/_/g;
	my ($out, $err) = ('', '');
	my $sql = join "\n", $before // (), blocks($file, 'sql');

	$node->safe_psql('postgres', qq{CREATE DATABASE "$db"});
	my $rc = $node->psql($db, $sql, stdout => \$out, stderr => \$err, on_error_stop => 1, extra_params => [ '-q' ]);
	is($rc, 0, "$file: its SQL works as it stands there, $what") or diag($err =~ s/^/  /mgr);
	$node->safe_psql('postgres', qq{DROP DATABASE "$db" WITH (FORCE)});
	$node->safe_psql('postgres', "DROP ROLE IF EXISTS $_") for qw(shop billing oncall desk);
	return $out;
}

for my $run ([ $bare, 'nothing preloaded' ], [ $preloaded, 'with background workers' ])
{
	my ($node, $what) = @$run;
	my $out = run_document($node, 'README.md', $what);

	like($out, qr/^order 1\|SUCCEEDED\|\|.*"paid"/m, "README.md: the first order is paid, $what");
	like($out, qr/^order 2\|FAILED\|Shop.CardDeclined\|/m, "README.md: the second is not, $what");
	like($out, qr/^lamp\|9$/m, "README.md: one lamp is sold, $what");
	like($out, qr/^\d+\|step_compensated\|Reserve\|/m, "README.md: the other went back, $what");

	$out = run_document($node, 'docs/sql-reference.md', $what);
	like($out, qr/^\{"id": 1, "answer": \{"text": "yes"\}\}$/m, "docs/sql-reference.md: the letter is answered, $what");
	like($out, qr/^2\|recalled$/m, "docs/sql-reference.md: what is cancelled is recalled, $what") if $node == $bare;
	run_document($node, 'docs/operations.md', $what);
	run_document($node, 'docs/security.md', $what);
}

# The examples are whole files.
my %expected = (
	signature => qr/^1\|signed by Ann\n2\|taken back\n1\|SUCCEEDED\|\n2\|FAILED\|States.Timeout$/m,
	retry => qr/^\{"why": \{"Cause": "for good", "Error": "Example.Closed"\}, "tries": 3\}$/m,);
for my $file (glob "$top/examples/*.sql")
{
	my ($name) = $file =~ m{(\w+)\.sql$};

	for my $run ([ $bare, 'nothing preloaded' ], [ $preloaded, 'with background workers' ])
	{
		my ($node, $what) = @$run;
		my ($out, $err) = ('', '');

		$node->safe_psql('postgres', 'CREATE DATABASE example');
		is($node->psql('example', slurp_file($file), stdout => \$out, stderr => \$err, on_error_stop => 1), 0, "examples/$name.sql works, $what")
		  or diag($err);
		like($out, $expected{$name}, "examples/$name.sql shows what it should, $what");
		$node->safe_psql('postgres', 'DROP DATABASE example WITH (FORCE)');
		$node->safe_psql('postgres', 'DROP ROLE example');
	}
}

# The list of functions and views is what the database says of them.
my $list = '';
$bare->safe_psql('postgres', 'CREATE EXTENSION dealix_exec');
$bare->psql('postgres', slurp_file("$top/scripts/reference.sql"), stdout => \$list, extra_params => ['-q'], on_error_stop => 1);
my $wanted = slurp_file("$top/docs/functions.md");
s{\s+\z}{} for $list, $wanted;
ok($list eq $wanted, 'docs/functions.md is up to date (scripts/reference.sh makes it)');

# Pages speak of functions that people can call.
my %public = map { $_ => 1 } split /\n/, $bare->safe_psql('postgres', q{SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'dealix'::regnamespace});
my @private = split /\n/, $bare->safe_psql('postgres', q{SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'dealix_internal'::regnamespace});
my @wrong;
for my $page ("$top/README.md", grep { !/functions\.md$/ } glob "$top/docs/*.md")
{
	my $text = slurp_file($page);

	for my $name (@private) { push @wrong, "$page: $name" if !$public{$name} && $text =~ /`(?:dealix\.)?\Q$name\E\(/; }
	while ($text =~ /\bdealix\.(\w+)\(/g) { push @wrong, "$page: dealix.$1" if !$public{$1}; }
}
is_deeply(\@wrong, [], 'pages speak of functions that people can call');

like($list, qr/^\*\*`start\(workflow text, .*\n.*exists if and only if the transaction commits/m, 'and has something to say');
my $operations = slurp_file("$top/docs/operations.md");
for my $line (split /\n/, $preloaded->safe_psql('postgres', q{
	SELECT name, boot_val FROM pg_settings WHERE name LIKE 'dealix_exec.%'}))
{
	my ($name, $value) = split /\|/, $line, -1;

	ok($operations =~ qr/^\| `\Q$name\E` \| `?\Q$value\E`?( ms| s| kB)? ?\|/m, "docs/operations.md has $name with its default $value");
}

# Links, files and targets that are named exist.
for my $file ('README.md', glob("$top/docs/*.md"))
{
	(my $name = $file) =~ s{^\Q$top\E/}{};
	my $text = slurp_file("$top/$name");
	my $dir = $name =~ m{^docs/} ? "$top/docs" : $top;

	ok(-e "$dir/$1", "$name links to $1, which exists") while $text =~ /\]\(([^):#]+)(?:#[^)]*)?\)/g;
	ok(-e "$top/$1", "$name names $1, which exists") while $text =~ /`((?:test|scripts|src)\/[\w.\/]+\.\w+)`/g;
}
my $makefile = slurp_file("$top/Makefile");
for my $line (map { split /\n/ } map { blocks($_, 'sh') } 'README.md', 'docs/operations.md')
{
	if ($line =~ /^make ?(\w*)$/)
	{
		my $target = $1 || 'all';

		ok($target =~ /^(all|install)$/ || $makefile =~ /^own_targets = .*\b$target\b/m, "\"$line\" is a target");
	}
	else { fail("what is \"$line\"?") }
}

$bare->stop;
$preloaded->stop;
done_testing();
