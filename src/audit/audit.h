/*-------------------------------------------------------------------------
 *
 * audit.h
 *	  The hash chain of a run's history.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_AUDIT_H
#define DX_AUDIT_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define DX_HASH_LENGTH 32

typedef struct DxHash
{
	uint8		bytes[DX_HASH_LENGTH];
} DxHash;

/* Head of a run's chain: the hash of its last event; all zero before it. */
typedef struct DxChain
{
	DxHash		head;
} DxChain;

/* What of an event is under the hash. */
typedef struct DxAuditEvent
{
	const pg_uuid_t *run_id;
	int32		seq;
	int16		kind;
	int32		branch;
	const char *state;			/* NULL: none */
	int32		attempt;
	const char *actor;			/* role name at that time; NULL: the owner */
	const char *session_actor;	/* who had logged in; NULL: the actor */
	TimestampTz at;
	const DxHash *payload;		/* dx_payload_hash; NULL: none */
} DxAuditEvent;

typedef struct DxHasher DxHasher;

extern DxHasher *dx_hasher_open(void);
extern void dx_hasher_close(DxHasher *hasher);
extern void dx_sha256(DxHasher *hasher, const void *data, size_t len, DxHash *hash);
extern bytea *dx_hash_bytes(const DxHash *hash);
extern void dx_payload_hash(DxHasher *hasher, const Jsonb *payload, DxHash *hash);
extern void dx_chain_append(DxHasher *hasher, DxChain *chain,
							const DxAuditEvent *event);

#endif							/* DX_AUDIT_H */
