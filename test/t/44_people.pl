# People: who can be the door for somebody else's decision, what an incident
# says when the log does not take errors, and a schema that others have prepared.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();
my $cron = dx_has_cron();
my $node = PostgreSQL::Test::Cluster->new('people');
$node->init;
$node->append_conf('postgresql.conf', join("\n",
		"shared_preload_libraries = 'dealix_exec" . ($cron ? ',pg_cron' : '') . "'",
		"cron.database_name = 'postgres'",
		"cron.host = '" . $node->host . "'",
		"max_prepared_transactions = 5",
		"dealix_exec.sweep_interval = 1",
		"log_min_messages = log") . "\n");
$node->start;

# ---------- a schema that somebody has prepared ----------

$node->safe_psql('postgres', 'CREATE ROLE eve LOGIN; CREATE ROLE owner LOGIN SUPERUSER');
my $n = 0;

# What the statements leave behind keeps the extension from being created.
sub refused
{
	my ($statements, $why, $what) = @_;
	my $db = 'prepared' . ++$n;

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, $statements);
	my (undef, undef, $err) = $node->psql($db, 'CREATE EXTENSION dealix_exec');
	like($err, $why, $what);
	is($node->safe_psql($db, q{SELECT count(*) FROM pg_extension WHERE extname = 'dealix_exec'}), '0', 'and nothing is created');
	$node->safe_psql('postgres', "DROP DATABASE $db WITH (FORCE)");
	return;
}
my $empty = qr/schema "dealix" is not empty/;
refused('CREATE SCHEMA dealix AUTHORIZATION eve', qr/belongs to another role/, 'a schema that belongs to somebody else');
refused('CREATE SCHEMA dealix; GRANT CREATE ON SCHEMA dealix TO eve', qr/other roles than its owner may create/, 'a schema in which somebody may create');
refused('CREATE SCHEMA dealix; GRANT CREATE ON SCHEMA dealix TO PUBLIC', qr/other roles than its owner may create/, 'or everybody');
refused('CREATE SCHEMA dealix; CREATE TABLE dealix.x ()', $empty, 'a table');
refused('CREATE SCHEMA dealix; CREATE FUNCTION dealix.x() RETURNS int LANGUAGE sql AS $$SELECT 1$$', $empty, 'a function');
refused('CREATE SCHEMA dealix; CREATE TYPE dealix.x AS ENUM ()', $empty, 'a type');
refused('CREATE SCHEMA dealix; CREATE DOMAIN dealix.x AS int', $empty, 'a domain');
refused('CREATE SCHEMA dealix; CREATE OPERATOR dealix.= (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int)', $empty, 'an operator');
refused('CREATE SCHEMA dealix; CREATE COLLATION dealix.x (locale = "C")', $empty, 'a collation');
refused('CREATE SCHEMA dealix; CREATE TEXT SEARCH CONFIGURATION dealix.x (COPY = simple)', $empty, 'a text search configuration');
refused('CREATE SCHEMA dealix; CREATE SEQUENCE dealix.x', $empty, 'a sequence');
refused('CREATE SCHEMA dealix; ALTER DEFAULT PRIVILEGES IN SCHEMA dealix GRANT EXECUTE ON FUNCTIONS TO eve', $empty, 'default privileges for what will be in it');
refused('CREATE SCHEMA dealix; CREATE PUBLICATION x FOR TABLES IN SCHEMA dealix', $empty, 'a publication of what will be in it');
refused('CREATE SCHEMA dealix_internal AUTHORIZATION eve', qr/schema "dealix_internal" already exists/, 'the schema of what nobody calls');

$node->safe_psql('postgres', 'CREATE DATABASE defaults');
$node->safe_psql('defaults', 'CREATE SCHEMA dealix; GRANT USAGE ON SCHEMA dealix TO eve; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO eve;
	ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO eve; ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO eve; ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO eve; CREATE EXTENSION dealix_exec');
is($node->safe_psql('defaults', q{SELECT count(*) FROM (SELECT relacl AS acl, relowner AS owner FROM pg_class WHERE relnamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace)
	UNION ALL SELECT nspacl, nspowner FROM pg_namespace WHERE nspname IN ('dealix', 'dealix_internal')
	UNION ALL SELECT proacl, proowner FROM pg_proc WHERE pronamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace)) o, LATERAL aclexplode(acl) a WHERE a.grantee <> owner}),
	'0', 'default privileges of who creates the extension give nobody anything of it');
$node->safe_psql('postgres', 'DROP DATABASE defaults WITH (FORCE)');

# Operators and functions of others, nearer than PostgreSQL's own on every path.
$node->safe_psql('postgres', 'CREATE DATABASE nearer');
$node->safe_psql('nearer', q{
	CREATE FUNCTION public.trap(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
	CREATE FUNCTION public.trap(regrole, oid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
	CREATE FUNCTION public.count(boolean) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
	CREATE OPERATOR public.= (FUNCTION = public.trap, LEFTARG = uuid, RIGHTARG = uuid);
	CREATE OPERATOR public.= (FUNCTION = public.trap, LEFTARG = regrole, RIGHTARG = oid);
	CREATE OPERATOR public.<> (FUNCTION = public.trap, LEFTARG = regrole, RIGHTARG = oid);
	ALTER DATABASE nearer SET search_path = public, pg_catalog;
});
$node->safe_psql('nearer', 'CREATE EXTENSION dealix_exec');
is($node->safe_psql('nearer', q{SELECT current_setting('search_path')}), 'public, pg_catalog', 'the path of a session is what it was');
is($node->safe_psql('nearer', q{SELECT count(*) FROM pg_depend d WHERE d.refobjid IN (SELECT oid FROM pg_operator WHERE oprnamespace = 'public'::regnamespace
	UNION ALL SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace) AND d.classid = 'pg_rewrite'::regclass}), '0', 'no view is made of what others have put into the path');
for my $view (split /\n/, $node->safe_psql('nearer', q{SELECT oid::regclass FROM pg_class WHERE relkind = 'v' AND relnamespace = 'dealix'::regnamespace}))
{
	my (undef, undef, $err) = $node->psql('nearer', "SELECT count(*) FROM $view");

	unlike($err, qr/trapped/, "nor does $view come across it");
}
$node->safe_psql('postgres', 'DROP DATABASE nearer WITH (FORCE)');

# ---------- the doors of a session ----------

dx_shop($node);
$node->safe_psql('postgres', q{
	CREATE ROLE boss LOGIN;
	SELECT dealix.grant_access('boss', 'approver'), dealix.grant_access('eve', 'application'), dealix.grant_access('boss', 'application');
	GRANT CREATE, USAGE ON SCHEMA shop TO eve, boss;
});
dx_sql($node, 'app', q{SELECT dealix.publish('ask', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "approval:pay", "End": true}}}')});

# A run that waits for a decision; returns the approval's id.
sub ask
{
	my $run = dx_sql($node, 'app', q{SELECT dealix.start('ask')});

	dx_poll($node, "SELECT count(*) FROM dealix.approval_details WHERE run_id = '$run' AND status = 'PENDING'", 'an approval is open', '1');
	return $node->safe_psql('postgres', "SELECT id FROM dealix.approval_details WHERE run_id = '$run'");
}
sub status { return $node->safe_psql('postgres', "SELECT status FROM dealix.approval_details WHERE id = '$_[0]'") }
my $id = ask();
my (undef, $out, $err);

# A cursor WITH HOLD that a function with other rights leaves in one's session.
dx_sql($node, 'eve', qq{
	CREATE FUNCTION shop.leave() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS
	\$\$ BEGIN EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT dealix.approve(''$id'')'; END \$\$;
	GRANT EXECUTE ON FUNCTION shop.leave() TO PUBLIC});
(undef, $out, $err) = dx_try($node, 'boss', 'SELECT shop.leave()');
is(status($id), 'PENDING', 'a cursor that somebody leaves to be executed at commit decides nothing');
like($err, qr/permission denied|only a person who has logged in/, 'and its session is told');

# VACUUM ANALYZE by the superuser.
dx_sql($node, 'eve', qq{
	CREATE FUNCTION shop.bite(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \$\$
	BEGIN
		IF session_user = 'postgres' THEN PERFORM dealix.approve('$id'); END IF;
		RETURN n;
	END \$\$;
	CREATE TABLE shop.bait (n int);
	INSERT INTO shop.bait VALUES (1);
	CREATE INDEX ON shop.bait (shop.bite(n))});
for my $statement ('VACUUM ANALYZE shop.bait', 'ANALYZE shop.bait', 'REINDEX TABLE CONCURRENTLY shop.bait', 'REINDEX DATABASE postgres')
{
	$node->psql('postgres', $statement);
	is(status($id), 'PENDING', "$statement decides nothing");
}
dx_sql($node, 'eve', 'DROP TABLE shop.bait');

# A transaction that is prepared.
(undef, $out, $err) = dx_try($node, 'boss', "BEGIN; SELECT dealix.approve('$id'); PREPARE TRANSACTION 'later'");
like($err, qr/cannot PREPARE a transaction that has decided/, 'a decision is not prepared');
is(status($id), 'PENDING', 'and not made');

# Jobs of pg_cron, in both ways in which it runs them.
SKIP:
{
	skip 'pg_cron is not installed', 6 unless $cron;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO boss');
	for my $background ('off', 'on')
	{
		$node->append_conf('postgresql.conf', "cron.use_background_workers = $background\n");
		$node->restart;
		$node->safe_psql('postgres', 'DELETE FROM cron.job_run_details');
		my $job = dx_sql($node, 'boss', "SELECT cron.schedule('decide', '* * * * *', 'SET application_name = me; SELECT dealix.approve(''$id'')')");
		dx_poll($node, q{SELECT count(*) > 0 FROM cron.job_run_details WHERE status IN ('failed', 'succeeded')},
			"background workers $background: the job has run", 't', undef, 150);
		is($node->safe_psql('postgres', q{SELECT DISTINCT status FROM cron.job_run_details WHERE status IN ('failed', 'succeeded')}), 'failed', 'and failed');
		is(status($id), 'PENDING', 'it decides nothing');
		dx_sql($node, 'boss', "SELECT cron.unschedule($job)");
	}
}
is(dx_sql($node, 'boss', "SELECT dealix.approve('$id')"), 'APPROVED', 'boss does');

# ---------- a run that makes the engine fail ----------

$node->safe_psql('postgres', q{ALTER TABLE dealix.intent ADD CONSTRAINT broken CHECK (name <> 'broken') NOT VALID});
my $run = dx_sql($node, 'app', q{SELECT dealix.publish('broken', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "approval:broken", "End": true}}}');
	SELECT dealix.start('broken')});
$run = (split /\n/, $run)[-1];
dx_poll($node, "SELECT status FROM dealix.run_details WHERE run_id = '$run'", 'an error of the engine is an incident', 'INCIDENT');
like($node->safe_psql('postgres', "SELECT cause FROM dealix.incident_details WHERE run_id = '$run'"), qr/broken/, 'whose cause is there, although the log takes no errors');
unlike($node->safe_psql('postgres', q{SELECT string_agg(last_error, ' ') FROM dealix.worker_details}) // '', qr/^$/, 'operators see the error of the worker');
is(dx_sql($node, 'eve', q{SELECT count(*) FROM dealix.worker_details WHERE last_error <> ''}), '0', 'other roles do not');

$node->stop;
done_testing();
