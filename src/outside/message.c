/*-------------------------------------------------------------------------
 *
 * message.c
 *	  Messages to a run: they are put into its inbox without touching the
 *	  run's row, so that a sender never waits for a pass.
 *
 * A message can come while the run ends; then the next look at the run puts it
 * on record as late (run.c).  A run that hands over to another ends nothing:
 * messages are sent to the line of runs (line.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "asl/json.h"
#include "base/identity.h"
#include "base/plan.h"
#include "base/poison.h"
#include "base/server.h"
#include "base/sqlstate.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "engine/access.h"
#include "engine/columns.h"
#include "engine/evict.h"
#include "engine/history.h"
#include "engine/inbox.h"
#include "engine/line.h"
#include "engine/model.h"
#include "engine/payload.h"
#include "engine/payload_limit.h"
#include "engine/run.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "outside/message.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"
#include "utils/varlena.h"

static DxStatement run_statement = {
	"SELECT status, owner::pg_catalog.oid, durability, priority,"
	" COALESCE(first_run, run_id), continued_as IS NOT NULL, version_id"
	" FROM dealix.run WHERE run_id = $1",
	1, {UUIDOID}
};

static DxStatement key_statement = {
	"INSERT INTO dealix.message_key (run_id, name, key) VALUES ($1, $2, $3)"
	" ON CONFLICT DO NOTHING",
	3, {UUIDOID, TEXTOID, TEXTOID}
};

static DxStatement sent_statement = {
	"SELECT FROM dealix.message_key WHERE run_id = $1 AND name = $2 AND key = $3",
	3, {UUIDOID, TEXTOID, TEXTOID}
};

static DxStatement inbox_statement = {
	DX_INBOX_SEND("$1", DX_SENT_NOW, "$2", "$3", "$4", "$7", "$5", "NULL", "NULL", "NULL",
				  "$6", ""),
	7, {UUIDOID, OIDOID, INT2OID, OIDOID, TEXTOID, JSONBOID, OIDOID}
};

/* Nothing if a state of the version asks for a signal of this name. */
static DxStatement unasked_statement = {
	"SELECT w.name, v.version, (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(n), ', ')"
	" FROM (SELECT * FROM unnest(v.signals) n LIMIT 20) n), v.signals"
	" FROM dealix.version v JOIN dealix.workflow w USING (workflow_id)"
	" WHERE v.version_id = $1 AND $2 <> ALL (v.signals)",
	2, {INT4OID, TEXTOID}
};

static DxStatement newest_statement = {
	"SELECT xmin FROM dealix.inbox WHERE run_id = $1 ORDER BY inbox_id DESC LIMIT 100",
	1, {UUIDOID}
};

static DxStatement by_key_statement = {
	"SELECT k.run_id FROM dealix.run_key k JOIN dealix.workflow w ON w.workflow_id = k.workflow_id"
	" WHERE w.name = $1 AND k.owner = $2 AND k.key = $3",
	3, {TEXTOID, OIDOID, TEXTOID}
};

/* As levenshtein.c has it. */
#define DX_LEVENSHTEIN_MAX	255

typedef struct Receiver
{
	DxRunStatus status;
	Oid			owner;
	int16		durability;
	int16		priority;
	pg_uuid_t	run_id;
	pg_uuid_t	mailbox;		/* of the run's line */
	int32		version_id;
} Receiver;

/* Reads a run; *continued: another goes on in its place.  false: none. */
static bool
read_receiver(const pg_uuid_t *run_id, Receiver *receiver, bool *continued)
{
	Datum		values[1];
	bool		found;

	values[0] = UUIDPGetDatum(run_id);
	(void) dx_execute(&run_statement, values, NULL, false, 1);
	found = SPI_processed > 0;
	if (found)
	{
		DxRow		row = dx_row(0);

		receiver->run_id = *run_id;
		receiver->status = dx_get_int2(&row);
		receiver->owner = DatumGetObjectId(dx_get(&row));
		receiver->durability = dx_get_int2(&row);
		receiver->priority = dx_get_int2(&row);
		(void) dx_get_uuid(&row, &receiver->mailbox);
		*continued = DatumGetBool(dx_get(&row));
		receiver->version_id = dx_get_int4(&row);
	}
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/* The run, or the one that goes on in its place. */
static void
find_receiver(const pg_uuid_t *run_id, Receiver *receiver)
{
	DxIdentity	saved;
	bool		continued = false;
	bool		found;

	dx_engine_enter(&saved);
	found = read_receiver(run_id, receiver, &continued);
	/* By the time that we have found it, it may have handed over, too. */
	while (found && continued)
	{
		pg_uuid_t	last;

		CHECK_FOR_INTERRUPTS();
		dx_line_last(&receiver->mailbox, &last);
		found = read_receiver(&last, receiver, &continued);
	}
	dx_engine_leave(&saved);
	if (!found || !dx_may_operate(receiver->owner))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("there is no run %s", dx_uuid_text(run_id)),
				 errhint("See dealix.runs for the runs that you may see.")));
}

/* Puts a message into the inbox.  false: its key was used before. */
static bool
send(const Receiver *receiver, DxMessageKind kind, const char *name,
	 Jsonb *payload, const char *key)
{
	DxActor		sender = dx_actor();
	DxIdentity	saved;
	Datum		values[7];
	char		nulls[7];

	dx_engine_enter(&saved);
	memset(nulls, ' ', sizeof(nulls));
	values[0] = UUIDPGetDatum(&receiver->mailbox);
	if (key != NULL)
	{
		values[1] = CStringGetTextDatum(name);
		values[2] = CStringGetTextDatum(key);
		(void) dx_execute(&key_statement, values, NULL, false, 0);
		if (SPI_processed == 0)
		{
			dx_engine_leave(&saved);
			return false;
		}
	}
	if (kind == DX_MESSAGE_SIGNAL)
		dx_inbox_admit(&receiver->mailbox, payload);
	values[1] = ObjectIdGetDatum(receiver->owner);
	values[2] = Int16GetDatum(kind);
	values[3] = ObjectIdGetDatum(sender.role);
	values[6] = ObjectIdGetDatum(sender.session);
	if (name != NULL)
		values[4] = CStringGetTextDatum(name);
	else
		nulls[4] = 'n';
	if (payload != NULL)
		values[5] = JsonbPGetDatum(payload);
	else
		nulls[5] = 'n';
	(void) dx_execute(&inbox_statement, values, nulls, false, 0);
	dx_engine_leave(&saved);
	dx_wake_run(receiver->owner, &receiver->run_id, receiver->priority);
	if (receiver->durability == DX_DURABILITY_SYNC)
		dx_force_durable();
	return true;
}

/* Was a signal with this key sent before? */
static bool
was_sent(const Receiver *receiver, const char *name, const char *key)
{
	Datum		values[3];

	values[0] = UUIDPGetDatum(&receiver->mailbox);
	values[1] = CStringGetTextDatum(name);
	values[2] = CStringGetTextDatum(key);
	dx_query(&sent_statement, values, NULL, false, 1);
	return SPI_processed > 0;
}

/* The name that this one is most like; NULL: it is like none. */
static const char *
closest_name(ArrayType *names, const char *name)
{
	Datum	   *elements;
	const char *closest = NULL;
	int			least = (int) strlen(name) / 3 + 2;
	int			n;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		char	   *other = TextDatumGetCString(elements[i]);
		int			distance;

		/* Longer ones are beyond what the server compares. */
		if (strlen(other) > DX_LEVENSHTEIN_MAX || strlen(name) > DX_LEVENSHTEIN_MAX)
			continue;
		distance = varstr_levenshtein_less_equal(other, strlen(other), name, strlen(name),
												 1, 1, 1, least, true);
		if (distance < least)
		{
			least = distance;
			closest = other;
		}
	}
	return closest;
}

/*
 * Says so if no state of the run's version asks for such a signal.  It is kept
 * all the same: the line may go on with another version.
 */
static void
notice_unasked(const Receiver *receiver, const char *name)
{
	Datum		values[2];

	values[0] = Int32GetDatum(receiver->version_id);
	values[1] = CStringGetTextDatum(name);
	dx_query(&unasked_statement, values, NULL, true, 1);
	if (SPI_processed > 0)
	{
		DxRow		row = dx_row(0);
		char	   *workflow = dx_get_text(&row);
		int32		version = dx_get_int4(&row);
		char	   *asked = dx_get_text(&row);
		const char *closest = closest_name(DatumGetArrayTypeP(dx_get(&row)), name);

		ereport(NOTICE,
				(errmsg("no state of version %d of workflow \"%s\" asks for a signal \"%s\"",
						version, workflow, name),
				 errdetail("It is kept, and dealix.signals shows it."),
				 closest ? errhint("Did you mean \"%s\"?", closest) :
				 asked ? errhint("It asks for %s.", asked) : 0));
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Sends a signal to a run.  key: NULL, or what makes it unique among the run's
 * signals of this name.  Returns false when the key was used before: nothing
 * is sent then, and the run may have ended meanwhile.  Needs SPI_connect.
 * Errors: P0002 no such run, DX006 the run has ended, DX009 payload too large.
 */
bool
dx_send_signal(const pg_uuid_t *run_id, const char *name, Jsonb *payload,
			   const char *key)
{
	Receiver	receiver;

	dx_check_payload(payload, "the payload of the signal");
	find_receiver(run_id, &receiver);
	if (dx_status_ended(receiver.status) && key != NULL &&
		was_sent(&receiver, name, key))
		return false;
	if (dx_status_ended(receiver.status))
		ereport(ERROR,
				(errcode(DX_SQLSTATE_ENDED),
				 errmsg("run %s has ended: it is %s", dx_uuid_text(run_id),
						dx_status_name(receiver.status)),
				 errdetail("Signal \"%s\" was not sent.", name)));
	notice_unasked(&receiver, name);
	return send(&receiver, DX_MESSAGE_SIGNAL, name, payload, key);
}

/*
 * What a person asks of a run.  false: it has ended already, and only what has
 * succeeded can still be compensated.
 */
static bool
send_command(const pg_uuid_t *run_id, DxMessageKind kind, const char *reason)
{
	Receiver	receiver;

	dx_check_comment(reason, "the reason");
	find_receiver(run_id, &receiver);
	/* Who is left alone gets one more chance, to be stopped. */
	if (dx_poison_left_alone(run_id))
		dx_poison_forget(run_id);
	if (dx_status_ended(receiver.status) &&
		!(kind == DX_MESSAGE_COMPENSATE && receiver.status == DX_RUN_SUCCEEDED))
		return false;
	return send(&receiver, kind, NULL,
				reason ? dx_payload("reason", dx_json_string(reason), NULL) : NULL,
				NULL);
}

/*
 * Asks a run to stop and to compensate.  false: it has ended already.  Needs
 * SPI_connect.  Errors: P0002 no such run.
 */
bool
dx_send_cancel(const pg_uuid_t *run_id, const char *reason)
{
	return send_command(run_id, DX_MESSAGE_CANCEL, reason);
}

/*
 * Asks for a run to be stopped as soon as the pass that has it ends.  false: it
 * has ended already.  Needs SPI_connect.  Errors: P0002 no such run.
 */
bool
dx_send_terminate(const pg_uuid_t *run_id, const char *reason)
{
	return send_command(run_id, DX_MESSAGE_TERMINATE, reason);
}

/*
 * The same, and the process that has the run in hand ends when this commits:
 * for a step that does not heed its cancel.
 */
bool
dx_send_kill(const pg_uuid_t *run_id, const char *reason)
{
	Receiver	receiver;

	if (!send_command(run_id, DX_MESSAGE_TERMINATE, reason))
		return false;
	find_receiver(run_id, &receiver);
	dx_run_evict(&receiver.run_id, receiver.owner);
	return true;
}

/*
 * Asks for a run to be undone: one that goes on is cancelled, one that has
 * succeeded is compensated.  false: it has ended otherwise.  Needs
 * SPI_connect.  Errors: P0002 no such run.
 */
bool
dx_send_compensate(const pg_uuid_t *run_id, const char *reason)
{
	return send_command(run_id, DX_MESSAGE_COMPENSATE, reason);
}

/*
 * Has this transaction put something into the mailbox of this line?  Needs
 * SPI_connect.
 */
bool
dx_sent_here(const pg_uuid_t *line)
{
	Datum		values[1];
	bool		here = false;

	if (!TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return false;
	values[0] = UUIDPGetDatum(line);
	dx_query(&newest_statement, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed && !here; i++)
	{
		DxRow		row = dx_row(i);

		here = TransactionIdIsCurrentTransactionId(DatumGetTransactionId(dx_get(&row)));
	}
	SPI_freetuptable(SPI_tuptable);
	return here;
}

/* The current user's run with this key.  false: there is none. */
bool
dx_run_by_key(const char *workflow, const char *key, pg_uuid_t *run_id)
{
	Datum		values[3];
	bool		found;

	values[0] = CStringGetTextDatum(workflow);
	values[1] = ObjectIdGetDatum(GetUserId());
	values[2] = CStringGetTextDatum(key);
	dx_query(&by_key_statement, values, NULL, false, 1);
	found = SPI_processed > 0;
	if (found)
	{
		DxRow		row = dx_row(0);

		(void) dx_get_uuid(&row, run_id);
	}
	SPI_freetuptable(SPI_tuptable);
	return found;
}
