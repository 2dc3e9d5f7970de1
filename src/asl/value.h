/*-------------------------------------------------------------------------
 *
 * value.h
 *	  What the evaluators ask of a JSON value: is it equal, what is its text,
 *	  what is its number; and how a fault is made.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_VALUE_H
#define DX_ASL_VALUE_H

#include "asl/build.h"
#include "asl/fault.h"
#include "utils/jsonb.h"

extern char *dx_format(const char *fmt, va_list args) pg_attribute_printf(1, 0);
extern bool dx_fault(DxFault *fault, const char *error,
					 const char *fmt,...) pg_attribute_printf(3, 4);
extern bool dx_value_same(const JsonbValue *a, const JsonbValue *b);
extern bool dx_value_equal(const JsonbValue *a, const JsonbValue *b);
extern int	dx_text_compare(const DxName *a, const DxName *b);
extern double dx_value_double(const JsonbValue *value);
extern bool dx_value_int64(const JsonbValue *value, int64 *number);
extern char *dx_value_text(const JsonbValue *value);
extern char *dx_value_compact(const JsonbValue *value);
extern const char *dx_json_clip(const Jsonb *json);
extern void dx_value_string(char *text, int len, JsonbValue *value);
extern void dx_value_integer(int64 number, JsonbValue *value);

#endif							/* DX_ASL_VALUE_H */
