/*-------------------------------------------------------------------------
 *
 * payload.c
 *	  Small JSON values that the engine makes: payloads of events and messages,
 *	  and the numbers, times and ids in them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/json.h"
#include "base/bounds.h"
#include "base/uuid.h"
#include "engine/payload.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define PAYLOAD_MAX_PAIRS	16

/*
 * An object for a payload: pairs of key and Jsonb *, up to a NULL key; pairs
 * whose value is NULL are left out.
 */
Jsonb *
dx_payload(const char *first_key,...)
{
	const char *keys[PAYLOAD_MAX_PAIRS];
	Jsonb	   *values[PAYLOAD_MAX_PAIRS];
	const char *key;
	va_list		args;
	int			n = 0;

	va_start(args, first_key);
	for (key = first_key; key != NULL; key = va_arg(args, const char *))
	{
		Jsonb	   *value = va_arg(args, Jsonb *);

		if (value == NULL)
			continue;
		dx_check_room(n, PAYLOAD_MAX_PAIRS, "members of an event's payload");
		keys[n] = key;
		values[n++] = value;
	}
	va_end(args);
	return dx_json_object(n, keys, values);
}

/* A number as JSON. */
Jsonb *
dx_json_int(int32 value)
{
	JsonbValue	v;

	v.type = jbvNumeric;
	v.val.numeric = DatumGetNumeric(DirectFunctionCall1(int4_numeric,
														Int32GetDatum(value)));
	return dx_json_from_value(&v);
}

/* A boolean as JSON. */
Jsonb *
dx_json_bool(bool value)
{
	JsonbValue	v;

	v.type = jbvBool;
	v.val.boolean = value;
	return dx_json_from_value(&v);
}

/* A text as JSON, for dx_payload: no text, no member. */
Jsonb *
dx_json_text(const char *text)
{
	return text != NULL ? dx_json_string(text) : NULL;
}

/* A time in UTC, as the language writes it. */
Jsonb *
dx_json_timestamp(TimestampTz at)
{
	char		buf[64];
	struct pg_tm tm;
	fsec_t		fsec;

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		return dx_json_null();
	snprintf(buf, sizeof(buf), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
			 tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min,
			 tm.tm_sec, (int) (fsec / 1000));
	return dx_json_string(buf);
}

/* A uuid as JSON. */
Jsonb *
dx_json_uuid(const pg_uuid_t *uuid)
{
	return dx_json_string(dx_uuid_text(uuid));
}
