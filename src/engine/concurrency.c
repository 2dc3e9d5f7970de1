/*-------------------------------------------------------------------------
 *
 * concurrency.c
 *	  max_concurrency of a workflow: how many of its runs are in progress.
 *
 * A limited workflow has as many rows in dealix.workflow_slot as runs may be
 * in progress; run_id is the run that has the slot, or null.
 *
 * A run that begins takes a free slot, skipping those that others have locked:
 * nobody waits for a row.  The pass only locks the row, and keeps it in hand:
 * when the run ends in the same pass, the next that begins has it.  What is
 * written, at the end of the pass, is who has the slot then; runs that begin
 * and end in one pass leave no version of the row behind, however many they
 * are.  A slot that a run gives back is handed on in the same way, or to the
 * first that waits if that is of the same owner: who wakes later finds it.
 * Those of other owners only wake: nobody may be there to take it for them.
 *
 * A run that finds none is parked in phase SLOT (see turn.c, queue.c).  Each
 * pass that has held a run of the workflow wakes as many as it sees free slots at its
 * end.  A slot in an open transaction may be counted by two, or by nobody:
 * who is woken in vain waits again, and a sweep finds what was overlooked.
 *
 * A limit per owner is a set of slots for each owner (see slot_set.c); what is
 * said here of a workflow is true for each set.
 *
 * When the limit is lowered, slots beyond it stay while they are taken.  Then
 * the number of rows is not the limit: nothing is handed on, a run locks every
 * free slot that it can, and begins only if the others, taken or locked, are
 * fewer than the limit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/bounds.h"
#include "base/clock.h"
#include "base/guc.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/budget.h"
#include "engine/columns.h"
#include "engine/concurrency.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/queue.h"
#include "engine/slot_set.h"
#include "engine/turn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

/* What another transaction has locked may be free after that. */
#define LOOK_SOON_SECONDS	0.2

/* A row of dealix.workflow_slot that the pass has locked. */
typedef struct Slot
{
	DxSlotSet	set;
	int32		slot;
	DxRun	   *run;			/* has it; if it has ended, the slot is free */
	bool		taken;			/* as it is in the table, */
	DxRun	   *taken_by;		/* by one of this pass */
	bool		handed_on;		/* to who waited first */
	pg_uuid_t	next;
	bool		crowded;		/* the limit has been lowered below it */
} Slot;

#define CROWDED(owner) \
	"EXISTS (SELECT FROM dealix.workflow_slot x WHERE x.workflow_id = w.workflow_id" \
	" AND x.owner = " owner " AND x.slot > w.max_concurrency)"

/* Is the set that of the limit as it is now? */
#define SET_FITS(owner)	"w.per_owner = (" owner " <> 0)"

/* Locks up to $2 free slots of a set, $1 and $4, beside those in hand, $3. */
static DxStatement lock_statement = {
	"WITH w AS (SELECT max_concurrency, " CROWDED("$4") " AS crowded"
	" FROM dealix.workflow w WHERE workflow_id = $1 AND " SET_FITS("$4") "),"
	" f AS MATERIALIZED (SELECT slot FROM dealix.workflow_slot"
	" WHERE workflow_id = $1 AND owner = $4 AND run_id IS NULL AND slot <> ALL ($3)"
	" AND EXISTS (SELECT FROM w) ORDER BY slot"
	" LIMIT (SELECT CASE WHEN NOT crowded THEN $2 END FROM w) FOR UPDATE SKIP LOCKED)"
	" SELECT slot, (SELECT crowded FROM w) FROM f ORDER BY slot"
	" LIMIT (SELECT CASE WHEN crowded THEN GREATEST(LEAST($2, max_concurrency"
	" - (SELECT pg_catalog.count(*) FROM dealix.workflow_slot WHERE workflow_id = $1 AND owner = $4)"
	" + (SELECT pg_catalog.count(*) FROM f)), 0) ELSE $2 END FROM w)",
	4, {INT4OID, INT8OID, INT4ARRAYOID, OIDOID}
};

/* The slots of an owner, or those of them that are missing. */
static DxStatement make_statement = {
	"INSERT INTO dealix.workflow_slot (workflow_id, owner, slot)"
	" SELECT $1, $2, n FROM dealix.workflow w, pg_catalog.generate_series(1, w.max_concurrency) n"
	" WHERE w.workflow_id = $1 AND " SET_FITS("$2")
	" AND (SELECT pg_catalog.count(*) FROM dealix.workflow_slot WHERE workflow_id = $1 AND owner = $2)"
	" < w.max_concurrency ON CONFLICT DO NOTHING",
	2, {INT4OID, OIDOID}
};

/* Slots of runs of this pass. */
static DxStatement had_statement = {
	"SELECT s.workflow_id, s.owner, s.slot, " CROWDED("s.owner") ", s.run_id"
	" FROM dealix.workflow_slot s JOIN dealix.workflow w"
	" ON w.workflow_id = s.workflow_id WHERE s.run_id = ANY ($1) FOR UPDATE OF s",
	1, {UUIDARRAYOID}
};

static DxStatement write_statement = {
	"UPDATE dealix.workflow_slot s SET run_id = u.run_id"
	" FROM unnest($1, $2, $3, $4) AS u(workflow_id, owner, slot, run_id)"
	" WHERE s.workflow_id = u.workflow_id AND s.owner = u.owner AND s.slot = u.slot",
	4, {INT4ARRAYOID, OIDARRAYOID, INT4ARRAYOID, UUIDARRAYOID}
};

/* Who waits and is in nobody's pass. */
static DxStatement lock_runs_statement = {
	"SELECT run_id FROM dealix.run WHERE run_id = ANY ($1) FOR UPDATE SKIP LOCKED",
	1, {UUIDARRAYOID}
};

/*
 * Free slots beyond a limit that has been lowered go.  Not while somebody
 * changes the limit: he counts on those that he sees.
 */
static DxStatement shrink_statement = {
	"WITH w AS MATERIALIZED (SELECT w.max_concurrency FROM dealix.workflow w"
	" WHERE w.workflow_id = $1 AND EXISTS (SELECT FROM dealix.workflow_slot s"
	" WHERE s.workflow_id = $1 AND s.owner = $2 AND s.slot > w.max_concurrency AND s.run_id IS NULL)"
	" FOR SHARE OF w SKIP LOCKED),"
	" f AS MATERIALIZED (SELECT s.slot FROM w, dealix.workflow_slot s"
	" WHERE s.workflow_id = $1 AND s.owner = $2 AND s.slot > w.max_concurrency AND s.run_id IS NULL"
	" FOR UPDATE OF s SKIP LOCKED)"
	" DELETE FROM dealix.workflow_slot s"
	" WHERE s.workflow_id = $1 AND s.owner = $2 AND s.slot = ANY (ARRAY(SELECT slot FROM f))",
	2, {INT4OID, OIDOID}
};

/* ---------- in hand ---------- */

/* Will nobody have the slot after this pass? */
static bool
is_free(const Slot *slot)
{
	return slot->run == NULL || slot->run->gives_back ||
		dx_status_ended(slot->run->status);
}

/* Whom it belongs to after this pass; NULL: nobody. */
static const pg_uuid_t *
next_holder(const Slot *slot)
{
	if (slot->handed_on)
		return &slot->next;
	return is_free(slot) ? NULL : &slot->run->id;
}

/* A locked row of dealix.workflow_slot is in the hand of the pass. */
static Slot *
add_slot(DxPass *pass, DxSlotSet set, DxRow *row)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	Slot	   *slot = palloc0(sizeof(Slot));

	slot->set = set;
	slot->slot = dx_get_int4(row);
	slot->crowded = DatumGetBool(dx_get(row));
	pass->slots = lappend(pass->slots, slot);
	MemoryContextSwitchTo(oldcxt);
	return slot;
}

/* Writes who has these slots now, where the table does not say so yet. */
static void
write_slots(List *slots)
{
	DxColumns  *columns = dx_columns_make(&write_statement, Max(list_length(slots), 1));
	ListCell   *lc;

	foreach(lc, slots)
	{
		Slot	   *slot = lfirst(lc);

		if (next_holder(slot) == NULL ? !slot->taken :
			!is_free(slot) && slot->run == slot->taken_by)
			continue;
		dx_put_int4(columns, slot->set.workflow_id);
		dx_put(columns, ObjectIdGetDatum(slot->set.owner), false);
		dx_put_int4(columns, slot->slot);
		dx_put_uuid(columns, next_holder(slot));
	}
	dx_columns_execute(&write_statement, columns);
}

/* Has the run a slot from before that this pass has to dispose of? */
static bool
has_to_leave(const DxRun *run)
{
	return run->holds && !run->looked_up && run->changed &&
		(run->gives_back || dx_status_ended(run->status));
}

/*
 * The slots that runs had before this pass and do not need any more.  Those of
 * a crowded workflow are given back at once, not handed on.
 */
static void
collect(DxPass *pass)
{
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * Max(list_length(pass->runs), 1));
	List	   *crowded = NIL;
	int			n = 0;
	Datum		values[1];
	ListCell   *lc;
	uint64		i;

	foreach(lc, pass->runs)
	{
		DxRun	   *run = lfirst(lc);

		if (!has_to_leave(run))
			continue;
		run->looked_up = true;
		ids[n++] = run->id;
	}
	if (n == 0)
		return;
	values[0] = dx_uuid_array(ids, n);
	(void) dx_execute(&had_statement, values, NULL, false, 0);
	for (i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		DxSlotSet	set;
		Slot	   *slot;

		set.workflow_id = dx_get_int4(&row);
		set.owner = DatumGetObjectId(dx_get(&row));
		slot = add_slot(pass, set, &row);
		slot->taken = true;
		slot->run = slot->taken_by = dx_run_find(pass->runs, DatumGetUUIDP(dx_get(&row)));
		if (slot->crowded && is_free(slot))
			crowded = lappend(crowded, slot);
	}
	SPI_freetuptable(SPI_tuptable);
	if (crowded == NIL)
		return;
	write_slots(crowded);
	pass->slots = list_difference_ptr(pass->slots, crowded);
	pass->slots_freed = true;
}

/* ---------- taking ---------- */

/* A slot in hand that nobody has; NULL: there is none. */
static Slot *
find_in_hand(DxPass *pass, const DxRun *run)
{
	ListCell   *lc;

	foreach(lc, pass->slots)
	{
		Slot	   *slot = lfirst(lc);

		if (!dx_same_set(slot->set, dx_slot_set(run)) || !is_free(slot))
			continue;
		if (!slot->crowded)
			return slot;
		/* Whether it can be taken again is for the table to say. */
		write_slots(list_make1(slot));
		pass->slots_freed = true;
		pass->slots = foreach_delete_current(pass->slots, lc);
	}
	return NULL;
}

/* The first run of an owner finds no set.  false: there is one, all of it. */
static bool
make_set(DxSlotSet set)
{
	Datum		values[2];

	values[0] = Int32GetDatum(set.workflow_id);
	values[1] = ObjectIdGetDatum(set.owner);
	(void) dx_execute(&make_statement, values, NULL, false, 0);
	return SPI_processed > 0;
}

/*
 * Locks free slots: as many as this pass has already given away, so that a
 * pass of quick runs leaves the others to others.
 */
static Slot *
lock_more(DxPass *pass, DxSlotSet set)
{
	Datum	   *numbers = palloc(sizeof(Datum) * (list_length(pass->slots) + 1));
	int			n = 0;
	Datum		values[4];
	Slot	   *first = NULL;
	ListCell   *lc;
	uint64		i;

	foreach(lc, pass->slots)
	{
		Slot	   *slot = lfirst(lc);

		if (dx_same_set(slot->set, set))
			numbers[n++] = Int32GetDatum(slot->slot);
	}
	values[0] = Int32GetDatum(set.workflow_id);
	values[1] = Int64GetDatum(Max(n, 1));
	values[2] = PointerGetDatum(construct_array(numbers, n, INT4OID, sizeof(int32),
												true, TYPALIGN_INT));
	values[3] = ObjectIdGetDatum(set.owner);
	(void) dx_execute(&lock_statement, values, NULL, false, 0);
	if (SPI_processed == 0 && OidIsValid(set.owner))
	{
		SPI_freetuptable(SPI_tuptable);
		if (make_set(set))
			(void) dx_execute(&lock_statement, values, NULL, false, 0);
	}
	for (i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		Slot	   *slot = add_slot(pass, set, &row);

		if (first == NULL)
			first = slot;
	}
	SPI_freetuptable(SPI_tuptable);
	return first;
}

/* A slot for a run that needs one. false: there is none. */
static bool
take(DxPass *pass, DxRun *run)
{
	DxIdentity	saved;
	Slot	   *slot;

	if (!run->limited || run->holds)
		return true;
	dx_engine_enter(&saved);
	collect(pass);
	slot = find_in_hand(pass, run);
	/* What others have locked will not be free sooner for asking twice. */
	if (slot == NULL &&
		(pass->slots_freed || !list_member_int(pass->slotless, run->workflow_id)))
		slot = lock_more(pass, dx_slot_set(run));
	dx_engine_leave(&saved);
	if (slot == NULL)
	{
		pass->slotless = list_append_unique_int(pass->slotless, run->workflow_id);
		return false;
	}
	slot->run = run;
	run->slotted = true;
	return true;
}

/*
 * Before a run goes on: true if it may.  Otherwise it waits until a slot is
 * free.
 */
bool
dx_slot_take(DxPass *pass, DxRun *run)
{
	Assert(run->status == DX_RUN_RUNNING);
	if (!take(pass, run))
	{
		dx_turn_wait(pass, run);
		return false;
	}
	dx_turn_taken(pass, run);
	return true;
}

/* ---------- the end of a pass ---------- */

/* Slots of a set in hand that are free, or taken, after the pass. */
static int
count_in_hand(DxPass *pass, DxSlotSet set, bool taken)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, pass->slots)
	{
		Slot	   *slot = lfirst(lc);

		n += dx_same_set(slot->set, set) && next_holder(slot) == NULL &&
			(slot->taken || !taken) && (!slot->crowded || !taken);
	}
	return n;
}

/*
 * Locks runs that wait, those that nobody else has; returns how many, and moves
 * them to the front.  A pass that has one, by an old hint, has looked already
 * which slot it has, and would neither see nor give back another.
 */
static int
lock_runs(pg_uuid_t *ids, int n)
{
	Datum		values[1];
	int			nlocked;

	if (n == 0)
		return 0;
	values[0] = dx_uuid_array(ids, n);
	(void) dx_execute(&lock_runs_statement, values, NULL, false, 0);
	nlocked = (int) SPI_processed;
	for (int i = 0; i < nlocked; i++)
	{
		DxRow		row = dx_row(i);

		dx_check_room(i, n, "runs that wait for a slot");
		(void) dx_get_uuid(&row, &ids[i]);
	}
	SPI_freetuptable(SPI_tuptable);
	return nlocked;
}

/*
 * Hands slots that have to be written anyway to those who wait.  Who is of
 * another owner only wakes, and finds the slot free.
 */
static void
hand_on(DxPass *pass, DxSlotSet set)
{
	int			n = count_in_hand(pass, set, true);
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	int			given = 0;
	ListCell   *lc;

	if (n == 0)
		return;
	n = lock_runs(ids, dx_queue_wake_own(set, n, pass->owner, ids));
	foreach(lc, pass->slots)
	{
		Slot	   *slot = lfirst(lc);

		if (given == n)
			break;
		if (!dx_same_set(slot->set, set) || next_holder(slot) != NULL ||
			!slot->taken || slot->crowded)
			continue;
		slot->handed_on = true;
		slot->next = ids[given++];
	}
}

/*
 * Was the run woken for a slot that it has not taken?  Then nobody else was
 * woken for it.
 */
static bool
gave_up_turn(const DxRun *run)
{
	ListCell   *lc;

	if (run->refused || run->slotted)
		return false;
	foreach(lc, run->branches)
	{
		const DxBranch *branch = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (branch->stored && branch->stored_phase == DX_PHASE_SLOT)
			return true;
	}
	return false;
}

/*
 * Wakes who waits for the free slots of a workflow.  When this pass has just
 * looked in vain for one, then those that it has not in hand itself are in
 * somebody's open transaction: they are worth a look a moment later.
 *
 * Where runs begin and end in one pass, the next passes find twice as many to
 * do, until they are full: a slot lasts for all of them.
 */
static void
wake_for_free(DxPass *pass, DxSlotSet set)
{
	int64		nfree;
	int64		ready = count_in_hand(pass, set, false);
	int			quick = 0;
	bool		need = pass->slots_freed;
	bool		refused = false;
	ListCell   *lc;

	foreach(lc, pass->runs)
	{
		DxRun	   *run = lfirst(lc);

		if (!dx_same_set(dx_slot_set(run), set))
			continue;
		need = need || gave_up_turn(run);
		refused = refused || run->refused;
		quick += run->slotted && dx_status_ended(run->status);
	}
	nfree = dx_slots_free(set, need);
	if (nfree < 0)
		nfree = ready + refused;
	if (!refused || need)
		ready = nfree;
	ready = Min(ready, nfree);
	if (ready > 0)
		(void) dx_queue_wake(set, InvalidOid,
							 Max(ready, Min(2 * quick, dx_pass_max_runs)), dx_now());
	if (nfree > ready)
		(void) dx_queue_wake(set, InvalidOid, nfree - ready,
							 dx_after_seconds(dx_now(), LOOK_SOON_SECONDS));
}

/* The list of sets with this one, once. */
static List *
add_set(List *sets, DxSlotSet set)
{
	DxSlotSet  *added;
	ListCell   *lc;

	foreach(lc, sets)
	{
		if (dx_same_set(*(DxSlotSet *) lfirst(lc), set))
			return sets;
	}
	added = palloc(sizeof(DxSlotSet));
	*added = set;
	return lappend(sets, added);
}

/*
 * At the end of a pass, when its branches are written: writes who has the slots
 * now, and wakes who waits for those that are free.  Between dx_engine_enter
 * and dx_engine_leave.
 */
void
dx_slots_settle(DxPass *pass)
{
	List	   *sets = NIL;
	Datum		values[2];
	ListCell   *lc;

	Assert(dx_engine_entered());
	foreach(lc, pass->runs)
	{
		DxRun	   *run = lfirst(lc);

		if (!run->limited)
			continue;
		/* A call about one run has not advanced it. */
		if (run->changed && run->status == DX_RUN_INCIDENT)
			run->gives_back = true;
		sets = add_set(sets, dx_slot_set(run));
	}
	if (sets == NIL)
		return;
	collect(pass);
	/* A set may have changed hands since the runs were read. */
	foreach(lc, pass->slots)
		sets = add_set(sets, ((Slot *) lfirst(lc))->set);
	foreach(lc, sets)
		hand_on(pass, *(DxSlotSet *) lfirst(lc));
	write_slots(pass->slots);
	foreach(lc, sets)
	{
		DxSlotSet  *set = lfirst(lc);

		values[0] = Int32GetDatum(set->workflow_id);
		values[1] = ObjectIdGetDatum(set->owner);
		(void) dx_execute(&shrink_statement, values, NULL, false, 0);
	}
	foreach(lc, sets)
		wake_for_free(pass, *(DxSlotSet *) lfirst(lc));
}
