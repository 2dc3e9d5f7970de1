/*-------------------------------------------------------------------------
 *
 * resolve.c
 *	  Which function a sql: resource means, given the members of its input.
 *
 * A function with one jsonb argument takes the whole input.  Otherwise the
 * input's member names are argument names: each has to be an argument, and
 * each argument without a default has to be a member.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "asl/fault.h"
#include "base/sqlstate.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "engine/pin.h"
#include "engine/resolve.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

/* One function of the name that we look for. */
typedef struct Candidate
{
	Oid			oid;
	int			nargs;			/* input arguments */
	int			ndefaults;
	char	  **names;			/* of them; NULL where unnamed */
	Oid		   *types;
	bool		returns_set;
	Oid			rettype;
	bool		variadic;
	char		kind;
} Candidate;

/* The fault of a function that cannot be called. Returns false. */
static bool
fail(DxFault *fault, int sqlstate, char *cause)
{
	fault->error = psprintf("SQL.%s", dx_sqlstate_name(sqlstate));
	fault->cause = cause;
	return false;
}

/* A function of that name, with its arguments. */
static void
read_candidate(HeapTuple tuple, Candidate *candidate)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			n = get_func_arg_info(tuple, &types, &names, &modes);
	int			i;

	candidate->oid = form->oid;
	candidate->kind = form->prokind;
	candidate->ndefaults = form->pronargdefaults;
	candidate->returns_set = form->proretset;
	candidate->rettype = form->prorettype;
	candidate->variadic = OidIsValid(form->provariadic);
	candidate->nargs = 0;
	candidate->names = palloc(sizeof(char *) * Max(n, 1));
	candidate->types = palloc(sizeof(Oid) * Max(n, 1));
	for (i = 0; i < n; i++)
	{
		if (modes != NULL && modes[i] != PROARGMODE_IN &&
			modes[i] != PROARGMODE_INOUT && modes[i] != PROARGMODE_VARIADIC)
			continue;
		candidate->names[candidate->nargs] = names ? names[i] : NULL;
		candidate->types[candidate->nargs++] = types[i];
	}
}

/* All functions of this name, in a List of Candidate *. */
static List *
find_candidates(const char *schema, const char *name)
{
	Oid			namespace = get_namespace_oid(schema, true);
	List	   *candidates = NIL;
	CatCList   *list;
	int			i;

	if (!OidIsValid(namespace))
		return NIL;
	list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	for (i = 0; i < list->n_members; i++)
	{
		HeapTuple	tuple = &list->members[i]->tuple;

		if (((Form_pg_proc) GETSTRUCT(tuple))->pronamespace == namespace)
		{
			Candidate  *candidate = palloc0(sizeof(Candidate));

			read_candidate(tuple, candidate);
			candidates = lappend(candidates, candidate);
		}
	}
	ReleaseSysCacheList(list);
	return candidates;
}

/* The types of the arguments, which tell functions of one name apart. */
static char *
signature(const Candidate *candidate)
{
	StringInfoData buf;
	int			i;

	initStringInfo(&buf);
	for (i = 0; i < candidate->nargs; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 format_type_be_qualified(candidate->types[i]));
	return buf.data;
}

/*
 * The signatures of all functions of this name and schema, with their owners
 * in a list of OIDs.
 */
List *
dx_function_signatures(const char *schema, const char *name, List **owners)
{
	List	   *signatures = NIL;
	ListCell   *lc;

	*owners = NIL;
	foreach(lc, find_candidates(schema, name))
	{
		signatures = lappend(signatures, signature(lfirst(lc)));
		*owners = lappend_oid(*owners, dx_function_owner(((Candidate *) lfirst(lc))->oid));
	}
	return signatures;
}

/* Those that the pins allow; all of them if there are no pins. */
static List *
pinned_candidates(List *candidates, const List *pins)
{
	List	   *allowed = NIL;
	ListCell   *lc;
	ListCell   *lp;

	if (pins == NIL)
		return candidates;
	foreach(lc, candidates)
	{
		char	   *text = signature(lfirst(lc));

		foreach(lp, pins)
		{
			if (strcmp(((DxPin *) lfirst(lp))->arguments, text) == 0)
			{
				allowed = lappend(allowed, lfirst(lc));
				break;
			}
		}
	}
	return allowed;
}

/* What the name meant when the version was published, for a cause. */
static char *
describe_pins(const char *target, const List *pins)
{
	StringInfoData buf;
	ListCell   *lp;

	initStringInfo(&buf);
	appendStringInfo(&buf, "When the version was published %s meant ", target);
	foreach(lp, pins)
		appendStringInfo(&buf, "%s%s(%s)", foreach_current_index(lp) > 0 ? ", " : "",
						 target, ((DxPin *) lfirst(lp))->arguments);
	appendStringInfoString(&buf, ", which does not exist any more; publish a new version to call another.");
	return buf.data;
}

/* OIDs of all functions of this name and schema. */
List *
dx_function_oids(const char *schema, const char *name)
{
	List	   *oids = NIL;
	ListCell   *lc;

	foreach(lc, find_candidates(schema, name))
		oids = lappend_oid(oids, ((Candidate *) lfirst(lc))->oid);
	return oids;
}

/* Which argument has the name of this member; -1: none. */
static int
argument_index(const Candidate *candidate, const JsonbValue *key)
{
	int			i;

	for (i = 0; i < candidate->nargs; i++)
	{
		if (candidate->names[i] != NULL &&
			strlen(candidate->names[i]) == key->val.string.len &&
			memcmp(candidate->names[i], key->val.string.val,
				   key->val.string.len) == 0)
			return i;
	}
	return -1;
}

/* Does the candidate take exactly these members? */
static bool
takes_members(const Candidate *candidate, int nkeys, JsonbValue *keys)
{
	int			required = candidate->nargs - candidate->ndefaults;
	int			given = 0;
	int			i;

	for (i = 0; i < nkeys; i++)
	{
		int			index = argument_index(candidate, &keys[i]);

		if (index < 0)
			return false;
		if (index < required)
			given++;
	}
	return given == required;
}

/* Has it one argument of type jsonb? */
static bool
takes_whole(const Candidate *candidate)
{
	return candidate->nargs == 1 && candidate->types[0] == JSONBOID;
}

/* The members' names of an object, in jsonb's own order. */
static JsonbValue *
member_names(const Jsonb *input, int *n)
{
	JsonbIterator *it;
	JsonbValue	v;
	JsonbValue *keys;
	JsonbIteratorToken token;
	JsonbContainer *container = &unconstify(Jsonb *, input)->root;

	*n = 0;
	if (!JsonContainerIsObject(container))
		return NULL;
	keys = palloc(sizeof(JsonbValue) * Max(JsonContainerSize(container), 1));
	it = JsonbIteratorInit(container);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			keys[(*n)++] = v;
	}
	return keys;
}

/* What the input has, and what there is, for a cause. */
static char *
describe_candidates(List *candidates, int nkeys, JsonbValue *keys)
{
	StringInfoData buf;
	ListCell   *lc;
	int			i;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "The input has the members (");
	for (i = 0; i < nkeys; i++)
		appendStringInfo(&buf, "%s%.*s", i > 0 ? ", " : "",
						 keys[i].val.string.len, keys[i].val.string.val);
	appendStringInfoString(&buf, "); there is ");
	foreach(lc, candidates)
		appendStringInfo(&buf, "%s%s", foreach_current_index(lc) > 0 ? ", " : "",
						 format_procedure(((Candidate *) lfirst(lc))->oid));
	return buf.data;
}

/* The arguments that keep their defaults. */
static void
fill_defaults(DxCallee *callee, const Candidate *candidate, int nkeys,
			  JsonbValue *keys)
{
	int			i;
	int			k;

	callee->default_names = palloc(sizeof(char *) * Max(candidate->nargs, 1));
	callee->default_types = palloc(sizeof(Oid) * Max(candidate->nargs, 1));
	callee->default_numbers = palloc(sizeof(int) * Max(candidate->nargs, 1));
	for (i = candidate->nargs - candidate->ndefaults; i < candidate->nargs; i++)
	{
		for (k = 0; k < nkeys && argument_index(candidate, &keys[k]) != i; k++)
			;
		if (k < nkeys || candidate->names[i] == NULL ||
			candidate->names[i][0] == '\0')
			continue;
		callee->default_names[callee->ndefaults] = candidate->names[i];
		callee->default_types[callee->ndefaults] = candidate->types[i];
		callee->default_numbers[callee->ndefaults++] = i + 1;
	}
}

/* What the call needs to know of the function that was chosen. */
static void
fill_callee(DxCallee *callee, const Candidate *candidate, bool whole,
			int nkeys, JsonbValue *keys)
{
	int			i;

	callee->function = candidate->oid;
	callee->whole = whole;
	callee->returns_set = candidate->returns_set;
	callee->returns_void = candidate->rettype == VOIDOID;
	callee->nargs = whole ? 1 : nkeys;
	callee->names = palloc(sizeof(char *) * Max(callee->nargs, 1));
	callee->types = palloc(sizeof(Oid) * Max(callee->nargs, 1));
	callee->variadic_arg = -1;
	callee->signature = signature(candidate);
	callee->ndefaults = 0;
	if (whole)
	{
		callee->names[0] = NULL;
		callee->types[0] = JSONBOID;
		return;
	}
	for (i = 0; i < nkeys; i++)
	{
		int			index = argument_index(candidate, &keys[i]);

		callee->names[i] = pnstrdup(keys[i].val.string.val, keys[i].val.string.len);
		callee->types[i] = candidate->types[index];
		if (candidate->variadic && index == candidate->nargs - 1)
			callee->variadic_arg = i;
	}
	fill_defaults(callee, candidate, nkeys, keys);
}

/* Splits schema.function; false when it is not of that form. */
bool
dx_split_target(const char *target, char **schema, char **name)
{
	List	   *names;
	char	   *copy = pstrdup(target);

	if (!SplitIdentifierString(copy, '.', &names) || list_length(names) != 2)
		return false;
	*schema = linitial(names);
	*name = lsecond(names);
	return true;
}

/*
 * The candidate that takes the whole input, and the one whose arguments the
 * input's members are; NULL: there is none.  false: there are several of those.
 */
static bool
choose(List *candidates, int nkeys, JsonbValue *keys, Candidate **whole,
	   Candidate **named)
{
	ListCell   *lc;

	*whole = *named = NULL;
	foreach(lc, candidates)
	{
		Candidate  *candidate = lfirst(lc);

		if (takes_whole(candidate))
			*whole = candidate;
		else if (keys != NULL && takes_members(candidate, nkeys, keys))
		{
			if (*named != NULL)
				return false;
			*named = candidate;
		}
	}
	return true;
}

/*
 * Finds the function that a sql: resource means for this input, among those
 * that the pins allow (NIL: all).  false: fault
 * says why not (SQL.undefined_function, SQL.ambiguous_function,
 * SQL.wrong_object_type, SQL.invalid_parameter_value).
 */
bool
dx_resolve(const char *target, const Jsonb *input, const List *pins,
		   DxCallee *callee, DxFault *fault)
{
	List	   *candidates;
	Candidate  *whole = NULL;
	Candidate  *named = NULL;
	Candidate  *only;
	JsonbValue *keys;
	int			nkeys;
	bool		ignores = false;

	if (!dx_split_target(target, &callee->schema, &callee->name))
		return fail(fault, ERRCODE_SYNTAX_ERROR,
					psprintf("\"%s\" is not of the form schema.function.", target));
	candidates = find_candidates(callee->schema, callee->name);
	if (candidates == NIL)
		return fail(fault, ERRCODE_UNDEFINED_FUNCTION,
					psprintf("Function %s does not exist.", target));
	callee->namesakes = list_length(candidates) > 1;
	candidates = pinned_candidates(candidates, pins);
	if (candidates == NIL)
		return fail(fault, ERRCODE_UNDEFINED_FUNCTION, describe_pins(target, pins));

	keys = member_names(input, &nkeys);
	if (!choose(candidates, nkeys, keys, &whole, &named))
		return fail(fault, ERRCODE_AMBIGUOUS_FUNCTION,
					describe_candidates(candidates, nkeys, keys));

	/* A function without arguments ignores its input. */
	only = linitial(candidates);
	if (named == NULL && whole == NULL && list_length(candidates) == 1 &&
		only->nargs == 0)
	{
		named = only;
		nkeys = 0;
		ignores = true;
	}
	if (named == NULL && whole == NULL && keys == NULL)
		return fail(fault, ERRCODE_INVALID_PARAMETER_VALUE,
					psprintf("The input of %s is not an object, so that its arguments have no names.",
							 target));
	if (named == NULL && whole == NULL)
		return fail(fault, ERRCODE_UNDEFINED_FUNCTION,
					describe_candidates(candidates, nkeys, keys));

	only = named != NULL ? named : whole;
	if (only->kind != PROKIND_FUNCTION)
		return fail(fault, ERRCODE_WRONG_OBJECT_TYPE,
					psprintf("%s is not a plain function.", format_procedure(only->oid)));
	fill_callee(callee, only, named == NULL, nkeys, keys);
	callee->ignores_input = ignores;
	return true;
}
