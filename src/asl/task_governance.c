/*-------------------------------------------------------------------------
 *
 * task_governance.c
 *	  Compiles Governance: who decides about an approval; what an effect is that
 *	  leaves only with a decision.
 *
 * A member that is not known is a problem, at every depth: a misspelled word
 * here would open what it was to close.  What the workflow says at the top
 * level stands for what a state leaves out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/classes.h"
#include "asl/compile.h"
#include "asl/field.h"
#include "asl/json.h"
#include "asl/node.h"
#include "asl/problem.h"
#include "asl/shape_words.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#define MAX_QUORUM	1000

/* What a state says, and what the whole workflow does. */
typedef struct Sources
{
	DxNode		state;
	bool		has_state;
	DxNode		top;
	bool		has_top;
} Sources;

static const char *const top_members[] = {
	"SideEffect", "Approval", "Reversibility", "Sensitivity", "Tenant", "Tenant.$",
	"OnDuplicate", "Approvers", "Quorum", "Comment"
};

static const char *const approval_members[] = {
	"Approvers", "Approvers.$", "Quorum", "Shape", "Comment"
};

static const char *const effect_members[] = {
	"Action", "SideEffect", "Approval", "Reversibility", "Sensitivity", "Tenant",
	"Tenant.$", "IdempotencyKey", "IdempotencyKey.$", "OnDuplicate", "Shape",
	"Evidence", "Summary", "Summary.$", "Approvers", "Approvers.$", "Quorum",
	"Comment"
};

static const char *const on_duplicate[] = {"reuse", "fail"};

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
	if (!dx_check_names(c, &approvers, "the name of a role"))
		return NIL;
	dx_walk_start(&walk, &approvers);
	while (dx_walk_next(&walk))
		names = lappend(names, dx_node_text(&walk.node));
	return names;
}

/* Where a member is: in the state, or else at the top level. */
static const DxNode *
source_of(const Sources *sources, const char *name)
{
	if (sources->has_state && dx_has(&sources->state, name))
		return &sources->state;
	return sources->has_top && dx_has(&sources->top, name) ? &sources->top : NULL;
}

/* Approvers and Quorum, which are of approvals and effects alike. */
static void
compile_approvers(DxCompiler *c, const Sources *sources, List **approvers, int *quorum)
{
	const DxNode *who = source_of(sources, "Approvers");
	const DxNode *many = source_of(sources, "Quorum");
	const DxNode *where = sources->has_state ? &sources->state : &sources->top;
	double		number = 1;

	if (many != NULL)
		(void) dx_read_number(c, many, "Quorum", true, 1, MAX_QUORUM, &number);
	*approvers = who != NULL ? read_approvers(c, who) : NIL;
	*quorum = many != NULL ? (int) number : 0;
	if (c->options->check_approvers != NULL &&
		!(sources->has_state && dx_has(&sources->state, "Approvers.$")) &&
		(*approvers != NIL || who == NULL))
		c->options->check_approvers(*approvers, (int) number, where->pointer,
									c->problems);
}

/* ---------- an effect ---------- */

/* A class, by its member; -1: it is not given, or wrong. */
static int
read_class(DxCompiler *c, const Sources *sources, int which)
{
	const DxClassMember *member = &dx_class_members[which];
	const DxNode *source = source_of(sources, member->name);

	if (source == NULL ||
		!dx_read_choice(c, source, member->name, member->words, lengthof(member->words)))
		return -1;
	return dx_class_parse(which, dx_read_text(c, source, member->name, true));
}

/* What is not said of an effect that is one would be said too low. */
static void
class_missing(DxCompiler *c, const DxNode *where, int which)
{
	const DxClassMember *member = &dx_class_members[which];

	dx_problem(c->problems, where->pointer, DX_P_MISSING_FIELD,
			   psprintf("Write \"%s\": \"%s\", \"%s\", \"%s\" or \"%s\", here or in \"Governance\" at the top level.",
						member->name, member->words[0], member->words[1],
						member->words[2], member->words[3]),
			   "\"%s\" is missing", member->name);
}

/* The four classes.  false: some are missing or wrong, which is reported. */
static bool
compile_classes(DxCompiler *c, const Sources *sources, DxClasses *classes)
{
	const DxNode *where = sources->has_state ? &sources->state : &sources->top;
	bool		good = true;

	for (int which = 0; which < DX_NCLASSES; which++)
	{
		int			number = read_class(c, sources, which);
		bool		given = source_of(sources, dx_class_members[which].name) != NULL;

		*dx_class_at(classes, which) = Max(number, 0);
		good = good && (number >= 0 || !given);
		if (!given && (which == 0 || classes->side_effect != DX_EFFECT_NONE))
		{
			class_missing(c, where, which);
			good = false;
		}
	}
	if (good && classes->reversibility == 3 && classes->approval < 2)
		dx_problem(c->problems, where->pointer, DX_P_CONFLICT,
				   "What cannot be undone takes \"Approval\": \"A2\" or \"A3\".",
				   "an effect of R3 is refused with an approval of less than A2");
	return good;
}

/* The members that are computed when the state is entered, as one template. */
static DxTemplate *
compile_ask(DxCompiler *c, const DxStateSource *source, const DxNode *governance)
{
	static const char *const computed[] = {
		"Tenant", "Tenant.$", "IdempotencyKey", "IdempotencyKey.$", "Evidence",
		"Summary", "Summary.$", "Approvers.$"
	};
	JsonbParseState *state = NULL;
	DxNode		member;
	bool		any = false;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < lengthof(computed); i++)
	{
		JsonbValue	key;

		if (!dx_member(governance, computed[i], &member))
			continue;
		key.type = jbvString;
		key.val.string.val = unconstify(char *, computed[i]);
		key.val.string.len = strlen(computed[i]);
		pushJsonbValue(&state, WJB_KEY, &key);
		pushJsonbValue(&state, WJB_VALUE, &member.value);
		any = true;
	}
	if (!any)
		return NULL;
	return dx_template_compile(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)),
							   source->language, governance->pointer, &c->next_ordinal,
							   c->options, c->problems);
}

/* The tenant of a whole run, from its input; NULL: the workflow says none. */
static DxTemplate *
compile_tenant(DxCompiler *c, const Sources *sources)
{
	DxNode		member;
	Jsonb	   *value;
	const char *name = NULL;

	if (!sources->has_top)
		return NULL;
	if (dx_member(&sources->top, "Tenant", &member))
		name = "Tenant";
	else if (dx_member(&sources->top, "Tenant.$", &member))
		name = "Tenant.$";
	if (name == NULL)
		return NULL;
	value = dx_node_json(&member);
	return dx_template_compile(dx_json_object(1, &name, &value),
							   c->language, sources->top.pointer, &c->next_ordinal,
							   c->options, c->problems);
}

/* A text that is constant has to say something. */
static void
check_text(DxCompiler *c, const DxNode *governance, const char *name)
{
	DxNode		member;

	if (!dx_member(governance, name, &member))
		return;
	if (member.value.type != jbvString)
		dx_wrong_type(c, &member, "a string");
	else if (member.value.val.string.len == 0)
		dx_problem(c->problems, member.pointer, DX_P_WRONG_VALUE, NULL,
				   "\"%s\" is empty", name);
}

/* What a state leaves the compensation to do is an effect, too. */
static void
check_undo(DxCompiler *c, const DxNode *where, const DxTask *task,
		   const DxClasses *classes)
{
	if (task->compensable && task->undo_uri != NULL && !dx_is_external(classes) &&
		(task->undo_kind == DX_RESOURCE_ACTIVITY || task->undo_kind == DX_RESOURCE_EMIT ||
		 task->undo_kind == DX_RESOURCE_OTHER))
		dx_problem(c->problems, where->pointer, DX_P_CONFLICT,
				   "Declare the side effect external_message or external_commitment: who agrees with it agrees with its compensation.",
				   "the compensation \"%s\" leaves the database, and the side effect is \"%s\"",
				   dx_clip(task->undo_uri), dx_class_word(classes, 0));
}

/* Members that have to be there, or have to make sense beside each other. */
static void
check_effect(DxCompiler *c, const Sources *sources, const DxTask *task,
			 const DxEffect *effect)
{
	const DxNode *where = sources->has_state ? &sources->state : &sources->top;

	if (effect->action == NULL)
		dx_problem(c->problems, where->pointer, DX_P_MISSING_FIELD,
				   "Write \"Action\": what the policy calls this effect.",
				   "\"Action\" is missing");
	if (effect->ask == NULL && effect->run_tenant == NULL)
		dx_problem(c->problems, where->pointer, DX_P_MISSING_FIELD,
				   "Write \"Tenant\" or \"Tenant.$\", here or in \"Governance\" at the top level.",
				   "\"Tenant\" is missing");
	if (sources->has_state)
	{
		static const char *const texts[] = {"Tenant", "IdempotencyKey", "Summary"};

		for (int i = 0; i < lengthof(texts); i++)
		{
			check_text(c, &sources->state, texts[i]);
			dx_check_conflict(c, &sources->state, texts[i], psprintf("%s.$", texts[i]));
		}
		dx_check_conflict(c, &sources->state, "Approvers", "Approvers.$");
	}
	if (dx_is_external(&effect->classes) && sources->has_state &&
		!dx_has(&sources->state, "IdempotencyKey") &&
		!dx_has(&sources->state, "IdempotencyKey.$"))
		dx_warning(c->problems, where->pointer, DX_P_MISSING_FIELD,
				   "Write \"IdempotencyKey\" or \"IdempotencyKey.$\".",
				   "nothing keeps two runs from doing this twice");
	check_undo(c, where, task, &effect->classes);
}

/* Does a Task of this kind do something that could be governed? */
static bool
has_effect(const DxTask *task)
{
	switch (task->kind)
	{
		case DX_RESOURCE_SQL:
		case DX_RESOURCE_ACTIVITY:
		case DX_RESOURCE_EMIT:
		case DX_RESOURCE_OTHER:
			return true;
		case DX_RESOURCE_WORKFLOW:
			return strcmp(task->target, DX_CONTINUE_TARGET) != 0;
		case DX_RESOURCE_SIGNAL:
		case DX_RESOURCE_EVENT:
		case DX_RESOURCE_APPROVAL:
		case DX_RESOURCE_COMPENSATE:
			return false;
	}
	pg_unreachable();
}

/* A Task that does something, and what is said of it. */
static void
compile_effect(DxCompiler *c, const DxStateSource *source, const Sources *sources,
			   DxTask *task)
{
	DxEffect   *effect = palloc0(sizeof(DxEffect));
	DxNode		shape;
	bool		good;

	if (sources->has_state)
		dx_check_members(c, &sources->state, "Governance", effect_members,
						 lengthof(effect_members));
	good = compile_classes(c, sources, &effect->classes);
	if (sources->has_state)
	{
		check_text(c, &sources->state, "Action");
		effect->action = dx_read_text(c, &sources->state, "Action", false);
		effect->ask = compile_ask(c, source, &sources->state);
		if (dx_read_object(c, &sources->state, "Shape", false, &shape))
		{
			dx_check_shape(c, &shape);
			effect->shape = dx_node_json(&shape);
		}
	}
	effect->run_tenant = compile_tenant(c, sources);
	if (source_of(sources, "OnDuplicate") != NULL &&
		dx_read_choice(c, source_of(sources, "OnDuplicate"), "OnDuplicate", on_duplicate,
					   lengthof(on_duplicate)))
		effect->fails_duplicates = strcmp(dx_read_text(c, source_of(sources, "OnDuplicate"),
													   "OnDuplicate", true), "fail") == 0;
	/* That it does nothing outside is all that there is to say. */
	if (good && effect->classes.side_effect == DX_EFFECT_NONE && effect->action == NULL)
	{
		check_undo(c, sources->has_state ? &sources->state : &sources->top, task, &effect->classes);
		return;
	}
	compile_approvers(c, sources, &effect->approvers, &effect->quorum);
	check_effect(c, sources, task, effect);
	task->effect = effect;
}

/* An approval: state: who is asked. */
static void
compile_approval(DxCompiler *c, const Sources *sources, DxTask *task)
{
	DxNode		shape;
	List	   *approvers;
	int			quorum;

	if (!sources->has_state)
		return;
	task->governance = dx_node_json(&sources->state);
	dx_check_members(c, &sources->state, "Governance", approval_members,
					 lengthof(approval_members));
	if (dx_read_object(c, &sources->state, "Shape", false, &shape))
		dx_check_shape(c, &shape);
	compile_approvers(c, sources, &approvers, &quorum);
}

/* Is anything said at the top level that makes every Task an effect? */
static bool
top_governs(const Sources *sources)
{
	DxNode		member;

	return sources->has_top && dx_member(&sources->top, "SideEffect", &member);
}

/*
 * Compiles Governance of a Task whose resource is known by now.
 */
void
dx_compile_governance(DxCompiler *c, const DxStateSource *source, DxTask *task)
{
	Sources		sources = {0};

	sources.has_state = dx_read_object(c, &source->node, "Governance", false, &sources.state);
	sources.has_top = dx_member(&c->machines[0].node, "Governance", &sources.top) &&
		dx_is_object(&sources.top);
	if (task->uri == NULL)
		return;
	if (task->kind == DX_RESOURCE_APPROVAL)
	{
		/* The classes of effects are nothing to it. */
		sources.has_top = false;
		compile_approval(c, &sources, task);
	}
	else if (!has_effect(task))
	{
		if (sources.has_state)
			dx_problem(c->problems, sources.state.pointer, DX_P_NO_EFFECT,
					   "Put it on the state that does something.",
					   "\"%s\" has no effect that could be governed", dx_clip(task->uri));
	}
	else if (sources.has_state || top_governs(&sources))
		compile_effect(c, source, &sources, task);
	else if (c->options->governed)
		dx_problem(c->problems, source->node.pointer, DX_P_MISSING_FIELD,
				   "Write \"Governance\": {\"SideEffect\": ...}; the setting dealix_exec.governance is required.",
				   "\"%s\" does not say what its side effect is", dx_clip(task->uri));
}

/* Governance at the top level, which is for all states. */
void
dx_check_governance(DxCompiler *c, const DxNode *machine)
{
	DxNode		governance;
	Sources		sources = {0};

	if (!dx_read_object(c, machine, "Governance", false, &governance))
		return;
	if (c->options->strict)
	{
		dx_problem(c->problems, governance.pointer, DX_P_NOT_PURE, NULL,
				   "\"Governance\" is an addition to the Amazon States Language");
		return;
	}
	dx_check_members(c, &governance, "Governance", top_members, lengthof(top_members));
	sources.top = governance;
	sources.has_top = true;
	for (int which = 0; which < DX_NCLASSES; which++)
		(void) read_class(c, &sources, which);
	if (dx_has(&governance, "OnDuplicate"))
		(void) dx_read_choice(c, &governance, "OnDuplicate", on_duplicate, lengthof(on_duplicate));
	check_text(c, &governance, "Tenant");
	dx_check_conflict(c, &governance, "Tenant", "Tenant.$");
}
