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

extern void dx_inbox_load(DxPass *pass, List *runs);
extern void dx_inbox_write(List *runs);
extern void dx_inbox_admit(const pg_uuid_t *run_id, const Jsonb *payload);

#endif							/* DX_ENGINE_INBOX_H */
