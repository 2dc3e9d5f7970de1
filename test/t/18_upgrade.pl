# ALTER EXTENSION dealix_exec UPDATE with runs in flight: everything goes on, and
# the catalogs are as if the new version had been installed at once.
#
# From the newest release (tag vN.N.N of git, which scripts/release.sh has put
# into release/): its library and its install script, replaced by this version's.
# Where there is no release yet, and where this version is the release, the way
# itself is tested: from this version to a next one, made here, with an upgrade
# script of the kind that a next version will have.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use PostgreSQL::Test::Utils;
use Test::More;

dx_skip_root();

my $top = abs_path("$FindBin::Bin/../..");
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my $build_config = $ENV{DX_BUILD_CONFIG} // $pg_config;
my %dir = map { chomp(my $dir = `$pg_config --$_`); $_ => $dir } qw(bindir sharedir pkglibdir);
my $catalog = slurp_file("$top/test/upgrade/catalog.sql");

# ---------- versions ----------

sub write_file
{
	my ($file, $text) = @_;

	unlink $file;
	append_to_file($file, $text);
	return;
}

# The files of a version by their names: control file, scripts, library.
sub files_in
{
	my ($source) = @_;
	my %file = map { basename($_) => slurp_file($_) } "$source/dealix_exec.control",
	  glob("$source/sql/dealix_exec--*.sql");

	$file{'dealix_exec.so'} = slurp_file("$source/dealix_exec.so");
	return \%file;
}

sub version_of { return $_[0]->{'dealix_exec.control'} =~ /^default_version *= *'(.*)'/m && $1 }

# What a next version may bring: a column, a function, a view, a trigger, rights.
my $addition = <<'END';
ALTER TABLE dealix.workflow ADD COLUMN note text CONSTRAINT workflow_note CHECK (note <> '');
COMMENT ON COLUMN dealix.workflow.note IS 'What people call it.';
CREATE FUNCTION dealix.note(name text) RETURNS text
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'SELECT w.note FROM dealix.workflow w WHERE w.name = note.name';
COMMENT ON FUNCTION dealix.note(text) IS 'What people call a workflow.';
REVOKE ALL ON FUNCTION dealix.note(text) FROM PUBLIC;
CREATE VIEW dealix.notes AS SELECT w.name, w.note FROM dealix.workflow w WHERE w.note IS NOT NULL;
COMMENT ON VIEW dealix.notes IS 'Workflows that have a note.';
CREATE FUNCTION dealix.refuse_note() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END';
COMMENT ON FUNCTION dealix.refuse_note() IS 'Lets every note pass.';
REVOKE ALL ON FUNCTION dealix.refuse_note() FROM PUBLIC;
CREATE TRIGGER workflow_note BEFORE UPDATE OF note ON dealix.workflow
	FOR EACH ROW EXECUTE FUNCTION dealix.refuse_note();
END

# The same library under another version: one file of it is compiled anew.
my %library;
sub library_of
{
	my ($version) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir() . '/library';

	return $library{$version} if $library{$version};
	mkdir $folder or die;
	system_or_bail('cp', '-Rp', (map { "$top/$_" } qw(Makefile dealix_exec.control src sql)), $folder);
	my $control = slurp_file("$folder/dealix_exec.control");
	$control =~ s/^(default_version *= *).*/$1'$version'/m;
	write_file("$folder/dealix_exec.control", $control);
	system_or_bail('make', '-s', '-j2', '-C', $folder, "PG_CONFIG=$build_config", 'WERROR=', 'dealix_exec.so');
	return $library{$version} = slurp_file("$folder/dealix_exec.so");
}

# The version after another, with this upgrade script.
sub next_of
{
	my ($old, $upgrade) = @_;
	my $from = version_of($old);
	my $to = "$from.next";
	my %new = %$old;

	$new{'dealix_exec.control'} =~ s/^(default_version *= *).*/$1'$to'/m;
	$new{"dealix_exec--$to.sql"} = $old->{"dealix_exec--$from.sql"} . $addition;
	$new{'dealix_exec.so'} = library_of($to);
	$new{"dealix_exec--$from--$to.sql"} = "\\echo Use \"ALTER EXTENSION dealix_exec UPDATE\" to load this file. \\quit\n$upgrade";
	return \%new;
}

# ---------- a PostgreSQL in which versions can be replaced ----------

my $root = PostgreSQL::Test::Utils::tempdir() . '/pg';
for my $name (qw(sharedir pkglibdir bindir))
{
	system_or_bail('mkdir', '-p', "$root$dir{$name}");
	# programs find their files relative to themselves
	system_or_bail('cp', $name eq 'bindir' ? '-RL' : '-Rs', "$dir{$name}/.", "$root$dir{$name}");
}

sub install
{
	my ($version) = @_;
	my $extension = "$root$dir{sharedir}/extension";

	unlink glob("$extension/dealix_exec*"), "$root$dir{pkglibdir}/dealix_exec.so";
	write_file((/\.so$/ ? "$root$dir{pkglibdir}" : $extension) . "/$_", $version->{$_}) for sort keys %$version;
	return;
}

sub node
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, install_path => dirname("$root$dir{bindir}"));

	$node->init;
	$node->append_conf('postgresql.conf', join("\n",
			"shared_preload_libraries = 'dealix_exec'",
			'dealix_exec.sweep_interval = 1',
			'dealix_exec.superuser_runs = on') . "\n");
	$node->start;
	return $node;
}

# What differs between the catalogs of two databases.
sub differences
{
	my ($node, $one, $other) = @_;
	my %in;

	$in{$_}++ for split /\n/, $node->safe_psql($one, $catalog);
	cmp_ok(scalar keys %in, '>', 500, "the catalog of $one has many entries");
	$in{$_}-- for split /\n/, $node->safe_psql($other, $catalog);
	return [ map { ($in{$_} > 0 ? "only in $one: " : "only in $other: ") . $_ } grep { $in{$_} } sort keys %in ];
}

# ---------- an upgrade under load ----------

sub upgrade
{
	my ($what, $old, $new) = @_;
	my ($from, $to) = (version_of($old), version_of($new));
	my $acknowledged = PostgreSQL::Test::Utils::tempdir() . '/acknowledged';

	install($old);
	my $node = node('upgrade');
	dx_shop($node);
	is($node->safe_psql('postgres', q{SELECT extversion FROM pg_extension WHERE extname = 'dealix_exec'}), $from, "$what: from $from");
	dx_sql($node, 'app', q{
		SELECT dealix.publish('asks', '{"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": "activity:desk", "End": true}}}');
		SELECT dealix.publish('both', '{"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": true, "Branches": [
			{"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": "signal:go", "End": true}}},
			{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 8, "End": true}}}]}}}');
		SELECT count(*) FROM dealix.start_many('parked', ARRAY(SELECT jsonb_build_object('key', 'p' || i) FROM generate_series(1, 50) i),
			ARRAY(SELECT 'p' || i FROM generate_series(1, 50) i));
		SELECT count(*) FROM dealix.start_many('chain', ARRAY(SELECT jsonb_build_object('key', 't' || i, 'n', i, 'wait', 8) FROM generate_series(1, 50) i),
			ARRAY(SELECT 't' || i FROM generate_series(1, 50) i));
		SELECT dealix.start('asks', '{}', 'a1'), dealix.start('asks', '{}', 'a2'), dealix.start('both', '{}', 'b');
	});
	dx_poll($node, q{SELECT count(*) FROM dealix.waiting_details WHERE waits_for <> 'timer'}, "$what: runs wait for signals, an activity and branches, others for timers", '54');
	my $token = dx_sql($node, 'app', q{SELECT token FROM dealix.claim('desk', 'clerk', 1, '10 min')});
	my $starter = dx_start_keys($node, 'n', 200, $acknowledged);

	install($new);
	# The server has loaded the old library: that is a restart.
	$node->restart;
	# Nor can the new library serve the old version: it says so, and stays away.
	my ($status, $out, $error) = dx_try($node, 'app', q{SELECT dealix.start('chain', '{"key": "early", "n": 0}', 'early')});
	isnt($status, 0, "$what: nothing is started before the update");
	like($error, qr/has version \Q$from\E in this database.*library of version \Q$to\E/, "$what: because the library has another version");
	like($error, qr/HINT: +Run ALTER EXTENSION dealix_exec UPDATE/, "$what: and a hint says what to do");
	dx_poll($node, q{SELECT count(*) FROM dealix.worker_details WHERE last_error LIKE '%has version%'}, "$what: whoever looks at the processes sees why none is here", '1');
	like(slurp_file($node->logfile), qr/no run in database "postgres" is advanced: extension "dealix_exec" has version \Q$from\E/, "$what: so does the log");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres' AND backend_type LIKE 'dealix%'}), '0', "$what: no process is here");
	$node->safe_psql('postgres', 'ALTER EXTENSION dealix_exec UPDATE');
	is($node->safe_psql('postgres', q{SELECT extversion FROM pg_extension WHERE extname = 'dealix_exec'}), $to, "$what: to $to");

	dx_sql($node, 'app', qq{
		SELECT dealix.complete('$token', '{"said": "yes"}');
		SELECT dealix.complete(token, '{"said": "also"}') FROM dealix.claim('desk', 'clerk', 1, '10 min');
		SELECT count(dealix.signal(run_id, 'go', '{}')) FROM dealix.run_details WHERE workflow IN ('parked', 'both');
	});
	waitpid($starter, 0);
	is($?, 0, "$what: who starts runs meanwhile is not disturbed");
	dx_ledger_ok($node, $what, $acknowledged);
	is($node->safe_psql('postgres', q{SELECT status, count(*) FROM dealix.run_details WHERE workflow <> 'chain' GROUP BY status}), 'SUCCEEDED|53', "$what: what waited has gone on");

	$node->safe_psql('postgres', 'CREATE DATABASE fresh');
	$node->safe_psql('fresh', 'CREATE EXTENSION dealix_exec');
	# Who had access has the rights of the new version when it is granted again.
	$node->safe_psql($_, q{SELECT dealix.grant_access('app', 'application'), dealix.grant_access('app', 'author')}) for qw(postgres fresh);
	my $differ = differences($node, 'postgres', 'fresh');
	$node->stop;
	$node->clean_node;
	return $differ;
}

my $current = files_in($top);
if (!-e "$top/release/dealix_exec.control")
{
	note 'There is no release yet.';
}
else
{
	system_or_bail('make', '-s', '-j2', '-C', "$top/release", "PG_CONFIG=$build_config", 'WERROR=');
	my $release = files_in("$top/release");
	my $version = version_of($release);

	if ($version eq version_of($current))
	{
		is($current->{"dealix_exec--$version.sql"}, $release->{"dealix_exec--$version.sql"},
			"the install script is that of the released version $version: what changes needs a new version");
	}
	else
	{
		is_deeply(upgrade('release', $release, $current), [], "after an upgrade from $version the catalogs are those of a fresh installation");
	}
}

is_deeply(upgrade('next', $current, next_of($current, $addition)), [], 'after an upgrade to a next version the catalogs are those of a fresh installation');

# ---------- an update under the old library ----------

# Also in the session that does it, and in one that was there before.
sub too_old
{
	my $new = next_of($current, $addition);
	my ($from, $to) = (version_of($current), version_of($new));
	my $publish = q{SELECT dealix.publish('p', '{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}')};

	install({ %$new, 'dealix_exec.so' => $current->{'dealix_exec.so'} });
	my $node = node('too_old');
	$node->safe_psql('postgres', "CREATE EXTENSION dealix_exec VERSION '$from'; $publish");
	dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dealix_exec dispatcher'}, 'a dispatcher is here', '1');
	my ($out, $error) = ('', '');
	$node->psql('postgres', "$publish;\nALTER EXTENSION dealix_exec UPDATE;\n$publish;", stdout => \$out, stderr => \$error, on_error_stop => 0);
	like($out, qr/^\d+$/, 'what is of one version works, but only once');
	like($error, qr/has version \Q$to\E in this database.*library of version \Q$from\E/, 'the library is too old for the session that has updated');
	like($error, qr/HINT: .*install the newer one and restart the server/, 'and a hint says what to do');
	dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dealix_exec dispatcher'}, 'its processes go away', '0');
	install($new);
	$node->restart;
	is_deeply([ (dx_try($node, 'postgres', $publish))[ 0, 2 ] ], [ 0, '' ], 'with the new library everything goes on');
	dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dealix_exec dispatcher'}, 'its processes are here again', '1');
	$node->stop;
	$node->clean_node;
	return;
}
too_old();

# What an upgrade script forgets is found, whatever kind of object it is.
my $node;
for my $forgotten (
	[ qr/^COMMENT ON FUNCTION.*\n/m, 'comment on function dealix.note(text)' ],
	[ qr/^COMMENT ON COLUMN.*\n/m, 'comment on column note of table dealix.workflow' ],
	[ qr/^REVOKE ALL ON FUNCTION dealix.note.*\n/m, 'rights on dealix.note(text)' ],
	[ qr/ CONSTRAINT workflow_note CHECK \(.*\)/, 'constraint workflow_note on dealix.workflow' ],
	[ qr/^CREATE TRIGGER[^;]*;\n/m, 'trigger workflow_note on dealix.workflow' ],
	[ qr/ SECURITY DEFINER/, 'function dealix.note(text)' ],
	[ qr/ WHERE w.note IS NOT NULL/, 'view dealix.notes' ])
{
	my ($pattern, $named) = @$forgotten;
	(my $upgrade = $addition) =~ s/$pattern// or die "nothing to forget: $pattern";

	install(next_of($current, $upgrade));
	if (!$node)
	{
		$node = node('forgotten');
		$node->safe_psql('postgres', 'CREATE DATABASE fresh');
		$node->safe_psql('fresh', 'CREATE EXTENSION dealix_exec');
	}
	my $old = version_of($current);
	$node->safe_psql('postgres', 'CREATE DATABASE upgraded');
	$node->safe_psql('upgraded', "CREATE EXTENSION dealix_exec VERSION '$old'; ALTER EXTENSION dealix_exec UPDATE");
	my $differ = differences($node, 'upgraded', 'fresh');
	ok(scalar(grep { /\Q$named\E/ } @$differ), "forgotten: $named") or diag(explain($differ));
	$node->safe_psql('postgres', 'DROP DATABASE upgraded WITH (FORCE)');
}
$node->stop;
done_testing();
