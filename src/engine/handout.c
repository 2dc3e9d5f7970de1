/*-------------------------------------------------------------------------
 *
 * handout.c
 *	  Tasks that are done outside of the pass: what they have in common.
 *
 * A branch that hands something out gets a ticket; answers come as messages
 * that name branch, ticket and attempt.  What does not fit any more (the time
 * was over, the run was cancelled) is late: it is put on record and changes
 * nothing.  The pass decides, under the lock on the run's row; so of an
 * answer, a timeout and a cancel exactly one wins.
 *
 * What each kind does is registered by the room above (src/outside).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/json.h"
#include "base/bounds.h"
#include "base/identity.h"
#include "base/uuid.h"
#include "engine/budget.h"
#include "engine/envelope.h"
#include "engine/gate.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/phase.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#define MAX_WRITERS	4

static const DxResource *resources[DX_RESOURCE_OTHER + 1];

/* What writes the handouts of a pass, a function of each room above. */
static void (*writers[MAX_WRITERS]) (DxPass *pass);
static int	nwriters;

/* From _PG_init. */
void
dx_resource_register(DxResourceKind kind, const DxResource *resource)
{
	Assert(kind >= 0 && kind <= DX_RESOURCE_OTHER);
	Assert(resources[kind] == NULL);
	resources[kind] = resource;
}

/* NULL: not done outside. */
const DxResource *
dx_resource_of(DxResourceKind kind)
{
	return resources[kind];
}

/* From _PG_init: what writes the handouts of a pass, and takes back others. */
void
dx_handout_register(void (*write) (DxPass *pass))
{
	dx_check_room(nwriters, MAX_WRITERS, "writers of handouts");
	writers[nwriters++] = write;
}

/*
 * Has the room above write what the pass has handed out. Between
 * dx_engine_enter and dx_engine_leave.
 */
void
dx_handouts_write(DxPass *pass)
{
	Assert(dx_engine_entered());
	for (int i = 0; i < nwriters; i++)
		writers[i] (pass);
}

/*
 * Notes what a branch hands out under its present ticket and attempt; phase
 * is the one it then waits in, or 0 if it goes on.
 */
DxHandout *
dx_handout(DxPass *pass, DxRun *run, DxBranch *branch, DxResourceKind kind,
		   DxPhase phase, void *what)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(pass->cxt);
	DxHandout  *handout = palloc0(sizeof(DxHandout));

	Assert(branch->ticketed);
	Assert(phase == 0 || phase == DX_PHASE_JOIN || phase == DX_PHASE_UNDO || DX_PHASE_IS_OUTSIDE(phase));
	handout->kind = kind;
	handout->run = run;
	handout->branch = branch;
	handout->phase = phase;
	handout->ticket = branch->ticket;
	handout->attempt = branch->attempt;
	handout->what = what;
	pass->handouts = lappend(pass->handouts, handout);
	MemoryContextSwitchTo(oldcxt);
	return handout;
}

/* Does the branch still wait for it, at the end of the pass? */
bool
dx_handout_valid(const DxHandout *handout)
{
	const DxBranch *branch = handout->branch;

	return handout->phase == 0 ||
		(!branch->gone && branch->ticketed && branch->phase == handout->phase &&
		 branch->attempt == handout->attempt &&
		 memcmp(&branch->ticket, &handout->ticket, UUID_LEN) == 0);
}

/* Has the branch left what it waited for when it was loaded, unanswered? */
bool
dx_branch_gives_up(const DxBranch *branch)
{
	if (!branch->stored_ticketed || branch->answered ||
		!(DX_PHASE_IS_OUTSIDE(branch->stored_phase) ||
		  branch->stored_phase == DX_PHASE_UNDO ||
		  branch->stored_phase == DX_PHASE_JOIN))
		return false;
	return branch->gone || !branch->ticketed ||
		branch->phase != branch->stored_phase ||
		branch->attempt != branch->stored_attempt ||
		memcmp(&branch->ticket, &branch->stored_ticket, UUID_LEN) != 0;
}

/* Gives the branch a ticket for its visit to the state, if it has none. */
void
dx_branch_ticket(DxBranch *branch)
{
	if (!branch->ticketed)
		dx_branch_new_ticket(branch);
}

/* A ticket that nobody has answered yet. */
void
dx_branch_new_ticket(DxBranch *branch)
{
	dx_uuid_v7(&branch->ticket);
	branch->ticketed = true;
	branch->changed = true;
}

/*
 * Is the message an answer to what the branch waits for now?  Asked again when
 * it is taken: the branch may have moved on since the messages were loaded, and
 * what answered the state before (an event that was published twice) must not
 * answer this one (an approval).
 */
static bool
answers(const DxBranch *branch, const DxMessage *message)
{
	return !message->consumed && !branch->gone && branch->ticketed &&
		(DX_PHASE_IS_OUTSIDE(branch->phase) || branch->phase == DX_PHASE_UNDO ||
		 branch->phase == DX_PHASE_JOIN) &&
		(message->attempt == 0 || message->attempt == branch->attempt) &&
		memcmp(&branch->ticket, &message->ticket, UUID_LEN) == 0;
}

/* The next message that still answers the branch, or NULL. */
static DxMessage *
next_answer(const DxBranch *branch)
{
	ListCell   *lc;

	foreach(lc, branch->answers)
	{
		if (answers(branch, lfirst(lc)))
			return lfirst(lc);
	}
	return NULL;
}

/* Has the branch an answer to take? */
bool
dx_branch_answered(const DxBranch *branch)
{
	return next_answer(branch) != NULL;
}

/* Takes the next answer of a branch; NULL: there is none. */
DxMessage *
dx_branch_answer(DxPass *pass, DxBranch *branch)
{
	DxMessage  *message = next_answer(branch);

	Assert(!branch->gone);
	if (message != NULL)
	{
		branch->answers = list_delete_ptr(branch->answers, message);
		dx_message_take(pass, message);
	}
	return message;
}

/* What does the branch's Task.  What waits for a token may be of any kind. */
static const DxResource *
awaited_resource(const DxBranch *branch)
{
	return dx_resource_of(branch->phase == DX_PHASE_TOKEN ?
						  DX_RESOURCE_ACTIVITY : branch->state->u.task.kind);
}

/*
 * A branch in a phase outside has answers, or its timer is over, or it goes on
 * after an incident.
 */
DxOutcome
dx_branch_wake(DxPass *pass, DxRun *run, DxBranch *branch)
{
	const DxResource *resource = awaited_resource(branch);
	bool		anew = branch->conflicts == DX_WAITS_ANEW;

	Assert(DX_PHASE_IS_OUTSIDE(branch->phase));
	if (anew)
		branch->conflicts = 0;
	if (branch->phase == DX_PHASE_APPROVAL && dx_effect_of(branch) != NULL)
		return anew && branch->answers == NIL ?
			dx_gate()->resume(pass, run, branch) : dx_gate()->wake(pass, run, branch);
	if (anew && branch->answers == NIL)
		return resource->resume(pass, run, branch);
	return resource->wake(pass, run, branch);
}

/*
 * Lets a branch go on after an incident.  It is an operator's call that does
 * that, so nothing is evaluated: the next pass of the owner's does.
 */
void
dx_branch_resume(DxPass *pass, DxBranch *branch)
{
	Assert(!branch->gone);
	dx_branch_hurry(branch, pass->now);
	branch->conflicts = 0;
	if (branch->phase == DX_PHASE_SIGNAL)
	{
		/* Its timer begins anew. */
		dx_branch_set_phase(branch, DX_PHASE_READY, pass->now);
		branch->attempt--;
	}
	if (DX_PHASE_IS_OUTSIDE(branch->phase))
		branch->conflicts = DX_WAITS_ANEW;
}

/* The branch that a message answers, or NULL.  Branches stand in order. */
static DxBranch *
answered_branch(const DxRun *run, const DxMessage *message)
{
	int			low = 0;
	int			high = list_length(run->branches) - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		DxBranch   *branch = list_nth(run->branches, middle);

		if (branch->branch < message->branch)
			low = middle + 1;
		else if (branch->branch > message->branch)
			high = middle - 1;
		else
			return answers(branch, message) ? branch : NULL;
	}
	return NULL;
}

/* After the load: hands each answer to its branch. */
void
dx_answers_match(DxRun *run)
{
	ListCell   *lc;

	foreach(lc, run->messages)
	{
		DxMessage  *message = lfirst(lc);
		DxBranch   *branch;

		if (message->branch < 0)
			continue;
		branch = answered_branch(run, message);
		if (branch != NULL)
			branch->answers = lappend(branch->answers, message);
	}
}

/* The kind of a message as the history names it. */
static const char *
message_name(const DxMessage *message)
{
	static const char *const names[] = {
		[DX_MESSAGE_SIGNAL] = "signal",
		[DX_MESSAGE_CANCEL] = "cancel",
		[DX_MESSAGE_COMPLETED] = "completion",
		[DX_MESSAGE_FAILED] = "failure",
		[DX_MESSAGE_EXPIRED] = "timeout",
		[DX_MESSAGE_EVENT] = "event",
		[DX_MESSAGE_DECIDED] = "decision",
		[DX_MESSAGE_CHILD] = "child",
		[DX_MESSAGE_TERMINATE] = "terminate",
		[DX_MESSAGE_COMPENSATE] = "compensate"
	};

	if ((int) message->kind <= 0 || (int) message->kind >= lengthof(names))
		return "unknown";
	return names[message->kind];
}

/* Puts a message that came too late on record. */
void
dx_message_late(DxPass *pass, DxRun *run, DxMessage *message)
{
	dx_message_take(pass, message);
	dx_event_by(pass, run, DX_EVENT_MESSAGE_LATE, &message->sender,
				dx_payload("kind", dx_json_string(message_name(message)),
						   "message", dx_json_string(message->name ? message->name :
													 message_name(message)),
						   "task", message->branch < 0 ? NULL :
						   dx_json_uuid(&message->ticket),
						   "payload", message->payload, NULL));
}

/* Answers that no branch waits for any more; a flood of them in several passes. */
void
dx_answers_late(DxPass *pass, DxRun *run)
{
	ListCell   *lc;

	foreach(lc, run->messages)
	{
		DxMessage  *message = lfirst(lc);

		if (dx_budget_spent(pass))
			return;
		if (message->branch >= 0 && !message->consumed &&
			answered_branch(run, message) == NULL)
			dx_message_late(pass, run, message);
	}
}
