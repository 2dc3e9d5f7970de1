/*-------------------------------------------------------------------------
 *
 * shape_words.h
 *	  Checks a Shape: the part of JSON Schema that shape.c knows, word by word.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_SHAPE_WORDS_H
#define DX_ASL_SHAPE_WORDS_H

#include "asl/compile.h"

extern void dx_check_shape(DxCompiler *c, const DxNode *shape);

#endif							/* DX_ASL_SHAPE_WORDS_H */
