/*-------------------------------------------------------------------------
 *
 * intrinsic_misc.c
 *	  The intrinsic functions on JSON texts and objects, numbers, hashes and
 *	  identifiers.
 *
 * Source: Amazon States Language, "Appendix B".
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "asl/build.h"
#include "asl/eval.h"
#include "asl/intrinsic.h"
#include "asl/value.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#define MAX_HASH_INPUT		10000	/* characters, as AWS */
#define MD5_BYTES			16
#define SHA1_BYTES			20

/* The random numbers of Java, so that a seed gives what AWS gives. */
#define JAVA_MULTIPLIER		UINT64CONST(0x5DEECE66D)
#define JAVA_MASK			((UINT64CONST(1) << 48) - 1)

/*
 * States.StringToJson(text)
 *
 * As recorded on AWS an empty text is null.
 */
bool
dx_fn_string_to_json(DxCallState *state, const DxCall *call, JsonbValue *args,
					 JsonbValue *result)
{
	if (args[0].type != jbvString)
		return dx_call_invalid(state, call);
	if ((int) strspn(dx_value_text(&args[0]), " \t\r\n") == args[0].val.string.len)
	{
		result->type = jbvNull;
		return true;
	}
	return dx_json_parse(args[0].val.string.val, args[0].val.string.len,
						 result) || dx_call_invalid(state, call);
}

/*
 * States.JsonToString(value)
 */
bool
dx_fn_json_to_string(DxCallState *state, const DxCall *call, JsonbValue *args,
					 JsonbValue *result)
{
	char	   *text = dx_value_compact(&args[0]);

	dx_value_string(text, strlen(text), result);
	return true;
}

/*
 * The members of both objects; of two with one name that of b, or, if it is to
 * go deep and both are objects, the two of them merged.
 */
static void
merge(const JsonbValue *a, const JsonbValue *b, bool deep, JsonbValue *result)
{
	DxMember   *left;
	DxMember   *right;
	DxMember   *merged;
	int			nleft = dx_take_members(a, &left);
	int			nright = dx_take_members(b, &right);
	int			n = 0;
	int			i = 0;
	int			j = 0;

	check_stack_depth();
	merged = palloc(sizeof(DxMember) * (nleft + nright + 1));
	while (i < nleft || j < nright)
	{
		int			order = i == nleft ? 1 : j == nright ? -1 :
		dx_name_compare(&left[i].name, &right[j].name);

		CHECK_FOR_INTERRUPTS();
		if (order < 0)
			merged[n++] = left[i++];
		else if (order > 0)
			merged[n++] = right[j++];
		else
		{
			merged[n] = right[j];
			if (deep && dx_value_is_object(&left[i].value) &&
				dx_value_is_object(&right[j].value))
				merge(&left[i].value, &right[j].value, true, &merged[n].value);
			n++;
			i++;
			j++;
		}
	}
	dx_build_value(dx_build_object(merged, n), result);
}

/*
 * States.JsonMerge(object, object, deep)
 */
bool
dx_fn_json_merge(DxCallState *state, const DxCall *call, JsonbValue *args,
				 JsonbValue *result)
{
	if (!dx_value_is_object(&args[0]) || !dx_value_is_object(&args[1]))
		return dx_call_invalid(state, call);
	merge(&args[0], &args[1],
		  args[2].type == jbvBool && args[2].val.boolean, result);
	return true;
}

/* The algorithm that is named so, and how long its hashes are. */
static bool
hash_algorithm(const JsonbValue *name, pg_cryptohash_type *type, int *bytes)
{
	static const struct
	{
		const char *name;
		pg_cryptohash_type type;
		int			bytes;
	}			algorithms[] =
	{
		{"MD5", PG_MD5, MD5_BYTES},
		{"SHA-1", PG_SHA1, SHA1_BYTES},
		{"SHA-256", PG_SHA256, PG_SHA256_DIGEST_LENGTH},
		{"SHA-384", PG_SHA384, PG_SHA384_DIGEST_LENGTH},
		{"SHA-512", PG_SHA512, PG_SHA512_DIGEST_LENGTH}
	};

	for (int i = 0; name->type == jbvString && i < (int) lengthof(algorithms); i++)
	{
		if (strcmp(dx_value_text(name), algorithms[i].name) != 0)
			continue;
		*type = algorithms[i].type;
		*bytes = algorithms[i].bytes;
		return true;
	}
	return false;
}

/*
 * States.Hash(data, algorithm): the hash in hexadecimal digits.
 */
bool
dx_fn_hash(DxCallState *state, const DxCall *call, JsonbValue *args,
		   JsonbValue *result)
{
	static const char digits[] = "0123456789abcdef";
	uint8		hash[PG_SHA512_DIGEST_LENGTH];
	pg_cryptohash_type type;
	pg_cryptohash_ctx *context;
	char	   *data = dx_value_text(&args[0]);
	char	   *text;
	int			bytes;
	bool		ok;

	if (!hash_algorithm(&args[1], &type, &bytes) ||
		pg_mbstrlen(data) > MAX_HASH_INPUT)
		return dx_call_invalid(state, call);
	data = pg_server_to_any(data, strlen(data), PG_UTF8);

	context = pg_cryptohash_create(type);
	ok = context != NULL && pg_cryptohash_init(context) >= 0 &&
		pg_cryptohash_update(context, (uint8 *) data, strlen(data)) >= 0 &&
		pg_cryptohash_final(context, hash, bytes) >= 0;
	if (context != NULL)
		pg_cryptohash_free(context);
	if (!ok)
		return dx_call_fail(state, "the algorithm is not available on this server");

	text = palloc(bytes * 2 + 1);
	for (int i = 0; i < bytes; i++)
	{
		text[2 * i] = digits[hash[i] >> 4];
		text[2 * i + 1] = digits[hash[i] & 0xF];
	}
	dx_value_string(text, bytes * 2, result);
	return true;
}

/*
 * A number rounded to the nearest integer, a half upwards as Java does, when
 * it is one of 32 bits.
 */
static bool
round_int32(const JsonbValue *value, int32 *number)
{
	double		rounded;

	if (value->type != jbvNumeric)
		return false;
	rounded = floor(dx_value_double(value) + 0.5);
	if (!(rounded >= PG_INT32_MIN && rounded <= PG_INT32_MAX))
		return false;
	*number = (int32) rounded;
	return true;
}

/*
 * States.MathAdd(a, b): in integers of 32 bits, as AWS.
 */
bool
dx_fn_math_add(DxCallState *state, const DxCall *call, JsonbValue *args,
			   JsonbValue *result)
{
	int32		a;
	int32		b;
	int64		sum;

	if (!round_int32(&args[0], &a) || !round_int32(&args[1], &b))
		return dx_call_invalid(state, call);
	sum = (int64) a + b;
	if (sum < PG_INT32_MIN || sum > PG_INT32_MAX)
		return dx_call_invalid(state, call);
	dx_value_integer(sum, result);
	return true;
}

/* java.util.Random.next(), seed as that class scrambles it */
static uint32
java_next(uint64 *seed, int bits)
{
	*seed = (*seed * JAVA_MULTIPLIER + 0xB) & JAVA_MASK;
	return (uint32) (*seed >> (48 - bits));
}

/*
 * java.util.Random.nextInt(bound); beyond 31 bits the rest of nextLong().
 */
static uint64
java_below(uint64 seed, uint64 bound)
{
	uint64		bits;
	uint64		value;

	seed = (seed ^ JAVA_MULTIPLIER) & JAVA_MASK;
	if (bound > PG_INT32_MAX)
	{
		bits = (uint64) java_next(&seed, 32) << 32;
		return (bits + java_next(&seed, 32)) % bound;
	}
	if ((bound & (bound - 1)) == 0)
		return (bound * java_next(&seed, 31)) >> 31;
	do
	{
		bits = java_next(&seed, 31);
		value = bits % bound;
	} while (bits - value + (bound - 1) > PG_INT32_MAX);
	return value;
}

/* A random number under the bound, each as likely as the others. */
static bool
random_below(uint64 bound, uint64 *value)
{
	/* Above the limit the low numbers would come more often. */
	uint64		limit = PG_UINT64_MAX - PG_UINT64_MAX % bound;

	do
	{
		CHECK_FOR_INTERRUPTS();
		if (!pg_strong_random(value, sizeof(*value)))
			return false;
	} while (*value >= limit);
	*value %= bound;
	return true;
}

/*
 * States.MathRandom(start, end [, seed]): start counts in, end does not.
 */
bool
dx_fn_math_random(DxCallState *state, const DxCall *call, JsonbValue *args,
				  JsonbValue *result)
{
	int64		start;
	int64		end;
	int64		seed = 0;
	uint64		value;

	if (!dx_value_int64(&args[0], &start) || !dx_value_int64(&args[1], &end) ||
		(call->nargs == 3 && !dx_value_int64(&args[2], &seed)) || start >= end)
		return dx_call_invalid(state, call);
	if (call->nargs == 3)
		value = java_below((uint64) seed, (uint64) (end - start));
	else if (!random_below((uint64) (end - start), &value))
		return dx_call_fail(state, "there is no source of random numbers");
	dx_value_integer(start + (int64) value, result);
	return true;
}

/*
 * States.UUID(): version 4.
 */
bool
dx_fn_uuid(DxCallState *state, const DxCall *call, JsonbValue *args,
		   JsonbValue *result)
{
	uint8		b[16];
	char	   *text;

	if (!pg_strong_random(b, sizeof(b)))
		return dx_call_fail(state, "there is no source of random numbers");
	b[6] = (b[6] & 0x0F) | 0x40;
	b[8] = (b[8] & 0x3F) | 0x80;
	text = psprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
					b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7],
					b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	dx_value_string(text, strlen(text), result);
	return true;
}
