/*-------------------------------------------------------------------------
 *
 * integration.c
 *	  The integrations of AWS that name what they call in a parameter:
 *	  states:startExecution by StateMachineArn, lambda:invoke by FunctionName.
 *
 * That name is what is bound, if it stands in the definition; otherwise the
 * Resource itself is.  Source: AWS Step Functions Developer Guide, "Call other
 * AWS services".
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/compile.h"
#include "asl/integration.h"
#include "asl/node.h"
#include "asl/problem.h"
#include "asl/value.h"

#define LATEST	":$LATEST"

static const struct
{
	const char *service;		/* what follows arn:partition:states::: */
	DxIntegration integration;
	const char *member;
}			integrations[] =

{
	{"states:startExecution", DX_INTEGRATION_START, "StateMachineArn"},
	{"states:startExecution.sync", DX_INTEGRATION_SYNC, "StateMachineArn"},
	{"states:startExecution.sync:2", DX_INTEGRATION_SYNC2, "StateMachineArn"},
	{"states:startExecution.waitForTaskToken", DX_INTEGRATION_TOKEN, "StateMachineArn"},
	{"lambda:invoke", DX_INTEGRATION_LAMBDA, "FunctionName"},
	{"lambda:invoke.waitForTaskToken", DX_INTEGRATION_LAMBDA, "FunctionName"}
};

/* The number of the service integration that an ARN names, or -1. */
static int
find_integration(const char *uri)
{
	const char *service;

	if (strncmp(uri, "arn:", strlen("arn:")) != 0 ||
		(service = strstr(uri, ":states:::")) == NULL)
		return -1;
	service += strlen(":states:::");
	for (int i = 0; i < (int) lengthof(integrations); i++)
	{
		if (strcmp(service, integrations[i].service) == 0)
			return i;
	}
	return -1;
}

/* A function by its name, with account and qualifier or without, as an ARN. */
static char *
function_arn(const char *name)
{
	const char *function = strstr(name, ":function:");

	if (strncmp(name, "arn:", strlen("arn:")) == 0)
		return pstrdup(name);
	if (function != NULL)
		return psprintf("arn:aws:lambda::%s", name);
	return psprintf("arn:aws:lambda:::function:%s", name);
}

/* Has somebody said which function this Resource calls? */
static bool
is_bound(const DxCompiler *c, const char *uri)
{
	return c->options->is_bound(c->options->arg, uri);
}

/* The URI that a binding is looked for with; NULL: none is in the definition. */
static char *
named_uri(DxCompiler *c, const DxStateSource *source, int i)
{
	bool		in_sql = source->language == DX_QL_SQL;
	DxNode		parameters;
	DxNode		member;
	const char *name;
	char	   *uri;
	size_t		len;

	if (!dx_member(&source->node, in_sql ? "Arguments" : "Parameters", &parameters) ||
		!dx_is_object(&parameters) ||
		!dx_member(&parameters, integrations[i].member, &member) ||
		member.value.type != jbvString)
		return NULL;
	name = dx_value_text(&member.value);
	if (name[0] == '\0' || (in_sql && strncmp(name, "{%", 2) == 0))
		return NULL;
	if (integrations[i].integration != DX_INTEGRATION_LAMBDA)
		return pstrdup(name);
	uri = function_arn(name);
	len = strlen(uri);
	if (len > strlen(LATEST) && !is_bound(c, uri) &&
		strcmp(uri + len - strlen(LATEST), LATEST) == 0)
		uri[len - strlen(LATEST)] = '\0';
	return uri;
}

/*
 * Finds out whether a Task is such an integration, and by what it is bound:
 * sets task->integration and returns that URI, or the Resource.
 */
const char *
dx_compile_integration(DxCompiler *c, const DxStateSource *source, DxTask *task)
{
	int			i = task->uri ? find_integration(task->uri) : -1;
	char	   *uri;

	if (i < 0 || c->options->is_bound == NULL || c->options->strict)
		return task->uri;
	uri = named_uri(c, source, i);
	/* Who has bound the Resource itself does all of it: nothing is changed. */
	if (uri == NULL || (!is_bound(c, uri) && is_bound(c, task->uri)) ||
		dx_resource_problem(uri, DX_RESOURCE_OTHER, uri) != NULL)
		return task->uri;
	task->integration = integrations[i].integration;
	task->bound_uri = uri;
	return uri;
}

/*
 * What it is bound to is known.  A state machine is a workflow.
 */
void
dx_check_integration(DxCompiler *c, const DxStateSource *source, DxTask *task)
{
	if (task->integration == DX_INTEGRATION_NONE ||
		task->integration == DX_INTEGRATION_LAMBDA ||
		task->kind == DX_RESOURCE_OTHER)
		return;
	if (task->kind != DX_RESOURCE_WORKFLOW)
		dx_problem(c->problems, dx_pointer_child(source->node.pointer, "Resource"),
				   DX_P_BAD_RESOURCE, "Bind the state machine to workflow:name.",
				   "\"%s\" is bound to something else than a workflow",
				   dx_clip(task->bound_uri));
	task->no_wait = task->integration == DX_INTEGRATION_START;
	task->wait_for_token = task->integration == DX_INTEGRATION_TOKEN;
}
