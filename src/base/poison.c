/*-------------------------------------------------------------------------
 *
 * poison.c
 *	  Runs that end the process that advances them, and how they are found.
 *
 * A count of such deaths cannot be in a table: it would roll back with the
 * pass; nor in shared memory, which a crash takes away.  So it is in the file
 * dealix_exec.poison in the data directory, mapped by the postmaster before it
 * has children and so by all of them.  Pages of a mapped file survive SIGKILL
 * of every process.  Nothing is flushed: what an operating system that goes
 * down loses is a suspicion.
 *
 * Layout: a header, then a slot per worker slot, then the suspects.  All
 * sizes are fixed at server start; the header holds them with a checksum, and
 * a file with others is made anew.  It is filled with zeros when it is made,
 * so that storing into it never needs space on the disk.
 *
 * A slot holds the runs of the pass that its worker is in, and with a single
 * run the state that it is in.  n = 0: in none.  Only that worker writes it;
 * the ids are there before n, so no lock is needed.  Who finds n > 0 and no
 * worker knows that it died in mid-pass: the worker itself at exit (FATAL), or
 * the postmaster before it starts anything after a crash.
 *
 * Suspects are kept in sets of DX_POISON_WAYS; the end of the run's id, which is random,
 * chooses the set.  When a set is full the least suspicious is dropped.
 * dx_shared->lock guards suspects and the header's count of them; the
 * postmaster, alone then, takes no lock.  A process killed while it writes one
 * leaves a suspect too many or a name cut short, and no more.
 *
 * Who is to blame.  When one process crashes, the postmaster ends all others
 * by SIGQUIT: their handler empties their slot, so only the worker that has
 * crashed is left with runs.  The handler looks at the sender: a step that
 * sends SIGQUIT to itself is to blame.  SIGTERM from the postmaster, a
 * shutdown, or while the database's processes have to go, clears the slot as
 * well; any other SIGTERM counts as a death, because a step may have sent it.
 * If the whole server has gone without a SIGQUIT (kill -9 of everything, the
 * power) the runs were there but nothing says that they did it: that is an
 * outage, counted apart, and it takes more of them.  (With the developer's
 * setting send_abort_for_crash the postmaster sends SIGABRT instead, and
 * bystanders are counted as well.)
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/database_slot.h"
#include "base/poison.h"
#include "base/poison_file.h"
#include "base/shared.h"
#include "base/watch.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/pmsignal.h"
#include "tcop/tcopprot.h"
#include "utils/uuid.h"

static DxPoisonHeader *header = NULL;	/* NULL: no protection */
static DxPoisonSlot *slots;
static DxSuspect *suspects;

/* Of this process, when it is a worker. */
static DxPoisonSlot *own = NULL;
static volatile sig_atomic_t told_by_postmaster = false;

/* ---------- the suspects ---------- */

/* A place of the table that remembers no run. */
static bool
is_free(const DxSuspect *suspect)
{
	return suspect->deaths == 0 && suspect->outages == 0;
}

/*
 * The few places in which this run can be: its set, by the random end of its
 * number.
 */
static DxSuspect *
set_of(const pg_uuid_t *run_id)
{
	uint32		random;

	memcpy(&random, run_id->data + UUID_LEN - sizeof(random), sizeof(random));
	return &suspects[(random % DX_POISON_SETS) * DX_POISON_WAYS];
}

/* The entry of a run, or NULL when nothing is held against it. */
static DxSuspect *
find(Oid dboid, const pg_uuid_t *run_id)
{
	DxSuspect  *set = set_of(run_id);

	for (int i = 0; i < DX_POISON_WAYS; i++)
	{
		if (!is_free(&set[i]) && set[i].dboid == dboid &&
			memcmp(&set[i].run_id, run_id, sizeof(pg_uuid_t)) == 0)
			return &set[i];
	}
	return NULL;
}

/* A place for a new suspect. */
static DxSuspect *
place(Oid dboid, const pg_uuid_t *run_id)
{
	DxSuspect  *set = set_of(run_id);
	DxSuspect  *best = set;

	for (int i = 1; i < DX_POISON_WAYS; i++)
	{
		if (set[i].deaths + set[i].outages < best->deaths + best->outages)
			best = &set[i];
	}
	if (is_free(best))
		header->suspected++;
	memset(best, 0, sizeof(DxSuspect));
	best->dboid = dboid;
	best->run_id = *run_id;
	return best;
}

/*
 * How many runs the slot names; a number that cannot be right, after a crash
 * in the middle, is none.
 */
static int
count_ids(const DxPoisonSlot *slot)
{
	return slot->n > DX_POISON_RUNS ? 0 : slot->n;
}

/*
 * Does this run stand in one of the slots from first on, before the i-th id of
 * slot?  A run dies once a death, however often it was noted.
 */
static bool
noted_before(const DxPoisonSlot *first, const DxPoisonSlot *slot, int i)
{
	for (const DxPoisonSlot *s = first; s <= slot; s++)
	{
		int			n = s == slot ? i : count_ids(s);

		if (s->dboid != slot->dboid)
			continue;
		for (int j = 0; j < n; j++)
		{
			if (memcmp(&s->ids[j], &slot->ids[i], sizeof(pg_uuid_t)) == 0)
				return true;
		}
	}
	return false;
}

/*
 * The runs of a slot are suspects from now on, or more so, unless a slot from
 * first on has them too.  How many?
 */
static int
blame(const DxPoisonSlot *first, DxPoisonSlot *slot, bool outage)
{
	int			n = count_ids(slot);
	int			blamed = 0;

	for (int i = 0; i < n; i++)
	{
		DxSuspect  *suspect;

		if (noted_before(first, slot, i))
			continue;
		blamed++;
		suspect = find(slot->dboid, &slot->ids[i]);
		if (suspect == NULL)
			suspect = place(slot->dboid, &slot->ids[i]);
		if (outage)
			suspect->outages = Min(suspect->outages + 1, PG_UINT16_MAX);
		else
			suspect->deaths = Min(suspect->deaths + 1, PG_UINT16_MAX);
		if (n == 1)
			memcpy(suspect->state, slot->state, sizeof(suspect->state));
		suspect->state[sizeof(suspect->state) - 1] = '\0';
	}
	return blamed;
}

/*
 * Says in the log that workers have died in the middle of passes, and what
 * follows.
 */
static void
tell(int n)
{
	if (n > 0)
		ereport(LOG,
				(errmsg_plural("a dealix_exec worker ended in the middle of a pass over %d run",
							   "dealix_exec workers ended in the middle of passes over %d runs",
							   n, n),
				 errdetail("They go one at a time until each has got through a pass.")));
}

/*
 * dx_poison_startup
 *		Maps the file, and takes up what workers that have died left in it.  In
 *		the postmaster, at server start and again after a crash.
 */
void
dx_poison_startup(void)
{
	bool		restarted = header != NULL;
	bool		outage;
	uint32		suspected = 0;
	int			n = 0;

	if (IsUnderPostmaster || !IsPostmasterEnvironment)
		return;
	if (!restarted)
		header = dx_poison_map();
	if (header == NULL)
		return;
	slots = (DxPoisonSlot *) (header + 1);
	suspects = (DxSuspect *) (slots + max_worker_processes);

	outage = !restarted && !header->orderly;
	for (int i = 0; i < max_worker_processes; i++)
		n += blame(slots, &slots[i], outage);
	for (int i = 0; i < max_worker_processes; i++)
		slots[i].n = 0;
	for (int i = 0; i < DX_POISON_SETS * DX_POISON_WAYS; i++)
		suspected += !is_free(&suspects[i]);
	header->suspected = suspected;
	header->orderly = false;
	tell(n);
}

/*
 * dx_poison_any
 *		Are there suspects at all?  Without a lock: who sees a new one a moment
 *		late gives it one more pass with others.
 */
bool
dx_poison_any(void)
{
	return header != NULL && header->suspected != 0;
}

/*
 * dx_poison_find
 *		Is this run of our database a suspect?  *suspect: what is known of it.
 */
bool
dx_poison_find(const pg_uuid_t *run_id, DxSuspect *suspect)
{
	DxSuspect  *found;

	if (!dx_poison_any())
		return false;
	dx_lock();
	found = find(MyDatabaseId, run_id);
	if (found != NULL)
		*suspect = *found;
	dx_unlock();
	return found != NULL;
}

/*
 * dx_poison_too_often
 *		Has this run died so often that no pass is tried any more?
 */
bool
dx_poison_too_often(const DxSuspect *suspect)
{
	return suspect->deaths >= DX_MAX_DEATHS || suspect->outages >= DX_MAX_OUTAGES;
}

/*
 * dx_poison_left_alone
 *		And do workers die also when they make it an incident?
 */
bool
dx_poison_left_alone(const pg_uuid_t *run_id)
{
	DxSuspect	suspect;

	return dx_poison_find(run_id, &suspect) &&
		(suspect.deaths >= 2 * DX_MAX_DEATHS || suspect.outages >= 2 * DX_MAX_OUTAGES);
}

/*
 * dx_poison_forget
 *		Clears a run of our database of all suspicion.
 */
void
dx_poison_forget(const pg_uuid_t *run_id)
{
	DxSuspect  *found;

	if (!dx_poison_any())
		return;
	dx_lock();
	found = find(MyDatabaseId, run_id);
	if (found != NULL)
	{
		memset(found, 0, sizeof(DxSuspect));
		header->suspected--;
	}
	dx_unlock();
}

/* ---------- the slot of a worker ---------- */

/*
 * dx_poison_attach
 *		Makes the slot with the number of our worker slot ours.
 */
void
dx_poison_attach(int index, Oid dboid)
{
	Assert(index >= 0 && index < max_worker_processes);
	if (header == NULL)
		return;
	slots[index].n = 0;
	slots[index].dboid = dboid;
	own = &slots[index];
}

/*
 * dx_poison_detach
 *		At exit.  If it is in mid-pass, and not by the will of the server, the
 *		runs of the pass become suspects.
 */
void
dx_poison_detach(void)
{
	DxDatabase *database;
	int			n = 0;

	if (own == NULL || own->n == 0)
		return;
	dx_lock();
	database = dx_database_find_locked(own->dboid);
	if (!told_by_postmaster && PostmasterIsAlive() &&
		(database == NULL || database->state != DX_DB_RETIRING))
		n = blame(own, own, false);
	own->n = 0;
	dx_unlock();
	tell(n);
}

/*
 * dx_poison_note
 *		A pass over these runs begins: until dx_poison_clear() they answer for
 *		what happens to this process.
 */
void
dx_poison_note(const pg_uuid_t *run_ids, int n)
{
	Assert(n >= 0);
	if (own == NULL)
		return;
	n = Min(n, DX_POISON_RUNS);
	memcpy(own->ids, run_ids, n * sizeof(pg_uuid_t));
	own->state[0] = '\0';
	pg_compiler_barrier();
	own->n = n;
}

/*
 * dx_poison_narrow
 *		The pass has only these of the runs that it was to look at.
 */
void
dx_poison_narrow(const pg_uuid_t *run_ids, int n)
{
	if (own == NULL || own->n == 0 || n == own->n)
		return;
	own->n = 0;
	dx_poison_note(run_ids, n);
}

/*
 * dx_poison_clear
 *		The pass has committed or rolled back.
 */
void
dx_poison_clear(void)
{
	if (own != NULL)
		own->n = 0;
}

/*
 * dx_poison_state
 *		Code of the user's is about to run.  name: of the run's state, or where
 *		in the definition it stands.
 */
void
dx_poison_state(const char *name)
{
	if (own != NULL && own->n == 1)
		dx_poison_clip(own->state, name);
}

/* ---------- steps that do not end ---------- */

/*
 * dx_poison_clip
 *		As much of a name as is kept, to DX_PLACE_LEN bytes.
 */
void
dx_poison_clip(char *to, const char *name)
{
	int			len = pg_mbcliplen(name, strlen(name), DX_PLACE_LEN - 1);

	memcpy(to, name, len);
	to[len] = '\0';
}

/*
 * dx_poison_condemn
 *		At exit: this process has to end because of a step that does not.  So
 *		nothing else of the pass is to blame.
 */
void
dx_poison_condemn(const pg_uuid_t *run_id, const DxSentence *sentence)
{
	DxSuspect  *suspect;

	if (header == NULL)
		return;
	dx_lock();
	if (own != NULL)
		own->n = 0;
	suspect = find(MyDatabaseId, run_id);
	if (suspect == NULL)
		suspect = place(MyDatabaseId, run_id);
	suspect->deaths = Max(suspect->deaths, 1);
	suspect->verdict = sentence->verdict;
	suspect->branch = sentence->branch;
	memcpy(suspect->state, sentence->place, DX_POISON_STATE_LEN);
	dx_unlock();
}

/*
 * dx_poison_sentence
 *		Is there a step of this run whose outcome is known, because its process
 *		had to end?
 */
bool
dx_poison_sentence(const pg_uuid_t *run_id, DxSentence *sentence)
{
	DxSuspect	suspect;

	if (!dx_poison_find(run_id, &suspect) || suspect.verdict == DX_VERDICT_NONE)
		return false;
	sentence->verdict = suspect.verdict;
	sentence->branch = suspect.branch;
	memcpy(sentence->place, suspect.state, DX_PLACE_LEN);
	return true;
}

/*
 * dx_poison_excuse
 *		The worker that has this run is about to be ended by an operator: nobody
 *		is to blame for that.
 */
void
dx_poison_excuse(const pg_uuid_t *run_id)
{
	if (header == NULL)
		return;
	for (int i = 0; i < max_worker_processes; i++)
	{
		int			n = slots[i].dboid == MyDatabaseId ? Min(slots[i].n, DX_POISON_RUNS) : 0;

		while (n > 0 && memcmp(&slots[i].ids[n - 1], run_id, sizeof(pg_uuid_t)) != 0)
			n--;
		if (n > 0)
			slots[i].n = 0;
	}
}

/* ---------- signals ---------- */

/*
 * SIGQUIT: when it is the postmaster's, somebody else has crashed, and the
 * runs in hand are not to blame.
 */
static void
quit(int signo, siginfo_t *info, void *context)
{
	if (info->si_pid == PostmasterPid && MyProcPid == getpid() && header != NULL)
	{
		header->orderly = true;
		if (own != NULL)
			own->n = 0;
	}
	SignalHandlerForCrashExit(signo);
}

/*
 * SIGTERM: notes whether it is the postmaster that wants us to end, then does
 * what is usual.
 */
static void
terminate(int signo, siginfo_t *info, void *context)
{
	int			save_errno = errno;

	/*
	 * A child of ours, on its way to another program, has nothing to clean
	 * up.
	 */
	if (MyProcPid != getpid())
		_exit(1);
	if (info->si_pid == PostmasterPid)
		told_by_postmaster = true;
	die(signo);
	errno = save_errno;
}

/* Installs a handler that is told who has sent the signal. */
static void
handle(int signo, void (*handler) (int, siginfo_t *, void *))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = handler;
	action.sa_flags = SA_RESTART | SA_SIGINFO;
	sigemptyset(&action.sa_mask);
	if (sigaction(signo, &action, NULL) != 0)
		elog(FATAL, "sigaction failed: %m");
}

/*
 * dx_poison_signals
 *		Handles SIGTERM as die() does and SIGQUIT as the server does, but keeps
 *		in mind whether the postmaster has sent it.  In every process of ours.
 */
void
dx_poison_signals(void)
{
	handle(SIGTERM, terminate);
	handle(SIGQUIT, quit);
}
