# The measurements run to their end, count what they should and name it.  With
# few runs: what the figures are is another matter.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();
chdir "$FindBin::Bin/../.." or die;
delete $ENV{$_} for qw(MAKEFLAGS MAKELEVEL MFLAGS);
$ENV{QUICK} = 1;
$ENV{RUNS} = 3000;
$ENV{MILLION} = 4000;
$ENV{RESULTS} = PostgreSQL::Test::Utils::tempdir();

# but for the ports that tests beside this one have taken
sub files { return join '', sort `find . -type f ! -path './.git/*' ! -path './portlock/*'` }

sub bench
{
	my ($target, @names) = @_;
	my $before = files();
	my ($out, $err) = run_command([ 'make', '--no-print-directory', $target ]);
	my ($file) = $out =~ /^Written to (\S+)$/m;

	is($?, 0, "make $target succeeds") or diag($out, $err);
	for my $name (@names)
	{
		like($out, qr/^$name=\d+(\.\d+)?$/m, "make $target prints $name");
	}
	ok(defined $file && -s $file, "make $target writes its figures");
	my ($printed) = $out =~ /^Figures:\n(.*)/ms;
	my $written = defined $file ? join('', grep { !/^#/ } split /^/, slurp_file($file)) : '';
	chomp($printed //= '', $written);
	is($written, $printed, "make $target writes what it prints");
	is(files(), $before, "make $target leaves nothing in the folder of the project");
	return;
}

bench('bench', qw(drain_1w_steps_per_s drain_2w_steps_per_s baseline_step_tps drain_2w_ratio latency_p50_ms latency_p99_ms
	  baseline_insert_ms latency_p50_ratio latency_p99_ratio start_per_s baseline_insert_tps start_ratio start_many_per_s
	  bytes_per_run wal_bytes_per_run held_xmin_ratio map_10k_items_per_s states_per_s activities_per_s wait_500_p50_ratio wait_500_woken_per_task signals_per_s idle_tps unused_state_bytes first_pass_10000_states_ms workflow_kb
	  payload_10kb_ratio payload_10kb_bytes_ratio payload_100kb_start_mb_per_s));
bench('bench-million', qw(parked_1m_ratio finished_1m_ratio));
bench('bench-memory', qw(worker_kb_after_10000 memory_ratio));
bench('bench-restart', qw(restart_first_run_ms));

done_testing();
