/*-------------------------------------------------------------------------
 *
 * build.h
 *	  Puts a Jsonb together from JsonbValues, and takes one apart.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_BUILD_H
#define DX_ASL_BUILD_H

#include "utils/jsonb.h"

/* A name or another piece of text; terminated only in the steps of a path. */
typedef struct DxName
{
	const char *text;
	int			len;
} DxName;

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

#endif							/* DX_ASL_BUILD_H */
