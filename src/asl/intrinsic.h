/*-------------------------------------------------------------------------
 *
 * intrinsic.h
 *	  Intrinsic functions: the parser, the table of functions, the call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_INTRINSIC_H
#define DX_ASL_INTRINSIC_H

#include "asl/asl.h"
#include "asl/build.h"
#include "asl/fault.h"
#include "utils/jsonb.h"

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

#endif							/* DX_ASL_INTRINSIC_H */
