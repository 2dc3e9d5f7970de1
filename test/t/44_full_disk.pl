# A full disk: workers say it once, try again at growing intervals, and go on
# when there is room again, with every effect once.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

# A file system of our own would need root: while a file is there, writes beyond
# the end of a relation's file find no space, as on a full disk.
my $dir = PostgreSQL::Test::Utils::tempdir;
my $flag = "$dir/full";
my $library = "$dir/full.so";

append_to_file("$dir/full.c", <<"END");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int full(int fd, off_t end)
{
	char link[64], path[1024];
	struct stat st;
	ssize_t n;

	if (access("$flag", F_OK) != 0 || fstat(fd, &st) != 0 || end <= st.st_size)
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n <= 0)
		return 0;
	path[n] = 0;
	return strstr(path, "/base/") != NULL && strstr(path, "pgsql_tmp") == NULL;
}

ssize_t pwrite64(int fd, const void *buf, size_t size, off64_t at)
{
	static ssize_t (*next) (int, const void *, size_t, off64_t);

	if (next == NULL)
		next = dlsym(RTLD_NEXT, "pwrite64");
	if (full(fd, at + size)) { errno = ENOSPC; return -1; }
	return next(fd, buf, size, at);
}

ssize_t pwrite(int fd, const void *buf, size_t size, off_t at)
{
	static ssize_t (*next) (int, const void *, size_t, off_t);

	if (next == NULL)
		next = dlsym(RTLD_NEXT, "pwrite");
	if (full(fd, at + size)) { errno = ENOSPC; return -1; }
	return next(fd, buf, size, at);
}

int posix_fallocate64(int fd, off64_t at, off64_t size)
{
	static int (*next) (int, off64_t, off64_t);

	if (next == NULL)
		next = dlsym(RTLD_NEXT, "posix_fallocate64");
	return full(fd, at + size) ? ENOSPC : next(fd, at, size);
}

int posix_fallocate(int fd, off_t at, off_t size)
{
	static int (*next) (int, off_t, off_t);

	if (next == NULL)
		next = dlsym(RTLD_NEXT, "posix_fallocate");
	return full(fd, at + size) ? ENOSPC : next(fd, at, size);
}
END
system('gcc', '-shared', '-fPIC', '-o', $library, "$dir/full.c", '-ldl') == 0 or die 'the compiler failed';
chmod 0755, $dir, $library;

$ENV{LD_PRELOAD} = $library;
my $node = dx_node('full_disk', 'dealix_exec.workers = 0', 'autovacuum = off');

delete $ENV{LD_PRELOAD};
dx_shop($node);
dx_sql($node, 'app', q{
	SELECT count(*) FROM dealix.start_many('chain', ARRAY(SELECT format('{"key": "k%s", "n": %s, "wait": 0}', i, i)::jsonb FROM generate_series(1, 400) i),
		ARRAY(SELECT 'k' || i FROM generate_series(1, 400) i))});

# ---------- full ----------

append_to_file($flag, '');
my $from = -s $node->logfile;

$node->append_conf('postgresql.conf', 'dealix_exec.workers = 2');
$node->reload;
my $until = time() + 60;
my $errors = 0;

sub errors
{
	return scalar(() = slurp_file($node->logfile, $from) =~ /ERROR: .*No space left on device|ERROR: .*could not extend file/g);
}

while (time() < $until && errors() == 0) { sleep(0.2) }
sleep(15);
$errors = errors();
cmp_ok($errors, '>=', 1, 'the log says that the disk is full');
cmp_ok($errors, '<=', 12, "each process says it once ($errors times in all)");
like(slurp_file($node->logfile, $from), qr/tries again at growing intervals/, 'and that it is tried again');

# ---------- room again ----------

unlink $flag;
dx_ledger_ok($node, 'with room again');
like(slurp_file($node->logfile, $from), qr/goes on after \d+ failures for lack of resources/, 'the log says that it goes on');
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.stuck()'), '0', 'nothing is stuck');
$node->stop;
done_testing();
