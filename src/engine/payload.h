/*-------------------------------------------------------------------------
 *
 * payload.h
 *	  Small JSON values that the engine makes: payloads of events and
 *	  messages, and the numbers, times and ids in them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_PAYLOAD_H
#define DX_ENGINE_PAYLOAD_H

#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

extern Jsonb *dx_payload(const char *first_key,...);
extern Jsonb *dx_json_int(int32 value);
extern Jsonb *dx_json_bool(bool value);
extern Jsonb *dx_json_text(const char *text);

extern Jsonb *dx_json_uuid(const pg_uuid_t *uuid);

extern Jsonb *dx_json_timestamp(TimestampTz at);

#endif							/* DX_ENGINE_PAYLOAD_H */
