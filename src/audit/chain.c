/*-------------------------------------------------------------------------
 *
 * chain.c
 *	  Each event's hash covers the event and the hash before it.
 *
 *	  hash(n) = SHA-256(0x00 || encoding(n)), the leaf hash of RFC 6962
 *	  section 2.1, with an encoding that starts with a domain string and the
 *	  hash before, and writes every field with its length or at a fixed width
 *	  in network byte order.  What is hashed is what is stored: the time in
 *	  microseconds, the payload as the SHA-256 of its jsonb text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "audit/audit.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

static const char event_domain[] = "dealix_exec/event/1";

/*
 * Opens a context for many hashes: making one costs more than a short hash.
 * It belongs to the current resource owner and has to be closed under it.
 */
DxHasher *
dx_hasher_open(void)
{
	return (DxHasher *) pg_cryptohash_create(PG_SHA256);
}

/* Frees what dx_hasher_open() has made. */
void
dx_hasher_close(DxHasher *hasher)
{
	pg_cryptohash_free((pg_cryptohash_ctx *) hasher);
}

/*
 * SHA-256 of len bytes.  Errors: XX000 when the server's library refuses.
 */
void
dx_sha256(DxHasher *hasher, const void *data, size_t len, DxHash *hash)
{
	pg_cryptohash_ctx *ctx = (pg_cryptohash_ctx *) hasher;

	Assert(hasher != NULL);
	if (ctx == NULL ||
		pg_cryptohash_init(ctx) < 0 ||
		pg_cryptohash_update(ctx, data, len) < 0 ||
		pg_cryptohash_final(ctx, hash->bytes, DX_HASH_LENGTH) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a SHA-256 hash")));
}

/*
 * A text with its length before it; -1 stands for none. Part of the encoding
 * that is hashed: frozen.
 */
static void
append_text(StringInfo buf, const char *text)
{
	if (text == NULL)
	{
		pq_sendint32(buf, (uint32) -1);
		return;
	}
	pq_sendint32(buf, strlen(text));
	appendBinaryStringInfo(buf, text, strlen(text));
}

/* A hash as a column has it. */
bytea *
dx_hash_bytes(const DxHash *hash)
{
	bytea	   *bytes = palloc(VARHDRSZ + DX_HASH_LENGTH);

	SET_VARSIZE(bytes, VARHDRSZ + DX_HASH_LENGTH);
	memcpy(VARDATA(bytes), hash->bytes, DX_HASH_LENGTH);
	return bytes;
}

/*
 * The hash of a payload: SHA-256 over its text as the server writes jsonb.
 */
void
dx_payload_hash(DxHasher *hasher, const Jsonb *payload, DxHash *hash)
{
	StringInfoData text;

	initStringInfo(&text);
	(void) JsonbToCString(&text, unconstify(JsonbContainer *, &payload->root),
						  VARSIZE(payload));
	dx_sha256(hasher, text.data, text.len, hash);
	pfree(text.data);
}

/*
 * Moves the head of a chain over one more event.
 */
void
dx_chain_append(DxHasher *hasher, DxChain *chain, const DxAuditEvent *event)
{
	StringInfoData buf;

	Assert(hasher != NULL);
	initStringInfo(&buf);
	appendStringInfoChar(&buf, '\0');
	append_text(&buf, event_domain);
	appendBinaryStringInfo(&buf, (const char *) chain->head.bytes, DX_HASH_LENGTH);
	appendBinaryStringInfo(&buf, (const char *) event->run_id->data, UUID_LEN);
	pq_sendint32(&buf, event->seq);
	pq_sendint16(&buf, event->kind);
	pq_sendint32(&buf, event->branch);
	append_text(&buf, event->state);
	pq_sendint32(&buf, event->attempt);
	append_text(&buf, event->actor);
	append_text(&buf, event->session_actor);
	pq_sendint64(&buf, event->at);
	if (event->payload != NULL)
		appendBinaryStringInfo(&buf, (const char *) event->payload->bytes, DX_HASH_LENGTH);
	dx_sha256(hasher, buf.data, buf.len, &chain->head);
	pfree(buf.data);
}
