/*-------------------------------------------------------------------------
 *
 * field.c
 *	  Reads the plain fields of an object: texts, numbers, booleans, one of a
 *	  few words, objects, arrays; and finds those that do not belong there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "asl/compile.h"
#include "asl/field.h"
#include "asl/node.h"
#include "asl/problem.h"
#include "miscadmin.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/*
 * Finds a member; when it is required and absent, says so.
 */
static bool
find_member(DxCompiler *c, const DxNode *object, const char *name,
			bool required, DxNode *member)
{
	if (dx_member(object, name, member))
		return true;
	if (required)
		dx_problem(c->problems, object->pointer, DX_P_MISSING_FIELD, NULL,
				   "field \"%s\" is missing", name);
	return false;
}

/*
 * A string member; NULL when it is absent or wrong.
 */
const char *
dx_read_text(DxCompiler *c, const DxNode *object, const char *name,
			 bool required)
{
	DxNode		member;

	if (!find_member(c, object, name, required, &member))
		return NULL;
	if (member.value.type != jbvString)
	{
		dx_wrong_type(c, &member, "a string");
		return NULL;
	}
	return dx_node_text(&member);
}

/*
 * An optional boolean member; false when it is absent or wrong.
 */
bool
dx_read_bool(DxCompiler *c, const DxNode *object, const char *name,
			 bool *value)
{
	DxNode		member;

	if (!dx_member(object, name, &member))
		return false;
	if (member.value.type != jbvBool)
	{
		dx_wrong_type(c, &member, "true or false");
		return false;
	}
	*value = member.value.val.boolean;
	return true;
}

/* Has the number no fraction? */
static bool
is_integer(Numeric number)
{
	Datum		truncated = DirectFunctionCall2(numeric_trunc,
												NumericGetDatum(number),
												Int32GetDatum(0));

	return DatumGetBool(DirectFunctionCall2(numeric_eq, truncated,
											NumericGetDatum(number)));
}

/*
 * An optional number between min and max; false when it is absent or wrong.
 *
 * A JSON number may be of any size: what no double can hold becomes infinite
 * or zero here, and is out of range then, or as good as zero.
 */
bool
dx_read_number(DxCompiler *c, const DxNode *object, const char *name,
			   bool integer, double min, double max, double *value)
{
	const char *what = integer ? "an integer" : "a number";
	DxNode		member;
	double		number;

	if (!dx_member(object, name, &member))
		return false;
	if (member.value.type != jbvNumeric)
	{
		dx_wrong_type(c, &member, what);
		return false;
	}

	number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
												NumericGetDatum(member.value.val.numeric)));
	if (number < min || number > max)
	{
		if (isinf(max))
			dx_problem(c->problems, member.pointer, DX_P_OUT_OF_RANGE, NULL,
					   "must be %s of at least %.15g", what, min);
		else
			dx_problem(c->problems, member.pointer, DX_P_OUT_OF_RANGE, NULL,
					   "must be %s from %.15g to %.15g", what, min, max);
		return false;
	}
	if (integer && !is_integer(member.value.val.numeric))
	{
		dx_problem(c->problems, member.pointer, DX_P_WRONG_VALUE, NULL,
				   "must be an integer");
		return false;
	}
	*value = number;
	return true;
}

/*
 * An optional string that is one of a few words; false when it is absent or
 * wrong.
 */
bool
dx_read_choice(DxCompiler *c, const DxNode *object, const char *name,
			   const char *const *values, int nvalues)
{
	const char *text = dx_read_text(c, object, name, false);
	StringInfoData list;

	if (text == NULL)
		return false;
	for (int i = 0; i < nvalues; i++)
	{
		if (strcmp(text, values[i]) == 0)
			return true;
	}

	initStringInfo(&list);
	for (int i = 0; i < nvalues; i++)
		appendStringInfo(&list, "%s\"%s\"",
						 i == 0 ? "" : i == nvalues - 1 ? " or " : ", ",
						 values[i]);
	dx_problem(c->problems, dx_pointer_child(object->pointer, name),
			   DX_P_WRONG_VALUE, NULL,
			   "must be %s, but is \"%s\"", list.data, dx_clip(text));
	return false;
}

/*
 * A member that is an object; false when it is absent or wrong.
 */
bool
dx_read_object(DxCompiler *c, const DxNode *object, const char *name,
			   bool required, DxNode *member)
{
	if (!find_member(c, object, name, required, member))
		return false;
	if (!dx_is_object(member))
	{
		dx_wrong_type(c, member, "an object");
		return false;
	}
	return true;
}

/*
 * A member that is an array; false when it is absent or wrong.
 */
bool
dx_read_array(DxCompiler *c, const DxNode *object, const char *name,
			  bool required, DxNode *member)
{
	if (!find_member(c, object, name, required, member))
		return false;
	if (!dx_is_array(member))
	{
		dx_wrong_type(c, member, "an array");
		return false;
	}
	return true;
}

/*
 * Reports every member of an object that is not among the allowed ones.  what
 * says what the object is, e.g. "a retrier".  A Comment is looked at here,
 * since it may be nearly everywhere and means nothing to anybody else.
 */
void
dx_check_members(DxCompiler *c, const DxNode *object, const char *what,
				 const char *const *allowed, int nallowed)
{
	DxWalk		walk;

	dx_walk_start(&walk, object);
	while (dx_walk_next(&walk))
	{
		const char *closest;
		bool		known = false;

		for (int i = 0; i < nallowed && !known; i++)
			known = strcmp(walk.name, allowed[i]) == 0;
		if (known)
		{
			if (strcmp(walk.name, "Comment") == 0 &&
				walk.node.value.type != jbvString)
				dx_wrong_type(c, &walk.node, "a string");
			continue;
		}

		closest = dx_closest(c, walk.name, allowed, nallowed);
		dx_problem(c->problems, walk.node.pointer, DX_P_UNKNOWN_FIELD,
				   closest ? psprintf("Did you mean \"%s\"?", closest) : NULL,
				   "%s has no field \"%s\"", what, dx_clip(walk.name));
	}
}

/*
 * Reports two fields that exclude each other; false when both are there.
 */
bool
dx_check_conflict(DxCompiler *c, const DxNode *object,
				  const char *first, const char *second)
{
	if (!dx_has(object, first) || !dx_has(object, second))
		return true;
	dx_problem(c->problems, object->pointer, DX_P_CONFLICT,
			   "Leave one of them out.",
			   "fields \"%s\" and \"%s\" exclude each other", first, second);
	return false;
}

/* An array of strings, none of them twice.  what: what they are. */
bool
dx_check_names(DxCompiler *c, const DxNode *array, const char *what)
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
