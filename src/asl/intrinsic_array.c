/*-------------------------------------------------------------------------
 *
 * intrinsic_array.c
 *	  The intrinsic functions on arrays.
 *
 * Source: Amazon States Language, "Appendix B".  Where the text leaves
 * something open AWS's behaviour is followed: a number with a fraction is cut
 * off to an integer, an item of an empty array is null.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/build.h"
#include "asl/intrinsic.h"
#include "asl/json.h"
#include "asl/value.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#define MAX_RANGE		1000

/*
 * States.Array: the arguments, in order.
 */
bool
dx_fn_array(DxCallState *state, const DxCall *call, JsonbValue *args,
			JsonbValue *result)
{
	dx_build_value(dx_build_array(args, call->nargs), result);
	return true;
}

/*
 * States.ArrayPartition(array, size)
 */
bool
dx_fn_array_partition(DxCallState *state, const DxCall *call,
					  JsonbValue *args, JsonbValue *result)
{
	JsonbValue *elements;
	JsonbValue *chunks;
	int64		size;
	int			nelements;
	int			nchunks = 0;

	if (!dx_value_is_array(&args[0]) || !dx_value_int64(&args[1], &size) ||
		size <= 0)
		return dx_call_invalid(state, call);

	nelements = dx_take_elements(&args[0], &elements);
	size = Min(size, Max(nelements, 1));
	chunks = palloc(sizeof(JsonbValue) * (nelements / size + 1));
	for (int i = 0; i < nelements; i += size)
	{
		CHECK_FOR_INTERRUPTS();
		dx_build_value(dx_build_array(elements + i, Min(size, nelements - i)),
					   &chunks[nchunks++]);
	}
	dx_build_value(dx_build_array(chunks, nchunks), result);
	return true;
}

/*
 * Is an element what is looked for?  As recorded on AWS a text is equal to a
 * number or a boolean that is written alike.
 */
static bool
found_element(const JsonbValue *element, const JsonbValue *wanted)
{
	const JsonbValue *text = element->type == jbvString ? element : wanted;
	const JsonbValue *other = element->type == jbvString ? wanted : element;

	if (text->type == jbvString &&
		(other->type == jbvNumeric || other->type == jbvBool))
		return strcmp(dx_value_text(text), dx_value_text(other)) == 0;
	return dx_value_equal(element, wanted);
}

/*
 * States.ArrayContains(array, value)
 */
bool
dx_fn_array_contains(DxCallState *state, const DxCall *call,
					 JsonbValue *args, JsonbValue *result)
{
	JsonbValue *elements;
	int			nelements;

	if (!dx_value_is_array(&args[0]))
		return dx_call_invalid(state, call);
	nelements = dx_take_elements(&args[0], &elements);
	result->type = jbvBool;
	result->val.boolean = false;
	for (int i = 0; i < nelements && !result->val.boolean; i++)
	{
		CHECK_FOR_INTERRUPTS();
		result->val.boolean = found_element(&elements[i], &args[1]);
	}
	return true;
}

/*
 * States.ArrayRange(first, last, step)
 */
bool
dx_fn_array_range(DxCallState *state, const DxCall *call, JsonbValue *args,
				  JsonbValue *result)
{
	JsonbValue *elements;
	int64		first;
	int64		last;
	int64		step;
	int64		count;

	if (!dx_value_int64(&args[0], &first) || !dx_value_int64(&args[1], &last) ||
		!dx_value_int64(&args[2], &step) || step == 0)
		return dx_call_invalid(state, call);

	count = (step > 0) == (last >= first) || first == last ?
		(last - first) / step + 1 : 0;
	if (count > MAX_RANGE)
		return dx_call_invalid(state, call);
	elements = palloc(sizeof(JsonbValue) * MAX_RANGE);
	for (int64 i = 0; i < count; i++)
		dx_value_integer(first + i * step, &elements[i]);
	dx_build_value(dx_build_array(elements, count), result);
	return true;
}

/*
 * States.ArrayGetItem(array, index)
 */
bool
dx_fn_array_get_item(DxCallState *state, const DxCall *call,
					 JsonbValue *args, JsonbValue *result)
{
	int64		index;
	int64		length;

	if (!dx_value_is_array(&args[0]) || !dx_value_int64(&args[1], &index))
		return dx_call_invalid(state, call);
	length = JsonContainerSize(args[0].val.binary.data);
	if (length == 0)
	{
		result->type = jbvNull;
		return true;
	}
	if (index < 0 || index >= length)
		return dx_call_invalid(state, call);
	*result = *getIthJsonbValueFromContainer(args[0].val.binary.data, index);
	return true;
}

/*
 * States.ArrayLength(array)
 */
bool
dx_fn_array_length(DxCallState *state, const DxCall *call, JsonbValue *args,
				   JsonbValue *result)
{
	if (!dx_value_is_array(&args[0]))
		return dx_call_invalid(state, call);
	dx_value_integer(JsonContainerSize(args[0].val.binary.data), result);
	return true;
}

/* A hash that is the same for values that are equal. */
static uint32
hash_value(JsonbValue *value)
{
	Jsonb	   *json = dx_json_from_value(value);
	uint32		hash = DatumGetUInt32(DirectFunctionCall1(jsonb_hash,
														  JsonbPGetDatum(json)));

	pfree(json);
	return hash;
}

/*
 * States.ArrayUnique(array): of equal elements the first.
 */
bool
dx_fn_array_unique(DxCallState *state, const DxCall *call, JsonbValue *args,
				   JsonbValue *result)
{
	JsonbValue *elements;
	int		   *slots;
	uint32		nslots = 16;
	int			nelements;
	int			n = 0;

	if (!dx_value_is_array(&args[0]))
		return dx_call_invalid(state, call);
	nelements = dx_take_elements(&args[0], &elements);
	while (nslots < (uint32) nelements * 2)
		nslots *= 2;
	slots = palloc0(sizeof(int) * nslots);

	for (int i = 0; i < nelements; i++)
	{
		uint32		slot = hash_value(&elements[i]) & (nslots - 1);

		CHECK_FOR_INTERRUPTS();

		/* A slot holds the place of an element in the result plus one. */
		while (slots[slot] != 0 &&
			   !dx_value_equal(&elements[slots[slot] - 1], &elements[i]))
			slot = (slot + 1) & (nslots - 1);
		if (slots[slot] != 0)
			continue;
		elements[n] = elements[i];
		slots[slot] = ++n;
	}
	dx_build_value(dx_build_array(elements, n), result);
	return true;
}
