/*-------------------------------------------------------------------------
 *
 * path.c
 *	  Evaluates a compiled path, and puts a value at a reference path.
 *
 * A definite path is walked step by step without a copy.  Any other path
 * collects what it selects; what is missing on the way is passed over, and
 * the outcome is an array, if need be an empty one.  That is what is recorded
 * on AWS: $.item.items[*] of {} is [].
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/build.h"
#include "asl/eval.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "asl/path_parse.h"
#include "asl/value.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/jsonb.h"

/* More values than this cannot come from any document that is taken in. */
#define MAX_SELECTED	1000000

/* An evaluation of a path that may select many values. */
typedef struct Selection
{
	const DxPath *path;
	int			nsteps;			/* without a function at the end */
	const JsonbValue *root;
	DxFault    *fault;
	JsonbValue *values;
	int			nvalues;
	int			max_values;
} Selection;

static bool select_from(Selection *s, int step, const JsonbValue *value);

/* The place of an element; -1 when the array is shorter. */
static int64
element_place(const JsonbValue *array, int index)
{
	int64		length = JsonContainerSize(array->val.binary.data);
	int64		place = index < 0 ? length + index : index;

	return place >= 0 && place < length ? place : -1;
}

/* The member of an object; false when there is none. */
static bool
take_member(const JsonbValue *object, const DxName *name, JsonbValue *value)
{
	return dx_value_is_object(object) &&
		getKeyJsonValueFromContainer(object->val.binary.data,
									 name->text, name->len, value) != NULL;
}

/* The element of an array, counted from its end if index is negative. */
static bool
take_element(const JsonbValue *array, int index, JsonbValue *value)
{
	int64		place = element_place(array, index);

	if (place < 0)
		return false;
	*value = *getIthJsonbValueFromContainer(array->val.binary.data, place);
	return true;
}

/* ['a','b'] at the end of a path: the object of those that are there. */
static bool
merge_members(const JsonbValue *object, const DxStep *step, JsonbValue *value)
{
	DxMember   *members = palloc(sizeof(DxMember) * step->nnames);
	int			n = 0;

	if (!dx_value_is_object(object))
		return false;
	for (int i = 0; i < step->nnames; i++)
	{
		members[n].name = step->names[i];
		if (take_member(object, &step->names[i], &members[n].value))
			n++;
	}
	dx_build_value(dx_build_object(members, n), value);
	return true;
}

/* Walks over the first nsteps steps, which are definite. */
static bool
walk(const DxPath *path, int nsteps, JsonbValue *value, DxMiss *miss)
{
	for (int i = 0; i < nsteps; i++)
	{
		const DxStep *step = &path->steps[i];
		JsonbValue	next;
		bool		found;

		miss->kind = DX_MISS_MEMBER;
		miss->step = i;
		if (step->kind == DX_STEP_MEMBER)
			found = take_member(value, &step->names[0], &next);
		else if (step->kind == DX_STEP_MEMBERS)
			found = merge_members(value, step, &next);
		else if (dx_value_is_array(value))
		{
			miss->kind = DX_MISS_INDEX;
			found = take_element(value, step->indexes[0], &next);
		}
		else
			found = false;
		if (!found)
			return false;
		*value = next;
	}
	miss->kind = DX_MISS_NONE;
	return true;
}

/* Adds to what is selected. False: too many values, a fault. */
static bool
select_value(Selection *s, const JsonbValue *value)
{
	if (s->nvalues >= MAX_SELECTED)
		return dx_fault(s->fault, DX_ERROR_RUNTIME,
						"The path '%s' selects more than %d values.",
						s->path->text, MAX_SELECTED);
	if (s->nvalues == s->max_values)
	{
		s->max_values = s->max_values == 0 ? 16 : s->max_values * 2;
		dx_build_count(sizeof(JsonbValue) * s->max_values);
		s->values = s->values == NULL ?
			palloc(sizeof(JsonbValue) * s->max_values) :
			repalloc(s->values, sizeof(JsonbValue) * s->max_values);
	}
	s->values[s->nvalues++] = *value;
	return true;
}

/* Calls select_from for every child of a container. */
static bool
select_children(Selection *s, int step, const JsonbValue *value)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	child;

	if (value->type != jbvBinary)
		return true;
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &child, true)) != WJB_DONE)
	{
		if ((token == WJB_VALUE || token == WJB_ELEM) &&
			!select_from(s, step, &child))
			return false;
	}
	return true;
}

/* Goes on with each element of a slice. False: a fault. */
static bool
select_slice(Selection *s, int step_number, const JsonbValue *value)
{
	const DxStep *step = &s->path->steps[step_number];
	int64		length;
	int64		from;
	int64		to;
	JsonbValue *elements;

	if (!dx_value_is_array(value))
		return true;
	length = dx_take_elements(value, &elements);
	from = step->has_from ? step->from : (step->step > 0 ? 0 : length - 1);
	to = step->has_to ? step->to : (step->step > 0 ? length : -1);
	if (step->has_from && from < 0)
		from += length;
	if (step->has_to && to < 0)
		to += length;
	if (step->step > 0)
	{
		for (int64 i = Max(from, 0); i < Min(to, length); i += step->step)
		{
			if (!select_from(s, step_number + 1, &elements[i]))
				return false;
		}
	}
	else
	{
		for (int64 i = Min(from, length - 1); i > Max(to, -1); i += step->step)
		{
			if (!select_from(s, step_number + 1, &elements[i]))
				return false;
		}
	}
	return true;
}

/* A filter looks at the elements of an array, or at an object itself. */
static bool
select_filtered(Selection *s, int step, const JsonbValue *value)
{
	const DxFilter *filter = s->path->steps[step].filter;
	DxFilterScope scope = {s->root, dx_path_find_in};
	JsonbValue *elements;
	int			nelements;
	bool		match;

	if (dx_value_is_object(value))
		return dx_filter_matches(filter, &scope, value, &match, s->fault) &&
			(!match || select_from(s, step + 1, value));
	if (!dx_value_is_array(value))
		return true;
	nelements = dx_take_elements(value, &elements);
	for (int i = 0; i < nelements; i++)
	{
		if (!dx_filter_matches(filter, &scope, &elements[i], &match, s->fault))
			return false;
		if (match && !select_from(s, step + 1, &elements[i]))
			return false;
	}
	return true;
}

/*
 * Recursive descent: the next step is applied here, and then everywhere
 * below.
 */
static bool
select_scanned(Selection *s, int step, const JsonbValue *value)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	child;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (value->type != jbvBinary)
		return true;

	/* The elements of an array are filtered one by one further down. */
	if (!(s->path->steps[step + 1].kind == DX_STEP_FILTER &&
		  dx_value_is_array(value)) &&
		!select_from(s, step + 1, value))
		return false;

	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &child, true)) != WJB_DONE)
	{
		if (token != WJB_VALUE && token != WJB_ELEM)
			continue;
		if (child.type != jbvBinary &&
			s->path->steps[step + 1].kind != DX_STEP_FILTER)
			continue;
		if (child.type == jbvBinary)
		{
			if (!select_scanned(s, step, &child))
				return false;
		}
		else if (token == WJB_ELEM)
		{
			DxFilterScope scope = {s->root, dx_path_find_in};
			bool		match;

			if (!dx_filter_matches(s->path->steps[step + 1].filter, &scope,
								   &child, &match, s->fault))
				return false;
			if (match && !select_from(s, step + 2, &child))
				return false;
		}
	}
	return true;
}

/* Applies the steps from number step on to a value. */
static bool
select_from(Selection *s, int step_number, const JsonbValue *value)
{
	const DxStep *step;
	JsonbValue	next;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (step_number == s->nsteps)
		return select_value(s, value);

	step = &s->path->steps[step_number];
	switch (step->kind)
	{
		case DX_STEP_MEMBERS:
			if (step_number == s->nsteps - 1)
				return !merge_members(value, step, &next) ||
					select_value(s, &next);
			/* FALLTHROUGH */
		case DX_STEP_MEMBER:
			for (int i = 0; i < step->nnames; i++)
			{
				if (take_member(value, &step->names[i], &next) &&
					!select_from(s, step_number + 1, &next))
					return false;
			}
			return true;
		case DX_STEP_INDEX:
		case DX_STEP_INDEXES:
			for (int i = 0; dx_value_is_array(value) && i < step->nindexes; i++)
			{
				if (take_element(value, step->indexes[i], &next) &&
					!select_from(s, step_number + 1, &next))
					return false;
			}
			return true;
		case DX_STEP_WILDCARD:
			return select_children(s, step_number + 1, value);
		case DX_STEP_SLICE:
			return select_slice(s, step_number, value);
		case DX_STEP_FILTER:
			return select_filtered(s, step_number, value);
		case DX_STEP_SCAN:
			return select_scanned(s, step_number, value);
		case DX_STEP_FUNCTION:
			break;
	}
	elog(ERROR, "unexpected step %d of a path", (int) step->kind);
	return false;
}

/* Evaluates a path on a root value. */
static bool
find_from(const DxPath *path, const JsonbValue *root, const JsonbValue *start,
		  JsonbValue *value, DxMiss *miss, DxFault *fault)
{
	int			nsteps = path->nsteps;
	bool		function = nsteps > 0 &&
	path->steps[nsteps - 1].kind == DX_STEP_FUNCTION;
	bool		single = true;

	if (function)
		nsteps--;
	*value = *start;
	for (int i = 0; i < nsteps && single; i++)
		single = path->steps[i].kind == DX_STEP_MEMBER ||
			path->steps[i].kind == DX_STEP_INDEX ||
			(path->steps[i].kind == DX_STEP_MEMBERS && i == nsteps - 1);

	if (single)
	{
		if (!walk(path, nsteps, value, miss))
			return true;
	}
	else
	{
		Selection	s = {.path = path,.nsteps = nsteps,.root = root,.fault = fault};

		if (!select_from(&s, 0, start))
			return false;
		dx_build_value(dx_build_array(s.values, s.nvalues), value);
	}
	miss->kind = DX_MISS_NONE;
	if (function)
	{
		JsonbValue	result;

		if (dx_path_function(path->steps[nsteps].function, value, &result))
			*value = result;
		else
		{
			miss->kind = DX_MISS_MEMBER;
			miss->step = nsteps;
		}
	}
	return true;
}

/* The context object; the caller is asked for it once. */
static Jsonb *
get_context(DxEnv *env)
{
	if (env->context == NULL && env->build_context != NULL)
		env->context = env->build_context(env->context_arg);
	return env->context;
}

/*
 * The whole context object as an evaluation sees it, with context_map in its
 * place; NULL when there is none.
 */
Jsonb *
dx_env_context(DxEnv *env)
{
	Jsonb	   *context = get_context(env);

	if (context == NULL || env->context_map == NULL)
		return context;
	return dx_json_set(context, "Map", env->context_map);
}

/* The value that a path begins at; false when it is not there. */
static bool
find_root(const DxPath *path, DxEnv *env, JsonbValue *root)
{
	Jsonb	   *context;

	switch (path->root)
	{
		case DX_ROOT_CONTEXT:
			context = dx_env_context(env);
			if (context == NULL)
				return false;
			dx_json_to_value(context, root);
			return true;
		case DX_ROOT_VARIABLE:
			if (env->variables == NULL)
				return false;
			dx_json_to_value(env->variables, root);
			return take_member(root, &path->variable, root);
		default:
			if (env->input == NULL)
				return false;
			dx_json_to_value(env->input, root);
			return true;
	}
}

/* Does a path consist of members and elements, one after the other? */
static bool
is_plain(const DxPath *path)
{
	for (int i = 0; i < path->nsteps; i++)
	{
		if (path->steps[i].kind != DX_STEP_MEMBER &&
			path->steps[i].kind != DX_STEP_INDEX)
			return false;
	}
	return path->nsteps > 0 && path->steps[0].kind == DX_STEP_MEMBER;
}

/*
 * Follows a path into the context without building all of it, which would be
 * a copy of the execution's input for every item of a Map.  false: it did not
 * get there, and the whole context has to tell why.
 */
static bool
find_in_part(const DxPath *path, DxEnv *env, JsonbValue *value)
{
	const DxStep *steps = path->steps;
	DxPath		rest = *path;
	DxMiss		miss;
	Jsonb	   *part = NULL;
	int			taken = 1;

	if (path->root != DX_ROOT_CONTEXT || env->context != NULL ||
		env->context_member == NULL || !is_plain(path))
		return false;
	if (env->context_map != NULL && strcmp(steps[0].names[0].text, "Map") == 0)
		part = env->context_map;
	else
		taken = env->context_member(env->context_arg, steps[0].names[0].text,
									path->nsteps > 1 && steps[1].kind == DX_STEP_MEMBER ?
									steps[1].names[0].text : NULL, &part);
	if (taken == 0)
		return false;
	rest.steps += taken;
	rest.nsteps -= taken;
	dx_json_to_value(part, value);
	return walk(&rest, rest.nsteps, value, &miss);
}

/*
 * Evaluates a path; *value points into what it was found in.  When a definite
 * path selects nothing, miss->kind says why.
 *
 * false: fault.
 */
bool
dx_path_find(const DxPath *path, DxEnv *env, JsonbValue *value, DxMiss *miss,
			 DxFault *fault)
{
	JsonbValue	root;

	Assert(path->nsteps >= 0);
	if (find_in_part(path, env, value))
	{
		miss->kind = DX_MISS_NONE;
		return true;
	}

	miss->kind = DX_MISS_ROOT;
	miss->step = 0;
	if (!find_root(path, env, &root))
		return true;
	return find_from(path, &root, &root, value, miss, fault);
}

/* Evaluates a path of a filter: "@" is item, "$" is root. */
bool
dx_path_find_in(const DxPath *path, const JsonbValue *root,
				const JsonbValue *item, JsonbValue *value, bool *found,
				DxFault *fault)
{
	DxMiss		miss = {.kind = DX_MISS_NONE};
	bool		ok = find_from(path, root,
							   path->root == DX_ROOT_ITEM ? item : root,
							   value, &miss, fault);

	*found = miss.kind == DX_MISS_NONE;
	return ok;
}

/* Why nothing was found, in the words that AWS uses. */
static char *
miss_text(const DxPath *path, const DxMiss *miss)
{
	StringInfoData where;
	bool		leaf = miss->kind == DX_MISS_INDEX ||
	miss->step == path->nsteps - 1;

	if (miss->kind == DX_MISS_ROOT)
		return path->root == DX_ROOT_VARIABLE ?
			psprintf("Variable '%s' is not defined", path->variable.text) :
			pstrdup("There is no such document");

	initStringInfo(&where);
	for (int i = 0; i <= miss->step; i++)
	{
		const DxStep *step = &path->steps[i];

		if (step->kind == DX_STEP_MEMBER || step->kind == DX_STEP_MEMBERS)
			appendStringInfo(&where, "['%s']", step->names[0].text);
		else if (step->kind == DX_STEP_INDEX)
			appendStringInfo(&where, "[%d]", step->indexes[0]);
	}
	return psprintf("%s path%s $%s",
					leaf ? "No results for" : "Missing property in",
					leaf ? ":" : "", where.data);
}

/*
 * Evaluates a path that has to select something, as InputPath does.
 * Fault: States.Runtime.
 */
bool
dx_path_require(const DxPath *path, DxEnv *env, JsonbValue *value,
				DxFault *fault)
{
	DxMiss		miss;

	if (!dx_path_find(path, env, value, &miss, fault))
		return false;
	if (miss.kind != DX_MISS_NONE)
		return dx_fault(fault, DX_ERROR_RUNTIME, "Invalid path '%s' : %s",
						path->text, miss_text(path, &miss));
	return true;
}
