/*-------------------------------------------------------------------------
 *
 * signal.c
 *	  signal: states: a branch waits for one named message, for the first of
 *	  several ("a|b"), or for all of several ("a&b").
 *
 * Signals wait in the inbox until they are asked for, so nothing has to be
 * remembered of those that have come while others are missing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "base/clock.h"
#include "engine/budget.h"
#include "engine/envelope.h"
#include "engine/evaluate.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/phase.h"
#include "engine/signal.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/*
 * The names in "a|b" (*all = false) or "a&b" (*all = true), as char *.
 */
List *
dx_names_split(const char *names, bool *all)
{
	List	   *list = NIL;
	const char *p = names;

	*all = strchr(names, '&') != NULL;
	for (;;)
	{
		size_t		len = strcspn(p, "|&");

		list = lappend(list, pnstrdup(p, len));
		if (p[len] == '\0')
			return list;
		p += len + 1;
	}
}

/* The oldest message of this name that nobody has taken. */
static DxMessage *
find_message(const DxRun *run, const char *name)
{
	ListCell   *lc;

	foreach(lc, run->messages)
	{
		DxMessage  *message = lfirst(lc);

		if (!message->consumed && message->kind == DX_MESSAGE_SIGNAL &&
			strcmp(message->name, name) == 0)
			return message;
	}
	return NULL;
}

/*
 * The messages that satisfy the branch, in the order of its names, or in the
 * order of arrival the one that came first; NIL: not yet.
 */
static List *
find_messages(const DxRun *run, const DxBranch *branch, bool *several)
{
	bool		all;
	List	   *names = dx_names_split(branch->wait_for, &all);
	List	   *found = NIL;
	ListCell   *lc;

	*several = list_length(names) > 1;
	foreach(lc, names)
	{
		DxMessage  *message = find_message(run, lfirst(lc));

		if (message == NULL && all)
			return NIL;
		if (message == NULL)
			continue;
		if (all || found == NIL)
			found = lappend(found, message);
		else if (message->inbox_id < ((DxMessage *) linitial(found))->inbox_id)
			linitial(found) = message;
	}
	return found;
}

/* Is there what the branch waits for? */
bool
dx_signal_here(const DxRun *run, const DxBranch *branch)
{
	bool		several;

	Assert(branch->wait_for != NULL);
	return run->messages != NIL && find_messages(run, branch, &several) != NIL;
}

/*
 * The result: of one name the payload, of the first of several {"name",
 * "payload"}, of all of several an object of the payloads by name.
 */
static Jsonb *
result_of(const DxBranch *branch, List *messages, bool several)
{
	DxMessage  *first = linitial(messages);
	Jsonb	   *result = dx_json_empty_object();
	ListCell   *lc;

	if (!several)
		return first->payload;
	if (strchr(branch->wait_for, '&') == NULL)
		return dx_payload("name", dx_json_string(first->name),
						  "payload", first->payload, NULL);
	foreach(lc, messages)
	{
		DxMessage  *message = lfirst(lc);

		result = dx_json_set(result, message->name, message->payload);
	}
	return result;
}

/* Takes the messages out of the inbox; they are the state's result. */
static DxOutcome
take_signals(DxPass *pass, DxRun *run, DxBranch *branch, List *messages,
			 bool several)
{
	ListCell   *lc;

	foreach(lc, messages)
	{
		DxMessage  *message = lfirst(lc);

		dx_message_take(pass, message);
		dx_event_by(pass, run, DX_EVENT_SIGNAL_RECEIVED, &message->sender,
					dx_payload("name", dx_json_string(message->name),
							   "sent_at", dx_json_timestamp(message->sent_at), NULL));
	}
	return dx_done(result_of(branch, messages, several));
}

/* A branch has come to a signal: state. */
DxOutcome
dx_signal_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	const DxTask *task = &branch->state->u.task;
	DxFault		fault = {NULL, NULL};
	TimestampTz until = DT_NOEND;
	List	   *messages;
	bool		several;
	bool		limited;
	double		timeout;

	Assert(branch->phase == DX_PHASE_READY);
	Assert(branch->state->u.task.kind == DX_RESOURCE_SIGNAL);
	if (!dx_eval_amount(&task->timeout, env, &limited, &timeout, &fault))
		return dx_failed(&fault);
	branch->wait_for = pstrdup(task->target);
	messages = find_messages(run, branch, &several);
	if (messages != NIL)
		return take_signals(pass, run, branch, messages, several);
	if (limited)
		until = dx_after_seconds(dx_now(), timeout);
	dx_branch_park(run, branch, DX_PHASE_SIGNAL, until);
	dx_event(pass, run, DX_EVENT_WAIT_STARTED, branch,
			 dx_payload("signal", dx_json_string(branch->wait_for),
						"until", limited ? dx_json_timestamp(until) : NULL, NULL));
	return dx_parked();
}

/* A branch in a signal: state was woken: by signals, or by its timeout. */
DxOutcome
dx_signal_wake(DxPass *pass, DxRun *run, DxBranch *branch)
{
	bool		several;
	List	   *messages = find_messages(run, branch, &several);
	DxFault		fault;

	Assert(branch->phase == DX_PHASE_SIGNAL);
	if (messages != NIL)
		return take_signals(pass, run, branch, messages, several);
	fault.error = pstrdup(DX_ERROR_TIMEOUT);
	fault.cause = psprintf("No signal \"%s\" came in time.", branch->wait_for);
	return dx_failed(&fault);
}
