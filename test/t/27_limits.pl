# Limits under competition.  Of activities: eight sessions that claim, complete,
# fail and roll back never have more in flight, and never get more in any span
# of time, than is allowed; nothing is lost; and who is alone gets all of it.
# Of workflows: whatever the limit does meanwhile, every run in progress has its
# slot, and every slot comes back.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use DxTest;
use IPC::Run;
use Test::More;
use Time::HiRes qw(sleep);

dx_skip_root();

my $node = dx_node('limits', 'dealix_exec.workers = 4');
dx_shop($node);
$node->safe_psql('postgres', q{CREATE ROLE ops LOGIN; SELECT dealix.grant_access('ops', 'operator')});
dx_sql($node, 'app', q{
	CREATE TABLE shop.claimed (activity text, before timestamptz, after timestamptz, token text, kept boolean);
	CREATE TABLE shop.refused (activity text, before timestamptz, after timestamptz);
	SELECT dealix.publish('work', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:work",
		"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 9, "JitterStrategy": "NONE"}], "End": true}}}');
	SELECT dealix.publish('alone', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "activity:alone", "End": true}}}');

	-- Each claim commits, or not, before the next.  Goes on until so many have been
	-- claimed, however long that takes.
	CREATE PROCEDURE shop.work(activity text, batch int, goal int, careless boolean) LANGUAGE plpgsql AS $$
	DECLARE
		until timestamptz := clock_timestamp() + interval '10 minutes';
		started timestamptz;
		tokens text[];
	BEGIN
		WHILE clock_timestamp() < until AND (SELECT count(*) FROM shop.claimed c WHERE c.activity = work.activity) < goal LOOP
			started := clock_timestamp();
			SELECT array_agg(c.token) INTO tokens FROM dealix.claim(activity, 'w', batch) c;
			IF tokens IS NULL THEN
				IF NOT careless THEN
					INSERT INTO shop.refused VALUES (activity, started, clock_timestamp());
				END IF;
				COMMIT;
				PERFORM pg_sleep(0.002);
				CONTINUE;
			END IF;
			IF careless AND random() < 0.2 THEN
				PERFORM pg_sleep(random() * 0.02);
				ROLLBACK;
				CONTINUE;
			END IF;
			INSERT INTO shop.claimed SELECT activity, started, clock_timestamp(), t FROM unnest(tokens) t;
			COMMIT;
			IF careless THEN PERFORM pg_sleep(random() * 0.02); END IF;
			FOR i IN 1 .. cardinality(tokens) LOOP
				IF careless AND random() < 0.2 THEN
					PERFORM dealix.fail(tokens[i], 'Careless');
				ELSE
					PERFORM dealix.complete(tokens[i]);
				END IF;
				IF careless AND random() < 0.1 THEN
					ROLLBACK;
					PERFORM dealix.complete(tokens[i]);
				END IF;
				COMMIT;
			END LOOP;
		END LOOP;
	END $$;
});
$node->safe_psql('postgres', q{
	CREATE TABLE shop.sample (claimed bigint, slots bigint);

	-- What is claimed, or in progress, and what is taken, in one snapshot; until so
	-- many tasks have been claimed, or so many runs have ended.
	CREATE PROCEDURE shop.watch(goal int, tasks boolean DEFAULT true) LANGUAGE plpgsql AS $$
	DECLARE
		until timestamptz := clock_timestamp() + interval '10 minutes';
	BEGIN
		WHILE clock_timestamp() < until AND goal > CASE WHEN tasks THEN (SELECT count(*) FROM shop.claimed WHERE activity = 'work')
				ELSE (SELECT count(*) FROM dealix.run_details WHERE workflow = 'family' AND finished_at IS NOT NULL) END LOOP
			IF tasks THEN
				INSERT INTO shop.sample SELECT (SELECT count(*) FROM dealix.activity_task WHERE activity = 'work' AND claimed_at IS NOT NULL),
					(SELECT count(*) FROM dealix.activity_slot WHERE activity = 'work' AND taken);
			ELSE
				-- who waits for its child, or for a slot to go on with, has given its slot back
				INSERT INTO shop.sample SELECT (SELECT count(*) FROM dealix.run_details r WHERE workflow = 'family' AND started_at IS NOT NULL AND finished_at IS NULL
						AND NOT EXISTS (SELECT FROM dealix.branch b WHERE b.run_id = r.run_id AND b.phase IN (9, 12))),
					(SELECT count(*) FROM dealix.workflow_slot WHERE run_id IS NOT NULL);
			END IF;
			COMMIT;
			PERFORM pg_sleep(0.005);
		END LOOP;
	END $$;

	-- Claims in any span of time: more than burst + rate * span?
	CREATE FUNCTION shop.beyond(activity text, rate float8, burst float8) RETURNS SETOF text LANGUAGE sql AS $$
		WITH c AS (SELECT before, after, row_number() OVER () AS n FROM shop.claimed c WHERE c.activity = beyond.activity LIMIT 300)
		SELECT format('%s claims from %s to %s', count(*), a.before, b.after)
		FROM c a JOIN c b ON b.after > a.before JOIN c ON c.before >= a.before AND c.after <= b.after
		GROUP BY a.n, b.n, a.before, b.after
		HAVING count(*) > burst + rate * extract(epoch FROM b.after - a.before)
		LIMIT 3 $$;
});

# Sessions that work at the same time; none of them may fail.
sub together
{
	my ($what, @calls) = @_;
	my @sessions;
	my $failed = '';

	for my $call (@calls)
	{
		my ($role, @statements) = @$call;
		my $err = '';

		push @sessions, [ IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') . " user=$role", map { ('-c', $_) } @statements ],
				'<', '/dev/null', '>', '/dev/null', '2>', \$err), \$err ];
	}
	for my $session (@sessions)
	{
		$session->[0]->finish;
		$failed .= ${ $session->[1] };
	}
	is($failed, '', "$what: no session fails");
	return;
}

sub workers
{
	my ($goal) = @_;

	return map { [ 'app', "CALL shop.work('work', $_, $goal, true)" ] } (1, 1, 1, 2, 2, 3, 5, 10);
}
my $queued = q{SELECT count(*) FROM dealix.activity_details WHERE activity = 'work' AND status = 'QUEUED'};

dx_sql($node, 'app', q{SELECT count(*) FROM dealix.start_many('work', array_fill('1'::jsonb, ARRAY[1000]))});
dx_poll($node, $queued, 'a thousand tasks wait', '1000');

# ---------- rate and max_in_flight ----------

dx_sql($node, 'ops', q{SELECT dealix.limit_activity('work', 5, 50)});
together('both limits', workers(180), [ 'postgres', 'CALL shop.watch(180)' ]);
my ($samples, $most, $differ) = split /\|/, $node->safe_psql('postgres',
	q{SELECT count(*), max(claimed), count(*) FILTER (WHERE claimed <> slots) FROM shop.sample});
cmp_ok($samples, '>', 50, 'it was looked at often');
cmp_ok($most, '<=', 5, 'never more than five in flight');
is($differ, '0', 'as many slots are taken as tasks are claimed, at any time');
is($node->safe_psql('postgres', q{SELECT * FROM shop.beyond('work', 50, 50)}), '', 'in no span of time more than the rate and a burst');
my $claims = $node->safe_psql('postgres', q{SELECT count(*) FROM shop.claimed});
note("$claims claims, at most $most in flight, $samples samples");
cmp_ok($claims, '>', 60, 'but more than the burst');
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT token FROM shop.claimed GROUP BY token HAVING count(*) > 1) x}), '0', 'no token twice');

# ---------- the limit changes under them ----------

$node->safe_psql('postgres', 'TRUNCATE shop.sample');
together('a changing limit', workers($claims + 300), [ 'postgres', "CALL shop.watch($claims + 300)" ],
	[ 'ops', map { ("SELECT dealix.limit_activity('work', $_, 1000)", 'SELECT pg_sleep(0.02)') } (5, 2, 4, 1, 3) x 20 ]);
($samples, $most, $differ) = split /\|/, $node->safe_psql('postgres',
	q{SELECT count(*), max(claimed), count(*) FILTER (WHERE claimed <> slots) FROM shop.sample});
cmp_ok($most, '<=', 5, 'never more than the highest limit');
is($differ, '0', 'and every task has its slot');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dealix.activity_details WHERE status = 'CLAIMED'}), '0', 'all that was claimed is done');
dx_sql($node, 'ops', q{SELECT dealix.limit_activity('work', 3)});
is($node->safe_psql('postgres', q{SELECT string_agg(slot || ' ' || taken, ',' ORDER BY slot) FROM dealix.activity_slot}), '1 false,2 false,3 false',
	'and all slots are back');

# ---------- runs of a workflow ----------

dx_sql($node, 'app', q{
	SELECT dealix.publish('leaf', '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}');
	SELECT dealix.publish('family', '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "workflow:leaf", "End": true}}}');
	SELECT dealix.limit_workflow('family', 5);
});
$node->safe_psql('postgres', 'TRUNCATE shop.sample');
together('runs', [ 'app', q{SELECT count(*) FROM dealix.start_many('family', array_fill('1'::jsonb, ARRAY[1000]))} ],
	[ 'postgres', 'CALL shop.watch(1000, false)' ],
	[ 'app', map { ("SELECT dealix.limit_workflow('family', $_)", 'SELECT pg_sleep(0.01)') } (5, 2, 4, 1, 3) x 20 ]);
($samples, $most, $differ) = split /\|/, $node->safe_psql('postgres',
	q{SELECT count(*), max(greatest(claimed, slots)), count(*) FILTER (WHERE claimed > slots) FROM shop.sample});
note("at most $most in progress, $samples samples");
cmp_ok($samples, '>', 0, 'runs go on');
cmp_ok($most, '<=', 5, 'never more than the highest limit');
# a slot is handed to a run that waits before that begins
is($differ, '0', 'each with its slot');
dx_poll($node, q{SELECT count(*) FROM dealix.run_details WHERE workflow = 'family' AND status <> 'SUCCEEDED'}, 'all come to their end', '0');
is($node->safe_psql('postgres', q{SELECT string_agg(slot || coalesce(run_id::text, ''), ',' ORDER BY slot) FROM dealix.workflow_slot}), '1,2,3', 'and all slots are back');

# the only slot is in an open transaction: who wants it does not go round and round
my $passes = q{SELECT coalesce(sum(passes), 0) FROM dealix.worker_details WHERE kind = 'worker'};
dx_sql($node, 'app', q{SELECT dealix.limit_workflow('parked', 1)});
my $holder = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') . ' user=app',
	'-c', q{BEGIN; SELECT dealix.start('parked', '{"key": "p"}', 'first'); SELECT dealix.tick(); SELECT pg_sleep(4); ROLLBACK} ], '<', '/dev/null', '>', '/dev/null');
dx_poll($node, q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'}, 'a transaction has the slot', '1');
dx_sql($node, 'app', q{SELECT dealix.start('parked', '{"key": "p"}', 'second')});
dx_poll($node, q{SELECT waits_for FROM dealix.waiting_details JOIN dealix.run_details USING (run_id) WHERE key = 'second'}, 'another run waits for it', 'concurrency');
my $first = $node->safe_psql('postgres', $passes);
sleep(1.5);
cmp_ok($node->safe_psql('postgres', $passes) - $first, '<', 30, 'without a pass after the other');
$holder->finish;
dx_poll($node, q{SELECT waits_for FROM dealix.waiting_details JOIN dealix.run_details USING (run_id) WHERE key = 'second'}, 'and begins when it is given back', 'signal', undef, 10);

# ---------- alone ----------

dx_sql($node, 'app', q{SELECT count(*) FROM dealix.start_many('alone', array_fill('1'::jsonb, ARRAY[400]))});
dx_poll($node, q{SELECT count(*) FROM dealix.activity_details WHERE activity = 'alone' AND status = 'QUEUED'}, 'four hundred tasks wait', '400');
dx_sql($node, 'ops', q{SELECT dealix.limit_activity('alone', rate => 50)});
dx_sql($node, 'app', q{CALL shop.work('alone', 1, 250, false)});
# From one refusal to the next the rate has to be used up.  What comes together in
# more than a second is lost, as it should be; a session that was never refused got
# all that it asked for.
($claims, my $fair, my $refusals) = split /\|/, $node->safe_psql('postgres', q{
	SELECT (SELECT count(*) FROM shop.claimed c, (SELECT min(before) AS first, max(after) AS last FROM shop.refused) r
			WHERE activity = 'alone' AND c.before >= r.first AND c.after <= r.last),
		50 * coalesce(sum(least(greatest(extract(epoch FROM gap), 0), 1)), 0), count(*)
	FROM (SELECT before - lag(after) OVER (ORDER BY before) AS gap FROM shop.refused) x});
note("$claims claims of $fair, $refusals refusals");
cmp_ok($claims, '>=', 0.9 * $fair - 16, 'a session that is alone gets what the rate allows');
is($node->safe_psql('postgres', q{SELECT * FROM shop.beyond('alone', 50, 50)}), '', 'and not more');

$node->stop;
done_testing();
