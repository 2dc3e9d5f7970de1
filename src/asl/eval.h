/*-------------------------------------------------------------------------
 *
 * eval.h
 *	  What the files that evaluate share: paths, templates, intrinsic
 *	  functions, choice rules, input and output.  Nothing outside of this room
 *	  includes it.
 *
 * While something is evaluated a JSON value is a JsonbValue: a scalar, or a
 * jbvBinary that points into the Jsonb that it was found in.  So nothing is
 * copied on the way; the one copy is made when the result is put together
 * (build.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_EVAL_H
#define DX_ASL_EVAL_H

#include "asl/asl.h"
#include "asl/fault.h"
#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* A name or another piece of text; terminated only in the steps of a path. */
typedef struct DxName
{
	const char *text;
	int			len;
} DxName;

/* ---------- build.c ---------- */

/* A member of an object that is taken apart or put together. */
typedef struct DxMember
{
	DxName		name;
	JsonbValue	value;
} DxMember;

extern Jsonb *dx_build_object(DxMember *members, int nmembers);
extern Jsonb *dx_build_array(const JsonbValue *elements, int nelements);
extern void dx_build_value(Jsonb *json, JsonbValue *value);
extern int	dx_name_compare(const DxName *a, const DxName *b);
extern int	dx_take_members(const JsonbValue *object, DxMember **members);
extern int	dx_take_elements(const JsonbValue *array, JsonbValue **elements);

/* Is the value an object? */
static inline bool
dx_value_is_object(const JsonbValue *value)
{
	return value->type == jbvBinary &&
		JsonContainerIsObject(value->val.binary.data);
}

/* Is the value an array? */
static inline bool
dx_value_is_array(const JsonbValue *value)
{
	return value->type == jbvBinary &&
		JsonContainerIsArray(value->val.binary.data);
}

/* ---------- value.c: what evaluators ask of a value ---------- */

extern char *dx_format(const char *fmt, va_list args) pg_attribute_printf(1, 0);
extern bool dx_fault(DxFault *fault, const char *error,
					 const char *fmt,...) pg_attribute_printf(3, 4);
extern bool dx_value_equal(const JsonbValue *a, const JsonbValue *b);
extern int	dx_text_compare(const DxName *a, const DxName *b);
extern double dx_value_double(const JsonbValue *value);
extern bool dx_value_int64(const JsonbValue *value, int64 *number);
extern char *dx_value_text(const JsonbValue *value);
extern char *dx_value_compact(const JsonbValue *value);
extern const char *dx_json_clip(const Jsonb *json);
extern void dx_value_string(char *text, int len, JsonbValue *value);
extern void dx_value_integer(int64 number, JsonbValue *value);

/* ---------- io.c ---------- */

extern bool dx_io_input(const DxState *state, DxEnv *env, Jsonb **value,
						DxFault *fault);
extern bool dx_eval_with(const DxTemplate *tmpl, DxEnv *env, Jsonb *input,
						 Jsonb **value, DxFault *fault);

/* ---------- json_text.c ---------- */

extern bool dx_json_parse(const char *text, int len, JsonbValue *value);

/* ---------- path_lex.c, path_parse.c, filter_parse.c ---------- */

typedef enum DxRoot
{
	DX_ROOT_INPUT,				/* $ */
	DX_ROOT_CONTEXT,			/* $$ */
	DX_ROOT_VARIABLE,			/* $name */
	DX_ROOT_ITEM				/* @, in a filter */
} DxRoot;

typedef enum DxStepKind
{
	DX_STEP_MEMBER,				/* .name or ['name'] */
	DX_STEP_MEMBERS,			/* ['a','b'] */
	DX_STEP_WILDCARD,			/* .* or [*] */
	DX_STEP_INDEX,				/* [0], [-1], [(@.length-1)] */
	DX_STEP_INDEXES,			/* [0,1] */
	DX_STEP_SLICE,				/* [from:to:step] */
	DX_STEP_FILTER,				/* [?(...)] */
	DX_STEP_SCAN,				/* .. */
	DX_STEP_FUNCTION			/* .length() */
} DxStepKind;

typedef enum DxPathFunction
{
	DX_FUNCTION_LENGTH,
	DX_FUNCTION_MIN,
	DX_FUNCTION_MAX,
	DX_FUNCTION_SUM,
	DX_FUNCTION_AVG,
	DX_FUNCTION_STDDEV,
	DX_FUNCTION_KEYS,
	DX_FUNCTION_FIRST,
	DX_FUNCTION_LAST
} DxPathFunction;

typedef struct DxFilter DxFilter;

typedef struct DxStep
{
	DxStepKind	kind;
	int			nnames;
	DxName	   *names;
	int			nindexes;
	int		   *indexes;
	bool		computed;		/* the index was written as (@.length-1) */
	bool		has_from;
	bool		has_to;
	int			from;
	int			to;
	int			step;
	DxFilter   *filter;
	DxPathFunction function;
} DxStep;

struct DxPath
{
	char	   *text;
	DxRoot		root;
	DxName		variable;
	bool		definite;		/* selects one value or none */
	int			nsteps;
	DxStep	   *steps;
};

/* Where a parser stands.  error is set once, by what is wrong first. */
typedef struct DxPathParser
{
	const char *text;
	int			len;
	int			pos;
	int			depth;			/* inside a filter, how deep */
	int			nfilters;
	DxPath	   *(*parse_path) (struct DxPathParser *p); /* in a filter */
	char	   *error;
} DxPathParser;

extern bool dx_parse_fail(DxPathParser *p, const char *fmt,...) pg_attribute_printf(2, 3);
extern int	dx_parse_peek(const DxPathParser *p);
extern bool dx_parse_is_blank(int c);
extern void dx_parse_blanks(DxPathParser *p);
extern bool dx_parse_accept(DxPathParser *p, char c);
extern bool dx_parse_expect(DxPathParser *p, char c);
extern bool dx_parse_unicode(DxPathParser *p, StringInfo out);
extern bool dx_parse_quoted(DxPathParser *p, DxName *name);
extern DxFilter *dx_parse_filter(DxPathParser *p);

/* ---------- unicode.c ---------- */

extern const char *dx_take_unicode(const char *text, int len, int *pos, StringInfo out);

/* ---------- path.c, filter.c ---------- */

typedef enum DxMissKind
{
	DX_MISS_NONE,
	DX_MISS_MEMBER,				/* no such member, or no object */
	DX_MISS_INDEX,				/* an array, but it is shorter */
	DX_MISS_ROOT				/* no such variable */
} DxMissKind;

/* Why a definite path has selected nothing. */
typedef struct DxMiss
{
	DxMissKind	kind;
	int			step;
} DxMiss;

extern bool dx_path_find(const DxPath *path, DxEnv *env, JsonbValue *value,
						 DxMiss *miss, DxFault *fault);
extern bool dx_path_find_in(const DxPath *path, const JsonbValue *root,
							const JsonbValue *item, JsonbValue *value,
							bool *found, DxFault *fault);
extern bool dx_path_require(const DxPath *path, DxEnv *env,
							JsonbValue *value, DxFault *fault);
extern char *dx_path_miss_text(const DxPath *path, const DxMiss *miss);

/* What a filter is evaluated in: what "$" means, and who follows its paths. */
typedef struct DxFilterScope
{
	const JsonbValue *root;
	bool		(*find_in) (const DxPath *path, const JsonbValue *root,
							const JsonbValue *item, JsonbValue *value,
							bool *found, DxFault *fault);
} DxFilterScope;

extern bool dx_filter_matches(const DxFilter *filter, const DxFilterScope *scope,
							  const JsonbValue *item, bool *match,
							  DxFault *fault);
extern bool dx_path_function(DxPathFunction function,
							 const JsonbValue *operand, JsonbValue *result);

/* ---------- template.c, intrinsic.c and the families of functions ---------- */

typedef struct DxCall DxCall;

typedef enum DxArgumentKind
{
	DX_ARGUMENT_VALUE,
	DX_ARGUMENT_PATH,
	DX_ARGUMENT_CALL
} DxArgumentKind;

typedef struct DxArgument
{
	DxArgumentKind kind;
	JsonbValue	value;
	DxName		raw;			/* a string as written, without the quotes */
	DxPath	   *path;
	DxCall	   *call;
} DxArgument;

/* What a function gets besides the values of its arguments. */
typedef struct DxCallState
{
	const char *text;			/* the whole expression, for a cause */
	DxEnv	   *env;
	DxFault    *fault;
} DxCallState;

typedef bool (*DxFunctionBody) (DxCallState *state, const DxCall *call,
								JsonbValue *args, JsonbValue *result);

typedef struct DxFunction
{
	const char *name;
	int			min_args;
	int			max_args;		/* -1 = any number */
	DxFunctionBody body;
} DxFunction;

struct DxCall
{
	const char *text;			/* set in the outermost call only */
	const DxFunction *function;
	int			nargs;
	DxArgument *args;
	bool		uses_context;
};

extern DxCall *dx_call_compile(const char *text, char **error);
extern char *dx_call_doubt(const DxCall *call);
extern bool dx_call_eval(const DxCall *call, DxEnv *env, JsonbValue *value,
						 DxFault *fault);
extern bool dx_call_invalid(DxCallState *state, const DxCall *call);
extern bool dx_call_fail(DxCallState *state, const char *fmt,...) pg_attribute_printf(2, 3);

/* intrinsic_array.c */
extern bool dx_fn_array(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_array_partition(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_array_contains(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_array_range(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_array_get_item(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_array_length(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_array_unique(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);

/* intrinsic_text.c */
extern bool dx_fn_format(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_string_split(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_base64_encode(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_base64_decode(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);

/* intrinsic_misc.c */
extern bool dx_fn_string_to_json(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_json_to_string(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_json_merge(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_hash(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_math_add(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_math_random(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);
extern bool dx_fn_uuid(DxCallState *state, const DxCall *call, JsonbValue *args, JsonbValue *result);

/* template.c */
extern bool dx_template_uses_context(const DxTemplate *tmpl);

/* ---------- expr.c ---------- */

extern bool dx_expr_eval(const DxExpr *expr, DxEnv *env, JsonbValue *value,
						 DxFault *fault);

#endif							/* DX_ASL_EVAL_H */
