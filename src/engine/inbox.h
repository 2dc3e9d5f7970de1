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

#include "engine/columns.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

/*
 * inbox.c: what of a message is loaded with a run.  A payload up to this size,
 * as it is stored, comes with the envelope.
 */
#define DX_SMALL_PAYLOAD	"2000"
#define DX_ENVELOPE \
	"run_id, inbox_id, kind, name," \
	" CASE WHEN pg_catalog.pg_column_size(payload) <= " DX_SMALL_PAYLOAD " THEN payload END," \
	" sender::pg_catalog.oid, COALESCE(session, sender)::pg_catalog.oid, sent_at," \
	" branch, ticket, epoch, seen IS NOT NULL," \
	" COALESCE(pg_catalog.pg_column_size(payload) > " DX_SMALL_PAYLOAD ", false)"

extern void dx_inbox_read(DxRun *run, DxRow *row);

extern void dx_inbox_load(DxPass *pass, List *runs);
extern void dx_inbox_write(List *runs);
extern void dx_inbox_admit(const pg_uuid_t *run_id, const Jsonb *payload);
extern void dx_message_take(DxPass *pass, DxMessage *message);

#endif							/* DX_ENGINE_INBOX_H */
