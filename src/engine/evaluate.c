/*-------------------------------------------------------------------------
 *
 * evaluate.c
 *	  What the engine evaluates itself (paths, templates, intrinsic functions,
 *	  choice rules), for a limited time: dealix_exec.evaluation_timeout.
 *
 * watch.c cancels what takes longer.  That is caught here without a
 * subtransaction: what is evaluated works in memory only, and expressions,
 * which do not, have one of their own (guard.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/fault.h"
#include "base/guc.h"
#include "base/watch.h"
#include "engine/evaluate.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* In a PG_CATCH: its time was over.  Errors: any other is raised again. */
static void
overdue(MemoryContext cxt, const DxState *state, DxFault *fault)
{
	if (!dx_watch_overdue() || geterrcode() != ERRCODE_QUERY_CANCELED)
		PG_RE_THROW();
	MemoryContextSwitchTo(cxt);
	FlushErrorState();
	fault->error = pstrdup(DX_ERROR_TIMEOUT);
	fault->cause = psprintf("An evaluation%s%s%s took longer than dealix_exec.evaluation_timeout allows: %d ms.",
							state ? " in state \"" : "", state ? state->name : "",
							state ? "\"" : "", dx_evaluation_timeout);
}

/* done = call, or a fault when its time was over. */
#define LIMITED(done, call, state, fault) \
	do { \
		MemoryContext cxt_ = CurrentMemoryContext; \
		dx_watch_evaluation(true); \
		PG_TRY(); \
		{ \
			done = (call); \
		} \
		PG_CATCH(); \
		{ \
			overdue(cxt_, state, fault); \
		} \
		PG_END_TRY(); \
		dx_watch_evaluation(false); \
	} while (0)

/* dx_io_enter, for a limited time. */
bool
dx_eval_enter(const DxState *state, DxEnv *env, Jsonb **effective, DxFault *fault)
{
	volatile bool done = false;

	LIMITED(done, dx_io_enter(state, env, effective, fault),
			state, fault);
	return done;
}

/* dx_io_exit, for a limited time. */
bool
dx_eval_exit(const DxState *state, DxEnv *env, Jsonb *result,
			 Jsonb **output, Jsonb **variables, DxFault *fault)
{
	volatile bool done = false;

	LIMITED(done, dx_io_exit(state, env, result, output, variables, fault),
			state, fault);
	return done;
}

/* dx_io_catch, for a limited time. */
bool
dx_eval_catch(const DxState *state, const DxCatcher *catcher, DxEnv *env,
			  const DxFault *error, Jsonb **output, Jsonb **variables, DxFault *fault)
{
	volatile bool done = false;

	LIMITED(done, dx_io_catch(state, catcher, env, error, output, variables, fault),
			state, fault);
	return done;
}

/* dx_io_choose, for a limited time. */
bool
dx_eval_choose(const DxState *state, DxEnv *env, int *next, Jsonb **output,
			   Jsonb **variables, DxFault *fault)
{
	volatile bool done = false;

	LIMITED(done, dx_io_choose(state, env, next, output, variables, fault),
			state, fault);
	return done;
}

/* dx_io_wait, for a limited time. */
bool
dx_eval_wait(const DxState *state, DxEnv *env, TimestampTz now,
			 TimestampTz *until, DxFault *fault)
{
	volatile bool done = false;

	LIMITED(done, dx_io_wait(state, env, now, until, fault),
			state, fault);
	return done;
}

/* dx_io_fail, for a limited time. */
bool
dx_eval_fail(const DxState *state, DxEnv *env, DxFault *error, DxFault *fault)
{
	volatile bool done = false;

	LIMITED(done, dx_io_fail(state, env, error, fault),
			state, fault);
	return done;
}

/* dx_io_items, for a limited time. */
bool
dx_eval_items(const DxState *state, DxEnv *env, Jsonb **items, DxFault *fault)
{
	volatile bool done = false;

	LIMITED(done, dx_io_items(state, env, items, fault),
			state, fault);
	return done;
}

/* dx_io_item_input, for a limited time. */
bool
dx_eval_item_input(const DxState *state, DxEnv *env, int index, Jsonb *item,
				   Jsonb **input, DxFault *fault)
{
	volatile bool done = false;

	LIMITED(done, dx_io_item_input(state, env, index, item, input, fault),
			state, fault);
	return done;
}

/* dx_io_batches, for a limited time. */
bool
dx_eval_batches(const DxState *state, DxEnv *env, Jsonb *items,
				Jsonb **batches, DxFault *fault)
{
	volatile bool done = false;

	LIMITED(done, dx_io_batches(state, env, items, batches, fault),
			state, fault);
	return done;
}

/* dx_template_eval, for a limited time. */
bool
dx_eval_template(const DxTemplate *template, DxEnv *env, Jsonb **value,
				 DxFault *fault)
{
	volatile bool done = false;

	LIMITED(done, dx_template_eval(template, env, value, fault),
			env->state, fault);
	return done;
}

/* dx_amount_eval, for a limited time. */
bool
dx_eval_amount(const DxAmount *amount, DxEnv *env, bool *given, double *value,
			   DxFault *fault)
{
	volatile bool done = false;

	LIMITED(done, dx_amount_eval(amount, env, given, value, fault),
			env->state, fault);
	return done;
}
