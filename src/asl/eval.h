/*-------------------------------------------------------------------------
 *
 * eval.h
 *	  What the files that evaluate share about paths, input and output.
 *	  Nothing outside of this room includes it.
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
#include "asl/path_parse.h"
#include "utils/jsonb.h"

/* ---------- io.c ---------- */

extern bool dx_io_input(const DxState *state, DxEnv *env, Jsonb **value,
						DxFault *fault);
extern bool dx_eval_with(const DxTemplate *tmpl, DxEnv *env, Jsonb *input,
						 Jsonb **value, DxFault *fault);

/* ---------- json_text.c ---------- */

extern bool dx_json_parse(const char *text, int len, JsonbValue *value);

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

#endif							/* DX_ASL_EVAL_H */
