/*-------------------------------------------------------------------------
 *
 * envelope.h
 *	  A message: what is read of it with its run, and how it is taken.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_ENVELOPE_H
#define DX_ENGINE_ENVELOPE_H

#include "engine/columns.h"
#include "engine/model.h"
#include "engine/pass.h"

/*
 * What of a message is loaded with a run.  A payload up to this size,
 * as it is stored, comes with the envelope.
 */
#define DX_SMALL_PAYLOAD	"2000"
#define DX_ENVELOPE \
	"run_id, inbox_id, kind, name," \
	" CASE WHEN pg_catalog.pg_column_size(payload) <= " DX_SMALL_PAYLOAD " THEN payload END," \
	" sender::pg_catalog.oid, COALESCE(session, sender)::pg_catalog.oid, sent_at," \
	" branch, ticket, attempt, seen IS NOT NULL," \
	" COALESCE(pg_catalog.pg_column_size(payload) > " DX_SMALL_PAYLOAD ", false)"

extern void dx_envelope_read(DxRun *run, DxRow *row);
extern void dx_message_take(DxPass *pass, DxMessage *message);

#endif							/* DX_ENGINE_ENVELOPE_H */
