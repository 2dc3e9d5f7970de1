/*-------------------------------------------------------------------------
 *
 * governance.c
 *	  Compiles Governance: who decides about an approval, how many have to
 *	  agree, and what the payload has to look like.
 *
 * A member that is not known is a problem, at every depth: a misspelled word
 * here would open what it was to close.
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
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#define MAX_QUORUM	1000

/* ---------- Shape: the part of JSON Schema that shape.c knows ---------- */

static const char *const shape_words[] = {
	"type", "enum", "const", "properties", "required", "additionalProperties",
	"items", "minimum", "maximum", "minLength", "maxLength", "title",
	"description", "$comment"
};

static const char *const type_names[] = {
	"null", "boolean", "number", "integer", "string", "array", "object"
};

static void check_shape(DxCompiler *c, const DxNode *shape);

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

/* An array of strings, none of them twice.  what: what they are. */
static bool
check_names(DxCompiler *c, const DxNode *array, const char *what)
{
	List	   *names = NIL;
	ListCell   *lc;
	DxWalk		walk;
	bool		good = true;

	dx_walk_start(&walk, array);
	while (dx_walk_next(&walk))
	{
		char	   *name;

		CHECK_FOR_INTERRUPTS();
		if (walk.node.value.type != jbvString)
		{
			dx_wrong_type(c, &walk.node, what);
			good = false;
			continue;
		}
		name = dx_node_text(&walk.node);
		foreach(lc, names)
		{
			if (strcmp(lfirst(lc), name) != 0)
				continue;
			dx_problem(c->problems, walk.node.pointer, DX_P_WRONG_VALUE,
					   "Leave it out.", "\"%s\" stands here twice", dx_clip(name));
			good = false;
			break;
		}
		names = lappend(names, name);
	}
	return good;
}

/* What a shape says about members, and which of them have to be there. */
static void
check_properties(DxCompiler *c, const DxNode *shape)
{
	DxNode		properties;
	DxNode		required;
	DxWalk		walk;

	if (dx_read_array(c, shape, "required", false, &required))
		(void) check_names(c, &required, "the name of a member");
	if (!dx_read_object(c, shape, "properties", false, &properties))
		return;
	dx_walk_start(&walk, &properties);
	while (dx_walk_next(&walk))
	{
		if (dx_is_object(&walk.node))
			check_shape(c, &walk.node);
		else
			dx_wrong_type(c, &walk.node, "an object");
	}
}

/* Is the shape one that dx_shape_problem understands whole? */
static void
check_shape(DxCompiler *c, const DxNode *shape)
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
		check_shape(c, &member);
}

/* ---------- who, and how many ---------- */

/* The names in Approvers; NIL: there are none, or they are wrong. */
static List *
read_approvers(DxCompiler *c, const DxNode *governance)
{
	DxNode		approvers;
	DxWalk		walk;
	List	   *names = NIL;

	if (!dx_read_array(c, governance, "Approvers", false, &approvers))
		return NIL;
	if (dx_count(&approvers) == 0)
		dx_problem(c->problems, approvers.pointer, DX_P_WRONG_VALUE,
				   "Leave \"Approvers\" out, and everybody with the access approver may decide.",
				   "nobody is to decide");
	if (!check_names(c, &approvers, "the name of a role"))
		return NIL;
	dx_walk_start(&walk, &approvers);
	while (dx_walk_next(&walk))
		names = lappend(names, dx_node_text(&walk.node));
	return names;
}

/*
 * Compiles Governance of a Task whose resource is known by now.
 */
void
dx_compile_governance(DxCompiler *c, const DxNode *node, DxTask *task)
{
	static const char *const members[] = {"Approvers", "Quorum", "Shape", "Comment"};
	DxNode		governance;
	DxNode		shape;
	List	   *approvers;
	double		quorum = 1;

	if (!dx_read_object(c, node, "Governance", false, &governance))
		return;
	task->governance = dx_node_json(&governance);
	dx_check_members(c, &governance, "Governance", members, lengthof(members));
	if (task->uri != NULL && task->kind != DX_RESOURCE_APPROVAL &&
		task->kind != DX_RESOURCE_OTHER)
		dx_problem(c->problems, governance.pointer, DX_P_NO_EFFECT,
				   "Put an approval: state before this one.",
				   "nobody is asked about \"%s\"", dx_clip(task->uri));
	(void) dx_read_number(c, &governance, "Quorum", true, 1, MAX_QUORUM, &quorum);
	if (dx_read_object(c, &governance, "Shape", false, &shape))
		check_shape(c, &shape);
	approvers = read_approvers(c, &governance);
	if (c->options->check_approvers != NULL &&
		(approvers != NIL || !dx_has(&governance, "Approvers")))
		c->options->check_approvers(approvers, (int) quorum, governance.pointer,
									c->problems);
}
