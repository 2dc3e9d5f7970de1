/*-------------------------------------------------------------------------
 *
 * path_parse.h
 *	  From the text of a path to a DxPath.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_PATH_PARSE_H
#define DX_ASL_PATH_PARSE_H

#include "asl/asl.h"
#include "asl/build.h"
#include "lib/stringinfo.h"

typedef enum DxRoot
{
	DX_ROOT_INPUT,				/* $ */
	DX_ROOT_CONTEXT,			/* $$ */
	DX_ROOT_VARIABLE,			/* $name */
	DX_ROOT_ITEM				/* @, in a filter */
} DxRoot;

typedef enum DxStepKind
{
	DX_STEP_MEMBER,				/* .name or ['name'] */
	DX_STEP_MEMBERS,			/* ['a','b'] */
	DX_STEP_WILDCARD,			/* .* or [*] */
	DX_STEP_INDEX,				/* [0], [-1], [(@.length-1)] */
	DX_STEP_INDEXES,			/* [0,1] */
	DX_STEP_SLICE,				/* [from:to:step] */
	DX_STEP_FILTER,				/* [?(...)] */
	DX_STEP_SCAN,				/* .. */
	DX_STEP_FUNCTION			/* .length() */
} DxStepKind;

typedef enum DxPathFunction
{
	DX_FUNCTION_LENGTH,
	DX_FUNCTION_MIN,
	DX_FUNCTION_MAX,
	DX_FUNCTION_SUM,
	DX_FUNCTION_AVG,
	DX_FUNCTION_STDDEV,
	DX_FUNCTION_KEYS,
	DX_FUNCTION_FIRST,
	DX_FUNCTION_LAST
} DxPathFunction;

typedef struct DxFilter DxFilter;

typedef struct DxStep
{
	DxStepKind	kind;
	int			nnames;
	DxName	   *names;
	int			nindexes;
	int		   *indexes;
	bool		computed;		/* the index was written as (@.length-1) */
	bool		has_from;
	bool		has_to;
	int			from;
	int			to;
	int			step;
	DxFilter   *filter;
	DxPathFunction function;
} DxStep;

struct DxPath
{
	char	   *text;
	DxRoot		root;
	DxName		variable;
	bool		definite;		/* selects one value or none */
	int			nsteps;
	DxStep	   *steps;
};

/* Where a parser stands.  error is set once, by what is wrong first. */
typedef struct DxPathParser
{
	const char *text;
	int			len;
	int			pos;
	int			depth;			/* inside a filter, how deep */
	int			nfilters;
	DxPath	   *(*parse_path) (struct DxPathParser *p); /* in a filter */
	char	   *error;
} DxPathParser;

extern bool dx_parse_fail(DxPathParser *p, const char *fmt,...) pg_attribute_printf(2, 3);
extern int	dx_parse_peek(const DxPathParser *p);
extern bool dx_parse_is_blank(int c);
extern void dx_parse_blanks(DxPathParser *p);
extern bool dx_parse_accept(DxPathParser *p, char c);
extern bool dx_parse_expect(DxPathParser *p, char c);
extern bool dx_parse_unicode(DxPathParser *p, StringInfo out);
extern bool dx_parse_quoted(DxPathParser *p, DxName *name);
extern DxFilter *dx_parse_filter(DxPathParser *p);

#endif							/* DX_ASL_PATH_PARSE_H */
