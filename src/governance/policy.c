/*-------------------------------------------------------------------------
 *
 * policy.c
 *	  What the policy in force says about an effect, and the floors that no
 *	  policy lowers.
 *
 * The order: who is nobody's, or another's, is refused; then what the classes
 * forbid; then the first rule that matches; then what raises its class.  What no
 * rule matches is of class B.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "asl/classes.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "asl/policy_document.h"
#include "asl/problem.h"
#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "engine/history.h"
#include "engine/payload.h"
#include "executor/spi.h"
#include "governance/actor.h"
#include "governance/policy.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

static DxStatement current_statement = {
	"SELECT p.policy_version, p.document FROM dealix.policy p WHERE p.policy_version ="
	" (SELECT r.policy_version FROM dealix.policy_release r ORDER BY r.release_id DESC LIMIT 1)",
	0, {0}
};

static DxStatement canary_statement = {
	"SELECT pg_catalog.count(*) FROM (SELECT FROM dealix.intent WHERE name = $1"
	" AND policy_version = $2 AND rule = $3 AND class = 'B' LIMIT $4) i",
	4, {TEXTOID, INT4OID, INT4OID, INT4OID}
};

static DxStatement used_statement = {
	"SELECT FROM dealix.intent WHERE name = $1 AND tenant = $2 AND class IN ('A', 'B') LIMIT 1",
	2, {TEXTOID, TEXTOID}
};

/* The policy in force, as this process knows it. */
static struct
{
	TimestampTz asked_in;		/* the transaction that has looked, by its
								 * start */
	int			version;		/* 0: none is in force */
	DxPolicy   *policy;
	MemoryContext cxt;
}			current;

/*
 * Verdicts of a transaction that depend neither on the payload nor on what was done
 * before: of many effects of one kind only the first one is judged.
 */
#define MAX_KNOWN	32

typedef struct Known
{
	DxAsk		ask;			/* without lists and payload */
	DxVerdict	verdict;
} Known;

static struct
{
	TimestampTz given_in;		/* the transaction, by its start */
	int			n;
	Known		verdicts[MAX_KNOWN];
	MemoryContext cxt;
}			known;

/* Of whoever may have changed it: the next effect looks again. */
void
dx_policy_forget(void)
{
	current.asked_in = 0;
	known.given_in = 0;
}

/* Keeps a policy that is in force. */
static void
keep(int version, const Jsonb *document)
{
	MemoryContext oldcxt;
	DxProblems	problems = {NIL, NIL};

	if (current.cxt != NULL)
		MemoryContextDelete(current.cxt);
	current.cxt = NULL;
	current.policy = NULL;
	current.version = 0;
	current.cxt = AllocSetContextCreate(TopMemoryContext, "dealix_exec policy",
										ALLOCSET_DEFAULT_SIZES);
	oldcxt = MemoryContextSwitchTo(current.cxt);
	current.policy = dx_policy_compile(document, &problems);
	MemoryContextSwitchTo(oldcxt);
	if (problems.list != NIL)
	{
		current.policy = NULL;
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("policy version %d does not compile any more", version)));
	}
	current.version = version;
}

/*
 * The policy in force; NULL: there is none.  Looks once in a transaction.
 * Between dx_engine_enter and dx_engine_leave.
 */
const DxPolicy *
dx_policy_current(int *version)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();

	Assert(dx_engine_entered());
	if (current.asked_in != now)
	{
		(void) dx_execute(&current_statement, NULL, NULL, false, 1);
		if (SPI_processed == 0)
		{
			current.version = 0;
			current.policy = NULL;
		}
		else
		{
			DxRow		row = dx_row(0);
			int			found = dx_get_int4(&row);

			if (found != current.version)
				keep(found, dx_get_jsonb(&row));
		}
		SPI_freetuptable(SPI_tuptable);
		current.asked_in = now;
	}
	*version = current.version;
	return current.policy;
}

/* ---------- facts ---------- */

/* Has the tenant never done this before? */
static bool
first_use(const DxAsk *ask)
{
	Datum		values[2];
	bool		used;

	values[0] = CStringGetTextDatum(ask->action);
	values[1] = CStringGetTextDatum(ask->tenant);
	(void) dx_execute(&used_statement, values, NULL, false, 1);
	used = SPI_processed > 0;
	SPI_freetuptable(SPI_tuptable);
	return !used;
}

/* Is the effect one of the first that the rule lets out? */
static bool
in_canary(const DxAsk *ask, int version, int rule, int canary)
{
	Datum		values[4];
	bool		isnull;
	int64		n;

	values[0] = CStringGetTextDatum(ask->action);
	values[1] = Int32GetDatum(version);
	values[2] = Int32GetDatum(rule);
	values[3] = Int32GetDatum(canary);
	(void) dx_execute(&canary_statement, values, NULL, false, 1);
	n = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return n < canary;
}

/* What rules are evaluated over. */
static Jsonb *
subject_of(const DxAsk *ask, const DxVerdict *verdict, bool first)
{
	return dx_payload("action", dx_json_text(ask->action),
					  "side_effect", dx_json_string(dx_class_word(&verdict->classes, 0)),
					  "approval", dx_json_string(dx_class_word(&verdict->classes, 1)),
					  "reversibility", dx_json_string(dx_class_word(&verdict->classes, 2)),
					  "sensitivity", dx_json_string(dx_class_word(&verdict->classes, 3)),
					  "tenant", dx_json_text(ask->tenant),
					  "workflow", dx_json_text(ask->workflow),
					  "state", dx_json_text(ask->state),
					  "requester", dx_json_text(ask->requester_name ? ask->requester_name :
												dx_role_name(ask->requester)),
					  "actor_type", dx_json_string(dx_actor_type_name(ask->actor_type)),
					  "payload", ask->payload,
					  "attributes", dx_json_empty_object(),
					  "first_use", dx_json_bool(first), NULL);
}

/* ---------- the verdict ---------- */

/* A floor has decided, or has raised the class. */
static void
floor_at(DxVerdict *verdict, char class, const char *floor, const char *why)
{
	if (class > verdict->class)
	{
		verdict->class = class;
		verdict->why = pstrdup(why);
	}
	verdict->floors = lappend(verdict->floors, pstrdup(floor));
}

/* What forbids the effect whatever the policy says; true: something does. */
static bool
is_forbidden(const DxAsk *ask, DxVerdict *verdict)
{
	bool		external = dx_is_external(&verdict->classes);

	if (ask->action == NULL || ask->action[0] == '\0')
		floor_at(verdict, 'C', "empty_action", "An effect without an action is forbidden.");
	else if (ask->tenant == NULL || ask->tenant[0] == '\0')
		floor_at(verdict, 'C', "tenant_missing", "An effect without a tenant is forbidden.");
	else if (ask->run_tenant != NULL && strcmp(ask->run_tenant, ask->tenant) != 0)
		floor_at(verdict, 'C', "other_tenant", "The effect is for another tenant than the run.");
	else if (ask->actor_type == DX_ACTOR_OBSERVER)
		floor_at(verdict, 'C', "observer", "Who has asked for it is an observer, and starts nothing governed.");
	else if (verdict->classes.reversibility == 3 && verdict->classes.approval < 2)
		floor_at(verdict, 'C', "r3_below_a2", "What cannot be undone takes an approval of A2 or A3.");
	else if (external && !ask->correlated)
		floor_at(verdict, 'C', "no_correlation", "What leaves the company takes a run with a correlation id.");
	else if (external && !ask->synchronous)
		floor_at(verdict, 'C', "durability", "What leaves the company takes a run whose durability is sync.");
	return verdict->class == 'C';
}

/* What raises the class that a rule has given. */
static void
raise_class(const DxAsk *ask, const DxPolicyRule *rule, DxVerdict *verdict)
{
	if (verdict->class == 'A' && (dx_is_external(&verdict->classes) || verdict->classes.reversibility >= 2) &&
		!rule->names_action)
		floor_at(verdict, 'B', "external_unnamed", "What leaves the company, or is costly to undo, is automatic only by a rule that names its action.");
	if (verdict->class == 'A' && verdict->classes.approval >= 1)
		floor_at(verdict, 'B', "approvers", "Its class of approval takes at least one person.");
	if (verdict->class == 'A' && ask->actor_type == DX_ACTOR_RECOMMENDER)
		floor_at(verdict, 'B', "recommender", "Who has asked for it only recommends.");
	if (verdict->class == 'A' && rule->canary > 0 && ask->counts_canary &&
		in_canary(ask, verdict->policy_version, verdict->rule, rule->canary))
		floor_at(verdict, 'B', "canary", "It is one of the first effects under this rule.");
}

/* How many persons have to agree, and who may. */
static void
choose_people(const DxAsk *ask, const DxPolicyRule *rule, DxVerdict *verdict)
{
	static const int least[] = {0, 1, 2, 2};
	int			quorum = Max(Max(ask->quorum, rule ? rule->quorum : 0), 1);

	if (quorum < least[verdict->classes.approval])
	{
		quorum = least[verdict->classes.approval];
		verdict->floors = lappend(verdict->floors, pstrdup("approvers"));
	}
	verdict->quorum = quorum;
	verdict->approvers = ask->approvers;
	if (rule == NULL)
		return;
	verdict->all_of = rule->all_of;
	verdict->sla = rule->sla;
	verdict->expire = rule->expire;
	verdict->escalation = rule->escalation;
	if (rule->approvers == NIL)
		return;
	verdict->approvers = rule->approvers;
	/* Whom the definition asks is asked as well, and not in their place. */
	if (ask->approvers != NIL)
		verdict->all_of = dx_all_of_with(rule->all_of, ask->approvers);
}

/* The rule that matches, and what it says; NULL: none does. */
static const DxPolicyRule *
choose_rule(const DxPolicy *policy, const DxAsk *ask, DxVerdict *verdict)
{
	DxFault		fault;
	int			found = -1;

	if (policy != NULL)
		found = dx_policy_match(policy, subject_of(ask, verdict, ask->first_use_given ? ask->first_use :
												   policy->asks_first_use && first_use(ask)), &fault);
	if (found >= 0)
	{
		verdict->rule = found;
		verdict->class = policy->rules[found].class;
		verdict->why = psprintf("Rule %d of policy %d says so.", found, verdict->policy_version);
		return &policy->rules[found];
	}
	if (found == -2)
		floor_at(verdict, 'B', "rule_failed", psprintf("%s The effect is decided by people.", fault.cause));
	else
		floor_at(verdict, 'B', "no_rule", policy ? "No rule of the policy matches." : "No policy is in force.");
	return NULL;
}

/*
 * What a policy (NULL: none) says about an effect.  Between dx_engine_enter and
 * dx_engine_leave, with SPI connected, when counts_canary or first uses are asked.
 */
void
dx_policy_apply(const DxPolicy *policy, int version, const DxAsk *ask, DxVerdict *verdict)
{
	const DxPolicyAction *action = policy && ask->action ? dx_policy_action(policy, ask->action) : NULL;
	const DxPolicyRule *rule;

	memset(verdict, 0, sizeof(DxVerdict));
	verdict->class = 'A';
	verdict->classes = ask->classes;
	verdict->policy_version = version;
	verdict->rule = -1;
	if (action != NULL)
		dx_classes_raise(&verdict->classes, &action->least);
	if (is_forbidden(ask, verdict))
		return;
	rule = choose_rule(policy, ask, verdict);
	if (verdict->class == 'C')
		return;
	if (rule != NULL)
		raise_class(ask, rule, verdict);
	if (verdict->class == 'B')
		choose_people(ask, rule, verdict);
}

/* Are they the same text, or both none? */
static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Is it the question that was answered then? */
static bool
is_same(const DxAsk *a, const DxAsk *b)
{
	return same_text(a->action, b->action) && same_text(a->tenant, b->tenant) &&
		same_text(a->run_tenant, b->run_tenant) && same_text(a->workflow, b->workflow) &&
		same_text(a->state, b->state) &&
		memcmp(&a->classes, &b->classes, sizeof(DxClasses)) == 0 &&
		a->requester == b->requester && a->actor_type == b->actor_type &&
		a->correlated == b->correlated && a->synchronous == b->synchronous;
}

/* The answer that was given in this transaction; NULL: there is none. */
static const DxVerdict *
find_known(const DxAsk *ask)
{
	if (known.given_in != GetCurrentTransactionStartTimestamp())
		return NULL;
	for (int i = 0; i < known.n; i++)
	{
		if (is_same(&known.verdicts[i].ask, ask))
			return &known.verdicts[i].verdict;
	}
	return NULL;
}

/* NULL is NULL. */
static char *
copy_text(const char *text)
{
	return text ? pstrdup(text) : NULL;
}

/* Keeps an answer of class A by a rule that asks for nothing else. */
static void
keep_verdict(const DxPolicy *policy, const DxAsk *ask, const DxVerdict *verdict)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	MemoryContext oldcxt;
	Known	   *entry;

	if (policy == NULL || verdict->class != 'A' || verdict->floors != NIL || policy->asks_payload ||
		policy->asks_first_use || policy->rules[verdict->rule].canary > 0)
		return;
	if (known.cxt == NULL)
		known.cxt = AllocSetContextCreate(TopMemoryContext, "dealix_exec verdicts",
										  ALLOCSET_SMALL_SIZES);
	if (known.given_in != now || known.n == MAX_KNOWN)
	{
		MemoryContextReset(known.cxt);
		known.n = 0;
		known.given_in = now;
	}
	oldcxt = MemoryContextSwitchTo(known.cxt);
	entry = &known.verdicts[known.n++];
	entry->ask = *ask;
	entry->ask.action = copy_text(ask->action);
	entry->ask.tenant = copy_text(ask->tenant);
	entry->ask.run_tenant = copy_text(ask->run_tenant);
	entry->ask.workflow = copy_text(ask->workflow);
	entry->ask.state = copy_text(ask->state);
	entry->verdict = *verdict;
	entry->verdict.why = NULL;
	MemoryContextSwitchTo(oldcxt);
}

/*
 * What the policy in force says about an effect.  Needs SPI connected; between
 * dx_engine_enter and dx_engine_leave.
 */
void
dx_policy_judge(DxAsk *ask, DxVerdict *verdict)
{
	int			version;
	const DxPolicy *policy = dx_policy_current(&version);
	const DxVerdict *before;

	ask->counts_canary = true;
	ask->actor_type = dx_actor_type_of_all(ask->requesters);
	before = find_known(ask);
	if (before != NULL)
	{
		*verdict = *before;
		return;
	}
	dx_policy_apply(policy, version, ask, verdict);
	keep_verdict(policy, ask, verdict);
}

/* Groups of roles of which each has to agree, and one more of them. */
Jsonb *
dx_all_of_with(const Jsonb *all_of, const List *names)
{
	int			n = all_of ? JB_ROOT_COUNT(all_of) : 0;
	Jsonb	  **groups = palloc(sizeof(Jsonb *) * (n + 1));
	Jsonb	  **texts = palloc(sizeof(Jsonb *) * Max(list_length(names), 1));
	ListCell   *lc;

	for (int i = 0; i < n; i++)
		groups[i] = dx_json_from_value(getIthJsonbValueFromContainer((JsonbContainer *) &all_of->root, i));
	foreach(lc, names)
		texts[foreach_current_index(lc)] = dx_json_string(lfirst(lc));
	groups[n] = dx_json_array(list_length(names), texts);
	return dx_json_array(n + 1, groups);
}
