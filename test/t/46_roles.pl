# Roles that are dropped, renamed or missing, and dumps that name them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

my $parked = q{'{"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": "signal:go", "Next": "W"},
	"W": {"Type": "Task", "Resource": "sql:shop.who", "End": true}}}'};
my $node = dx_node('origin');

# Its number is the first that a role gets: somebody else's in another cluster.
$node->safe_psql('postgres', q{CREATE ROLE first LOGIN});
$node->safe_psql('postgres', q{CREATE ROLE second LOGIN; CREATE ROLE gone LOGIN; CREATE ROLE heir LOGIN;
	CREATE EXTENSION dealix_exec;
	SELECT dealix.grant_access(r, a) FROM unnest('{first,second,gone,heir}'::regrole[]) r, unnest('{application,author}'::text[]) a;
	CREATE SCHEMA shop;
	CREATE TABLE shop.done (who text);
	CREATE FUNCTION shop.who() RETURNS text LANGUAGE sql AS 'INSERT INTO shop.done VALUES (current_user) RETURNING who';
	GRANT USAGE ON SCHEMA shop TO PUBLIC;
	GRANT ALL ON shop.done TO PUBLIC});
for my $role (qw(first second gone))
{
	dx_sql($node, $role, qq{SELECT dealix.publish('of $role', $parked);
		SELECT dealix.start('of $role', '{}', 'live'), dealix.start('of $role', '{}', 'ended');
		SELECT dealix.signal(run_id, 'go') FROM dealix.run_details WHERE key = 'ended';
		SELECT dealix_internal.put_schedule('daily', '0 0 * * *', 'of $role', '{}', 'skip', '0', '0');
		SELECT dealix.bind('arn:aws:lambda:eu-west-1:123456789012:function:f', 'sql:shop.who')});
}
dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE status = 'SUCCEEDED'}, 'three runs have ended', '3');
dx_poll($node, q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for = 'signal'}, 'three wait', '3');

# ---------- DROP ROLE ----------

my ($rc, $out, $err) = dx_try($node, 'postgres', 'DROP OWNED BY gone; DROP ROLE gone');
isnt($rc, 0, 'a role with runs is not dropped');
like($err, qr/cannot be dropped because some objects depend on it/, 'the server says so');
like($err, qr/function dealix\.reassign/, 'and names what helps');
($rc, $out, $err) = dx_try($node, 'postgres', 'REASSIGN OWNED BY gone TO heir; DROP OWNED BY gone; DROP ROLE gone');
isnt($rc, 0, 'nor after REASSIGN OWNED and DROP OWNED');
$node->safe_psql('postgres', 'CREATE DATABASE other');
($rc, $out, $err) = dx_try($node, 'postgres', 'DROP ROLE gone', 'other');
isnt($rc, 0, 'nor from another database');
like($err, qr/in database postgres/, 'which the error names');
$node->safe_psql('postgres', q{SELECT dealix.grant_access('gone', 'application')});

# ---------- reassign ----------

($rc, $out, $err) = dx_try($node, 'second', q{SELECT dealix.reassign('gone', 'second')});
like($err, qr/permission denied to hand over/, 'a stranger takes nothing over');
($rc, $out, $err) = dx_try($node, 'gone', q{SELECT dealix.reassign('gone', 'second')});
like($err, qr/permission denied to hand over/, 'nor does anybody give to a role that he is no member of');
($rc, $out, $err) = dx_try($node, 'postgres', q{SELECT dealix.reassign('gone', 'gone')});
like($err, qr/to be given to another role/, 'nor to itself');
($rc, $out, $err) = dx_try($node, 'postgres', q{SELECT dealix.reassign('gone', 'first')});
like($err, qr/both have a schedule "daily"/, 'who has a schedule of that name cannot have another');
is($node->safe_psql('postgres', q{SELECT dealix.reassign('gone', 'heir')}), '1', 'one live run is handed over');
is(dx_sql($node, 'heir', q{SELECT key, owner FROM dealix.run_details}), 'live|heir', 'the heir has it');
is(dx_sql($node, 'heir', q{SELECT name FROM dealix.schedule_details}), 'daily', 'and the schedule');
is(dx_sql($node, 'heir', q{SELECT dealix.publish('of gone', definition) FROM dealix.workflow_details WHERE workflow = 'of second'}), '1', 'and the workflow, which it may publish');
is(dx_sql($node, 'heir', q{SELECT count(*) FROM dealix.bindings WHERE author = 'heir'::regrole}), '1', 'and the binding');
dx_sql($node, 'heir', q{SELECT dealix.signal(run_id, 'go') FROM dealix.run_details WHERE key = 'live'});
dx_poll($node, q{SELECT output FROM dealix.run_details WHERE workflow = 'of gone' AND key = 'live'}, 'its steps are done as the heir', '"heir"');
is($node->safe_psql('postgres', q{SELECT string_agg(event || ' ' || actor, ', ' ORDER BY seq) FROM dealix.history_details
	WHERE run_id = (SELECT run_id FROM dealix.run_details WHERE workflow = 'of gone' AND key = 'live')}),
	'run_started gone, wait_started gone, run_reassigned postgres, signal_received heir, step_succeeded heir, step_succeeded heir, run_succeeded heir',
	'the history says who did what');
$node->safe_psql('postgres', 'DROP OWNED BY gone; DROP ROLE gone');
pass('then the role is dropped');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT actor, ',') FROM dealix.history_details
	WHERE run_id = (SELECT run_id FROM dealix.run_details WHERE workflow = 'of gone' AND key = 'ended')}), 'gone', 'the history of what it did keeps its name');
$node->safe_psql('postgres', 'ALTER ROLE second RENAME TO "Second role"');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT actor, ',') FROM dealix.history_details h JOIN dealix.run_details r USING (run_id) WHERE workflow = 'of second' AND key = 'ended'}), 'second', 'so does that of one that was renamed');

# ---------- another cluster, with other numbers ----------

my $dir = PostgreSQL::Test::Utils::tempdir();
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", $node->connstr('postgres') ], 'pg_dump');
my $first = $node->safe_psql('postgres', q{SELECT 'first'::regrole::oid});
my $lost = $node->safe_psql('postgres', q{SELECT owner::oid FROM dealix.run_details WHERE workflow = 'of gone' AND key = 'ended'});

my $copy = dx_node('copy');
$copy->safe_psql('postgres', q{CREATE ROLE taker SUPERUSER LOGIN});
is($copy->safe_psql('postgres', q{SELECT 'taker'::regrole::oid}), $first, 'the number of a role is that of a superuser in the other cluster');
$copy->safe_psql('postgres', "DO \$\$ BEGIN FOR i IN 1 .. 100 LOOP EXECUTE format('CREATE ROLE filler%s LOGIN', i);
	EXIT WHEN (SELECT max(oid) FROM pg_roles) >= $lost; END LOOP; END \$\$");
my $filler = $copy->safe_psql('postgres', "SELECT rolname FROM pg_roles WHERE oid = $lost");
like($filler, qr/^filler/, 'so is that of the one that was dropped');
$copy->safe_psql('postgres', q{CREATE ROLE "Second role" LOGIN; CREATE ROLE heir LOGIN});
$copy->command_ok([ 'pg_restore', '-x', '-O', '--exit-on-error', '-d', $copy->connstr('postgres'), "$dir/dump" ], 'pg_restore, although a role is missing');

is($copy->safe_psql('postgres', 'SELECT count(*) FROM dealix.run_details'), '6', 'no run is lost');
is($copy->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details r JOIN pg_roles o ON o.oid = r.owner WHERE r.workflow = 'of second' AND o.rolname = 'Second role'}), '2', 'a role is found by its name');
is($copy->safe_psql('postgres', q{SELECT count(*) FROM dealix.run_details r JOIN pg_roles o ON o.oid = r.owner WHERE r.workflow = 'of first'}), '0', 'one that is missing is nobody');
is($copy->safe_psql('postgres', q{SELECT count(*) FROM dealix.run r WHERE r.owner::oid IN (SELECT oid FROM pg_roles WHERE rolname ~ 'taker|filler')}), '0', 'nobody has what belonged to a number');
$copy->safe_psql('postgres', q{SELECT dealix.grant_access(r, 'application') FROM unnest(ARRAY['Second role', 'heir', '} . $filler . q{']) n, LATERAL (SELECT quote_ident(n)::regrole AS r) x;
	GRANT USAGE ON SCHEMA shop TO PUBLIC; GRANT ALL ON shop.done TO PUBLIC});
is(dx_sql($copy, $filler, 'SELECT count(*) FROM dealix.run_details'), '0', 'and sees none of it');

is($copy->safe_psql('postgres', 'SELECT dealix.resume_engine()'), 't', 'the copy is resumed');
$copy->safe_psql('postgres', q{SELECT dealix.signal(run_id, 'go') FROM dealix.run_details WHERE status = 'RUNNING'});
dx_poll($copy, q{SELECT count(*) FROM dealix.run_details WHERE status = 'SUCCEEDED' AND workflow = 'of second'}, 'whose role is here goes on', '2');
is($copy->safe_psql('postgres', q{SELECT status FROM dealix.run_details WHERE workflow = 'of first' AND key = 'live'}), 'RUNNING', 'whose is not stays where it is');
is($copy->safe_psql('postgres', q{SELECT dealix.tick()}), '0', 'also if a superuser ticks');
is($copy->safe_psql('postgres', q{SELECT string_agg(who, ',') FROM shop.done WHERE who NOT IN ('first', 'second', 'gone', 'heir')}), 'Second role', 'so nothing was done as somebody else');
is($copy->safe_psql('postgres', q{SELECT name, live_runs, workflows, schedules, problem FROM dealix.owner_details WHERE problem IS NOT NULL}),
	'first|1|1|1|the role does not exist: its runs are held', 'dealix.owners shows what is held');
my $advice = $copy->safe_psql('postgres', q{SELECT what_to_do FROM dealix.owner_details WHERE problem IS NOT NULL});
like($advice, qr/^SELECT dealix\.reassign\('pg_dropped_\d+', 'a role that exists'\)$/, 'and what to do');
($rc, $out, $err) = dx_try($copy, 'heir', $advice =~ s/a role that exists/heir/r);
isnt($rc, 0, 'which not everybody does');

# A dump of the copy still knows.
$copy->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/again", $copy->connstr('postgres') ], 'a dump of the copy');
$copy->safe_psql('postgres', 'CREATE DATABASE again');
$copy->command_ok([ 'pg_restore', '-x', '-O', '--exit-on-error', '-d', $copy->connstr('again'), "$dir/again" ], 'restored');
is($copy->safe_psql('again', q{SELECT name, live_runs FROM dealix.owner_details WHERE problem IS NOT NULL}), 'first|1', 'has the same name for it');
$copy->safe_psql('postgres', 'DROP DATABASE again');

dx_sql($copy, 'heir', q{SELECT dealix_internal.drop_schedule('daily')});
is($copy->safe_psql('postgres', $advice =~ s/a role that exists/heir/r), '1', 'handed over');
dx_poll($copy, q{SELECT output FROM dealix.run_details WHERE workflow = 'of first' AND key = 'live'}, 'it goes on as the heir', '"heir"');
is($copy->safe_psql('postgres', q{SELECT count(*) FROM dealix.owner_details WHERE problem IS NOT NULL}), '0', 'nothing is held any more');
($rc, $out, $err) = dx_try($copy, 'postgres', 'DROP OWNED BY heir; DROP ROLE heir');
isnt($rc, 0, 'a restored database keeps its roles, too');
is($copy->safe_psql('postgres', 'SELECT * FROM dealix.stuck()'), '', 'nothing is stuck');

# ---------- nothing of it outlives the extension ----------

$copy->safe_psql('postgres', 'DROP EXTENSION dealix_exec CASCADE; DROP OWNED BY heir; DROP ROLE heir');
pass('without the extension the role is dropped');

$_->stop for $node, $copy;
done_testing();
