/*-------------------------------------------------------------------------
 *
 * change.h
 *	  A document as what differs from another one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_CHANGE_H
#define DX_ASL_CHANGE_H

#include "utils/jsonb.h"

extern bool dx_json_same(const Jsonb *a, const Jsonb *b);
extern bool dx_json_change(const Jsonb *base, const Jsonb *doc, Jsonb **change);

#endif							/* DX_ASL_CHANGE_H */
