/*-------------------------------------------------------------------------
 *
 * trial.c
 *	  A policy, tried on a table of cases.
 *
 * What a case does not say is harmless: a correlation id is there, the durability
 * is sync, a human has asked; and the classes are the least.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/classes.h"
#include "asl/json.h"
#include "asl/policy_document.h"
#include "engine/payload.h"
#include "governance/actor.h"
#include "governance/policy.h"
#include "governance/trial.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/* A case is not what it has to be. */
static void
bad_case(int number, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("case %d: %s", number + 1, what),
			 errhint("A case is {\"Case\": name, \"Ask\": {...}, \"Expect\": {...}}; see dealix.try_policy.")));
}

/* Is the word one of those in the list? */
static bool
is_one_of(const char *word, const char *const *list, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (strcmp(list[i], word) == 0)
			return true;
	}
	return false;
}

/* Refuses members that the object does not have. */
static void
check_members(int number, const Jsonb *object, const char *what,
			  const char *const *allowed, int n)
{
	JsonbIterator *it = JsonbIteratorInit(&unconstify(Jsonb *, object)->root);
	JsonbIteratorToken token;
	JsonbValue	v;

	if (!JB_ROOT_IS_OBJECT(object))
		bad_case(number, psprintf("%s is not an object", what));
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		char	   *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(v.val.string.val, v.val.string.len);
		if (!is_one_of(name, allowed, n))
			bad_case(number, psprintf("%s has no member \"%s\"", what, name));
	}
}

/* How many cases there are. Errors: 22023. */
int
dx_trial_count(const Jsonb *cases)
{
	if (!JB_ROOT_IS_ARRAY(cases) || JB_ROOT_IS_SCALAR(cases))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cases has to be an array of cases")));
	return JB_ROOT_COUNT(cases);
}

/* A boolean of the case. */
static bool
get_bool(int number, const Jsonb *object, const char *name, bool missing)
{
	JsonbValue	value;

	if (!dx_json_get(object, name, &value))
		return missing;
	if (value.type != jbvBool)
		bad_case(number, psprintf("\"%s\" is not true or false", name));
	return value.val.boolean;
}

/* A whole number of the case. */
static int
get_int(int number, const Jsonb *object, const char *name, int missing)
{
	JsonbValue	value;

	if (!dx_json_get(object, name, &value) || value.type == jbvNull)
		return missing;
	if (value.type != jbvNumeric)
		bad_case(number, psprintf("\"%s\" is not a number", name));
	return DatumGetInt32(DirectFunctionCall1(numeric_int4, NumericGetDatum(value.val.numeric)));
}

/* Names of the case. */
static List *
get_names(int number, const Jsonb *object, const char *name)
{
	Jsonb	   *array = dx_json_get_json(object, name);
	List	   *names = NIL;

	if (array == NULL)
		return NIL;
	if (!JB_ROOT_IS_ARRAY(array) || JB_ROOT_IS_SCALAR(array))
		bad_case(number, psprintf("\"%s\" is not an array", name));
	for (int i = 0; i < JB_ROOT_COUNT(array); i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(&array->root, i);

		if (value->type != jbvString)
			bad_case(number, psprintf("\"%s\" has something that is not a string", name));
		names = lappend(names, pnstrdup(value->val.string.val, value->val.string.len));
	}
	return names;
}

/* The classes of the case, by the names that rules see. */
static void
read_classes(int number, const Jsonb *object, DxClasses *classes)
{
	static const char *const names[] = {"side_effect", "approval", "reversibility", "sensitivity"};

	for (int which = 0; which < DX_NCLASSES; which++)
	{
		char	   *word = dx_json_get_text(object, names[which]);
		int			class = word ? dx_class_parse(which, word) : 0;

		if (class < 0)
			bad_case(number, psprintf("\"%s\" is no %s", word, names[which]));
		*dx_class_at(classes, which) = class;
	}
}

/* What the case asks. */
static void
read_ask(int number, const Jsonb *object, DxAsk *ask)
{
	static const char *const members[] = {
		"action", "side_effect", "approval", "reversibility", "sensitivity",
		"tenant", "run_tenant", "workflow", "state", "requester", "actor_type",
		"payload", "correlated", "synchronous", "first_use", "approvers", "quorum"
	};
	char	   *type;

	check_members(number, object, "\"Ask\"", members, lengthof(members));
	memset(ask, 0, sizeof(DxAsk));
	ask->action = dx_json_get_text(object, "action");
	read_classes(number, object, &ask->classes);
	ask->tenant = dx_json_get_text(object, "tenant");
	ask->run_tenant = dx_json_get_text(object, "run_tenant");
	ask->workflow = dx_json_get_text(object, "workflow");
	ask->state = dx_json_get_text(object, "state");
	ask->requester_name = dx_json_get_text(object, "requester");
	if (ask->requester_name == NULL)
		ask->requester_name = pstrdup("somebody");
	type = dx_json_get_text(object, "actor_type");
	ask->actor_type = type ? dx_actor_type_parse(type) : DX_ACTOR_HUMAN;
	if (ask->actor_type == 0)
		bad_case(number, psprintf("actor type \"%s\" is not known", type));
	ask->payload = dx_json_get_json(object, "payload");
	if (ask->payload == NULL)
		ask->payload = dx_json_empty_object();
	ask->correlated = get_bool(number, object, "correlated", true);
	ask->synchronous = get_bool(number, object, "synchronous", true);
	ask->first_use_given = true;
	ask->first_use = get_bool(number, object, "first_use", false);
	ask->approvers = get_names(number, object, "approvers");
	ask->quorum = get_int(number, object, "quorum", 0);
}

/* Names as JSON. */
static Jsonb *
names_json(const List *names)
{
	Jsonb	  **texts = palloc(sizeof(Jsonb *) * Max(list_length(names), 1));
	ListCell   *lc;

	foreach(lc, names)
		texts[foreach_current_index(lc)] = dx_json_string(lfirst(lc));
	return dx_json_array(list_length(names), texts);
}

/* A verdict as JSON, by the words of Expect. */
static Jsonb *
verdict_json(const DxVerdict *verdict)
{
	char		class[2] = {verdict->class, '\0'};

	return dx_payload("Class", dx_json_string(class),
					  "Rule", verdict->rule >= 0 ? dx_json_int(verdict->rule) : dx_json_null(),
					  "Quorum", dx_json_int(verdict->quorum),
					  "Approvers", names_json(verdict->approvers),
					  "Floors", names_json(verdict->floors), NULL);
}

/* Is all that is expected so? */
static bool
is_as_expected(const Jsonb *expected, const Jsonb *got)
{
	JsonbIterator *it = JsonbIteratorInit(&unconstify(Jsonb *, expected)->root);
	JsonbIteratorToken token;
	JsonbValue	v;

	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		char	   *name;
		Jsonb	   *one;
		Jsonb	   *other;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(v.val.string.val, v.val.string.len);
		one = dx_json_get_json(expected, name);
		other = dx_json_get_json(got, name);
		if (compareJsonbContainers(&one->root, &other->root) != 0)
			return false;
	}
	return true;
}

/* Tries the policy on a case. Errors: 22023 when the case is wrong. */
void
dx_trial_run(const DxPolicy *policy, const Jsonb *cases, int number, DxTrial *trial)
{
	static const char *const members[] = {"Case", "Ask", "Expect", "Comment"};
	static const char *const expectations[] = {"Class", "Rule", "Quorum", "Approvers", "Floors"};
	Jsonb	   *one = dx_json_from_value(getIthJsonbValueFromContainer((JsonbContainer *) &cases->root, number));
	Jsonb	   *asked;
	DxAsk		ask;
	DxVerdict	verdict;

	check_members(number, one, "the case", members, lengthof(members));
	asked = dx_json_get_json(one, "Ask");
	if (asked == NULL)
		bad_case(number, "\"Ask\" is missing");
	read_ask(number, asked, &ask);
	trial->name = dx_json_get_text(one, "Case");
	trial->expected = dx_json_get_json(one, "Expect");
	if (trial->expected != NULL)
		check_members(number, trial->expected, "\"Expect\"", expectations, lengthof(expectations));
	dx_policy_apply(policy, 0, &ask, &verdict);
	trial->got = verdict_json(&verdict);
	trial->why = verdict.why ? verdict.why : "";
	trial->passed = trial->expected == NULL || is_as_expected(trial->expected, trial->got);
}
