# Runs that nothing may lose: one whose inbox is larger than a pass has time for,
# one that was hinted at many times when its worker was terminated, and one that
# the engine leaves alone.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

my $node = dx_node('lost_runs', 'dealix_exec.workers = 1', 'dealix_exec.pass_max_time = 20');
dx_shop($node);
$node->safe_psql('postgres', q{SELECT dealix.grant_access('app', 'operator')});

sub sql { return dx_sql($node, 'app', $_[0]); }
sub status { return "SELECT status FROM dealix.run_details WHERE run_id = '$_[0]'"; }

# ---------- a large inbox ----------

sql(q{SELECT dealix.publish('greedy', '{"StartAt": "Wait", "States": {
		"Wait": {"Type": "Task", "Resource": "signal:begin", "ResultPath": null, "Next": "Take"},
		"Take": {"Type": "Task", "Resource": "signal:data", "ResultPath": "$.got", "Next": "Count"},
		"Count": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "More"},
		"More": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 40, "Next": "Take"}], "Default": "Done"},
		"Done": {"Type": "Succeed"}}}')});
my $greedy = sql(q{SELECT dealix.start('greedy', '{"n": 0}')});
# 3 MB that do not compress, 40 times
sql(qq{DO \$\$ DECLARE big jsonb := to_jsonb((SELECT string_agg(md5(i::text || random()), '') FROM generate_series(1, 98000) i)); BEGIN
	FOR i IN 1 .. 40 LOOP PERFORM dealix.signal('$greedy', 'data', big); END LOOP; END \$\$});
sql("SELECT dealix.signal('$greedy', 'begin')");
dx_poll($node, status($greedy), 'a run with 120 MB in its inbox comes to its end', 'SUCCEEDED', undef, 180);
is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.inbox'), '0', 'and its inbox is empty');

# What is never taken is put on record when the run ends, in as many passes as it takes.
my $heedless = sql(q{SELECT dealix.start('parked', '{"key": "h"}')});
sql(qq{DO \$\$ DECLARE big jsonb := to_jsonb((SELECT string_agg(md5(i::text || random()), '') FROM generate_series(1, 98000) i)); BEGIN
	FOR i IN 1 .. 15 LOOP PERFORM dealix.signal('$heedless', 'unknown', big); END LOOP; END \$\$});
sql("SELECT dealix.signal('$heedless', 'go')");
dx_poll($node, status($heedless), 'so does one that takes none of them', 'SUCCEEDED', undef, 180);
dx_poll($node, 'SELECT count(*) FROM dealix.inbox', 'and they go', '0', undef, 180);

# ---------- an inbox has a limit ----------

my $full = sql(q{SELECT dealix.start('parked', '{"key": "f"}')});
$node->safe_psql('postgres', 'ALTER SYSTEM SET dealix_exec.max_inbox = 5');
$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
dx_poll($node, 'SHOW dealix_exec.max_inbox', 'the limit is set', '5');
sql("SELECT count(dealix.signal('$full', 'other', to_jsonb(i), i::text)) FROM generate_series(1, 5) i");
my ($rc, $out, $err) = dx_try($node, 'app', "\\set VERBOSITY verbose\nSELECT dealix.signal('$full', 'other')");
isnt($rc, 0, 'one signal too many is refused');
like($err, qr/54000: the inbox of run $full is full.*5 signals.*dealix_exec\.max_inbox/s, 'and the sender hears why');
is(sql("SELECT dealix.signal('$full', 'other', '1', '3')"), 'f', 'a signal that was sent before is that, full or not');
is(sql("SELECT dealix.cancel('$full')"), 't', 'a command gets in');
dx_poll($node, status($full), 'and is taken', 'CANCELLED');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET dealix_exec.max_inbox');
$node->safe_psql('postgres', q{ALTER SYSTEM SET dealix_exec.max_inbox_size = '100kB'});
$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
dx_poll($node, 'SHOW dealix_exec.max_inbox_size', 'a limit of its size', '100kB');
my $large = sql(q{SELECT dealix.start('parked', '{"key": "l"}')});
my $big = q{to_jsonb((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 5000) i))};
is(sql("SELECT dealix.signal('$large', 'other', $big)"), 't', 'a single signal gets in, however large');
($rc, $out, $err) = dx_try($node, 'app', "SELECT dealix.signal('$large', 'other', '1')");
like($err, qr/is full/, 'a second one does not');
sql("SELECT dealix.terminate('$large')");
$node->safe_psql('postgres', 'ALTER SYSTEM RESET dealix_exec.max_inbox_size');
$node->safe_psql('postgres', 'SELECT pg_reload_conf()');

# ---------- one death is one death ----------

sql(q{SELECT dealix.publish('sleeper', '{"StartAt": "Go", "States": {
		"Go": {"Type": "Task", "Resource": "signal:go", "ResultPath": null, "Next": "Slow"},
		"Slow": {"Type": "Task", "Resource": "sql:shop.book_slowly", "Parameters": {"key.$": "$.key", "step": "slow", "seconds.$": "$.seconds"}, "ResultPath": null, "End": true}}}')});
my $sleeper = sql(q{SELECT dealix.start('sleeper', '{"key": "s", "seconds": 4}')});
my $before = sql(q{SELECT dealix.start('slow', '{"key": "b", "seconds": 3}')});
my $asleep = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dealix%worker%' AND wait_event = 'PgSleep'};
dx_poll($node, $asleep, 'the worker is busy', '1');
# Each is a transaction, and a hint, of its own.
sql(join(';', map { "SELECT dealix.signal('$sleeper', 'go')" } 1 .. 10));
dx_poll($node, status($before), 'it comes to the next', 'SUCCEEDED');
dx_poll($node, $asleep, 'and is busy with that', '1');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'dealix%worker%'});
dx_poll($node, status($sleeper), 'a run of a terminated worker goes on, however often it was hinted at', 'SUCCEEDED');
is(sql(q{SELECT count(*) FROM shop.ledger WHERE key = 's'}), '1', 'and its step was done once');

# ---------- left alone ----------

# What a worker leaves that dies in the midst of making an incident.
sub condemn
{
	my @runs = @_;
	my $file = $node->data_dir . '/dealix_exec.poison';
	my $dboid = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'postgres'});

	$node->stop;
	open my $fh, '+<', $file or die "$file: $!";
	binmode $fh;
	read($fh, my $header, 64) == 64 or die 'no header';
	my (undef, $nslots, $slot_size, $nsuspects, $size) = unpack('x8 L L L L L', $header);
	for my $run (@runs)
	{
		my $id = pack('H*', $run =~ s/-//gr);
		my $set = unpack('L', substr($id, 12)) % ($nsuspects / 4);

		seek($fh, 64 + $nslots * $slot_size + $set * 4 * $size, 0);
		print $fh $id . pack('L S S', $dboid, 6, 0);
	}
	close $fh;
	$node->start;
	return;
}

my @run = map { sql("SELECT dealix.start('parked', '{\"key\": \"left$_\"}')") } 1 .. 3;
dx_poll($node, q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for = 'signal'}, 'three wait', '3');
condemn(@run);
sql("SELECT dealix.signal('$_', 'go')") for @run;
is(sql(q{SELECT count(*) FROM dealix.incident_details}), '3', 'what is left alone is shown among the incidents');
is(sql(q{SELECT count(DISTINCT run_id) FROM dealix.stuck()}), '3', 'and as stuck');
sleep(2);
is(sql("SELECT string_agg(DISTINCT status, ',') FROM dealix.run_details WHERE run_id IN ('" . join("','", @run) . "')"), 'RUNNING', 'no worker touches it');
$node->restart;
is(sql(q{SELECT count(*) FROM dealix.incident_details}), '3', 'a restart does not change that');
sql("SELECT dealix.redrive('$run[0]')");
dx_poll($node, status($run[0]), 'redriven, it goes on', 'SUCCEEDED');
sql("SELECT dealix.cancel('$run[1]')");
dx_poll($node, status($run[1]), 'it can be cancelled', 'CANCELLED');
sql("SELECT dealix.terminate('$run[2]')");
dx_poll($node, status($run[2]), 'and terminated', 'TERMINATED');
is(sql(q{SELECT count(*) FROM dealix.incident_details}), '0', 'then nothing is left');
is(sql(q{SELECT count(*) FROM dealix.stuck()}), '0', 'nobody is stuck');
$node->stop;
done_testing();
