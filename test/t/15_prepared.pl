# What commits without the callbacks of a commit is found all the same.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

my $node = dx_node('prepared');
dx_shop($node);

dx_sql($node, 'app', q{
	BEGIN;
	SELECT dealix.start('chain', '{"key": "p1", "n": 1, "wait": 0}', 'p1');
	PREPARE TRANSACTION 'one';
	BEGIN;
	SELECT dealix.start('chain', '{"key": "p2", "n": 2, "wait": 0}', 'p2');
	PREPARE TRANSACTION 'two';
	SELECT dealix.start('parked', '{"key": "s1"}', 's1');
});
sleep(2);
is($node->safe_psql('postgres', 'SELECT count(*) FROM shop.ledger'), '0', 'a prepared start does nothing');
dx_sql($node, 'app', q{COMMIT PREPARED 'one'});
dx_sql($node, 'app', q{ROLLBACK PREPARED 'two'});
dx_poll($node, q{SELECT status FROM dealix.run_details WHERE key = 'p1'}, 'COMMIT PREPARED: the run is executed', 'SUCCEEDED');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details WHERE key = 'p2'}), '0', 'ROLLBACK PREPARED: there is none');
is($node->safe_psql('postgres', q{SELECT string_agg(step, ',' ORDER BY step) FROM shop.ledger}), 'a,b,c', 'its effects, once');

# a prepared signal, committed after a crash
dx_sql($node, 'app', q{
	BEGIN;
	SELECT dealix.signal(run_id, 'go', key => 'only') FROM dealix.run_details WHERE key = 's1';
	PREPARE TRANSACTION 'three';
});
dx_crash($node);
is($node->safe_psql('postgres', q{SELECT status FROM dealix.run_details WHERE key = 's1'}), 'RUNNING', 'a prepared signal is not received');
dx_sql($node, 'app', q{COMMIT PREPARED 'three'});
dx_poll($node, q{SELECT status FROM dealix.run_details WHERE key = 's1'}, 'until it is committed', 'SUCCEEDED');

# a session that goes on after PREPARE has nothing left of it
dx_sql($node, 'app', q{
	BEGIN;
	SELECT dealix.start('parked', '{"key": "s2"}', 's2');
	PREPARE TRANSACTION 'four';
	BEGIN;
	SELECT dealix.start('chain', '{"key": "p3", "n": 3, "wait": 0}', 'p3');
	COMMIT;
	ROLLBACK PREPARED 'four';
});
dx_poll($node, q{SELECT status FROM dealix.run_details WHERE key = 'p3'}, 'the next transaction of the session is its own', 'SUCCEEDED');

# what nobody announces, as after a repair by hand, is found by the next sweep,
# and by the one after that
$node->safe_psql('postgres', 'ALTER SYSTEM SET dealix_exec.sweep_interval = 1');
$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
dx_sql($node, 'app', q{SELECT dealix.publish('later', '{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 86400, "End": true}}}')});
for my $key ('l1', 'l2', 'l3')
{
	dx_sql($node, 'app', qq{SELECT dealix.start('later', '{}', '$key')});
	dx_poll($node, qq{SELECT waits_for FROM dealix.waiting_details JOIN dealix.run_details USING (run_id) WHERE key = '$key'}, "$key waits", 'timer');
	$node->safe_psql('postgres', qq{UPDATE dealix.branch SET due_at = now() - interval '1 h'
		WHERE run_id = (SELECT run_id FROM dealix.run_details WHERE key = '$key')});
	dx_poll($node, qq{SELECT status FROM dealix.run_details WHERE key = '$key'}, "$key is found by a sweep", 'SUCCEEDED');
}
is($node->safe_psql('postgres', 'SELECT * FROM dealix.stuck()'), '', 'nothing is stuck');

$node->stop;
done_testing();
