/*-------------------------------------------------------------------------
 *
 * filter.c
 *	  Evaluates a filter of a path for one item.
 *
 * The rules are Jayway's: what a path does not find is undefined, which is
 * equal to nothing; a number and a text are equal when they are written
 * alike; values of different types are in no order.  Where only the existence
 * of something is asked for, null is not there: that is how AWS's version of
 * it answers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/build.h"
#include "asl/eval.h"
#include "asl/fault.h"
#include "asl/filter.h"
#include "asl/path_parse.h"
#include "asl/value.h"
#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/* An operand after evaluation. */
typedef struct Operand
{
	bool		defined;
	JsonbValue	value;
} Operand;

/* One side of a comparison, for this item. False: a fault. */
static bool
eval_operand(const DxOperand *operand, const DxFilterScope *scope,
			 const JsonbValue *item, Operand *result, DxFault *fault)
{
	result->defined = true;
	if (operand->kind == DX_OPERAND_PATH)
		return scope->find_in(operand->path, scope->root, item, &result->value,
							  &result->defined, fault);
	result->value = operand->value;
	return true;
}

/* Is it of the types that are compared as text if they differ? */
static bool
is_number_or_text(const JsonbValue *value)
{
	return value->type == jbvNumeric || value->type == jbvString;
}

/*
 * The operator ==; a number equals the text that it is written as. What is
 * not there equals nothing.
 */
static bool
are_equal(const Operand *a, const Operand *b)
{
	if (!a->defined || !b->defined)
		return false;
	if (a->value.type != b->value.type &&
		is_number_or_text(&a->value) && is_number_or_text(&b->value))
		return strcmp(dx_value_text(&a->value), dx_value_text(&b->value)) == 0;
	return dx_value_equal(&a->value, &b->value);
}

/*
 * *order like that of strcmp; false when there is none.
 */
static bool
compare(const Operand *a, const Operand *b, int *order)
{
	if (!a->defined || !b->defined || a->value.type != b->value.type)
		return false;
	if (a->value.type == jbvNumeric)
	{
		*order = DatumGetInt32(DirectFunctionCall2(numeric_cmp,
												   NumericGetDatum(a->value.val.numeric),
												   NumericGetDatum(b->value.val.numeric)));
		return true;
	}
	if (a->value.type == jbvString)
	{
		DxName		left = {a->value.val.string.val, a->value.val.string.len};
		DxName		right = {b->value.val.string.val, b->value.val.string.len};

		*order = dx_text_compare(&left, &right);
		return true;
	}
	return false;
}

/* Does the text of the value match the regular expression? */
static bool
matches_pattern(const Operand *a, const DxOperand *pattern)
{
	char	   *text;

	if (!a->defined || a->value.type == jbvBinary || a->value.type == jbvNull)
		return false;
	text = dx_value_text(&a->value);
	return RE_compile_and_execute(pattern->pattern, text, strlen(text),
								  pattern->flags, C_COLLATION_OID, 0, NULL);
}

/*
 * Is value an element of an array?
 */
static bool
is_element(const Operand *value, const Operand *array)
{
	JsonbValue *elements;
	int			n;

	if (!value->defined || !array->defined || !dx_value_is_array(&array->value))
		return false;
	n = dx_take_elements(&array->value, &elements);
	for (int i = 0; i < n; i++)
	{
		Operand		element = {true, elements[i]};

		CHECK_FOR_INTERRUPTS();
		if (are_equal(value, &element))
			return true;
	}
	return false;
}

/*
 * How many elements of one array are in another; -1 when they are no arrays.
 */
static int
count_common(const Operand *a, const Operand *b, int *total)
{
	JsonbValue *elements;
	int			common = 0;

	if (!a->defined || !b->defined || !dx_value_is_array(&a->value) ||
		!dx_value_is_array(&b->value))
		return -1;
	*total = dx_take_elements(&a->value, &elements);
	for (int i = 0; i < *total; i++)
	{
		Operand		element = {true, elements[i]};

		if (is_element(&element, b))
			common++;
	}
	return common;
}

/* Is the other in the array, or in the text? */
static bool
contains(const Operand *a, const Operand *b)
{
	if (!a->defined || !b->defined)
		return false;
	if (a->value.type == jbvString && b->value.type == jbvString)
		return strstr(dx_value_text(&a->value), dx_value_text(&b->value)) != NULL;
	return is_element(b, a);
}

/*
 * Of a text the characters, of an array the elements; -1 of anything else.
 */
static int
size_of(const Operand *a)
{
	JsonbValue	length;

	if (!a->defined || (a->value.type != jbvString && !dx_value_is_array(&a->value)))
		return -1;
	(void) dx_path_function(DX_FUNCTION_LENGTH, &a->value, &length);
	return (int) dx_value_double(&length);
}

/*
 * The operators on arrays and sizes.
 */
static bool
compare_set(DxFilterOperator op, const Operand *a, const Operand *b)
{
	int			total = 0;
	int			common;

	switch (op)
	{
		case DX_FILTER_IN:
			return is_element(a, b);
		case DX_FILTER_NIN:
			return !is_element(a, b);
		case DX_FILTER_CONTAINS:
			return contains(a, b);
		case DX_FILTER_SUBSETOF:
			common = count_common(a, b, &total);
			return common >= 0 && common == total;
		case DX_FILTER_ALL:
			common = count_common(b, a, &total);
			return common >= 0 && common == total;
		case DX_FILTER_ANYOF:
			return count_common(a, b, &total) > 0;
		case DX_FILTER_NONEOF:
			return count_common(a, b, &total) == 0;
		case DX_FILTER_SIZE:
			return b->defined && b->value.type == jbvNumeric && size_of(a) >= 0 &&
				size_of(a) == dx_value_double(&b->value);
		default:
			return b->defined && b->value.type == jbvBool && size_of(a) >= 0 &&
				(size_of(a) == 0) == b->value.val.boolean;
	}
}

/* What a comparison says about two operands. */
static bool
eval_compare(const DxFilter *filter, const Operand *a, const Operand *b)
{
	bool		same_type;
	int			order;

	switch (filter->op)
	{
		case DX_FILTER_EQ:
			return are_equal(a, b);
		case DX_FILTER_NE:
			return !are_equal(a, b);
		case DX_FILTER_SAME:
		case DX_FILTER_NOT_SAME:
			same_type = a->defined && b->defined &&
				a->value.type == b->value.type && are_equal(a, b);
			return same_type == (filter->op == DX_FILTER_SAME);
		case DX_FILTER_LT:
			return compare(a, b, &order) && order < 0;
		case DX_FILTER_LE:
			return compare(a, b, &order) && order <= 0;
		case DX_FILTER_GT:
			return compare(a, b, &order) && order > 0;
		case DX_FILTER_GE:
			return compare(a, b, &order) && order >= 0;
		case DX_FILTER_REGEX:
			return matches_pattern(a, &filter->b);
		default:
			return compare_set(filter->op, a, b);
	}
}

/*
 * Does a filter let an item pass?
 *
 * false: fault.
 */
bool
dx_filter_matches(const DxFilter *filter, const DxFilterScope *scope,
				  const JsonbValue *item, bool *match, DxFault *fault)
{
	Operand		a;
	Operand		b = {.defined = false};

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	switch (filter->kind)
	{
		case DX_FILTER_AND:
		case DX_FILTER_OR:
			if (!dx_filter_matches(filter->left, scope, item, match, fault))
				return false;
			if (*match == (filter->kind == DX_FILTER_OR))
				return true;
			return dx_filter_matches(filter->right, scope, item, match, fault);
		case DX_FILTER_NOT:
			if (!dx_filter_matches(filter->left, scope, item, match, fault))
				return false;
			*match = !*match;
			return true;
		case DX_FILTER_EXISTS:
			if (!eval_operand(&filter->a, scope, item, &a, fault))
				return false;
			*match = a.defined && a.value.type != jbvNull;
			if (filter->a.kind == DX_OPERAND_VALUE)
				*match = a.value.val.boolean;
			else if (a.defined && !filter->a.path->definite)
				*match = JsonContainerSize(a.value.val.binary.data) > 0;
			return true;
		case DX_FILTER_COMPARE:
			break;
	}
	if (!eval_operand(&filter->a, scope, item, &a, fault) ||
		(filter->b.kind != DX_OPERAND_PATTERN &&
		 !eval_operand(&filter->b, scope, item, &b, fault)))
		return false;
	*match = eval_compare(filter, &a, &b);
	return true;
}
