/*-------------------------------------------------------------------------
 *
 * task.c
 *	  Compiles a Task state, with what we add to it: Compensate and Delivery.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/compile.h"
#include "asl/field.h"
#include "asl/handler.h"
#include "asl/integration.h"
#include "asl/node.h"
#include "asl/problem.h"
#include "asl/query.h"
#include "asl/resource_uri.h"
#include "nodes/pg_list.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/*
 * Lets the caller of the compiler look at a resource.
 */
static void
check_resource(DxCompiler *c, DxResourceKind *kind, const char **target,
			   bool *wait_for_token, bool *no_wait, const char *uri,
			   bool keys_known, List *keys, const char *pointer)
{
	if (c->options->check_resource == NULL || c->options->strict)
		return;
	c->options->check_resource(c->options->arg, kind, target, wait_for_token,
							   no_wait, uri, keys_known, keys, pointer, c->problems);
}

/*
 * Reads and checks a Resource.  NULL when there is none that makes sense.
 */
static const char *
read_resource(DxCompiler *c, const DxNode *object, DxResourceKind *kind,
			  const char **target, bool *wait_for_token, bool *no_wait)
{
	const char *uri = dx_read_text(c, object, "Resource", true);
	const char *pointer = dx_pointer_child(object->pointer, "Resource");
	const char *problem;

	if (uri == NULL)
		return NULL;
	*kind = dx_resource_parse(uri, target, wait_for_token, no_wait);
	if (*kind != DX_RESOURCE_OTHER && c->options->strict)
	{
		dx_problem(c->problems, pointer, DX_P_NOT_PURE, NULL,
				   "\"%s\" is an addition to the Amazon States Language",
				   dx_clip(uri));
		return NULL;
	}
	problem = dx_resource_problem(uri, *kind, *target);
	if (problem == NULL && *wait_for_token &&
		*kind != DX_RESOURCE_SQL && *kind != DX_RESOURCE_EMIT &&
		*kind != DX_RESOURCE_ACTIVITY && *kind != DX_RESOURCE_OTHER)
		problem = "it waits for an answer anyway";
	if (problem)
	{
		dx_problem(c->problems, pointer, DX_P_BAD_RESOURCE, NULL,
				   "\"%s\" is not a valid resource: %s", dx_clip(uri), problem);
		return NULL;
	}
	return uri;
}

/* Some service integrations are not to be had in an EXPRESS machine. */
static void
check_express(DxCompiler *c, const DxStateSource *source, const DxTask *task)
{
	const char *pattern = task->uri ? dx_resource_not_express(task->uri) : NULL;

	if (pattern && c->machines[source->machine].express)
		dx_problem(c->problems,
				   dx_pointer_child(source->node.pointer, "Resource"),
				   DX_P_NOT_SUPPORTED, "Use the type STANDARD.",
				   "a state machine of the type EXPRESS does not support \"%s\"",
				   pattern);
}

/*
 * Credentials say as whom AWS does the task.  Here steps run as the owner,
 * whatever they say.
 */
static void
check_credentials(DxCompiler *c, const DxStateSource *source)
{
	DxNode		member;

	if (dx_read_object(c, &source->node, "Credentials", false, &member))
		(void) dx_read_template(c, source, &source->node, "Credentials");
}

/* Does somebody do the task who owes heartbeats?  A function cannot send any. */
static bool
takes_heartbeats(const DxTask *task)
{
	return task->uri == NULL || task->wait_for_token ||
		task->kind == DX_RESOURCE_SQL || task->kind == DX_RESOURCE_ACTIVITY ||
		task->kind == DX_RESOURCE_OTHER;
}

/*
 * TimeoutSeconds and HeartbeatSeconds; the second has to be the shorter one.
 */
static void
compile_timeouts(DxCompiler *c, const DxStateSource *source, DxTask *task)
{
	const DxNode *node = &source->node;

	dx_read_amount(c, source, node, "TimeoutSeconds", true,
				   1, DX_MAX_SECONDS, &task->timeout);
	dx_read_amount(c, source, node, "HeartbeatSeconds", true,
				   1, DX_MAX_SECONDS, &task->heartbeat);
	if (!task->heartbeat.given)
		return;

	if (task->timeout.value > 0 && task->heartbeat.value >= task->timeout.value)
		dx_problem(c->problems,
				   dx_pointer_child(node->pointer, "HeartbeatSeconds"),
				   DX_P_OUT_OF_RANGE, NULL,
				   "must be less than \"TimeoutSeconds\"");
	if (!takes_heartbeats(task))
		dx_problem(c->problems, node->pointer, DX_P_NO_EFFECT,
				   "Use \"TimeoutSeconds\".",
				   "heartbeats have no effect on \"%s\"", dx_clip(task->uri));
}

/* What becomes of the child when its parent is closed. */
static DxClosePolicy
close_policy(const char *name)
{
	if (strcmp(name, "terminate") == 0)
		return DX_CLOSE_TERMINATE;
	return strcmp(name, "cancel") == 0 ? DX_CLOSE_CANCEL : DX_CLOSE_ABANDON;
}

/* The timeouts that begin before anybody does the task. */
static void
compile_schedule(DxCompiler *c, const DxStateSource *source, DxTask *task)
{
	static const char *const names[] = {
		"ScheduleToStartSeconds", "ScheduleToCloseSeconds"
	};
	DxAmount   *amounts[] = {&task->schedule_to_start, &task->schedule_to_close};

	for (int i = 0; i < lengthof(names); i++)
	{
		dx_read_amount(c, source, &source->node, names[i], true,
					   1, DX_MAX_SECONDS, amounts[i]);
		if (amounts[i]->given && task->uri &&
			task->kind != DX_RESOURCE_ACTIVITY && task->kind != DX_RESOURCE_OTHER)
			dx_problem(c->problems,
					   dx_pointer_child(source->node.pointer, names[i]),
					   DX_P_NO_EFFECT, "Use \"TimeoutSeconds\".",
					   "has no effect on \"%s\"", dx_clip(task->uri));
	}
}

/* What only waits has done nothing that could be undone. */
static bool
can_be_undone(DxResourceKind kind)
{
	return kind != DX_RESOURCE_SIGNAL && kind != DX_RESOURCE_EVENT &&
		kind != DX_RESOURCE_APPROVAL && kind != DX_RESOURCE_COMPENSATE;
}

/* Which members Compensate has depends on the query language. */
static void
check_undo_members(DxCompiler *c, const DxStateSource *source,
				   const DxNode *undo)
{
	static const char *const in_path[] = {
		"Resource", "Parameters", "Retry", "TimeoutSeconds", "Comment"
	};
	static const char *const in_sql[] = {
		"Resource", "Arguments", "Retry", "TimeoutSeconds", "Comment"
	};

	if (source->foreign)
		return;
	dx_check_members(c, undo, "a compensation",
					 source->language == DX_QL_SQL ? in_sql : in_path,
					 lengthof(in_path));
}

/*
 * Compensate.Resource, and what it is called with.
 */
static void
compile_undo_resource(DxCompiler *c, const DxStateSource *source,
					  const DxNode *undo, DxTask *task)
{
	bool		wait_for_token = false;
	bool		no_wait = false;
	const char *pointer = dx_pointer_child(undo->pointer, "Resource");
	List	   *keys = NIL;
	bool		keys_known = true;

	task->undo_uri = read_resource(c, undo, &task->undo_kind,
								   &task->undo_target,
								   &wait_for_token, &no_wait);
	task->undo_parameters = dx_read_template(c, source, undo,
											 source->language == DX_QL_SQL ?
											 "Arguments" : "Parameters");
	if (task->undo_uri == NULL)
		return;
	if (!can_be_undone(task->undo_kind) || no_wait || wait_for_token)
		dx_problem(c->problems, pointer, DX_P_BAD_RESOURCE,
				   "Use sql:, activity:, workflow: or emit:.",
				   "\"%s\" cannot undo anything", dx_clip(task->undo_uri));

	if (task->undo_parameters)
		keys_known = dx_template_keys(task->undo_parameters, &keys);
	else
		keys = list_make3("input", "output", "error");
	check_resource(c, &task->undo_kind, &task->undo_target, &wait_for_token,
				   &no_wait, task->undo_uri, keys_known, keys, pointer);
}

/* How the effect of a Task is undone. */
static void
compile_compensate(DxCompiler *c, const DxStateSource *source, DxTask *task)
{
	DxNode		undo;

	if (!dx_read_object(c, &source->node, "Compensate", false, &undo))
		return;
	if (task->uri && !can_be_undone(task->kind))
		dx_problem(c->problems, undo.pointer, DX_P_NO_EFFECT,
				   "Put it on the state whose effect is to be undone.",
				   "there is nothing to undo of \"%s\"", dx_clip(task->uri));

	check_undo_members(c, source, &undo);
	compile_undo_resource(c, source, &undo, task);
	dx_read_amount(c, source, &undo, "TimeoutSeconds", true,
				   1, DX_MAX_SECONDS, &task->undo_timeout);
	task->nundo_retriers = dx_compile_retriers(c, &undo, &task->undo_retriers);
	task->compensable = true;
	c->program->has_compensation = true;
}

/*
 * Compiles what a Task has of its own.
 */
void
dx_compile_task(DxCompiler *c, DxStateSource *source, DxState *state)
{
	static const char *const deliveries[] = {"at_least_once", "at_most_once"};
	static const char *const policies[] = {"terminate", "cancel", "abandon"};
	const DxNode *node = &source->node;
	DxTask	   *task = &state->u.task;
	List	   *keys = NIL;
	bool		keys_known = false;

	task->uri = read_resource(c, node, &task->kind, &task->target,
							  &task->wait_for_token, &task->no_wait);
	task->shows_token = task->wait_for_token;
	task->options = dx_node_json(node);
	check_express(c, source, task);
	check_credentials(c, source);
	compile_timeouts(c, source, task);
	if (!c->options->strict)
	{
		if (dx_read_choice(c, node, "Delivery", deliveries, lengthof(deliveries)))
			task->at_most_once = strcmp(dx_read_text(c, node, "Delivery", false),
										"at_most_once") == 0;
		if (dx_read_choice(c, node, "ParentClosePolicy", policies, lengthof(policies)))
			task->close_policy = close_policy(dx_read_text(c, node, "ParentClosePolicy", false));
		compile_schedule(c, source, task);
		compile_compensate(c, source, task);
	}

	if (task->uri != NULL)
	{
		const char *bound_by = dx_compile_integration(c, source, task);

		if (state->parameters && task->integration == DX_INTEGRATION_NONE)
			keys_known = dx_template_keys(state->parameters, &keys);
		check_resource(c, &task->kind, &task->target, &task->wait_for_token,
					   &task->no_wait, bound_by, keys_known, keys, dx_pointer_child(node->pointer, "Resource"));
		dx_check_integration(c, source, task);
	}
	if (!c->options->strict)
		dx_compile_governance(c, source, task);
}
