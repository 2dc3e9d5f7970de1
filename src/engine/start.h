/*-------------------------------------------------------------------------
 *
 * start.h
 *	  Starting runs, in the caller's transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_START_H
#define DX_ENGINE_START_H

#include "engine/owner.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef struct DxStart
{
	char	   *workflow;
	int32		version;		/* 0: the latest */
	char	   *correlation_id;
	char	   *traceparent;
	int16		priority;
	int16		durability;

	/* for who is not an application: all zero otherwise */
	TimestampTz due_at;			/* not before; 0: now */
	bool		any_input;		/* a run with the key may have another */
	const pg_uuid_t *run_id;	/* the id that it gets */
	const pg_uuid_t *first_run; /* of the line that it continues */
	Oid			owner;			/* InvalidOid: the current user */
	const pg_uuid_t *parent;	/* NULL: none */
	const pg_uuid_t *parent_ticket; /* NULL: its own id */
	int32		parent_branch;	/* -1: nobody waits */
	int16		close_policy;	/* DxClosePolicy */
	int16		depth;
	List	   *requesters;		/* Oids; NIL: who this session is */
	const char *map_state;		/* items of a distributed Map: of which state, */
	const int32 *items;			/* and their numbers, one for each input */
} DxStart;

extern bool dx_start_allowed(const DxStart *start, DxOwnerProblem *problem);
extern void dx_start(const DxStart *start, int n, Jsonb **inputs, char **keys,
					 pg_uuid_t *run_ids);

#endif							/* DX_ENGINE_START_H */
