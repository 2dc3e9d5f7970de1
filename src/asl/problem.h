/*-------------------------------------------------------------------------
 *
 * problem.h
 *	  What is wrong with a definition, and where.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_PROBLEM_H
#define DX_ASL_PROBLEM_H

#include "nodes/pg_list.h"

/* One thing that is wrong with a definition. */
typedef struct DxProblem
{
	char	   *pointer;		/* RFC 6901 pointer into the definition */
	char	   *code;			/* short stable name, e.g. "MISSING_FIELD" */
	char	   *message;		/* what is wrong */
	char	   *hint;			/* what would be right, or NULL */
} DxProblem;

typedef struct DxProblems
{
	List	   *list;			/* of DxProblem *, in document order */
	List	   *warnings;		/* likewise: what can run, and is odd */
} DxProblems;

/* The codes of problems. They are documented: add, but do not rename. */
#define DX_P_MISSING_FIELD		"MISSING_FIELD"
#define DX_P_UNKNOWN_FIELD		"UNKNOWN_FIELD"
#define DX_P_MISPLACED_FIELD	"MISPLACED_FIELD"
#define DX_P_CONFLICT			"CONFLICTING_FIELDS"
#define DX_P_WRONG_TYPE			"WRONG_TYPE"
#define DX_P_WRONG_VALUE		"WRONG_VALUE"
#define DX_P_OUT_OF_RANGE		"OUT_OF_RANGE"
#define DX_P_BAD_NAME			"INVALID_NAME"
#define DX_P_BAD_PATH			"INVALID_PATH"
#define DX_P_BAD_INTRINSIC		"INVALID_INTRINSIC"
#define DX_P_BAD_EXPRESSION		"INVALID_EXPRESSION"
#define DX_P_BAD_RESOURCE		"INVALID_RESOURCE"
#define DX_P_ERROR_NAME			"INVALID_ERROR_NAME"
#define DX_P_DUPLICATE_STATE	"DUPLICATE_STATE_NAME"
#define DX_P_DUPLICATE_MEMBER	"DUPLICATE_MEMBER"
#define DX_P_NO_JSON			"INVALID_JSON"
#define DX_P_DUPLICATE_LABEL	"DUPLICATE_LABEL_NAME"
#define DX_P_UNKNOWN_STATE		"UNKNOWN_STATE"
#define DX_P_UNREACHABLE		"UNREACHABLE_STATE"
#define DX_P_NO_TERMINAL		"NO_TERMINAL_STATE"
#define DX_P_QUERY_LANGUAGE		"QUERY_LANGUAGE"
#define DX_P_NOT_PURE			"NOT_PURE_ASL"
#define DX_P_NOT_SUPPORTED		"NOT_SUPPORTED"
#define DX_P_NO_EFFECT			"NO_EFFECT"
#define DX_P_TOO_DEEP			"TOO_DEEPLY_NESTED"

extern void dx_problem(DxProblems *problems, const char *pointer,
					   const char *code, const char *hint,
					   const char *fmt,...) pg_attribute_printf(5, 6);
extern void dx_warning(DxProblems *problems, const char *pointer,
					   const char *code, const char *hint,
					   const char *fmt,...) pg_attribute_printf(5, 6);
extern const char *dx_pointer_child(const char *pointer, const char *name);
extern const char *dx_pointer_item(const char *pointer, int index);

#endif							/* DX_ASL_PROBLEM_H */
