/*-------------------------------------------------------------------------
 *
 * shape_words.c
 *	  Checks a Shape: the part of JSON Schema that shape.c knows, word by word.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "asl/asl.h"
#include "asl/compile.h"
#include "asl/field.h"
#include "asl/node.h"
#include "asl/problem.h"
#include "asl/shape_words.h"
#include "miscadmin.h"

static const char *const shape_words[] = {
	"type", "enum", "const", "properties", "required", "additionalProperties",
	"items", "minimum", "maximum", "minLength", "maxLength", "title",
	"description", "$comment"
};

static const char *const type_names[] = {
	"null", "boolean", "number", "integer", "string", "array", "object"
};

/* A type that a shape names has to be one of JSON Schema's. */
static void
check_type_name(DxCompiler *c, const DxNode *node)
{
	char	   *name;
	const char *closest;

	if (node->value.type != jbvString)
	{
		dx_wrong_type(c, node, "the name of a type");
		return;
	}
	name = dx_node_text(node);
	for (int i = 0; i < lengthof(type_names); i++)
	{
		if (strcmp(name, type_names[i]) == 0)
			return;
	}
	closest = dx_closest(c, name, type_names, lengthof(type_names));
	dx_problem(c->problems, node->pointer, DX_P_WRONG_VALUE,
			   closest ? psprintf("Did you mean \"%s\"?", closest) :
			   "It is null, boolean, number, integer, string, array or object.",
			   "\"%s\" is not a type", dx_clip(name));
}

/* The types of a shape: one, or an array of them. */
static void
check_types(DxCompiler *c, const DxNode *shape)
{
	DxNode		type;
	DxWalk		walk;

	if (!dx_member(shape, "type", &type))
		return;
	if (!dx_is_array(&type))
	{
		check_type_name(c, &type);
		return;
	}
	if (dx_count(&type) == 0)
		dx_problem(c->problems, type.pointer, DX_P_WRONG_VALUE, NULL,
				   "nothing is of none of these types");
	dx_walk_start(&walk, &type);
	while (dx_walk_next(&walk))
		check_type_name(c, &walk.node);
}

/* Bounds of numbers and lengths, each of which may be missing. */
static void
check_bounds(DxCompiler *c, const DxNode *shape, const char *least,
			 const char *most, bool lengths)
{
	double		low = 0;
	double		high = 0;
	double		from = lengths ? 0 : -HUGE_VAL;
	bool		has_low = dx_read_number(c, shape, least, lengths, from, HUGE_VAL, &low);
	bool		has_high = dx_read_number(c, shape, most, lengths, from, HUGE_VAL, &high);

	if (has_low && has_high && low > high)
		dx_problem(c->problems, shape->pointer, DX_P_OUT_OF_RANGE, NULL,
				   "\"%s\" is more than \"%s\"", least, most);
}

/* What a shape says about members, and which of them have to be there. */
static void
check_properties(DxCompiler *c, const DxNode *shape)
{
	DxNode		properties;
	DxNode		required;
	DxWalk		walk;

	if (dx_read_array(c, shape, "required", false, &required))
		(void) dx_check_names(c, &required, "the name of a member");
	if (!dx_read_object(c, shape, "properties", false, &properties))
		return;
	dx_walk_start(&walk, &properties);
	while (dx_walk_next(&walk))
	{
		if (dx_is_object(&walk.node))
			dx_check_shape(c, &walk.node);
		else
			dx_wrong_type(c, &walk.node, "an object");
	}
}

/* Is the shape one that dx_shape_problem understands whole? */
void
dx_check_shape(DxCompiler *c, const DxNode *shape)
{
	DxNode		member;
	bool		closed;

	check_stack_depth();
	dx_check_members(c, shape, "a shape", shape_words, lengthof(shape_words));
	check_types(c, shape);
	check_bounds(c, shape, "minimum", "maximum", false);
	check_bounds(c, shape, "minLength", "maxLength", true);
	if (dx_read_array(c, shape, "enum", false, &member) && dx_count(&member) == 0)
		dx_problem(c->problems, member.pointer, DX_P_WRONG_VALUE, NULL,
				   "nothing is one of no values");
	(void) dx_read_bool(c, shape, "additionalProperties", &closed);
	check_properties(c, shape);
	if (dx_read_object(c, shape, "items", false, &member))
		dx_check_shape(c, &member);
}
