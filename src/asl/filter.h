/*-------------------------------------------------------------------------
 *
 * filter.h
 *	  A filter of a path, [?(...)], between its parser and its evaluator.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_FILTER_H
#define DX_ASL_FILTER_H

#include "asl/asl.h"
#include "asl/path_parse.h"
#include "utils/jsonb.h"

typedef enum DxFilterKind
{
	DX_FILTER_AND,
	DX_FILTER_OR,
	DX_FILTER_NOT,
	DX_FILTER_EXISTS,			/* an operand alone */
	DX_FILTER_COMPARE
} DxFilterKind;

typedef enum DxFilterOperator
{
	DX_FILTER_EQ,
	DX_FILTER_NE,
	DX_FILTER_SAME,				/* ===, with the same type */
	DX_FILTER_NOT_SAME,
	DX_FILTER_LT,
	DX_FILTER_LE,
	DX_FILTER_GT,
	DX_FILTER_GE,
	DX_FILTER_REGEX,
	DX_FILTER_IN,
	DX_FILTER_NIN,
	DX_FILTER_CONTAINS,
	DX_FILTER_ALL,
	DX_FILTER_SUBSETOF,
	DX_FILTER_ANYOF,
	DX_FILTER_NONEOF,
	DX_FILTER_SIZE,
	DX_FILTER_EMPTY
} DxFilterOperator;

typedef enum DxOperandKind
{
	DX_OPERAND_VALUE,
	DX_OPERAND_PATH,
	DX_OPERAND_PATTERN
} DxOperandKind;

typedef struct DxOperand
{
	DxOperandKind kind;
	JsonbValue	value;
	DxPath	   *path;
	text	   *pattern;		/* anchored at both ends */
	int			flags;
} DxOperand;

struct DxFilter
{
	DxFilterKind kind;
	DxFilter   *left;
	DxFilter   *right;
	DxFilterOperator op;
	DxOperand	a;
	DxOperand	b;
};

#endif							/* DX_ASL_FILTER_H */
