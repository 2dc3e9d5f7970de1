/*-------------------------------------------------------------------------
 *
 * shape.h
 *	  Checks JSON against a shape: the part of JSON Schema that says what an
 *	  amended payload may look like (type, enum, const, properties, required,
 *	  additionalProperties, items, minimum, maximum, minLength, maxLength).
 *	  Words that are not known say nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_SHAPE_H
#define DX_GOVERNANCE_SHAPE_H

#include "utils/jsonb.h"

extern char *dx_shape_problem(const Jsonb *shape, Jsonb *json);

#endif							/* DX_GOVERNANCE_SHAPE_H */
