# The rooms of the project: each says in a README what it is for, what it may
# call and where to begin; and calls go one way.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

chdir "$FindBin::Bin/../.." or die;

# Which rooms a room may include headers of, besides its own.
my %may = (
	base => [],
	asl => ['base'],
	audit => ['base'],
	engine => [qw(asl audit base)],
	outside => [qw(engine asl audit base)],
	governance => [qw(outside engine asl audit base)],
	worker => [qw(engine asl audit base)],
	api => [qw(governance outside engine asl audit base)],);
my @rooms = map { s{/$}{}r } glob('src/*/');

is_deeply([ sort map { s{^src/}{}r } @rooms ], [ sort keys %may ], 'the rooms of src are known');
for my $room (sort keys %may)
{
	my %allowed = map { $_ => 1 } $room, @{ $may{$room} };
	my @wrong;

	for my $file (glob("src/$room/*.[ch]"))
	{
		my $text = slurp_file($file);

		while ($text =~ /^#include "(\w+)\//mg) { push @wrong, "$file includes $1/" if exists $may{$1} && !$allowed{$1}; }
	}
	is_deeply(\@wrong, [], "src/$room calls what it may");
}

# A file is spoken of by its name.
my %named;
push @{ $named{ s{.*/}{}r } }, $_ for glob('src/*.c src/*/*.[ch]');
is_deeply([ map { @$_ > 1 ? "@$_" : () } map { $named{$_} } sort keys %named ], [], 'no two files of src have the same name');

# Inside a room, too, arrows point one way: a file that calls another is not
# called by it, by whatever detour.  Strings and comments call nothing.
sub in_circles
{
	my ($room) = @_;
	my (%code, %home, %calls);

	for my $file (glob("src/$room/*.c"))
	{
		($code{$file} = slurp_file($file)) =~ s{"(?:[^"\\\n]|\\.)*"|/\*.*?\*/}{ }gs;
		$home{$2} = $file while $code{$file} =~ /^(?!static)([A-Za-z_][\w \t*]*)\n(dx_\w+)\(/mg;
		$home{$1} = $file while $code{$file} =~ /^(?!static|extern)[A-Za-z_][\w ]*[ *\t]+(dx_\w+)(?:\[.*?\])?(?:\s*=|;)/mg;
	}
	for my $file (keys %code)
	{
		for my $name ($code{$file} =~ /\b(dx_\w+)\b/g)
		{
			$calls{$file}{ $home{$name} } = 1 if exists $home{$name} && $home{$name} ne $file;
		}
	}
	return grep {
		my ($start, %seen) = ($_);
		my @next = keys %{ $calls{$start} };

		while (defined(my $file = pop @next)) { push @next, keys %{ $calls{$file} } if !$seen{$file}++; }
		$seen{$start};
	} sort keys %code;
}
is_deeply([ in_circles($_) ], [], "no file of src/$_ stands in a circle") for sort keys %may;

# Files and functions that can be read in one go; a comment on top says why.
my %says_why = map { $_ => 1 } qw(base audit asl worker api governance outside engine);
my (@long, @silent);

for my $file (glob('src/*.c src/*/*.[ch]'))
{
	my $text = slurp_file($file);
	my ($room) = $file =~ m{^src/(\w+)/};

	push @long, $file if ($text =~ tr/\n//) > 600;
	while ($text =~ /^(.*)\n[A-Za-z_].*\n(\w+)\([^{;]*?\)\n\{\n((?s:.*?))^\}/gm)
	{
		my ($above, $function, $body) = ($1, $2, $3);

		push @long, "$function in $file" if ($body =~ tr/\n//) > 60;
		push @silent, "$function in $file" if $room && $says_why{$room} && $above !~ m{\*/\s*$};
	}
}
is_deeply(\@long, [], 'no file has more than 600 lines, no function more than 60');
is_deeply(\@silent, [], 'a comment on top says what each function is for');

# One header per concern, and preconditions that can fail.
is_deeply([ grep { (() = slurp_file($_) =~ /^(?:pg_noreturn )?extern /mg) > 32 } glob('src/*/*.h') ], [], 'no header declares more than 32 things');
cmp_ok(scalar(() = join('', map { slurp_file($_) } glob('src/*/*.[ch]')) =~ /\bAssert\(/g), '>=', 200, 'preconditions are Asserts');

# Differences between versions of PostgreSQL.
is_deeply([ grep { !m{^src/base/} && slurp_file($_) =~ /PG_VERSION_NUM/ } glob('src/*.c src/*/*.[ch]') ],
	[], 'only src/base asks for the version of PostgreSQL');

# A page of text: short, and what it names is there.
sub page
{
	my ($file, $lines, $columns, $where) = @_;
	my $text = -e $file ? slurp_file($file) : '';
	my @lines = split /\n/, $text;

	cmp_ok(scalar @lines, '>', 4, "$file says something");
	cmp_ok(scalar @lines, '<=', $lines, "$file has at most $lines lines");
	is_deeply([ grep { length > $columns } @lines ], [], "and none is longer than $columns columns");
	my @missing;
	while ($text =~ /`((?:\.\.\/)?[\w.-]+(?:\/[\w.-]+)*(?:\.(?:c|h|pl|pm|sh|sql|psql|md|txt|list|in)|\/))`/g)
	{
		my $named = $1;

		push @missing, $named if !-e $named && !grep { -e "$_/$named" } @$where;
	}
	is_deeply(\@missing, [], "and the files that it names are there");
	return $text;
}

for my $room (@rooms, 'test', 'scripts')
{
	my $text = page("$room/README.md", 20, 125, [$room]);

	like($text, qr/\bBegin with\b/, "$room/README.md says where to begin");
	like($text, qr/\*\*May call:\*\*/, "$room/README.md says what the room may call") if $room =~ /^src/;
}

# How it works, on a page or two; why so, with figures, is in docs/decisions.
page('docs/design.md', 120, 110, [ 'docs', map { ($_) } glob('src/*/') ]);
like(slurp_file($_), qr/\A# .+\n\n/, "$_ begins with a title") for glob('docs/decisions/*.md');

done_testing();
