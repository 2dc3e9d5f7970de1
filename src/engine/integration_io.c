/*-------------------------------------------------------------------------
 *
 * integration_io.c
 *	  What a Task that is an integration of AWS gives to what it calls, and how
 *	  its result looks.
 *
 * The sources of the shapes are recorded executions.  An execution's ARN and
 * name are the id of the run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "engine/context.h"
#include "engine/evaluate.h"
#include "engine/gate.h"
#include "engine/integration_io.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "utils/jsonb.h"

/*
 * What the bound resource is called with: the parameter Input or Payload, an
 * empty object if it is not given.  effective: of the Task.
 */
Jsonb *
dx_integration_input(const DxTask *task, Jsonb *effective)
{
	Jsonb	   *input = NULL;

	if (task->integration == DX_INTEGRATION_NONE)
		return effective;
	if (JB_ROOT_IS_OBJECT(effective))
		input = dx_json_get_json(effective, task->integration == DX_INTEGRATION_LAMBDA ?
								 "Payload" : "Input");
	return input ? input : dx_json_empty_object();
}

/* A document as it was, or as a text: .sync:2 gives the first, .sync the other. */
static Jsonb *
document(const DxTask *task, const Jsonb *json)
{
	if (task->integration == DX_INTEGRATION_SYNC2)
		return (Jsonb *) json;
	return dx_json_string(dx_json_compact(json));
}

/* What AWS adds to an answer about its data: {"Included": true}. */
static Jsonb *
included(void)
{
	JsonbValue	yes = {jbvBool};

	yes.val.boolean = true;
	return dx_payload("Included", dx_json_from_value(&yes), NULL);
}

/* What DescribeExecution says of a child run, but for its outcome. */
static Jsonb *
describe(const DxPass *pass, const DxBranch *branch, Jsonb *input, const char *status)
{
	const DxTask *task = &branch->state->u.task;
	Jsonb	   *id = dx_json_uuid(&branch->ticket);
	Jsonb	   *all;

	all = dx_payload("ExecutionArn", id,
					 "Name", id,
					 "StateMachineArn", dx_json_string(task->bound_uri),
					 "Status", dx_json_string(status),
					 "StopDate", dx_json_timestamp(pass->now), NULL);
	if (branch->entered_at != 0)
		all = dx_json_set(all, "StartDate", dx_json_timestamp(branch->entered_at));
	all = dx_json_set(all, "Input", document(task, input));
	return dx_json_set(all, "InputDetails", included());
}

/*
 * The result of a Task, as its integration gives it.  result: what the bound
 * resource has returned; input: what it was called with.
 */
Jsonb *
dx_integration_result(const DxPass *pass, const DxBranch *branch, Jsonb *input,
					  Jsonb *result)
{
	const DxTask *task = &branch->state->u.task;
	Jsonb	   *all;

	switch (task->integration)
	{
		case DX_INTEGRATION_NONE:
		case DX_INTEGRATION_TOKEN:
			break;
		case DX_INTEGRATION_LAMBDA:
			if (task->wait_for_token)
				return result;
			return dx_payload("ExecutedVersion", dx_json_string("$LATEST"),
							  "Payload", result,
							  "StatusCode", dx_json_int(200), NULL);
		case DX_INTEGRATION_START:
			return dx_payload("ExecutionArn", dx_json_uuid(&branch->ticket),
							  "StartDate", dx_json_timestamp(pass->now), NULL);
		case DX_INTEGRATION_SYNC:
		case DX_INTEGRATION_SYNC2:
			all = describe(pass, branch, input, "SUCCEEDED");
			all = dx_json_set(all, "Output", document(task, result));
			return dx_json_set(all, "OutputDetails", included());
	}
	return result;
}

/*
 * A child run has not succeeded: what the Task fails with.  *fault: the run's
 * error and cause; status: that of the run.
 */
void
dx_integration_fault(const DxPass *pass, const DxBranch *branch, Jsonb *input,
					 const char *status, DxFault *fault)
{
	const DxTask *task = &branch->state->u.task;
	Jsonb	   *all;

	if (task->integration == DX_INTEGRATION_NONE)
		return;
	all = describe(pass, branch, input, status);
	if (fault->error != NULL)
		all = dx_json_set(all, "Error", dx_json_string(fault->error));
	if (fault->cause != NULL)
		all = dx_json_set(all, "Cause", dx_json_string(fault->cause));
	fault->error = pstrdup(DX_ERROR_TASK_FAILED);
	fault->cause = dx_json_compact(all);
}

/* What the branch's Task was called with; evaluated anew after a wait. */
Jsonb *
dx_called_with(DxPass *pass, DxRun *run, DxBranch *branch)
{
	DxFault		fault;

	Assert(branch->state->type == DX_STATE_TASK);
	if (branch->effective == NULL && branch->governed && dx_effect_of(branch) != NULL)
		branch->effective = dx_gate()->recall(pass, run, branch);
	if (branch->effective == NULL)
	{
		DxEnv		env;

		dx_env_init(&env, pass, run, branch);
		if (!dx_eval_enter(branch->state, &env, &branch->effective, &fault))
			branch->effective = branch->data;
		branch->effective = dx_integration_input(&branch->state->u.task, branch->effective);
	}
	return branch->effective;
}
