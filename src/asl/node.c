/*-------------------------------------------------------------------------
 *
 * node.c
 *	  Values inside a definition, read in place.
 *
 * A definition is looked at, never copied: a node points into it.  What the
 * Program keeps is copied by whoever reads it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/compile.h"
#include "asl/json.h"
#include "asl/node.h"
#include "asl/problem.h"
#include "miscadmin.h"
#include "utils/jsonb.h"

/* Is the node an object? */
bool
dx_is_object(const DxNode *node)
{
	return node->value.type == jbvBinary &&
		JsonContainerIsObject(node->value.val.binary.data);
}

/* Is the node an array? */
bool
dx_is_array(const DxNode *node)
{
	return node->value.type == jbvBinary &&
		JsonContainerIsArray(node->value.val.binary.data);
}

/*
 * What a value is, for messages.
 */
const char *
dx_type_name(const DxNode *node)
{
	switch (node->value.type)
	{
		case jbvNull:
			return "null";
		case jbvBool:
			return "a boolean";
		case jbvNumeric:
			return "a number";
		case jbvString:
			return "a string";
		default:
			return dx_is_object(node) ? "an object" : "an array";
	}
}

/*
 * How many members or elements an object or array has.
 */
int
dx_count(const DxNode *node)
{
	return JsonContainerSize(node->value.val.binary.data);
}

/*
 * A copy of a string node.
 */
char *
dx_node_text(const DxNode *node)
{
	Assert(node->value.type == jbvString);
	return pnstrdup(node->value.val.string.val, node->value.val.string.len);
}

/*
 * A copy of any node.
 */
Jsonb *
dx_node_json(const DxNode *node)
{
	JsonbValue	value = node->value;

	return dx_json_from_value(&value);
}

/*
 * The member of an object; false when it is absent or node is no object.
 */
bool
dx_member(const DxNode *object, const char *name, DxNode *member)
{
	if (!dx_is_object(object) ||
		getKeyJsonValueFromContainer(object->value.val.binary.data,
									 name, strlen(name),
									 &member->value) == NULL)
		return false;
	member->pointer = dx_pointer_child(object->pointer, name);
	return true;
}

/*
 * Is the node an object that has a member of this name, whatever its value?
 */
bool
dx_has(const DxNode *object, const char *name)
{
	JsonbValue	value;

	return dx_is_object(object) &&
		getKeyJsonValueFromContainer(object->value.val.binary.data,
									 name, strlen(name), &value) != NULL;
}

/*
 * Begins a walk over an object or array.
 */
void
dx_walk_start(DxWalk *walk, const DxNode *node)
{
	JsonbValue	ignored;

	walk->it = JsonbIteratorInit(node->value.val.binary.data);
	walk->pointer = node->pointer;
	walk->object = dx_is_object(node);
	walk->index = -1;
	walk->name = NULL;
	(void) JsonbIteratorNext(&walk->it, &ignored, true);
}

/*
 * Goes to the next member or element; false at the end.
 */
bool
dx_walk_next(DxWalk *walk)
{
	JsonbIteratorToken token;
	JsonbValue	value;

	CHECK_FOR_INTERRUPTS();

	token = JsonbIteratorNext(&walk->it, &value, true);
	if (token == WJB_END_OBJECT || token == WJB_END_ARRAY)
		return false;

	walk->index++;
	if (walk->object)
	{
		Assert(token == WJB_KEY);
		walk->name = pnstrdup(value.val.string.val, value.val.string.len);
		(void) JsonbIteratorNext(&walk->it, &value, true);
		walk->node.pointer = dx_pointer_child(walk->pointer, walk->name);
	}
	else
		walk->node.pointer = dx_pointer_item(walk->pointer, walk->index);
	walk->node.value = value;
	return true;
}

/*
 * Reports that a value is not of the type that it has to be.
 */
void
dx_wrong_type(DxCompiler *c, const DxNode *node, const char *what)
{
	dx_problem(c->problems, node->pointer, DX_P_WRONG_TYPE, NULL,
			   "must be %s, but is %s", what, dx_type_name(node));
}
