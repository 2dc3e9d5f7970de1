# Somebody sets the clock of the machine, back by an hour and forward: what is
# started then is on time, and nothing waits for the old time to come again.  The
# clock is a library before libc's, whose offset is in a file; no test here waits
# for anywhere near an hour.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

dx_skip_root();

my $dir = PostgreSQL::Test::Utils::tempdir();
my $cc = $ENV{CC} // 'cc';

open my $source, '>', "$dir/clock.c" or die;
print $source <<'C';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long *offset;	/* seconds */

static long
seconds(void)
{
	if (offset == NULL)
	{
		int			fd = open(getenv("DX_CLOCK"), O_RDONLY);
		void	   *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);

		if (fd >= 0)
			close(fd);
		if (map == MAP_FAILED)
			return 0;
		offset = map;
	}
	return *offset;
}

int
gettimeofday(struct timeval *tv, void *zone)
{
	static int	(*real) (struct timeval *, void *);
	int			result;

	if (real == NULL)
		real = (int (*) (struct timeval *, void *)) dlsym(RTLD_NEXT, "gettimeofday");
	result = real(tv, zone);
	if (result == 0)
		tv->tv_sec += seconds();
	return result;
}
C
close $source;
plan skip_all => 'there is no C compiler'
  if system("$cc -shared -fPIC -w -o $dir/clock.so $dir/clock.c -ldl >$dir/cc.log 2>&1") != 0;

sub set_clock
{
	my ($seconds) = @_;

	open my $file, '+<', "$dir/offset" or die;
	binmode $file;
	syswrite $file, pack('q', $seconds);
	close $file;
	note("the clock is $seconds s off");
	return;
}

open my $file, '>', "$dir/offset" or die;
close $file;
truncate "$dir/offset", 8;
set_clock(0);

my $node;
{
	local $ENV{LD_PRELOAD} = "$dir/clock.so";

	$ENV{DX_CLOCK} = "$dir/offset";
	$node = dx_node('clock', 'dealix_exec.sweep_interval = 1h', 'dealix_exec.worker_idle_timeout = 2s');
}
dx_shop($node);
dx_sql($node, 'app', q{
	SELECT dealix.publish('wait', '{"StartAt": "A", "States": {"A": {"Type": "Wait", "SecondsPath": "$.s", "End": true}}}');
	SELECT dealix.publish('retry', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "sql:shop.fail_sometimes",
		"Parameters": {"key": "r", "n": 10}, "Retry": [{"ErrorEquals": ["Shop.Unlucky"], "IntervalSeconds": 1, "MaxAttempts": 2}], "End": true}}}');
	SELECT dealix.publish('lease', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:lease", "TimeoutSeconds": 3600, "End": true}}}');
	SELECT dealix.publish('rate', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:rate", "TimeoutSeconds": 36000, "End": true}}}');
});
$node->safe_psql('postgres', q{SELECT dealix.limit_activity('rate', rate => 1)});

my $is = time();
cmp_ok(abs($node->safe_psql('postgres', 'SELECT extract(epoch FROM clock_timestamp())') - $is), '<', 600, 'the clock is as it is');
set_clock(-3600);
cmp_ok($node->safe_psql('postgres', 'SELECT extract(epoch FROM clock_timestamp())') - $is, '<', -3000, 'the clock of the server can be set');
set_clock(0);

sub start
{
	my ($workflow, $input) = @_;

	return dx_sql($node, 'app', 'SELECT dealix.start(' . "'$workflow', '" . ($input // '{}') . "')");
}

sub ends
{
	my ($run, $what, $status) = @_;

	return dx_poll($node, "SELECT status FROM dealix.run_details WHERE run_id = '$run'", $what, $status // 'SUCCEEDED', undef, 180);
}

# What everybody does after the clock has been set.
sub all_goes_on
{
	my ($what) = @_;

	ends(start('wait', '{"s": 1}'), "$what: a timer");
	ends(start('retry'), "$what: a retry", 'FAILED');

	my $lease = start('lease');
	dx_poll($node, q{SELECT count(*) FROM dealix.activity_task WHERE activity = 'lease'}, "$what: a task", '1');
	dx_sql($node, 'app', q{SELECT token FROM dealix.claim('lease', 'w', 1, '1 s')});
	ends($lease, "$what: the end of a lease", 'FAILED');

	my ($rc, $out) = dx_try($node, 'app', "CALL dealix.wait('" . start('wait', '{"s": 90000}') . "', '1 s')");
	is($out, 'RUNNING', "$what: the timeout of wait");

	dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dealix_exec worker'}, "$what: an idle worker leaves", '0', undef, 180);

	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM dealix.worker_details WHERE kind = 'dispatcher'});
	dx_poll($node, q{SELECT state FROM dealix.worker_details WHERE kind = 'dispatcher'}, "$what: the dispatcher comes back", 'RUNNING', undef, 180);
	return;
}

my $claims = q{SELECT count(*) FROM dealix.claim('rate', 'w', 1, '1 h')};

start('rate') for 1 .. 3;
dx_poll($node, q{SELECT count(*) FROM dealix.activity_task WHERE activity = 'rate'}, 'tasks under a rate', '3');
is(dx_sql($node, 'app', $claims), '1', 'one is claimed');
all_goes_on('before');
my $late = start('wait', '{"s": 1800}');
dx_poll($node, "SELECT count(*) FROM dealix.waiting_details WHERE run_id = '$late'", 'a timer of half an hour', '1');

set_clock(-3600);
all_goes_on('set back');
{
	my $until = time() + 180;
	my $claimed = 0;

	while (!$claimed && time() < $until)
	{
		$claimed = dx_sql($node, 'app', $claims);
		sleep(0.2);
	}
	is($claimed, '1', 'set back: a rate goes on');
}

set_clock(0);
all_goes_on('set to what it was');
set_clock(3600);
ends($late, 'set forward: what has become due by that comes');
all_goes_on('set forward');
set_clock(0);
all_goes_on('back again');

# Sweeps, too: what nobody has announced.
$node->safe_psql('postgres', q{ALTER SYSTEM SET dealix_exec.sweep_interval = 1});
$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
my $passes = q{SELECT passes FROM dealix.worker_details WHERE kind = 'dispatcher'};
my $before = $node->safe_psql('postgres', $passes);
dx_poll($node, "SELECT ($passes) > $before + 2", 'sweeps', 't');
set_clock(-3600);
$before = $node->safe_psql('postgres', $passes);
dx_poll($node, "SELECT ($passes) > $before + 2", 'and sweeps when the clock is set back', 't', undef, 180);

is($node->safe_psql('postgres', 'SELECT * FROM dealix.stuck()'), '', 'nothing is stuck');
$node->stop;
done_testing();
