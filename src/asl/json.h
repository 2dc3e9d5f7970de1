/*-------------------------------------------------------------------------
 *
 * json.h
 *	  Small builders and readers over Jsonb.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_JSON_H
#define DX_ASL_JSON_H

#include "asl/problem.h"
#include "utils/jsonb.h"

extern Jsonb *dx_json_null(void);

/* Of n values; nested ones are copied as they are, without looking inside. */
extern Jsonb *dx_json_object(int n, const char *const *keys,
							 Jsonb *const *values);
extern Jsonb *dx_json_array(int n, Jsonb *const *values);
extern Jsonb *dx_json_empty_object(void);
extern Jsonb *dx_json_string(const char *text);
extern Jsonb *dx_json_from_value(JsonbValue *value);	/* copies */
extern void dx_json_to_value(const Jsonb *json, JsonbValue *value); /* scalar, or jbvBinary */
extern bool dx_json_get(const Jsonb *object, const char *key, JsonbValue *value);
extern Jsonb *dx_json_get_json(const Jsonb *object, const char *key);	/* NULL: absent */
extern char *dx_json_get_text(const Jsonb *object, const char *key);	/* NULL: absent or not a
																		 * string */
extern Jsonb *dx_json_set(const Jsonb *object, const char *key, const Jsonb *value);

/* Compact text as AWS writes it: no blanks after , and :. */
extern char *dx_json_compact(const Jsonb *json);

/* json_text.c */
extern Jsonb *dx_definition_read(const char *text, int len, DxProblems *problems);

/* build.c: how much data an evaluation makes. */
extern void dx_build_begin(Size limit);
extern void dx_build_count(Size size);

#endif							/* DX_ASL_JSON_H */
