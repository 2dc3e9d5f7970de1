/*-------------------------------------------------------------------------
 *
 * field.h
 *	  Reads the plain fields of an object: texts, numbers, booleans, one of a
 *	  few words, objects, arrays; and finds those that do not belong there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_FIELD_H
#define DX_ASL_FIELD_H

#include "asl/compile.h"

extern const char *dx_read_text(DxCompiler *c, const DxNode *object,
								const char *name, bool required);
extern bool dx_read_bool(DxCompiler *c, const DxNode *object,
						 const char *name, bool *value);
extern bool dx_read_number(DxCompiler *c, const DxNode *object,
						   const char *name, bool integer,
						   double min, double max, double *value);
extern bool dx_read_choice(DxCompiler *c, const DxNode *object,
						   const char *name, const char *const *values,
						   int nvalues);
extern bool dx_read_object(DxCompiler *c, const DxNode *object,
						   const char *name, bool required, DxNode *member);
extern bool dx_read_array(DxCompiler *c, const DxNode *object,
						  const char *name, bool required, DxNode *member);
extern void dx_check_members(DxCompiler *c, const DxNode *object,
							 const char *what,
							 const char *const *allowed, int nallowed);
extern bool dx_check_names(DxCompiler *c, const DxNode *array, const char *what);
extern bool dx_check_conflict(DxCompiler *c, const DxNode *object,
							  const char *first, const char *second);

#endif							/* DX_ASL_FIELD_H */
