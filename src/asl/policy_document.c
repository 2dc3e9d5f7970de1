/*-------------------------------------------------------------------------
 *
 * policy_document.c
 *	  Compiles a policy, and says which of its rules matches.
 *
 * A rule is a choice rule of the Amazon States Language, with what is decided
 * in place of Next.  Every member is checked: a misspelled word here would let
 * out what it was to keep.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/choice.h"
#include "asl/classes.h"
#include "asl/compile.h"
#include "asl/duration.h"
#include "asl/field.h"
#include "asl/json.h"
#include "asl/node.h"
#include "asl/policy_document.h"
#include "asl/problem.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#define MAX_QUORUM	1000
#define MAX_CANARY	1000000
#define MAX_SUGGESTIONS	10000

static const char *const document_members[] = {"Comment", "Actions", "Rules"};

static const char *const action_members[] = {
	"SideEffect", "Approval", "Reversibility", "Sensitivity", "Comment"
};

/* What a rule says; the rest of its members is what it matches. */
static const char *const said[] = {
	"Class", "Approvers", "Quorum", "AllOf", "Sla", "Expire", "Escalation", "Canary"
};

static const char *const step_members[] = {"At", "Notify", "Add"};

/* ---------- what a rule matches ---------- */

/* Is it a member that says something? */
static bool
is_said(const char *name)
{
	for (int i = 0; i < lengthof(said); i++)
	{
		if (strcmp(said[i], name) == 0)
			return true;
	}
	return false;
}

/* The rule without what it says; what is nearly a word of ours is a problem. */
static Jsonb *
test_of(DxCompiler *c, const DxNode *rule)
{
	JsonbParseState *state = NULL;
	DxWalk		walk;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	dx_walk_start(&walk, rule);
	while (dx_walk_next(&walk))
	{
		JsonbValue	key;
		const char *closest;

		if (is_said(walk.name))
			continue;
		closest = dx_closest(c, walk.name, said, lengthof(said));
		if (closest != NULL || strcmp(walk.name, "Next") == 0 || strcmp(walk.name, "Assign") == 0)
		{
			dx_problem(c->problems, walk.node.pointer, DX_P_UNKNOWN_FIELD,
					   closest ? psprintf("Did you mean \"%s\"?", closest) :
					   "A rule of a policy says Class in place of Next.",
					   "a rule of a policy has no field \"%s\"", dx_clip(walk.name));
			continue;
		}
		key.type = jbvString;
		key.val.string.val = unconstify(char *, walk.name);
		key.val.string.len = strlen(walk.name);
		pushJsonbValue(&state, WJB_KEY, &key);
		pushJsonbValue(&state, WJB_VALUE, &walk.node.value);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* Does a member of the test have this constant text? */
static bool
has_text(const DxNode *test, const char *name, const char *text)
{
	DxNode		member;

	return dx_member(test, name, &member) && member.value.type == jbvString &&
		(text == NULL || strcmp(dx_node_text(&member), text) == 0);
}

/* Does the test match nothing but actions that it names? */
static bool
names_action(const DxNode *test)
{
	DxNode		list;
	DxWalk		walk;
	bool		all;

	check_stack_depth();
	if (has_text(test, "Variable", "$.action"))
		return has_text(test, "StringEquals", NULL);
	all = dx_member(test, "Or", &list);
	if (!all && !dx_member(test, "And", &list))
		return false;
	if (!dx_is_array(&list) || dx_count(&list) == 0)
		return false;
	dx_walk_start(&walk, &list);
	while (dx_walk_next(&walk))
	{
		if (dx_is_object(&walk.node) && names_action(&walk.node) != all)
			return !all;
	}
	return all;
}

/* ---------- what it says ---------- */

/* The names of roles in a member; NIL: there are none, or they are wrong. */
static List *
read_roles(DxCompiler *c, const DxNode *object, const char *name)
{
	DxNode		array;
	DxWalk		walk;
	List	   *roles = NIL;

	if (!dx_read_array(c, object, name, false, &array))
		return NIL;
	if (dx_count(&array) == 0)
		dx_problem(c->problems, array.pointer, DX_P_WRONG_VALUE, "Leave it out.",
				   "\"%s\" names nobody", name);
	if (!dx_check_names(c, &array, "the name of a role"))
		return NIL;
	dx_walk_start(&walk, &array);
	while (dx_walk_next(&walk))
		roles = lappend(roles, dx_node_text(&walk.node));
	return roles;
}

/* AllOf: groups of roles, of each of which somebody has to agree. */
static Jsonb *
read_groups(DxCompiler *c, const DxNode *rule)
{
	DxNode		groups;
	DxWalk		walk;

	if (!dx_read_array(c, rule, "AllOf", false, &groups))
		return NULL;
	if (dx_count(&groups) == 0)
		dx_problem(c->problems, groups.pointer, DX_P_WRONG_VALUE, "Leave it out.",
				   "\"AllOf\" has no group");
	dx_walk_start(&walk, &groups);
	while (dx_walk_next(&walk))
	{
		if (!dx_is_array(&walk.node) || dx_count(&walk.node) == 0)
			dx_wrong_type(c, &walk.node, "an array of names of roles");
		else
			(void) dx_check_names(c, &walk.node, "the name of a role");
	}
	return dx_node_json(&groups);
}

/* A time in ISO 8601, in seconds; 0: there is none. */
static double
read_duration(DxCompiler *c, const DxNode *rule, const char *name)
{
	const char *text = dx_read_text(c, rule, name, false);
	double		seconds = 0;

	if (text != NULL && (!dx_duration_parse(text, &seconds) || seconds <= 0))
		dx_problem(c->problems, dx_pointer_child(rule->pointer, name), DX_P_WRONG_VALUE,
				   "Write it as ISO 8601 does: \"PT24H\", \"P2D\", \"PT90M\".",
				   "\"%s\" is no length of time", dx_clip(text));
	return seconds;
}

/* The steps of an escalation, in order of time. */
static Jsonb *
read_escalation(DxCompiler *c, const DxNode *rule, bool has_sla)
{
	DxNode		steps;
	DxWalk		walk;
	double		before = 0;

	if (!dx_read_array(c, rule, "Escalation", false, &steps))
		return NULL;
	if (!has_sla)
		dx_problem(c->problems, steps.pointer, DX_P_NO_EFFECT, "Give the rule an \"Sla\".",
				   "without an \"Sla\" nothing escalates");
	dx_walk_start(&walk, &steps);
	while (dx_walk_next(&walk))
	{
		double		at = 0;

		if (!dx_is_object(&walk.node))
		{
			dx_wrong_type(c, &walk.node, "an object, a step of the escalation");
			continue;
		}
		dx_check_members(c, &walk.node, "a step of an escalation", step_members,
						 lengthof(step_members));
		if (!dx_has(&walk.node, "At"))
			dx_problem(c->problems, walk.node.pointer, DX_P_MISSING_FIELD,
					   "0.75 is three quarters of the Sla, 1.5 half of it more.",
					   "\"At\" is missing");
		else if (dx_read_number(c, &walk.node, "At", false, 0.001, 1000, &at) && at < before)
			dx_problem(c->problems, walk.node.pointer, DX_P_OUT_OF_RANGE, NULL,
					   "the steps of an escalation stand in order of time");
		before = Max(before, at);
		if (read_roles(c, &walk.node, "Notify") == NIL && read_roles(c, &walk.node, "Add") == NIL)
			dx_problem(c->problems, walk.node.pointer, DX_P_MISSING_FIELD,
					   "Give it \"Notify\" or \"Add\".", "this step tells nobody");
	}
	return dx_node_json(&steps);
}

/* Class; ' ': it is missing or wrong. */
static char
read_class(DxCompiler *c, const DxNode *rule)
{
	static const char *const classes[] = {"A", "B", "C"};

	if (!dx_has(rule, "Class"))
	{
		dx_problem(c->problems, rule->pointer, DX_P_MISSING_FIELD,
				   "\"A\" is automatic, \"B\" takes approval, \"C\" is forbidden.",
				   "\"Class\" is missing");
		return ' ';
	}
	if (!dx_read_choice(c, rule, "Class", classes, lengthof(classes)))
		return ' ';
	return dx_read_text(c, rule, "Class", true)[0];
}

/* A member that has a sense for class B, or A with a canary, only. */
static void
check_use(DxCompiler *c, const DxNode *rule, const DxPolicyRule *compiled)
{
	static const char *const of_people[] = {
		"Approvers", "Quorum", "AllOf", "Sla", "Expire", "Escalation"
	};

	if (compiled->class == 'C' || compiled->class == ' ')
	{
		for (int i = 0; compiled->class == 'C' && i < lengthof(of_people); i++)
		{
			if (dx_has(rule, of_people[i]))
				dx_problem(c->problems, dx_pointer_child(rule->pointer, of_people[i]),
						   DX_P_NO_EFFECT, "Leave it out, or say \"Class\": \"B\".",
						   "nobody is asked about what is forbidden");
		}
		return;
	}
	if (dx_has(rule, "Canary") && compiled->class != 'A')
		dx_problem(c->problems, dx_pointer_child(rule->pointer, "Canary"), DX_P_NO_EFFECT,
				   "Leave it out.", "every effect of class B is decided, not the first ones only");
}

/* A rule, whole. */
static void
compile_rule(DxCompiler *c, const DxNode *node, DxPolicyRule *rule)
{
	DxNode		test;
	Jsonb	   *json;
	double		number = 0;

	if (!dx_is_object(node))
	{
		dx_wrong_type(c, node, "an object, a rule");
		return;
	}
	json = test_of(c, node);
	rule->test = dx_rule_compile(c, json, node->pointer);
	test.pointer = node->pointer;
	dx_json_to_value(json, &test.value);
	rule->names_action = names_action(&test);
	rule->class = read_class(c, node);
	rule->approvers = read_roles(c, node, "Approvers");
	rule->all_of = read_groups(c, node);
	if (dx_read_number(c, node, "Quorum", true, 1, MAX_QUORUM, &number))
		rule->quorum = (int) number;
	rule->sla = read_duration(c, node, "Sla");
	rule->expire = read_duration(c, node, "Expire");
	rule->escalation = read_escalation(c, node, rule->sla > 0);
	number = 0;
	if (dx_read_number(c, node, "Canary", true, 1, MAX_CANARY, &number))
		rule->canary = (int) number;
	check_use(c, node, rule);
}

/* What an action is at least. */
static void
compile_action(DxCompiler *c, const char *name, const DxNode *node, DxPolicyAction *action)
{
	action->name = pstrdup(name);
	if (!dx_is_object(node))
	{
		dx_wrong_type(c, node, "an object, the least classes of an action");
		return;
	}
	dx_check_members(c, node, "an action", action_members, lengthof(action_members));
	for (int which = 0; which < DX_NCLASSES; which++)
	{
		const DxClassMember *member = &dx_class_members[which];

		if (dx_read_choice(c, node, member->name, member->words, lengthof(member->words)))
			*dx_class_at(&action->least, which) =
				dx_class_parse(which, dx_read_text(c, node, member->name, true));
	}
}

/* The members Actions and Rules. */
static void
compile_document(DxCompiler *c, const DxNode *document, DxPolicy *policy)
{
	DxNode		member;
	DxWalk		walk;

	dx_check_members(c, document, "a policy", document_members, lengthof(document_members));
	if (dx_read_object(c, document, "Actions", false, &member))
	{
		policy->actions = palloc0(sizeof(DxPolicyAction) * Max(dx_count(&member), 1));
		dx_walk_start(&walk, &member);
		while (dx_walk_next(&walk))
			compile_action(c, walk.name, &walk.node, &policy->actions[policy->nactions++]);
	}
	if (!dx_read_array(c, document, "Rules", true, &member))
		return;
	policy->rules = palloc0(sizeof(DxPolicyRule) * Max(dx_count(&member), 1));
	dx_walk_start(&walk, &member);
	while (dx_walk_next(&walk))
	{
		CHECK_FOR_INTERRUPTS();
		compile_rule(c, &walk.node, &policy->rules[policy->nrules++]);
	}
}

/*
 * May some path of the document lead to this member of what is asked?  A path that
 * is no plain name after "$." may lead anywhere.
 */
static bool
mentions(const Jsonb *document, const char *member)
{
	const char *text = dx_json_compact(document);

	return strstr(text, member) != NULL || strstr(text, "\"$\"") != NULL ||
		strstr(text, "$[") != NULL || strstr(text, "$..") != NULL || strstr(text, "$.*") != NULL;
}

/*
 * Compiles a policy, in CurrentMemoryContext.  What is wrong is in problems; then
 * what is returned is not to be asked.
 */
DxPolicy *
dx_policy_compile(const Jsonb *document, DxProblems *problems)
{
	static const DxCompileOptions options;
	DxCompiler	c;
	DxProgram	program;
	DxPolicy   *policy = palloc0(sizeof(DxPolicy));
	DxNode		node;

	memset(&c, 0, sizeof(c));
	memset(&program, 0, sizeof(program));
	c.options = &options;
	c.problems = problems;
	c.program = &program;
	c.suggestions = MAX_SUGGESTIONS;
	c.language = DX_QL_JSONPATH;
	node.pointer = "";
	dx_json_to_value(document, &node.value);
	if (dx_is_object(&node))
		compile_document(&c, &node, policy);
	else
		dx_problem(problems, "", DX_P_WRONG_TYPE, NULL, "a policy is an object");
	policy->asks_first_use = mentions(document, "first_use");
	policy->asks_payload = mentions(document, "payload");
	return policy;
}

/*
 * The number of the first rule that matches; -1: none.  -2: one could not be
 * evaluated, see *fault.
 */
int
dx_policy_match(const DxPolicy *policy, Jsonb *subject, DxFault *fault)
{
	DxEnv		env;

	memset(&env, 0, sizeof(env));
	env.input = env.state_input = subject;
	for (int i = 0; i < policy->nrules; i++)
	{
		bool		match;

		CHECK_FOR_INTERRUPTS();
		if (!dx_rule_eval(policy->rules[i].test, &env, &match, fault))
		{
			fault->cause = psprintf("Rule %d: %s", i, fault->cause ? fault->cause : fault->error);
			return -2;
		}
		if (match)
			return i;
	}
	return -1;
}

/* What the policy says of an action by name; NULL: nothing. */
const DxPolicyAction *
dx_policy_action(const DxPolicy *policy, const char *name)
{
	for (int i = 0; i < policy->nactions; i++)
	{
		if (strcmp(policy->actions[i].name, name) == 0)
			return &policy->actions[i];
	}
	return NULL;
}

/* All roles that the rules ask, each once. */
List *
dx_policy_roles(const DxPolicy *policy)
{
	List	   *roles = NIL;

	for (int i = 0; i < policy->nrules; i++)
	{
		ListCell   *lc;

		foreach(lc, policy->rules[i].approvers)
		{
			ListCell   *lr;
			bool		known = false;

			foreach(lr, roles)
				known = known || strcmp(lfirst(lr), lfirst(lc)) == 0;
			if (!known)
				roles = lappend(roles, lfirst(lc));
		}
	}
	return roles;
}
