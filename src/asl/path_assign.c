/*-------------------------------------------------------------------------
 *
 * path_assign.c
 *	  Puts a value at a reference path (ResultPath), and the functions that a
 *	  path can end with.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "asl/asl.h"
#include "asl/build.h"
#include "asl/eval.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "asl/path_parse.h"
#include "asl/value.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/*
 * The object with one member replaced or added.
 */
static void
replace_member(const JsonbValue *object, const DxName *name,
			   const JsonbValue *value, JsonbValue *result)
{
	DxMember   *members;
	int			n = 0;

	if (object == NULL)
		members = palloc(sizeof(DxMember));
	else
		n = dx_take_members(object, &members);	/* leaves room for one more */
	members[n].name = *name;
	members[n].value = *value;
	dx_build_value(dx_build_object(members, n + 1), result);
}

/*
 * A copy of the array with one element replaced; false when there is no such
 * element.
 */
static bool
replace_element(const JsonbValue *array, int index, const JsonbValue *value,
				JsonbValue *result)
{
	JsonbValue *elements;
	int			n = dx_take_elements(array, &elements);

	if (index < 0)
		index += n;
	if (index < 0 || index >= n)
		return false;
	elements[index] = *value;
	dx_build_value(dx_build_array(elements, n), result);
	return true;
}

/*
 * What a member or an element holds now; false when it is not there.
 */
static bool
current_child(const DxStep *step, const JsonbValue *target, JsonbValue *child)
{
	JsonbValue *element;
	int			index = step->indexes ? step->indexes[0] : 0;

	if (step->kind == DX_STEP_MEMBER)
		return getKeyJsonValueFromContainer(target->val.binary.data,
											step->names[0].text,
											step->names[0].len,
											child) != NULL;
	if (index < 0)
		index += JsonContainerSize(target->val.binary.data);
	if (index < 0)
		return false;
	element = getIthJsonbValueFromContainer(target->val.binary.data, index);
	if (element != NULL)
		*child = *element;
	return element != NULL;
}

/*
 * target (NULL: there is none yet) with value at the steps from number
 * step_number on.  false when the path does not fit.
 */
static bool
assign(const DxPath *path, int step_number, const JsonbValue *target,
	   const JsonbValue *value, JsonbValue *result)
{
	const DxStep *step;
	JsonbValue	child;
	JsonbValue	changed;
	bool		exists;

	check_stack_depth();
	if (step_number == path->nsteps)
	{
		*result = *value;
		return true;
	}

	step = &path->steps[step_number];
	if (step->kind == DX_STEP_MEMBER)
	{
		if (target != NULL && !dx_value_is_object(target))
			return false;
	}
	else if (target == NULL || !dx_value_is_array(target))
		return false;

	exists = target != NULL && current_child(step, target, &child);
	if (!assign(path, step_number + 1, exists ? &child : NULL, value, &changed))
		return false;
	if (step->kind == DX_STEP_MEMBER)
	{
		replace_member(target, &step->names[0], &changed, result);
		return true;
	}
	return replace_element(target, step->indexes[0], &changed, result);
}

/*
 * Puts value at a reference path inside target.  Objects that are missing on
 * the way are made; an element of an array has to exist.
 *
 * Fault: States.ResultPathMatchFailure when the path does not fit target.
 * Source: Amazon States Language, "Using InputPath, Parameters,
 * ResultSelector, ResultPath and OutputPath".
 */
bool
dx_path_assign(const DxPath *path, Jsonb *target, Jsonb *value,
			   Jsonb **result, DxFault *fault)
{
	JsonbValue	document;
	JsonbValue	inserted;
	JsonbValue	changed;

	if (path->nsteps == 0)
	{
		*result = value;
		return true;
	}
	dx_json_to_value(target, &document);
	dx_json_to_value(value, &inserted);
	if (!assign(path, 0, &document, &inserted, &changed))
		return dx_fault(fault, DX_ERROR_RESULT_PATH,
						"Unable to apply ReferencePath %s to input %s",
						path->text, dx_json_clip(target));

	/* A whole container was built just now: it starts its Jsonb. */
	*result = (Jsonb *) ((char *) changed.val.binary.data - VARHDRSZ);
	return true;
}

/*
 * min, max, sum, avg and stddev of an array of numbers.
 */
static bool
aggregate(DxPathFunction function, const JsonbValue *operand,
		  JsonbValue *result)
{
	JsonbValue *elements;
	int			nelements;
	int			count = 0;
	double		sum = 0;
	double		squares = 0;
	double		min = get_float8_infinity();
	double		max = -get_float8_infinity();
	double		answer;

	if (!dx_value_is_array(operand))
		return false;
	nelements = dx_take_elements(operand, &elements);
	for (int i = 0; i < nelements; i++)
	{
		double		number;

		CHECK_FOR_INTERRUPTS();
		if (elements[i].type != jbvNumeric)
			continue;
		number = dx_value_double(&elements[i]);
		count++;
		sum += number;
		squares += number * number;
		min = Min(min, number);
		max = Max(max, number);
	}
	if (count == 0)
		return false;

	switch (function)
	{
		case DX_FUNCTION_MIN:
			answer = min;
			break;
		case DX_FUNCTION_MAX:
			answer = max;
			break;
		case DX_FUNCTION_SUM:
			answer = sum;
			break;
		case DX_FUNCTION_AVG:
			answer = sum / count;
			break;
		default:
			answer = sqrt(Max(squares / count - (sum / count) * (sum / count), 0));
			break;
	}
	if (isinf(answer) || isnan(answer))
		return false;
	result->type = jbvNumeric;
	result->val.numeric = DatumGetNumeric(DirectFunctionCall1(float8_numeric,
															  Float8GetDatum(answer)));
	return true;
}

/* The names of an object's members, as an array. */
static void
keys_of(const JsonbValue *object, JsonbValue *result)
{
	DxMember   *members;
	int			n = dx_take_members(object, &members);
	JsonbValue *keys = palloc(sizeof(JsonbValue) * (n + 1));

	for (int i = 0; i < n; i++)
		dx_value_string(unconstify(char *, members[i].name.text),
						members[i].name.len, &keys[i]);
	dx_build_value(dx_build_array(keys, n), result);
}

/* The first or the last element; false when there is none. */
static bool
end_of(const JsonbValue *array, bool last, JsonbValue *result)
{
	uint32		length = JsonContainerSize(array->val.binary.data);

	if (length == 0)
		return false;
	*result = *getIthJsonbValueFromContainer(array->val.binary.data,
											 last ? length - 1 : 0);
	return true;
}

/*
 * Applies a function to what the path before it has selected.  false when it
 * cannot be applied: then the path selects nothing.
 */
bool
dx_path_function(DxPathFunction function, const JsonbValue *operand,
				 JsonbValue *result)
{
	switch (function)
	{
		case DX_FUNCTION_LENGTH:
			if (operand->type == jbvString)
				dx_value_integer(pg_mbstrlen_with_len(operand->val.string.val,
													  operand->val.string.len),
								 result);
			else if (operand->type == jbvBinary)
				dx_value_integer(JsonContainerSize(operand->val.binary.data),
								 result);
			else
				return false;
			return true;
		case DX_FUNCTION_KEYS:
			if (!dx_value_is_object(operand))
				return false;
			keys_of(operand, result);
			return true;
		case DX_FUNCTION_FIRST:
		case DX_FUNCTION_LAST:
			return dx_value_is_array(operand) &&
				end_of(operand, function == DX_FUNCTION_LAST, result);
		default:
			return aggregate(function, operand, result);
	}
}
