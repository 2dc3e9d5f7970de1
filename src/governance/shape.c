/*-------------------------------------------------------------------------
 *
 * shape.c
 *	  Checks JSON against a shape: the part of JSON Schema that says what an
 *	  amended payload may look like (type, enum, const, properties, required,
 *	  additionalProperties, items, minimum, maximum, minLength, maxLength).
 *	  Words that are not known say nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/json.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "governance/shape.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

static const char *type_name(const JsonbValue *value);

/* A value as one of its own, whatever container it came from. */
static Jsonb *
own(JsonbValue *value)
{
	return dx_json_from_value(value);
}

/* Is the number whole? */
static bool
is_integer(const JsonbValue *value)
{
	Datum		number = NumericGetDatum(value->val.numeric);

	return DatumGetBool(DirectFunctionCall2(numeric_eq, number,
											DirectFunctionCall2(numeric_trunc, number,
																Int32GetDatum(0))));
}

/* The type of a value, by JSON Schema. */
static const char *
type_name(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return "null";
		case jbvString:
			return "string";
		case jbvNumeric:
			return "number";
		case jbvBool:
			return "boolean";
		case jbvArray:
			return "array";
		case jbvObject:
			return "object";
		default:
			return JsonContainerIsArray(value->val.binary.data) ? "array" : "object";
	}
}

/* Is the value of this type? What is no name of a type fits. */
static bool
type_fits(const JsonbValue *value, const JsonbValue *type)
{
	const char *is = type_name(value);
	int			len = type->val.string.len;

	if (type->type != jbvString)
		return true;
	if (len == 7 && strncmp(type->val.string.val, "integer", 7) == 0)
		return value->type == jbvNumeric && is_integer(value);
	return strlen(is) == len && strncmp(is, type->val.string.val, len) == 0;
}

/* JSON Schema "type": one, or several. */
static bool
check_type(const Jsonb *shape, const JsonbValue *value)
{
	Jsonb	   *types = dx_json_get_json(shape, "type");
	JsonbValue	type;

	if (types == NULL)
		return true;
	if (JB_ROOT_IS_SCALAR(types))
	{
		dx_json_to_value(types, &type);
		return type_fits(value, &type);
	}
	if (!JB_ROOT_IS_ARRAY(types))
		return true;
	for (int i = 0; i < JB_ROOT_COUNT(types); i++)
	{
		if (type_fits(value, getIthJsonbValueFromContainer(&types->root, i)))
			return true;
	}
	return false;
}

/* Are they the same, as jsonb compares? */
static bool
json_equal(Jsonb *a, Jsonb *b)
{
	return compareJsonbContainers(&a->root, &b->root) == 0;
}

/* JSON Schema "enum" and "const". */
static bool
check_enum(const Jsonb *shape, Jsonb *json)
{
	Jsonb	   *allowed = dx_json_get_json(shape, "enum");
	Jsonb	   *constant = dx_json_get_json(shape, "const");

	if (constant != NULL && !json_equal(constant, json))
		return false;
	if (allowed == NULL || !JB_ROOT_IS_ARRAY(allowed) || JB_ROOT_IS_SCALAR(allowed))
		return true;
	for (int i = 0; i < JB_ROOT_COUNT(allowed); i++)
	{
		if (json_equal(own(getIthJsonbValueFromContainer(&allowed->root, i)), json))
			return true;
	}
	return false;
}

/* The limit of this name, if there is one: -1, 0, 1 as value compares to it. */
static bool
compare_limit(const Jsonb *shape, const char *name, Datum value, int *order)
{
	JsonbValue	limit;

	if (!dx_json_get(shape, name, &limit) || limit.type != jbvNumeric)
		return false;
	*order = DatumGetInt32(DirectFunctionCall2(numeric_cmp, value,
											   NumericGetDatum(limit.val.numeric)));
	return true;
}

/* JSON Schema "minimum" and its like; NULL: they hold. */
static char *
check_limits(const Jsonb *shape, const JsonbValue *value, const char *pointer)
{
	bool		text = value->type == jbvString;
	const char *least = text ? "minLength" : "minimum";
	const char *most = text ? "maxLength" : "maximum";
	Datum		number;
	int			order;

	if (value->type != jbvNumeric && !text)
		return NULL;
	number = text ?
		DirectFunctionCall1(int4_numeric,
							Int32GetDatum(pg_mbstrlen_with_len(value->val.string.val,
															   value->val.string.len))) :
		NumericGetDatum(value->val.numeric);
	if (compare_limit(shape, least, number, &order) && order < 0)
		return psprintf("%s: less than %s", pointer, least);
	if (compare_limit(shape, most, number, &order) && order > 0)
		return psprintf("%s: more than %s", pointer, most);
	return NULL;
}

static char *check(const Jsonb *shape, Jsonb *json, const char *pointer);

/* JSON Schema "properties" and "additionalProperties". */
static char *
check_members(const Jsonb *shape, Jsonb *json, const char *pointer)
{
	Jsonb	   *properties = dx_json_get_json(shape, "properties");
	JsonbValue	additional;
	JsonbIterator *it = JsonbIteratorInit(&json->root);
	JsonbValue	v;
	JsonbIteratorToken token;
	bool		closed = dx_json_get(shape, "additionalProperties", &additional) &&
	additional.type == jbvBool && !additional.val.boolean;

	(void) JsonbIteratorNext(&it, &v, true);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		char	   *name;
		char	   *problem;
		Jsonb	   *member;

		CHECK_FOR_INTERRUPTS();
		if (token != WJB_KEY)
			continue;
		name = pnstrdup(v.val.string.val, v.val.string.len);
		(void) JsonbIteratorNext(&it, &v, true);
		member = properties ? dx_json_get_json(properties, name) : NULL;
		if (member == NULL && closed)
			return psprintf("%s/%s: not allowed", pointer, name);
		if (member == NULL)
			continue;
		problem = check(member, own(&v), psprintf("%s/%s", pointer, name));
		if (problem != NULL)
			return problem;
	}
	return NULL;
}

/* JSON Schema "required". */
static char *
check_required(const Jsonb *shape, Jsonb *json, const char *pointer)
{
	Jsonb	   *required = dx_json_get_json(shape, "required");

	if (required == NULL || !JB_ROOT_IS_ARRAY(required))
		return NULL;
	for (int i = 0; i < JB_ROOT_COUNT(required); i++)
	{
		JsonbValue *name = getIthJsonbValueFromContainer(&required->root, i);
		JsonbValue	value;
		char	   *key;

		if (name->type != jbvString)
			continue;
		key = pnstrdup(name->val.string.val, name->val.string.len);
		if (!dx_json_get(json, key, &value))
			return psprintf("%s/%s: missing", pointer, key);
	}
	return NULL;
}

/* JSON Schema "items". */
static char *
check_items(const Jsonb *shape, Jsonb *json, const char *pointer)
{
	Jsonb	   *items = dx_json_get_json(shape, "items");

	if (items == NULL)
		return NULL;
	for (int i = 0; i < JB_ROOT_COUNT(json); i++)
	{
		char	   *problem;

		CHECK_FOR_INTERRUPTS();
		problem = check(items, own(getIthJsonbValueFromContainer(&json->root, i)),
						psprintf("%s/%d", pointer, i));
		if (problem != NULL)
			return problem;
	}
	return NULL;
}

/*
 * A value against a shape: NULL, or what is wrong with it, beginning with
 * where.
 */
static char *
check(const Jsonb *shape, Jsonb *json, const char *pointer)
{
	JsonbValue	value;
	char	   *problem;

	check_stack_depth();
	if (!JB_ROOT_IS_OBJECT(shape))
		return NULL;
	dx_json_to_value(json, &value);
	if (!check_type(shape, &value))
		return psprintf("%s: must not be of type %s", pointer, type_name(&value));
	if (!check_enum(shape, json))
		return psprintf("%s: not one of the values allowed", pointer);
	problem = check_limits(shape, &value, pointer);
	if (problem == NULL && JB_ROOT_IS_OBJECT(json))
		problem = check_required(shape, json, pointer);
	if (problem == NULL && JB_ROOT_IS_OBJECT(json))
		problem = check_members(shape, json, pointer);
	if (problem == NULL && JB_ROOT_IS_ARRAY(json) && !JB_ROOT_IS_SCALAR(json))
		problem = check_items(shape, json, pointer);
	return problem;
}

/*
 * What is wrong with json, with a pointer to where; NULL: it fits.
 */
char *
dx_shape_problem(const Jsonb *shape, Jsonb *json)
{
	return check(shape, json, "");
}
