/*-------------------------------------------------------------------------
 *
 * approver.c
 *	  SQL functions for people who decide: approve, edit, reject, decide.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/arguments.h"
#include "asl/json.h"
#include "executor/spi.h"
#include "governance/approval.h"
#include "governance/decision.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(dealix_approve);
PG_FUNCTION_INFO_V1(dealix_edit);
PG_FUNCTION_INFO_V1(dealix_reject);
PG_FUNCTION_INFO_V1(dealix_decide);
PG_FUNCTION_INFO_V1(dealix_intent_status);

/*
 * What approve, edit, reject and decide have in common. Returns the status of
 * the approval then, as text.
 */
static Datum
decide(FunctionCallInfo fcinfo, const char *decision, Jsonb *amended,
	   const char *comment, const char *hash, const char *on_behalf_of)
{
	DxIntentStatus status;

	dx_require(fcinfo, 0, "id");
	dx_connect_spi();
	status = dx_decide(PG_GETARG_UUID_P(0), decision, amended, comment, hash,
					   on_behalf_of);
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(dx_intent_status_name(status)));
}

/* approve(id, comment, hash) */
Datum
dealix_approve(PG_FUNCTION_ARGS)
{
	return decide(fcinfo, "approve", NULL, dx_text_arg(fcinfo, 1), dx_text_arg(fcinfo, 2),
				  dx_text_arg(fcinfo, 3));
}

/* edit(id, amended, comment, hash) */
Datum
dealix_edit(PG_FUNCTION_ARGS)
{
	dx_require(fcinfo, 1, "amended");
	return decide(fcinfo, "edit", PG_GETARG_JSONB_P(1), dx_text_arg(fcinfo, 2),
				  dx_text_arg(fcinfo, 3), dx_text_arg(fcinfo, 4));
}

/* reject(id, reason, hash) */
Datum
dealix_reject(PG_FUNCTION_ARGS)
{
	dx_require(fcinfo, 1, "reason");
	return decide(fcinfo, "reject", NULL, dx_text_arg(fcinfo, 1), dx_text_arg(fcinfo, 2),
				  dx_text_arg(fcinfo, 3));
}

/* The error of dealix.decide for what is no decision. */
static void
not_a_decision(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("this is not a decision: %s", what),
			 errhint("Write {\"type\": \"approve\"}, {\"type\": \"edit\", \"edited_action\": {...}} or {\"type\": \"reject\", \"message\": \"...\"}.")));
}

/* Errors: 22023 for a member that is none, or not for this type. */
static void
check_member(const char *name, const JsonbValue *value, const char *type)
{
	bool		edit = strcmp(name, "edited_action") == 0;

	if (!edit && strcmp(name, "type") != 0 && strcmp(name, "message") != 0 &&
		strcmp(name, "hash") != 0)
		not_a_decision(psprintf("it has a member \"%s\", which is not known; the members are type, edited_action, message and hash", name));
	if (edit && type != NULL && strcmp(type, "edit") != 0)
		not_a_decision(psprintf("\"edited_action\" belongs to an edit, and not to the type \"%s\"", type));
	if (!edit && value->type != jbvString &&
		!(value->type == jbvNull && strcmp(name, "type") != 0))
		not_a_decision(psprintf("\"%s\" is not a string", name));
}

/* Refuses members that a decision of this type does not have. */
static void
check_members(const Jsonb *decision, const char *type)
{
	JsonbIterator *it = JsonbIteratorInit(&unconstify(Jsonb *, decision)->root);
	JsonbIteratorToken token;
	JsonbValue	v;

	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		char	   *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(v.val.string.val, v.val.string.len);
		(void) JsonbIteratorNext(&it, &v, true);
		check_member(name, &v, type);
	}
}

/* The amended payload of an edit; see DX_DECIDE_ACTION. */
static Jsonb *
edited_payload(const Jsonb *decision)
{
	Jsonb	   *action = dx_json_get_json(decision, "edited_action");

	if (action == NULL)
		not_a_decision("an edit without \"edited_action\"");
	return action;
}

/* decide(id, decision) */
Datum
dealix_decide(PG_FUNCTION_ARGS)
{
	Jsonb	   *decision;
	char	   *type;
	char	   *message;
	char	   *hash;
	char	   *behalf = dx_text_arg(fcinfo, 2);

	dx_require(fcinfo, 0, "id");
	dx_require(fcinfo, 1, "decision");
	decision = PG_GETARG_JSONB_P(1);
	if (!JB_ROOT_IS_OBJECT(decision))
		not_a_decision("not an object");
	type = dx_json_get_text(decision, "type");
	message = dx_json_get_text(decision, "message");
	hash = dx_json_get_text(decision, "hash");
	check_members(decision, type);
	if (type == NULL)
		not_a_decision("no \"type\"");
	if (strcmp(type, "approve") == 0)
		return decide(fcinfo, "approve", NULL, message, hash, behalf);
	if (strcmp(type, "edit") == 0)
		return decide(fcinfo, DX_DECIDE_ACTION, edited_payload(decision), message, hash, behalf);
	if (strcmp(type, "reject") != 0)
		not_a_decision(psprintf("type \"%s\" is not known", type));
	return decide(fcinfo, "reject", NULL, message ? message : "No reason was given.", hash,
				  behalf);
}

/* intent_status(status) */
Datum
dealix_intent_status(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(dx_intent_status_name(PG_GETARG_INT16(0))));
}
