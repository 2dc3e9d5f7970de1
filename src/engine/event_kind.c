/*-------------------------------------------------------------------------
 *
 * event_kind.c
 *	  The kinds of history event: number, name, and what their payloads have.
 *
 * What an auditor reads years later: a number never means anything else, and a
 * member is only added.  The same table stands in docs/sql-reference.md.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "engine/event_kind.h"
#include "utils/jsonb.h"

/* members: "*" is a document of the run's; else those that there may be. */
static const struct
{
	const char *name;
	const char *members;
}			events[] =

{
	[DX_EVENT_RUN_STARTED] = {"run_started", "*"},
	[DX_EVENT_STATE_SUCCEEDED] = {"state_succeeded", "next"},
	[DX_EVENT_STEP_SUCCEEDED] = {"step_succeeded", "*"},
	[DX_EVENT_STEP_FAILED] = {"step_failed", "error cause retry_at"},
	[DX_EVENT_WAIT_STARTED] = {"wait_started", "until signal event correlation_id"},
	[DX_EVENT_SIGNAL_RECEIVED] = {"signal_received", "name sent_at"},
	[DX_EVENT_STATE_FAILED] = {"state_failed", "error cause input variables token"},
	[DX_EVENT_STATE_CAUGHT] = {"state_caught", "error cause next"},
	[DX_EVENT_COMPENSATION_STARTED] = {"compensation_started", "error cause"},
	[DX_EVENT_STEP_COMPENSATED] = {"step_compensated", "output"},
	[DX_EVENT_COMPENSATION_FAILED] = {"compensation_failed", "error cause"},
	[DX_EVENT_RUN_SUCCEEDED] = {"run_succeeded", "error cause"},
	[DX_EVENT_RUN_FAILED] = {"run_failed", "error cause"},
	[DX_EVENT_RUN_TIMED_OUT] = {"run_timed_out", "error cause"},
	[DX_EVENT_RUN_CANCELLED] = {"run_cancelled", "error cause"},
	[DX_EVENT_RUN_TERMINATED] = {"run_terminated", "reason"},
	[DX_EVENT_CANCEL_REQUESTED] = {"cancel_requested", "reason"},
	[DX_EVENT_INCIDENT_OPENED] = {"incident_opened", "error cause"},
	[DX_EVENT_RUN_REDRIVEN] = {"run_redriven", "from"},
	[DX_EVENT_MESSAGE_LATE] = {"message_late", "kind message task payload"},
	[DX_EVENT_BRANCHES_STARTED] = {"branches_started", "count"},
	[DX_EVENT_COMPENSABLE_SUCCEEDED] = {"step_succeeded", "input output"},
	[DX_EVENT_ACTIVITY_SCHEDULED] = {"activity_scheduled", "activity task"},
	[DX_EVENT_EVENT_RECEIVED] = {"event_received", "name sent_at"},
	[DX_EVENT_CHILD_STARTED] = {"child_started", "workflow run"},
	[DX_EVENT_INTENT_OPENED] = {"intent_opened", "approval id quorum policy rule until"},
	[DX_EVENT_INTENT_DECIDED] = {"intent_decided", "id decision comment person for hash"},
	[DX_EVENT_EMITTED] = {"emitted", "topic id"},
	[DX_EVENT_RUN_CONTINUED] = {"run_continued", "run"},
	[DX_EVENT_EFFECT_ALLOWED] = {"effect_allowed", "id action class policy rule hash"},
	[DX_EVENT_EFFECT_REFUSED] = {"effect_refused", "id action class status policy rule why hash key of"},
	[DX_EVENT_EFFECT_SETTLED] = {"effect_settled", "id status why"},
	[DX_EVENT_RUN_REASSIGNED] = {"run_reassigned", "from to"},
};

/* The name of an event kind as people see it; "unknown" for a foreign number. */
const char *
dx_event_name(DxEventKind kind)
{
	if ((int) kind <= 0 || (int) kind >= lengthof(events) || events[kind].name == NULL)
		return "unknown";
	return events[kind].name;
}

/* Is the word one of those in the list? */
static bool
is_listed(const char *list, const char *word, int len)
{
	for (const char *p = list; *p != '\0'; p += *p == ' ')
	{
		const char *begin = p;

		while (*p != '\0' && *p != ' ')
			p++;
		if (p - begin == len && memcmp(begin, word, len) == 0)
			return true;
	}
	return false;
}

/* Has the payload (NULL: there is none) no other members than events of the kind have? */
bool
dx_event_fits(DxEventKind kind, const Jsonb *payload)
{
	const char *members = events[kind].members;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;

	if (payload == NULL || strcmp(members, "*") == 0)
		return true;
	if (!JB_ROOT_IS_OBJECT(payload))
		return false;
	it = JsonbIteratorInit(&unconstify(Jsonb *, payload)->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY && !is_listed(members, v.val.string.val, v.val.string.len))
			return false;
	}
	return true;
}
