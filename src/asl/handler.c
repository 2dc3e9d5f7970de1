/*-------------------------------------------------------------------------
 *
 * handler.c
 *	  Compiles Retry and Catch.
 *
 * Amazon States Language, "Errors".
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "asl/asl.h"
#include "asl/compile.h"
#include "asl/fault.h"
#include "asl/field.h"
#include "asl/handler.h"
#include "asl/node.h"
#include "asl/problem.h"
#include "asl/query.h"
#include "asl/target.h"

/* AWS: less than 31622400, the seconds of a leap year. */
#define MAX_MAX_DELAY	31622399

/* Names of errors that the language defines. */
static const char *const known_errors[] = {
	DX_ERROR_ALL, DX_ERROR_TASK_FAILED, DX_ERROR_TIMEOUT,
	DX_ERROR_HEARTBEAT, DX_ERROR_RUNTIME, DX_ERROR_DATA_LIMIT,
	DX_ERROR_PERMISSIONS, DX_ERROR_RESULT_PATH, DX_ERROR_PARAMETER_PATH,
	DX_ERROR_BRANCH_FAILED, DX_ERROR_NO_CHOICE, DX_ERROR_INTRINSIC,
	DX_ERROR_THRESHOLD, DX_ERROR_ITEM_READER, DX_ERROR_RESULT_WRITER,
	DX_ERROR_QUERY
};

/* Begins the name with "States.", and is none that the language defines? */
static bool
is_foreign_name(const char *name)
{
	if (strncmp(name, "States.", strlen("States.")) != 0)
		return false;
	/* An open set: States.Http.StatusCode.404 and the like. */
	if (strncmp(name, "States.Http.", strlen("States.Http.")) == 0)
		return false;
	for (int i = 0; i < lengthof(known_errors); i++)
	{
		if (strcmp(name, known_errors[i]) == 0)
			return false;
	}
	return true;
}

/*
 * Warns of the name of an error that begins with "States." and that the
 * language does not define.  No more than that: AWS runs such definitions.
 */
void
dx_check_error_name(DxCompiler *c, const char *pointer, const char *name)
{
	const char *near;

	if (!is_foreign_name(name))
		return;
	near = dx_closest(c, name, known_errors, lengthof(known_errors));
	dx_warning(c->problems, pointer, DX_P_ERROR_NAME,
			   near ? psprintf("Did you mean \"%s\"?", near) :
			   "Names of your own errors had better begin otherwise; \"States.\" is the language's.",
			   "the language has no error \"%s\"", dx_clip(name));
}

/*
 * One name of an ErrorEquals.  States.ALL stands alone, in the last handler.
 */
static const char *
compile_error_name(DxCompiler *c, const DxNode *node, bool alone, bool last)
{
	const char *name;

	if (node->value.type != jbvString)
	{
		dx_wrong_type(c, node, "a string, the name of an error");
		return NULL;
	}
	name = dx_node_text(node);
	if (*name == '\0')
		dx_problem(c->problems, node->pointer, DX_P_ERROR_NAME, NULL,
				   "the name of an error cannot be empty");
	else if (strcmp(name, DX_ERROR_ALL) == 0 && !(alone && last))
		dx_problem(c->problems, node->pointer, DX_P_ERROR_NAME,
				   alone ? "Move it to the end." : "Give it an entry of its own, the last one.",
				   "States.ALL has to stand alone and in the last entry");
	else
		dx_check_error_name(c, node->pointer, name);
	return name;
}

/*
 * ErrorEquals: returns the number of names.
 */
static int
compile_error_equals(DxCompiler *c, const DxNode *handler, bool last,
					 const char ***errors)
{
	DxNode		names;
	DxWalk		walk;
	int			n = 0;

	*errors = NULL;
	if (!dx_read_array(c, handler, "ErrorEquals", true, &names))
		return 0;
	if (dx_count(&names) == 0)
	{
		dx_problem(c->problems, names.pointer, DX_P_WRONG_VALUE,
				   "Name at least one error, e.g. \"States.ALL\".",
				   "there has to be at least one name of an error");
		return 0;
	}

	*errors = palloc(sizeof(char *) * dx_count(&names));
	dx_walk_start(&walk, &names);
	while (dx_walk_next(&walk))
	{
		const char *name = compile_error_name(c, &walk.node,
											  dx_count(&names) == 1, last);

		if (name)
			(*errors)[n++] = name;
	}
	return n;
}

/* One element of Retry. last: only there may States.ALL stand. */
static void
compile_retrier(DxCompiler *c, const DxNode *node, bool last,
				DxRetrier *retrier)
{
	static const char *const members[] = {
		"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate",
		"MaxDelaySeconds", "JitterStrategy", "Comment"
	};
	static const char *const strategies[] = {"FULL", "NONE"};
	double		attempts = 3;

	retrier->interval = 1;
	retrier->backoff_rate = 2;
	retrier->max_delay = -1;
	if (!dx_is_object(node))
	{
		dx_wrong_type(c, node, "an object, the retrier");
		return;
	}
	dx_check_members(c, node, "a retrier", members, lengthof(members));
	retrier->nerrors = compile_error_equals(c, node, last, &retrier->errors);
	(void) dx_read_number(c, node, "IntervalSeconds", true,
						  1, DX_MAX_SECONDS, &retrier->interval);
	(void) dx_read_number(c, node, "MaxAttempts", true,
						  0, DX_MAX_SECONDS, &attempts);
	retrier->max_attempts = (int) attempts;
	(void) dx_read_number(c, node, "BackoffRate", false,
						  1, INFINITY, &retrier->backoff_rate);
	(void) dx_read_number(c, node, "MaxDelaySeconds", true,
						  1, MAX_MAX_DELAY, &retrier->max_delay);
	if (dx_read_choice(c, node, "JitterStrategy",
					   strategies, lengthof(strategies)))
		retrier->full_jitter =
			strcmp(dx_read_text(c, node, "JitterStrategy", false), "FULL") == 0;
}

/*
 * The Retry of a state or of a Compensate.  Returns the number of retriers.
 */
int
dx_compile_retriers(DxCompiler *c, const DxNode *object, DxRetrier **retriers)
{
	DxNode		array;
	DxWalk		walk;
	int			n;

	*retriers = NULL;
	if (!dx_read_array(c, object, "Retry", false, &array))
		return 0;
	n = dx_count(&array);
	*retriers = palloc0(sizeof(DxRetrier) * n);
	dx_walk_start(&walk, &array);
	while (dx_walk_next(&walk))
		compile_retrier(c, &walk.node, walk.index == n - 1,
						&(*retriers)[walk.index]);
	return n;
}

/* Which members a catcher has depends on the query language. */
static void
check_catcher_members(DxCompiler *c, const DxStateSource *state,
					  const DxNode *node)
{
	static const char *const in_path[] = {
		"ErrorEquals", "Next", "ResultPath", "Assign", "Comment"
	};
	static const char *const in_sql[] = {
		"ErrorEquals", "Next", "Output", "Assign", "Comment"
	};

	if (state->foreign)
		return;
	if (state->language == DX_QL_SQL)
		dx_check_members(c, node, "a catcher in the query language SQL",
						 in_sql, lengthof(in_sql));
	else
		dx_check_members(c, node, "a catcher", in_path, lengthof(in_path));
}

/* One element of Catch. last: only there may States.ALL stand. */
static void
compile_catcher(DxCompiler *c, DxStateSource *state, const DxNode *node,
				bool last, DxCatcher *catcher)
{
	catcher->next = -1;
	if (!dx_is_object(node))
	{
		dx_wrong_type(c, node, "an object, the catcher");
		return;
	}
	check_catcher_members(c, state, node);
	catcher->nerrors = compile_error_equals(c, node, last, &catcher->errors);
	catcher->next = dx_read_target(c, state, node, "Next", true);
	catcher->assign = dx_read_assign(c, state, node);
	if (state->foreign)
		return;
	if (state->language == DX_QL_SQL)
		catcher->output = dx_read_template(c, state, node, "Output");
	else
		catcher->result_path = dx_read_result_path(c, node, &catcher->discard);
}

/*
 * The Catch of a state.  Returns the number of catchers.
 */
int
dx_compile_catchers(DxCompiler *c, DxStateSource *state, DxCatcher **catchers)
{
	DxNode		array;
	DxWalk		walk;
	int			n;

	*catchers = NULL;
	if (!dx_read_array(c, &state->node, "Catch", false, &array))
		return 0;
	n = dx_count(&array);
	*catchers = palloc0(sizeof(DxCatcher) * n);
	dx_walk_start(&walk, &array);
	while (dx_walk_next(&walk))
		compile_catcher(c, state, &walk.node, walk.index == n - 1,
						&(*catchers)[walk.index]);
	return n;
}
