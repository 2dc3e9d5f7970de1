/*-------------------------------------------------------------------------
 *
 * asl.h
 *	  The Amazon States Language: from a definition to a Program, and the pure
 *	  functions that evaluate it.
 *
 * Nothing in this room reads a table, a clock or a worker's state: everything
 * that an evaluation needs comes in through a DxEnv.  An error of the language
 * (States.ParameterPathFailure, say) is a value, a DxFault, because Retry and
 * Catch have to look at it; ereport is left to what is wrong with the engine.
 *
 * All functions allocate in CurrentMemoryContext.  JSON values are Jsonb.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_H
#define DX_ASL_H

#include "postgres.h"
#include "asl/classes.h"
#include "asl/fault.h"
#include "asl/problem.h"
#include "base/catalog.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

typedef enum DxQueryLanguage
{
	DX_QL_JSONPATH,
	DX_QL_SQL
} DxQueryLanguage;

typedef enum DxStateType
{
	DX_STATE_TASK,
	DX_STATE_PASS,
	DX_STATE_CHOICE,
	DX_STATE_WAIT,
	DX_STATE_SUCCEED,
	DX_STATE_FAIL,
	DX_STATE_PARALLEL,
	DX_STATE_MAP
} DxStateType;

/* What a Task's Resource asks for. */
typedef enum DxResourceKind
{
	DX_RESOURCE_SQL,			/* sql:schema.function */
	DX_RESOURCE_ACTIVITY,		/* activity:name */
	DX_RESOURCE_SIGNAL,			/* signal:name */
	DX_RESOURCE_EVENT,			/* event:name */
	DX_RESOURCE_APPROVAL,		/* approval:name */
	DX_RESOURCE_WORKFLOW,		/* workflow:name */
	DX_RESOURCE_EMIT,			/* emit:topic */
	DX_RESOURCE_COMPENSATE,		/* compensate: */
	DX_RESOURCE_OTHER			/* any other URI: has to be bound */
} DxResourceKind;

typedef struct DxPath DxPath;	/* path.c: a compiled Path or ReferencePath */
typedef struct DxTemplate DxTemplate;	/* template.c: a payload template */
typedef struct DxRule DxRule;	/* choice.c: one choice rule */

/*
 * An expression of the expression mode, {% ... %}.  The Program keeps its
 * text; what evaluates it is behind DxEvaluator, so that another expression
 * language is one new evaluator.
 */
typedef struct DxExpr
{
	DxQueryLanguage language;
	const char *text;			/* without {% and %} */
	int			ordinal;		/* 0, 1, ... within the Program: a cache index */
	const char *pointer;
} DxExpr;

struct DxEnv;

typedef bool (*DxEvaluator) (void *arg, const DxExpr *expr,
							 struct DxEnv *env, Jsonb **value, DxFault *fault);

/*
 * What an evaluation can see.  input is the root of "$"; variables is an
 * object of the variables in scope (NULL: none); "$$" is asked for through
 * build_context the first time a path needs it.
 */
typedef struct DxEnv
{
	Jsonb	   *input;
	Jsonb	   *variables;
	Jsonb	   *context;
	Jsonb	   *(*build_context) (void *arg);

	/*
	 * What a path that begins with $$.first.second needs, without the rest of
	 * a context that may be large: the number of names that *value stands
	 * for, 1 or 2, or 0 when there is no such member.  second may be NULL.
	 */
	int			(*context_member) (void *arg, const char *first,
								   const char *second, Jsonb **value);
	void	   *context_arg;

	/* only for the expression mode */
	Jsonb	   *state_input;	/* "input": the state's raw input */
	Jsonb	   *result;			/* "result" */
	Jsonb	   *error_output;	/* "error" */
	DxEvaluator evaluate;
	void	   *evaluate_arg;

	Jsonb	   *context_map;	/* stands for "Map" in the context, or NULL */

	/* Its InputPath comes before the path of an amount; NULL: none does. */
	const struct DxState *state;
} DxEnv;

/* A number that may be written as a constant, a path or an expression. */
typedef struct DxAmount
{
	bool		given;
	const char *field;			/* its name */
	bool		integer;		/* what it may be */
	double		min;
	double		max;
	double		value;			/* when neither path nor expr */
	DxPath	   *path;
	DxExpr	   *expr;
} DxAmount;

/* A text that may be written as a constant, a path/intrinsic or an expression. */
typedef struct DxText
{
	bool		given;
	const char *value;
	DxPath	   *path;
	DxTemplate *template;		/* an intrinsic function call */
	DxExpr	   *expr;
} DxText;

typedef struct DxRetrier
{
	int			nerrors;
	const char **errors;		/* ErrorEquals */
	double		interval;		/* IntervalSeconds, default 1 */
	int			max_attempts;	/* MaxAttempts, default 3; 0 = never */
	double		backoff_rate;	/* default 2.0 */
	double		max_delay;		/* MaxDelaySeconds, < 0 = no limit */
	bool		full_jitter;	/* JitterStrategy FULL */
} DxRetrier;

typedef struct DxCatcher
{
	int			nerrors;
	const char **errors;
	int			next;			/* state index */
	DxPath	   *result_path;	/* NULL with !discard means "$" */
	bool		discard;		/* ResultPath: null */
	DxTemplate *assign;
	DxTemplate *output;			/* expression mode */
} DxCatcher;

/* What becomes of a child run when its parent ends.  Stored. */
typedef enum DxClosePolicy
{
	DX_CLOSE_DEFAULT = N_CLOSE_DEFAULT, /* cancel what is waited for, else
										 * abandon */
	DX_CLOSE_TERMINATE = N_CLOSE_TERMINATE,
	DX_CLOSE_CANCEL = N_CLOSE_CANCEL,
	DX_CLOSE_ABANDON = N_CLOSE_ABANDON
} DxClosePolicy;

/* Integrations of AWS that name in a parameter what they call. */
typedef enum DxIntegration
{
	DX_INTEGRATION_NONE,
	DX_INTEGRATION_START,		/* states:startExecution */
	DX_INTEGRATION_SYNC,		/* states:startExecution.sync */
	DX_INTEGRATION_SYNC2,		/* states:startExecution.sync:2 */
	DX_INTEGRATION_TOKEN,		/* states:startExecution.waitForTaskToken */
	DX_INTEGRATION_LAMBDA		/* lambda:invoke */
} DxIntegration;

/* What leaves only with a decision: Governance of a Task that does something. */
typedef struct DxEffect
{
	const char *action;
	DxClasses	classes;
	DxTemplate *ask;			/* {"Tenant", "IdempotencyKey", "Evidence",
								 * "Summary", "Approvers"}, or NULL */
	DxTemplate *run_tenant;		/* {"Tenant"} over the run's input, or NULL */
	bool		fails_duplicates;	/* OnDuplicate */
	Jsonb	   *shape;			/* or NULL */
	List	   *approvers;		/* char * */
	int			quorum;			/* 0: says nothing */
} DxEffect;

/* workflow:continue_as_new, see child.c. */
#define DX_CONTINUE_TARGET	"continue_as_new"

typedef struct DxTask
{
	DxResourceKind kind;
	const char *uri;			/* as written */
	DxIntegration integration;
	const char *bound_uri;		/* of an integration: what is bound */
	const char *target;			/* what follows the scheme, e.g. "shop.pay" */
	bool		wait_for_token; /* .waitForTaskToken */
	bool		shows_token;	/* the same; of a bound URI by itself */
	bool		no_wait;		/* .start on workflow: */
	DxAmount	timeout;		/* seconds */
	DxAmount	heartbeat;
	DxAmount	schedule_to_start;	/* until a worker takes it */
	DxAmount	schedule_to_close;	/* all attempts together */
	bool		at_most_once;	/* Delivery */
	DxClosePolicy close_policy;
	Jsonb	   *governance;		/* Governance of an approval:, or NULL */
	DxEffect   *effect;			/* Governance of what does something, or NULL */
	Jsonb	   *options;		/* the whole state object, for rare members */

	/* Compensate */
	bool		compensable;
	DxResourceKind undo_kind;
	const char *undo_uri;
	const char *undo_target;
	DxTemplate *undo_parameters;	/* NULL: the {"input","output","error"}
									 * object */
	int			nundo_retriers;
	DxRetrier  *undo_retriers;
	DxAmount	undo_timeout;
} DxTask;

typedef struct DxChoiceBranch
{
	DxRule	   *rule;			/* JSONPath */
	DxExpr	   *condition;		/* expression mode */
	int			next;
	DxTemplate *assign;
	DxTemplate *output;
} DxChoiceBranch;

typedef struct DxChoice
{
	int			nbranches;
	DxChoiceBranch *branches;
	int			default_next;	/* -1: none */
} DxChoice;

typedef struct DxWait
{
	DxAmount	seconds;
	DxText		timestamp;		/* RFC 3339 */
} DxWait;

typedef struct DxFail
{
	DxText		error;
	DxText		cause;
} DxFail;

typedef struct DxParallel
{
	int			nbranches;
	int		   *machines;		/* machine index of each branch */
} DxParallel;

typedef struct DxMap
{
	int			machine;		/* ItemProcessor or Iterator */
	bool		distributed;	/* ProcessorConfig.Mode DISTRIBUTED */
	DxPath	   *items_path;		/* NULL: "$" */
	DxTemplate *items;			/* expression mode "Items" */
	DxTemplate *item_selector;	/* or legacy Parameters */
	DxAmount	max_concurrency;	/* 0 = no limit */
	DxAmount	tolerated_count;
	DxAmount	tolerated_percentage;
	const char *label;
	bool		batched;		/* ItemBatcher: */
	DxAmount	batch_items;
	DxAmount	batch_bytes;
	DxTemplate *batch_input;	/* or NULL */
} DxMap;

typedef struct DxState
{
	int			index;			/* in DxProgram.states */
	const char *name;
	const char *pointer;		/* JSON pointer of the state object */
	DxStateType type;
	int			machine;		/* machine that it belongs to */
	DxQueryLanguage language;
	int			next;			/* state index, or -1 */
	bool		end;

	/* input and output processing; what is absent is NULL/false */
	DxPath	   *input_path;
	bool		input_null;		/* InputPath: null */
	DxTemplate *parameters;		/* Parameters, or Arguments */
	Jsonb	   *result;			/* Pass: Result */
	DxTemplate *result_selector;
	DxPath	   *result_path;	/* NULL with !discard_result means "$" */
	bool		discard_result; /* ResultPath: null */
	DxPath	   *output_path;
	bool		output_null;	/* OutputPath: null */
	DxTemplate *assign;
	DxTemplate *output;			/* expression mode */

	int			nretriers;
	DxRetrier  *retriers;
	int			ncatchers;
	DxCatcher  *catchers;

	union
	{
		DxTask		task;
		DxChoice	choice;
		DxWait		wait;
		DxFail		fail;
		DxParallel	parallel;
		DxMap		map;
	}			u;
} DxState;

/* One States/StartAt object: the top one, a Parallel branch, an ItemProcessor. */
typedef struct DxMachine
{
	int			index;
	int			start;			/* state index of StartAt */
	int			owner;			/* state index of the Parallel/Map, -1 = top */
	int			first_state;	/* its states stand in a row, ordered by */
	int			nstates;		/* length and then bytes of the name */
} DxMachine;

typedef struct DxProgram
{
	MemoryContext cxt;			/* holds all of it */
	int			nstates;
	const char **names;			/* of the states of all machines; unique */
	DxState   **states;			/* NULL: not compiled yet, dx_program_state */
	int			nmachines;
	DxMachine  *machines;		/* [0] is the top one */
	double		timeout;		/* top-level TimeoutSeconds, < 0 = none */
	int			nexprs;			/* number of DxExpr, ordinals 0 .. nexprs-1 */
	bool		has_compensation;
	bool		pure;			/* no Task at all */
	uint64		serial;			/* of a loaded one: no other has had it */
	Size		kept;			/* bytes that others keep for it elsewhere */
	struct DxCompiler *source;	/* what states are compiled from later, or
								 * NULL */
} DxProgram;

/* ---------- program.c, problem.c, resource_uri.c ---------- */

/* What compile asks its caller about the world. NULL callbacks: all is well. */
typedef struct DxCompileOptions
{
	bool		strict;			/* pure ASL only: no addition of ours */
	bool		express;		/* by the rules of AWS's type EXPRESS */
	bool		governed;		/* every Task says its side effect */
	int			max_depth;		/* levels of JSON nesting; 0 = 256 */

	/*
	 * Called for every Task (and Compensate) resource.  keys: the names of
	 * the members of the effective input if they are known from a literal
	 * Parameters object, else NIL.  keys_known says which.  Reports problems
	 * with dx_problem.  May put what a URI is bound to in its place: *kind,
	 * *target, *wait_for_token and *no_wait.
	 */
	void		(*check_resource) (void *arg, DxResourceKind *kind,
								   const char **target, bool *wait_for_token,
								   bool *no_wait, const char *uri,
								   bool keys_known, List *keys,
								   const char *pointer, DxProblems *problems);

	/* Is this URI bound to something?  NULL if there are no bindings. */
	bool		(*is_bound) (void *arg, const char *uri);

	/*
	 * Called for every Governance: says with dx_warning which of the roles
	 * (char *; NIL: everybody with the access) do not exist, and whether
	 * fewer persons than the quorum could agree.
	 */
	void		(*check_approvers) (List *names, int quorum,
									const char *pointer, DxProblems *problems);

	/* Called for every expression: syntax check. */
	void		(*check_expr) (void *arg, const DxExpr *expr,
							   DxProblems *problems);
	void	   *arg;
} DxCompileOptions;

extern DxProgram *dx_program_compile(const Jsonb *definition,
									 const DxCompileOptions *options,
									 MemoryContext parent,
									 DxProblems *problems);
extern DxProgram *dx_program_load(const Jsonb *definition,
								  const DxCompileOptions *options,
								  MemoryContext cxt);
extern void dx_program_free(DxProgram *program);
extern const DxState *dx_program_state(const DxProgram *program, int index);
extern const DxState *dx_program_find_state(const DxProgram *program,
											const char *name);
extern DxResourceKind dx_resource_parse(const char *uri, const char **target,
										bool *wait_for_token, bool *no_wait);
extern const char *dx_resource_problem(const char *uri, DxResourceKind kind,
									   const char *target);

/* ---------- expr.c ---------- */

/*
 * A string of the expression mode.  *expr = NULL: it is no expression.  false:
 * it looks like one and is wrong, which was reported.
 */
extern bool dx_expr_compile(const JsonbValue *string, DxQueryLanguage language,
							const char *pointer, int *next_ordinal,
							const DxCompileOptions *options,
							DxProblems *problems, DxExpr **expr);

/* ---------- path.c ---------- */

typedef enum DxPathUse
{
	DX_PATH_ANY,				/* Path: may select many */
	DX_PATH_REFERENCE,			/* ReferencePath: selects exactly one node */
} DxPathUse;

extern DxPath *dx_path_compile(const char *text, DxPathUse use, char **error);
extern bool dx_path_is_whole(const DxPath *path);	/* "$" */
extern const char *dx_path_text(const DxPath *path);

/* The context object of env, with context_map in its place; NULL: none. */
extern Jsonb *dx_env_context(DxEnv *env);

/* Puts value at a reference path inside target (ResultPath). */
extern bool dx_path_assign(const DxPath *path, Jsonb *target, Jsonb *value,
						   Jsonb **result, DxFault *fault);

/* ---------- template.c, intrinsic.c ---------- */

/* language: JSONPath takes "key.$" members; SQL takes {% %} strings anywhere. */
extern DxTemplate *dx_template_compile(const Jsonb *source,
									   DxQueryLanguage language,
									   const char *pointer,
									   int *next_ordinal,
									   const DxCompileOptions *options,
									   DxProblems *problems);
extern bool dx_template_eval(const DxTemplate *tmpl, DxEnv *env,
							 Jsonb **value, DxFault *fault);

/* Compiles one "States.Xxx(...)" call or path as the value of a ".$" member. */
extern DxTemplate *dx_template_compile_reference(const char *text,
												 const char *pointer,
												 DxProblems *problems);

/* Member names of a template that is an object, if they are known. */
extern bool dx_template_keys(const DxTemplate *tmpl, List **keys);

/* ---------- choice.c, timestamp.c ---------- */

extern bool dx_rule_eval(const DxRule *rule, DxEnv *env,
						 bool *match, DxFault *fault);

/* ---------- io.c, amount.c: input and output processing of a state ---------- */

/*
 * In all of these env->input is the raw input of the state; they apply
 * InputPath themselves.
 */
/* InputPath, then Parameters/Arguments. */
extern bool dx_io_enter(const DxState *state, DxEnv *env,
						Jsonb **effective, DxFault *fault);

/*
 * ResultSelector, ResultPath, OutputPath (or Output), and Assign.  result: of
 * a Task, Parallel or Map what came out; of others the effective input.
 * *variables: the object with what Assign adds merged in (env->variables
 * itself if there is no Assign).
 */
extern bool dx_io_exit(const DxState *state, DxEnv *env, Jsonb *result,
					   Jsonb **output, Jsonb **variables, DxFault *fault);

/* The same for a Catcher; the error output is {"Error","Cause"}. */
extern bool dx_io_catch(const DxState *state, const DxCatcher *catcher,
						DxEnv *env, const DxFault *error,
						Jsonb **output, Jsonb **variables, DxFault *fault);

/*
 * Choice: the next state (Default counts), output and variables.  A branch
 * without a rule and without a condition matches.  Fault
 * States.NoChoiceMatched.
 */
extern bool dx_io_choose(const DxState *state, DxEnv *env, int *next,
						 Jsonb **output, Jsonb **variables, DxFault *fault);

/* Wait: until when.  now is the time of entry. */
extern bool dx_io_wait(const DxState *state, DxEnv *env, TimestampTz now,
					   TimestampTz *until, DxFault *fault);

/* Fail: both members of *error may be NULL. */
extern bool dx_io_fail(const DxState *state, DxEnv *env, DxFault *error,
					   DxFault *fault);

/* Map: the items, as an array; and the input of item number i. */
extern bool dx_io_items(const DxState *state, DxEnv *env,
						Jsonb **items, DxFault *fault);
extern bool dx_io_item_input(const DxState *state, DxEnv *env, int index,
							 Jsonb *item, Jsonb **input, DxFault *fault);

/* Map with an ItemBatcher: the input of each batch, as an array. */
extern bool dx_io_batches(const DxState *state, DxEnv *env, Jsonb *items,
						  Jsonb **batches, DxFault *fault);

/*
 * TimeoutSeconds and the like. *given = false when absent.  A path is applied
 * to env->input after the InputPath of env->state.
 */
extern bool dx_amount_eval(const DxAmount *amount, DxEnv *env,
						   bool *given, double *value, DxFault *fault);

/* ---------- retry.c ---------- */

/*
 * Which retrier takes this error, or -1; *delay in seconds before the next
 * attempt.  used[i] counts the retries of retrier i so far; random01 is drawn
 * by the caller.
 */
extern int	dx_retry_choose(int nretriers, const DxRetrier *retriers,
							const int32 *used, const char *error,
							double random01, double *delay);
extern const DxCatcher *dx_catch_choose(const DxState *state, const char *error);

#endif							/* DX_ASL_H */
