# What a step leaves in its session is gone before the next step, however many
# runs share a pass: temporary objects, cursors, prepared statements, locks.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

# One worker, and a pass that does not end by time: the runs of a batch share one.
my $node = dx_node('sessions', 'dealix_exec.workers = 1', 'dealix_exec.pass_max_time = 30s', 'autovacuum = off');

dx_shop($node);

# step(NAME, BODY): a function shop.NAME(n int) returns jsonb, and a workflow of
# that name with it as its one step.
sub step
{
	my ($name, $body, $declare) = @_;

	$declare //= '';
	dx_sql($node, 'app', qq[
		CREATE FUNCTION shop.$name(n int) RETURNS jsonb LANGUAGE plpgsql AS \$f\$
		DECLARE r jsonb; $declare
		BEGIN $body END \$f\$;
		SELECT dealix.publish('$name', '{"StartAt": "S", "States": {"S":
			{"Type": "Task", "Resource": "sql:shop.$name", "Parameters": {"n.\$": "\$.n"}, "End": true}}}')]);
	return;
}

# outcomes(NAME, N): N runs in one go by workers; their outputs or errors, in
# order.
sub outcomes
{
	my ($name, $n) = @_;
	my $log = -s $node->logfile;

	$n //= 20;
	dx_sql($node, 'app', qq[SELECT count(*) FROM dealix.start_many('$name',
		ARRAY(SELECT jsonb_build_object('n', i) FROM generate_series(1, $n) i))]);
	dx_poll($node, qq[SELECT count(*) FROM dealix.run_details WHERE workflow = '$name'
		AND status IN ('SUCCEEDED', 'FAILED')], "$name: all runs have ended", $n);
	return split /\n/, dx_sql($node, 'app', qq[SELECT COALESCE(output::text, error) FROM dealix.run_details
		WHERE workflow = '$name' ORDER BY run_id]);
}

my @numbers = (1 .. 20);

# ---------- temporary objects ----------

step('temp_if', q[CREATE TEMP TABLE IF NOT EXISTS basket (n int) ON COMMIT DROP;
	INSERT INTO basket VALUES (n), (n); RETURN (SELECT to_jsonb(sum(b.n)) FROM basket b);]);
is_deeply([ outcomes('temp_if') ], [ map { 2 * $_ } @numbers ], 'CREATE TEMP TABLE IF NOT EXISTS: an empty one in every run');

step('temp_drop', q[CREATE TEMP TABLE basket (n int) ON COMMIT DROP; INSERT INTO basket VALUES (n);
	RETURN (SELECT to_jsonb(sum(b.n)) FROM basket b);]);
is_deeply([ outcomes('temp_drop') ], \@numbers, 'ON COMMIT DROP: every run creates its own');

step('temp_keep', q[CREATE TEMP TABLE basket (n int); CREATE INDEX ON basket (n); INSERT INTO basket VALUES (n);
	RETURN (SELECT to_jsonb(sum(b.n)) FROM basket b);]);
is_deeply([ outcomes('temp_keep') ], \@numbers, 'and one that would stay until the session ends');

step('temp_others', q[CREATE TEMP VIEW v AS SELECT 1 AS x; CREATE TYPE pg_temp.t AS (a int); CREATE TEMP SEQUENCE s;
	CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 7'; CREATE DOMAIN pg_temp.d AS int;
	EXECUTE 'SELECT to_jsonb(pg_temp.f() + x + nextval(''s'')) FROM v' INTO r; RETURN r;]);
is_deeply([ outcomes('temp_others') ], [ (9) x 20 ], 'views, functions, types, domains and sequences in pg_temp');

dx_sql($node, 'app', q[CREATE TABLE shop.rate (v int); INSERT INTO shop.rate VALUES (1);
	CREATE FUNCTION shop.rate() RETURNS int LANGUAGE plpgsql SET search_path = pg_temp, shop AS
		'BEGIN RETURN (SELECT sum(v) FROM rate); END']);
step('shadow', q[IF n % 2 = 0 THEN CREATE TEMP TABLE rate (v int); INSERT INTO pg_temp.rate VALUES (1000); END IF;
	RETURN to_jsonb(shop.rate());]);
is_deeply([ outcomes('shadow') ], [ (1, 1000) x 10 ],
	'a temporary table is in front of a table for its own step, and for no other');
is($node->safe_psql('postgres', q[SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass
	AND refobjid IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg_temp%')]), '0', 'nothing temporary is left');

# ---------- cursors ----------

step('cursor', q[OPEN c FOR SELECT 1; r := to_jsonb((SELECT count(*) FROM pg_cursors)); RETURN r;], q[c refcursor := 'mine';]);
is_deeply([ outcomes('cursor') ], [ (1) x 20 ], 'a cursor that is left open is in nobody\'s way');

dx_sql($node, 'app', q[CREATE TABLE shop.evil (who text, setting text);
	CREATE FUNCTION shop.evil() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO shop.evil VALUES (current_user, current_setting('search_path')); RETURN 1; END $$]);
step('held', q[EXECUTE 'DECLARE h CURSOR WITH HOLD FOR SELECT shop.evil()'; RETURN to_jsonb(n);]);
is_deeply([ outcomes('held') ], \@numbers, 'a cursor WITH HOLD as well');
is(dx_sql($node, 'app', 'SELECT count(*) FROM shop.evil'), '0', 'and its query does not run at commit');

# ---------- the transaction ----------

dx_sql($node, 'app', q[CREATE TABLE shop.place (n int, rank int, UNIQUE (n, rank) DEFERRABLE INITIALLY DEFERRED);
	INSERT INTO shop.place SELECT i, j FROM generate_series(1, 20) i, generate_series(1, 2) j]);
step('constraints', q[IF n % 2 = 1 THEN SET CONSTRAINTS ALL IMMEDIATE; RETURN '1'; END IF;
	UPDATE shop.place p SET rank = 3 - rank WHERE p.n = constraints.n AND p.rank = 1;
	UPDATE shop.place p SET rank = 1 WHERE p.n = constraints.n AND p.rank = 2 AND p.ctid = (SELECT min(q.ctid) FROM shop.place q WHERE q.n = constraints.n AND q.rank = 2);
	RETURN '2';]);
is_deeply([ outcomes('constraints') ], [ (1, 2) x 10 ], 'SET CONSTRAINTS ends with its step');

step('large_object', q[IF n % 2 = 1 THEN PERFORM lo_open(lo_create(0), 131072 | 262144); RETURN '1'; END IF;
	BEGIN PERFORM loread(0, 1); RETURN '"read"'; EXCEPTION WHEN undefined_object THEN RETURN '2'; END;]);
is_deeply([ outcomes('large_object') ], [ (1, 2) x 10 ], 'a large object that is open is open to its own step only');

# ---------- the session ----------

step('prepared', q[EXECUTE 'PREPARE p AS SELECT ' || n; EXECUTE 'EXECUTE p' INTO n; RETURN to_jsonb(n);]);
is_deeply([ outcomes('prepared') ], \@numbers, 'prepared statements');
step('prepared_fails', q[EXECUTE 'PREPARE p AS SELECT 1'; PERFORM pg_advisory_lock(77); PERFORM dealix.raise('Shop.No');]);
is_deeply([ outcomes('prepared_fails') ], [ ('Shop.No') x 20 ], 'and those of a step that fails');

step('locked', q[IF n % 2 = 1 THEN PERFORM pg_advisory_lock(n), pg_advisory_lock(n); RETURN '1'; END IF;
	RETURN to_jsonb(pg_advisory_unlock(n - 1));]);
is_deeply([ outcomes('locked') ], [ (1, 'false') x 10 ], 'a session lock is its own step\'s');
step('gives_back', q[PERFORM pg_advisory_lock(5); PERFORM pg_advisory_unlock(5);
	RETURN to_jsonb(pg_current_xact_id()::text);]);
cmp_ok(scalar(keys %{ { map { $_ => 1 } outcomes('gives_back') } }), '<', 8, 'one that is given back does not end the pass');
step('xact_lock', q[PERFORM pg_advisory_xact_lock(n % 2); RETURN to_jsonb(pg_current_xact_id()::text);]);
cmp_ok(scalar(keys %{ { map { $_ => 1 } outcomes('xact_lock') } }), '<', 8, 'nor do locks of the transaction');
dx_poll($node, q[SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'], 'no advisory lock is left');

step('listens', q[LISTEN x; RETURN '1';]);
is_deeply([ outcomes('listens', 2) ], [ ('SQL.feature_not_supported') x 2 ], 'LISTEN is refused by name');
step('unlistens', q[UNLISTEN *; RETURN '1';]);
is_deeply([ outcomes('unlistens', 2) ], [ 1, 1 ], 'UNLISTEN has nothing to do');

dx_sql($node, 'app', 'CREATE SEQUENCE shop.q');
step('sequences', q[IF n % 2 = 1 THEN RETURN to_jsonb(nextval('shop.q') > 0 AND lastval() = currval('shop.q')); END IF;
	BEGIN RETURN to_jsonb(currval('shop.q')); EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END;
	BEGIN RETURN to_jsonb(lastval()); EXCEPTION WHEN object_not_in_prerequisite_state THEN RETURN '2'; END;]);
is_deeply([ outcomes('sequences') ], [ ('true', 2) x 10 ], 'currval and lastval know what their own step has taken');

step('seeds', q[IF n % 2 = 1 THEN PERFORM setseed(0.5); END IF; RETURN to_jsonb(random()::numeric(10, 8));]);
my %random = map { $_ => 1 } outcomes('seeds');
is(scalar(keys %random), 11, 'setseed ends with its step');

step('settings', q[IF n % 2 = 1 THEN SET work_mem = '1MB'; PERFORM set_config('shop.tenant', 't' || n, false); RETURN '1'; END IF;
	RETURN to_jsonb(current_setting('work_mem') || COALESCE(current_setting('shop.tenant', true), ''));]);
is_deeply([ outcomes('settings') ], [ (1, '"4MB"') x 10 ], 'settings, custom ones too');

$node->safe_psql('postgres', q[CREATE ROLE loader LOGIN SUPERUSER; SET SESSION AUTHORIZATION loader;
	CREATE FUNCTION public.load_it(n int) RETURNS int LANGUAGE plpgsql AS
		$$ BEGIN IF n = 1 THEN LOAD 'auto_explain'; END IF; RETURN (current_setting('auto_explain.log_format', true) IS NOT NULL)::int; END $$;
	SELECT dealix.publish('loads', '{"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": "sql:public.load_it", "End": true}}}');
	SELECT count(*) FROM dealix.start_many('loads', ARRAY(SELECT jsonb_build_object('n', i) FROM generate_series(1, 5) i))]);
dx_poll($node, q[SELECT string_agg(output::text, ' ' ORDER BY run_id) FROM dealix.run_details WHERE workflow = 'loads'],
	'a library that a step has loaded goes with the process', '1 0 0 0 0');

SKIP:
{
	skip 'dblink is not here', 1 unless $node->safe_psql('postgres', q[SELECT count(*) FROM pg_available_extensions WHERE name = 'dblink']);
	$node->safe_psql('postgres', 'CREATE EXTENSION dblink');
	my $conn = $node->connstr('postgres') . ' user=app';
	step('links', qq[IF n % 2 = 1 THEN PERFORM public.dblink_connect_u('c', \$c\$$conn\$c\$); END IF;
		RETURN to_jsonb(COALESCE(cardinality(public.dblink_get_connections()), 0));]);
	$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION public.dblink_connect_u(text, text) TO app');
	is_deeply([ outcomes('links', 6) ], [ (1, 0) x 3 ], 'so does a connection of dblink');
}

# ---------- cost ----------

step('plain', q[INSERT INTO shop.ledger (key, step) VALUES (pg_current_xact_id()::text, 'plain'); RETURN '1';]);
outcomes('plain');
cmp_ok(dx_sql($node, 'app', q[SELECT count(DISTINCT key) FROM shop.ledger WHERE step = 'plain']), '<', 8,
	'steps that leave nothing share a pass');

# ---------- in a client's session ----------

$node->append_conf('postgresql.conf', 'dealix_exec.workers = 0');
$node->restart;

sub start
{
	my ($name, $n) = @_;

	dx_sql($node, 'app', qq[SELECT count(*) FROM dealix.start_many('$name',
		ARRAY(SELECT jsonb_build_object('n', i) FROM generate_series(1, $n) i))]);
	return;
}

start($_, 4) for qw(temp_if temp_drop shadow cursor held constraints prepared prepared_fails locked sequences);
dx_sql($node, 'app', 'CALL dealix.drain()');
is(dx_sql($node, 'app', q[SELECT count(*) FROM dealix.run_details WHERE workflow IN ('temp_if', 'temp_drop', 'shadow', 'cursor', 'held',
		'constraints', 'prepared', 'locked', 'sequences') AND status <> 'SUCCEEDED']), '0', 'drain: the same');
is(dx_sql($node, 'app', 'SELECT count(*) FROM shop.evil'), '0', 'no held cursor is read at commit');

step('pries', q[BEGIN EXECUTE 'EXECUTE mine' INTO n; RETURN to_jsonb(n); EXCEPTION WHEN invalid_sql_statement_name THEN NULL; END;
	EXECUTE 'DEALLOCATE ALL'; UNLISTEN *; PERFORM pg_advisory_lock(n); RETURN '0';]);
start('pries', 3);
is(dx_sql($node, 'app', q[
		SELECT pg_advisory_lock(999); LISTEN x;
		PREPARE mine AS SELECT 42;
		BEGIN; DECLARE c CURSOR FOR SELECT 43; SELECT dealix.tick(1) > 0; FETCH c; COMMIT;
		BEGIN; SELECT dealix.tick() > 0; COMMIT; SELECT dealix.tick() >= 0;
		EXECUTE mine;
		SELECT array_agg(objid) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
		SELECT count(*) FROM pg_listening_channels();
		SELECT string_agg(output::text, ' ') FROM dealix.run_details WHERE workflow = 'pries']),
	"\nt\n43\nt\nt\n42\n{999}\n1\n0 0 0", 'tick: what is the client\'s stays the client\'s, and is not to be seen');

start('temp_keep', 4);
is(dx_sql($node, 'app', q[CREATE TEMP TABLE mine AS SELECT 44 AS n; CREATE TEMP VIEW yours AS SELECT n FROM mine;
		SELECT dealix.tick() > 0 FROM generate_series(1, 4); CALL dealix.drain();
		SELECT n FROM yours;
		SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = pg_my_temp_schema()]),
	"t\nt\nt\nt\n44\nmine yours", 'what steps put into pg_temp is dropped, and what the client has there stays');
is(dx_sql($node, 'app', q[SELECT count(*) FROM dealix.run_details WHERE workflow = 'temp_keep' AND status <> 'SUCCEEDED']), '0', 'each has had its own table');

is($node->safe_psql('postgres', 'SELECT count(*) FROM dealix.stuck()'), '0', 'nothing is stuck');

done_testing();
