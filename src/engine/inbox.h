/*-------------------------------------------------------------------------
 *
 * inbox.h
 *	  Messages for a run, between the sender's commit and the state that
 *	  takes them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_INBOX_H
#define DX_ENGINE_INBOX_H

#include "engine/pass.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

/* As SQL: the priority of a run. */
#define DX_PRIORITY_OF(run_id) \
	"(SELECT r.priority FROM dealix.run r WHERE r.run_id = " run_id ")"

/*
 * The one door to the inbox: a statement, or a part of one, that puts a message
 * there for each row of source ("FROM ..."; "" is one row).  The arguments are
 * what the columns get, as SQL; kind is DX_SQL(MESSAGE_...), or a parameter.
 */
#define DX_INBOX_SEND(run_id, sent_at, owner, kind, sender, session, name, branch, ticket, attempt, payload, source) \
	"INSERT INTO dealix.inbox (run_id, sent_at, owner, kind, sender, session, name," \
	" branch, ticket, attempt, payload) SELECT " run_id ", " sent_at ", " owner ", " kind ", " \
	sender ", " session ", " name ", " branch ", " ticket ", " attempt ", " payload " " source

/* Behind it: whom to wake, for dx_wake_returned. */
#define DX_INBOX_RECEIVERS \
	" RETURNING run_id, owner::pg_catalog.oid, " DX_PRIORITY_OF("inbox.run_id")

/* When a message is sent: not when its transaction began. */
#define DX_SENT_NOW			"pg_catalog.clock_timestamp()"

extern void dx_inbox_load(DxPass *pass, List *runs);
extern void dx_inbox_write(List *runs);
extern void dx_inbox_admit(const pg_uuid_t *run_id, const Jsonb *payload);

#endif							/* DX_ENGINE_INBOX_H */
