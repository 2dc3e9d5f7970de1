#!/usr/bin/perl
# tap_count.pl FILE STATUS: counts a recorded TAP stream of one test file or of
# one "pg_prove --verbose" run of one file.  Prints "passed failed skipped" and,
# on a second line, why it failed.
use strict;
use warnings;

my ($file, $status) = @ARGV;
my ($passed, $failed, $skipped, $planned, $ended) = (0, 0, 0, undef, 0);
my @why;

open my $in, '<', $file or die "could not open $file: $!\n";
while (my $line = <$in>)
{
	if ($line =~ /^1\.\.(\d+)(?:\s+#\s*skip\S*\s*(.*))?/i)
	{
		$planned = $1;
		$skipped++ if $planned == 0;
		$ended = 1 if $planned == 0;
	}
	elsif ($line =~ /^(not )?ok \d+\b(.*)/)
	{
		my ($not, $rest) = ($1, $2);

		if ($rest =~ /#\s*skip/i) { $skipped++ }
		elsif ($not && $rest !~ /#\s*todo/i) { $failed++; }
		else { $passed++ }
	}
	elsif ($line =~ /^Bail out!\s*(.*)/)
	{
		push @why, "bailed out: $1";
	}
}
close $in;

my $ran = $passed + $failed + $skipped;

if (!defined $planned)
{
	push @why, 'it did not come to its end (no plan)';
}
elsif (!$ended && $planned != $ran)
{
	push @why, "planned $planned tests but ran $ran";
}
push @why, "$failed failed" if $failed;
push @why, $status == 124 ? 'it took too long' : "exit status $status"
  if $status != 0 && !$failed;
$failed++ if @why && !$failed;

print "$passed $failed $skipped\n", join('; ', @why), "\n";
