/*-------------------------------------------------------------------------
 *
 * effect.c
 *	  The gate: an effect goes out when its intent says so, and not before.
 *
 * A branch that comes to an effect makes an intent of it: the payload, whom it
 * is for, and what the policy says.  Class A goes out in the same pass.  Class B
 * waits for people, in phase APPROVAL, under the intent's id; when they have
 * agreed, the branch comes back here and the effect goes out with what they
 * have agreed with.  Each attempt asks here again, so that nothing goes out
 * after its time, or while it is stopped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "base/clock.h"
#include "base/commit_by.h"
#include "base/identity.h"
#include "base/uuid.h"
#include "engine/budget.h"
#include "engine/evaluate.h"
#include "engine/gate.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/payload_limit.h"
#include "engine/phase.h"
#include "engine/requester.h"
#include "governance/approval.h"
#include "governance/deciders.h"
#include "governance/effect.h"
#include "governance/halt.h"
#include "governance/intent.h"
#include "governance/intent_key.h"
#include "governance/policy.h"
#include "governance/shape.h"
#include "governance/sla.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* ---------- what is asked for ---------- */

/* A fault of governance; cause: palloc'd. */
static DxFault
fault_of(const char *error, char *cause)
{
	DxFault		fault = {pstrdup(error), cause};

	return fault;
}

/* A text that was evaluated.  false: it is something else, which is a fault. */
static bool
read_text(const Jsonb *asked, const char *name, char **text, DxFault *fault)
{
	JsonbValue	value;

	*text = NULL;
	if (asked == NULL || !dx_json_get(asked, name, &value) || value.type == jbvNull)
		return true;
	if (value.type == jbvString)
	{
		*text = pnstrdup(value.val.string.val, value.val.string.len);
		if (**text != '\0' && strlen(*text) <= DX_MAX_LABEL)
			return true;
	}
	*fault = fault_of("Governance.WrongValue",
					  psprintf("\"%s\" of an effect is not a text of 1 to %d bytes.",
							   name, DX_MAX_LABEL));
	return false;
}

/* Approvers that were evaluated: names of roles.  false: a fault. */
static bool
read_approvers(const Jsonb *asked, List **approvers, DxFault *fault)
{
	Jsonb	   *names = asked ? dx_json_get_json(asked, "Approvers") : NULL;

	if (names == NULL)
		return true;
	*approvers = NIL;
	if (JB_ROOT_IS_ARRAY(names) && !JB_ROOT_IS_SCALAR(names))
	{
		for (int i = 0; i < JB_ROOT_COUNT(names); i++)
		{
			JsonbValue *name = getIthJsonbValueFromContainer(&names->root, i);

			if (name->type != jbvString)
				break;
			*approvers = lappend(*approvers,
								 pnstrdup(name->val.string.val, name->val.string.len));
		}
		if (*approvers != NIL && list_length(*approvers) == JB_ROOT_COUNT(names))
			return true;
	}
	*fault = fault_of("Governance.WrongValue",
					  pstrdup("\"Approvers\" of an effect is not an array of names of roles."));
	return false;
}

/* The tenant of the run, which its input says.  false: a fault. */
static bool
read_run_tenant(const DxEffect *effect, const DxRun *run, DxEnv *env, char **tenant,
				DxFault *fault)
{
	DxEnv		of_run = *env;
	Jsonb	   *value;

	*tenant = NULL;
	if (effect->run_tenant == NULL)
		return true;
	of_run.input = of_run.state_input = run->input;
	of_run.state = NULL;
	return dx_eval_template(effect->run_tenant, &of_run, &value, fault) &&
		read_text(value, "Tenant", tenant, fault);
}

/* Fills what the policy is asked, and what the intent keeps.  false: a fault. */
static bool
make_ask(DxRun *run, DxBranch *branch, DxEnv *env, DxIntent *intent,
		 DxAsk *ask, DxFault *fault)
{
	const DxEffect *effect = dx_effect_of(branch);
	Jsonb	   *asked = NULL;
	char	   *run_tenant;

	memset(ask, 0, sizeof(DxAsk));
	ask->approvers = effect->approvers;
	if ((effect->ask != NULL && !dx_eval_template(effect->ask, env, &asked, fault)) ||
		!read_text(asked, "Tenant", &intent->tenant, fault) ||
		!read_text(asked, "IdempotencyKey", &intent->key, fault) ||
		!read_text(asked, "Summary", &intent->summary, fault) ||
		!read_approvers(asked, &ask->approvers, fault) ||
		!read_run_tenant(effect, run, env, &run_tenant, fault))
		return false;
	if (intent->tenant == NULL)
		intent->tenant = run_tenant;
	intent->evidence = asked ? dx_json_get_json(asked, "Evidence") : NULL;
	intent->action = unconstify(char *, effect->action);
	intent->shape = effect->shape;
	intent->payload = branch->effective;
	intent->hash = dx_intent_hash(intent->version, intent->payload);

	ask->action = effect->action;
	ask->classes = effect->classes;
	ask->tenant = intent->tenant;
	ask->run_tenant = run_tenant;
	ask->workflow = run->workflow;
	ask->state = branch->state->name;
	ask->requester = OidIsValid(run->requester) ? run->requester : run->owner;
	ask->requesters = dx_requesters_of(run);
	ask->payload = branch->effective;
	ask->correlated = run->correlation_id != NULL;
	ask->synchronous = run->durability == DX_DURABILITY_SYNC;
	ask->quorum = effect->quorum;
	return true;
}

/* ---------- what follows ---------- */

/* The pass has looked at it, and does nothing with it.  Returns NULL. */
static DxIntent *
drop(DxPass *pass, DxIntent *intent)
{
	pass->intents = list_delete_ptr(pass->intents, intent);
	intent->branch->asks = NULL;
	return NULL;
}

/* It goes out in this pass. */
static DxOutcome
go(DxPass *pass, DxIntent *intent)
{
	dx_intent_set_status(intent, DX_INTENT_RUNNING);
	intent->branch->effective = intent->payload;
	dx_event(pass, intent->run, DX_EVENT_EFFECT_ALLOWED, intent->branch,
			 dx_intent_payload(intent, NULL));
	return dx_allowed();
}

/* It never goes out: the state fails for good, by this error. */
static DxOutcome
refuse(DxPass *pass, DxIntent *intent, DxIntentStatus status, const char *error,
	   char *cause)
{
	DxFault		fault = fault_of(error, cause);

	dx_intent_set_status(intent, status);
	intent->reason = cause;
	dx_event(pass, intent->run, DX_EVENT_EFFECT_REFUSED, intent->branch,
			 dx_intent_payload(intent, cause));
	return dx_gave_up(&fault);
}

/* The branch waits under the intent's id; until: when to look again. */
static void
wait_for(DxIntent *intent, TimestampTz until)
{
	DxBranch   *branch = intent->branch;

	branch->ticket = intent->id;
	branch->ticketed = true;
	branch->wait_for = pstrdup(intent->action);
	dx_branch_park(intent->run, branch, DX_PHASE_APPROVAL, until);
}

/* Something stops it; it stays as it is until that is over. */
static DxOutcome
wait_for_resume(DxPass *pass, DxIntent *intent, const char *why)
{
	dx_intent_set_status(intent, DX_INTENT_HALTED);
	dx_event(pass, intent->run, DX_EVENT_EFFECT_REFUSED, intent->branch,
			 dx_intent_payload(intent, why));
	wait_for(intent, intent->expires_at);
	return dx_parked();
}

/* People are asked. */
static DxOutcome
ask_people(DxPass *pass, DxIntent *intent)
{
	const DxVerdict *verdict = &intent->verdict;
	DxFault		fault;

	if (!dx_deciders_reachable(intent->run, verdict->approvers, verdict->all_of,
							   verdict->quorum, &fault))
		return refuse(pass, intent, DX_INTENT_FORBIDDEN, fault.error, fault.cause);
	dx_intent_set_status(intent, DX_INTENT_PENDING);
	if (verdict->expire > 0)
		intent->expires_at = dx_after_seconds(intent->created_at, verdict->expire);
	if (verdict->sla > 0)
		intent->due_at = dx_after_seconds(intent->created_at, verdict->sla);
	dx_event(pass, intent->run, DX_EVENT_INTENT_OPENED, intent->branch,
			 dx_payload("approval", dx_json_string(intent->action),
						"id", dx_json_uuid(&intent->id),
						"quorum", dx_json_int(verdict->quorum),
						"policy", verdict->policy_version > 0 ?
						dx_json_int(verdict->policy_version) : NULL,
						"rule", verdict->rule >= 0 ? dx_json_int(verdict->rule) : NULL,
						"until", TIMESTAMP_NOT_FINITE(intent->expires_at) ? NULL :
						dx_json_timestamp(intent->expires_at), NULL));
	wait_for(intent, dx_sla_first(intent));
	dx_sla_opened(pass, intent);
	return dx_parked();
}

/* Somebody else has the key: what becomes of that one is this one's, too. */
static DxOutcome
reuse(DxPass *pass, DxIntent *intent, const DxTwin *twin)
{
	DxRun	   *run = intent->run;
	DxBranch   *branch = intent->branch;
	const DxEffect *effect = dx_effect_of(branch);
	DxFault		fault;

	(void) drop(pass, intent);
	branch->governed = false;
	dx_event(pass, run, DX_EVENT_EFFECT_REFUSED, branch,
			 dx_payload("action", dx_json_string(intent->action),
						"key", dx_json_string(intent->key),
						"status", dx_json_string("DUPLICATE"),
						"of", dx_json_uuid(&twin->id), NULL));
	if (effect->fails_duplicates)
	{
		fault = fault_of("Governance.Duplicate",
						 psprintf("Tenant \"%s\" has done \"%s\" with this key already, or does so at the moment: intent %s.",
								  intent->tenant, intent->action, dx_uuid_text(&twin->id)));
		return dx_gave_up(&fault);
	}
	if (twin->status == DX_INTENT_DONE)
		return dx_done(twin->outcome ? twin->outcome : dx_json_null());
	dx_branch_new_ticket(branch);
	branch->wait_for = pstrdup(intent->action);
	dx_intent_follow(twin, run, branch);
	dx_branch_park(run, branch, DX_PHASE_APPROVAL, DT_NOEND);
	return dx_parked();
}

/* A branch has come to an effect. */
static DxOutcome
propose(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	DxIntent   *intent = dx_intent_new(pass, run, branch);
	const DxVerdict *verdict = &intent->verdict;
	DxIdentity	saved;
	DxAsk		ask;
	DxTwin		twin;
	DxFault		fault;
	char	   *problem;
	bool		alone;

	dx_uuid_v7(&intent->id);
	if (!make_ask(run, branch, env, intent, &ask, &fault))
	{
		(void) drop(pass, intent);
		return dx_failed(&fault);
	}
	dx_engine_enter(&saved);
	dx_policy_judge(&ask, &intent->verdict);
	dx_engine_leave(&saved);
	intent->class = verdict->class;
	branch->intent = intent->id;
	branch->governed = true;

	problem = intent->shape ? dx_shape_problem(intent->shape, intent->payload) : NULL;
	if (problem != NULL)
		return refuse(pass, intent, DX_INTENT_FORBIDDEN, "Governance.WrongShape",
					  psprintf("The payload does not have the Shape of the state. %s.", problem));
	if (intent->class == 'C')
		return refuse(pass, intent, DX_INTENT_FORBIDDEN, "Governance.Forbidden",
					  pstrdup(verdict->why));
	if (intent->key != NULL)
	{
		dx_engine_enter(&saved);
		alone = dx_intent_claim_key(pass, intent, &twin);
		dx_engine_leave(&saved);
		if (!alone)
			return reuse(pass, intent, &twin);
	}
	if (intent->class == 'B')
		return ask_people(pass, intent);
	dx_intent_set_status(intent, DX_INTENT_APPROVED);
	if (dx_halted(pass, intent))
		return wait_for_resume(pass, intent, "It is stopped.");
	return go(pass, intent);
}

/* The time for it is over, decided or not. */
static DxOutcome
expire(DxPass *pass, DxIntent *intent)
{
	return refuse(pass, intent, DX_INTENT_EXPIRED, "Governance.Expired",
				  psprintf("\"%s\" was not out when the time for it was over.", intent->action));
}

/* The branch has an intent: may it go out, or go out once more? */
static DxOutcome
proceed(DxPass *pass, DxIntent *intent)
{
	DxFault		fault;

	switch (intent->status)
	{
		case DX_INTENT_HALTED:
			dx_intent_set_status(intent, DX_INTENT_APPROVED);
			/* FALLTHROUGH */
		case DX_INTENT_APPROVED:
		case DX_INTENT_RUNNING:
			if (intent->expires_at <= dx_now() && intent->status != DX_INTENT_RUNNING)
				return expire(pass, intent);
			if (intent->expires_at <= dx_now())
			{
				/* It has been out, and failed; that is what became of it. */
				fault = fault_of("Governance.Expired",
								 psprintf("\"%s\" may not be tried again: the time for it is over.",
										  intent->action));
				return dx_gave_up(&fault);
			}
			if (dx_halted(pass, intent))
				return wait_for_resume(pass, intent, "It is stopped.");
			return go(pass, intent);
		case DX_INTENT_PENDING:
			wait_for(intent, dx_sla_first(intent));
			return dx_parked();
		default:
			fault = fault_of("Governance.Refused",
							 psprintf("Intent %s is %s.", dx_uuid_text(&intent->id),
									  dx_intent_status_name(intent->status)));
			return dx_gave_up(&fault);
	}
}

/* DxGate.enter. */
static DxOutcome
effect_enter(DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env)
{
	Assert(branch->phase == DX_PHASE_READY);
	if (!branch->governed)
		return propose(pass, run, branch, env);
	return proceed(pass, dx_intent_take(pass, run, branch));
}

/* DxGate.recall. */
static Jsonb *
effect_recall(DxPass *pass, DxRun *run, DxBranch *branch)
{
	return dx_intent_take(pass, run, branch)->payload;
}

/* ---------- answers ---------- */

/* Comes back to the gate, in the same attempt. */
static DxOutcome
come_back(DxPass *pass, DxBranch *branch)
{
	branch->attempt--;
	dx_branch_set_phase(branch, DX_PHASE_READY, pass->now);
	return dx_parked();
}

/* People have decided. */
static DxOutcome
decided(DxPass *pass, DxRun *run, DxBranch *branch, DxMessage *message)
{
	char	   *decision = dx_json_get_text(message->payload, "decision");
	char	   *reason = dx_json_get_text(message->payload, "comment");
	DxFault		fault;

	if (decision != NULL && strcmp(decision, DX_DECISION_RESUME) == 0)
		return come_back(pass, branch);
	dx_event_by(pass, run, DX_EVENT_INTENT_DECIDED, &message->sender,
				dx_payload("id", dx_json_uuid(&branch->ticket),
						   "decision", dx_json_text(decision),
						   "comment", dx_json_text(reason),
						   "person", dx_json_get_json(message->payload, "person"),
						   "for", dx_json_get_json(message->payload, "for"),
						   "hash", dx_json_get_json(message->payload, "hash"), NULL));
	if (decision != NULL && strcmp(decision, "reject") != 0)
		return come_back(pass, branch);
	fault = fault_of("Approval.Rejected", reason);
	return dx_gave_up(&fault);
}

/* What the intent that has this one's key has come to. */
static DxOutcome
twin_settled(DxPass *pass, DxBranch *branch, const DxMessage *message)
{
	if (message->kind == DX_MESSAGE_COMPLETED)
		return dx_done(message->payload ? message->payload : dx_json_null());
	/* It did not go out: the key is free. */
	return come_back(pass, branch);
}

/* DxGate.wake: a decision, the end of the wait for another, or a time. */
static DxOutcome
effect_wake(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxMessage  *message = dx_branch_answer(pass, branch);
	DxIntent   *intent;

	Assert(branch->phase == DX_PHASE_APPROVAL);
	if (message != NULL)
	{
		branch->answered = true;
		return message->kind == DX_MESSAGE_DECIDED ? decided(pass, run, branch, message) :
			twin_settled(pass, branch, message);
	}
	if (!branch->governed)
	{
		/* It waits for another; the time is that of the run. */
		dx_branch_park(run, branch, DX_PHASE_APPROVAL, DT_NOEND);
		return dx_parked();
	}
	intent = dx_intent_try_take(pass, run, branch);
	if (intent == NULL && dx_commit_by_closed())
	{
		/* Who has it locked is too late to decide, whenever he commits. */
		intent = dx_intent_look(pass, run, branch);
		if (intent != NULL && intent->expires_at > dx_now())
			intent = drop(pass, intent);
	}
	if (intent == NULL)
	{
		/* It is being decided at this moment. */
		dx_branch_park(run, branch, DX_PHASE_APPROVAL,
					   TimestampTzPlusMilliseconds(dx_now(), DX_LOOK_AGAIN_MS));
		return dx_parked();
	}
	if (intent->status != DX_INTENT_PENDING && intent->status != DX_INTENT_HALTED)
		return come_back(pass, branch);
	if (intent->expires_at <= dx_now())
		return expire(pass, intent);
	wait_for(intent, intent->status == DX_INTENT_HALTED ? intent->expires_at :
			 dx_sla_advance(pass, intent));
	return dx_parked();
}

/* DxGate.resume: waits on, as if its time had come. */
static DxOutcome
effect_resume(DxPass *pass, DxRun *run, DxBranch *branch)
{
	return effect_wake(pass, run, branch);
}

/* DxGate.settle. */
static void
effect_settle(DxPass *pass, DxRun *run, DxBranch *branch, DxSettled settled,
			  Jsonb *result)
{
	DxIntent   *intent = branch->asks;

	if (intent == NULL)
		intent = dx_intent_take(pass, run, branch);
	/* What was refused, or is settled, stays so. */
	if (intent->status != DX_INTENT_RUNNING)
		return;
	dx_intent_set_status(intent, settled == DX_SETTLED_DONE ? DX_INTENT_DONE :
						 settled == DX_SETTLED_FAILED ? DX_INTENT_FAILED : DX_INTENT_UNKNOWN);
	if (intent->key != NULL)
		intent->outcome = result;
}

const DxGate dx_effect_gate = {
	effect_enter, effect_wake, effect_recall, effect_resume, effect_settle
};
