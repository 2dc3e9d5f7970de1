/*-------------------------------------------------------------------------
 *
 * governor.c
 *	  SQL functions for governors: policies, releases, actors, the emergency
 *	  stop.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/arguments.h"
#include "api/author.h"
#include "asl/classes.h"
#include "asl/policy_document.h"
#include "engine/payload_limit.h"
#include "engine/persons.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "governance/actor.h"
#include "governance/decree.h"
#include "governance/delegation.h"
#include "governance/policy.h"
#include "governance/trial.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(dealix_class_word);
PG_FUNCTION_INFO_V1(dealix_actor_type_name);
PG_FUNCTION_INFO_V1(dealix_validate_policy);
PG_FUNCTION_INFO_V1(dealix_publish_policy);
PG_FUNCTION_INFO_V1(dealix_release_policy);
PG_FUNCTION_INFO_V1(dealix_try_policy);
PG_FUNCTION_INFO_V1(dealix_release);
PG_FUNCTION_INFO_V1(dealix_register_actor);
PG_FUNCTION_INFO_V1(dealix_unregister_actor);
PG_FUNCTION_INFO_V1(dealix_delegate);
PG_FUNCTION_INFO_V1(dealix_revoke_delegation);
PG_FUNCTION_INFO_V1(dealix_reassign_approval);
PG_FUNCTION_INFO_V1(dealix_halt);
PG_FUNCTION_INFO_V1(dealix_resume_effects);
PG_FUNCTION_INFO_V1(dealix_resolve);

/* A reason or comment that has to be given. Errors: 22004, 22023, DX009. */
static char *
reason_arg(FunctionCallInfo fcinfo, int arg, const char *name)
{
	char	   *reason;

	dx_require(fcinfo, arg, name);
	reason = dx_text_arg(fcinfo, arg);
	if (reason[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be empty", name)));
	dx_check_comment(reason, name);
	return reason;
}

/* class_word(member, class) */
Datum
dealix_class_word(PG_FUNCTION_ARGS)
{
	int			which = PG_GETARG_INT32(0);
	int			class = PG_GETARG_INT16(1);

	if (which < 0 || which >= DX_NCLASSES || class < 0 || class > 3)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(dx_class_members[which].words[class]));
}

/* actor_type_name(actor_type) */
Datum
dealix_actor_type_name(PG_FUNCTION_ARGS)
{
	int			type = PG_GETARG_INT16(0);

	if (type < DX_ACTOR_HUMAN || type > DX_ACTOR_AUTOMATED)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(dx_actor_type_name(type)));
}

/* Compiles a policy, with warnings about the roles that it asks. */
static DxPolicy *
check_policy(Jsonb *document, DxProblems *problems)
{
	DxPolicy   *policy;

	dx_check_definition(document);
	policy = dx_policy_compile(document, problems);
	if (problems->list == NIL)
		dx_check_approvers(dx_policy_roles(policy), 1, "/Rules", problems);
	return policy;
}

/* validate_policy(document) */
Datum
dealix_validate_policy(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DxProblems	problems = {NIL, NIL};

	InitMaterializedSRF(fcinfo, 0);
	dx_connect_spi();
	(void) check_policy(PG_GETARG_JSONB_P(0), &problems);
	dx_author_show(rsinfo, &problems);
	SPI_finish();
	return (Datum) 0;
}

/* publish_policy(document, comment) */
Datum
dealix_publish_policy(PG_FUNCTION_ARGS)
{
	DxProblems	problems = {NIL, NIL};
	char	   *comment;
	int			version;

	dx_require(fcinfo, 0, "document");
	comment = reason_arg(fcinfo, 1, "comment");
	dx_connect_spi();
	(void) check_policy(PG_GETARG_JSONB_P(0), &problems);
	if (problems.list != NIL)
		dx_author_refuse(&problems);
	version = dx_policy_store(PG_GETARG_JSONB_P(0), comment);
	SPI_finish();
	PG_RETURN_INT32(version);
}

/* release_policy(version, comment) */
Datum
dealix_release_policy(PG_FUNCTION_ARGS)
{
	char	   *comment;

	dx_require(fcinfo, 0, "version");
	comment = reason_arg(fcinfo, 1, "comment");
	dx_connect_spi();
	dx_policy_release(PG_GETARG_INT32(0), comment);
	SPI_finish();
	PG_RETURN_VOID();
}

/* try_policy(document, cases) */
Datum
dealix_try_policy(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Jsonb	   *cases = PG_GETARG_JSONB_P(1);
	DxProblems	problems = {NIL, NIL};
	DxPolicy   *policy;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	dx_connect_spi();
	policy = check_policy(PG_GETARG_JSONB_P(0), &problems);
	if (problems.list != NIL)
		dx_author_refuse(&problems);
	n = dx_trial_count(cases);
	for (int i = 0; i < n; i++)
	{
		DxTrial		trial;
		Datum		values[6];
		bool		nulls[6] = {false};

		CHECK_FOR_INTERRUPTS();
		dx_trial_run(policy, cases, i, &trial);
		values[0] = Int32GetDatum(i + 1);
		values[1] = trial.name ? CStringGetTextDatum(trial.name) : (Datum) 0;
		nulls[1] = trial.name == NULL;
		values[2] = BoolGetDatum(trial.passed);
		values[3] = PointerGetDatum(trial.expected);
		nulls[3] = trial.expected == NULL;
		values[4] = JsonbPGetDatum(trial.got);
		values[5] = CStringGetTextDatum(trial.why);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}

/* release(workflow, version, comment) */
Datum
dealix_release(PG_FUNCTION_ARGS)
{
	MemoryContext cxt = CurrentMemoryContext;
	MemoryContext oldcxt;
	char	   *comment;
	ArrayType  *open;
	ArrayType  *result;

	dx_require(fcinfo, 0, "workflow");
	dx_require(fcinfo, 1, "version");
	comment = reason_arg(fcinfo, 2, "comment");
	dx_connect_spi();
	open = dx_version_release(dx_text_arg(fcinfo, 0), PG_GETARG_INT32(1), comment);
	oldcxt = MemoryContextSwitchTo(cxt);
	result = (ArrayType *) PG_DETOAST_DATUM_COPY(PointerGetDatum(open));
	MemoryContextSwitchTo(oldcxt);
	SPI_finish();
	PG_RETURN_ARRAYTYPE_P(result);
}

/* register_actor(role, actor_type, person) */
Datum
dealix_register_actor(PG_FUNCTION_ARGS)
{
	char	   *name;
	char	   *person;
	DxActorType type;

	dx_require(fcinfo, 0, "role");
	dx_require(fcinfo, 1, "actor_type");
	name = dx_text_arg(fcinfo, 1);
	person = dx_name_arg(fcinfo, 2, "person");
	type = dx_actor_type_parse(name);
	if (type == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("actor type \"%s\" is not known", name),
				 errhint("It is human, observer_agent, recommender_agent, executor_system or automated_workflow.")));
	if ((type == DX_ACTOR_HUMAN) != (person != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 type == DX_ACTOR_HUMAN ? errmsg("a human is a person: person must not be null") :
				 errmsg("only a human is a person: person has to be null")));
	(void) GetUserNameFromId(PG_GETARG_OID(0), false);
	dx_connect_spi();
	dx_require_human("says what stands behind a role");
	dx_require_other(PG_GETARG_OID(0), person);
	dx_actor_register(PG_GETARG_OID(0), type, person);
	SPI_finish();
	PG_RETURN_VOID();
}

/* unregister_actor(role) */
Datum
dealix_unregister_actor(PG_FUNCTION_ARGS)
{
	bool		known;

	dx_require(fcinfo, 0, "role");
	dx_connect_spi();
	dx_require_human("says what stands behind a role");
	dx_require_other(PG_GETARG_OID(0), NULL);
	known = dx_actor_unregister(PG_GETARG_OID(0));
	SPI_finish();
	PG_RETURN_BOOL(known);
}

/* delegate(to_role, until, reason) */
Datum
dealix_delegate(PG_FUNCTION_ARGS)
{
	char	   *reason;
	int			id;

	dx_require(fcinfo, 0, "to_role");
	dx_require(fcinfo, 1, "until");
	reason = reason_arg(fcinfo, 2, "reason");
	(void) GetUserNameFromId(PG_GETARG_OID(0), false);
	dx_connect_spi();
	id = dx_delegate(PG_GETARG_OID(0), PG_GETARG_TIMESTAMPTZ(1), reason);
	SPI_finish();
	PG_RETURN_INT32(id);
}

/* revoke_delegation(id) */
Datum
dealix_revoke_delegation(PG_FUNCTION_ARGS)
{
	bool		revoked;

	dx_require(fcinfo, 0, "id");
	dx_connect_spi();
	revoked = dx_revoke_delegation(PG_GETARG_INT32(0));
	SPI_finish();
	PG_RETURN_BOOL(revoked);
}

/* reassign_approval(id, approvers, reason) */
Datum
dealix_reassign_approval(PG_FUNCTION_ARGS)
{
	char	   *reason;
	ArrayType  *approvers;

	dx_require(fcinfo, 0, "id");
	dx_require(fcinfo, 1, "approvers");
	reason = reason_arg(fcinfo, 2, "reason");
	approvers = PG_GETARG_ARRAYTYPE_P(1);
	if (ArrayGetNItems(ARR_NDIM(approvers), ARR_DIMS(approvers)) == 0 || array_contains_nulls(approvers))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("approvers has to name at least one role, and no null")));
	dx_connect_spi();
	dx_reassign_approval(PG_GETARG_UUID_P(0), approvers, reason);
	SPI_finish();
	PG_RETURN_VOID();
}

/* halt(scope, reason) */
Datum
dealix_halt(PG_FUNCTION_ARGS)
{
	char	   *reason;
	int			halt;

	dx_require(fcinfo, 0, "scope");
	reason = reason_arg(fcinfo, 1, "reason");
	dx_connect_spi();
	halt = dx_halt(PG_GETARG_JSONB_P(0), reason);
	SPI_finish();
	PG_RETURN_INT32(halt);
}

/* resume_effects(halt, reason) */
Datum
dealix_resume_effects(PG_FUNCTION_ARGS)
{
	char	   *reason;
	int64		n;

	dx_require(fcinfo, 0, "halt");
	reason = reason_arg(fcinfo, 1, "reason");
	dx_connect_spi();
	n = dx_resume_effects(PG_GETARG_INT32(0), reason);
	SPI_finish();
	PG_RETURN_INT64(n);
}

/* resolve(id, went_out, output, reason) */
Datum
dealix_resolve(PG_FUNCTION_ARGS)
{
	char	   *reason;

	dx_require(fcinfo, 0, "id");
	dx_require(fcinfo, 1, "went_out");
	dx_require(fcinfo, 2, "output");
	reason = reason_arg(fcinfo, 3, "reason");
	dx_check_payload(PG_GETARG_JSONB_P(2), "the output");
	dx_connect_spi();
	dx_effect_resolve(PG_GETARG_UUID_P(0), PG_GETARG_BOOL(1), PG_GETARG_JSONB_P(2), reason);
	SPI_finish();
	PG_RETURN_VOID();
}
